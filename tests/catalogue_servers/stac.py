"""STAC API: root, conformance, collections, items, search by GET and POST, pages linked by `next`."""

import json
import random
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

import shapely
import shapely.geometry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from catalogue_servers.loopback import LoopbackServer

Item = dict[str, Any]
CONFORMANCE = [
    "https://api.stacspec.org/v1.0.0/core",
    "https://api.stacspec.org/v1.0.0/collections",
    "https://api.stacspec.org/v1.0.0/item-search",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
]
GEOJSON = "application/geo+json"


class StacServer(LoopbackServer):
    """Catalogue of given items.

    The order of the answers is shuffled by a seed and kept from page to page. `sortby`, `fields`, `query` and `filter`
    are ignored, as some catalogues do.

    Attributes:
        items: Items as they are served, by collection and id; items may be added, replaced and removed between
            requests.
        searches: Number of searches, their further pages included.
    """

    def __init__(
        self,
        items: Iterable[Mapping[str, Any]],
        page_size: int = 5,
        seed: int = 0,
        next_style: Literal["body", "merge", "get"] = "body",
        path: str = "/api/stac/v1",
    ) -> None:
        """Serve items below `path`.

        Args:
            items: STAC items; links are replaced by those of this server, `derived_from` is rewritten to it.
            page_size: Most items of one page, whatever limit is asked for.
            seed: Order of the answers.
            next_style: How the next page is asked for: by POST with the whole body, by POST with a token to merge
                into the body, or by GET, as for searches by GET.
            path: Path of the root below the address of the server.
        """
        self.page_size, self.seed, self.next_style, self.path = page_size, seed, next_style, path
        super().__init__(
            Starlette(
                routes=[
                    Route(path, self._root),
                    Route(f"{path}/", self._root),
                    Route(f"{path}/conformance", self._conformance),
                    Route(f"{path}/collections", self._collections),
                    Route(f"{path}/collections/{{collection}}", self._collection),
                    Route(f"{path}/collections/{{collection}}/items", self._search),
                    Route(f"{path}/collections/{{collection}}/items/{{item}}", self._item),
                    Route(f"{path}/search", self._search, methods=["GET", "POST"]),
                ]
            )
        )
        self.root = f"{self.url}{path}"
        self.items: dict[tuple[str, str], Item] = {}
        for item in items:
            self.add(item)

    @property
    def searches(self) -> int:
        return self.totals(f"{self.path}/search").requests

    def add(self, item: Mapping[str, Any]) -> None:
        """Add an item, or replace the one of its collection and id."""
        own = json.loads(json.dumps(item))
        collection, name = own["collection"], own["id"]
        at = f"{self.root}/collections/{collection}"
        derived = [
            {**link, "href": self._rewritten(link["href"])} for link in own["links"] if link["rel"] == "derived_from"
        ]
        own["links"] = [
            _link("collection", at),
            _link("parent", at),
            _link("root", f"{self.root}/"),
            _link("self", f"{at}/items/{name}", GEOJSON),
            *derived,
        ]
        self.items[collection, name] = own

    def remove(self, collection: str, name: str) -> None:
        del self.items[collection, name]

    def _rewritten(self, address: str) -> str:
        """Address of an item of another catalogue, as one of this."""
        return f"{self.root}/collections{urlsplit(address).path.partition('/collections')[2]}"

    def _root(self, request: Request) -> Response:
        return JSONResponse(
            {
                "type": "Catalog",
                "stac_version": "1.0.0",
                "id": "loopback",
                "description": "Catalogue on loopback",
                "conformsTo": CONFORMANCE,
                "links": [
                    _link("self", f"{self.root}/"),
                    _link("root", f"{self.root}/"),
                    _link("data", f"{self.root}/collections"),
                    _link("conformance", f"{self.root}/conformance"),
                    {**_link("search", f"{self.root}/search", GEOJSON), "method": "GET"},
                    {**_link("search", f"{self.root}/search", GEOJSON), "method": "POST"},
                ],
            }
        )

    def _conformance(self, request: Request) -> Response:
        return JSONResponse({"conformsTo": CONFORMANCE})

    def _collections(self, request: Request) -> Response:
        names = sorted({collection for collection, _ in self.items})
        return JSONResponse(
            {
                "collections": [self._described(name) for name in names],
                "links": [_link("self", f"{self.root}/collections"), _link("root", f"{self.root}/")],
            }
        )

    def _collection(self, request: Request) -> Response:
        name = request.path_params["collection"]
        if name not in {collection for collection, _ in self.items}:
            return _not_found()
        return JSONResponse(self._described(name))

    def _described(self, name: str) -> dict[str, Any]:
        at = f"{self.root}/collections/{name}"
        return {
            "type": "Collection",
            "stac_version": "1.0.0",
            "id": name,
            "description": name,
            "license": "proprietary",
            "extent": {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}},
            "links": [
                _link("self", at),
                _link("root", f"{self.root}/"),
                _link("parent", f"{self.root}/"),
                _link("items", f"{at}/items", GEOJSON),
            ],
        }

    def _item(self, request: Request) -> Response:
        item = self.items.get((request.path_params["collection"], request.path_params["item"]))
        return JSONResponse(item, media_type=GEOJSON) if item else _not_found()

    async def _search(self, request: Request) -> Response:
        try:
            wanted = await _wanted(request)
            chosen = [item for item in self._shuffled() if _matches(item, wanted)]
            start = int(str(wanted.get("token", "next:0")).removeprefix("next:"))
            count = min(int(wanted.get("limit", 10)), self.page_size)
        except (KeyError, TypeError, ValueError) as error:
            return JSONResponse({"code": "RequestValidationError", "description": str(error)}, status_code=400)
        page = chosen[start : start + count]
        links = [_link("root", f"{self.root}/"), _link("self", str(request.url), GEOJSON)]
        if start + count < len(chosen):
            links.append(self._next(request, wanted, f"next:{start + count}"))
        body = {"type": "FeatureCollection", "features": page, "links": links, "numberReturned": len(page)}
        return JSONResponse(body, media_type=GEOJSON)

    def _shuffled(self) -> list[Item]:
        order = sorted(self.items)
        random.Random(self.seed).shuffle(order)
        return [self.items[key] for key in order]

    def _next(self, request: Request, wanted: Mapping[str, Any], token: str) -> dict[str, Any]:
        if request.method == "GET" or self.next_style == "get":
            fields = {name: _joined(value) for name, value in {**wanted, "token": token}.items()}
            at = request.url.path if request.method == "GET" else f"{self.path}/search"
            return {**_link("next", f"{self.url}{at}?{urlencode(fields)}", GEOJSON), "method": "GET"}
        link = {**_link("next", f"{self.root}/search", GEOJSON), "method": "POST"}
        if self.next_style == "merge":
            return {**link, "body": {"token": token}, "merge": True}
        return {**link, "body": {**wanted, "token": token}, "merge": False}


async def _wanted(request: Request) -> dict[str, Any]:
    if request.method == "POST":
        wanted = await request.json()
        if not isinstance(wanted, dict):
            raise TypeError("The body is no object")
        return wanted
    parsers: dict[str, Callable[[str], Any]] = {
        "bbox": lambda text: [float(part) for part in text.split(",")],
        "collections": lambda text: text.split(","),
        "ids": lambda text: text.split(","),
        "intersects": json.loads,
    }
    wanted = {name: parsers.get(name, str)(value) for name, value in request.query_params.items()}
    if "collection" in request.path_params:
        wanted["collections"] = [request.path_params["collection"]]
    return wanted


def _joined(value: Any) -> str:
    if isinstance(value, dict):
        return json.dumps(value)
    return ",".join(str(part) for part in value) if isinstance(value, list) else str(value)


def _matches(item: Item, wanted: Mapping[str, Any]) -> bool:
    if wanted.get("collections") and item["collection"] not in wanted["collections"]:
        return False
    if wanted.get("ids") and item["id"] not in wanted["ids"]:
        return False
    if wanted.get("bbox") and not any(_overlap(a, b) for a in _boxes(item["bbox"]) for b in _boxes(wanted["bbox"])):
        return False
    if wanted.get("intersects"):
        own = shapely.geometry.shape(item["geometry"]) if item["geometry"] else shapely.box(*item["bbox"])
        if not own.intersects(shapely.geometry.shape(wanted["intersects"])):
            return False
    return not wanted.get("datetime") or _in_time(item["properties"], wanted["datetime"])


def _boxes(bbox: list[float]) -> list[tuple[float, float, float, float]]:
    """Rectangles of a bounding box of four or six numbers: two where it crosses the antimeridian."""
    west, south, east, north = (*bbox[:2], *bbox[len(bbox) // 2 :][:2])
    if west <= east:
        return [(west, south, east, north)]
    return [(west, south, 180.0, north), (-180.0, south, east, north)]


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]


def _in_time(properties: Mapping[str, Any], interval: str) -> bool:
    """Whether an item's time, or its span of times, meets an interval; both ends belong to it."""
    since, _, until = interval.partition("/") if "/" in interval else (interval, "/", interval)
    own = properties.get("datetime")
    first, last = (own, own) if own else (properties["start_datetime"], properties["end_datetime"])
    late_enough = since in ("", "..") or _time(last) >= _time(since)
    return late_enough and (until in ("", "..") or _time(first) <= _time(until))


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _link(rel: str, href: str, kind: str = "application/json") -> dict[str, Any]:
    return {"rel": rel, "type": kind, "href": href}


def _not_found() -> Response:
    return JSONResponse({"code": "NotFoundError", "description": "No such item"}, status_code=404)
