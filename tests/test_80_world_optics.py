"""The simulated reflectance and its clouds obey what they name, and look as Sentinel-2's scenes do."""

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st

import plain_ground as ground
from vadose.simulation import clouds
from vadose.simulation.clouds import CloudField, make_cloud_field
from vadose.simulation.fields import Locations
from vadose.simulation.land import COVERS
from vadose.simulation.optics import BANDS, bare, brightness, reflectance
from vadose.simulation.radar import vegetation_index
from vadose.simulation.sun import Sun

PROFILES = {
    "soil": (0.096, 0.131, 0.181, 0.216, 0.237, 0.256, 0.267, 0.385, 0.293),
    "crops": (0.029, 0.053, 0.030, 0.080, 0.320, 0.428, 0.438, 0.175, 0.080),
    "forest": (0.017, 0.033, 0.021, 0.058, 0.166, 0.200, 0.215, 0.098, 0.050),
    "water": (0.021, 0.022, 0.009, 0.008, 0.003, 0.004, 0.003, 0.003, 0.003),
}
"""Typical profiles of Sentinel-2 images in the order of `BANDS`, by Esri's Sentinel-2 Explorer
(github.com/Esri/imagery-explorer-apps): bare soil, healthy vegetation, trees, clear water."""
SCENE_BANDS = (2, 3, 4, 5, 6, 7, 8, 11, 12)
"""Of `BANDS` in the files of the real scenes, counted from 1."""

SUN = Sun(150.0, 45.0)

states = st.fixed_dictionaries(
    {"moisture": st.floats(0, 0.55), "leaf_area": st.floats(0, 7), "snow_mm": st.floats(0, 300)}
)


def spectrum(cover, sand=0.4, **state):
    land, now = ground.land(cover, sand), ground.moment(**state)
    return dict(zip(BANDS, (float(np.median(reflectance(band, now, land))) for band in BANDS), strict=True))


def ndvi(seen):
    return (seen["B08"] - seen["B04"]) / (seen["B08"] + seen["B04"])


def sky_of(thickness=0.0, shade=0.0, veil=0.0):
    parts = (thickness, shade, veil)
    return CloudField(*(np.full(ground.SHAPE, part) for part in parts))


@given(st.floats(0.03, 0.5), st.floats(0.03, 0.5), st.floats(0, 7), st.sampled_from(BANDS), st.sampled_from(COVERS))
def test_wetter_soil_is_never_brighter(one, other, leaf_area, band, cover):
    land = ground.land(cover)
    dry, wet = (
        reflectance(band, ground.moment(moisture=water, leaf_area=leaf_area), land) for water in sorted((one, other))
    )
    assert (wet <= dry + 1e-12).all()


@given(states, st.floats(0.04, 0.95), st.sampled_from(BANDS), st.sampled_from(COVERS))
def test_reflectance_is_a_share(state, sand, band, cover):
    seen = reflectance(band, ground.moment(**state), ground.land(cover, sand, 0.04))
    assert ((seen > 0) & (seen < 1)).all()


@pytest.mark.parametrize("kind", PROFILES)
def test_each_kind_of_ground_has_the_profile_of_real_ones(kind):
    if kind == "soil":
        seen = {band: float(bare(band, np.array(0.02), np.array(0.45))) for band in BANDS}
    else:
        seen = spectrum(kind, leaf_area=6.0)
    assert [seen[band] for band in BANDS] == pytest.approx(PROFILES[kind], abs=0.055)


def test_soil_darkens_early_in_the_visible_and_late_in_the_short_wave_infrared():
    full = np.array(0.45)
    for band, least, most in (("B04", 0.85, 1.0), ("B12", 0.5, 0.8)):
        dry, damp, wet = (float(bare(band, np.array(water), full)) for water in (0.0, 0.2, 0.45))
        assert least < (dry - damp) / (dry - wet) < most  # Lobell & Asner 2002: visible saturates near 0.2 m3 m-3
    shares = [float(bare(band, full, full) / bare(band, np.array(0.0), full)) for band in ("B04", "B12")]
    assert 0.4 < shares[0] < 0.6
    assert shares[1] < shares[0]


def test_sand_is_brighter_than_clay():
    assert np.median(brightness(ground.land("bare", sand=0.85, clay=0.05))) > 1.3 * np.median(
        brightness(ground.land("bare", sand=0.1, clay=0.3))
    )


@pytest.mark.parametrize("leaf_area", [0.5, 1.0, 2.0, 4.0, 6.0])
def test_the_radar_and_the_eye_see_the_same_leaves(leaf_area):
    seen = ndvi(spectrum("crops", leaf_area=leaf_area, moisture=0.1))
    assert seen == pytest.approx(float(vegetation_index(leaf_area)), abs=0.1)


def test_a_browned_meadow_is_neither_green_nor_bare():
    green, brown, soil = (
        spectrum(cover, leaf_area=leaves, moisture=0.15)
        for cover, leaves in (("grass", 4.0), ("grass", 0.1), ("bare", 0.1))
    )
    assert ndvi(brown) < 0.35
    assert ndvi(green) > 0.65
    assert brown["B04"] > 2 * green["B04"]
    assert brown["B11"] > soil["B11"]
    assert green["B07"] / green["B05"] > 2.5  # the red edge
    assert brown["B07"] / brown["B05"] < 1.5


def test_woods_are_darker_than_meadows_and_water_is_dark():
    woods, meadow, lake, snow = (
        spectrum("forest", leaf_area=4.0),
        spectrum("grass", leaf_area=4.0),
        spectrum("water"),
        spectrum("grass", snow_mm=60.0),
    )
    assert woods["B08"] < 0.7 * meadow["B08"]
    assert lake["B08"] < 0.05
    assert (snow["B03"] - snow["B11"]) / (snow["B03"] + snow["B11"]) > 0.4  # normalised difference snow index
    assert spectrum("forest", snow_mm=60.0)["B04"] < snow["B04"]


def test_simulated_fields_lie_among_the_pixels_of_real_scenes(real):
    scenes = []
    for scene, offset in (("denmark", 0), ("chile", 1000), ("tanzania", 0)):
        with rasterio.open(real / "scenes" / scene / "s2_l2a.tif") as file:
            scenes.append((file.read(SCENE_BANDS).reshape(len(BANDS), -1).astype(float) - offset) / 10_000)
    low, high = np.percentile(np.concatenate(scenes, axis=1), [1, 99], axis=1)
    covers = [("crops", 0.2), ("crops", 2.0), ("crops", 5.0), ("grass", 0.5), ("grass", 3.0), ("forest", 4.0)]
    for cover, leaves in covers:
        seen = np.array(list(spectrum(cover, leaf_area=leaves).values()))
        assert (seen > low - 0.01).all()
        assert (seen < high).all()


@given(seed=st.integers(0, 10_000), cut=st.integers(1, 39), cover=st.floats(0.1, 0.9))
def test_a_sky_asked_in_two_halves_equals_the_sky_asked_whole(seed, cut, cover):
    whole = ground.places(40, 50, step=120.0)
    parts = [Locations(whole.eastings, rows, gridded=True) for rows in (whole.northings[:cut], whole.northings[cut:])]
    sky, *halves = (make_cloud_field(where, cover, SUN, np.random.default_rng(seed)) for where in (whole, *parts))
    for name in ("thickness", "shade", "veil"):
        joined = np.concatenate([getattr(half, name) for half in halves])
        assert joined == pytest.approx(getattr(sky, name), abs=1e-9)


def test_skies_have_the_cover_of_their_climate_and_are_mostly_clear_or_closed():
    where = Locations(500_000 + 400.0 * np.arange(12), 5_000_000 - 400.0 * np.arange(12), gridded=True)
    skies = [make_cloud_field(where, 0.4, SUN, np.random.default_rng(seed)) for seed in range(500)]
    shares = np.array([sky.cloud.mean() for sky in skies])
    assert shares.mean() == pytest.approx(0.4, abs=0.05)
    assert ((shares < 0.1) | (shares > 0.9)).mean() > 0.5
    cloudy = np.concatenate([sky.thickness[sky.cloud] for sky in skies])
    assert 0.02 < (cloudy <= clouds.UNSEEN).mean() < 0.08
    cirrus = np.concatenate([sky.veil[sky.veil > 0] for sky in skies])
    assert 0.1 < (cirrus <= clouds.CIRRUS_UNSEEN).mean() < 0.35


@pytest.mark.parametrize(
    ("sky", "cover", "state", "found"),
    [
        (sky_of(), "crops", {"leaf_area": 3.0}, clouds.VEGETATION),
        (sky_of(), "bare", {"leaf_area": 0.1}, clouds.BARE),
        (sky_of(), "water", {}, clouds.WATER),
        (sky_of(), "urban", {}, clouds.UNCLASSIFIED),
        (sky_of(), "grass", {"snow_mm": 20.0}, clouds.SNOW),
        (sky_of(thickness=1.0), "crops", {}, clouds.CLOUD),
        (sky_of(thickness=0.2), "crops", {}, clouds.LIKELY_CLOUD),
        (sky_of(thickness=0.05), "crops", {"leaf_area": 3.0}, clouds.VEGETATION),
        (sky_of(shade=0.5), "water", {}, clouds.SHADOW),
        (sky_of(veil=0.5), "crops", {}, clouds.CIRRUS),
        (sky_of(veil=0.1), "crops", {"leaf_area": 3.0}, clouds.VEGETATION),
    ],
)
def test_the_scene_classification_names_what_is_thick_enough_to_see(sky, cover, state, found):
    assert (sky.classes(ground.moment(**state), ground.land(cover)) == found).all()


def test_clouds_are_white_shadows_dark_and_cirrus_thin():
    plain = np.full(ground.SHAPE, 0.05)
    assert sky_of().over(plain) == pytest.approx(plain)
    assert (sky_of(thickness=1.5).over(plain) > 0.6).all()
    assert sky_of(shade=1.0).over(plain) == pytest.approx(0.4 * plain)
    assert ((sky_of(veil=0.5).over(plain) > plain) & (sky_of(veil=0.5).over(plain) < 0.12)).all()
    assert (plain < sky_of(thickness=0.05).over(plain)).all()  # missed edges brighten what is taken for clear


@given(st.floats(0, 1), st.floats(0, 4), st.floats(0, 4), st.floats(0, 4))
def test_what_is_seen_through_a_sky_is_a_share(plain, thickness, shade, veil):
    seen = sky_of(thickness=thickness, shade=shade, veil=veil).over(np.full(ground.SHAPE, plain))
    assert ((seen >= 0) & (seen <= 1)).all()
