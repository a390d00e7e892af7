"""Addresses of in-situ sensors."""

from typing import Annotated

import shapely
from fastapi import APIRouter, Path, Request, Response

from vadose.maps.series import csv_text
from vadose.serving import formats
from vadose.serving.answers import answer, json_answer
from vadose.serving.limits import RequestError
from vadose.serving.series import point_series
from vadose.serving.service import Service
from vadose.serving.tiling import Datetime, Name

SensorName = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]


def add_sensors(app: APIRouter, service: Service) -> None:
    """Add the addresses of sensors."""
    catalogue = service.catalogue

    @app.get("/collections/{collection}/sensors", summary="Sensors in the cells of a map.", tags=["sensors"])
    def sensors(request: Request, collection: Name) -> Response:
        held = service.require_sensors()
        return json_answer(request, held.features(catalogue[collection]), "application/geo+json")

    @app.get("/collections/{collection}/sensors/{sensor}", summary="Readings beside estimates.", tags=["sensors"])
    def sensor(request: Request, collection: Name, sensor: SensorName, datetime: Datetime = None) -> Response:
        held, served = service.require_sensors(), catalogue[collection]
        found = held.sensor(served, sensor)
        times = served.times_in(datetime)
        estimates = formats.series_features(
            served,
            point_series(service.reader, served, found.lon, found.lat, times),
            shapely.Point(found.lon, found.lat),
        )["features"][0]["properties"]
        feature = held.feature(sensor, found)
        feature["properties"] |= {"readings": held.beside(served, sensor, times), "estimates": estimates}
        return json_answer(request, feature, "application/geo+json")

    @app.get("/collections/{collection}/sensors/{sensor}/readings", summary="All readings, CSV.", tags=["sensors"])
    def readings(request: Request, collection: Name, sensor: SensorName) -> Response:
        if not service.settings.export_sensors:
            raise RequestError(
                403, "serve: the readings", "ISMN's terms leave their export to you", "Start with --export-sensors"
            )
        held = service.require_sensors().readings(catalogue[collection], sensor)
        text = csv_text(held.reset_index())
        return answer(request, text.encode(), formats.MEDIA["CSV"], f"{sensor}.csv")
