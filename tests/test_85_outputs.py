"""Commands and the places that they write to: refused before any work, ended tidily, full disks told in words."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from small_points import config, mapping, table, write_experiment
from test_85_cli import Run, vadose
from vadose.cli.console import report_errors
from vadose.io.atomic import atomic_write

__all__ = ["vadose"]
FILES = {
    "estimate": ("estimate", "run", "store"),
    "series": ("series", "maps", "--point", "9,55"),
    "simulate evaluate": ("simulate", "evaluate", "run", "world"),
    "simulate compare": ("simulate", "compare", "world"),
    "samples fit-units": ("samples", "fit-units", "shards", "archive"),
}
FOLDERS = {
    "evaluate": ("evaluate", "a.parquet"),
    "export": ("export", "run", "--format", "pt2"),
    "map": ("map", "run", "archive", "--area", "9,55,9.1,55.1", "--date", "2021-06-10"),
    "samples build": ("samples", "build", "experiment.yaml"),
    "samples import-table": ("samples", "import-table", "table.csv", "--columns", "mapping.yaml"),
    "samples convert-ismn": ("samples", "convert-ismn", "ismn"),
    "samples import-batchu2022": ("samples", "import-batchu2022", "shards"),
    "train": ("train", "experiment.yaml"),
    "ablate": ("ablate", "experiment.yaml"),
}
SUFFIX = {"series": ".csv"}


@pytest.fixture
def here(vadose: Run, tmp_path: Path) -> Path:
    """The folder in which commands run, with an experiment and something precious in it."""
    folder = tmp_path / "here"
    write_experiment(folder, table(), mapping(), config())
    (folder / "file").write_text("precious")
    (folder / "folder.csv").mkdir()
    (folder / "folder.csv" / "thesis.txt").write_text("precious")
    return folder


def contents(folder: Path) -> dict[str, bytes | None]:
    found = sorted(folder.rglob("*"))
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in found}


@pytest.mark.parametrize("name", [*FILES, *FOLDERS])
def test_a_place_that_cannot_be_written_is_refused_before_any_work(name, vadose, here):
    suffix = SUFFIX.get(name, "")
    (here / f"file{suffix}").write_text("precious")
    kind = "folder.csv" if name in FILES else f"file{suffix}"
    before = contents(here)
    for out in (kind, f"file{suffix}/below{suffix}", "n" * 260 + suffix, "/dev/null" if not suffix else kind):
        told = vadose(*(FILES | FOLDERS)[name], "--out", out)
        said = [line for line in told.err.splitlines() if not line.startswith("samples ")]
        assert told.status == 2 and len(said) == 3, told
        assert "writing" in said[0], told
        assert contents(here) == before


def test_folders_named_by_argument_are_looked_at_too(vadose, here):
    before = contents(here)
    for words in (("simulate", "make", "file", "--preset", "tiny"), ("demo", "--folder", "file", "--preset", "tiny")):
        told = vadose(*words)
        assert told.status == 2 and "is a file" in told.err.lower(), told
    assert contents(here) == before


def test_results_of_other_commands_are_not_written_over(vadose, here):
    assert vadose("samples", "import-table", "table.csv", "--columns", "mapping.yaml", "--out", "store").status == 0
    assert vadose("samples", "describe", "store", "--out", "store.png").status == 0
    before = contents(here)
    refusals = {
        ("samples", "describe", "store", "--out", "file.png"): "was not made by this command",
        ("samples", "describe", "store", "--out", "table.xyz"): "The suffixes are .png, .pdf, .svg",
        ("train", "experiment.yaml", "--out", "store"): "a result of 'vadose samples'",
        ("samples", "import-table", "other.csv", "--columns", "mapping.yaml", "--out", "store"): "with other arguments",
        ("samples", "build", "experiment.yaml", "--out", "folder.csv"): "Something else exists there",
    }
    (here / "file.png").write_text("mine")
    (here / "other.csv").write_bytes((here / "table.csv").read_bytes())
    before = contents(here)
    for words, said in refusals.items():
        told = vadose(*words)
        assert told.status == 2 and said in told.err, told
        assert contents(here) == before
    assert vadose("samples", "describe", "store", "--out", "store.png").status == 0
    assert vadose("samples", "import-table", "table.csv", "--columns", "mapping.yaml", "--out", "store").status == 0
    assert contents(here) == before, "what a command made it makes again"


ERRORS = {
    "system": (OSError(28, "No space left on device", "/data/x"), "/data/x", "Free some disk space"),
    "library": (OSError("HDF error"), "HDF error", "run the same command again"),
    "memory": (MemoryError("Unable to allocate 9 TiB"), "9 TiB", "fewer --workers"),
    "GPU": (RuntimeError("CUDA out of memory. Tried"), "out of memory", "fewer --workers"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_what_the_system_denies_is_told_in_three_parts(name, capsys):
    error, found, remedy = ERRORS[name]

    def app(**_: object) -> None:
        raise error

    assert report_errors(app) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 3 and found in " ".join(said) and remedy in said[2]


def test_what_is_a_fault_of_the_program_is_not_hidden():
    def app(**_: object) -> None:
        raise RuntimeError("a tensor of another shape")

    with pytest.raises(RuntimeError, match="another shape"):
        report_errors(app)


ENDED = """
import sys, time
from pathlib import Path
from vadose.cli.console import report_errors
from vadose.io.files import atomic_write
from vadose.io.locks import exclusive_lock
from vadose.io.processes import processes
from half import write

def app(**_):
    with exclusive_lock(Path(sys.argv[1])) as folder, processes(2) as pool, atomic_write(folder / "mine") as own:
        own.write_text("half")
        list(pool.map(write, [folder / "a", folder / "b", folder / "c", folder / "d"]))

if __name__ == "__main__":
    sys.exit(report_errors(app))
"""
HALF = """
import time
from vadose.io.files import atomic_write

def write(path):
    with atomic_write(path) as temporary:
        temporary.write_text("half")
        time.sleep(600)
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_who_is_ended_from_outside_tidies_up_with_all_its_workers(number, status, tmp_path):
    (tmp_path / "main.py").write_text(ENDED)
    (tmp_path / "half.py").write_text(HALF)
    out = tmp_path / "out"
    with subprocess.Popen(
        [sys.executable, tmp_path / "main.py", out],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # noqa: PLW1509 (nohup leaves it ignored)
    ) as process:
        until = time.monotonic() + 120
        while len(list(out.glob(".*"))) < 3 and time.monotonic() < until:
            time.sleep(0.05)
        begun = time.monotonic()
        process.send_signal(number)
        try:
            assert process.wait(60) == status
        finally:
            process.kill()
        assert time.monotonic() - begun < 20
        assert process.stderr and "Traceback" not in process.stderr.read()
    assert not out.exists(), "half files of both workers, the lock, and the folder made for it"


def test_a_worker_that_is_killed_is_told_in_words(tmp_path):
    (tmp_path / "main.py").write_text(ENDED)
    (tmp_path / "half.py").write_text(
        "import os, signal\n\ndef write(path):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    told = subprocess.run(
        [sys.executable, tmp_path / "main.py", tmp_path / "out"], capture_output=True, text=True, check=False
    )
    assert told.returncode == 2 and len(told.stderr.splitlines()) == 3 and "fewer --workers" in told.stderr
    assert not (tmp_path / "out").exists()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB; skipped where none can be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def fill(disk: Path, left: int = 0) -> None:
    """Fill a disk but for some bytes."""
    with (disk / "ballast").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            os.ftruncate(file.fileno(), max(file.tell() - left, 0))


@pytest.mark.parametrize("left", [0, 20_000])
@pytest.mark.parametrize("name", ["samples import-table", "train", "samples describe"])
def test_a_full_disk_is_told_and_leaves_nothing_behind(name, left, small, vadose, here):
    assert vadose("samples", "import-table", "table.csv", "--columns", "mapping.yaml", "--out", "store").status == 0
    fill(small, left)
    before = contents(small)
    words = FOLDERS.get(name) or ("samples", "describe", "store")
    told = vadose(*words, "--out", small / "out.png")
    said = [line for line in told.err.splitlines() if line.split()[0] not in {"samples", "fold"}]
    assert told.status == 2 and len(said) == 3 and "Free some disk space" in said[2], told
    if name != "train":
        assert contents(small) == before


def test_libraries_that_do_not_say_that_a_disk_is_full_are_told_apart(small):
    fill(small)
    with pytest.raises(OSError, match="No space left"), atomic_write(small / "x"):
        raise RuntimeError("NetCDF: HDF error")
    (small / "ballast").unlink()
    with pytest.raises(RuntimeError, match="HDF error"), atomic_write(small / "x"):
        raise RuntimeError("NetCDF: HDF error")


def test_a_table_of_yaml_is_untouched_by_a_refusal(vadose, here):
    """A mapping named as --out by mistake is a file of the user's own."""
    told = vadose("simulate", "evaluate", "run", "world", "--out", "mapping.yaml")
    assert told.status == 2 and "was not made by this command" in told.err
    assert yaml.safe_load((here / "mapping.yaml").read_text())["simulated"] is True
