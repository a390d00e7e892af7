"""The simulated water, radar and optics obey the physics that they name."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadose.grid import Period
from vadose.world import WorldConfig
from vadose.world.climates import ORCHARD
from vadose.world.dielectric import permittivity
from vadose.world.land import make_land
from vadose.world.optics import BANDS, reflectance
from vadose.world.radar import LOOKS, bare_soil, gamma_naught, speckle, vegetated
from vadose.world.region import simulate_region
from vadose.world.soil import hydraulics
from vadose.world.water import ROOT_MM, SURFACE_MM, simulate
from vadose.world.weather import make_weather

moistures = st.floats(0.03, 0.5)


@pytest.mark.parametrize("moisture", [0.05, 0.10, 0.20, 0.30, 0.40])
def test_permittivity_is_the_inverse_of_topps_published_calibration(moisture):
    eps = float(permittivity(moisture))
    inverse = -5.3e-2 + 2.92e-2 * eps - 5.5e-4 * eps**2 + 4.3e-6 * eps**3  # Topp et al. 1980
    assert inverse == pytest.approx(moisture, abs=0.013)  # their standard error


@given(moistures, moistures, st.floats(20, 46), st.floats(0.004, 0.025))
def test_wetter_bare_soil_is_never_darker_to_the_radar(one, other, angle, roughness):
    dry, wet = (bare_soil(moisture, angle, roughness) for moisture in sorted((one, other)))
    assert wet[0] >= dry[0]
    assert wet[1] >= dry[1]


@given(moistures, moistures, st.floats(0, 6), st.sampled_from(BANDS))
def test_wetter_soil_is_never_brighter(one, other, leaf_area, band):
    dry, wet = (reflectance(band, moisture, 0.5, leaf_area) for moisture in sorted((one, other)))
    assert wet <= dry


def test_bare_soil_is_as_bright_as_fields_are():
    db = 10 * np.log10(bare_soil(0.2, 38.0, 0.01))
    assert -13 < db[0] < -7
    assert -23 < db[1] < -16
    rise = 10 * np.log10(bare_soil(0.35, 38.0, 0.01)[0] / bare_soil(0.05, 38.0, 0.01)[0])
    assert 4 < rise < 8


def test_vegetation_hides_the_soil():
    dry, wet = bare_soil(0.05, 38.0, 0.01), bare_soil(0.4, 38.0, 0.01)
    contrasts = [vegetated(wet, water, 38.0)[0] - vegetated(dry, water, 38.0)[0] for water in (0.0, 1.0, 4.0)]
    assert contrasts[0] == pytest.approx(wet[0] - dry[0])
    assert contrasts[0] > contrasts[1] > contrasts[2] > 0


def test_gamma_naught_exceeds_sigma_naught_by_the_cosine():
    assert gamma_naught(np.array(0.1), 60.0) == pytest.approx(0.2)


def test_speckle_has_unit_mean_and_the_stated_looks():
    noise = speckle((600, 600), np.random.default_rng(1))
    assert noise.mean() == pytest.approx(1, abs=0.01)
    assert 1 / noise.var() == pytest.approx(LOOKS, rel=0.03)


@pytest.mark.parametrize(
    ("sand", "clay", "wilting", "capacity", "saturation"),
    [(0.88, 0.05, 5, 10, 46), (0.40, 0.20, 14, 28, 46), (0.25, 0.50, 30, 42, 50)],
    ids=["sand", "loam", "clay"],
)
def test_pedotransfer_gives_the_published_table(sand, clay, wilting, capacity, saturation):
    soil = hydraulics(np.array(sand), np.array(clay))  # Saxton & Rawls 2006, table 3, 2.5 % organic matter, in %
    assert 100 * soil.wilting == pytest.approx(wilting, abs=1)
    assert 100 * soil.field_capacity == pytest.approx(capacity, abs=1)
    assert 100 * soil.saturation == pytest.approx(saturation, abs=1)


@given(st.integers(0, 10_000))
def test_water_is_conserved_and_stays_between_residual_and_saturation(seed):
    rng = np.random.default_rng(seed)
    land = make_land(2, ORCHARD, 100.0, rng)
    weather = make_weather(ORCHARD, 37.6, Period.parse("2021-07-01/2021-07-20"), rng)
    days = list(simulate(land, weather, irrigated=True))
    for before, day in pairwise(days):
        stored = [SURFACE_MM * state.surface + ROOT_MM * state.root for state in (before, day)]
        np.testing.assert_allclose(stored[1] - stored[0], day.gained_mm - day.lost_mm, atol=1e-9)
        assert (day.surface >= land.water.residual - 1e-12).all()
        assert (day.surface <= land.water.saturation + 1e-12).all()


def test_a_cell_is_not_uniform():
    surface = simulate_region(WorldConfig.preset("tiny"), 0).surface
    blocks = surface.reshape(len(surface), 10, 8, 10, 8)
    assert blocks.std(axis=(2, 4)).mean() > 0.003
