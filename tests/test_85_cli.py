"""The command line: help that teaches, results that are told, and refusals in three parts that leave nothing behind."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import pandas as pd
import pytest
import rasterio
import typer
from affine import Affine

import real_archive
from small_points import config, mapping, table, write_experiment
from vadose.cli.main import app, main
from vadose.registry import Quality

UTM, NORTH_WEST = "EPSG:32632", Affine(10, 0, 512_000, 0, -10, 6_144_000)
AREA = "9.19,55.40,9.22,55.44"
DATE = "2021-06-10"


@dataclass(frozen=True)
class Told:
    """What a command said and the status it ended with."""

    status: int
    out: str
    err: str


Run = Callable[..., Told]


@pytest.fixture
def vadose(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs the entry point in this process, in an empty folder."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def run(*arguments: object) -> Told:
        monkeypatch.setattr(sys, "argv", ["vadose", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return Told(ended.value.code or 0, told.out, told.err)

    return run


def write_archive(folder: Path) -> Path:
    """An archive of one simulated Sentinel-1 pass and one elevation model over 6 x 8 cells."""
    rng = np.random.default_rng(1)
    power = real_archive.Layer(rng.uniform(0.05, 0.4, (256, 192)).astype(np.float32), UTM, NORTH_WEST, -32768)
    height = real_archive.Layer(rng.uniform(10, 90, (256, 192)).astype(np.float32), UTM, NORTH_WEST, -32768)
    real_archive.write_item(folder, "sentinel-1-rtc", "pass", "2021-06-09T05:30:00Z", {"vv": power, "vh": power})
    real_archive.write_item(folder, "nasadem", "ground", "2000-02-20T00:00:00Z", {"elevation": height})
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with an experiment on a simulated table, its finished run, and an archive."""
    folder = tmp_path_factory.mktemp("cli")
    experiment = write_experiment(folder, table(), mapping(), config())
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [Path(sys.executable).with_name("vadose"), "train", experiment, "--out", folder / "run"]
    trained = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert trained.returncode == 0, trained.stderr
    (folder / "told.txt").write_text(trained.stdout + trained.stderr)
    write_archive(folder / "archive")
    return folder


def every_command(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from every_command(command, *path, name)
        else:
            yield (*path, name), command


COMMANDS = dict(every_command(typer.main.get_command(app)))


def contents(*folders: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}


def refused(told: Told, *words: str) -> None:
    """Three sentences on the error stream, the words in them, and nothing else said."""
    said = [line for line in told.err.splitlines() if not line.startswith(("samples ", "tiles ", "estimates "))]
    assert told.status == 2, told
    assert len(said) == 3 and all(line.endswith((".", "?", "!")) for line in said), told.err
    assert "Traceback" not in told.err
    assert not told.out
    for word in words:
        assert word in told.err


def test_there_are_the_commands_of_the_whole_way():
    names = {" ".join(path) for path in COMMANDS}
    rooms = {
        "catalogues": "check download-ismn",
        "models": "list show release",
        "simulate": "make samples compare evaluate",
        "samples": "build import-table convert-ismn append verify describe import-batchu2022 fit-units",
    }
    grouped = {f"{room} {name}" for room, known in rooms.items() for name in known.split()}
    assert names == grouped | {
        "train",
        "ablate",
        "estimate",
        "evaluate",
        "fetch",
        "map",
        "series",
        "serve",
        "demo",
        "export",
    }


@pytest.mark.parametrize("path", sorted(COMMANDS), ids=" ".join)
def test_help_teaches(path, vadose, monkeypatch):
    monkeypatch.setenv("COLUMNS", "220")
    told = vadose(*path, "--help")
    assert told.status == 0
    command = COMMANDS[path]
    assert command.help and command.help.rstrip().endswith(".")
    assert command.help.split(":")[0].split(",")[0] in told.out
    for parameter in command.params:
        if parameter.name == "help":
            continue
        assert parameter.help and parameter.help.endswith("."), parameter.name
        assert parameter.help.split(";")[0] in told.out
        assert max(parameter.opts, key=len) in told.out or parameter.name.upper() in told.out


def test_without_a_command_the_way_is_shown(vadose):
    told = vadose()
    for words in (
        "simulate",
        "samples",
        "train",
        "ablate",
        "estimate",
        "evaluate",
        "fetch",
        "map",
        "demo",
        "Soil moisture of the top 5 cm",
    ):
        assert words in told.out + told.err


def test_training_tells_of_epochs_and_scores(made):
    told = (made / "told.txt").read_text()
    for words in ("fold 0: network", "fold 1: network", "epoch 0", "samples_per_second", "Scorecard:", "ubRMSE"):
        assert words in told
    assert "SIMULATED" in (made / "run" / "scorecard.md").read_text()


def test_a_run_that_is_done_is_taken_up_and_stays_the_same(made, vadose):
    before = contents(made / "run" / "fold-0", made / "run" / "fold-1", made / "run" / "samples")
    told = vadose("train", made / "experiment.yaml", "--out", made / "run", "--resume")
    assert told.status == 0
    assert "epoch" not in told.err
    assert contents(made / "run" / "fold-0", made / "run" / "fold-1", made / "run" / "samples") == before


def test_estimates_of_samples_without_labels_are_written_and_can_be_read(made, vadose, tmp_path):
    write_experiment(tmp_path / "in", table().drop(columns="wet"), mapping(label=False), {})
    names = ("--columns", tmp_path / "in" / "mapping.yaml", "--out", tmp_path / "store")
    assert vadose("samples", "import-table", tmp_path / "in" / "table.csv", *names).status == 0
    told = vadose("estimate", made / "run", tmp_path / "store", "--out", tmp_path / "estimates.parquet")
    assert told.status == 0 and "120 estimates" in told.out and "0 at places seen in training" in told.out
    estimates = pd.read_parquet(tmp_path / "estimates.parquet")
    assert {"network", "station", "time", "soil_moisture", "soil_moisture_std", "quality"} <= set(estimates)
    assert estimates["soil_moisture"].between(0, 1).all()
    assert "soil_moisture_in_situ" not in estimates or estimates["soil_moisture_in_situ"].isna().all()
    refused(vadose("evaluate", tmp_path / "estimates.parquet"), "none of these has a label")


def test_scores_are_told_and_kept_where_asked(made, vadose, tmp_path):
    predictions = made / "run" / "predictions" / "network.parquet"
    told = vadose("evaluate", predictions, "--min-samples", "5", "--out", tmp_path / "scores")
    assert told.status == 0
    assert "ubRMSE" in told.out and str(tmp_path / "scores") in told.out
    assert "0 of 120 samples, 0 of 12 sensors, seen in training" in told.out
    assert (tmp_path / "scores" / "scorecard.md").is_file()


def test_products_are_compared_and_set_beside_works(made, vadose, tmp_path):
    predictions = made / "run" / "predictions" / "network.parquet"
    ours = pd.read_parquet(predictions)
    ours.assign(soil_moisture=0.5 * ours["soil_moisture"]).to_parquet(tmp_path / "half.parquet")
    told = vadose("evaluate", predictions, f"worse={tmp_path / 'half.parquet'}", "--min-samples", "5")
    assert told.status == 0, told.err
    assert "network minus the others" in told.out and "worse" in told.out and "SIMULATED" in told.out
    refused(vadose("evaluate", predictions, "--literature", tmp_path / "nowhere"), "simulated")
    real = ours.assign(network="REAL")
    real.attrs = {}
    real.to_parquet(tmp_path / "real.parquet")
    told = vadose("evaluate", tmp_path / "real.parquet", "--literature", "published", "--min-samples", "5")
    assert told.status == 0 and "Liu 2023 (GSM3)" in told.out and "no sample in China" in told.out
    refused(
        vadose("evaluate", tmp_path / "real.parquet", "--literature", tmp_path / "nowhere"), "no YAML file", "published"
    )
    refused(vadose("evaluate", tmp_path / "real.parquet", "--layer-depth", "-1"), "layer_depth", "--help")


def test_a_map_is_written_where_asked(made, vadose, tmp_path):
    told = vadose("map", made / "run", made / "archive", "--area", AREA, "--date", DATE, "--out", tmp_path / "map")
    assert told.status == 0, told.err
    paths = [Path(line) for line in told.out.splitlines() if line.startswith(str(tmp_path))]
    assert "Observed, of all cells: " in told.out
    assert {path.suffix for path in paths} == {".tif", ".png"} and all(path.is_file() for path in paths)
    with rasterio.open(paths[0]) as file:
        assert file.res == (320, 320) and np.isfinite(file.read(1)).any()


def test_a_map_as_of_a_moment_knows_nothing_that_was_published_later(made, vadose, tmp_path):
    flags = {}
    for as_of in ("2021-06-01", "2021-07-01"):
        options = ("--area", AREA, "--date", DATE, "--out", tmp_path / as_of, "--as-of", as_of)
        told = vadose("map", made / "run", made / "archive", *options)
        assert told.status == 0, told.err
        with rasterio.open(next(path for path in (tmp_path / as_of).rglob("*.tif") if "quality" in path.name)) as file:
            flags[as_of] = file.read(1)
    assert (flags["2021-06-01"] & Quality.SENTINEL1_MISSING).all(), "the pass of the day was not there yet"
    assert (flags["2021-07-01"] & Quality.SENTINEL1_MISSING == 0).any()
    refused(vadose("map", made / "run", made / "archive", *options[:-1], "soon"), "soon", "ISO date")


def test_a_map_may_follow_an_outline(made, vadose, tmp_path):
    west, south, east, north = map(float, AREA.split(","))
    ring = [[west, south], [east, south], [east, north], [west, south]]
    outline = tmp_path / "triangle.geojson"
    outline.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    told = vadose("map", made / "run", made / "archive", "--area", outline, "--date", DATE, "--out", tmp_path / "map")
    assert told.status == 0, told.err


TABLE_FAULTS = {
    "no column": (lambda t: t.drop(columns="elevation"), {}, ("elevation",)),
    "no label": (lambda t: t.assign(wet=np.nan), {}, ("120 rows", "wet")),
    "text for numbers": (lambda t: t.assign(vv="wet"), {}, ("vv",)),
    "text for times": (lambda t: t.assign(when="soon"), {}, ("when",)),
    "per cent for fractions": (lambda t: t.assign(wet=t["wet"] * 100), {}, ("wet", "units")),
    "unknown key": (lambda t: t, {"lable": {"column": "wet"}}, ("lable", "did you mean")),
    "unknown predictor": (lambda t: t, {"predictors": {"rain": {"column": "vv"}}}, ("rain",)),
}


@pytest.mark.parametrize("fault", sorted(TABLE_FAULTS))
def test_a_bad_table_is_refused(fault, vadose, tmp_path):
    change, keys, words = TABLE_FAULTS[fault]
    write_experiment(tmp_path / "in", change(table()), mapping() | keys, config())
    before = contents(tmp_path)
    names = ("--columns", tmp_path / "in" / "mapping.yaml", "--out", tmp_path / "store")
    refused(vadose("samples", "import-table", tmp_path / "in" / "table.csv", *names), *words)
    refused(vadose("train", tmp_path / "in" / "experiment.yaml", "--out", tmp_path / "run"), *words)
    refused(vadose("samples", "build", tmp_path / "in" / "experiment.yaml", "--out", tmp_path / "store"), *words)
    assert contents(tmp_path) == before
    assert not (tmp_path / "store").exists()


CONFIG_FAULTS = {
    "unknown key": ({"shedule": {}}, ("shedule",)),
    "unknown key inside": ({"schedule": {"epoch": 3}}, ("schedule.epoch",)),
    "unknown key of samples": ({"samples": {"table": "a", "columns": "b", "maping": "c"}}, ("samples.table.maping",)),
    "unknown predictor": ({"needs": {"cells": ["rain"]}}, ("needs", "rain", "known are vv")),
    "no predictor": ({"needs": {}}, ("no predictor",)),
    "a predictor twice": ({"needs": {"cells": ["vv", "vv"]}}, ("repeated",)),
    "no steps": ({"needs": {"cells": ["vv"], "history": {"variables": ["vv"]}}}, ("steps",)),
    "unknown source": ({"windows": {"max_age_days": {"landsat": 3}}}, ("landsat", "sentinel1")),
    "no epochs": ({"schedule": {"epochs": 0}}, ("schedule.epochs",)),
    "no such period": ({"samples": {"archive": ".", "period": "summer"}}, ("samples.archive.period", "summer")),
    "torn cells": ({"network": {"encoder": {"blocks": [1, 1, 1, 1]}}}, ("keep cells aligned",)),
    "two ways to split": (
        {"split": {"folds": 2, "test_fraction": 0.2}},
        ("split", "one of folds, leave_one_out, test_fraction and test_years"),
    ),
    "too many folds": ({"split": {"grouping": {"by": "place"}, "folds": 50}}, ("50 folds", "12 groups")),
    "a name that is no folder": ({"name": "../x"}, ("name",)),
}


@pytest.mark.parametrize("fault", sorted(CONFIG_FAULTS))
def test_a_bad_experiment_is_refused(fault, vadose, tmp_path):
    changes, words = CONFIG_FAULTS[fault]
    experiment = write_experiment(tmp_path / "in", table(), mapping(), config(**changes))
    refused(vadose("train", experiment, "--out", tmp_path / "run"), *words)
    assert not (tmp_path / "run" / "experiment.json").exists()
    assert not list((tmp_path / "here").iterdir())


@pytest.mark.parametrize("content", [b"name: [", b"\xff\xfe\x00", b"", b"- 1"])
def test_an_experiment_that_cannot_be_read_is_refused(content, vadose, tmp_path):
    (tmp_path / "bad.yaml").write_bytes(content)
    refused(vadose("train", tmp_path / "bad.yaml"), "bad.yaml")
    refused(vadose("samples", "build", tmp_path / "absent.yaml"), "absent.yaml")
    assert not list((tmp_path / "here").iterdir())


def test_training_on_samples_without_labels_is_refused(vadose, tmp_path):
    experiment = write_experiment(tmp_path / "in", table().drop(columns="wet"), mapping(label=False), config())
    refused(vadose("train", experiment, "--out", tmp_path / "run"), "0 of 120", "label")
    assert not (tmp_path / "run" / "experiment.json").exists()


def test_a_run_is_not_overwritten_by_mistake(made, vadose, tmp_path):
    before = contents(made / "run")
    refused(vadose("train", made / "experiment.yaml", "--out", made / "run"), "contains a run already", "--resume")
    other = write_experiment(tmp_path / "in", table(), mapping(), config(min_samples=6))
    refused(vadose("train", other, "--out", made / "run", "--resume"), "min_samples")
    assert contents(made / "run") == before


def test_samples_of_another_table_are_not_taken_for_those_of_this_one(vadose, tmp_path):
    experiment = write_experiment(tmp_path / "in", table(), mapping(), config())
    assert vadose("samples", "build", experiment, "--out", tmp_path / "run" / "samples").status == 0
    before = contents(tmp_path / "run")
    write_experiment(tmp_path / "in", table().iloc[1:], mapping() | {"sensor": {"value": "a"}}, config())
    refused(vadose("train", experiment, "--out", tmp_path / "run"), "another table, columns", "vadose samples build")
    assert contents(tmp_path / "run") == before


def test_a_checkpoint_that_wants_other_predictors_is_refused(made, vadose, tmp_path):
    write_experiment(tmp_path / "in", table(("clay",)), mapping(("clay",)), {})
    names = ("--columns", tmp_path / "in" / "mapping.yaml", "--out", tmp_path / "store")
    assert vadose("samples", "import-table", tmp_path / "in" / "table.csv", *names).status == 0
    before = contents(tmp_path)
    told = vadose("estimate", made / "run", tmp_path / "store", "--out", tmp_path / "estimates.parquet")
    refused(told, "cells vv", "cells elevation", str(tmp_path / "store"))
    assert contents(tmp_path) == before


def test_what_is_no_run_and_no_store_is_refused(made, vadose, tmp_path):
    out = ("--out", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "nowhere", tmp_path / "empty", made / "archive"):
        refused(vadose("estimate", folder, made / "run" / "samples", *out), str(folder), "vadose train")
        refused(vadose("map", folder, made / "archive", "--area", AREA, "--date", DATE, *out), str(folder), "run")
        refused(vadose("estimate", made / "run", folder, *out), str(folder), "samples")
    assert not (tmp_path / "out").exists()


def test_what_is_no_table_of_estimates_is_refused(vadose, tmp_path):
    pd.DataFrame({"soil_moisture": [0.1]}).to_parquet(tmp_path / "thin.parquet")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "thin.parquet").read_bytes()[:-20])
    refused(vadose("evaluate", tmp_path / "absent.parquet", "--out", tmp_path / "scores"), "no such file")
    refused(vadose("evaluate", tmp_path / "thin.parquet", "--out", tmp_path / "scores"), "network", "station", "time")
    refused(vadose("evaluate", tmp_path / "cut.parquet", "--out", tmp_path / "scores"), "cannot be read")
    assert not (tmp_path / "scores").exists()


MAP_FAULTS = {
    "no date": ({"date": "tomorrow"}, ("tomorrow", "2021-06-10")),
    "no moment": ({"date": "NaT"}, ("NaT",)),
    "no day": ({"date": "2021"}, ("'2021'", "with a day")),
    "no day of a month": ({"date": "2021-06"}, ("'2021-06'", "with a day")),
    "another continent": ({"area": "19.19,55.40,19.22,55.44"}, ("No source has data",)),
    "no numbers": ({"area": "Denmark"}, ("Denmark", "west,south,east,north")),
    "too few numbers": ({"area": "1,2,3"}, ("1,2,3",)),
    "upside down": ({"area": "9.19,55.44,9.22,55.40"}, ("height",)),
    "beyond the poles": ({"area": "9,85,10,89"}, ("84",)),
    "no such outline": ({"area": "nowhere.geojson"}, ("nowhere.geojson",)),
}


@pytest.mark.parametrize("fault", sorted(MAP_FAULTS))
def test_a_map_of_nowhere_or_never_is_refused(fault, made, vadose, tmp_path):
    changes, words = MAP_FAULTS[fault]
    asked = {"area": AREA, "date": DATE} | changes
    before = contents(made)
    options = ("--area", asked["area"], "--date", asked["date"], "--out", tmp_path / "map")
    refused(vadose("map", made / "run", made / "archive", *options), *words)
    assert not (tmp_path / "map").exists()
    assert contents(made) == before


@pytest.mark.parametrize("date", ["1999-06-10", "2031-06-10"])
def test_a_day_that_the_archive_does_not_hold_is_refused(date, made, vadose, tmp_path):
    ground = write_archive(tmp_path / "archive") / "nasadem"
    options = ("--area", AREA, "--date", date, "--out", tmp_path / "map")
    assert vadose("map", made / "run", tmp_path / "archive", *options).status == 0, "the ground is there at any time"
    shutil.rmtree(tmp_path / "map")
    shutil.rmtree(ground)
    told = vadose("map", made / "run", tmp_path / "archive", *options)
    refused(told, "No source has data", "2021-06-09", "Choose an area and a period")
    assert not (tmp_path / "map").exists()


def test_an_empty_archive_is_refused(made, vadose, tmp_path):
    (tmp_path / "archive").mkdir()
    options = ("--area", AREA, "--date", DATE, "--out", tmp_path / "map")
    for folder in (tmp_path / "archive", tmp_path / "nowhere"):
        refused(vadose("map", made / "run", folder, *options), str(folder))
        samples = {"archive": str(folder), "period": "2021-06-01/2021-06-30"}
        experiment = write_experiment(tmp_path / "in", table(), mapping(), config(samples=samples))
        refused(vadose("samples", "build", experiment, "--out", tmp_path / "store"), str(folder))
        refused(vadose("train", experiment, "--out", tmp_path / "run"), str(folder))
    assert not any((tmp_path / name).exists() for name in ("map", "store", "run"))


@pytest.mark.parametrize("file", ["sentinel-1-rtc/pass/vv.tif", "nasadem/ground/elevation.tif"])
def test_a_source_whose_only_raster_is_truncated_is_named_and_read_when_it_is_mended(file, made, vadose, tmp_path):
    raster = write_archive(tmp_path / "archive") / file
    whole = raster.read_bytes()
    raster.write_bytes(whole[: len(whole) // 2])
    command = ("map", made / "run", tmp_path / "archive", "--area", AREA, "--date", DATE, "--out", tmp_path / "map")
    told = vadose(*command)
    assert told.status == 2 and raster.name in told.err and "Traceback" not in told.err
    assert not list((tmp_path / "map").rglob("*.tif"))
    raster.write_bytes(whole)
    assert vadose(*command).status == 0
    assert list((tmp_path / "map").rglob("*.tif"))


def test_other_faults_of_a_command_are_told_too(made, vadose, tmp_path):
    told = vadose("simulate", "make", tmp_path / "world", "--preset", "huge")
    assert told.status == 2 and all(word in told.err for word in ("huge", "tiny", "small", "medium", "large"))
    refused(vadose("simulate", "make", made / "archive", "--preset", "tiny"), "something else")
    told = vadose("demo", "--folder", tmp_path / "demo", "--preset", "huge")
    assert told.status == 2 and "huge" in told.err
    assert not (tmp_path / "world").exists() and not (tmp_path / "demo").exists()
    told = vadose("train", "--nonsense")
    assert told.status == 2 and "No such option" in told.err and "Traceback" not in told.err


def test_no_help_text_has_what_a_terminal_takes_for_a_tag():
    texts = [getattr(option, "help", None) or "" for command in COMMANDS.values() for option in command.params]
    assert len(texts) > 100
    assert not [text for text in texts if re.search(r"<[a-z]", text)]
