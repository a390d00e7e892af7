"""OPERA RTC-S1 of NASA's Common Metadata Repository, as items: each burst beside the static layers of its ground."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import shapely
import shapely.geometry

from vadose.catalogues.cmr import search_records
from vadose.catalogues.demand import Demand
from vadose.catalogues.http import HttpClient
from vadose.catalogues.items import pieces_of
from vadose.catalogues.pieces import Context, Found, regions
from vadose.errors import VadoseError
from vadose.grid import Period, bbox_of, polygons_of
from vadose.sources.left_out import LeftOut, Unfit
from vadose.sources.stac import ALLOWED

STATIC_LAYERS = "vadose:static_layers"
"""Property of an item: the granule that its incidence angle is of."""
_BURST = re.compile(r"OPERA_L2_RTC-S1_(?P<burst>T\d{3}-\d{6}-IW\d)_\d{8}T\d{6}Z_\d{8}T\d{6}Z_S1[A-Z]_30_v[\d.]+")
_STATIC = re.compile(r"OPERA_L2_RTC-S1-STATIC_(?P<burst>T\d{3}-\d{6}-IW\d)_\d{8}_S1[A-Z]_30_v[\d.]+")
_LAYERS = {"VV": "VV", "VH": "VH", "mask": "mask"}
"""Assets of a burst, by the ends of their files' names."""
_STATIC_LAYERS = {"incidence_angle": "incidence_angle", "mask": "mask"}
"""Assets that its static layers add; the angle on the terrain, `local_incidence_angle`, is not read."""
_PREFERRED = "earthdatacloud"
"""Hosts that take a bearer token themselves, before those that redirect to the login."""


def find_opera(context: Context, demand: Demand, source: str) -> Found:
    """Search CMR for bursts and for the static layers of the same ground.

    The catalogue has two collections: bursts, and static layers. A burst without static layers is fetched
    without an incidence angle. Items have the property that allows to read them, as this catalogue is asked only if it
    is named.

    Raises:
        VadoseError: as `search_records`.
    """
    bursts, *others = context.catalogue.collections[source]
    left_out: list[LeftOut] = []
    static: dict[str, Mapping[str, Any]] = {}
    for layers in others:
        for record in _records(context, demand, source, layers, None, _STATIC, left_out):
            burst = _named(_STATIC, record)
            static[burst] = max(static.get(burst, record), record, key=_age)
    contents: dict[str, dict[str, Any]] = {}
    for record in _records(context, demand, source, bursts, demand.periods[source], _BURST, left_out):
        try:
            item = _item(context.client, record, static.get(_named(_BURST, record)), bursts.partition(".")[0])
        except (KeyError, TypeError, ValueError, AttributeError, shapely.errors.ShapelyError) as error:
            left_out.append(_left_out(context, source, record, error))
            continue
        contents[item["id"]] = item
    found = pieces_of(context, demand, source, contents.values())
    return Found(found.pieces, tuple(sorted({*found.left_out, *left_out})))


def _records(
    context: Context,
    demand: Demand,
    source: str,
    collection: str,
    period: Period | None,
    pattern: re.Pattern[str],
    left_out: list[LeftOut],
) -> Iterator[Mapping[str, Any]]:
    """Yield the latest record of each granule over the places of a demand; others by name to `left_out`."""
    short_name, _, version = collection.partition(".")
    held: dict[str, Mapping[str, Any]] = {}
    for area in regions(demand.targets):
        for record in search_records(context.client, context.catalogue.endpoint, short_name, version, period, area):
            try:
                name = str(record["umm"]["GranuleUR"])
                if pattern.fullmatch(name) is None:
                    raise Unfit("not named as a granule", f"opera: {name}", "Its name is not read", "Report it to ASF")
                held[name] = max(held.get(name, record), record, key=_age)
            except (KeyError, TypeError, ValueError) as error:
                left_out.append(_left_out(context, source, record, error))
    yield from (held[name] for name in sorted(held))


def _item(
    client: HttpClient, record: Mapping[str, Any], static: Mapping[str, Any] | None, collection: str
) -> dict[str, Any]:
    """Return the item of a burst.

    Raises:
        KeyError, TypeError, ValueError: the record is not of the form UMM-G.
    """
    umm, name = record["umm"], str(record["umm"]["GranuleUR"])
    span = umm["TemporalExtent"]["RangeDateTime"]
    geometry = _geometry(umm["SpatialExtent"]["HorizontalSpatialDomain"]["Geometry"])
    attributes = {one["Name"]: one["Values"][0] for one in umm.get("AdditionalAttributes", []) if one.get("Values")}
    assets = _assets(client, umm, name, _LAYERS)
    properties = {
        "datetime": span["BeginningDateTime"],
        "start_datetime": span["BeginningDateTime"],
        "end_datetime": span["EndingDateTime"],
        "platform": name.rpartition("_30_v")[0][-3:].replace("S1", "sentinel-1").lower(),
        "sat:relative_orbit": int(name.partition("_T")[2][:3]),
        "sat:orbit_state": str(attributes.get("ASCENDING_DESCENDING", "")).lower(),
        "updated": record["meta"]["revision-date"],
        ALLOWED: True,
    }
    if static is not None:
        layers = str(static["umm"]["GranuleUR"])
        assets = _assets(client, static["umm"], layers, _STATIC_LAYERS) | assets
        properties[STATIC_LAYERS] = f"{layers} revision {static['meta']['revision-id']}"
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "collection": collection,
        "bbox": list(bbox_of(geometry)),
        "geometry": shapely.geometry.mapping(geometry),
        "properties": properties,
        "links": [],
        "assets": assets,
    }


def _assets(
    client: HttpClient, umm: Mapping[str, Any], name: str, layers: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """Return the assets of a granule: https links to allowed hosts that are named after it."""
    found: dict[str, str] = {}
    refused: VadoseError | None = None
    for link in umm.get("RelatedUrls", []):
        url = str(link["URL"])
        file = urlsplit(url).path.rpartition("/")[2]
        key = next((key for key, end in layers.items() if file == f"{name}_{end}.tif"), None)
        if key is None or link.get("Type") != "GET DATA" or urlsplit(url).scheme == "s3":
            continue
        try:
            client.require_allowed(url)
        except VadoseError as error:
            refused = error
            continue
        found[key] = min(found.get(key, url), url, key=lambda one: (_PREFERRED not in one, one))
    if not found and refused is not None:
        raise refused
    return {key: {"href": url, "type": "image/tiff; application=geotiff"} for key, url in sorted(found.items())}


def _geometry(stated: Mapping[str, Any]) -> shapely.Geometry:
    """Return the ground of a burst, which is in parts across the antimeridian."""
    polygons = [
        shapely.Polygon([(point["Longitude"], point["Latitude"]) for point in polygon["Boundary"]["Points"]])
        for polygon in stated["GPolygons"]
    ]
    parts = [part for polygon in polygons for part in polygons_of(shapely.make_valid(polygon))]
    if not parts:
        raise ValueError("it has no ground")
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)


def _named(pattern: re.Pattern[str], record: Mapping[str, Any]) -> str:
    match = pattern.fullmatch(str(record["umm"]["GranuleUR"]))
    return match["burst"] if match else ""


def _age(record: Mapping[str, Any]) -> tuple[str, str, int]:
    """Order records of one granule, or of one burst's static layers: the latest version and change count."""
    version = str(record["umm"]["GranuleUR"]).rpartition("_v")[2]
    return version, str(record["meta"]["revision-date"]), int(record["meta"]["revision-id"])


def _left_out(context: Context, source: str, record: Mapping[str, Any], error: Exception) -> LeftOut:
    umm = record.get("umm")
    name = str(umm.get("GranuleUR") if isinstance(umm, dict) else "a granule without a name")[:200]
    reason = error if isinstance(error, VadoseError) else Unfit(
        "another record",
        f"opera: {name}",
        f"Its record is not of the form UMM-G ({type(error).__name__}: {error})",
        "Report it to the catalogue",
    )  # fmt: skip
    return LeftOut.of(source, name, context.name, reason)
