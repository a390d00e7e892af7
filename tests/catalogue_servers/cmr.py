"""NASA's Common Metadata Repository: search of granules, paged by the header CMR-Search-After."""

import json
import random
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import shapely
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from catalogue_servers.granules import Record
from catalogue_servers.loopback import LoopbackServer

FILTERS = ("short_name", "version", "provider", "temporal", "bounding_box")
SETTINGS = ("page_size", "page_num", "sort_key")
MOST = 2000


class InvalidSearch(Exception):
    """A search that CMR refuses."""


class CmrServer(LoopbackServer):
    """Search of given records at `/search/granules.umm_json`, by GET or by POST of a form.

    A parameter that is not known here is refused, as CMR does. `sort_key` is accepted and ignored: the order of the
    answers is shuffled by a seed and kept from page to page.

    Attributes:
        records: Records served; may be changed between requests.
        header_on_last_page: Whether the last page with records has the header for a next page, which is then empty.
    """

    def __init__(
        self, records: Iterable[Record], page_limit: int = MOST, seed: int = 0, *, header_on_last_page: bool = True
    ) -> None:
        """Serve records.

        Args:
            records: UMM-G records with their `meta`, such as those of `records_of`.
            page_limit: Most records of one page, whatever page size is asked for; CMR gives what is asked for.
            seed: Order of the answers.
            header_on_last_page: See the class.
        """
        self.records = list(records)
        self.page_limit, self.seed, self.header_on_last_page = page_limit, seed, header_on_last_page
        super().__init__(Starlette(routes=[Route("/search/granules.umm_json", self._search, methods=["GET", "POST"])]))
        self.endpoint = f"{self.url}/search"

    @property
    def searches(self) -> int:
        return self.totals("/search/*").requests

    async def _search(self, request: Request) -> Response:
        text = request.url.query
        if request.method == "POST":
            text = "&".join(part for part in (text, (await request.body()).decode()) if part)
        try:
            wanted = _parameters(text)
            after = request.headers.get("cmr-search-after")
            if after is not None and "page_num" in wanted:
                raise InvalidSearch("page_num is not allowed with search-after")
            matching = [record for record in self._shuffled() if _matches(record, wanted)]
            size = int(wanted.get("page_size", ["10"])[0])
            if not 0 <= size <= MOST:
                raise InvalidSearch(f"page_size must be a number between 0 and {MOST}")
            size = min(size, self.page_limit)
            start = _start(after, matching) if after else (int(wanted.get("page_num", ["1"])[0]) - 1) * size
        except (InvalidSearch, ValueError) as error:
            return JSONResponse({"errors": [str(error)]}, status_code=400)
        return self._page(matching, start, size)

    def _shuffled(self) -> list[Record]:
        order = sorted(self.records, key=lambda record: str(record["meta"]["concept-id"]))
        random.Random(self.seed).shuffle(order)
        return order

    def _page(self, matching: list[Record], start: int, size: int) -> Response:
        page = matching[start : start + size]
        headers = {"CMR-Hits": str(len(matching)), "CMR-Took": "5", "CMR-Request-Id": str(uuid.uuid4())}
        if page and (self.header_on_last_page or start + size < len(matching)):
            headers["CMR-Search-After"] = json.dumps(["loopback", 0, page[-1]["meta"]["concept-id"]])
        return JSONResponse(
            {"hits": len(matching), "took": 5, "items": page},
            headers=headers,
            media_type="application/vnd.nasa.cmr.umm_results+json;version=1.6.6; charset=utf-8",
        )


def _parameters(text: str) -> dict[str, list[str]]:
    given = {name.removesuffix("[]"): values for name, values in parse_qs(text, keep_blank_values=True).items()}
    for name in given:
        if name not in (*FILTERS, *SETTINGS):
            raise InvalidSearch(f"Parameter [{name}] was not recognized.")
    if not any(name in given for name in ("short_name", "provider")):
        raise InvalidSearch("The CMR does not allow querying across granules in all collections.")
    return given


def _start(after: str, matching: list[Record]) -> int:
    """Position behind the record that a header names."""
    last = json.loads(after)[-1]
    names = [record["meta"]["concept-id"] for record in matching]
    if last not in names:
        raise InvalidSearch("The CMR-Search-After header does not fit the search")
    return names.index(last) + 1


def _matches(record: Record, wanted: Mapping[str, list[str]]) -> bool:
    umm = record["umm"]
    own = {
        "short_name": umm["CollectionReference"]["ShortName"],
        "version": umm["CollectionReference"]["Version"],
        "provider": record["meta"]["provider-id"],
    }
    return (
        all(value in wanted[name] for name, value in own.items() if name in wanted)
        and all(_in_time(umm["TemporalExtent"], span) for span in wanted.get("temporal", ()))
        and all(_in_box(umm["SpatialExtent"], box) for box in wanted.get("bounding_box", ()))
    )


def _in_time(extent: Mapping[str, Any], span: str) -> bool:
    """Whether an extent meets a span `begin,end`; either may be empty."""
    begin, _, end = span.partition(",")
    if "SingleDateTime" in extent:
        first = last = _time(extent["SingleDateTime"])
    else:
        first, last = (_time(extent["RangeDateTime"][name]) for name in ("BeginningDateTime", "EndingDateTime"))
    return (not begin or last >= _time(begin)) and (not end or first <= _time(end))


def _in_box(extent: Mapping[str, Any], text: str) -> bool:
    west, south, east, north = (float(part) for part in text.split(","))
    if south > north:
        raise InvalidSearch("The bounding box's south is north of its north")
    spans = [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
    geometry = extent["HorizontalSpatialDomain"]["Geometry"]
    if "GPolygons" in geometry:
        grounds = [
            shapely.Polygon([(point["Longitude"], point["Latitude"]) for point in polygon["Boundary"]["Points"]])
            for polygon in geometry["GPolygons"]
        ]
        return any(ground.intersects(shapely.box(a, south, b, north)) for ground in grounds for a, b in spans)
    return any(
        box["WestBoundingCoordinate"] <= right
        and left <= box["EastBoundingCoordinate"]
        and box["SouthBoundingCoordinate"] <= north
        and south <= box["NorthBoundingCoordinate"]
        for left, right in spans
        for box in geometry["BoundingRectangles"]
    )


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
