"""Memory of a process."""

import ctypes
import resource
import sys
from pathlib import Path

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
"""Parameters of mallopt(3) in the GNU C library."""
_MB = 1 << 20


def tune_malloc() -> None:
    """Reuse the memory of freed arrays, up to 1 GB, instead of returning it to the system.

    By default the GNU C library returns arrays of more than 32 MB when they are freed, and requests them again page by
    page, which takes half of the time of a convolution of a large picture. On other systems this does nothing.
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
    """Return the peak memory of this process, MB; where the system reports no more, that of its parent at its start."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return int(status.split("VmHWM:")[1].split()[0]) / 1024
