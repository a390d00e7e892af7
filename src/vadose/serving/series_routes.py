"""Addresses of OGC API EDR: series at points and over polygons, cells of boxes."""

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal

import anyio.to_thread
import numpy as np
import pandas as pd
import shapely
import xarray as xr
from fastapi import APIRouter, Query, Request, Response
from shapely.errors import ShapelyError

from vadose.grid import AreaOfInterest
from vadose.serving import formats, stac
from vadose.serving.answers import answer, body, json_answer
from vadose.serving.catalogue import ServedMap
from vadose.serving.geometry import geojson_shapes, require_simple
from vadose.serving.limits import LIMITS, RequestError
from vadose.serving.series import area_series, cell_at, cube_of, middle_of, outline_of_cell, point_series
from vadose.serving.service import Service
from vadose.serving.styles import styles_of
from vadose.serving.tiling import Datetime, LayerName, Name

SeriesFormat = Annotated[Literal["CoverageJSON", "GeoJSON", "CSV", "NetCDF"], Query(description="Format.")]
CubeFormat = Annotated[Literal["CoverageJSON", "CSV", "NetCDF", "COG"], Query(description="Format.")]
ParameterNames = Annotated[str | None, Query(alias="parameter-name", max_length=400, description="By default all.")]


def add_series(app: APIRouter, service: Service) -> None:
    """Add the addresses of OGC API EDR, and the legends of layers."""
    _add_position(app, service)
    _add_area(app, service)
    _add_cube(app, service)

    @app.get("/collections/{collection}/layers/{layer}/legend", summary="Legend of a layer.", tags=["tiles"])
    def legend(request: Request, collection: Name, layer: LayerName) -> Response:
        styles = styles_of(service.catalogue[collection])
        if layer not in styles:
            raise RequestError(404, "serve: a layer", "There is none such", f"There are {', '.join(styles)}")
        return json_answer(request, styles[layer].legend())


def _add_position(app: APIRouter, service: Service) -> None:
    @app.get("/collections/{collection}/position", summary="Series of the cell at a point.", tags=["EDR"])
    def position(
        request: Request,
        collection: Name,
        coords: Annotated[str, Query(max_length=200, description="POINT(lon lat)")],
        datetime: Datetime = None,
        parameter_name: ParameterNames = None,
        f: SeriesFormat = "CoverageJSON",
    ) -> Response:
        served = service.catalogue[collection]
        point = _wkt(coords)
        if not isinstance(point, shapely.Point) or point.is_empty or not np.isfinite([point.x, point.y]).all():
            raise RequestError(400, "serve: coords", "It is no point", "Write POINT(lon lat) in degrees")
        times = served.times_in(datetime)
        table = _chosen(point_series(service.reader, served, point.x, point.y, times), parameter_name)
        epsg, row, column = cell_at(served, point.x, point.y)
        ring = outline_of_cell(served.grids[epsg], row, column)
        return _series(request, served, table, point, f, {"cell": [ring]})


def _add_area(app: APIRouter, service: Service) -> None:
    def answered(
        request: Request, collection: str, area: AreaOfInterest, datetime: str | None, names: str | None, f: str
    ) -> Response:
        served, shape = service.catalogue[collection], area.geometry
        table = _chosen(area_series(service.reader, served, shape, served.times_in(datetime)), names)
        return _series(request, served, table, shape, f, {})

    @app.get("/collections/{collection}/area", summary="Series of the mean over a polygon.", tags=["EDR"])
    def area(
        request: Request,
        collection: Name,
        coords: Annotated[str, Query(max_length=LIMITS.query_bytes, description="POLYGON((lon lat, …))")],
        datetime: Datetime = None,
        parameter_name: ParameterNames = None,
        f: SeriesFormat = "CoverageJSON",
    ) -> Response:
        held = AreaOfInterest.from_shapes([require_simple(_wkt(coords))], "the polygon", "serve: coords")
        return answered(request, collection, held, datetime, parameter_name, f)

    @app.post("/collections/{collection}/area", summary="Series of the mean over a GeoJSON.", tags=["EDR"])
    async def area_by_post(
        request: Request,
        collection: Name,
        datetime: Datetime = None,
        parameter_name: ParameterNames = None,
        f: SeriesFormat = "CoverageJSON",
    ) -> Response:
        content = body(await request.body())

        def computed() -> Response:
            held = AreaOfInterest.from_shapes(
                map(require_simple, geojson_shapes(content)), "the body", "serve: the body"
            )
            return answered(request, collection, held, datetime, parameter_name, f)

        return await anyio.to_thread.run_sync(computed)


def _add_cube(app: APIRouter, service: Service) -> None:
    @app.get("/collections/{collection}/cube", summary="Cells of a box.", tags=["EDR"])
    def cube(
        request: Request,
        collection: Name,
        bbox: Annotated[str, Query(max_length=200, description="west,south,east,north")],
        datetime: Datetime = None,
        parameter_name: ParameterNames = None,
        zone: Annotated[int | None, Query(description="EPSG code, if the box is in several zones.")] = None,
        f: CubeFormat = "CoverageJSON",
    ) -> Response:
        served = service.catalogue[collection]
        zones = cube_of(service.reader, served, stac.bbox_area(bbox), served.times_in(datetime))
        if zone is None and len(zones) > 1:
            listed = ", ".join(map(str, zones))
            raise RequestError(400, "serve: the cube", f"It is in the zones {listed}", "Name one as `zone`")
        held = zones.get(zone or next(iter(zones)))
        if held is None:
            raise RequestError(404, "serve: the zone", "The box has no cells in it", "Name another zone")
        if parameter_name and f in {"CoverageJSON", "CSV"}:
            held = held[[*_names(parameter_name, map(str, held.data_vars)), "quality"]]
        name = "" if f == "CoverageJSON" else f"{served.id}-clip.{formats.SUFFIX[f]}"
        return answer(request, _CUBES[f](served, held), formats.MEDIA[f], name)


_CUBES: Mapping[str, Callable[[ServedMap, xr.Dataset], bytes]] = {
    "CoverageJSON": lambda served, zone: formats.json_bytes(formats.cube_coverage(served, zone)),
    "CSV": formats.cube_csv,
    "NetCDF": formats.cube_netcdf,
    "COG": formats.cube_cog,
}


def _series(
    request: Request, served: ServedMap, table: pd.DataFrame, shape: shapely.Geometry, f: str, facts: Mapping[str, Any]
) -> Response:
    if f == "CoverageJSON":
        content = formats.json_bytes(formats.series_coverage(served, table, shape))
    elif f == "GeoJSON":
        content = formats.json_bytes(formats.series_features(served, table, shape, **facts))
    elif f == "CSV":
        content = formats.series_csv(served, table)
    else:
        content = formats.series_netcdf(served, table, *middle_of(shape))
    name = f"{served.id}-series.{formats.SUFFIX[f]}" if f in {"CSV", "NetCDF"} else ""
    return answer(request, content, formats.MEDIA[f], name)


def _chosen(table: pd.DataFrame, names: str | None) -> pd.DataFrame:
    """Return the columns that a request names; time and quality always."""
    if not names:
        return table
    columns = ["time", *_names(names, map(str, table.columns)), "quality"]
    return table[list(dict.fromkeys(columns))]


def _names(names: str, known: Iterable[str]) -> list[str]:
    held, asked = list(known), names.split(",")
    if not set(asked) <= set(held):
        raise RequestError(400, "serve: parameter-name", "One is unknown", f"There are {', '.join(held)}")
    return [name for name in asked if name not in {"time", "quality"}]


def _wkt(text: str) -> shapely.Geometry:
    if text.count("(") > 200:
        raise RequestError(400, "serve: coords", "It has too many parts", "Give one polygon")
    try:
        return shapely.from_wkt(text)
    except (ShapelyError, ValueError, UnicodeError) as error:
        raise RequestError(400, "serve: coords", "It is no well-known text", "Write POINT(lon lat)") from error
