"""What an archive holds and is not read stands in the summary of samples; a source that is all unread is an error."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from affine import Affine
from typer.testing import CliRunner

from real_archive import Layer, write_item
from vadose.cli.main import app
from vadose.dataset import SampleStore
from vadose.errors import VadoseError
from vadose.experiment.build_samples import build_samples
from vadose.experiment.config import Experiment

UTM, GRID = "EPSG:32633", Affine(10, 0, 499000, 0, -10, 5001000)
SIDE = 200
COARSE = Affine(20, 0, 499000, 0, -20, 5001000)
PLANTS = {"B02": 350, "B04": 450, "B08": 3400}


def sensor(archive: Path) -> None:
    """One sensor in the middle of the scenes, hourly readings of June 2021 in the header-and-values layout."""
    name = "NET_NET_Station_sm_0.050000_0.050000_Probe_20210601_20210630.stm"
    path = archive / "ismn" / "NET" / "Station" / name
    path.parent.mkdir(parents=True)
    hours = pd.date_range("2021-06-01", "2021-06-30", freq="h")
    lines = [f"{hour:%Y/%m/%d %H:%M} 0.2500 G M" for hour in hours]
    path.write_text("\n".join(["NET NET Station 45.1550 15.0000 200.00 0.0500 0.0500 Probe", *lines]) + "\n")


def scene(archive: Path, day: int, classes: bool = True, baseline: str = "02.14") -> None:
    layers = {name: Layer(np.full((SIDE, SIDE), number, np.uint16), UTM, GRID, 0) for name, number in PLANTS.items()}
    if classes:
        layers["SCL"] = Layer(np.full((SIDE // 2, SIDE // 2), 4, np.uint8), UTM, COARSE, 0)
    told = {"s2:processing_baseline": baseline}
    write_item(archive, "sentinel-2-l2a", f"scene{day}", f"2021-06-{day:02d}T10:00:00Z", layers, told)


def ground(archive: Path, collection: str = "nasadem") -> None:
    heights = Layer(np.full((200, 200), 250, np.int16), "EPSG:4326", Affine(1 / 3600, 0, 14.97, 0, -1 / 3600, 45.18))
    write_item(archive, collection, "tile", "2000-02-20T00:00:00Z", {"elevation": heights})


def experiment(archive: Path, **samples: object) -> Experiment:
    return Experiment.model_validate(
        {
            "name": "t",
            "samples": {"archive": archive, "period": "2021-06-05/2021-06-25", "sample_times": 5} | samples,
            "needs": {"cells": ["B02", "B04", "B08", "elevation"]},
            "split": {"grouping": {"by": "place"}, "folds": 2},
        }
    )


@pytest.fixture
def archive(tmp_path):
    folder = tmp_path / "archive"
    sensor(folder)
    return folder


def test_a_whole_archive_has_nothing_missing_and_says_what_was_observed(archive, tmp_path):
    scene(archive, 3)
    ground(archive)
    told = str(build_samples(experiment(archive), tmp_path / "store"))
    assert "left out: nothing; made missing: nothing" in told
    assert "Observed, of all samples: dem 100%, sentinel2 100%" in told
    assert "Not read" not in told


def test_what_is_not_read_is_counted_with_an_example_and_listed(archive, tmp_path):
    scene(archive, 3)
    scene(archive, 9, classes=False)
    scene(archive, 10, classes=False)
    scene(archive, 11, baseline="05.11")
    ground(archive)
    (archive / "broken.json").write_text("{")
    told = str(build_samples(experiment(archive), tmp_path / "store"))
    assert "2 x sentinel2: no scene classification (such as scene10)" in told
    assert "1 x sentinel2: negative reflectance (such as scene11)" in told
    assert "1 x unknown product: corrupt file (such as broken.json)" in told
    listed = pd.read_parquet(tmp_path / "store" / "left_out.parquet")
    assert sorted(listed["name"]) == ["broken.json", "scene10", "scene11", "scene9"]
    assert listed["reason"].str.len().min() > 20
    made_from = SampleStore.open(tmp_path / "store").declaration["made_from"]
    assert made_from["coverage"] == {"dem": 1.0, "sentinel2": 1.0}
    assert ["sentinel2", "scene9", "no scene classification"] in made_from["unread"]


def test_a_source_that_is_missing_is_never_nothing(archive, tmp_path):
    ground(archive)
    told = str(build_samples(experiment(archive), tmp_path / "store"))
    assert "made missing: 4 x sample without sentinel2" in told or "made missing: 5 x sample without sentinel2" in told
    assert "sentinel2 0%" in told


@pytest.mark.parametrize("kind", ["no classes", "offset", "collection"])
def test_a_source_of_which_all_is_unread_is_an_error_unless_allowed(archive, tmp_path, kind):
    ground(archive, "cop-dem-glo-90" if kind == "collection" else "nasadem")
    scene(archive, 3, kind != "no classes", "05.11" if kind == "offset" else "02.14")
    source = "dem" if kind == "collection" else "sentinel2"
    with pytest.raises(
        VadoseError, match=rf"{source}: archive .*None of its files is read: 1 x {source}: .*allow_unread: true"
    ):
        build_samples(experiment(archive), tmp_path / "store")
    assert not (tmp_path / "store").exists()
    for number, allowed in enumerate((experiment(archive, allow_unread=True), experiment(archive))):
        told = str(build_samples(allowed.allowing_unread(number == 1), tmp_path / f"store{number}"))
        assert f"sample without {source}" in told
        assert f"{source} 0%" in told
        assert f"1 x {source}: " in told


def test_items_that_are_unread_where_the_sensors_are_end_the_build_and_keep_its_work(archive, tmp_path):
    ground(archive)
    scene(archive, 9, classes=False)
    elsewhere = tmp_path / "elsewhere"
    scene(elsewhere, 1)
    file = next((elsewhere / "sentinel-2-l2a").rglob("*.json"))
    item = json.loads(file.read_text()) | {"bbox": [0, 0, 1, 1]}
    file.write_text(json.dumps(item))
    (archive / "far").symlink_to(elsewhere)
    with pytest.raises(VadoseError, match="no scene classification"):
        build_samples(experiment(archive), tmp_path / "store")
    assert not (tmp_path / "store").exists()
    assert "sentinel2 0%" in str(build_samples(experiment(archive).allowing_unread(), tmp_path / "store"))


@pytest.mark.parametrize("command", [("samples", "build"), ("train",), ("ablate", "--out", "rows")])
def test_every_command_that_builds_samples_may_go_on_without_a_source(archive, tmp_path, monkeypatch, command):
    """And the key of the configuration is not part of what a run is known by."""
    config = tmp_path / "exp.yaml"
    config.write_text(yaml.safe_dump(experiment(archive).model_dump(mode="json")))
    asked = []

    def built(told, *_, **__):
        asked.append(told)
        raise VadoseError("asked", "that is all", "stop")

    for where in ("api.build._build_samples", "experiment.train.store_of", "experiment.ablation.run.store_of"):
        monkeypatch.setattr(f"vadose.{where}", built)
    monkeypatch.chdir(tmp_path)
    for allowed in ([], ["--allow-unread"]):
        CliRunner().invoke(app, [*command, *allowed, str(config)])
    assert [one.samples.allow_unread for one in asked] == [False, True]
    assert asked[0].model_dump() == asked[1].model_dump()
