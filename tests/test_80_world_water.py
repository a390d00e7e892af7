"""The simulated weather and soil water: climates come out as asked, water is conserved, soils stay in their bounds."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import plain_ground
from vadose.grid import Period
from vadose.simulation.climates import DESERT, HUMID, SAVANNA, TAIGA
from vadose.simulation.config import REGIONS, WorldConfig
from vadose.simulation.fields import Locations
from vadose.simulation.points import SimulationPoints
from vadose.simulation.simulator import RegionSimulator, steps
from vadose.simulation.water import (
    FOLLOWING_DAYS,
    FUSION_HEAT,
    ROOT_MM,
    SOIL_HEAT,
    SURFACE_MM,
    UNFROZEN,
    WARMED_M,
    Air,
    _drainage,
    ice_share,
    moistness,
    snow_step,
    soil_temperature_step,
)
from vadose.simulation.weather import STEPS, WeatherField, extraterrestrial, hargreaves, persistence

PERIOD = "2020-01-01/2020-07-01"


def simulator(number: int = 0, period: str = PERIOD, seed: int = 0) -> RegionSimulator:
    return RegionSimulator.random(WorldConfig(period=period, seed=seed), number)


def patch(of: RegionSimulator, side: int = 2) -> SimulationPoints:
    box = of.tile.cells.boundingbox
    east, north = np.meshgrid(box.left + 320 * (np.arange(side) + 5.5), box.top - 320 * (np.arange(side) + 5.5))
    return SimulationPoints.cells(east.ravel(), north.ravel())


@settings(max_examples=8, deadline=None)
@given(region=st.integers(0, len(REGIONS) - 1), seed=st.integers(0, 50))
def test_water_is_conserved_in_every_cell(region, seed):
    of = simulator(region, "2020-01-01/2020-03-01", seed)
    places = patch(of)
    land, before = of.terrain.at(places.where), None
    weather = of.skies.at(places.units, places.gathered(land.elevation), 0.0)
    for state, passed in steps(of.region, places, land, weather):
        held = SURFACE_MM * state.surface + ROOT_MM * state.root
        if before is not None:
            change = passed.supply - passed.runoff - passed.evaporated - passed.drained
            assert places.gathered(held - before) == pytest.approx(places.gathered(change), abs=2e-3)
        before = held


@settings(max_examples=8, deadline=None)
@given(region=st.integers(0, len(REGIONS) - 1), seed=st.integers(0, 50))
def test_moisture_stays_between_residual_and_saturation(region, seed):
    of = simulator(region, "2020-01-01/2020-04-01", seed)
    places = patch(of)
    land = of.terrain.at(places.where)
    weather = of.skies.at(places.units, places.gathered(land.elevation), 0.0)
    for state, passed in steps(of.region, places, land, weather):
        for layer in (state.surface, state.root):
            assert (layer >= land.water.residual - 1e-5).all()
            assert (layer <= land.water.saturation + 1e-5).all()
        assert min(part.min() for part in (passed.runoff, passed.evaporated, passed.drained)) >= -1e-4
        assert (state.snow_mm >= 0).all()


def test_a_block_is_the_same_as_its_cells_and_as_any_larger_block():
    of = simulator(period="2020-05-01/2020-05-21")
    whole = of.simulated(SimulationPoints.block(of.tile))
    box = of.tile.cells.boundingbox
    some = of.simulated(SimulationPoints.cells(np.array([box.left + 320 * 5.5]), np.array([box.top - 320 * 3.5])))
    moment = pd.Timestamp("2020-05-13T05:00")
    for name in ("moisture", "leaf_area", "roughness_m", "temperature_c", "root"):
        field = getattr(whole.at(moment), name)[3 * 8 : 4 * 8, 5 * 8 : 6 * 8]
        assert getattr(some.at(moment), name).reshape(8, 8) == pytest.approx(field, rel=1e-3, abs=2e-4)


def test_states_between_steps_lie_on_a_straight_line_and_none_beyond_the_period():
    world = simulator(period="2020-05-01/2020-05-05").simulated(patch(simulator()))
    six, noon = (world.at(pd.Timestamp(f"2020-05-02T{hour}")).moisture for hour in ("06:00", "12:00"))
    assert world.at(pd.Timestamp("2020-05-02T09:00")).moisture == pytest.approx((six + noon) / 2, abs=1e-6)
    assert world.at(pd.Timestamp("2020-05-06")).moisture.shape == world.where.shape
    with pytest.raises(ValueError, match="outside"):
        world.at(pd.Timestamp("2020-05-06T01:00"))


@pytest.mark.parametrize(("climate", "lat"), [(HUMID, 48.0), (DESERT, -34.0), (SAVANNA, -6.0)])
def test_rain_falls_as_often_and_as_much_as_its_climate_says(climate, lat):
    skies = WeatherField.random(climate, 10.0, lat, Period.parse("1990-01-01/2020-01-01"), np.random.default_rng(0))
    here = Locations.points(np.array([500_000.0, 800_000.0]), np.array([5e6, 5e6]))
    rain = skies.at(here, np.zeros(2), 0.0).rain_mm
    wet = rain > 0
    assert wet.mean() == pytest.approx(climate.wet_share, rel=0.15)
    assert rain[wet].mean() == pytest.approx(climate.rain_mm_day, rel=0.1)
    if climate.rain_season == pytest.approx(0.1):
        assert wet[1:][wet[:-1]].mean() == pytest.approx(climate.wet_after_wet, abs=0.05)


def test_rain_is_alike_nearby_and_different_far_away():
    skies = WeatherField.random(HUMID, 10.0, 48.0, Period.parse("2000-01-01/2010-01-01"), np.random.default_rng(1))
    here = Locations.points(np.array([0.0, 3_000.0, 150_000.0]), np.zeros(3))
    rain = skies.at(here, np.zeros(3), 0.0).rain_mm
    near, far = (np.corrcoef(rain[:, 0], rain[:, other])[0, 1] for other in (1, 2))
    assert near > 0.8
    assert far < 0.5


def test_it_is_colder_higher_up_and_in_winter():
    skies = WeatherField.random(TAIGA, 26.6, 67.4, Period.parse("2001-01-01/2004-01-01"), np.random.default_rng(2))
    weather = skies.at(Locations.points(np.zeros(2), np.zeros(2)), np.array([0.0, 1000.0]), 0.0)
    high, low = weather.temperature_c[:, 1], weather.temperature_c[:, 0]
    assert (low - high) == pytest.approx(6.5, abs=1.6)
    month = weather.days.month.to_numpy()
    assert low[month == 1].mean() < -8 < 8 < low[month == 7].mean()


def test_radiation_and_reference_evaporation_are_those_of_fao_56():
    """Example 8: 3 September at 20 degrees south, 32.2 MJ m-2; example 20: July at Lyon, 5.0 mm a day."""
    assert extraterrestrial(np.array([246]), -20.0)[0] == pytest.approx(32.2 * 0.408, rel=0.005)
    july = extraterrestrial(np.array([196]), 45.72)
    assert july[0] == pytest.approx(40.6 * 0.408, rel=0.005)
    assert hargreaves(july, np.array([20.7]), np.array([26.6 - 14.8]))[0] == pytest.approx(5.0, abs=0.1)


def test_persistence_of_rain_gives_the_chance_of_a_wet_day_after_a_wet_one():
    rho = persistence(0.3, 0.6)
    first = np.random.default_rng(0).standard_normal(400_000)
    second = rho * first + np.sqrt(1 - rho**2) * np.random.default_rng(1).standard_normal(400_000)
    threshold = np.quantile(first, 0.7)
    assert (second[first > threshold] > threshold).mean() == pytest.approx(0.6, abs=0.01)
    assert persistence(0.3, 0.2) == 0


def test_drainage_is_the_solution_of_its_equation():
    of = simulator()
    land = of.terrain.at(patch(of).where)
    content = 0.9 * land.water.saturation
    drained = _drainage(content, land, SURFACE_MM, np.ones_like(content))
    small, soil = content.astype(float) * SURFACE_MM, land.water
    for _ in range(36_000):
        small = small - soil.conductivity_mm_h / 6000 * (small / SURFACE_MM / soil.saturation) ** soil.steepness
    assert drained == pytest.approx(content * SURFACE_MM - small, rel=0.01, abs=0.01)


def test_snow_gathers_in_frost_and_melts_by_degree_days():
    def air(rain: float, temperature: float) -> Air:
        return Air(np.array([rain]), np.array([0.0]), np.array([temperature]))

    snow, ground = snow_step(np.array([0.0]), air(5.0, -3.0))
    assert (snow[0], ground[0]) == (5.0, 0.0)
    snow, ground = snow_step(snow, air(0.0, 4.0))
    assert ground[0] == pytest.approx(3.0 * 4 / 4)
    assert snow[0] == pytest.approx(2.0)


def test_water_freezes_below_zero_alone():
    assert ice_share(np.array([5.0, 0.0]))[0] == 0
    assert ice_share(np.array([-0.5, -10.0])) == pytest.approx([0.45, 0.9])


degrees = st.floats(-40, 40)
waters = st.floats(0.02, 0.55)
snows = st.floats(0, 200)


def passed(temperature: float, air: float, snow: float, water: float) -> float:
    return float(soil_temperature_step(*(np.array([part]) for part in (temperature, air, snow, water)))[0])


def joules(temperature: float, water: float) -> float:
    """Heat of the soil above that of thawed soil at 0 degrees, MJ m-2."""
    ice = float(ice_share(np.array(temperature)))
    return SOIL_HEAT * WARMED_M * temperature - FUSION_HEAT * SURFACE_MM / 1000 * water * ice


def frozen_days(water: float, air: float, snow: float = 0.0) -> float:
    """Until half of the water is ice, from one degree above."""
    temperature, steps = 1.0, 0
    while ice_share(np.array(temperature)) < 0.45:
        temperature, steps = passed(temperature, air, snow, water), steps + 1
    return steps / STEPS


@given(degrees, degrees, snows, waters)
def test_soil_comes_nearer_to_the_air_and_never_passes_it(temperature, air, snow, water):
    after = passed(temperature, air, snow, water)
    low, high = sorted((temperature, air))
    assert low - 1e-9 <= after <= high + 1e-9


@given(degrees, degrees, degrees, snows, waters)
def test_warmer_soil_and_warmer_air_leave_warmer_soil(one, other, air, snow, water):
    cold, warm = sorted((one, other))
    assert passed(cold, air, snow, water) <= passed(warm, air, snow, water) + 1e-9
    assert passed(air, cold, snow, water) <= passed(air, warm, snow, water) + 1e-9


@given(degrees, degrees, snows, waters)
def test_the_heat_that_passes_is_that_of_soil_and_of_ice(temperature, air, snow, water):
    """Of soil that holds no water there is no ice: it takes up the same heat."""
    gained = joules(passed(temperature, air, snow, water), water) - joules(temperature, water)
    dry = SOIL_HEAT * WARMED_M * (passed(temperature, air, snow, 0.0) - temperature)
    assert gained == pytest.approx(dry, abs=1e-9)


def test_wet_soil_freezes_and_thaws_more_slowly():
    days = [frozen_days(water, -5.0) for water in (0.05, 0.2, 0.4)]
    assert days[0] < days[1] < days[2]
    assert frozen_days(0.3, -5.0, snow=40.0) > 8 * frozen_days(0.3, -5.0)
    thawing = [-0.9]
    for _ in range(8):
        thawing.append(passed(thawing[-1], 5.0, 0.0, 0.3))
    assert -0.3 < thawing[-1] < 0  # within two days dry soil would be at 3 degrees
    assert passed(-0.9, 5.0, 0.0, 0.0) > 0


def test_the_zero_curtain_lasts_as_long_as_its_latent_heat():
    """Heat of 5 cm with 0.3 m3 m-3 and of a degree, by what 4.5 degrees conduct on average: some three days."""
    latent, capacity = FUSION_HEAT * SURFACE_MM / 1000 * 0.3 * (1 - UNFROZEN), SOIL_HEAT * WARMED_M
    expected = (latent + capacity) / (capacity * 4.5 / FOLLOWING_DAYS)
    temperature, inside = 0.0, 0
    while temperature > -1.0:
        temperature, inside = passed(temperature, -5.0, 0.0, 0.3), inside + 1
    assert inside / STEPS == pytest.approx(expected, rel=0.1)


def test_soil_and_ice_agree_at_every_moment_and_stay_in_the_curtain():
    number = next(number for number, region in enumerate(REGIONS) if region.name == "TAIGA")
    of = simulator(number, "2020-10-01/2021-01-31")
    world = of.simulated(patch(of))
    hours = pd.date_range(world.times[0], world.times[-1], freq="h")
    temperature, frozen = (world.series(hours, name) for name in ("temperature_c", "frozen"))
    assert frozen == pytest.approx(ice_share(temperature))
    assert frozen.max() == pytest.approx(1 - UNFROZEN)
    freezing = ((frozen > 0) & (frozen < 1 - UNFROZEN)).mean(axis=0)
    assert freezing.min() > 0.05  # at least a week of the four months
    liquid = world.series(hours, "liquid")
    assert np.abs(np.diff(liquid, axis=0)[(np.abs(temperature) < 1)[1:]]).max() < 0.08


@pytest.mark.parametrize(
    ("depletion", "available", "allowed"),
    [(0.5, 0.5, 1.0), (0.5, 0.25, 0.5), (0.3, 0.7, 1.0), (0.3, 0.35, 0.5), (0.6, 0.2, 0.5), (0.6, 0.5, 1.0)],
)
def test_transpiration_falls_where_fao_56_lets_it(depletion, available, allowed):
    """Equation 84: Ks = (TAW - Dr) / ((1 - p) TAW), with a depletion Dr of (1 - available) TAW."""
    land = plain_ground.land("grass")
    soil = land.water
    root = soil.wilting + available * (soil.field_capacity - soil.wilting)
    np.testing.assert_allclose(moistness(land, root, depletion), allowed, rtol=1e-6)
