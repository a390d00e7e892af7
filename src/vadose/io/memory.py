"""How a process holds its memory."""

import ctypes
import resource
import sys
from pathlib import Path

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
"""Parameters of mallopt(3) in the GNU C library."""
_MB = 1 << 20


def tune_malloc() -> None:
    """Use the memory of freed arrays again instead of giving it back to the system, as far as 1 GB of it.

    By default the GNU C library gives arrays of more than 32 MB back whenever they are freed, and takes them anew page
    by page: half of the time that a convolution of a large picture takes. Elsewhere this does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    for parameter, megabytes in ((_MMAP_THRESHOLD, 1024), (_TRIM_THRESHOLD, 1024), (_TOP_PAD, 64)):
        mallopt(parameter, megabytes * _MB)


def peak_mb() -> float:
    """Most memory that this process has held, MB; where the system tells no more, that of its parent when it began."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return int(status.split("VmHWM:")[1].split()[0]) / 1024
