"""Land cover: built-up land and open water of ESA WorldCover, whatever the time."""

from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from real_archive import Layer, write_item
from vadose.errors import NoDataError, VadoseError
from vadose.grid import AreaOfInterest, Period, tile_around
from vadose.sources.worldcover import WorldCover

PIXEL = 1 / 12_000
CORNER = Affine(PIXEL, 0, 9.0, 0, -PIXEL, 46.0)
ANY = Period.parse("1990-01-01")
AREA = AreaOfInterest.from_tile(tile_around(9.02, 45.98, 4), "chip")
TOWN, LAKE, CROPS, NOTHING = 50, 80, 40, 0


def cover(west: int = TOWN, east: int = LAKE) -> Layer:
    """One class in the west, another one in the east, and a strip of crops without data between them."""
    values = np.full((600, 600), CROPS, np.uint8)
    values[:, :200], values[:, 260:] = west, east
    values[:, 250:260] = NOTHING
    return Layer(values, "EPSG:4326", CORNER, None)


def write(archive: Path, layer: Layer, edition: str = "2021_v200") -> Path:
    name = f"ESA_WorldCover_10m_{edition}_N45E009"
    return write_item(archive, "esa-worldcover", name, f"{edition[:4]}-01-01T00:00:00Z", {"map": layer})


def test_classes_become_parts_of_the_ground_that_tell_their_place(tmp_path):
    write(tmp_path, cover())
    (found,) = WorldCover(tmp_path).open(AREA, ANY)
    column = ((found["x"].values - 9.0) / PIXEL).astype(int)
    built, water = (found[name].values for name in ("built_up", "open_water"))
    assert built.dtype == np.float32 and found["built_up"].attrs["units"] == "1"
    missing = (column >= 250) & (column < 260)
    assert np.isnan(built[:, missing]).all() and np.isnan(water[:, missing]).all()
    assert (built[:, ~missing] == (column < 200)[~missing]).all()
    assert (water[:, ~missing] == (column >= 260)[~missing]).all()
    assert {0, 1} == set(np.unique(built[:, ~missing])) == set(np.unique(water[:, ~missing]))


def test_the_latest_edition_comes_first(tmp_path):
    write(tmp_path, cover(west=CROPS), "2020_v100")
    write(tmp_path, cover(), "2021_v200")
    assert ["2021" in part.attrs["item"] for part in WorldCover(tmp_path).open(AREA, ANY)] == [True, False]


def test_nothing_and_damage_are_told_apart(tmp_path):
    with pytest.raises(NoDataError, match="esa-worldcover"):
        WorldCover(tmp_path).open(AREA, ANY)
    folder = write(tmp_path, cover())
    for path in folder.parent.rglob("*.tif"):
        path.write_bytes(b"no raster")
    with pytest.raises(VadoseError):
        WorldCover(tmp_path).open(AREA, ANY)
