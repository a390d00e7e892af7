"""Copernicus Data Space Ecosystem: STAC API, and its products as JPEG 2000 in S3 storage."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import rasterio

from catalogue_servers.loopback import HOST, start_all, stop_all
from catalogue_servers.s3 import S3Server
from catalogue_servers.stac import Item, StacServer

COLLECTION, BUCKET = "sentinel-2-l2a", "eodata"
ACCESS, SECRET = "loopback-access-key", "loopback-secret-key"
KEYS = ("B02", "B03", "B04", "B08", "B11", "B12", "SCL")
TILE = 128
"""Rows and columns of a tile; of the products 1024."""


class Cdse:
    """Servers of the Sentinel-2 scenes of a simulated archive: a context manager.

    Attributes:
        stac: Catalogue.
        eodata: Storage.
        folder: Folder of the bucket; its files may be replaced while they are served.
    """

    def __init__(self, archive: Path, tile: str, *, table: bool = True) -> None:
        """Write the scenes of a tile as products.

        Args:
            archive: Folder of the simulated archive.
            tile: Of the military grid, such as "54SAB".
            table: Whether codestreams have a table of tile-parts (TLM), as from baseline 05.11 on.
        """
        self._work = tempfile.TemporaryDirectory(prefix="catalogue-servers-")
        self.folder = Path(self._work.name)
        self.stac = StacServer(self._items(archive, tile, table), path="/v1")
        self.eodata = S3Server({BUCKET: self.folder}, {ACCESS: SECRET})

    def __enter__(self) -> Self:
        start_all([self.stac, self.eodata])
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        stop_all([self.stac, self.eodata])
        self._work.cleanup()

    def settings(self) -> dict[str, Any]:
        """The catalogue in the form of vadose's configuration."""
        return {
            "title": "cdse on loopback",
            "kind": "stac",
            "endpoint": self.stac.root,
            "hosts": [HOST],
            "credential": {
                "kind": "s3",
                "endpoint": self.eodata.url,
                "hosts": [f"{HOST}:{self.eodata.port}"],
                "variables": ["CDSE_S3_ACCESS_KEY", "CDSE_S3_SECRET_KEY"],
            },
            "concurrency": {f"{HOST}:{self.eodata.port}": 4},
            "collections": {"sentinel2": [COLLECTION]},
        }

    def _items(self, archive: Path, tile: str, table: bool) -> Iterator[Item]:
        for path in sorted(archive.glob(f"sentinel-2-l2a/*_T{tile}_*/*.json")):
            yield self._item(json.loads(path.read_text()), path.parent, table)

    def _item(self, item: Item, folder: Path, table: bool) -> Item:
        properties = dict(item["properties"])
        baseline = properties.pop("s2:processing_baseline")
        head, orbit, tile, made = item["id"].rsplit("_", 3)
        name = f"{head}_N{baseline.replace('.', '')}_{orbit}_{tile}_{made}"
        offset = -0.1 if baseline >= "04.00" else 0.0
        product = Path("Sentinel-2", "MSI", "L2A", made[:4], made[4:6], made[6:8], f"{name}.SAFE", "GRANULE")
        assets = {}
        for key in KEYS:
            asset = item["assets"][key]
            size = f"{round(asset['gsd'])}m"
            place = product / f"R{size}" / f"{tile}_{made}_{key}_{size}.jp2"
            write_jp2(folder / asset["href"], self.folder / place, table)
            assets[f"{key}_{size}"] = self._asset(key, asset, place, offset)
        return {
            **item,
            "id": name,
            "stac_version": "1.1.0",
            "collection": COLLECTION,
            "properties": self._properties(properties, baseline, name),
            "assets": assets,
        }

    def _properties(self, properties: Mapping[str, Any], baseline: str, name: str) -> dict[str, Any]:
        kept = {key: value for key, value in properties.items() if not key.startswith(("s2:", "proj:"))}
        storage = {"type": "custom-s3", "platform": "https://eodata.dataspace.copernicus.eu"}
        return kept | {
            "processing:version": baseline,
            "product:type": "S2MSI2A",
            "grid:code": f"MGRS-{properties['s2:mgrs_tile']}",
            "_private": {"product_name": f"{name}.SAFE"},
            "auth:schemes": {"s3": {"type": "s3"}, "oidc": {"type": "openIdConnect"}},
            "storage:schemes": {"cdse-s3": storage},
        }

    def _asset(self, key: str, asset: Mapping[str, Any], place: Path, offset: float) -> dict[str, Any]:
        scaling = {} if key == "SCL" else {"raster:scale": 0.0001, "raster:offset": offset}
        named = {} if key == "SCL" else {"bands": [{"name": key}]}
        return {
            "href": f"s3://{BUCKET}/{place}",
            "type": "image/jp2",
            "roles": ["data"],
            "title": asset["title"],
            "gsd": round(asset["gsd"]),
            "nodata": 0,
            "data_type": "uint8" if key == "SCL" else "uint16",
            "proj:code": self._code(self.folder / place),
            **{name: asset[name] for name in ("proj:bbox", "proj:shape")},
            "proj:transform": asset["proj:transform"][:6],
            "file:size": (self.folder / place).stat().st_size,
            "file:local_path": str(Path(*place.parts[6:])),
            "auth:refs": ["s3"],
            "storage:refs": ["cdse-s3"],
            "alternate": {"https": {"href": f"https://download.dataspace.copernicus.eu/{place.name}"}},
            "alternate:name": "S3",
            **named,
            **scaling,
        }

    def _code(self, path: Path) -> str:
        with rasterio.open(path) as dataset:
            return f"EPSG:{dataset.crs.to_epsg()}"


def write_jp2(source: Path, out: Path, table: bool, tile: int = TILE) -> None:
    """Write a raster as JPEG 2000, without loss, in tiles."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(source) as dataset:
        values, profile = dataset.read(1), dataset.profile
    options = {"QUALITY": 100, "REVERSIBLE": "YES", "BLOCKXSIZE": tile, "BLOCKYSIZE": tile, "RESOLUTIONS": 4}
    place = {name: profile[name] for name in ("height", "width", "crs", "transform", "dtype")}
    with rasterio.open(
        out, "w", driver="JP2OpenJPEG", count=1, tiled=True, TLM="YES" if table else "NO", **options, **place
    ) as target:
        target.write(values, 1)
