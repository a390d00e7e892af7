"""Addresses of STAC."""

from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import FileResponse

from vadose.io.files import parse_json
from vadose.serving import stac
from vadose.serving.answers import base, body, json_answer
from vadose.serving.catalogue import ITEM_ID, MapItem, ServedMap
from vadose.serving.limits import LIMITS, RequestError
from vadose.serving.service import Service
from vadose.serving.tiling import Datetime, Name

ItemName = Annotated[str, Path(pattern=f"^{ITEM_ID}$")]


def add_stac(app: APIRouter, service: Service) -> None:
    """Add the addresses of STAC."""
    catalogue = service.catalogue

    @app.get("/collections", summary="The maps.", tags=["STAC"])
    def collections(request: Request) -> Response:
        address = base(request)
        links = [
            {"rel": "self", "href": f"{address}collections", "type": "application/json"},
            {"rel": "root", "href": address, "type": "application/json"},
        ]
        held = [stac.collection(served, address) for served in catalogue.maps]
        return json_answer(request, {"collections": held, "links": links, "numberMatched": len(held)})

    @app.get("/collections/{collection}", summary="A map.", tags=["STAC"])
    def collection(request: Request, collection: Name) -> Response:
        return json_answer(request, stac.collection(catalogue[collection], base(request)))

    @app.get("/collections/{collection}/items", summary="Times and zones of a map.", tags=["STAC"])
    def items(
        request: Request,
        collection: Name,
        limit: Annotated[int, Query(ge=1, le=LIMITS.items)] = 10,
        bbox: Annotated[str | None, Query(max_length=200)] = None,
        datetime: Datetime = None,
        page: Annotated[str | None, Query(max_length=20)] = None,
    ) -> Response:
        asked = {"limit": limit, "bbox": bbox, "datetime": datetime, "page": page}
        catalogue[collection]
        found = stac.search(catalogue, base(request), asked | {"collections": [collection]})
        address = f"{base(request)}collections/{collection}"
        found["links"].append({"rel": "collection", "href": address, "type": "application/json"})
        return json_answer(request, stac.with_pages(found, f"{address}/items", asked), "application/geo+json")

    @app.get("/collections/{collection}/items/{item}", summary="A time and zone of a map.", tags=["STAC"])
    def item(request: Request, collection: Name, item: ItemName) -> Response:
        served = catalogue[collection]
        return json_answer(request, stac.item(served, _item_of(served, item), base(request)), "application/geo+json")

    @app.get("/collections/{collection}/items/{item}/assets/{asset}", summary="A file of a map.", tags=["STAC"])
    def asset(
        collection: Name,
        item: ItemName,
        asset: Annotated[str, Path(pattern=r"^[a-z_]{1,40}$")],
    ) -> Response:
        held = _item_of(catalogue[collection], item)
        if asset not in held.assets:
            raise RequestError(404, "serve: a file of a map", "The item has none such", "See its assets")
        media = str(held.content["assets"][asset].get("type", "application/octet-stream"))
        return FileResponse(held.assets[asset], media_type=media, filename=held.assets[asset].name)

    @app.get("/search", summary="Search of items.", tags=["STAC"])
    def search(
        request: Request,
        collections: Annotated[str | None, Query(max_length=2000)] = None,
        ids: Annotated[str | None, Query(max_length=8000)] = None,
        bbox: Annotated[str | None, Query(max_length=200)] = None,
        intersects: Annotated[str | None, Query(max_length=8000)] = None,
        datetime: Datetime = None,
        limit: Annotated[int, Query(ge=1, le=100_000)] = 10,
        page: Annotated[str | None, Query(max_length=20)] = None,
    ) -> Response:
        shape = parse_json(intersects, "serve: intersects", "Give a geometry of GeoJSON") if intersects else None
        asked = {
            "collections": collections,
            "ids": ids,
            "bbox": bbox,
            "intersects": shape,
            "datetime": datetime,
            "limit": limit,
            "page": page,
        }
        found = stac.search(catalogue, base(request), asked)
        given = asked | {"intersects": intersects}
        whole = stac.with_pages(found, f"{base(request)}search", given)
        return json_answer(request, whole, "application/geo+json")

    @app.post("/search", summary="Search of items by JSON.", tags=["STAC"])
    async def search_by_post(request: Request) -> Response:
        asked = body(await request.body())
        found = await anyio.to_thread.run_sync(stac.search, catalogue, base(request), asked)
        page = stac.with_pages(found, f"{base(request)}search", asked, post=True)
        return json_answer(request, page, "application/geo+json")


def _item_of(served: ServedMap, name: str) -> MapItem:
    if name not in served.by_id:
        raise RequestError(404, "serve: an item", f"The map {served.id} has none such", "Search its items")
    return served.by_id[name]
