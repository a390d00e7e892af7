"""Orbit numbers of simulated items obey the missions' formulas and lie where real ones do."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadose.simulation.config import WorldConfig
from vadose.simulation.orbit import SENTINEL_1, SENTINEL_2, flown_by
from vadose.simulation.sentinel1 import radar_scenes
from vadose.simulation.sentinel2 import optical_scenes
from vadose.simulation.simulator import RegionSimulator

BY_NAME = {satellite.name: satellite for satellite in (*SENTINEL_1, *SENTINEL_2)}
REAL = [
    ("S1A", "2014-10-31T09:59:45", 3072, 25),
    ("S1A", "2021-08-09T17:40:05", 39156, 59),
    ("S1A", "2025-03-12T05:22:49", 58267, 95),
    ("S1B", "2016-11-21T01:09:37", 3050, 49),
    ("S2A", "2024-04-02T17:52:57", 45855, 98),
    ("S2A", "2020-06-15T06:06:41", 26014, 134),
    ("S2B", "2024-03-31T18:02:54", 36918, 141),
    ("S2B", "2020-03-22T07:46:09", 15891, 135),
]
"""Satellite, time, absolute and relative orbit as items of Planetary Computer, Earth Search and CDSE state them."""
CONFIG = WorldConfig.preset("tiny")
moments = st.datetimes(pd.Timestamp("2018-01-01").to_pydatetime(), pd.Timestamp("2023-12-31").to_pydatetime())


@pytest.mark.parametrize(("name", "time", "absolute", "relative"), REAL)
def test_a_real_moment_has_the_orbit_that_its_item_states(name, time, absolute, relative):
    satellite, moment = BY_NAME[name], pd.Timestamp(time)
    assert satellite.absolute(moment) == absolute
    assert satellite.relative(moment) == relative


@given(moments)
def test_the_relative_orbit_of_sentinel_1_is_as_esa_states_it(moment):
    time = pd.Timestamp(moment)
    for satellite, first in zip(SENTINEL_1, (73, 27), strict=True):
        assert satellite.relative(time) == (satellite.absolute(time) - first) % 175 + 1


@given(moments, st.sampled_from([SENTINEL_1, SENTINEL_2]))
def test_a_cycle_later_the_track_is_the_same_and_the_number_a_cycle_higher(moment, pair):
    time, first = pd.Timestamp(moment), pair[0]
    later = time + pd.Timedelta(days=first.cycle_days)
    assert first.relative(later) == first.relative(time)
    assert first.absolute(later) == first.absolute(time) + first.cycle_orbits
    assert 1 <= first.relative(time) <= first.cycle_orbits


@given(moments, st.sampled_from([SENTINEL_1, SENTINEL_2]))
def test_the_second_of_a_pair_flies_half_a_cycle_behind_on_the_same_track(moment, pair):
    time, (first, second) = pd.Timestamp(moment), pair
    half = pd.Timedelta(days=first.cycle_days // 2)
    near = {second.relative(time + half + pd.Timedelta(minutes=minutes)) for minutes in (-2, 2)}
    assert first.relative(time) in near


def test_looks_between_two_of_one_satellite_are_the_others():
    assert [flown_by(SENTINEL_1, days).name for days in (0, 6, 12, 18)] == ["S1A", "S1B", "S1A", "S1B"]
    assert [flown_by(SENTINEL_2, days).name for days in (0, 5, 10, 15)] == ["S2A", "S2B", "S2A", "S2B"]
    assert {flown_by(SENTINEL_1, days).name for days in range(0, 120, 12)} == {"S1A"}


@pytest.mark.parametrize("often", [1, 2])
def test_items_state_their_orbits_alike_in_name_and_properties(often):
    config = CONFIG.model_copy(update={"radar_days": 12 // often, "sentinel2_revisit_days": 10 // often})
    natures = [RegionSimulator.random(config, number) for number in range(len(config.regions))]
    names = set()
    for simulator in natures:
        found = list(radar_scenes(simulator, config))
        by_orbit = {one.orbit.state: set() for one in found}
        for one in found:
            number = one.satellite.absolute(one.start)
            by_orbit[one.orbit.state].add(one.satellite.relative(one.start))
            assert one.name.startswith(one.satellite.name)
            assert int(one.name.split("_")[6]) == number
        assert all(len(numbers) == 1 for numbers in by_orbit.values())
        pictures = list(optical_scenes(simulator, config))
        assert len({look.satellite.relative(look.time) for look in pictures}) == 1
        assert {look.name[:3] for look in pictures} == ({"S2A"} if often == 1 else {"S2A", "S2B"})
        for look in pictures:
            assert f"_R{look.satellite.relative(look.time):03d}_T{look.mgrs}_" in look.name
        names |= {one.name for one in found} | {look.name for look in pictures}
    assert len(names) == sum(len(list(radar_scenes(n, config))) + len(list(optical_scenes(n, config))) for n in natures)
    assert len({next(optical_scenes(simulator, config)).mgrs for simulator in natures}) == len(natures)
