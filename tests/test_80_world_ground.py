"""The simulated ground: fields without edges, soils by published tables, land cover by its shares."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadose.errors import VadoseError
from vadose.simulation.climates import HUMID, TAIGA, Covers
from vadose.simulation.config import PRESETS, Region, WorldConfig, scattered
from vadose.simulation.fields import Locations, Patches, random_field
from vadose.simulation.ground_maps import require_mapped
from vadose.simulation.land import WATER, Terrain
from vadose.simulation.make import make
from vadose.simulation.soil import hydraulics

SAXTON_RAWLS = {
    "sand": (88, 5, 5, 10, 46, 108.1, 1.43),
    "loamy sand": (80, 5, 5, 12, 46, 96.7, 1.43),
    "sandy loam": (65, 10, 8, 18, 45, 50.3, 1.46),
    "loam": (40, 20, 14, 28, 46, 15.5, 1.43),
    "silt loam": (20, 15, 11, 31, 48, 16.1, 1.38),
    "silt": (10, 5, 6, 30, 48, 22.0, 1.38),
    "sandy clay loam": (60, 25, 17, 27, 43, 11.3, 1.50),
    "clay loam": (30, 35, 22, 36, 48, 4.3, 1.39),
    "silty clay loam": (10, 35, 22, 38, 51, 5.7, 1.30),
    "silty clay": (10, 45, 27, 41, 52, 3.7, 1.26),
    "sandy clay": (50, 40, 25, 36, 44, 1.4, 1.47),
    "clay": (25, 50, 30, 42, 50, 1.1, 1.33),
}
"""Saxton & Rawls 2006, table 3, of 2.5 % organic matter: sand and clay %, wilting point, field capacity and saturation
in % of volume, conductivity in mm an hour, density in g cm-3."""


def where(
    west: float = 500_000, north: float = 5_000_000, width: int = 64, height: int = 64, step: float = 40
) -> Locations:
    return Locations(west + step * np.arange(width), north - step * np.arange(height), gridded=True)


@pytest.mark.parametrize("name", SAXTON_RAWLS)
def test_pedotransfer_gives_the_published_table(name):
    sand, clay, wilting, capacity, saturation, conductivity, density = SAXTON_RAWLS[name]
    soil = hydraulics(sand / 100, clay / 100)
    assert 100 * soil.wilting == pytest.approx(wilting, abs=0.6)
    assert 100 * soil.field_capacity == pytest.approx(capacity, abs=0.6)
    assert 100 * soil.saturation == pytest.approx(saturation, abs=0.9)
    assert soil.conductivity_mm_h == pytest.approx(conductivity, rel=0.06)
    assert soil.bulk_density / 1000 == pytest.approx(density, abs=0.02)


@given(sand=st.floats(0.02, 0.95), clay=st.floats(0.03, 0.58), organic=st.floats(0.5, 6))
def test_water_contents_of_any_soil_are_in_their_order(sand, clay, organic):
    if sand + clay > 0.98:
        return
    soil = hydraulics(sand, clay, organic)
    assert 0 < soil.residual < soil.wilting < soil.field_capacity < soil.saturation < 0.75
    assert soil.conductivity_mm_h > 0
    assert soil.steepness > 3


@given(seed=st.integers(0, 99), column=st.integers(0, 40), row=st.integers(0, 40))
def test_a_field_is_the_same_whichever_window_or_point_asks(seed, column, row):
    field, patches = random_field(np.random.default_rng(seed), 12_000, 80, 2.2), Patches(300, seed)
    whole = where()
    window = Locations(whole.eastings[column : column + 9], whole.northings[row : row + 5], gridded=True)
    part = np.s_[row : row + 5, column : column + 9]
    points = Locations.points(*(axis.ravel() for axis in window.mesh))
    assert field.at(window) == pytest.approx(field.at(whole)[part], abs=1e-9)
    assert field.at(points).reshape(window.shape) == pytest.approx(field.at(window), abs=1e-9)
    assert (patches.of(window).ids == patches.of(whole).ids[part]).all()
    assert (patches.of(points).ids.reshape(window.shape) == patches.of(window).ids).all()


def test_a_field_is_standard_normal_and_its_spectrum_falls_as_asked():
    rng = np.random.default_rng(3)
    wide = where(step=190, width=256, height=256)
    fields = [random_field(rng, 12_000, 400, 2.0).at(wide) for _ in range(8)]
    assert np.mean([field.std() for field in fields]) == pytest.approx(1, abs=0.12)
    power = np.mean(
        [np.abs(np.fft.fft2(field * np.outer(np.hanning(256), np.hanning(256)))) ** 2 for field in fields], 0
    )
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(256, 190), np.fft.fftfreq(256, 190)))
    bands = np.geomspace(1 / 9_000, 1 / 700, 7)
    middle = np.sqrt(bands[1:] * bands[:-1])
    mean = [power[(frequency >= low) & (frequency < high)].mean() for low, high in pairwise(bands)]
    assert np.polyfit(np.log(middle), np.log(mean), 1)[0] == pytest.approx(-4.0, abs=0.4)


def test_derivatives_of_a_field_are_those_of_finite_differences():
    field, here = random_field(np.random.default_rng(5), 5_000, 400, 1.8), where(width=20, height=20)
    ahead, behind = field.at(here.moved(1, 0)), field.at(here.moved(-1, 0))
    assert (ahead - behind) / 2 == pytest.approx(field.derived(1, 0).at(here), rel=1e-3, abs=1e-7)
    around = ahead + behind + field.at(here.moved(0, 1)) + field.at(here.moved(0, -1)) - 4 * field.at(here)
    assert around == pytest.approx(field.curvature(here), abs=2e-3 * field.curvature_spread)


def test_patches_are_fields_of_the_asked_size_each_of_one_number():
    found = Patches(300, 7).of(where(width=200, height=200))
    count = len(np.unique(found.ids))
    assert count == pytest.approx((200 * 40 / 300) ** 2, rel=0.12)
    one = found.ids == found.ids[100, 100]
    assert np.ptp(found.normal("x")[one]) == 0
    assert found.normal("x")[one][0] != found.normal("y")[one][0]


@pytest.mark.parametrize("climate", [HUMID, TAIGA], ids=lambda climate: climate.koeppen)
def test_land_cover_has_the_shares_of_its_climate(climate):
    counts = np.zeros(6)
    for seed in range(12):
        terrain = Terrain.random(climate, np.random.default_rng(seed))
        counts += np.bincount(terrain.at(where(step=400, width=60, height=60)).cover.ravel(), minlength=6)
    assert counts / counts.sum() == pytest.approx(np.array(climate.covers.shares), abs=0.06)


def test_water_lies_low_and_hollows_are_wet():
    terrain = Terrain.random(TAIGA, np.random.default_rng(1))
    land = terrain.at(where(step=100, width=150, height=150))
    lakes = land.cover == WATER
    assert lakes.any()
    assert land.elevation[lakes].mean() < land.elevation.mean() - TAIGA.relief_m / 2
    assert np.corrcoef(land.wetness.ravel(), land.elevation.ravel())[0, 1] < -0.3
    assert not land.soil[lakes].any()


def test_shares_of_land_cover_must_add_to_one():
    with pytest.raises(ValueError, match="not to 1"):
        Covers(crops=0.5, grass=0.5, forest=0.5, bare=0, urban=0, water=0)


def test_scattered_regions_are_apart_and_another_place_of_their_climate():
    regions = scattered(4, 6, 16)
    assert len(regions) == 32
    assert len(WorldConfig(regions=regions).regions) == 32
    assert {region.sensors for region in regions} == {6, 1, 2}
    assert regions[0].climate == HUMID
    assert regions[1].climate != HUMID
    assert scattered(4, 6, 16) == regions


@pytest.mark.parametrize(
    ("lon", "lat", "side", "mapped"),
    [
        (25, 82.6, 10, True),
        (25, 83, 10, False),
        (25, 82.5, 400, False),
        (-70, -55.9, 10, True),
        (-70, -58, 10, False),
        (179.9, 0, 10, False),
        (-179.9, 0, 10, False),
        (179.95, 60, 10, True),
    ],
)
def test_a_region_beyond_the_map_of_a_product_is_refused_before_anything_is_written(tmp_path, lon, lat, side, mapped):
    config = WorldConfig(regions=(Region(name="FAR", lon=lon, lat=lat, climate=TAIGA, side_cells=side),))
    if mapped:
        require_mapped("FAR", config.ground(config.regions[0]))
        return
    with pytest.raises(VadoseError, match=r"region FAR.* beyond the map of SoilGrids"):
        make(config, tmp_path / "world")
    assert not (tmp_path / "world").exists()


def test_all_presets_lie_where_every_product_is():
    for config in PRESETS.values():
        for region in config.regions:
            require_mapped(region.name, config.ground(region))
