"""The application: maps by identifiers over HTTP, and the viewer."""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from titiler.core.factory import TMSFactory

from vadose import __version__
from vadose.errors import VadoseError
from vadose.serving import stac
from vadose.serving.answers import base, json_answer, problem
from vadose.serving.guards import App, Guard, content_policy
from vadose.serving.limits import RequestError
from vadose.serving.page import reference_page
from vadose.serving.sensor_routes import add_sensors
from vadose.serving.series_routes import add_series
from vadose.serving.service import ServeSettings, Service
from vadose.serving.stac_routes import add_stac
from vadose.serving.tiling import PREFIX, SUPPORTED, layer_tiles
from vadose.serving.viewer_files import file_answer, viewer_files


def create_app(settings: ServeSettings) -> App:
    """Return the application of some settings, with its guards.

    Raises:
        VadoseError: one of the maps is none.
    """
    service = Service.of(settings)
    app = FastAPI(
        title="vadose: soil moisture maps",
        version=__version__,
        description="STAC, OGC API Tiles and OGC API EDR of finished soil moisture maps.",
        docs_url=None,
        redoc_url=None,
        lifespan=None,
    )
    _handle_errors(app)
    routes = APIRouter()
    _add_pages(app, service)
    add_stac(routes, service)
    add_series(routes, service)
    add_sensors(routes, service)
    app.include_router(routes)
    tiles = layer_tiles(service.catalogue, service.reader.cache)
    app.include_router(tiles.router, prefix=PREFIX, tags=["tiles"])
    app.include_router(TMSFactory(supported_tms=SUPPORTED).router, tags=["tiles"])
    parts = urlsplit(settings.basemap)
    origin = f"{parts.scheme}://{parts.netloc}" if settings.basemap else ""
    return Guard(app, service.catalogue, settings.hosts, settings.token, settings.rate, content_policy(origin))


def _handle_errors(app: FastAPI) -> None:
    @app.exception_handler(VadoseError)
    async def refused(_: Request, error: VadoseError) -> Response:
        known = (
            error if isinstance(error, RequestError) else RequestError(400, error.context, error.problem, error.hint)
        )
        return problem(known)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])[:100]
        return problem(RequestError(400, f"serve: {where}", str(first["msg"])[:300], "See /docs"))

    @app.exception_handler(HTTPException)
    async def unknown(_: Request, error: HTTPException) -> Response:
        return problem(RequestError(error.status_code, "serve: the address", str(error.detail), "See /docs"))


def _add_pages(app: FastAPI, service: Service) -> None:
    viewer = viewer_files()

    @app.get("/", summary="The viewer, or the landing page of STAC and OGC API as JSON.", tags=["pages"])
    async def root(request: Request, f: Annotated[Literal["json", "html"] | None, Query()] = None) -> Response:
        if f == "html" or (f is None and "text/html" in request.headers.get("accept", "") and "index.html" in viewer):
            return file_answer(request, viewer, "index.html")
        return json_answer(request, stac.landing(base(request)))

    @app.get("/viewer/config.json", summary="Maps, times, layers and legends for the viewer.", tags=["pages"])
    def config(request: Request) -> Response:
        return json_answer(request, service.config())

    @app.get("/viewer/{name:path}", include_in_schema=False)
    async def asset(request: Request, name: str) -> Response:
        return file_answer(request, viewer, f"viewer/{name}")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return Response(reference_page(app.openapi()), media_type="text/html; charset=utf-8")

    @app.get("/health", summary="Whether the server answers.", tags=["pages"])
    async def health() -> dict[str, Any]:
        return {"status": "ok", "version": __version__, "maps": len(service.catalogue.paths)}

    @app.get("/conformance", summary="Standards that this server follows.", tags=["STAC"])
    async def conformance() -> dict[str, Any]:
        return {"conformsTo": list(stac.CONFORMS)}
