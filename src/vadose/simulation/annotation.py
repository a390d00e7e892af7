"""Incidence angles of a simulated Sentinel-1 annotation, in ESA's format."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from vadose.grid import Tile, to_lonlat
from vadose.io.files import atomic_write
from vadose.simulation.orbit import Orbit
from vadose.simulation.raster import NOTICE

LINES, PIXELS = 4, 7
MARGIN_M = 500.0
"""Distance of the tie points beyond the region."""


@dataclass(frozen=True)
class TiePoint:
    """A point of the geolocation grid; latitude, longitude and incidence angle in degrees."""

    line: int
    pixel: int
    latitude: float
    longitude: float
    incidence_angle: float

    def xml(self, time: pd.Timestamp) -> str:
        """Return the point in the format of ESA's annotation, at height 0."""
        return f"""
      <geolocationGridPoint>
        <azimuthTime>{time.isoformat(timespec="microseconds")}</azimuthTime>
        <line>{self.line}</line>
        <pixel>{self.pixel}</pixel>
        <latitude>{self.latitude:.15e}</latitude>
        <longitude>{self.longitude:.15e}</longitude>
        <height>0.000000000000000e+00</height>
        <incidenceAngle>{self.incidence_angle:.15e}</incidenceAngle>
      </geolocationGridPoint>"""


def tie_points(tile: Tile, orbit: Orbit) -> tuple[TiePoint, ...]:
    """Return points over a region and slightly beyond, line by line from the north."""
    box = tile.cells.boundingbox
    eastings = np.linspace(box.left - MARGIN_M, box.right + MARGIN_M, PIXELS)
    northings = np.linspace(box.top + MARGIN_M, box.bottom - MARGIN_M, LINES)
    angles = orbit.incidence(tile, eastings)
    points = []
    for line, northing in enumerate(northings):
        lon, lat = to_lonlat(tile.epsg).transform(eastings, np.full(PIXELS, northing))
        points += [TiePoint(line, pixel, lat[pixel], lon[pixel], angles[pixel]) for pixel in range(PIXELS)]
    return tuple(points)


def write_annotation(path: Path, tile: Tile, orbit: Orbit, start: pd.Timestamp, flown: tuple[str, int]) -> None:
    """Write the annotation of a pass over a region by a named satellite on an absolute orbit."""
    satellite, absolute_orbit = flown
    points = tie_points(tile, orbit)
    text = f"""<?xml version="1.0" encoding="UTF-8"?>
<!-- {NOTICE} -->
<product>
  <adsHeader>
    <missionId>{satellite}</missionId>
    <productType>GRD</productType>
    <polarisation>VV</polarisation>
    <mode>IW</mode>
    <swath>IW</swath>
    <startTime>{start.isoformat(timespec="microseconds")}</startTime>
    <absoluteOrbitNumber>{absolute_orbit}</absoluteOrbitNumber>
  </adsHeader>
  <geolocationGrid>
    <geolocationGridPointList count="{len(points)}">{"".join(point.xml(start) for point in points)}
    </geolocationGridPointList>
  </geolocationGrid>
</product>
"""
    with atomic_write(path) as temporary:
        temporary.write_text(text)
