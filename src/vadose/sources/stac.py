"""From the item of a STAC catalogue, each with its own words, to one frozen record."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from vadose.refusal import Refusal
from vadose.sources.radiometry import SCALE, baseline_of, offset_of, product_names
from vadose.sources.records import Asset, Record

SENTINEL1_RTC, SENTINEL2_L2A, SENTINEL2_L1C = "sentinel-1-rtc", "sentinel-2-l2a", "sentinel-2-l1c"
DEM, WORLDCOVER = "dem", "esa-worldcover"

COLLECTIONS = MappingProxyType(
    {
        "sentinel-1-rtc": SENTINEL1_RTC,
        "sentinel1-rtc-aws": SENTINEL1_RTC,
        "sentinel-2-l2a": SENTINEL2_L2A,
        "sentinel-2-c1-l2a": SENTINEL2_L2A,
        "sentinel-s2-l2a": SENTINEL2_L2A,
        "sentinel-s2-l2a-cogs": SENTINEL2_L2A,
        "sentinel-2-l1c": SENTINEL2_L1C,
        "sentinel-s2-l1c": SENTINEL2_L1C,
        "cop-dem-glo-30": DEM,
        "nasadem": DEM,
        "esa-worldcover": WORLDCOVER,
    }
)
"""Product of each collection that is read; a Sentinel-2 item of any other one is known by its type or its name."""

_REFLECTANCES = {
    "B02": ("B02", "B02_10m", "blue"),
    "B03": ("B03", "B03_10m", "green"),
    "B04": ("B04", "B04_10m", "red"),
    "B08": ("B08", "B08_10m", "nir"),
    "B11": ("B11", "B11_20m", "swir16"),
    "B12": ("B12", "B12_20m", "swir22"),
}
_BANDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    SENTINEL1_RTC: {
        "vv": ("vv", "gamma0_vv"),
        "vh": ("vh", "gamma0_vh"),
        "incidence_angle": ("incidence",),
        "annotation": ("schema-product-vv", "schema-product-vh", "product_iw_vv", "product_iw_vh"),
    },
    SENTINEL2_L2A: _REFLECTANCES | {"scl": ("SCL", "SCL_20m", "scl")},
    SENTINEL2_L1C: _REFLECTANCES,
    DEM: {"elevation": ("elevation", "data")},
    WORLDCOVER: {"land_cover": ("map", "ESA_WORLDCOVER_10M_MAP")},
}
_MEASURED = frozenset({"vv", "vh", "elevation", "land_cover", *_REFLECTANCES})


def parse(item: Mapping[str, Any]) -> Record:
    """Read a STAC item, as decoded from JSON.

    Raises:
        Refusal: its collection is none of those that are read, it lacks what a record needs, or it contradicts itself.
    """
    try:
        return _record(item, product_of(item))
    except Refusal:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise Refusal(
            _asked(item),
            f"It is not a whole STAC item ({type(error).__name__}: {error})",
            "Take the item from its catalogue again",
        ) from error


def product_of(item: Mapping[str, Any]) -> str:
    """Product of a STAC item: one of the values of `COLLECTIONS`.

    Raises:
        Refusal: it is none that is read; the message says why.
    """
    product = COLLECTIONS.get(str(item.get("collection")))
    if product:
        return product
    name, properties = str(item.get("id")), item.get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    kind = f"{properties.get('s2:product_type')} {properties.get('sentinel2:product_type')}"
    optical = re.search(r"S2MSI(2A|1C)", kind) or re.match(r"S2[A-Z]_.*L(2A|1C)(?=_|$)", name)
    if optical:
        return SENTINEL2_L2A if optical[1] == "2A" else SENTINEL2_L1C
    radar = re.match(r"S1[A-Z]_\w{2}_(GRD|SLC)", name)
    raise _unread(item, radar[1] if radar else str(properties.get("sar:product_type")))


def _unread(item: Mapping[str, Any], kind: str) -> Refusal:
    if kind in ("GRD", "SLC"):
        return Refusal(
            _asked(item),
            f"It is Sentinel-1 {kind}, in radar geometry, neither calibrated nor corrected for terrain",
            f"Take the same pass from the collection {SENTINEL1_RTC}, or make gamma0 of it with terrain correction",
        )
    return Refusal(
        _asked(item), "Its collection is none of those that are read", f"Take an item of {', '.join(COLLECTIONS)}"
    )


def _record(item: Mapping[str, Any], product: str) -> Record:
    name, properties = _text(item["id"]), item["properties"]
    baseline = baseline_of(name, properties) if product in (SENTINEL2_L2A, SENTINEL2_L1C) else None
    orbit = properties.get("sat:relative_orbit") or _number_after("_R", (name, *product_names(properties)))
    return Record(
        id=name,
        collection=str(item.get("collection") or ""),
        product=product,
        time=_time(properties),
        bbox=_bbox(item["bbox"]),
        epsg=_epsg(properties, item["assets"]),
        assets=_assets(item, product, baseline),
        baseline=baseline,
        platform=str(properties.get("platform") or properties.get("eo:platform") or "").lower(),
        relative_orbit=None if orbit is None else int(orbit),
        orbit_state=str(properties.get("sat:orbit_state") or "").lower() or None,
    )


def _assets(item: Mapping[str, Any], product: str, baseline: str | None) -> tuple[Asset, ...]:
    held = item["assets"]
    keys = {band: next((key for key in keys if key in held), None) for band, keys in _BANDS[product].items()}
    found = tuple(
        _asset(band, held[key], item["properties"], baseline, f"{_asked(item)}, asset {key}")
        for band, key in keys.items()
        if key
    )
    if not any(asset.band in _MEASURED for asset in found):
        raise Refusal(
            _asked(item),
            f"None of its assets ({', '.join(held)}) is a band of {product} that is read",
            f"Take one with any of {', '.join(sorted(_MEASURED & set(keys)))}",
        )
    return found


def _asset(
    band: str, asset: Mapping[str, Any], properties: Mapping[str, Any], baseline: str | None, asked: str
) -> Asset:
    scale, offset = _stated(asset, "scale"), _stated(asset, "offset")
    if band in _REFLECTANCES:
        scale = SCALE if scale is None else scale
        offset = offset_of(offset, baseline, properties, asked)
    return Asset(
        band=band,
        href=_text(asset["href"]),
        scale=1.0 if scale is None else scale,
        offset=offset or 0.0,
        nodata=_stated(asset, "nodata"),
        resolution=_resolution(asset, properties),
    )


def _stated(asset: Mapping[str, Any], name: str) -> float | None:
    """A field of the raster extension: in `raster:bands` in its version 1, in `bands` or the asset in version 2."""
    first = (asset.get("raster:bands") or asset.get("bands") or [{}])[0]
    fields = {key.removeprefix("raster:"): value for key, value in (first | asset).items()}
    value = fields.get(name)
    return None if value is None else float(value)


def _resolution(asset: Mapping[str, Any], properties: Mapping[str, Any]) -> float | None:
    transform = asset.get("proj:transform") or properties.get("proj:transform")
    if transform:
        return abs(float(transform[0]))
    return _stated(asset, "spatial_resolution") or _stated(asset, "gsd")


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError(f"{value!r} is no text")
    return value


def _time(properties: Mapping[str, Any]) -> np.datetime64:
    text = properties.get("datetime") or properties["start_datetime"]
    stamp = pd.Timestamp(str(text))
    if pd.isna(stamp):
        raise ValueError(f"datetime {text!r}")
    utc = stamp.tz_convert("UTC").tz_localize(None) if stamp.tzinfo else stamp
    return utc.as_unit("ns").to_datetime64()


def _bbox(bbox: Any) -> tuple[float, float, float, float]:
    """West, south, east, north of a box of two or three dimensions; half a pixel beyond the map's edge is cut off."""
    half = len(bbox) // 2
    west, south, east, north = (float(bbox[index]) for index in (0, 1, half, half + 1))
    if not (abs(west) < 181 and abs(east) < 181 and -91 < south <= north < 91):
        raise ValueError(f"bbox {bbox}")
    return max(west, -180.0), max(south, -90.0), min(east, 180.0), min(north, 90.0)


def _epsg(properties: Mapping[str, Any], assets: Mapping[str, Any]) -> int | None:
    for fields in (properties, *assets.values()):
        code = fields.get("proj:epsg") or fields.get("eo:epsg") or fields.get("proj:code")
        if code:
            return int(str(code).removeprefix("EPSG:"))
    return None


def _number_after(mark: str, texts: tuple[str, ...]) -> int | None:
    found = (re.search(rf"{mark}(\d{{3}})_", text) for text in texts)
    return next((int(match[1]) for match in found if match), None)


def _asked(item: Mapping[str, Any]) -> str:
    return f"stac: item {item.get('id')!r} of collection {item.get('collection')!r}"
