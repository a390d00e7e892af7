"""A source that only this test has, added by its registration alone: read, sampled, trained on, mapped, ablated."""

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
from affine import Affine

from real_archive import Layer, write_item
from vadose.dataset import SampleStore
from vadose.experiment import Experiment
from vadose.experiment.ablation import ablate
from vadose.fusion import InputSpec, build_features
from vadose.grid import AreaOfInterest, Period, tile_around
from vadose.mapping import MapRequest
from vadose.mapping.make import make_map
from vadose.maps import read_map
from vadose.maps.plotting.style import words
from vadose.registry import GranuleName, GranuleNaming, Quality, SourceSpec, Stream, registered
from vadose.sources import ArchiveScan, open_sources
from vadose.sources.granules import GranuleIndex, item_names
from vadose.sources.source import ITEMS, SourceFile, size_of, validate_dataset
from vadose.variables import Resampling, Variable

RAIN = Variable("rain", "mm", (0.0, 500.0), "rain of a day", Resampling.BILINEAR)
STREAM = Stream("GAUGES", 1.0)
STATIONS = 8
LON, SOUTH = 9.5, 51.0
DAYS = pd.date_range("2021-05-01", "2021-06-03", freq="D")


def read_name(name: str) -> GranuleName | None:
    match = re.fullmatch(r"GAUGES_(\d{4})(\d\d)(\d\d)\.txt", name)
    return GranuleName(STREAM, np.datetime64("-".join(match.groups()), "ns"), "1") if match else None


NAMING = GranuleNaming("gauges", (STREAM,), read_name, re.compile("GAUGES"))


@dataclass(frozen=True)
class Gauges:
    archive: Path | ArchiveScan
    name: ClassVar[str] = "gauges"
    variables: ClassVar[tuple[Variable, ...]] = (RAIN,)

    @cached_property
    def index(self) -> GranuleIndex:
        return GranuleIndex.of(self.archive, NAMING)

    def open(self, area: AreaOfInterest, period: Period) -> tuple[xr.Dataset, ...]:
        found = [one for one in self.index.granules if one.time in period]
        if not found:
            raise self.index.nothing(area, period)
        lon, lat = np.arange(8.0, 11.5, 0.5), np.arange(62.0, 49.0, -0.5)
        values = np.stack([np.full((lat.size, lon.size), float(one.path.read_text()), np.float32) for one in found])
        dataset = xr.Dataset(
            {RAIN.name: (("time", "y", "x"), values, {"units": "mm"})},
            {
                "time": np.array([one.time for one in found]),
                ITEMS: ("time", item_names([one] for one in found)),
                "y": lat,
                "x": lon,
            },
        ).rio.write_crs(4326)
        return (validate_dataset(dataset, self.variables, self.name, "GAUGES 1"),)

    def files(self, area: AreaOfInterest, period: Period) -> tuple[SourceFile, ...]:
        del area
        found = [one for one in self.index.granules if one.time in period]
        return tuple(SourceFile(one.path.name, size_of(one.path), one.time) for one in found)


SPEC = SourceSpec(
    name="gauges",
    title="rain gauges",
    label="rain",
    variables=(RAIN,),
    open=Gauges,
    missing=20,
    latency_days=1.0,
    max_age_days=2.0,
    granules=NAMING,
    products={RAIN.name: ("gauges",)},
)


@pytest.fixture(scope="module")
def source():
    with registered(SPEC):
        yield


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    """Rain of a month, heights, and stations whose soil is wetter the more it rained and the higher they lie."""
    folder = tmp_path_factory.mktemp("archive")
    rain = dict(zip(DAYS, np.random.default_rng(1).uniform(0, 20, DAYS.size), strict=True))
    for day, depth in rain.items():
        (folder / f"GAUGES_{day:%Y%m%d}.txt").write_text(f"{depth:.2f}")
    heights = np.repeat(np.linspace(60, 600, 1100)[:, np.newaxis], 200, axis=1).astype(np.int16)
    ground = Layer(heights, "EPSG:4326", Affine(0.01, 0, 8.5, 0, -0.01, 61.0))
    write_item(folder, "nasadem", "ground", "2000-02-20T00:00:00Z", {"elevation": ground})
    for number in range(STATIONS):
        name = f"NET_NET_S{number}_sm_0.050000_0.050000_Probe_20210501_20210630.stm"
        path = folder / "ismn" / "NET" / f"S{number}" / name
        path.parent.mkdir(parents=True)
        lines = [f"{day + pd.Timedelta('12h'):%Y/%m/%d %H:%M} {0.1 + rain[day] / 100:.4f} G M" for day in DAYS]
        head = f"NET NET S{number} {SOUTH + number:.4f} {LON:.4f} 200.00 0.0500 0.0500 Probe"
        path.write_text("\n".join([head, *lines]) + "\n")
    return folder


@pytest.fixture(scope="module")
def done(source, archive, tmp_path_factory) -> Path:
    """An ablation: the full model and the one without the source."""
    experiment = Experiment.model_validate(
        {
            "name": "rain",
            "samples": {"archive": archive, "period": "2021-05-05/2021-06-03", "sample_times": 2},
            "needs": {"cells": ["rain", "elevation"]},
            "split": {"grouping": {"by": "place"}, "folds": 2, "validation_fraction": 0.3},
            "network": {"hidden_size": 8},
            "schedule": {"epochs": 1, "batch_size": 32, "patience": None, "per_sensor": 4},
            "min_samples": 5,
        }
    )
    folder = tmp_path_factory.mktemp("run") / "ablation"
    ablate(experiment, folder, False, quiet, quiet, only=("without_gauges",))
    return folder


def quiet(*_: object) -> None:
    pass


def test_it_is_read_and_fused(source, archive):
    sources = open_sources(archive)
    assert sources[-1].name == "gauges"
    needs = InputSpec(cells=("rain",))
    features = build_features(sources, tile_around(LON, SOUTH, 0), np.datetime64("2021-05-10T12:00"), needs)
    expected = float((archive / "GAUGES_20210510.txt").read_text())
    assert features.cells["rain"].item() == pytest.approx(expected, abs=1e-4)
    assert features.cells["gauges_age"].item() == 0.5 and features.items == ("GAUGES_20210510.txt",)


def test_it_is_sampled_trained_on_and_ablated(done):
    store = SampleStore.open(done / "samples")
    made_from = store.declaration["made_from"]
    assert made_from["coverage"]["gauges"] == 1.0
    rows = {row["name"]: row for row in json.loads((done / "ablation.json").read_text())["rows"]}
    assert [*rows] == ["full", "without_gauges"]
    assert "| without rain |" in (done / "ablation.md").read_text()
    table = pd.read_parquet(done / "rows" / "full" / "predictions" / "network.parquet")
    assert table["soil_moisture"].notna().all() and (table["quality"] & (1 << 20) == 0).all()


@pytest.mark.parametrize(("day", "seen"), [("2021-05-20", True), ("2021-06-20", False)])
def test_a_map_lists_it_and_flags_its_absence(done, archive, tmp_path, day, seen):
    out = tmp_path / "map"
    area = f"{LON - 0.005},{SOUTH + 2 - 0.005},{LON + 0.005},{SOUTH + 2 + 0.005}"
    make_map(MapRequest(done / "rows" / "full", archive, area, day, out, pictures=False), quiet)
    (path,) = [path for path in out.glob("soil_moisture_*.tif") if not path.stem.endswith(("_quality", "_age"))]
    made = read_map(path)
    name = f"GAUGES_{day.replace('-', '')}.txt"
    planned = json.loads((out / "plan.json").read_text())["made_from"]["items"]
    listed = json.loads(made.attrs["declaration"])["made_from"]["items"]
    assert (f"gauges {name}" in planned, name in listed) == (seen, seen)
    assert "dem ground" in planned and "ground" in listed
    flagged = made["quality"].values & int(Quality.missing("gauges")) > 0
    assert flagged.any() != seen and made["quality"].dtype == np.uint32
    with rasterio.open(path.with_name(f"{path.stem}_quality.tif")) as file:
        assert "gauges_missing" in file.tags(1)["flag_meanings"].split()
        assert str(1 << 20) in file.tags(1)["flag_masks"].split()
    assert words(1 << 20) == "no rain gauges"
