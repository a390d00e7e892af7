"""Kill every command that writes, at its renames and at random moments: nothing is lost, the next run ends the same.

python benchmarks/kills.py [--renames 12] [--random 6] [--only NAME ...]

Each command runs in a process of its own, forked from one that has imported everything; an audit hook counts its
renames and kills it, with all the processes that it began, before one of them. What it writes onto is made first by
the command itself, so that there is something to lose. After each kill: what was there before is there still, as it
was, or what came of the command is there, whole; the same command, run again, ends with exit status 0, without a
traceback, with the same bytes as if it had never been killed, and leaves no hidden file.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from typer import Typer
from typer.core import TyperGroup
from typer.main import get_command

from catalogues import TOKEN, served
from vadose.cli import console

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

READS = frozenset({"samples verify", "catalogues check", "models list", "models show"})
"""Commands that write nothing."""
ONCE = ("samples convert-ismn", "catalogues download-ismn")
"""Commands that refuse to write onto their own result."""
QUICK = ("samples append", "samples import-table", "samples describe")
"""Cases that need neither a run nor an archive."""
PREPARED = {
    True: "matplotlib.pyplot pyarrow.dataset vadose.api.build vadose.api.samples vadose.dataset.describe "
    "vadose.sources.dem vadose.sources.gldas vadose.sources.sentinel2 vadose.sources.smap vadose.sources.soilgrids "
    "vadose.sources.worldcover",
    False: "lightning.fabric lightgbm matplotlib.pyplot torch.export vadose.batchu2022.commands "
    "vadose.experiment.ablation vadose.export.run vadose.mapping.points "
    "vadose.api.fetch vadose.mapping.daily vadose.studies.demo vadose.studies.realism vadose.studies.truth",
}
"""Imported before any command is begun: for the quick cases, and for others."""
TIMES = frozenset({"seconds", "samples_per_second", "peak_mb"})
"""Keys of JSON files that tell how long something took."""
COLLOCATED = {
    "name": "collocated",
    "simulated": True,
    "samples": {
        "archive": "world",
        "period": "2021-06-01/2021-06-10",
        "sample_times": 3.0,
        "max_samples_per_sensor": 3,
    },
    "needs": {"cells": ["vv", "sand"]},
    "split": {"grouping": {"by": "network"}, "folds": 3, "validation_fraction": 0.4},
    "network": {"cell_features": 4, "gru_size": 4, "hidden_size": 8},
    "schedule": {"epochs": 1, "batch_size": 8, "per_sensor": 2},
    "min_samples": 2,
}
WORLD = {
    "radar_days": 5,
    "period": "2021-06-01/2021-06-10",
    "regions": [
        {"name": "PLAIN", "lon": -96.4, "lat": 40.6, "climate": "plain", "side_cells": 10, "sensors": 2},
        {"name": "ORCHARD", "lon": -5.1, "lat": 37.6, "climate": "orchard", "side_cells": 10, "sensors": 1},
        {"name": "DESERT", "lon": 142.2, "lat": -33.9, "climate": "desert", "side_cells": 10, "sensors": 1},
    ],
}
AREA, DATE = "9.175,55.429,9.205,55.446", "2021-06-10"
TIME_MS, DAY_MS = 1.6227e12, 86_400_000
"""Of the first published example: 2021-06-03; a day."""
OF_RUN = ("train", "experiment.yaml", "--out", "run")
OF_MAP = ("map", "maprun", "archive", "--area", AREA, "--date", DATE, "--no-pictures", "--out", "whole")
OF_WORLD = ("simulate", "make", "world", "--preset", "tiny")
OF_WORLD_RUN = ("train", "collocated.yaml", "--out", "worldrun")
SERVED = ("--catalogue", "catalogues.yaml")
PLAIN = "-96.405,40.596,-96.395,40.604"
"""In the region of that name."""
KEPT = frozenset({".vadose-lock", ".vadose-index.parquet"})
"""Hidden names that belong to a fetched archive."""


@dataclass(frozen=True)
class Case:
    """A command that writes.

    Attributes:
        name: of the case.
        words: of the command; paths count from a folder that holds all inputs.
        out: what it writes.
        again: options of the run that goes on.
        begun: whether an earlier result of the command lies there first.
        filled: whether it fills its folder step by step: then what it had done may be there in part.
        needs: commands whose results it reads.
        served: whether it asks the catalogues of the simulated world.
    """

    name: str
    words: tuple[str, ...]
    out: str
    again: tuple[str, ...] = ()
    begun: bool = True
    filled: bool = False
    needs: tuple[tuple[str, ...], ...] = ()
    served: bool = False


def cases() -> list[Case]:
    """One of each command that writes."""
    estimates = "run/predictions/network.parquet"
    mapped = ("map", "maprun", "archive", "--area", AREA, "--date", DATE, "--out", "map")
    formats = ("--format", "cog", "--format", "zarr", "--format", "netcdf")
    return [
        Case("samples append", ("samples", "append", "grows", "b"), "grows", begun=False),
        Case(
            "samples import-table", ("samples", "import-table", "a.csv", "--columns", "mapping.yaml", "--out", "S"), "S"
        ),
        Case("samples build", ("samples", "build", "collocated.yaml", "--out", "B"), "B", needs=(OF_WORLD,)),
        Case("samples import-batchu2022", ("samples", "import-batchu2022", "shards", "--out", "P"), "P"),
        Case("samples fit-units", ("samples", "fit-units", "shards", "archive", "--out", "units.json"), "units.json"),
        Case(
            "samples convert-ismn",
            ("samples", "convert-ismn", "world/ismn", "--out", "I"),
            "I",
            begun=False,
            needs=(OF_WORLD,),
        ),
        Case("samples describe", ("samples", "describe", "a", "--out", "a.png"), "a.png"),
        Case("estimate", ("estimate", "run", "b", "--out", "est.parquet"), "est.parquet", needs=(OF_RUN,)),
        Case(
            "evaluate",
            ("evaluate", estimates, f"other={estimates}", "--min-samples", "5", "--out", "card"),
            "card",
            needs=(OF_RUN,),
        ),
        Case(
            "series",
            ("series", "whole", "--point", "9.19,55.437", "--out", "series.parquet"),
            "series.parquet",
            needs=(OF_MAP,),
        ),
        Case("serve --export", ("serve", "whole", "--export", "site"), "site", needs=(OF_MAP,)),
        Case("models release", ("models", "release", "run", "--out", "given"), "given", needs=(OF_RUN,)),
        Case("export", ("export", "run", "--format", "pt2", "--out", "release"), "release", needs=(OF_RUN,)),
        Case("train", ("train", "experiment.yaml", "--out", "T"), "T", ("--resume",), begun=False, filled=True),
        Case(
            "ablate",
            ("ablate", "experiment.yaml", "--variant", "without_dem", "--out", "A"),
            "A",
            ("--resume",),
            begun=False,
            filled=True,
        ),
        Case("map", (*mapped, *formats), "map", begun=False, filled=True),
        Case(
            "map --daily",
            (
                "map",
                "worldrun",
                "--area",
                PLAIN,
                "--date",
                "2021-06-07/2021-06-09",
                "--daily",
                "--no-pictures",
                "--out",
                "daily",
                *SERVED,
            ),
            "daily",
            begun=False,
            filled=True,
            needs=(OF_WORLD, OF_WORLD_RUN),
            served=True,
        ),
        Case(
            "fetch",
            ("fetch", "--area", PLAIN, "--date", "2021-06-09", "--out", "fetched", *SERVED),
            "fetched",
            begun=False,
            filled=True,
            needs=(OF_WORLD,),
            served=True,
        ),
        Case(
            "catalogues download-ismn",
            ("catalogues", "download-ismn", "ismn.zip", *SERVED),
            "ismn.zip",
            begun=False,
            needs=(OF_WORLD,),
            served=True,
        ),
        Case("simulate make", ("simulate", "make", "W", "--preset", "tiny"), "W", begun=False, filled=True),
        Case(
            "simulate samples",
            ("simulate", "samples", "collocated.yaml", "--out", "truth", "--cells", "2", "--workers", "1"),
            "truth",
            needs=(OF_WORLD,),
        ),
        Case("simulate compare", ("simulate", "compare", "world", "--out", "page/page.md"), "page", needs=(OF_WORLD,)),
        Case(
            "simulate evaluate",
            ("simulate", "evaluate", "worldrun", "world", "--out", "judged.md"),
            "judged.md",
            needs=(OF_WORLD, OF_WORLD_RUN),
        ),
        Case("demo", ("demo", "--preset", "tiny", "--folder", "demo"), "demo", begun=False, filled=True),
    ]


def uncovered(app: Typer, covered: Iterable[str]) -> list[str]:
    """Commands of an application that no case kills, and cases of no command."""
    return sorted({*_commands(get_command(app))} - READS ^ {name.partition(" --")[0] for name in covered})


def _commands(command: object, words: str = "") -> Iterator[str]:
    if not isinstance(command, TyperGroup):
        yield words
        return
    for name, below in command.commands.items():
        yield from _commands(below, f"{words} {name}".strip())


def write_inputs(folder: Path) -> None:
    """Everything that the commands read, simulated."""
    import small_map  # noqa: PLC0415 - of the tests, whose folder is named above
    from published_writer import example, write_shard  # noqa: PLC0415
    from small_points import config, mapping  # noqa: PLC0415
    from test_40_published_store import NAME, simulated  # noqa: PLC0415

    for number, name in enumerate(("a", "b")):
        rng = np.random.default_rng(number)
        sensor, values = np.repeat(np.arange(12), 10), rng.uniform(0.05, 0.4, 120)
        times = pd.Timestamp("2021-06-01") + pd.to_timedelta(np.tile(np.arange(10), 12) + 10 * number, "D")
        table = {"who": [f"S{one:02d}" for one in sensor], "north": 50.0 + sensor, "east": 9.0, "when": times}
        table |= {"vv": values, "elevation": 10.0 + sensor, "wet": 0.1 + 0.5 * values}
        pd.DataFrame(table).to_csv(folder / f"{name}.csv", index=False)
    experiment = config(samples={"table": "a.csv", "columns": "mapping.yaml"})
    texts = {"mapping": mapping(), "experiment": experiment, "collocated": COLLOCATED}
    for name, content in texts.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
    (folder / "shards").mkdir()
    where = {"center_lat": 55.437, "center_long": 9.19}
    for number in range(2):
        ones = [simulated(one, f"S{number}", **where, timestamp=TIME_MS + one * 6 * DAY_MS) for one in range(3)]
        write_shard(folder / "shards" / NAME.format(number), map(example, ones))
    small_map.write_archive(folder / "archive")
    small_map.write_run(folder / "maprun", members=1)


FIRST = (
    ("samples", "import-table", "a.csv", "--columns", "mapping.yaml", "--out", "a"),
    ("samples", "import-table", "b.csv", "--columns", "mapping.yaml", "--out", "b"),
    ("samples", "import-table", "a.csv", "--columns", "mapping.yaml", "--out", "grows"),
)
"""Commands whose results others read."""


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit status, or the signal below 0; what it said; its renames; its seconds."""

    status: int
    text: str
    renames: int
    seconds: float


def run(words: Sequence[str], folder: Path, at: int = 0, after: float = 0.0) -> Ended:
    """Run a command in a folder; it is killed before a rename, or after some seconds, where that is asked."""
    with tempfile.TemporaryDirectory() as aside:
        log, count = Path(aside) / "log", Path(aside) / "renames"
        count.touch()
        begun = time.perf_counter()
        child = os.fork()
        if child == 0:
            _be(words, folder, log, count, at)
        if after:
            _kill_after(child, after)
        _, status = os.waitpid(child, 0)
        seconds = time.perf_counter() - begun
        return Ended(os.waitstatus_to_exitcode(status), log.read_text(), count.stat().st_size, seconds)


def _be(words: Sequence[str], folder: Path, log: Path, count: Path, at: int) -> None:
    """In the child: do a command, and end."""
    status = 1
    try:
        os.setsid()
        os.chdir(folder)
        accounts = dict.fromkeys(("EARTHDATA_TOKEN", "ISMN_USERNAME", "ISMN_PASSWORD"), TOKEN)
        os.environ |= {"VADOSE_CACHE": str(folder / "cache")} | accounts
        stream = os.open(log, os.O_WRONLY | os.O_CREAT)
        os.dup2(stream, 1)
        os.dup2(stream, 2)
        renames = os.open(count, os.O_WRONLY | os.O_APPEND)

        def hook(event: str, _arguments: tuple[object, ...]) -> None:
            if event == "os.rename":
                os.write(renames, b".")
                if os.fstat(renames).st_size == at:
                    os.killpg(0, signal.SIGKILL)

        sys.addaudithook(hook)
        sys.argv = ["vadose", *words]
        from vadose.cli.main import main  # noqa: PLC0415

        try:
            main()
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else 0
    except BaseException:  # noqa: BLE001 - a traceback is what is looked for
        import traceback  # noqa: PLC0415

        os.write(2, traceback.format_exc().encode())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status or 0)


def _kill_after(child: int, seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return
        time.sleep(0.002)
    os.killpg(child, signal.SIGKILL)


def contents(path: Path) -> dict[str, str]:
    """Return what lies at a path, by name: checksums, in JSON without the times that work took."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return {str(file.relative_to(path.parent)): _sum(file) for file in files if file.is_file()}


def _sum(file: Path) -> str:
    data = file.read_bytes()
    if file.suffix == ".csv" and "journal" in file.name:
        data = pd.read_csv(file).drop(columns=list(TIMES), errors="ignore").to_csv().encode()
    elif file.suffix == ".json":
        data = json.dumps(_timeless(json.loads(data)), sort_keys=True).encode()
    return hashlib.sha256(data).hexdigest()


def _timeless(value: object) -> object:
    if isinstance(value, dict):
        return {key: _timeless(part) for key, part in value.items() if key not in {*TIMES, "sha256"}}
    return [_timeless(part) for part in value] if isinstance(value, list) else value


def hidden(folder: Path) -> list[str]:
    """Names of what is half written, and of locks, anywhere in a folder."""
    found = [path for path in folder.rglob("*") if path.name.startswith(".") or path.name == "lock"]
    names = (path.relative_to(folder) for path in found if path.name not in KEPT)
    return sorted(str(name) for name in names if name.parts[0] != "cache")


@dataclass(frozen=True)
class Bench:
    """A case at work.

    Attributes:
        case: which.
        inputs: folder of all inputs.
        work: folder in which it runs.
        before: what lies at its output before it begins.
        whole: what lies there in the end.
        renames, seconds: of a run that is not killed.
    """

    case: Case
    inputs: Path
    work: Path
    before: dict[str, str]
    whole: dict[str, str]
    renames: int
    seconds: float

    @classmethod
    def of(cls, case: Case, inputs: Path, work: Path) -> "Bench":
        """Run the case once undisturbed, and where it is asked a second time onto its own result."""
        _laid(inputs, work)
        first = _well(run(case.words, work), case.words)
        whole = contents(work / case.out)
        if case.begun:
            kept = inputs / case.out
            _copied(work / case.out, kept)
            first = _well(run(case.words, work), case.words)
            if contents(work / case.out) != whole:
                raise NotWorkingError("done twice, it differs")
        if hidden(work):
            raise NotWorkingError(f"left behind: {hidden(work)}")
        before = contents(inputs / case.out) if (inputs / case.out).exists() else {}
        return cls(case, inputs, work, before, whole, first.renames, first.seconds)

    def killed(self, at: int = 0, after: float = 0.0) -> str | None:
        """Kill the case, look at what is there, run it again; "" or what is wrong, None where it ended before."""
        _laid(self.inputs, self.work)
        ended = run(self.case.words, self.work, at, after)
        if ended.status == 0:
            return None
        if ended.status != -signal.SIGKILL:
            return f"ended with {ended.status}: {ended.text[-300:]}"
        there = contents(self.work / self.case.out) if (self.work / self.case.out).exists() else {}
        seen = {name: one for name, one in there.items() if not _half(name)}
        if not self.case.filled and seen not in (self.before, self.whole):
            return f"neither the old nor the new is there: {sorted(set(seen) ^ set(self.whole))[:5]}"
        return self._again()

    def _again(self) -> str:
        done = (self.work / self.case.out).exists() and contents(self.work / self.case.out) == self.whole
        again = run((*self.case.words, *self.case.again), self.work)
        if done and self.case.name in ONCE:
            return "" if not hidden(self.work) else f"left behind: {hidden(self.work)}"
        if again.status or "Traceback" in again.text:
            return f"the next run ended with {again.status}: {again.text[-300:]}"
        now = contents(self.work / self.case.out)
        if now != self.whole:
            wrong = [name for name in {*now, *self.whole} if now.get(name) != self.whole.get(name)]
            return f"the next run made something else: {sorted(wrong)[:5]}"
        return f"left behind: {hidden(self.work)}" if hidden(self.work) else ""


def _half(name: str) -> bool:
    return any(part.startswith(".") or part == "lock" for part in Path(name).parts)


class NotWorkingError(Exception):
    """A command fails that nobody killed."""


def _well(ended: Ended, words: Sequence[str]) -> Ended:
    if ended.status or "Traceback" in ended.text:
        raise NotWorkingError(f"{' '.join(words)} does not work: {ended.status}\n{ended.text}")
    return ended


def _copied(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    else:
        target.parent.mkdir(exist_ok=True)
        shutil.copy2(source, target)


def _laid(inputs: Path, work: Path) -> None:
    """Return the inputs, anew; files are shared, as no command changes one in place but by a rename."""
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(inputs, work, copy_function=os.link)


def moments(bench: Bench, renames: int, at_random: int, rng: random.Random) -> Iterator[tuple[int, float]]:
    """Where a case is killed: at its renames, all or evenly over them, then at random."""
    count = min(bench.renames, renames)
    for number in np.unique(np.linspace(1, bench.renames, count).round().astype(int)):
        yield int(number), 0.0
    for _ in range(at_random):
        yield 0, rng.uniform(0.0, 1.0) * bench.seconds


def prepare(inputs: Path) -> None:
    """Write the inputs, and the stores that most commands read."""
    inputs.mkdir(parents=True)
    child = os.fork()
    if child == 0:
        try:
            write_inputs(inputs)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0, "the inputs could not be written"
    for words in FIRST:
        _well(run(words, inputs), words)


def campaign(chosen: Sequence[Case], renames: int, at_random: int, told: Callable[[str], None]) -> tuple[int, int]:
    """Kill all chosen commands; (kills, faults). What ended before it was to be killed is not counted."""
    quick = {case.name for case in chosen} <= set(QUICK)
    for name in PREPARED[quick].split():
        __import__(name)
    if not quick:
        from vadose.simulation.config import PRESETS, WorldConfig  # noqa: PLC0415

        PRESETS["tiny"] = WorldConfig.model_validate(dict(PRESETS["tiny"]) | WORLD)
    rng, kills, faults = random.Random(14), 0, 0
    with tempfile.TemporaryDirectory(prefix="kills.") as folder, ExitStack() as servers:
        inputs, done = Path(folder) / "inputs", set()
        prepare(inputs)
        for case in chosen:
            killed, wrong = 0, 0
            try:
                for words in case.needs:
                    if words not in done:
                        _well(run(words, inputs), words)
                        done.add(words)
                if case.served and not (inputs / "catalogues.yaml").exists():
                    servers.enter_context(served(inputs / "world", inputs / "catalogues.yaml"))
                own = Path(folder) / case.name
                shutil.copytree(inputs, own, copy_function=os.link)
                bench = Bench.of(case, own, Path(folder) / "work")
            except NotWorkingError as error:
                faults += 1
                told(f"FAULT {case.name}: {error}")
                continue
            for at, after in moments(bench, renames, at_random, rng):
                fault = bench.killed(at, after)
                killed, wrong = killed + (fault is not None), wrong + bool(fault)
                if fault:
                    told(f"FAULT {case.name}, at rename {at} or after {after:.2f} s: {fault}")
            kills, faults = kills + killed, faults + wrong
            told(f"{case.name}: {bench.renames} renames, {killed} kills, {wrong} faults, {bench.seconds:.1f} s a run")
    return kills, faults


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill every command that writes")
    parser.add_argument("--renames", type=int, default=12)
    parser.add_argument("--random", type=int, default=6)
    known = {case.name: case for case in cases()}
    parser.add_argument("--only", nargs="*", choices=known, default=[*known])
    asked = parser.parse_args()
    console.CORES = 1  # the hook does not see what workers rename
    from vadose.cli.main import app  # noqa: PLC0415 - after that, as it takes it over

    if unlike := uncovered(app, known):
        raise SystemExit(f"commands without a case, or cases without a command: {', '.join(unlike)}")
    chosen = [known[name] for name in asked.only]
    kills, faults = campaign(chosen, asked.renames, asked.random, lambda text: print(text, flush=True))
    print(f"{kills} kills of {len(chosen)} commands, {faults} faults")
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()
