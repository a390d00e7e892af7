"""All sources on one grid, at one time."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import rioxarray  # noqa: F401
import xarray as xr
from odc.geo.geobox import GeoBox

from vadose.errors import NoDataError, VadoseError
from vadose.fusion import FeatureBuilder, HistorySpec, InputSpec, TemporalPolicy, build_features
from vadose.grid import AreaOfInterest, Period, Tile
from vadose.registry import LATENCY_DAYS
from vadose.sources.source import validate_dataset
from vadose.variables import (
    CLAY,
    ELEVATION,
    GLDAS,
    SAND,
    SMAP,
    VH,
    VV,
    Resampling,
    Variable,
)

TILE = Tile(32632, 1600, 19200, 3, 2, 1)
NOON = np.datetime64("2021-06-10T12:00", "ns")
SNOW = Variable("snow_depth", "m", (0.0, 20.0), "depth of snow", Resampling.AREA_MEAN)


@dataclass(frozen=True)
class Painted:
    """A source whose values are the easting, in km, plus the day of the month, on a grid of its own."""

    name: str
    variables: tuple[Variable, ...]
    resolution: float
    days: tuple[int, ...]
    hole: float = -1e9
    crs: str = "EPSG:32632"

    def open(self, area: AreaOfInterest, period: Period) -> tuple[xr.Dataset, ...]:
        times = np.array([f"2021-06-{day:02d}T06:00" for day in self.days], dtype="datetime64[ns]")
        times = times[[time in period for time in times]]
        if not times.size:
            raise NoDataError(f"{self.name}: {period} in '{area.name}'", "Nothing", "Extend the period")
        box = TILE.pixels.boundingbox
        margin = 2 * self.resolution
        grid = GeoBox.from_bbox(
            (box.left - margin, box.bottom - margin, box.right + margin, box.top + margin),
            self.crs,
            resolution=self.resolution,
        )
        x, y = grid.coords["x"].values, grid.coords["y"].values
        datasets = []
        for time in times:
            day = int((time - np.datetime64("2021-06-01")) / np.timedelta64(1, "D")) + 1
            values = np.broadcast_to(x / 1000 + day, (1, y.size, x.size)).astype(np.float32)
            values = np.where(x < box.left + self.hole, np.nan, values)
            arrays = {v.name: (("time", "y", "x"), values, {"units": v.units}) for v in self.variables}
            one = xr.Dataset(arrays, coords={"time": [time], "y": y, "x": x}).rio.write_crs(self.crs)
            datasets.append(validate_dataset(one, self.variables, self.name, f"{self.name}-{day}"))
        return tuple(datasets)


def wide(variable: Variable) -> Variable:
    """The same variable with room for painted values."""
    return Variable(variable.name, variable.units, (-1e4, 1e5), variable.long_name, variable.resampling)


RADAR = Painted("sentinel1", (wide(VV), wide(VH)), 10, (1, 5, 9))
PASSIVE = Painted("smap", (wide(SMAP),), 9000, (6, 8, 10))
NEEDS = InputSpec(pixels=("vv", "vh"), cells=("vv", "smap"), history=HistorySpec(("smap", "vv"), 5, 1.0), halo=1)
EASTING_KM = TILE.pixels.coords["x"].values / 1000
CELL_KM = TILE.cells.coords["x"].values / 1000


def test_the_latest_look_is_taken_and_its_age_told():
    inputs = build_features([RADAR, PASSIVE], TILE, NOON, NEEDS)
    assert np.allclose(inputs.pixels["vv"].values, EASTING_KM + 9, atol=1e-3)
    assert np.allclose(inputs.cells["vv"].values, CELL_KM + 9, atol=1e-3)
    assert np.allclose(inputs.cells["smap"].values, CELL_KM + 10, atol=1e-3)
    assert np.allclose(inputs.cells["sentinel1_age"].values, 1.25)
    assert np.allclose(inputs.cells["smap_age"].values, 0.25)
    assert inputs.items == ("sentinel1-9", "smap-10", "smap-6", "smap-8"), "those of the history too"
    without = build_features([RADAR, PASSIVE], TILE, NOON, InputSpec(cells=("vv", "smap")))
    assert without.items == ("sentinel1-9", "smap-10")


def test_nothing_later_than_the_moment_is_seen():
    inputs = build_features([RADAR, PASSIVE], TILE, np.datetime64("2021-06-09T05:59", "ns"), NEEDS)
    assert np.allclose(inputs.pixels["vv"].values, EASTING_KM + 5, atol=1e-3)
    assert np.allclose(inputs.cells["smap"].values, CELL_KM + 8, atol=1e-3)


def test_a_hole_is_filled_from_an_older_look_and_the_age_says_so():
    partial = Painted("sentinel1", RADAR.variables, 10, (9,), hole=320 + 160)
    whole = Painted("sentinel1", RADAR.variables, 10, (5,))

    @dataclass(frozen=True)
    class Both:
        name: str = "sentinel1"
        variables: tuple[Variable, ...] = RADAR.variables

        def open(self, area: AreaOfInterest, period: Period) -> tuple[xr.Dataset, ...]:
            return whole.open(area, period) + partial.open(area, period)

    inputs = build_features([Both()], TILE, NOON, NEEDS)
    assert np.allclose(inputs.cells["sentinel1_valid_fraction"].values, 1)
    assert np.allclose(inputs.cells["sentinel1_age"].values[:, 0], (1.25 + 5.25) / 2)
    assert np.allclose(inputs.pixels["vv"].values[:, :48], EASTING_KM[:48] + 5, atol=1e-3)
    assert np.allclose(inputs.pixels["vv"].values[:, 48:], EASTING_KM[48:] + 9, atol=1e-3)


def test_a_missing_source_is_missing_and_nothing_is_filled():
    inputs = build_features([RADAR], TILE, NOON, NEEDS)
    assert np.isnan(inputs.cells["smap"].values).all()
    assert np.isnan(inputs.history["smap"].values).all()
    assert (inputs.cells["smap_valid_fraction"].values == 0).all()
    assert np.isnan(inputs.cells["smap_age"].values).all()


def test_a_look_too_old_does_not_count():
    inputs = build_features([RADAR, PASSIVE], TILE, NOON, NEEDS, TemporalPolicy({"sentinel1": 1.0}))
    assert np.isnan(inputs.pixels["vv"].values).all()


def test_history_holds_the_mean_of_each_step_the_latest_first():
    inputs = build_features([RADAR, PASSIVE], TILE, NOON, NEEDS)
    smap = inputs.history["smap"].values
    assert np.allclose(smap[0], CELL_KM + 10, atol=1e-3) and np.allclose(smap[2], CELL_KM + 8, atol=1e-3)
    assert np.isnan(smap[1]).all() and np.isnan(smap[3]).all()
    assert np.allclose(inputs.history["vv"].values[1], CELL_KM + 9, atol=1e-3)
    two_days = InputSpec(history=HistorySpec(("smap",), 3, 2.0))
    assert np.allclose(
        build_features([PASSIVE], TILE, NOON, two_days).history["smap"].values[:, 0, 0] - CELL_KM[0],
        [10, 8, 6],
        atol=1e-3,
    )


@pytest.mark.parametrize(("resolution", "hole", "share"), [(10, 320 + 300, 2 / 32), (40, 320 + 160, 16 / 32)])
def test_a_look_weighs_in_a_step_by_the_part_of_the_cell_that_it_saw(resolution, hole, share):
    """Of two looks in one step one shows the last pixels of the first column's cells alone."""
    values = wide(SMAP if resolution > 10 else VV)
    partial = Painted("sensor", (values,), resolution, (9,), hole=hole)
    whole = Painted("sensor", (values,), resolution, (5,))

    @dataclass(frozen=True)
    class Both:
        name: str = "sensor"
        variables: tuple[Variable, ...] = (values,)

        def open(self, area: AreaOfInterest, period: Period) -> tuple[xr.Dataset, ...]:
            return whole.open(area, period) + partial.open(area, period)

    needs = InputSpec(cells=(values.name,), history=HistorySpec((values.name,), 2, 8.0), halo=1)
    for shown in (needs, InputSpec(pixels=(values.name,), history=needs.history, halo=1)):
        if resolution > 10 and shown.pixels:
            continue
        step = build_features([Both()], TILE, NOON, shown).history[values.name].values[0]
        seen = TILE.pixels.coords["x"].values[32:64][-round(32 * share) :].mean() / 1000
        expected = (CELL_KM[0] + 5 + share * (seen + 9)) / (1 + share)
        assert np.allclose(step[:, 0], expected, atol=0.002)
        assert np.allclose(step[:, 1:], CELL_KM[1:] + 7, atol=1e-3), "whole looks weigh alike"


def test_one_opening_serves_many_moments():
    days = Period(np.datetime64("2021-06-05", "ns"), np.datetime64("2021-06-11", "ns"))
    assembler = FeatureBuilder.open([RADAR, PASSIVE], TILE, days, NEEDS)
    for moment in ("2021-06-05T12:00", "2021-06-08T12:00", "2021-06-10T12:00"):
        time = np.datetime64(moment, "ns")
        alone = build_features([RADAR, PASSIVE], TILE, time, NEEDS)
        together = assembler.at(time)
        for kind in ("pixels", "cells", "history"):
            xr.testing.assert_identical(getattr(alone, kind), getattr(together, kind))


def test_a_cell_is_the_same_in_every_tile():
    small = Tile(TILE.epsg, TILE.west + 1, TILE.north - 1, 1, 1, 1)
    one, other = (build_features([RADAR, PASSIVE], tile, NOON, NEEDS) for tile in (TILE, small))
    assert np.array_equal(one.cells["smap"].values[1, 1], other.cells["smap"].values[0, 0])
    assert np.array_equal(one.pixels["vv"].sel(x=other.pixels.x, y=other.pixels.y).values, other.pixels["vv"].values)


def test_a_new_source_needs_no_change_anywhere():
    snow = Painted("snow_model", (wide(SNOW),), 1000, (9, 10))
    inputs = build_features([snow], TILE, NOON, InputSpec(cells=("snow_depth",)))
    assert np.abs(inputs.cells["snow_depth"].values - (CELL_KM + 10)).max() <= 0.5
    assert np.allclose(inputs.cells["snow_model_age"].values, 0.25)


def test_area_means_conserve_a_finer_map():
    fine = Painted("soilgrids", (wide(Variable("sand", "kg kg-1", (0, 1), "sand", Resampling.AREA_MEAN)),), 250, (9,))
    cells = (
        build_features([fine], Tile(32632, 1600, 19200, 3, 2), NOON, InputSpec(cells=("sand",))).cells["sand"].values
    )
    assert np.abs(cells - (CELL_KM + 9)).max() < 0.125


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: build_features([RADAR], TILE.with_halo(0), NOON, NEEDS), "halo"),
        (lambda: build_features([PASSIVE], TILE, NOON, InputSpec(pixels=("smap",))), "too coarse"),
        (lambda: build_features([RADAR], TILE, np.datetime64("2015-01-01"), NEEDS), "No source has data"),
    ],
)
def test_what_cannot_be_assembled_is_refused(call, words):
    with pytest.raises(VadoseError, match=words):
        call()


def test_elevation_does_not_age():
    @dataclass(frozen=True)
    class Ground:
        name: str = "dem"
        variables: tuple[Variable, ...] = (ELEVATION,)

        def open(self, area: AreaOfInterest, period: Period) -> tuple[xr.Dataset, ...]:
            timed = Painted("dem", (wide(ELEVATION),), 30, (9,)).open(area, Period.parse("2021-06-09"))
            return tuple(dataset.isel(time=0, drop=True) for dataset in timed)

    inputs = build_features([Ground()], TILE, NOON, InputSpec(pixels=("elevation",), cells=("elevation",), halo=1))
    assert np.allclose(inputs.cells["dem_age"].values, 0)
    assert np.allclose(inputs.cells["elevation"].values, CELL_KM + 9, atol=1e-2)
    assert GLDAS.name not in inputs.cells


@pytest.mark.parametrize("needed", [("vv",), ("vh",), ("vv", "vh")])
def test_an_item_whose_other_grid_is_not_needed_is_read(needed):
    one, other = (Painted("sentinel1", (wide(variable),), size, (9,)) for variable, size in ((VV, 10), (VH, 20)))

    @dataclass(frozen=True)
    class TwoGrids:
        name: str = "sentinel1"
        variables: tuple[Variable, ...] = RADAR.variables

        def open(self, area: AreaOfInterest, period: Period) -> tuple[xr.Dataset, ...]:
            return one.open(area, period) + other.open(area, period)

    inputs = build_features([TwoGrids()], TILE, NOON, InputSpec(cells=needed))
    assert all(np.isfinite(inputs.cells[name].values).all() for name in needed)
    assert np.allclose(inputs.cells["sentinel1_valid_fraction"].values, 1)


@dataclass(frozen=True)
class SoilMap:
    """A map without time, 250 m: the easting in km as sand and as clay, missing where `without` says."""

    without: Callable[[str, np.ndarray], np.ndarray]
    parts: int = 1
    name: str = "soilgrids"
    variables: tuple[Variable, ...] = (wide(SAND), wide(CLAY))

    def open(self, area: AreaOfInterest, period: Period) -> tuple[xr.Dataset, ...]:
        timed = Painted(self.name, self.variables, 250, (9,)).open(area, Period.parse("2021-06-09"))[0]
        whole = timed.isel(time=0, drop=True)
        masked = whole.assign({v.name: whole[v.name].where(~self.without(v.name, whole.x)) for v in self.variables})
        cut = np.array_split(np.arange(whole.sizes["x"]), self.parts)
        return tuple(masked.isel(x=slice(max(piece[0] - 1, 0), piece[-1] + 2)) for piece in cut)


def test_a_map_on_two_grids_is_one_map():
    tile, needs = Tile(32632, 1600, 19200, 6, 2), InputSpec(cells=("sand", "clay"))
    one, two = (
        build_features([SoilMap(lambda _, x: np.zeros(x.shape, bool), parts)], tile, NOON, needs) for parts in (1, 2)
    )
    xr.testing.assert_identical(one.cells, two.cells)
    assert (two.cells["soilgrids_valid_fraction"].values == 1).all()
    assert two.items == one.items == ("soilgrids-9",)


def test_a_missing_layer_of_a_map_hides_no_other():
    middle = float(TILE.cells.coords["x"].values.mean())
    soil = SoilMap(lambda name, x: (x.values > middle) if name == "clay" else np.zeros(x.shape, bool))
    cells = build_features([soil], TILE, NOON, InputSpec(cells=("sand", "clay"))).cells
    assert np.isfinite(cells["sand"].values).all()
    assert np.isnan(cells["clay"].values[:, -1]).all() and np.isfinite(cells["clay"].values[:, 0]).all()
    assert (cells["soilgrids_valid_fraction"].values == 1).all()


def test_layers_of_items_without_time_are_one_map():
    @dataclass(frozen=True)
    class Layers:
        name: str = "soilgrids"
        variables: tuple[Variable, ...] = (wide(SAND), wide(CLAY))

        def open(self, area: AreaOfInterest, period: Period) -> tuple[xr.Dataset, ...]:
            whole = SoilMap(lambda _, x: np.zeros(x.shape, bool)).open(area, period)[0]
            return tuple(whole[[v.name]].assign_attrs(whole.attrs, item=f"map of {v.name}") for v in self.variables)

    inputs = build_features([Layers()], TILE, NOON, InputSpec(cells=("sand", "clay")))
    assert np.isfinite(inputs.cells["sand"].values).all() and np.isfinite(inputs.cells["clay"].values).all()
    assert inputs.items == ("map of clay", "map of sand")


def test_a_look_cut_in_two_is_one_look():
    @dataclass(frozen=True)
    class Halves:
        name: str = "sentinel1"
        variables: tuple[Variable, ...] = RADAR.variables

        def open(self, area: AreaOfInterest, period: Period) -> tuple[xr.Dataset, ...]:
            middle = float(TILE.pixels.coords["x"].values.mean())
            parts = (
                (one.sel(x=slice(None, middle)), one.sel(x=slice(middle, None))) for one in RADAR.open(area, period)
            )
            return tuple(half for halves in parts for half in halves)

    halves, whole = (build_features([source], TILE, NOON, NEEDS) for source in (Halves(), RADAR))
    xr.testing.assert_identical(halves.pixels, whole.pixels)
    xr.testing.assert_identical(halves.cells, whole.cells)


def published(source: str, day: int) -> np.datetime64:
    """When a painted observation of a day can be had."""
    return np.datetime64(f"2021-06-{day:02d}T06:00", "ns") + np.timedelta64(round(LATENCY_DAYS[source] * 86400), "s")


@pytest.mark.parametrize("days", [-8.0, -2.5, -1.0, 0.0, 1.0, 2.5, 60.0])
def test_nothing_is_opened_or_told_that_was_published_after_the_estimate_is_made(days):
    as_of = NOON + np.timedelta64(round(days * 86400), "s")
    asked: dict[str, Period] = {}

    @dataclass(frozen=True)
    class Watched:
        of: Painted

        @property
        def name(self) -> str:
            return self.of.name

        @property
        def variables(self) -> tuple[Variable, ...]:
            return self.of.variables

        def open(self, area: AreaOfInterest, period: Period) -> tuple[xr.Dataset, ...]:
            asked[self.name] = period
            return self.of.open(area, period)

    sources = [Watched(RADAR), Watched(PASSIVE)]
    known = {
        one.name: [day for day in one.days if published(one.name, day) <= as_of and day <= 10]
        for one in (RADAR, PASSIVE)
    }
    if any(known.values()):
        items = set(build_features(sources, TILE, NOON, NEEDS, TemporalPolicy({"smap": 10.0}), as_of).items)
        assert items <= {f"{name}-{day}" for name, days in known.items() for day in days}
        assert items >= {f"{name}-{max(days)}" for name, days in known.items() if days}
    else:
        with pytest.raises(NoDataError):
            build_features(sources, TILE, NOON, NEEDS, TemporalPolicy({"smap": 10.0}), as_of)
    for name, period in asked.items():
        assert period.end - np.timedelta64(1, "ns") <= min(NOON, as_of - _latency(name))


def _latency(source: str) -> np.timedelta64:
    return np.timedelta64(round(LATENCY_DAYS[source] * 86400e9), "ns")


def test_causal_samples_see_each_moment_as_it_was_then():
    days = Period(np.datetime64("2021-06-05", "ns"), np.datetime64("2021-06-11", "ns"))
    windows = TemporalPolicy({"smap": 10.0}, causal=True)
    assembler = FeatureBuilder.open([RADAR, PASSIVE], TILE, days, NEEDS, windows)
    for moment in ("2021-06-05T12:00", "2021-06-09T12:00", "2021-06-10T12:00"):
        time = np.datetime64(moment, "ns")
        then = build_features([RADAR, PASSIVE], TILE, time, NEEDS, TemporalPolicy({"smap": 10.0}), as_of=time)
        now = assembler.at(time)
        assert now.items == then.items
        for kind in ("pixels", "cells", "history"):
            xr.testing.assert_identical(getattr(now, kind), getattr(then, kind))
    latest = assembler.at(NOON)
    assert "smap-10" not in latest.items and np.isnan(latest.history["smap"].values[0]).all()
    assert np.allclose(latest.cells["smap_age"].values, 2.25), "the age is that of the observation, not of its release"
    assert np.allclose(latest.cells["smap"].values, CELL_KM + 8, atol=1e-3)


def test_what_does_not_change_is_known_however_early_the_estimate_is_made():
    windows = TemporalPolicy()
    early = np.datetime64("2001-01-01", "ns")
    assert windows.until("dem", NOON, early) == NOON and windows.until("smap", NOON, early) < early
    assert windows.until("smap", NOON) == NOON and windows.until("smap", NOON, NOON + np.timedelta64(9, "D")) == NOON
    assert TemporalPolicy(latency_days={"smap": 0.0}).until("smap", NOON, NOON) == NOON


@dataclass(frozen=True)
class Processed(Painted):
    """A source that publishes each day twice: three days later, and again, by 100 km greater, ten days later."""

    def open(self, area: AreaOfInterest, period: Period) -> tuple[xr.Dataset, ...]:
        found = []
        for dataset in super().open(area, period):
            day = np.timedelta64(1, "D")
            first, second = dataset["time"] + 3 * day, dataset["time"] + 10 * day
            found.append(dataset.assign_coords(available_at=first, replaced_at=second))
            better = dataset.map(lambda values: values + 100).assign_attrs(dataset.attrs)
            better.attrs["item"] += "-again"
            found.append(better.assign_coords(available_at=second))
        return tuple(found)


@pytest.mark.parametrize("source", ["sentinel1", "smap"])
@pytest.mark.parametrize(("days", "again"), [(2.9, None), (3.1, False), (9.9, False), (10.1, True), (None, True)])
def test_of_two_products_of_one_observation_the_best_that_was_there_counts(source, days, again):
    """Whatever the source: fine or coarse, in its values and in its history."""
    like = {"sentinel1": RADAR, "smap": PASSIVE}[source]
    twice = Processed(like.name, like.variables, like.resolution, (9,))
    name = {"sentinel1": "vv", "smap": "smap"}[source]
    needs = InputSpec(cells=(name,), history=HistorySpec((name,), 5, 1.0))
    as_of = None if days is None else np.datetime64("2021-06-09T06:00", "ns") + np.timedelta64(round(days * 24), "h")
    windows = TemporalPolicy({source: 10.0})
    if again is None:
        with pytest.raises(NoDataError):
            build_features([twice], TILE.with_halo(0), NOON, needs, windows, as_of)
        return
    inputs = build_features([twice], TILE.with_halo(0), NOON, needs, windows, as_of)
    assert inputs.items == (f"{source}-9-again" if again else f"{source}-9",)
    expected = CELL_KM + 9 + 100 * again
    assert np.allclose(inputs.cells[name].values, expected, atol=1e-2)
    assert np.allclose(inputs.history[name].values[1], expected, atol=1e-2), "counted once"
