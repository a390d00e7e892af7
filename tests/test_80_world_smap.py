"""Simulated SMAP: its orbit, its footprints, its errors, and granules built as the real ones."""

import json
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from vadose.grid import AreaOfInterest, Period
from vadose.simulation import smap
from vadose.simulation.config import REGIONS, WorldConfig
from vadose.simulation.ease import EASE
from vadose.simulation.footprint import antenna_weights
from vadose.simulation.simulator import RegionSimulator
from vadose.simulation.smap_flags import FootprintGround, quality, surface
from vadose.simulation.smap_granule import SUFFIX, variables
from vadose.simulation.smap_orbit import CYCLE_DAYS, SWATH_M, overpasses
from vadose.simulation.smap_retrieval import FOOTPRINT_M, J2000, SmapScene
from vadose.sources.smap import Smap

CONFIG = WorldConfig(
    regions=[region for region in REGIONS if region.name in ("PLAIN", "SAVANNA")], period="2022-01-01/2022-04-15"
)
DAYS = 105


@pytest.fixture(scope="module")
def seen():
    return [RegionSimulator.random(CONFIG, number).footprint_sample() for number in range(len(CONFIG.regions))]


@pytest.fixture(scope="module")
def dry():
    """Regions of little vegetation."""
    names = ("STEPPE", "PADDOCK")
    config = CONFIG.model_copy(update={"regions": tuple(region for region in REGIONS if region.name in names)})
    return [RegionSimulator.random(config, number).footprint_sample() for number in range(len(names))]


@pytest.fixture(scope="module")
def archive(seen, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    smap.write_granules(seen, folder, CONFIG)
    return folder


def own(look: SmapScene) -> int:
    """The pixel nearest to the middle of the region."""
    return int(np.argmin(np.hypot(look.pixels.east, look.pixels.north)))


def of_pixel(look: SmapScene, pixel: int) -> dict[str, np.ndarray]:
    table = look.retrievals(0, DAYS)
    rows = (table["EASE_row_index"] == look.pixels.rows[pixel]) & (
        table["EASE_column_index"] == look.pixels.columns[pixel]
    )
    order = np.argsort(table["tb_time_seconds"][rows])
    return {name: values[rows][order] for name, values in table.items()}


@pytest.mark.parametrize("km", [36, 9])
def test_granules_are_built_as_real_ones(archive, real, km):
    structures = json.loads((real / "smap" / "smap_l3_structure_from_opendap_dmr.json").read_text())
    structure = list(structures.values())[(36, 9).index(km)]
    found = {variable["attrs"]["fullnamepath"]: variable for variable in structure["vars"]}
    kinds = {np.float32: "Float32", np.float64: "Float64", np.uint16: "UInt16"}
    name = structure["granule"].split("_2")[0]
    path = next(path for path in sorted((archive / "smap").iterdir()) if path.name.startswith(f"{name}_2"))
    with h5py.File(path) as granule:
        assert "SIMULATED" in granule.attrs["NOTICE"]
        for half, suffix in SUFFIX.items():
            group = f"/Soil_Moisture_Retrieval_Data_{half}"
            for variable in variables(km):
                written, actual = (source[f"{group}/{variable.name}{suffix}"] for source in (granule, found))
                assert written.shape == (EASE[km].rows, EASE[km].columns)
                assert kinds[variable.dtype] == actual["dtype"]
                told = actual["attrs"]
                for key in ("_FillValue", "valid_min", "valid_max"):
                    if key in told and key in written.attrs:
                        assert float(told[key]) == pytest.approx(written.attrs[key], rel=1e-6)
                assert told.get("units", "") == written.attrs.get("units", b"").decode()


@pytest.mark.parametrize("km", [36, 9])
def test_flags_mean_what_they_mean_in_the_product(archive, real, km):
    structures = json.loads((real / "smap" / "smap_l3_structure_from_opendap_dmr.json").read_text())
    for variable in list(structures.values())[(36, 9).index(km)]["vars"]:
        for ours in variables(km):
            if ours.flags and variable["attrs"]["fullnamepath"].endswith(f"Data_PM/{ours.name}_pm"):
                meanings = variable["attrs"]["flag_meanings"].split()
                assert ours.flags.split()[: len(meanings)] == meanings


@pytest.mark.parametrize(("grid", "km"), [("36km", 36), ("9km", 9)])
def test_the_reader_gives_back_what_was_retrieved(archive, seen, grid, km):
    for region in seen:
        look = SmapScene.of(region, EASE[km])
        pixel = own(look)
        lon, lat = float(look.pixels.lon[pixel]), float(look.pixels.lat[pixel])
        area = AreaOfInterest("a", shapely.box(lon - 0.01, lat - 0.01, lon + 0.01, lat + 0.01))
        period = Period.parse("2022-01-01/2022-02-15")
        (read,) = Smap(archive, quality="retrieved", grid=grid).open(area, period)
        x, y = (float(read[axis].mean()) for axis in ("x", "y"))
        series = read["smap"].sel(x=x, y=y, method="nearest").dropna("time")
        table = of_pixel(look, pixel)
        given_ = table["soil_moisture"] > 0
        times = (J2000 + pd.to_timedelta(table["tb_time_seconds"][given_], unit="s")).ceil("30min")
        inside = times < pd.Timestamp(period.end)
        np.testing.assert_allclose(series, table["soil_moisture"][given_][inside], rtol=1e-6)
        np.testing.assert_array_equal(series["time"], times[inside])


def test_a_day_is_small_and_the_same_again(archive, seen, tmp_path):
    files = sorted((archive / "smap").iterdir())
    assert len(files) == 2 * DAYS
    assert max(path.stat().st_size for path in files) < 200_000
    smap.write_granules(
        seen, tmp_path, CONFIG.model_copy(update={"radiometer_km": (36,), "period": "2022-01-01/2022-01-10"})
    )
    again = sorted((tmp_path / "smap").iterdir())
    assert len(again) == 10
    for path in again:
        assert path.read_bytes() == (archive / "smap" / path.name).read_bytes()


def test_days_are_the_same_however_many_are_asked_at_once(seen):
    look = SmapScene.of(seen[0], EASE[36])
    whole, parts = look.retrievals(0, 30), [look.retrievals(0, 11), look.retrievals(11, 30)]
    for name, values in whole.items():
        np.testing.assert_allclose(values, np.concatenate([part[name] for part in parts]), rtol=1e-12)


@settings(max_examples=15, deadline=None)
@given(lon=st.floats(-180, 180), lat=st.floats(-70, 70))
def test_every_place_is_seen_at_six_in_the_morning_and_evening(lon, lat):
    found = overpasses(lon, lat)
    for half in ("AM", "PM"):
        days = {turn.day for turn in found if turn.half == half}
        assert len(days) >= 2
        gaps = np.diff([*sorted(days), min(days) + CYCLE_DAYS])
        assert gaps.max() <= 5
    assert all(abs(turn.late_h) < 0.3 + 0.9 / np.cos(np.radians(lat)) for turn in found)
    assert all(abs(turn.aside_m) <= SWATH_M and 0 <= turn.seconds < 86_400 for turn in found)


def test_the_equator_is_seen_as_often_as_its_orbits_cover_it():
    """117 swaths of 1000 km, crossing it at 12 degrees from the meridian, over 40 030 km."""
    counts = [sum(turn.half == "AM" for turn in overpasses(lon, 0.0)) for lon in np.linspace(-180, 180, 31)]
    assert np.mean(counts) == pytest.approx(117 * 1000 / np.cos(np.radians(12)) / 40_030, rel=0.05)
    north = [len(overpasses(lon, 65.0)) for lon in np.linspace(-180, 180, 7)]
    assert np.mean(north) > 2 * 2 * np.mean(counts)


def test_a_moment_of_an_overpass_runs_along_its_track():
    turn = next(turn for turn in overpasses(10.0, 20.0) if turn.half == "PM")
    southern, northern = turn.seconds_at(np.zeros(2), np.array([-50_000.0, 50_000.0]))
    assert northern - southern == pytest.approx(100_000 / 6776 * np.cos(turn.heading), rel=0.01)
    seen_there = next(
        other
        for other in overpasses(10.0, 20.45)
        if other.half == "PM" and other.day == turn.day and abs(other.seconds - turn.seconds) < 60
    )
    there = np.array([0.45 * 111_195.0])
    assert seen_there.seconds == pytest.approx(turn.seconds_at(0 * there, there)[0], abs=1.5)
    assert seen_there.aside_m == pytest.approx(turn.aside(0 * there, there)[0], abs=3_000)


def test_a_footprint_falls_to_half_its_gain_at_half_its_width(seen):
    look = SmapScene.of(seen[0], EASE[36])
    weights = antenna_weights(seen[0], look.pixels, FOOTPRINT_M)
    assert weights.sum(axis=1) == pytest.approx(1)
    pixel, where = own(look), seen[0].where
    x, y = where.eastings - where.eastings.mean(), where.northings - where.northings.mean()
    distance = np.hypot(x - look.pixels.east[pixel], y - look.pixels.north[pixel])
    near, half = weights[pixel][distance < 6_000].mean(), weights[pixel][np.abs(distance - 20_000) < 3_000].mean()
    assert half / near == pytest.approx(0.5, abs=0.12)


def test_pixels_lie_where_the_product_says(archive, seen):
    for region in seen:
        for km, least in ((36, 4), (9, 100)):
            look = SmapScene.of(region, EASE[km])
            assert len(look.pixels.rows) >= least
            pixel = own(look)
            assert abs(look.pixels.lat[pixel] - region.region.lat) < km / 100
            assert np.hypot(look.pixels.east[pixel], look.pixels.north[pixel]) < 0.8 * km * 1000
    path = sorted((archive / "smap").glob("SMAP_L3_SM_P_2022*"))
    held = set()
    for granule_path in path[:8]:
        with h5py.File(granule_path) as granule:
            group = granule["Soil_Moisture_Retrieval_Data_AM"]
            rows, columns = np.nonzero(group["latitude"][:] != -9999)
            np.testing.assert_array_equal(group["EASE_row_index"][:][rows, columns], rows)
            np.testing.assert_array_equal(group["EASE_column_index"][:][rows, columns], columns)
            held.add(len(rows))
    assert max(held) > 0


def against_footprint(region):
    """Recommended retrievals of a region's pixel, the true mean of its footprint, and the points near its middle."""
    look = SmapScene.of(region, EASE[36])
    pixel = own(look)
    table = of_pixel(look, pixel)
    good = table["retrieval_qual_flag"] == 0
    times = pd.DatetimeIndex(J2000 + pd.to_timedelta(table["tb_time_seconds"][good], unit="s"))
    where = region.where
    aside = np.hypot(where.eastings - where.eastings.mean(), where.northings - where.northings.mean())
    points = region.series(times, "moisture")[:, np.argsort(aside)[:30]]
    return table["soil_moisture"][good], region.series(times, "liquid") @ look.soil_gain[pixel], points


def test_errors_and_range_are_those_of_the_core_validation_sites(seen, dry):
    found = []
    for region in (*seen, *dry):
        told, true, _ = against_footprint(region)
        assert len(told) > 25
        slope, _ = np.polyfit(true, told, 1)
        found.append((slope, np.std(told - true), np.mean(told - true)))
    slopes, errors, biases = np.array(found).T
    assert 0.8 < slopes.mean() < 1.25  # no stretch: the range is that of the ground
    assert 0.03 < errors.mean() < 0.05  # required: 0.04
    assert np.all((errors > 0.02) & (errors < 0.07))
    assert np.all(np.abs(biases) < 0.12)


def test_beside_single_sensors_it_is_as_in_sparse_networks(seen, dry):
    """Chan et al. 2017: 0.051 with the vertical polarisation, 0.059 with both, over a year and more."""
    errors = []
    for region in (*seen, *dry):
        told, true, points = against_footprint(region)
        beside = np.std(told[:, np.newaxis] - points, axis=0).mean()
        errors.append((np.std(told - true), beside))
    assert 0.035 < np.mean(errors, axis=0)[1] < 0.065
    assert np.mean([beside - own for own, beside in errors]) > 0.003


def test_the_stated_error_is_that_of_its_noise(seen):
    table = of_pixel(SmapScene.of(seen[1], EASE[36]), own(SmapScene.of(seen[1], EASE[36])))
    good = table["retrieval_qual_flag"] == 0
    assert good.sum() > 40
    assert np.all((table["soil_moisture_error"][good] >= 0.03) & (table["soil_moisture_error"][good] < 0.09))


def test_both_products_are_made_of_the_same_footprints(seen):
    coarse, fine = (SmapScene.of(seen[1], EASE[km]) for km in (36, 9))
    pixel = own(coarse)
    distance = np.hypot(fine.pixels.east - coarse.pixels.east[pixel], fine.pixels.north - coarse.pixels.north[pixel])
    one, other = of_pixel(coarse, pixel), of_pixel(fine, int(np.argmin(distance)))
    shared, here, there = np.intersect1d(
        one["day"] * 2 + one["half"], other["day"] * 2 + other["half"], return_indices=True
    )
    assert len(shared) > 20
    differences = one["soil_moisture"][here] - other["soil_moisture"][there]
    assert differences.std() < 0.3 * one["soil_moisture"][here].std()


CLEAR = {"water": 0.0, "urban": 0.0, "relief_m": 10.0, "frozen": 0.0, "snow": 0.0, "plants": 1.0}


@pytest.mark.parametrize(
    ("changed", "moisture", "flag", "bit"),
    [
        ({}, 0.2, 0, 0),
        ({"frozen": 0.2}, 0.2, 1, 256),
        ({"frozen": 0.6}, 0.2, 7, 256),
        ({"snow": 0.2}, 0.2, 1, 32),
        ({"snow": 0.7}, 0.2, 7, 32),
        ({"water": 0.1}, 0.2, 1, 1),
        ({"water": 0.6}, 0.2, 7, 1),
        ({"urban": 0.3}, 0.2, 1, 8),
        ({"relief_m": 400.0}, 0.2, 1, 512),
        ({"plants": 6.0}, 0.2, 1, 1024),
        ({}, -0.2, 5, 0),
        ({}, 0.9, 5, 0),
    ],
)
def test_flags_say_what_hinders_a_retrieval(changed, moisture, flag, bit):
    ground = FootprintGround(**{name: np.array([value]) for name, value in (CLEAR | changed).items()})
    assert quality(ground, np.array([moisture])).tolist() == [flag]
    assert surface(ground).tolist() == [bit]


def test_frozen_ground_and_snow_leave_gaps(seen):
    table = of_pixel(SmapScene.of(seen[0], EASE[36]), own(SmapScene.of(seen[0], EASE[36])))
    winter = table["retrieval_qual_flag"] & 2 > 0
    assert winter.any()
    assert np.all(table["soil_moisture"][winter] == -9999)
    assert np.all(table["surface_flag"][winter] & (32 | 256) > 0)
    assert table["surface_temperature"][winter].mean() < table["surface_temperature"][~winter].mean()
