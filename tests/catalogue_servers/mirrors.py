"""Items as other catalogues have them: simulated ones at Earth Search, and real ones moved to loopback."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from catalogue_servers.stac import Item

COLLECTION = "sentinel-2-c1-l2a"
BANDS = {
    "B02": "blue",
    "B03": "green",
    "B04": "red",
    "B05": "rededge1",
    "B06": "rededge2",
    "B07": "rededge3",
    "B08": "nir",
    "B8A": "nir08",
    "B11": "swir16",
    "B12": "swir22",
    "SCL": "scl",
}
"""Keys of Earth Search by those of the Planetary Computer."""
_NAME = re.compile(r"(S2[A-Z])_MSIL2A_(\d{8}T\d{6})_(R\d{3})_T(\w{5})_(\d{8}T\d{6})")


def at_earth_search(item: Item, folder: Path, address: str) -> Item | None:
    """Describe an item of the Planetary Computer as Earth Search does.

    Args:
        item: Item of `sentinel-2-l2a` with relative addresses of its assets.
        folder: Its folder, from which sizes and checksums are taken.
        address: Where the folder is served.

    Returns:
        The item, or None if its name is not that of a product.
    """
    match = _NAME.fullmatch(item["id"])
    if match is None:
        return None
    platform, sensed, orbit, tile, generated = match.groups()
    baseline = str(item["properties"]["s2:processing_baseline"])
    properties = {
        **item["properties"],
        "platform": f"sentinel-{platform[1:].lower()}",
        "grid:code": f"MGRS-{tile}",
        "s2:product_uri": f"{platform}_MSIL2A_{sensed}_N{baseline.replace('.', '')}_{orbit}_T{tile}_{generated}.SAFE",
    }
    assets = {
        BANDS[key]: _asset(key, asset, folder, address, 0.0 if baseline < "04.00" else -0.1)
        for key, asset in item["assets"].items()
        if key in BANDS
    }
    name = f"{platform}_T{tile}_{sensed}_L2A"
    return {**item, "id": name, "collection": COLLECTION, "properties": properties, "assets": assets}


def _asset(key: str, asset: Mapping[str, Any], folder: Path, address: str, offset: float) -> dict[str, Any]:
    content = (folder / asset["href"]).read_bytes()
    band = {"nodata": 0, "data_type": "uint8"} if key == "SCL" else {"nodata": 0, "data_type": "uint16"}
    scaling = {} if key == "SCL" else {"scale": 0.0001, "offset": offset}
    return {
        **asset,
        "href": f"{address}/{asset['href'].removeprefix('./')}",
        "raster:bands": [{**band, **scaling}],
        "file:size": len(content),
        "file:checksum": f"1220{hashlib.sha256(content).hexdigest()}",
    }


def moved(item: Item, address: str) -> Item:
    """Move the assets of a real item to a server: the account or host becomes the first part of the path."""
    assets = {key: {**asset, "href": _moved(str(asset["href"]), address)} for key, asset in item["assets"].items()}
    return {**item, "assets": assets}


def _moved(href: str, address: str) -> str:
    parts = urlsplit(href)
    if not parts.hostname:
        return f"{address}/{href.removeprefix('./').lstrip('/')}"
    return f"{address}/{parts.hostname.removesuffix('.blob.core.windows.net')}/{parts.path.lstrip('/')}"
