"""The picture of a map: drawn in the right place and colours, and honest about what is missing."""

import numpy as np
import pytest
import xarray as xr
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread

from vadose.errors import VadoseError
from vadose.grid import AreaOfInterest, Tile, cell_centres
from vadose.maps import NODATA, Mosaic, map_dataset, picture
from vadose.maps.plotting.extent import PlotExtent
from vadose.maps.plotting.panels import field, flag_combinations, flags
from vadose.maps.plotting.style import COMPLETE, LACKING, MOISTURE, OTHERS, words
from vadose.registry import Quality


def a_map(area: AreaOfInterest | None = None) -> tuple[xr.Dataset, ...]:
    area = area or AreaOfInterest.from_bbox(11.97, 47.0, 12.03, 47.03)
    tiles = area.tiles(16, 0)
    mosaic = Mosaic(area, tiles)
    for tile in tiles:
        lon, lat = cell_centres(tile)
        mosaic.put(tile, 0.2 + np.sin(lat * 300) / 10, 0.03 + 0.0 * lon, np.where(lon % 0.02 > 0.01, 2, 0))
    return mosaic.zones()


def test_a_picture_is_written(tmp_path):
    zones = a_map()
    assert len(zones) == 2
    truth = [zone["soil_moisture"] + 0.01 for zone in zones]
    path = picture(zones, tmp_path / "map.png", title="A map", truth=truth[::-1], notice="SIMULATED")
    image = imread(path)
    alone = imread(picture(zones, tmp_path / "alone.png", title="A map"))
    assert image.shape[0] > 1.4 * alone.shape[0]
    assert image.shape[1] == alone.shape[1]
    assert [file.name for file in sorted(tmp_path.iterdir())] == ["alone.png", "map.png"]


def test_the_notice_is_in_the_picture(tmp_path):
    zones = a_map()
    plain, marked = (imread(picture(zones, tmp_path / f"{n}.png", title="t", notice=n)) for n in ("", "SIMULATED"))
    top = slice(0, 100)
    assert (plain[top] != marked[top]).any()
    np.testing.assert_array_equal(plain[150:], marked[150:])


def test_a_cell_is_drawn_where_it_lies_and_north_is_up():
    tile = Tile(32632, 1600, 19000, 4, 4)
    mean = np.zeros((4, 4))
    mean[0, 3] = 1.0  # the north-eastern cell
    zone = map_dataset(tile.cells, mean, mean, np.zeros((4, 4), int))
    ground = PlotExtent.of([zone])
    figure = Figure(figsize=(4, 4), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    field(axes, ground, [mean], "gray", (0, 1))
    axes.set_aspect("auto")
    axes.set_axis_off()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., 0]
    assert pixels[50, 350] == 255
    assert pixels[50, 50] == pixels[350, 350] == pixels[350, 50] == 0
    west, south, east, north = ground.bounds
    lon, lat = cell_centres(tile)
    assert west < lon.min() < lon.max() < east
    assert south < lat.min() < lat.max() < north
    assert ground.height == pytest.approx(1, abs=0.03)


def test_a_map_over_the_antimeridian_is_not_torn():
    ground = PlotExtent.of(a_map(AreaOfInterest.from_bbox(179.97, -17.0, -179.97, -16.97)))
    west, _, east, _ = ground.bounds
    assert 0.05 < east - west < 0.08


def test_large_maps_are_thinned():
    tile = Tile(32632, 0, 19000, 3100, 2)
    ground = PlotExtent.of([map_dataset(tile.cells, *[np.zeros((2, 3100))] * 2, np.zeros((2, 3100), int))])
    assert ground.step == 3
    assert ground.subsample(np.zeros((2, 3100))).shape == tuple(n - 1 for n in ground.corners[0][0].shape)


def test_flags_have_names_and_shares():
    quality = np.full((10, 10), NODATA, np.uint32)
    quality[:5] = 0
    quality[5:8] = Quality.SENTINEL2_MISSING
    quality[8] = Quality.SENTINEL2_MISSING | Quality.SMAP_MISSING
    found = flag_combinations([quality])
    assert [lack.text for lack in found] == ["nothing (56%)", "no Sentinel-2 (33%)", "no Sentinel-2, no SMAP (11%)"]
    assert [lack.colour for lack in found] == [COMPLETE, *LACKING[:2]]
    assert words(int(Quality.HISTORY_SHORT)) == "short history"
    assert words(1 << 25) == "unknown flags 33554432"
    assert {words(flag.value) for flag in Quality}.isdisjoint({"nothing"})


def test_rare_combinations_share_a_colour():
    quality = np.repeat(np.arange(1, 21, dtype=np.uint32), 5).reshape(10, 10)
    found = flag_combinations([quality])
    assert len(found) == len(LACKING)
    tile = Tile(32632, 1600, 19000, 10, 10)
    axes = Figure().add_subplot()
    ground = PlotExtent.of([map_dataset(tile.cells, quality, quality, quality)])
    flags(axes, ground, [quality], found)
    (mesh,) = axes.collections
    colours = mesh.to_rgba(mesh.get_array())
    black = (np.asarray(colours).reshape(10, 10, 4)[..., :3] == 0).all(axis=2)
    assert black.sum() == (20 - len(LACKING)) * 5
    assert OTHERS == "#000000"


def test_moisture_is_darker_where_it_is_wetter_for_every_eye():
    luminance = colormaps[MOISTURE](np.linspace(0, 1, 64))[:, :3] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) < 0).all()


def test_no_map_and_a_truth_elsewhere_are_refused(tmp_path):
    zones = a_map()
    path = tmp_path / "out" / "map.png"
    with pytest.raises(VadoseError, match="The map has no zone"):
        picture([], path, title="t")
    with pytest.raises(VadoseError, match=r"truth in EPSG:32633.*It is missing"):
        picture(zones, path, title="t", truth=[zones[0]["soil_moisture"]])
    moved = [zone["soil_moisture"].assign_coords(x=zone["x"] + 160) for zone in zones]
    with pytest.raises(VadoseError, match="does not cover the cells of the map"):
        picture(zones, path, title="t", truth=moved)
    assert not path.parent.exists()


def test_a_map_without_estimates_can_be_drawn(tmp_path):
    tile = Tile(32632, 1600, 19000, 7, 7)
    nothing = np.full((7, 7), np.nan)
    zone = map_dataset(tile.cells, nothing, nothing, np.full((7, 7), 127))
    truth = zone["soil_moisture"].fillna(0.3)
    path = picture([zone], tmp_path / "map.png", title="Nothing", truth=[truth])
    assert imread(path).std() > 0
