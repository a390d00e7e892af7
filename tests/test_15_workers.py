"""Processes that work for another end with it."""

import os
import subprocess
import sys
import time
from pathlib import Path

MAIN = """
import time
from named import tell
from vadose.io.processes import processes

if __name__ == "__main__":
    with processes(2) as pool:
        print(*pool.map(tell, [0.3, 0.3]), flush=True)
        list(pool.map(time.sleep, [600, 600]))
"""
NAMED = """
import os
import time


def tell(seconds):
    time.sleep(seconds)
    return os.getpid()
"""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_workers_end_when_the_process_they_work_for_is_killed(tmp_path):
    (tmp_path / "main.py").write_text(MAIN)
    (tmp_path / "named.py").write_text(NAMED)
    with subprocess.Popen([sys.executable, tmp_path / "main.py"], stdout=subprocess.PIPE, text=True) as main:
        workers = [int(number) for number in main.stdout.readline().split()]
        assert workers
        assert all(map(alive, workers))
        main.kill()
    deadline = time.monotonic() + 30
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(alive, workers))
