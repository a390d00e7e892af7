"""Simulated GLDAS: another model under another rain, in granules built as the real ones."""

import gc
import weakref
from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from vadose.grid import AreaOfInterest, Period
from vadose.simulation import gldas
from vadose.simulation.climates import Covers
from vadose.simulation.config import REGIONS, WorldConfig
from vadose.simulation.ease import EASE
from vadose.simulation.footprint import REACH_M
from vadose.simulation.gldas import modelled_moisture
from vadose.simulation.gldas_model import Forcing, Soil, run
from vadose.simulation.perturbed_rain import perturbed_rain
from vadose.simulation.simulator import RegionSimulator
from vadose.simulation.smap_retrieval import J2000, SmapScene
from vadose.sources.gldas import Gldas

CONFIG = WorldConfig(
    regions=[region for region in REGIONS if region.name in ("HUMID", "STEPPE", "PADDOCK")],
    period="2022-04-01/2022-06-30",
    model_hours=6,
)
DAYS = 91


@pytest.fixture(scope="module")
def seen():
    return [RegionSimulator.random(CONFIG, number).footprint_sample() for number in range(len(CONFIG.regions))]


@pytest.fixture(scope="module")
def archive(seen, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    gldas.write_granules(seen, folder, CONFIG)
    return folder


@pytest.fixture(scope="module")
def modelled(seen):
    return [modelled_moisture(region) for region in seen]


def own(pixels) -> int:
    """The pixel nearest to the middle of the region."""
    return int(np.argmin(np.hypot(pixels.east, pixels.north)))


def attributes(variable: netCDF4.Variable) -> dict[str, object]:
    """Those that do not depend on a granule's values or time."""
    return {
        name: variable.getncattr(name)
        for name in variable.ncattrs()
        if name not in ("vmin", "vmax", "begin_date", "begin_time")
    }


def test_granules_are_built_as_real_ones(archive, real):
    with (
        netCDF4.Dataset(next((real / "gldas").glob("*.0600.021.nc4"))) as actual,
        netCDF4.Dataset(next((archive / "gldas").glob("*.0600.021.nc4"))) as written,
    ):
        assert {name: len(dim) for name, dim in written.dimensions.items()} == {
            name: len(dim) for name, dim in actual.dimensions.items()
        }
        for name in ("SoilMoi0_10cm_inst", "lat", "lon", "time", "time_bnds"):
            ours, theirs = written[name], actual[name]
            assert ours.dimensions == theirs.dimensions
            assert ours.dtype == theirs.dtype
            stripped = {
                key: value.strip() if isinstance(value, str) else value for key, value in attributes(theirs).items()
            }
            assert attributes(ours) == stripped
        for axis in ("lat", "lon"):
            np.testing.assert_array_equal(written[axis][:], actual[axis][:])
        for name in ("missing_value", "MAP_PROJECTION", "SOUTH_WEST_CORNER_LAT", "SOUTH_WEST_CORNER_LON", "DX", "DY"):
            assert written.getncattr(name) == actual.getncattr(name)
        assert "SIMULATED" in written.comment


def test_granules_open_plainly_at_their_times(archive):
    files = sorted((archive / "gldas").iterdir())
    assert len(files) == 4 * DAYS
    assert max(path.stat().st_size for path in files) < 150_000
    with xr.open_dataset(files[1]) as granule:
        assert str(granule["time"].values[0])[:16] == "2022-04-01T06:00"
        assert 250 < float(granule["Tair_f_inst"].mean()) < 310
        assert float(granule["Rainf_f_tavg"].min()) >= 0
        layer, deeper = (granule[name].values for name in ("SoilMoi0_10cm_inst", "RootMoist_inst"))
        held = np.isfinite(layer)
        assert 30 < held.sum() < 150
        assert np.all(deeper[held] > layer[held])


def test_the_reader_gives_back_what_was_modelled(archive, seen, modelled):
    for region, model in list(zip(seen, modelled, strict=True))[::2]:  # north and south of the equator
        pixel = own(model.pixels)
        lon, lat = float(model.pixels.lon[pixel]), float(model.pixels.lat[pixel])
        assert abs(lon - region.region.lon) <= 0.126
        assert abs(lat - region.region.lat) <= 0.126
        area = AreaOfInterest("a", shapely.box(lon - 0.01, lat - 0.01, lon + 0.01, lat + 0.01))
        (read,) = Gldas(archive).open(area, Period.parse(CONFIG.period))
        series = read["gldas"].sel(x=lon, y=lat, method="nearest")
        kept = model.times.hour % CONFIG.model_hours == 0
        np.testing.assert_array_equal(series["time"], model.times[kept])
        np.testing.assert_allclose(series, model.state.top[kept, pixel], rtol=1e-5)


def test_it_is_the_same_again_and_reaches_no_other_region(seen, modelled):
    one, other = modelled[0], modelled_moisture(seen[0])
    np.testing.assert_array_equal(one.state.top, other.state.top)
    assert np.hypot(one.pixels.east, one.pixels.north).max() <= REACH_M


@pytest.mark.parametrize(
    ("sand", "clay", "saturation", "wilting", "conductivity_m_s"),
    [(0.58, 0.10, 0.434, 0.047, 5.23e-6), (0.43, 0.18, 0.439, 0.066, 3.38e-6), (0.22, 0.58, 0.468, 0.138, 9.74e-7)],
    ids=["sandy loam", "loam", "clay"],
)
def test_soils_are_near_those_of_noahs_table(sand, clay, saturation, wilting, conductivity_m_s):
    """Chen & Dudhia 2001, table 2; the regressions scatter about the classes' means."""
    soil = Soil.of(np.array([sand]), np.array([clay]))
    assert soil.saturation == pytest.approx(saturation, abs=0.025)
    assert soil.wilting == pytest.approx(wilting, abs=0.015)
    assert soil.wilting < soil.reference < soil.saturation
    assert 0.45 < soil.conductivity_mm_day / (conductivity_m_s * 86_400_000) < 2.2


def forcing(rain_mm: float, seed: int) -> Forcing:
    rng = np.random.default_rng(seed)
    storms = rain_mm * (rng.random((400, 1)) < 0.05) * rng.exponential(1, (400, 1))
    return Forcing(storms, np.full((400, 1), 0.4), np.full((400, 1), 15.0))


@settings(max_examples=10, deadline=None)
@given(sand=st.floats(0.1, 0.85), clay=st.floats(0.05, 0.15), rain=st.floats(0, 60), seed=st.integers(0, 99))
def test_the_model_stays_within_its_pores_and_is_wetter_under_more_rain(sand, clay, rain, seed):
    soil = Soil.of(np.array([sand]), np.array([clay]))
    state, wetter = run(soil, forcing(rain, seed)), run(soil, forcing(rain + 20, seed))
    for field in ("top", "root"):
        values = getattr(state, field)
        assert np.all(values > 0)
        assert np.all(values <= soil.saturation + 1e-9)
        assert getattr(wetter, field).mean() >= values.mean() - 1e-9


def test_snow_waits_for_the_thaw():
    soil, cold = Soil.of(np.array([0.4]), np.array([0.2])), np.full((400, 1), -5.0)
    cold[200:] = 8.0
    rain = np.full((400, 1), 1.0)
    state = run(soil, Forcing(rain, np.zeros((400, 1)), cold))
    assert state.snow_mm[200] > state.snow_mm[100] > 0
    assert state.snow_mm[399] == 0
    assert state.top[260] > state.top[195]


def test_rain_is_told_with_errors_that_keep_its_amount():
    rng = np.random.default_rng(1)
    true = rng.exponential(8, (4000, 1)) * (rng.random((4000, 1)) < 0.3) * rng.uniform(0.8, 1.2, (1, 12))
    told = np.stack([perturbed_rain(true, np.random.default_rng(seed)) for seed in range(12)])
    assert told.mean() == pytest.approx(true.mean(), rel=0.25)
    rainy, heard = true.mean(axis=1) > 0.3, told[0].mean(axis=1) > 0
    assert 0.05 < np.mean(~heard[rainy]) < 0.4
    assert 0.02 < np.mean(heard[~rainy]) < 0.3
    missed_mm, heard_mm = (true.mean(axis=1)[rainy & which].mean() for which in (~heard, heard))
    assert missed_mm < heard_mm
    assert 0.3 < np.corrcoef(true.mean(axis=1), told[0].mean(axis=1))[0, 1] < 0.9


def test_open_water_is_none_of_its_pixels(tmp_path):
    lake = Covers(crops=0, grass=0.02, forest=0, bare=0, urban=0, water=0.98)
    region = CONFIG.regions[0].model_copy(
        update={"climate": CONFIG.regions[0].climate.model_copy(update={"covers": lake})}
    )
    config = CONFIG.model_copy(update={"regions": (region,), "period": "2022-04-01/2022-04-03"})
    seen = RegionSimulator.random(config, 0).footprint_sample()
    assert np.isnan(modelled_moisture(seen).state.top).all()
    gldas.write_granules([seen], tmp_path, config)
    with netCDF4.Dataset(next((tmp_path / "gldas").iterdir())) as granule:
        assert granule["SoilMoi0_10cm_inst"][:].mask.all()


def test_the_model_is_damped_and_the_radiometer_follows_the_truth_better(seen, modelled):
    radiometer, follows, ranges = [], [], []
    for region, model in zip(seen, modelled, strict=True):
        look = SmapScene.of(region, EASE[36])
        near, pixel = own(look.pixels), own(model.pixels)
        table = look.retrievals(0, DAYS)
        mine = (table["EASE_row_index"] == look.pixels.rows[near]) & (table["retrieval_qual_flag"] == 0)
        mine &= table["EASE_column_index"] == look.pixels.columns[near]
        times = (J2000 + pd.to_timedelta(table["tb_time_seconds"][mine], unit="s")).round("3h")
        steps = model.times.get_indexer(times)
        retrieved, steps = table["soil_moisture"][mine][steps >= 0], steps[steps >= 0]
        true = region.series(model.times[steps], "liquid") @ look.soil_gain[near]
        top = model.state.top[steps, pixel]
        radiometer.append(np.corrcoef(retrieved, true)[0, 1])
        follows.append(np.corrcoef(top, true)[0, 1])
        ranges.append(top.std() / true.std())
    assert np.mean(radiometer) > np.mean(follows) > 0.15
    assert np.mean(ranges) < 0.95


def test_one_region_is_held_at_a_time_and_its_files_are_the_same(seen, tmp_path):
    """Regions that are made one by one are gone when the next but one is asked for."""
    config, held, most = CONFIG.model_copy(update={"period": "2022-04-01/2022-04-05"}), [], 0

    def one_by_one():
        nonlocal most
        for number in (0, 1, 0, 1):
            gc.collect()
            most = max(most, sum(one() is not None for one in held))
            region = RegionSimulator.random(config, number).footprint_sample()
            held.append(weakref.ref(region))
            yield region
            del region

    gldas.write_granules(one_by_one(), tmp_path / "lazy", config)
    gldas.write_granules(
        [RegionSimulator.random(config, n).footprint_sample() for n in (0, 1)] * 2, tmp_path / "list", config
    )
    assert most == 1
    lazy, listed = (sorted((tmp_path / name / "gldas").iterdir()) for name in ("lazy", "list"))
    assert [path.name for path in lazy] == [path.name for path in listed]
    assert {path.suffix for path in lazy} == {".nc4"}
    assert all(one.read_bytes() == other.read_bytes() for one, other in zip(lazy, listed, strict=True))
