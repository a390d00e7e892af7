"""Tiles of elevation and land cover in open buckets, as STAC items: their names follow from the place alone.

A tile of the sea is in no bucket; who fetches the items takes a file that is not there for sea.
"""

from collections.abc import Callable, Iterator
from math import ceil, floor
from typing import Any

import shapely

from vadose.grid import AreaOfInterest

Box = tuple[float, float, float, float]
_DEM_ROWS = 3600
_DEM_COLUMNS = {90: 360, 85: 720, 80: 1200, 70: 1800, 60: 2400, 50: 3600}
"""Columns of a tile of Copernicus DEM GLO-30 whose ground lies below a latitude, north or south: towards the poles
pixels are wider (Copernicus DEM Product Handbook, GEO1988-CopernicusDEM-SPE-002)."""
_COVER_DEGREES, _COVER_PIXELS, _COVER_SOUTH, _COVER_NORTH = 3, 36_000, -60, 84
"""Side of a tile of WorldCover, and the latitudes within which there are tiles."""


def copernicus_dem_items(area: AreaOfInterest, base: str) -> tuple[dict[str, Any], ...]:
    """Return an item for each tile of Copernicus DEM GLO-30 over an area, in the order of their names' places.

    Args:
        area: of any size.
        base: address of the bucket, or of a mirror with the same folders.
    """
    return tuple(_dem_item(south, west, base.rstrip("/")) for south, west in _tiles(area, 1, _dem_box))


def worldcover_items(area: AreaOfInterest, base: str) -> tuple[dict[str, Any], ...]:
    """Return an item for each tile of ESA WorldCover 2021 v200 over an area, in the order of their names' places.

    Args:
        area: of any size.
        base: address of the bucket, or of a mirror with the same folders.
    """
    places = _tiles(area, _COVER_DEGREES, _cover_box)
    known = (place for place in places if _COVER_SOUTH <= place[0] < _COVER_NORTH)
    return tuple(_cover_item(south, west, base.rstrip("/")) for south, west in known)


def _tiles(area: AreaOfInterest, side: int, box_of: Callable[[int, int], Box]) -> Iterator[tuple[int, int]]:
    """Yield south and west of the tiles whose pixels an area touches; they may reach over their degrees by a part."""
    found = set()
    for part in shapely.get_parts(area.geometry):
        west, south, east, north = part.bounds
        for row in range(_floor(south, side) - side, ceil(north), side):
            for column in range(_floor(west, side), ceil(east) + side, side):
                within = -90 <= row < 90 and -180 <= column < 180
                if within and part.intersection(shapely.box(*box_of(row, column))).area > 0:
                    found.add((row, column))
    yield from sorted(found)


def _floor(degrees: float, side: int) -> int:
    return floor(degrees / side) * side


def _dem_columns(south: int) -> int:
    farthest = max(abs(south), abs(south + 1))
    return min((limit, columns) for limit, columns in _DEM_COLUMNS.items() if farthest <= limit)[1]


def _dem_box(south: int, west: int) -> Box:
    """West, south, east, north of the pixels: the first one is centred on the north-western corner of the tile."""
    across, down = 0.5 / _dem_columns(south), 0.5 / _DEM_ROWS
    return west - across, south + down, west + 1 - across, south + 1 + down


def _cover_box(south: int, west: int) -> Box:
    return west, south, west + _COVER_DEGREES, south + _COVER_DEGREES


def _dem_item(south: int, west: int, base: str) -> dict[str, Any]:
    name = f"Copernicus_DSM_COG_10_{_latitude(south)}_00_{_longitude(west)}_00_DEM"
    asset = {"href": f"{base}/{name}/{name}.tif", "title": name[22:-4]}
    properties = {"datetime": "2021-04-22T00:00:00Z", "platform": "tandem-x", "gsd": 30}
    shape = (_DEM_ROWS, _dem_columns(south))
    return _item("cop-dem-glo-30", name, _dem_box(south, west), shape, properties, {"data": asset})


def _cover_item(south: int, west: int, base: str) -> dict[str, Any]:
    name = f"ESA_WorldCover_10m_2021_v200_{_latitude(south)}{_longitude(west)}"
    asset = {"href": f"{base}/v200/2021/map/{name}_Map.tif", "raster:bands": [{"nodata": 0}]}
    properties = {
        "datetime": None,
        "start_datetime": "2021-01-01T00:00:00Z",
        "end_datetime": "2021-12-31T23:59:59Z",
        "esa_worldcover:product_version": "2.0.0",
    }
    shape = (_COVER_PIXELS, _COVER_PIXELS)
    return _item("esa-worldcover", name, _cover_box(south, west), shape, properties, {"map": asset})


def _latitude(degrees: int) -> str:
    return f"{'N' if degrees >= 0 else 'S'}{abs(degrees):02d}"


def _longitude(degrees: int) -> str:
    return f"{'E' if degrees >= 0 else 'W'}{abs(degrees):03d}"


def _item(
    collection: str, name: str, box: Box, shape: tuple[int, int], properties: dict[str, Any], assets: dict[str, Any]
) -> dict[str, Any]:
    west, south, east, north = box
    transform = [(east - west) / shape[1], 0.0, west, 0.0, -(north - south) / shape[0], north]
    raster = {
        "type": "image/tiff; application=geotiff; profile=cloud-optimized",
        "roles": ["data"],
        "proj:shape": list(shape),
        "proj:transform": transform,
    }
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "collection": collection,
        "bbox": list(box),
        "geometry": shapely.geometry.mapping(shapely.box(*box)),
        "links": [],
        "properties": properties | {"proj:epsg": 4326},
        "assets": {key: raster | asset for key, asset in assets.items()},
    }
