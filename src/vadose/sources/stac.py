"""Reading of STAC items, in the dialects of several catalogues, as `SceneItem`."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import shapely
import shapely.geometry

from vadose.errors import VadoseError
from vadose.registry import SPECS, ItemProduct, View, source_specs
from vadose.sources.assets import REFLECTANCES, asset_of
from vadose.sources.crs import epsg_of
from vadose.sources.left_out import Unfit
from vadose.sources.radiometry import SCALE, baseline_of, offset_of, product_names
from vadose.sources.records import Asset, SceneItem
from vadose.sources.twins import catalogued, generated, published

SENTINEL1_RTC, SENTINEL2_L2A, SENTINEL2_L1C = "sentinel-1-rtc", "sentinel-2-l2a", "sentinel-2-l1c"
SENTINEL1_OPERA = "sentinel-1-opera-rtc"
DEM, WORLDCOVER = "dem", "esa-worldcover"

WINDOW = "vadose:window"
"""Property of an item that is a window of a scene: row, column, rows and columns in its first file. Items of one id
may differ in it; the box, files and grids of each are those of its own pixels."""
SCENE_BBOX = "vadose:scene_bbox"
"""Property of a window: west, south, east, north of its complete scene. It identifies two processings with different
ids as one scene."""
SCENE_GEOMETRY = "vadose:scene_geometry"
"""Property of a window: the ground of its complete scene, GeoJSON in degrees."""
OVERVIEW_M = "vadose:overview_m"
"""Property of a window of overviews: the largest size of their pixels, m. It is read for sparse history only
(`HistorySpec.sparse_m`), and its `WINDOW` counts pixels of the overview."""
ALLOWED = "vadose:allowed"
"""Property that permits reading an item of a product that is read on request only: true."""

ITEM_PRODUCTS: Mapping[str, ItemProduct] = View(
    lambda specs: {product.name: product for spec in specs for product in spec.items}
)
"""Products that are read from items, by name."""
SOURCE_OF: Mapping[str, str] = View(lambda specs: {product.name: spec.name for spec in specs for product in spec.items})
"""Source that reads each product."""
COLLECTIONS: Mapping[str, str] = View(
    lambda specs: {name: product.name for spec in specs for product in spec.items for name in product.collections}
)
"""Product of each collection; a Sentinel-2 item of another collection is recognised by its type or its name."""
_CONVENTIONS = ("measurement_type", "backscatter_measurement", "calibration", "radiometry", "backscatter_convention")
"""Ends of the names of properties that state a convention of backscatter."""
_OTHER_CONVENTION = re.compile(r"(?<![a-z])(sigma|beta)[-_ ]?(0|o|zero|nought|naught)(?![a-z])|[σβ][0⁰]", re.IGNORECASE)
_GAMMA0 = re.compile(r"gamma|γ", re.IGNORECASE)
_LONGEST_OBSERVATION = np.timedelta64(1, "D")
NOT_READ, INVALID, NOT_ALLOWED = "collection is not read", "not a valid STAC item", "read on request alone"


def parse(item: Mapping[str, Any]) -> SceneItem:
    """Read a STAC item, as decoded from JSON.

    Raises:
        Unfit: its collection is not read, required metadata are missing, or it contradicts itself.
    """
    try:
        return _record(item, product_of(item))
    except Unfit:
        raise
    except VadoseError as reason:
        raise Unfit(INVALID, reason.context, reason.problem, reason.hint) from reason
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise Unfit(
            INVALID,
            _asked(item),
            f"It is not a whole STAC item ({type(error).__name__}: {error})",
            "Take the item from its catalogue again",
        ) from error


def product_of(item: Mapping[str, Any]) -> str:
    """Return the product of a STAC item, one of the values of `COLLECTIONS`.

    Raises:
        Unfit: its product is not read.
    """
    product = COLLECTIONS.get(str(item.get("collection")))
    if product:
        return product
    name, properties = str(item.get("id")), _properties(item)
    kind = f"{properties.get('s2:product_type')} {properties.get('sentinel2:product_type')}"
    optical = re.search(r"S2MSI(2A|1C)", kind) or re.match(r"S2[A-Z]_.*L(2A|1C)(?=_|$)", name)
    if optical:
        return SENTINEL2_L2A if optical[1] == "2A" else SENTINEL2_L1C
    radar = re.match(r"S1[A-Z]_\w{2}_(GRD|SLC)", name)
    raise _unread(item, radar[1] if radar else str(properties.get("sar:product_type")))


def require_allowed(item: Mapping[str, Any], product: str) -> None:
    """Verify that an item of a product that is read on request only permits it.

    Raises:
        Unfit: it does not.
    """
    if ITEM_PRODUCTS[product].on_request and _properties(item).get(ALLOWED) is not True:
        raise Unfit(
            NOT_ALLOWED,
            _asked(item),
            f"{product} is read on request alone: it is another product than the one that is usual for its source",
            f'Put the usual product there, or write "{ALLOWED}": true into the properties of its items',
        )


def source_of_item(item: Mapping[str, Any]) -> str:
    """Return the source of an item, read or not, by its collection and name; "" if unknown."""
    product = COLLECTIONS.get(str(item.get("collection")))
    if product:
        return SOURCE_OF[product]
    words = " ".join(
        str(value).lower()
        for value in (item.get("collection"), item.get("id"), _properties(item).get("constellation"))
        if value
    ).replace("_", "-")
    if any(str(key).startswith("sar:") for key in _properties(item)):
        radar = SPECS["sentinel1"].item_words
        return "sentinel1" if radar and radar.search(words) else ""
    return next((spec.name for spec in source_specs() if spec.item_words and spec.item_words.search(words)), "")


def _properties(item: Mapping[str, Any]) -> Mapping[str, Any]:
    properties = item.get("properties")
    return properties if isinstance(properties, Mapping) else {}


def _unread(item: Mapping[str, Any], kind: str) -> Unfit:
    words = f"{item.get('collection')} {item.get('id')}".lower()
    if kind in ("GRD", "SLC") and "rtc" not in words:
        return Unfit(
            f"Sentinel-1 {kind} is not read",
            _asked(item),
            f"It is Sentinel-1 {kind}, in radar geometry, neither calibrated nor corrected for terrain",
            f"Take the same pass from the collection {SENTINEL1_RTC}, or make gamma0 of it with terrain correction",
        )
    return Unfit(
        f"{NOT_READ}: {item.get('collection')}",
        _asked(item),
        "Its collection is none of those that are read",
        f"Take an item of {', '.join(COLLECTIONS)}",
    )


def _record(item: Mapping[str, Any], product: str) -> SceneItem:
    name, properties = _text(item["id"]), item["properties"]
    baseline = baseline_of(name, properties) if product in (SENTINEL2_L2A, SENTINEL2_L1C) else None
    names = product_names(properties)
    orbit = properties.get("sat:relative_orbit") or _orbit_in((name, *names))
    return SceneItem(
        id=name,
        collection=str(item.get("collection") or ""),
        product=product,
        time=_time(properties, product),
        bbox=_bbox(item),
        epsg=_epsg(properties, item["assets"]),
        assets=_assets(item, product, baseline),
        baseline=baseline,
        platform=str(properties.get("platform") or properties.get("eo:platform") or "").lower(),
        relative_orbit=None if orbit is None else int(orbit),
        orbit_state=str(properties.get("sat:orbit_state") or "").lower() or None,
        window=_window(properties.get(WINDOW)),
        scene_bbox=_bbox({"bbox": properties[SCENE_BBOX]}) if properties.get(SCENE_BBOX) else None,
        footprint=_footprint(item, properties),
        cloud_cover=_share(properties.get("eo:cloud_cover")),
        overview_m=_number(properties.get(OVERVIEW_M)),
        generated=generated(name, names, properties),
        catalogued=catalogued(properties),
        published=published(properties),
    )


def _assets(item: Mapping[str, Any], product: str, baseline: str | None) -> tuple[Asset, ...]:
    held, measured = item["assets"], ITEM_PRODUCTS[product].measured
    keys = {band: asset_of(band, keys, held) for band, keys in ITEM_PRODUCTS[product].bands.items()}
    found = tuple(
        _asset(band, held[key], item["properties"], baseline, f"{_asked(item)}, asset {key}")
        for band, key in keys.items()
        if key
    )
    if SOURCE_OF[product] == "sentinel1":
        _require_gamma0(item, [key for band, key in keys.items() if key and band in measured])
    if not any(asset.band in measured for asset in found):
        raise Unfit(
            "no band that is read",
            _asked(item),
            f"None of its assets ({', '.join(held)}) is a band of {product} that is read",
            f"Take one with any of {', '.join(sorted(measured))}",
        )
    if product in (SENTINEL1_RTC, SENTINEL1_OPERA, DEM):
        found = tuple(_with_shape(asset, item["properties"]) if asset.band in measured else asset for asset in found)
    return found


def _require_gamma0(item: Mapping[str, Any], keys: Sequence[str]) -> None:
    """Refuse backscatter of another convention than gamma0, by what the item says of it.

    Raises:
        Unfit: it says so.
    """
    stated = {name: value for name, value in item["properties"].items() if str(name).endswith(_CONVENTIONS)}
    texts = [str(value) for value in stated.values()]
    for key in keys:
        asset = item["assets"][key]
        file = str(asset.get("href")).rpartition("/")[2]
        texts += [key, file, *(str(asset.get(name)) for name in ("title", "description"))]
    other = next((text for text in texts if _OTHER_CONVENTION.search(text) and not _GAMMA0.search(text)), "")
    if other:
        raise Unfit(
            "backscatter is not gamma0",
            _asked(item),
            f"It says '{other[:60]}', while gamma0 with terrain correction is read",
            "Take gamma0 of the same pass, or make it",
        )


def _asset(
    band: str, asset: Mapping[str, Any], properties: Mapping[str, Any], baseline: str | None, asked: str
) -> Asset:
    scale, offset = _stated(asset, "scale"), _stated(asset, "offset")
    states_scale = scale is not None or offset is not None
    if band in REFLECTANCES:
        scale = SCALE if scale is None else scale
        offset = offset_of(offset, baseline, properties, asked)
    scale, offset = 1.0 if scale is None else scale, offset or 0.0
    if not (math.isfinite(scale) and scale > 0 and math.isfinite(offset)):
        raise ValueError(f"scale {scale:g} and offset {offset:g}")
    return _with_shape(
        Asset(
            band=band,
            href=_text(asset["href"]),
            scale=scale,
            offset=offset,
            nodata=_stated(asset, "nodata"),
            resolution=_resolution(asset, properties),
            states_scale=states_scale or band in REFLECTANCES,
            units=str(_field(asset, "unit") or "") or None,
            size=_whole_number(asset.get("file:size")),
            checksum=str(asset.get("file:checksum") or "") or None,
        ),
        asset,
    )


def _with_shape(asset: Asset, fields: Mapping[str, Any]) -> Asset:
    """Return an asset with its grid from `proj:shape` and `proj:transform`, where stated and not yet known."""
    shape, transform = fields.get("proj:shape"), fields.get("proj:transform")
    if asset.shape is None and isinstance(shape, list | tuple) and len(shape) == 2:
        asset = replace(asset, shape=(int(shape[0]), int(shape[1])))
    if asset.transform is None and isinstance(transform, list | tuple) and len(transform) >= 6:
        asset = replace(asset, transform=tuple(float(number) for number in transform[:6]))
    return asset


def _window(stated: Any) -> tuple[int, int, int, int] | None:
    if stated is None:
        return None
    row, column, rows, columns = (_whole_number(number) for number in stated)
    if row is None or column is None or not rows or not columns or min(row, column, rows, columns) < 0:
        raise ValueError(f"{WINDOW} {stated!r}")
    return row, column, rows, columns


def _footprint(item: Mapping[str, Any], properties: Mapping[str, Any]) -> bytes | None:
    """Ground of the whole scene as WKB; None where an item does not say more than a box."""
    stated = properties.get(SCENE_GEOMETRY) if properties.get(WINDOW) else item.get("geometry")
    if not isinstance(stated, Mapping):
        return None
    try:
        shape = shapely.geometry.shape(stated)
    except (shapely.errors.ShapelyError, AttributeError, LookupError, TypeError, ValueError):
        return None
    return None if shape.is_empty or not shape.area or not shape.is_valid else bytes(shapely.to_wkb(shape))


def _share(value: Any) -> float | None:
    """Return a percentage; None for what is none."""
    number = _number(value)
    return number if number is not None and 0 <= number <= 100 else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole_number(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _field(asset: Mapping[str, Any], name: str) -> Any:
    """Return a field of the raster extension: in `raster:bands` in its version 1, in `bands` or the asset in version
    2.
    """
    first = (asset.get("raster:bands") or asset.get("bands") or [{}])[0]
    return {key.removeprefix("raster:"): value for key, value in (first | asset).items()}.get(name)


def _stated(asset: Mapping[str, Any], name: str) -> float | None:
    value = _field(asset, name)
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


def _time(properties: Mapping[str, Any], product: str) -> np.datetime64:
    """Return the time of an item: its `datetime`, else its `start_datetime`; a static product may have none.

    Raises:
        ValueError: there is none, or the item spans more than a day: a composite is not an observation.
    """
    texts = [properties.get(key) for key in ("datetime", "start_datetime", "end_datetime")]
    stated, start, end = (_moment(text) if text else None for text in texts)
    if ITEM_PRODUCTS[product].static:
        return next((time for time in (stated, start, end) if time is not None), np.datetime64(0, "ns"))
    if stated is None and start is not None and end is not None and end - start > _LONGEST_OBSERVATION:
        raise ValueError(f"no datetime, and {texts[1]} to {texts[2]} is a composite, no observation")
    if stated is None and start is None:
        raise ValueError(f"no datetime ({texts[0]!r}) and no start_datetime")
    return stated if stated is not None else start  # type: ignore[return-value]


def _moment(text: Any) -> np.datetime64:
    stamp = pd.Timestamp(str(text))
    if pd.isna(stamp):
        raise ValueError(f"datetime {text!r}")
    utc = stamp.tz_convert("UTC").tz_localize(None) if stamp.tzinfo else stamp
    return utc.as_unit("ns").to_datetime64()


def _bbox(item: Mapping[str, Any]) -> tuple[float, float, float, float]:
    """Return west, south, east, north: of `bbox`, with two or three dimensions, else of the geometry.

    Longitudes of 0 to 360 degrees are converted to -180 to 180; half a pixel beyond a pole or 180 degrees is clipped.
    """
    stated = item.get("bbox")
    bbox = [float(number) for number in stated] if stated else _bounds(item.get("geometry"))
    half = len(bbox) // 2
    west, south, east, north = (bbox[index] for index in (0, 1, half, half + 1))
    if not (-181 < west <= 360 and -181 < east <= 360 and -91 < south <= north < 91):
        raise ValueError(f"bbox {bbox}")
    if max(west, east) >= 181:
        west, east = _unwrapped(west, east)
    return max(west, -180.0), max(south, -90.0), min(east, 180.0), min(north, 90.0)


def _unwrapped(west: float, east: float) -> tuple[float, float]:
    """Convert longitudes of 0 to 360 degrees to -180 to 180; west is greater than east across the antimeridian."""
    if east - west >= 360:
        return -180.0, 180.0
    return tuple(angle - 360 if angle > 180 else angle for angle in (west, east))  # type: ignore[return-value]


def _bounds(geometry: Any) -> list[float]:
    if not isinstance(geometry, Mapping):
        raise ValueError("neither bbox nor geometry")
    try:
        shape = shapely.geometry.shape(geometry)
    except shapely.errors.ShapelyError as error:
        raise ValueError(f"a geometry that is none ({error})") from error
    if shape.is_empty:
        raise ValueError("neither bbox nor geometry")
    return list(shape.bounds)


def _epsg(properties: Mapping[str, Any], assets: Mapping[str, Any]) -> int | None:
    """Return the EPSG code of the horizontal projection; None if no field states one: the raster's then applies."""
    names = ("proj:epsg", "eo:epsg", "proj:code", "proj:wkt2", "proj:projjson")
    stated = (
        fields.get(name) for fields in (properties, *assets.values()) for name in names if isinstance(fields, Mapping)
    )
    return next((code for code in map(epsg_of, filter(None, stated)) if code), None)


def _orbit_in(texts: tuple[str, ...]) -> int | None:
    """Return the relative orbit in the name of a Sentinel-2 product (_R051_) or an OPERA product (_T083-)."""
    found = (re.search(r"(?:_R|_RTC-S1_T)(\d{3})[_-]", text) for text in texts)
    return next((int(match[1]) for match in found if match), None)


def _asked(item: Mapping[str, Any]) -> str:
    return f"stac: item {item.get('id')!r} of collection {item.get('collection')!r}"
