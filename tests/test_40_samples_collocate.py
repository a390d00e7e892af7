"""Collocation: readings of sensors and simulated sources, through the real fusion, into a store."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rioxarray  # noqa: F401
import xarray as xr

from vadose.dataset import SampleStore
from vadose.dataset.collocate import SampleSource, build
from vadose.dataset.labels import LabelRule
from vadose.errors import NoDataError, VadoseError
from vadose.fusion import FeatureBuilder, HistorySpec, InputSpec
from vadose.grid import AreaOfInterest, Period, Tile, tile_around
from vadose.insitu.headers import Sensor
from vadose.insitu.ismn import Ismn
from vadose.sources.source import validate_dataset
from vadose.variables import SMAP, VH, VV, Variable

HALO = 1
NEEDS = InputSpec(pixels=("vv",), cells=("vv", "smap"), history=HistorySpec(("smap",), 3, 2.0), halo=HALO)
TOP = Sensor("SIMULATED", "hill", "probe-A", 46.7, 8.5, 600.0, 0.0, 0.05)
DEEP = replace(TOP, instrument="probe-B", depth_from_m=0.2, depth_to_m=0.2)
FAR = replace(TOP, station="far", lat=-20.0, lon=140.0)
EMPTY = replace(TOP, station="empty")
DAYS = np.arange("2021-06-01", "2021-06-11", dtype="datetime64[D]").astype("datetime64[ns]") + np.timedelta64(6, "h")
TILE = tile_around(TOP.lon, TOP.lat, HALO)


@dataclass(frozen=True)
class Simulated:
    """A source over the hill whose values are value_of(column, day counted from 1), over one tile."""

    name: str
    variables: tuple[Variable, ...]
    resolution: float
    value_of: Callable[[np.ndarray, int], np.ndarray]
    tile: Tile = TILE
    times: tuple[np.datetime64, ...] = tuple(DAYS)

    def open(self, area: AreaOfInterest, period: Period) -> tuple[xr.Dataset, ...]:
        if not area.geometry.intersects(AreaOfInterest.from_tile(self.tile).geometry):
            raise NoDataError(f"{self.name}: '{area.name}'", "It lies elsewhere", "Choose another area")
        box = self.tile.pixels.boundingbox
        side = max(int((box.right - box.left) / self.resolution), 3)
        x = box.left + (np.arange(side) + 0.5) * self.resolution
        y = box.top - (np.arange(side) + 0.5) * self.resolution
        datasets = []
        for day, time in enumerate(self.times, start=1):
            if time in period:
                values = np.broadcast_to(self.value_of(np.arange(side), day), (1, side, side)).astype(np.float32)
                arrays = {v.name: (("time", "y", "x"), values, {"units": v.units}) for v in self.variables}
                one = xr.Dataset(arrays, {"time": [time], "y": y, "x": x}).rio.write_crs(self.tile.epsg)
                datasets.append(validate_dataset(one, self.variables, self.name, f"{self.name}-{day}"))
        if not datasets:
            raise NoDataError(f"{self.name}: {period}", "Nothing", "Extend the period")
        return tuple(datasets)


def stripes(column: np.ndarray, day: int) -> np.ndarray:
    return day / 100 + column / 10000


def even(column: np.ndarray, day: int) -> np.ndarray:
    return np.full(column.shape, day / 50)


SOURCES = (
    Simulated("sentinel1", (VV, VH), 10.0, stripes),
    Simulated("smap", (SMAP,), 2000.0, even),
)


def readings(sensor: Sensor) -> pd.DataFrame:
    if sensor == EMPTY:
        raise NoDataError("ismn: readings", "None", "Take another sensor")
    times = pd.date_range("2021-06-01 00:10", "2021-06-10 23:10", freq="1h")
    hours = np.arange(len(times))
    flags = np.where(times.day == 4, "D01", "G")
    return pd.DataFrame({"soil_moisture": 0.1 + hours / 1000, "flag": flags}, index=times)


def asked(_: Sensor) -> np.ndarray:
    return np.concatenate([DAYS + np.timedelta64(3, "h"), [np.datetime64("2022-01-01", "ns")]])[::-1]


def assembler(tile: Tile, period: Period) -> FeatureBuilder:
    return FeatureBuilder.open(SOURCES, tile, period, NEEDS)


ARCHIVE = SampleSource(readings, asked, assembler)


def test_each_sample_has_its_label_and_all_that_was_known(tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    report = build(
        [TOP, DEEP, FAR, EMPTY],
        ARCHIVE,
        NEEDS,
        tmp_path / "store",
        made_from={"archive": "simulated hill"},
        simulated=True,
        progress=lambda done, total, what: told.append((done, total, what)),
    )
    assert told == [
        (1, 4, "SIMULATED hill"),
        (2, 4, "SIMULATED hill"),
        (3, 4, "SIMULATED far"),
        (4, 4, "SIMULATED empty"),
    ]
    assert report.samples == 9
    assert dict(report.dropped.counts) == {
        "flag D01": 48,
        "no reading within 30 minutes": 4,
        "sensor not within 0..0.05 m": 1,
        "sensor without readings": 1,
        "time that no source covers": 9,
    }
    store = SampleStore.open(tmp_path / "store")
    assert store.simulated
    assert store.declaration["made_from"]["archive"] == "simulated hill"
    items = store.declaration["made_from"]["items"]
    assert items == sorted(set(items))
    assert set(items) >= {f"{source.name}-{day}" for source in SOURCES for day in (1, 2, 3, 5, 6, 7, 8, 9, 10)}
    assert "sentinel1-4" not in items
    assert store.declaration["made_from"]["left_out"] == dict(report.dropped.counts)
    index = store.index
    days = index["time"].dt.day.to_numpy()
    assert days.tolist() == [1, 2, 3, 5, 6, 7, 8, 9, 10]
    assert set(index["sensor"]) == {"probe-A_0_0.05"}
    assert index["lag_minutes"].tolist() == [10.0] * 9
    assert index["soil_moisture_in_situ"].tolist() == pytest.approx((0.1 + ((days - 1) * 24 + 9) / 1000).tolist())
    assert (index[["lat", "lon", "depth_from_m", "depth_to_m"]].to_numpy() == [46.7, 8.5, 0.0, 0.05]).all()
    _the_inputs_are_those_of_fusion(store, days)


def _the_inputs_are_those_of_fusion(store: SampleStore, days: np.ndarray) -> None:
    assert store.holds.cells[:2] == ("vv", "smap")
    assert set(store.holds.cells[2:]) == {f"{s.name}_{w}" for s in SOURCES for w in ("valid_fraction", "age")}
    column = np.arange(96)
    chips = store.pixels(("vv",), store.rows, HALO)
    expected = days[:, None, None, None] / 100 + column / 10000
    np.testing.assert_allclose(chips, np.broadcast_to(expected, chips.shape), rtol=1.2e-3)
    vv, smap, age = store.cells(("vv", "smap", "sentinel1_age"), store.rows).T
    np.testing.assert_allclose(vv, days / 100 + column[32:64].mean() / 10000, rtol=1e-5)
    np.testing.assert_allclose(smap, days / 50, rtol=1e-5)
    np.testing.assert_allclose(age, 3 / 24, rtol=1e-5)
    history = store.history(store.holds.history, store.rows)[:, :, 0]
    np.testing.assert_allclose(history[-1], [9.5 / 50, 7.5 / 50, 5.5 / 50], rtol=1e-5)
    np.testing.assert_allclose(history[1], [1.5 / 50, np.nan, np.nan], rtol=1e-5)


def test_the_store_equals_assembling_each_moment_alone(tmp_path: Path) -> None:
    build([TOP], ARCHIVE, NEEDS, tmp_path / "store")
    store = SampleStore.open(tmp_path / "store")
    for row in (0, 4, 8):
        time = store.index["time"].to_numpy("datetime64[ns]")[row]
        alone = assembler(TILE, Period(time, time + np.timedelta64(1, "ns"))).at(time)
        for place, name in enumerate(store.holds.cells):
            found = store.cells(store.holds.cells, np.array([row]))[0, place]
            np.testing.assert_array_equal(found, alone.cells[name].values[0, 0])
        chip = store.pixels(("vv",), np.array([row]), HALO)[0, 0]
        np.testing.assert_allclose(chip, alone.pixels["vv"].values, rtol=1.2e-3)


def test_other_flags_and_windows_change_what_is_a_label(tmp_path: Path) -> None:
    report = build([TOP], ARCHIVE, NEEDS, tmp_path / "store", LabelRule(flags=("G", "D01"), window_minutes=10))
    assert report.samples == 10
    assert dict(report.dropped.counts) == {"no reading within 10 minutes": 1}


@pytest.mark.parametrize(
    ("sensors", "archive", "rule", "reason"),
    [
        ([DEEP], ARCHIVE, LabelRule(), "1 x sensor not within 0..0.05 m"),
        ([TOP], ARCHIVE, LabelRule(window_minutes=5), "11 x no reading within 5 minutes"),
        ([replace(TOP, lat=-85.0)], ARCHIVE, LabelRule(), "1 x sensor beyond the latitudes of the cells"),
        ([TOP], replace(ARCHIVE, times_of=lambda _: DAYS[:0]), LabelRule(), "1 x sensor without a requested time"),
        ([FAR], ARCHIVE, LabelRule(), "9 x time that no source covers"),
        ([], ARCHIVE, LabelRule(), "left out: nothing"),
    ],
)
def test_no_sample_at_all_is_refused_with_the_reasons(
    tmp_path: Path, sensors: list[Sensor], archive: SampleSource, rule: LabelRule, reason: str
) -> None:
    with pytest.raises(VadoseError) as refused:
        build(sensors, archive, NEEDS, tmp_path / "store", rule)
    assert f"a store of {len(sensors)} sensors" in refused.value.context
    assert reason in refused.value.problem
    assert "Extend the period" in refused.value.hint
    assert list(tmp_path.iterdir()) == []


def test_inputs_that_lack_what_is_to_be_stored_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        VadoseError, match=r"Fusion did not return B04\. Request the variables of the store from fusion"
    ):
        build([TOP], ARCHIVE, replace(NEEDS, pixels=("vv", "B04")), tmp_path / "store")
    assert not (tmp_path / "store").exists()


SECOND = replace(TOP, station="second")


def test_a_build_that_was_stopped_goes_on_and_gives_the_same_bytes(tmp_path: Path) -> None:
    def broken(sensor: Sensor) -> pd.DataFrame:
        if sensor == SECOND:
            raise VadoseError("ismn: a file", "It is malformed", "Download it again")
        return readings(sensor)

    told: list[int] = []
    both = [TOP, SECOND]
    with pytest.raises(VadoseError, match="It is malformed"):
        build(both, replace(ARCHIVE, read=broken), NEEDS, tmp_path / "store")
    assert [entry.name for entry in tmp_path.iterdir()] == ["store.building"]
    build(both, ARCHIVE, NEEDS, tmp_path / "store", progress=lambda done, *_: told.append(done))
    assert told == [2]
    assert [entry.name for entry in tmp_path.iterdir()] == ["store"]
    build(both, ARCHIVE, NEEDS, tmp_path / "whole")
    assert _bytes(tmp_path / "store") == _bytes(tmp_path / "whole")


def test_parts_of_another_build_are_not_mixed_in(tmp_path: Path) -> None:
    def broken(_: Sensor) -> pd.DataFrame:
        raise VadoseError("ismn: a file", "It is malformed", "Download it again")

    with pytest.raises(VadoseError, match="It is malformed"):
        build([TOP], replace(ARCHIVE, read=broken), NEEDS, tmp_path / "store")
    with pytest.raises(VadoseError, match=r"another build that was interrupted. Finish that one .* or remove"):
        build([TOP], ARCHIVE, NEEDS, tmp_path / "store", LabelRule(window_minutes=5))


def test_several_workers_give_the_same_bytes_as_one(tmp_path: Path) -> None:
    both = [TOP, DEEP, SECOND]
    build(both, ARCHIVE, NEEDS, tmp_path / "one")
    report = build(both, ARCHIVE, NEEDS, tmp_path / "two", workers=2)
    assert report.samples == 18
    assert _bytes(tmp_path / "one") == _bytes(tmp_path / "two")


def _bytes(store: Path) -> dict[str, bytes]:
    return {str(path.relative_to(store)): path.read_bytes() for path in sorted(store.rglob("*")) if path.is_file()}


@pytest.mark.real
def test_real_sensors_meet_a_simulated_source(real: Path, tmp_path: Path) -> None:
    ismn = Ismn(real / "ismn" / "format_header_values")
    (sensor,) = ismn.sensors()
    times = np.arange("2007-01-01", "2007-02-01", np.timedelta64(6, "h"), dtype="datetime64[ns]")
    tile = tile_around(sensor.lon, sensor.lat, 0)
    smap = Simulated("smap", (SMAP,), 2000.0, lambda column, _: np.full(column.shape, 0.3), tile, tuple(times[::8]))
    needs = InputSpec(cells=("smap",))
    archive = SampleSource(
        ismn.read, lambda _: times, lambda tile, period: FeatureBuilder.open([smap], tile, period, needs)
    )
    rule = LabelRule(flags=("U",), window_minutes=0)
    report = build([sensor], archive, needs, tmp_path / "store", rule)
    store = SampleStore.open(tmp_path / "store")
    plain = ismn.read(sensor)
    accepted = plain[plain["flag"] == "U"]
    assert report.samples == np.isin(times, accepted.index.to_numpy("datetime64[ns]")).sum() > 100
    expected = accepted["soil_moisture"].loc[store.index["time"].to_numpy()]
    np.testing.assert_array_equal(store.index["soil_moisture_in_situ"], expected)
    assert dict(report.dropped.counts)["flag D05"] == (plain["flag"] == "D05").sum()
    assert (store.cells(("smap",), store.rows) == np.float32(0.3)).all()
