"""Assignment of STAC assets to bands: by key, by metadata, or by file name."""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

REFLECTANCES = {
    "B02": ("B02", "B02_10m", "blue"),
    "B03": ("B03", "B03_10m", "green"),
    "B04": ("B04", "B04_10m", "red"),
    "B08": ("B08", "B08_10m", "nir"),
    "B11": ("B11", "B11_20m", "swir16"),
    "B12": ("B12", "B12_20m", "swir22"),
}
CLASSES = {"scl": ("SCL", "SCL_20m", "scl")}

_RASTER = re.compile(r"\.(tiff?|jp2)$", re.IGNORECASE)
_SIZE = re.compile(r"(?<![\d.])(10|20|60) ?m(?![a-z])", re.IGNORECASE)
_TITLES = MappingProxyType({"scl": re.compile(r"scene class\w*cation|\bSCL\b", re.IGNORECASE)})


def asset_of(band: str, keys: Iterable[str], assets: Mapping[str, Any]) -> str | None:
    """Return the key of the asset of a band; None if the item has none.

    The order of the criteria: keys of known catalogues; the same keys in other case or with a suffix (`scl-jp2`); the
    band that the asset names in `eo:bands` or `bands`; its title; the name of its file. Of several assets, the one with
    the smallest stated pixel size is used.
    smallest stated pixel counts.

    Args:
        band: as in `Asset`.
        keys: keys of known catalogues, the best first.
        assets: assets of the item.
    """
    keys = tuple(keys)
    exact = next((key for key in keys if key in assets), None)
    if exact is not None:
        return exact
    rasters = {key: asset for key, asset in assets.items() if isinstance(asset, Mapping) and _is_raster(asset)}
    names = tuple(dict.fromkeys(key.lower() for key in (band, *keys)))
    for matches in (_by_key, _by_band, _by_title, _by_file):
        found = [key for key, asset in rasters.items() if matches(band, names, key, asset)]
        if found:
            return min(found, key=lambda key: (_pixel(key, rasters[key]), key))
    return None


def _is_raster(asset: Mapping[str, Any]) -> bool:
    roles = asset.get("roles")
    shown = isinstance(roles, list) and {"thumbnail", "overview", "visual"} & {str(role) for role in roles}
    return not shown and bool(_RASTER.search(_file(asset)) or "geotiff" in str(asset.get("type")).lower())


def _file(asset: Mapping[str, Any]) -> str:
    try:
        return urlsplit(str(asset.get("href"))).path.rpartition("/")[2]
    except ValueError:
        return ""


def _by_key(_band: str, names: tuple[str, ...], key: str, _asset: Mapping[str, Any]) -> bool:
    bare = re.sub(r"[-_](jp2|cog|tiff?)$", "", key.lower())
    return bare in names or re.sub(r"[-_]\d0m$", "", bare) in names


def _by_band(_band: str, names: tuple[str, ...], _key: str, asset: Mapping[str, Any]) -> bool:
    stated = asset.get("eo:bands") or asset.get("bands")
    if not isinstance(stated, list) or len(stated) != 1 or not isinstance(stated[0], Mapping):
        return False
    words = (stated[0].get(name) for name in ("name", "common_name", "eo:common_name"))
    return any(str(word).lower() in names for word in words)


def _by_title(band: str, _names: tuple[str, ...], _key: str, asset: Mapping[str, Any]) -> bool:
    pattern = _TITLES.get(band)
    return bool(pattern and pattern.search(str(asset.get("title") or "")))


def _by_file(band: str, _names: tuple[str, ...], _key: str, asset: Mapping[str, Any]) -> bool:
    return bool(re.search(rf"(?<![a-z0-9])(?<!local_){re.escape(band)}(?![a-z0-9])", _file(asset), re.IGNORECASE))


def _pixel(key: str, asset: Mapping[str, Any]) -> float:
    """Return the pixel size stated in an asset, m; infinite if not stated."""
    for stated in (asset.get("gsd"), *_SIZE.findall(f"{key} {asset.get('title')} {_file(asset)}".replace("_", " "))):
        try:
            return float(stated)
        except (TypeError, ValueError):
            continue
    return float("inf")
