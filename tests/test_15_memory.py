"""Freed memory is used again."""

import subprocess
import sys

import pytest

MAIN = """
import resource
import sys

from vadose.io.memory import tune_malloc

if sys.argv[1] == "kept":
    tune_malloc()
for _ in range(20):
    bytearray(b"x") * (64 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


def faults(how: str) -> int:
    """Pages that the system had to give."""
    told = subprocess.run([sys.executable, "-c", MAIN, how], check=True, capture_output=True, text=True)
    return int(told.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only the GNU C library can be told")
def test_large_arrays_do_not_take_new_pages_each_time():
    assert faults("kept") < 0.6 * faults("given back")
