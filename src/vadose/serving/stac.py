"""STAC of the served maps: the items of the files, with addresses of this server."""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import numpy as np
import shapely

from vadose.grid import AreaOfInterest
from vadose.serving.catalogue import Catalogue, MapItem, ServedMap, interval, time_text
from vadose.serving.formats import CUBE_FORMATS, SERIES_FORMATS, edr_parameter
from vadose.serving.geometry import geojson_shapes, require_simple
from vadose.serving.limits import LIMITS, RequestError, require_few

CONFORMS = (
    "https://api.stacspec.org/v1.0.0/core",
    "https://api.stacspec.org/v1.0.0/collections",
    "https://api.stacspec.org/v1.0.0/ogcapi-features",
    "https://api.stacspec.org/v1.0.0/item-search",
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-common-2/1.0/conf/collections",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/tileset",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/tilesets-list",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/png",
    "http://www.opengis.net/spec/ogcapi-edr-1/1.1/conf/core",
    "http://www.opengis.net/spec/ogcapi-edr-1/1.1/conf/collections",
    "http://www.opengis.net/spec/ogcapi-edr-1/1.1/conf/queries",
    "http://www.opengis.net/spec/ogcapi-edr-1/1.1/conf/covjson",
    "http://www.opengis.net/spec/ogcapi-edr-1/1.1/conf/geojson",
    "http://www.opengis.net/spec/ogcapi-edr-1/1.1/conf/oas30",
)
_JSON, _GEOJSON = "application/json", "application/geo+json"
_TRS = 'TIMECRS["DateTime",TDATUM["Gregorian Calendar"],CS[TemporalDateTime,1],AXIS["Time (T)",future]]'
_CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
_QUERIES = {
    "position": ("The series of the cell at a point", "coords=POINT(11.5 48.1)", SERIES_FORMATS),
    "area": ("The series of the mean over a polygon", "coords=POLYGON((...))", SERIES_FORMATS),
    "cube": ("The cells of a box", "bbox=11.4,48.0,11.6,48.2", CUBE_FORMATS),
}


def landing(base: str) -> dict[str, Any]:
    """Return the landing page of STAC, OGC API EDR and OGC API Tiles."""
    links = [
        _link(base, "self", "", _JSON),
        _link(base, "root", "", _JSON),
        _link(base, "conformance", "conformance", _JSON),
        _link(base, "data", "collections", _JSON),
        _link(base, "search", "search", _GEOJSON) | {"method": "GET"},
        _link(base, "search", "search", _GEOJSON) | {"method": "POST"},
        _link(base, "service-desc", "openapi.json", "application/vnd.oai.openapi+json;version=3.1"),
        _link(base, "service-doc", "docs", "text/html"),
        _link(base, "http://www.opengis.net/def/rel/ogc/1.0/tiling-schemes", "tileMatrixSets", _JSON),
    ]
    return {
        "type": "Catalog",
        "stac_version": "1.1.0",
        "id": "vadose",
        "title": "Soil moisture maps",
        "description": "Soil moisture of the top 5 cm on cells of 320 m, with its uncertainty.",
        "conformsTo": list(CONFORMS),
        "links": links,
    }


def collection(served: ServedMap, base: str) -> dict[str, Any]:
    """Return the collection of a map, for STAC and for EDR."""
    own = f"collections/{served.id}"
    links = [
        _link(base, "self", own, _JSON),
        _link(base, "root", "", _JSON),
        _link(base, "parent", "", _JSON),
        _link(base, "items", f"{own}/items", _GEOJSON),
        *(
            _link(base, "data", f"{own}/{name}", "application/prs.coverage+json") | {"title": text}
            for name, (text, _, _) in _QUERIES.items()
        ),
    ]
    first, last = time_text(served.times[0]), time_text(served.times[-1])
    queries = {
        name: {
            "link": {
                "href": f"{base}{own}/{name}?{example}",
                "rel": "data",
                "variables": {
                    "title": text,
                    "query_type": name,
                    "output_formats": list(forms),
                    "default_output_format": "CoverageJSON",
                },
            }
        }
        for name, (text, example, forms) in _QUERIES.items()
    }
    notice = {"vadose:notice": served.notice} if served.notice else {}
    return {
        "type": "Collection",
        "stac_version": "1.1.0",
        "stac_extensions": [],
        "id": served.id,
        "title": served.title,
        "description": " ".join(
            filter(
                None,
                ("Soil moisture on cells of 320 m, with standard deviation, quality flags and ages.", served.notice),
            )
        ),
        "license": "other",
        "keywords": ["soil moisture"],
        "extent": {
            "spatial": {"bbox": [list(served.bbox)], "crs": "CRS84"},
            "temporal": {
                "interval": [[first, last]],
                "values": [f"{first}/{last}"],
                "trs": _TRS,
            },
        },
        "links": links,
        "data_queries": queries,
        "crs": [_CRS84],
        "output_formats": list(dict.fromkeys((*SERIES_FORMATS, *CUBE_FORMATS))),
        "parameter_names": {name: edr_parameter(name) for name in served.layers},
        **notice,
    }


def item(served: ServedMap, held: MapItem, base: str) -> dict[str, Any]:
    """Return an item with addresses of this server."""
    own = f"collections/{served.id}"
    assets = {
        key: {**asset, "href": f"{base}{own}/items/{held.id}/assets/{key}"}
        for key, asset in held.content["assets"].items()
        if key in held.assets
    }
    links = [
        _link(base, "self", f"{own}/items/{held.id}", _GEOJSON),
        _link(base, "collection", own, _JSON),
        _link(base, "parent", own, _JSON),
        _link(base, "root", "", _JSON),
    ]
    return {**held.content, "collection": served.id, "assets": assets, "links": links}


def search(catalogue: Catalogue, base: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the items of a search: collections, ids, bbox, intersects, datetime, limit, page.

    Raises:
        RequestError: a term of the search is invalid (400).
    """
    limit = _limit(asked.get("limit", 10))
    area = _area(asked.get("bbox"), asked.get("intersects"))
    collections = _names(asked.get("collections"))
    ids = _names(asked.get("ids"))
    start = _start(asked.get("page"))
    first, last = interval(_text(asked.get("datetime")))
    found = [
        (served, held)
        for served in catalogue.maps
        if not collections or served.id in collections
        for held in served.by_id.values()
        if (not ids or held.id in ids)
        and first <= held.time <= last
        and (area is None or shapely.intersects(area, held.outline))
    ]
    page = found[start : start + limit]
    return {
        "type": "FeatureCollection",
        "features": [item(served, held, base) for served, held in page],
        "links": [_link(base, "root", "", _JSON)],
        "numberMatched": len(found),
        "numberReturned": len(page),
    } | ({"next": start + limit} if start + limit < len(found) else {})


def with_pages(page: dict[str, Any], address: str, asked: Mapping[str, Any], post: bool = False) -> dict[str, Any]:
    """Return a page with the links of itself and of the next one."""
    following = page.pop("next", None)
    pages = {"self": {**asked}} | ({"next": {**asked, "page": str(following)}} if following is not None else {})
    for rel, body in pages.items():
        given = {key: value for key, value in body.items() if value is not None}
        link: dict[str, Any] = {"rel": rel, "type": _GEOJSON, "href": address}
        if post:
            link |= {"method": "POST", "body": given}
        elif given:
            link["href"] = f"{address}?{urlencode(given)}"
        page["links"].append(link)
    return page


def _link(base: str, rel: str, path: str, kind: str) -> dict[str, Any]:
    return {"rel": rel, "href": f"{base}{path}", "type": kind}


def _limit(given: Any) -> int:
    if isinstance(given, str) and re.fullmatch(r"\d{1,5}", given):
        given = int(given)
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise RequestError(400, "serve: limit", "It is no number of items", f"Give 1 to {LIMITS.items}")
    return min(given, LIMITS.items)


def _start(given: Any) -> int:
    if given is None:
        return 0
    if not re.fullmatch(r"\d{1,9}", str(given)):
        raise RequestError(400, "serve: page", "It is no page of a search", "Follow the link `next`")
    return int(given)


def _names(given: Any) -> frozenset[str]:
    held = given.split(",") if isinstance(given, str) else given or []
    if not isinstance(held, Sequence) or not all(isinstance(one, str) for one in held):
        raise RequestError(400, "serve: identifiers", "They are no list of texts", "Give identifiers")
    require_few(len(held), LIMITS.items, "identifiers", "Search by box and time")
    return frozenset(held)


def _text(given: Any) -> str | None:
    if given is not None and not isinstance(given, str):
        raise RequestError(400, "serve: datetime", "It is no text", "Write 2021-06-01T00:00:00Z/..")
    return given


def _area(bbox: Any, intersects: Any) -> shapely.Geometry | None:
    if bbox is not None and intersects is not None:
        raise RequestError(400, "serve: a search", "It has both bbox and intersects", "Give one of them")
    if bbox is not None:
        return bbox_area(bbox).geometry
    if intersects is None:
        return None
    if not isinstance(intersects, dict):
        raise RequestError(400, "serve: intersects", "It is no geometry of GeoJSON", "Give one (RFC 7946)")
    shapes = [require_simple(shape) for shape in geojson_shapes(intersects)]
    return shapely.GeometryCollection(shapes) if len(shapes) != 1 else shapes[0]


def bbox_area(given: Any) -> AreaOfInterest:
    """Return a box of four or six numbers, as text or list.

    Raises:
        RequestError: it is no box (400).
    """
    parts = given.split(",") if isinstance(given, str) else given
    try:
        numbers = [float(one) for one in parts]
        if len(numbers) == 6:
            numbers = [numbers[at] for at in (0, 1, 3, 4)]
        west, south, east, north = numbers
        if not (np.isfinite(numbers).all() and -90 <= south <= north <= 90):
            raise ValueError("not within latitudes")
        south, north = max(south, -80.0), min(north, 84.0)
        return AreaOfInterest.from_bbox(max(west, -180.0), south, min(east, 180.0), north)
    except (TypeError, ValueError) as error:
        raise RequestError(
            400, "serve: bbox", "It is no box of west, south, east, north in degrees", "Write 11.4,48.0,11.6,48.2"
        ) from error
