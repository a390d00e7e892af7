"""STAC catalogue of a map: one item per time and zone, and their collection."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import odc.geo.xr  # noqa: F401  (gives datasets their `.odc`)
import pystac
import rasterio
import shapely
import shapely.geometry
import xarray as xr

from vadose import __version__
from vadose.grid import CELL_M, AreaOfInterest, bbox_of, polygons_of, within_degrees
from vadose.io.files import atomic_write, sha256
from vadose.variables import SOIL_MOISTURE

COLLECTION = "collection.json"
EXTENSIONS = tuple(
    f"https://stac-extensions.github.io/{name}/schema.json"
    for name in ("projection/v2.0.0", "raster/v2.0.0", "file/v2.1.0", "processing/v1.2.0")
)
_COG = "image/tiff; application=geotiff; profile=cloud-optimized"
_TYPES = {".zarr": "application/vnd+zarr", ".nc": "application/x-netcdf", ".png": "image/png"}
_ROLES = {"": ["data"], "_quality": ["metadata", "quality"], "_age": ["metadata"]}
_FINE_ENOUGH = 1e-4
"""Largest deviation of an item's boundary from that of its grid, degrees."""
_SHA2_256 = "1220"
"""Prefix of a SHA-256 in a multihash: its code, and its length of 32 bytes."""


@dataclass(frozen=True, eq=False)
class Scene:
    """Files of one time in one zone.

    Attributes:
        path: soil moisture file, with flags and ages beside it.
        moment: time of the map, UTC.
        zone: its layers.
        picture: picture of that time; None for none.
    """

    path: Path
    moment: np.datetime64
    zone: xr.Dataset
    picture: Path | None = None

    def item(self, made_from: Mapping[str, Any], notice: str) -> pystac.Item:
        """Return the STAC item."""
        grid = self.zone.odc.geobox
        outline = _outline(grid.geographic_extent.json)
        item = pystac.Item(
            id=self.path.stem,
            geometry=shapely.geometry.mapping(outline),
            bbox=list(bbox_of(outline)),
            datetime=_utc(self.moment),
            properties=_processing(made_from, notice)
            | {
                "proj:code": f"EPSG:{self.zone.rio.crs.to_epsg()}",
                "proj:shape": list(grid.shape),
                "proj:transform": list(grid.transform[:6]),
                "proj:bbox": list(grid.boundingbox.bbox),
                "gsd": CELL_M,
            },
            stac_extensions=list(EXTENSIONS),
        )
        for suffix, roles in _ROLES.items():
            file = self.path.with_name(f"{self.path.stem}{suffix}.tif")
            if file.is_file():
                fields = {**_file_fields(file), "bands": _bands(file)}
                asset = pystac.Asset(f"./{file.name}", media_type=_COG, roles=roles, extra_fields=fields)
                item.add_asset(suffix.removeprefix("_") or "soil_moisture", asset)
        if self.picture:
            item.add_asset("picture", _asset(self.picture, ["overview"]))
        return item


def write_catalogue(
    folder: Path,
    area: AreaOfInterest,
    moments: Sequence[np.datetime64],
    scenes: Sequence[Scene],
    cubes: Sequence[Path],
    *,
    made_from: Mapping[str, Any],
    notice: str = "",
) -> Path:
    """Write a STAC collection, and an item per scene, beside the files that they refer to.

    Items have the extensions projection, raster, file (sizes and checksums) and processing; all links are relative, so
    that the folder may be moved.

    Args:
        folder: folder of the files.
        area: area of the map.
        moments: times of the map, in order.
        scenes: files of each time and zone.
        cubes: files of all times together.
        made_from: provenance of the map.
        notice: warning for the map; empty for none.

    Returns:
        The file of the collection.
    """
    collection = pystac.Collection(
        id=f"soil-moisture-{area.name}".lower().replace(" ", "-"),
        title=f"Soil moisture of {area.name}",
        description=(
            f"{SOIL_MOISTURE.long_name} on cells of {CELL_M} m, with standard deviation, flags and ages. {notice}"
        ).strip(),
        extent=pystac.Extent(
            pystac.SpatialExtent([list(area.bbox)]),
            pystac.TemporalExtent([[_utc(moments[0]), _utc(moments[-1])]]),
        ),
        license="other",
        keywords=["soil moisture", "Sentinel-1", "Sentinel-2", "SMAP"],
        stac_extensions=[EXTENSIONS[2]] if cubes else [],
    )
    for path in cubes:
        collection.add_asset(path.stem + path.suffix.replace(".", "_"), _asset(path, ["data"]))
    collection.set_self_href(str(folder / COLLECTION))
    for scene in scenes:
        item = scene.item(made_from, notice)
        item.set_self_href(str(folder / f"{item.id}.json"))
        collection.add_item(item)  # moves it into its own folder
        item.set_self_href(str(folder / f"{item.id}.json"))
        _save(item, folder / f"{item.id}.json")
    _save(collection, folder / COLLECTION)
    return folder / COLLECTION


def _outline(extent: Mapping[str, Any]) -> shapely.Geometry:
    """Return the extent of a grid in degrees, cut at the antimeridian (RFC 7946, section 3.1.9)."""
    parts = [within_degrees(one) for one in polygons_of(shapely.geometry.shape(extent))]
    return shapely.union_all(parts).simplify(_FINE_ENOUGH)


def _save(thing: pystac.STACObject, path: Path) -> None:
    content = thing.to_dict(include_self_link=False, transform_hrefs=False)
    content["links"] = [link | {"href": f"./{Path(link['href']).name}"} for link in content["links"]]
    with atomic_write(path) as temporary:
        pystac.StacIO.default().save_json(str(temporary), content)


def _asset(path: Path, roles: list[str]) -> pystac.Asset:
    fields = _file_fields(path) if path.is_file() else {}
    return pystac.Asset(f"./{path.name}", media_type=_TYPES[path.suffix], roles=roles, extra_fields=fields)


def _file_fields(path: Path) -> dict[str, Any]:
    return {"file:size": path.stat().st_size, "file:checksum": _SHA2_256 + sha256(path)}


def _bands(path: Path) -> list[dict[str, Any]]:
    with rasterio.open(path, driver="GTiff") as file:
        described = zip(file.descriptions, file.dtypes, file.nodatavals, file.units, strict=True)
        return [
            {"name": name, "data_type": kind, "nodata": "nan" if np.isnan(nodata) else int(nodata)}
            | ({"unit": unit} if unit else {})
            | {"raster:sampling": "area", "raster:spatial_resolution": CELL_M}
            for name, kind, nodata, unit in described
        ]


def _processing(made_from: Mapping[str, Any], notice: str) -> dict[str, Any]:
    return {
        "processing:level": "L4",
        "processing:software": {"vadose": __version__},
        "processing:lineage": f"Networks of the experiment {made_from.get('experiment')}. {notice}".strip(),
    }


def _utc(moment: np.datetime64) -> datetime:
    seconds = int(moment.astype("datetime64[s]").astype(np.int64))
    return datetime.fromtimestamp(seconds, UTC)
