"""The sun stands where it does, and shadows fall away from it."""

import json

import numpy as np
import pandas as pd
import pytest

import plain_ground as ground
from vadose.simulation.clouds import CLOUD_HEIGHT_M, make_cloud_field
from vadose.simulation.config import REGIONS, WorldConfig
from vadose.simulation.sentinel2 import LOWEST_DEG, optical_scenes
from vadose.simulation.simulator import RegionSimulator
from vadose.simulation.sun import Sun


def test_it_stands_where_the_solar_position_algorithm_has_it():
    """Reda & Andreas, Solar Energy 76:577-589, 2004, their example: azimuth 194.34, zenith 50.11 degrees."""
    sun = Sun.over(-105.1786, 39.742476, pd.Timestamp("2003-10-17T19:30:30"))
    assert sun.azimuth_deg == pytest.approx(194.34, abs=0.4)
    assert sun.zenith_deg == pytest.approx(50.11, abs=0.4)


def test_it_stands_where_real_items_have_it(real):
    """Their time is that of the first line of a datatake, up to some 15 minutes before that of the tile."""
    items = [json.loads(path.read_text()) for path in (real / "stac_items" / "pc" / "sentinel-2-l2a").glob("S2*.json")]
    found = 0
    for item in items:
        ring, told = np.array(item["geometry"]["coordinates"][0]), item["properties"]
        if np.ptp(ring[:, 0]) > 5 or "s2:mean_solar_zenith" not in told:
            continue
        time = pd.Timestamp(told["datetime"]).tz_localize(None)
        sun = Sun.over(*ring[:-1].mean(axis=0)[:2], time)
        assert sun.zenith_deg == pytest.approx(told["s2:mean_solar_zenith"], abs=2)
        assert (sun.azimuth_deg - told["s2:mean_solar_azimuth"] + 180) % 360 - 180 == pytest.approx(0, abs=7)
        found += 1
    assert found


@pytest.mark.parametrize("lat", [52.0, 20.0, -20.0, -38.0])
@pytest.mark.parametrize("day", ["2021-06-21", "2021-12-21", "2021-03-21"])
def test_shadows_fall_west_in_the_morning_and_towards_the_pole(lat, day):
    sun = Sun.over(0.0, lat, pd.Timestamp(f"{day}T10:30"))
    assert sun.elevation_deg > 0
    east, north = sun.towards(1000.0)
    assert east > 0
    assert np.hypot(east, north) == pytest.approx(1000 / np.tan(np.radians(sun.elevation_deg)))
    if abs(lat) > 23.5:
        assert north * lat < 0


@pytest.mark.parametrize("lat", [48.0, -35.0], ids=["north", "south"])
def test_clouds_shade_the_ground_away_from_the_sun(lat):
    sun = Sun.over(0.0, lat, pd.Timestamp("2021-09-01T10:30"))
    where = ground.places(100, 100)
    east, north = (round(part / 40) for part in sun.towards(CLOUD_HEIGHT_M))
    assert east > 0
    assert north * lat < 0
    inner, compared = np.s_[40:60, 40:60], 0
    for seed in range(20):
        sky = make_cloud_field(where, 0.4, Sun(*_exact(east, north)), np.random.default_rng(seed))
        caster, clear = np.roll(sky.thickness, (north, -east), axis=(0, 1))[inner], sky.thickness[inner] == 0
        assert sky.shade[inner][clear] == pytest.approx(caster[clear], abs=1e-9)
        assert (sky.shade[sky.cloud] == 0).all()
        compared += int((caster[clear] > 0).sum())
    assert compared > 100


def _exact(east: int, north: int) -> tuple[float, float]:
    """Azimuth and elevation of a sun that moves shadows by whole pixels."""
    distance = 40 * np.hypot(east, north)
    return float(np.degrees(np.arctan2(east, north)) % 360), float(np.degrees(np.arctan2(CLOUD_HEIGHT_M, distance)))


def test_no_pictures_are_taken_in_the_polar_night():
    number = next(number for number, region in enumerate(REGIONS) if region.lat > 66.6)
    config = WorldConfig(regions=(REGIONS[number],), period="2021-01-01/2021-12-31", sentinel2_revisit_days=5)
    found = list(optical_scenes(RegionSimulator.random(config, 0), config))
    assert {look.time.month for look in found} >= set(range(3, 11))
    assert not [look for look in found if look.time.month == 12 and look.time.day > 15]
    assert min(look.sun.elevation_deg for look in found) >= LOWEST_DEG
