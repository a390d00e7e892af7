"""Search of STAC APIs: all items of some collections over an area and a period."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

import pystac
from pystac_client import ItemSearch
from pystac_client.stac_api_io import StacApiIO

from vadose.catalogues.http import HttpClient, Unavailable, bare
from vadose.errors import VadoseError
from vadose.grid import AreaOfInterest, Period
from vadose.io.files import parse_json

PAGE = 250
"""Items of a page that is asked for."""
MOST = 100_000
"""Items of one search."""
_LARGEST = 64 << 20


class _Io(StacApiIO):
    """pystac-client's requests, sent by an `HttpClient`."""

    def __init__(self, client: HttpClient) -> None:
        super().__init__(max_retries=None)
        self._client = client
        self._asked = set[str]()

    def request(
        self,
        href: str,
        method: str | None = None,
        headers: dict[str, str] | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> str:
        content = json.dumps(parameters or {}, sort_keys=True).encode()
        asked = f"{method} {href} {content!r}"
        if asked in self._asked:
            raise VadoseError(
                f"catalogues: {bare(href)}", "Its pages lead in a circle", "Report it to the catalogue, or take another"
            )
        self._asked.add(asked)
        accept = {"Accept": "application/geo+json, application/json", **(headers or {})}
        if (method or "GET").upper() == "POST":
            reply = self._client.post(href, content, accept | {"Content-Type": "application/json"}, _LARGEST)
        else:
            query = f"{'&' if urlsplit(href).query else '?'}{urlencode(parameters)}" if parameters else ""
            reply = self._client.get(f"{href}{query}", accept, _LARGEST)
        return reply.body.decode("utf-8", "replace")

    def read_json(self, source: pystac.link.HREF, *args: Any, **kwargs: Any) -> dict[str, Any]:
        page = parse_json(self.read_text(source, *args, **kwargs), "catalogues: a page of a search", "Repeat it later")
        if not isinstance(page, dict) or not isinstance(page.get("features"), list):
            raise Unavailable("catalogues: a page of a search", "It is no list of items", "Repeat it later")
        links = page.get("links")
        page["links"] = [one for one in links if isinstance(one, dict) and "rel" in one] if links else []
        return page


def search_items(
    client: HttpClient, endpoint: str, collections: Sequence[str], area: AreaOfInterest, period: Period | None
) -> tuple[dict[str, Any], ...]:
    """Return the items of some collections that touch an area, whatever the order of the catalogue.

    Args:
        client: may ask the host.
        endpoint: of the STAC API, without `/search`.
        collections: identifiers.
        area: in degrees; in two searches across the antimeridian.
        period: of the observations; None for static products.

    Returns:
        By collection and identifier; an item of several pages or searches once.

    Raises:
        VadoseError: more than 100,000 items, pages in a circle, or as `HttpClient.get`.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for box in _boxes(area):
        for item in _items(client, endpoint, collections, box, period):
            if len(found) >= MOST:
                raise VadoseError(
                    f"catalogues: {bare(endpoint)}",
                    f"More than {MOST:,} items over '{area.name}' in {period}",
                    "Search a smaller area or a shorter period",
                )
            key = (str(item.get("collection")), str(item.get("id")))
            found[key] = min(found.get(key, item), item, key=_newest_first)
    return tuple(found[key] for key in sorted(found))


def read_item(client: HttpClient, url: str) -> Mapping[str, Any]:
    """Read one item, such as the one that another was derived from.

    Raises:
        VadoseError: it is no JSON object, or as `HttpClient.get`.
    """
    item = parse_json(client.get(url, {"Accept": "application/json"}).body, f"catalogues: {bare(url)}", "Try later")
    if not isinstance(item, dict):
        raise Unavailable(f"catalogues: {bare(url)}", "It is no JSON object", "Repeat it later")
    return item


def _items(
    client: HttpClient,
    endpoint: str,
    collections: Sequence[str],
    box: tuple[float, float, float, float],
    period: Period | None,
) -> Iterator[dict[str, Any]]:
    times = None if period is None else "/".join(f"{edge.astype('datetime64[ms]')}Z" for edge in _ends(period))
    search = ItemSearch(
        f"{endpoint.rstrip('/')}/search",
        stac_io=_Io(client),
        method="POST",
        collections=list(collections),
        bbox=box,
        datetime=times,
        limit=PAGE,
        max_items=None,
    )
    for page in search.pages_as_dicts():
        yield from (one for one in page["features"] if isinstance(one, dict) and one.get("collection") in collections)


def _ends(period: Period) -> tuple[Any, Any]:
    return period.start, period.end


def _boxes(area: AreaOfInterest) -> list[tuple[float, float, float, float]]:
    west, south, east, north = area.bbox
    if west <= east:
        return [(west, south, east, north)]
    return [(west, south, 180.0, north), (-180.0, south, east, north)]


def _newest_first(item: Mapping[str, Any]) -> tuple[Any, ...]:
    """Sort the copies of one item: the one that was changed last first, and equal ones by their content."""
    properties = item.get("properties")
    updated = str(properties.get("updated", "")) if isinstance(properties, Mapping) else ""
    return tuple(-ord(letter) for letter in updated), json.dumps(item, sort_keys=True, default=str)
