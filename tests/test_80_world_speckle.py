"""Speckle has the distribution and the correlation of the real product, and no seams."""

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from vadose.grid import PIXELS_PER_CELL, Tile
from vadose.simulation.speckle import LOOKS, speckle

KEY = np.array([5, 2**63 + 1], np.uint64)
TILE = Tile(32632, 1500, 16_000, 20, 20)


def alike(field, east: int, north: int) -> float:
    """Correlation of a field with itself so many pixels away."""
    height, width = field.shape
    one, other = field[north:, east:], field[: height - north, : width - east]
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def test_it_is_gamma_distributed_with_the_products_looks():
    for noise in speckle(TILE, KEY):
        assert noise.mean() == pytest.approx(1, abs=0.01)
        assert 1 / noise.var() == pytest.approx(LOOKS, rel=0.03)
        apart = noise[::8, ::8].ravel().astype(float)
        assert stats.kstest(apart, stats.gamma(LOOKS, scale=1 / LOOKS).cdf).pvalue > 0.001


@pytest.mark.parametrize("metres", [10, 20, 30])
def test_it_is_alike_over_two_pixels_by_the_width_of_a_points_image(metres):
    for noise in speckle(TILE, KEY):
        for width, found in ((20, alike(noise, metres // 10, 0)), (22, alike(noise, 0, metres // 10))):
            assert found == pytest.approx(np.exp(-2 * np.log(2) * (metres / width) ** 2), abs=0.03)


def test_bands_and_images_are_strangers():
    vv, vh = speckle(TILE, KEY)
    other, _ = speckle(TILE, KEY + np.uint64(1))
    for stranger in (vh, other):
        assert abs(np.corrcoef(vv.ravel(), stranger.ravel())[0, 1]) < 0.02


@settings(max_examples=15, deadline=None)
@given(
    west=st.integers(0, 18), north=st.integers(0, 18), columns=st.integers(1, 2), rows=st.integers(1, 2),
    epsg=st.sampled_from((32632, 32755)),
)  # fmt: skip
def test_a_block_is_the_same_alone_and_in_a_larger_one(west, north, columns, rows, epsg):
    whole = Tile(epsg, TILE.west, TILE.north, TILE.columns, TILE.rows)
    part = Tile(epsg, TILE.west + west, TILE.north - north, columns, rows)
    inside = tuple(
        slice(PIXELS_PER_CELL * start, PIXELS_PER_CELL * (start + size))
        for start, size in ((north, rows), (west, columns))
    )
    for alone, together in zip(speckle(part, KEY), speckle(whole, KEY), strict=True):
        np.testing.assert_array_equal(alone, together[inside])


def test_real_even_ground_is_speckled_alike(real):
    """The most even windows of 24 x 24 pixels of the scenes, their slope taken away."""
    side, (rows, columns) = 24, (axis.ravel() / 24 for axis in np.mgrid[:24, :24])
    plane, found = np.stack([np.ones(side**2), rows, columns], axis=1), []
    for scene in ("denmark", "chile", "tanzania"):
        with rasterio.open(real / "scenes" / scene / "s1_rtc.tif") as file:
            power = 10 ** (file.read(1).astype(float) / 10)
        windows = [power[y : y + side, x : x + side] for y in range(0, 200, 16) for x in range(0, 200, 16)]
        evened = [
            window / (plane @ np.linalg.lstsq(plane, window.ravel(), rcond=None)[0]).reshape(side, side)
            for window in windows
        ]
        found += [[alike(even, 1, 0), alike(even, 2, 0)] for even in sorted(evened, key=np.std)[:10]]
    ours, _ = speckle(TILE, KEY)
    assert np.median(found, axis=0) == pytest.approx([alike(ours, 1, 0), alike(ours, 2, 0)], abs=0.08)
