"""Files of an ISMN archive in its header and values layout."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.io.files import atomic_write
from vadose.simulation.fields import Floats
from vadose.simulation.raster import NOTICE

FILL = -9999.0
"""Fill value of ISMN."""
STATIC_COLUMNS = (
    "quantity_name;unit;depth_from[m];depth_to[m];value;description;quantity_source_name;quantity_source_description;"
    "quantity_source_provider;quantity_source_version;quantity_source_resolution;quantity_source_timerange;"
    "quantity_source_url;"
)
LAYERS = ("0.00;0.30", "0.30;1.00")
"""Layers of the static soil variables."""


@dataclass(frozen=True)
class Soil:
    """Static variables of a station: saturation, m3 m-3, mass fractions of particles, and organic carbon, percent."""

    saturation: float
    clay: float
    sand: float
    organic_carbon: float


@dataclass(frozen=True)
class Station:
    """A station of an archive.

    Attributes:
        network, name: of the station.
        lon, lat, elevation: degrees and m.
        soil: static variables.
        land_cover: class of ESA CCI and its name.
        climate: class of Koeppen and Geiger.
    """

    network: str
    name: str
    lon: float
    lat: float
    elevation: float
    soil: Soil
    land_cover: tuple[int, str]
    climate: str

    @property
    def stem(self) -> str:
        """Return the start of its file names."""
        return f"{self.network}_{self.network}_{self.name}"


@dataclass(frozen=True, eq=False)
class Series:
    """Readings of one variable at one depth by one instrument.

    Attributes:
        variable: ISMN's short name: sm, ts.
        depth: upper and lower, m.
        instrument: its name.
        times: UTC.
        values: (time,), NaN where missing.
        flags: ISMN's, (time,).
    """

    variable: str
    depth: tuple[float, float]
    instrument: str
    times: pd.DatetimeIndex
    values: Floats
    flags: NDArray[np.str_]


def write_station(station: Station, series: Sequence[Series], archive: Path) -> None:
    """Write the folder of a station, with its static variables; an existing one is replaced.

    Args:
        station: station of the folder.
        series: its readings.
        archive: folder of the ISMN archive.
    """
    with atomic_write(archive / station.network / station.name) as folder:
        folder.mkdir()
        for one in series:
            (folder / _name(station, one)).write_text("\n".join(_lines(station, one)) + "\n")
        (folder / f"{station.stem}_static_variables.csv").write_text("\n".join(_static(station)) + "\n")


def _name(station: Station, series: Series) -> str:
    upper, lower = series.depth
    span = f"{series.times[0]:%Y%m%d}_{series.times[-1]:%Y%m%d}"
    return f"{station.stem}_{series.variable}_{upper:.6f}_{lower:.6f}_{series.instrument}_{span}.stm"


def _lines(station: Station, series: Series) -> list[str]:
    names = f"{station.network} {station.network} {station.name}"
    place = f"{station.lat:.5f} {station.lon:.5f} {station.elevation:.1f}"
    upper, lower = series.depth
    stamps = series.times.strftime("%Y/%m/%d %H:%M")
    values = np.where(np.isnan(series.values), FILL, series.values)
    rows = zip(stamps, values.tolist(), series.flags.tolist(), strict=True)
    header = f"{names} {place} {upper:.4f} {lower:.4f} {series.instrument}"
    return [header, *(f"{time} {value:.4f} {flag} M" for time, value, flag in rows)]


def _static(station: Station) -> list[str]:
    """Return the static variables with the names of ISMN, for its readers."""
    soil, (number, cover) = station.soil, station.land_cover
    quantities = {
        "saturation": ("m^3*m^-3", soil.saturation),
        "clay fraction": ("% weight", 100 * soil.clay),
        "organic carbon": ("% weight", soil.organic_carbon),
        "sand fraction": ("% weight", 100 * soil.sand),
        "silt fraction": ("% weight", 100 * (1 - soil.clay - soil.sand)),
    }
    source = f"{NOTICE};vadose;;;;;"
    rows = [
        f"{name};{unit};{layer};{value:.2f};;HWSD;{source}"
        for layer in LAYERS
        for name, (unit, value) in quantities.items()
    ]
    rows += [
        f"land cover classification;;;;{number};{cover};CCI_landcover_{year};{source}" for year in (2000, 2005, 2010)
    ]
    rows.append(f"climate classification;;;;{station.climate};;koeppen_geiger_2007;{source}")
    return [STATIC_COLUMNS, *rows]
