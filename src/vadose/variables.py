"""The vocabulary: every quantity vadose reads or writes, its units, its range, how it may be averaged."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntFlag, StrEnum


class Resampling(StrEnum):
    """How a variable is carried from its native grid onto another one."""

    AREA_MEAN = "area_mean"
    """Pixels by the native pixel that holds them, cells by the mean over their area."""
    BILINEAR = "bilinear"
    """Between the four native centres around a point, where the native pixel that holds it is valid."""
    NEAREST = "nearest"
    """The native pixel that holds the point."""


@dataclass(frozen=True)
class Variable:
    """A quantity by its name: two variables are the same when all of this is.

    Attributes:
        name: short name in datasets, stores and configurations.
        units: UDUNITS string; "1" where there are none.
        valid_range: closed interval outside which a value is not physical.
        long_name: words for axes and legends.
        resampling: how it is carried to another grid.
        standard_name: CF standard name, empty where CF has none.
        decibel: a linear power that a network reads as 10 log10.
    """

    name: str
    units: str
    valid_range: tuple[float, float]
    long_name: str
    resampling: Resampling
    standard_name: str = ""
    decibel: bool = False

    @property
    def attrs(self) -> dict[str, str]:
        """CF attributes of an array of this variable."""
        named = {"standard_name": self.standard_name} if self.standard_name else {}
        return {"units": self.units, "long_name": self.long_name, **named}


def _power(name: str, polarisation: str) -> Variable:
    return Variable(
        name,
        "1",
        (0.0, 100.0),
        f"Sentinel-1 backscatter {polarisation}, linear power",
        Resampling.AREA_MEAN,
        "surface_backwards_scattering_coefficient_of_radar_wave",
        decibel=True,
    )


def _reflectance(name: str) -> Variable:
    return Variable(
        name,
        "1",
        (-0.2, 2.0),
        f"Sentinel-2 reflectance {name}",
        Resampling.AREA_MEAN,
        "surface_bidirectional_reflectance",
    )


def _texture(name: str) -> Variable:
    return Variable(name, "kg kg-1", (0.0, 1.0), f"mass fraction of {name} in fine earth", Resampling.AREA_MEAN)


def _moisture(name: str, long_name: str) -> Variable:
    return Variable(
        name, "m3 m-3", (0.0, 1.0), long_name, Resampling.BILINEAR, "volume_fraction_of_condensed_water_in_soil"
    )


VV = _power("vv", "VV")
VH = _power("vh", "VH")
INCIDENCE_ANGLE = Variable(
    "incidence_angle", "degree", (10.0, 70.0), "Sentinel-1 incidence angle on the ellipsoid", Resampling.BILINEAR
)
BANDS = tuple(_reflectance(name) for name in ("B02", "B03", "B04", "B08", "B11", "B12"))
ELEVATION = Variable(
    "elevation", "m", (-500.0, 9000.0), "height of the ground above the geoid", Resampling.BILINEAR, "surface_altitude"
)
SAND, SILT, CLAY = (_texture(name) for name in ("sand", "silt", "clay"))
BULK_DENSITY = Variable("bulk_density", "kg m-3", (100.0, 2300.0), "bulk density of fine earth", Resampling.AREA_MEAN)
ORGANIC_CARBON = Variable(
    "organic_carbon", "kg kg-1", (0.0, 0.6), "mass fraction of organic carbon in fine earth", Resampling.AREA_MEAN
)
SMAP = _moisture("smap", "SMAP L3 soil moisture (SPL3SMP, SPL3SMP_E)")
SMAP_USDA = _moisture("smap_usda", "NASA-USDA Enhanced SMAP soil moisture, a water column divided by 50 mm")
GLDAS = _moisture("gldas", "GLDAS-2.1 Noah soil moisture 0-10 cm")

BUILT_UP = Variable("built_up", "1", (0.0, 1.0), "part of the ground that is built up", Resampling.AREA_MEAN)
OPEN_WATER = Variable("open_water", "1", (0.0, 1.0), "part of the ground under open water", Resampling.AREA_MEAN)
FROZEN = Variable("frozen", "1", (0.0, 1.0), "part of the ground that is frozen or under snow", Resampling.NEAREST)

SOIL_MOISTURE = Variable(
    "soil_moisture",
    "m3 m-3",
    (0.0, 1.0),
    "volumetric soil moisture of the top 5 cm",
    Resampling.AREA_MEAN,
    "volume_fraction_of_condensed_water_in_soil",
)
"""The quantity vadose estimates, and the label of every sample."""

SOURCES: dict[str, tuple[Variable, ...]] = {
    "sentinel1": (VV, VH, INCIDENCE_ANGLE),
    "sentinel2": BANDS,
    "dem": (ELEVATION,),
    "soilgrids": (SAND, SILT, CLAY, BULK_DENSITY),
    "smap": (SMAP,),
    "gldas": (GLDAS,),
}
"""What each of the six sources of an archive observes."""

TABLE_ONLY: dict[str, tuple[Variable, ...]] = {"soilgrids": (ORGANIC_CARBON,), "smap": (SMAP_USDA,)}
"""Predictors that only tables have, by the source whose role they fill."""

MASK_VARIABLES: dict[str, tuple[Variable, ...]] = {"worldcover": (BUILT_UP, OPEN_WATER), "smap_surface": (FROZEN,)}
"""What is read of the ground for the flags of maps alone: no network reads it."""

LATENCY_DAYS: dict[str, float] = {
    "sentinel1": 1.0,
    "sentinel2": 1.0,
    "smap": 50 / 24,
    "smap_surface": 50 / 24,
    "gldas": 45.0,
}
"""Days from an observation until its first product can be had; the other sources do not change. A dataset whose product
comes later carries its own time of publication (`sources.source.AVAILABLE_AT`).

Sentinel-1 GRD and Sentinel-2: within 24 hours of sensing, the timeliness of the missions' systematic production (ESA).
SMAP level 3: within 50 hours (SMAP Handbook, JPL 400-1567, 2014). GLDAS-2.1: the early products, about 1.5 months; the
main stream has a latency of its own (`sources.gldas.MAIN`).
"""

PREDICTORS: dict[str, Variable] = {
    variable.name: variable for groups in (SOURCES, TABLE_ONLY) for group in groups.values() for variable in group
}
"""Every quantity a model may read, by name."""

_OWNERS: dict[str, str] = {
    variable.name: source
    for groups in (SOURCES, MASK_VARIABLES, TABLE_ONLY)
    for source, group in groups.items()
    for variable in group
}

_ARCHIVED = {variable.name for group in SOURCES.values() for variable in group}

NOT_STATED = "not stated"
"""The product of a predictor of which nobody said what it is."""
GAMMA0_RTC, GAMMA0, SIGMA0 = "gamma0 RTC", "gamma0 ellipsoid", "sigma0 ellipsoid"
SPL3SMP, ENHANCED_SMAP = "SPL3SMP or SPL3SMP_E", "NASA-USDA Enhanced SMAP"
PRODUCTS: Mapping[str, tuple[str, ...]] = {
    VV.name: (GAMMA0_RTC, GAMMA0, SIGMA0),
    VH.name: (GAMMA0_RTC, GAMMA0, SIGMA0),
    **{band.name: ("Sentinel-2 L2A", "Sentinel-2 L1C") for band in BANDS},
    **{soil.name: ("SoilGrids 2.0", "HWSD") for soil in (SAND, SILT, CLAY, BULK_DENSITY, ORGANIC_CARBON)},
    SMAP.name: (SPL3SMP,),
    SMAP_USDA.name: (ENHANCED_SMAP,),
    GLDAS.name: ("GLDAS-2.1 Noah",),
}
"""Products, levels and conventions that go under the name of a predictor; the first is that of an archive's files."""
ARCHIVE_PRODUCTS: Mapping[str, str] = {name: known[0] for name, known in PRODUCTS.items() if name in _ARCHIVED}
"""What the readers of an archive give under each name."""
INTERCHANGED_NEVER: tuple[frozenset[str], ...] = (frozenset({SMAP.name, SMAP_USDA.name}),)
"""Predictors of one role that are different quantities: none stands for another."""


def source_of(name: str) -> str:
    """Name of the source that observes `name`, or whose role it fills."""
    return _OWNERS.get(name, "soilgrids")


def product_of(name: str, stated: str | None = None) -> str:
    """Product of a predictor: as stated, else the only one that its name can mean, else `NOT_STATED`."""
    known = PRODUCTS.get(name, ())
    return stated or (known[0] if len(known) == 1 else NOT_STATED)


class Quality(IntFlag):
    """What an estimate lacked; 0 means that every source spoke, and of a place and a moment like those learned from.

    From `STALE` on they are told of maps alone: `STALE` where a source's observation is older than half of the age
    that counts; `CLOUD` where Sentinel-2 saw the cell, but less than half of it free of cloud, shadow and snow;
    `STEEP` where the ground within the cell slopes by 15 degrees or more on average; `FROZEN` where the latest
    overpass of SMAP was flagged as frozen or under snow; `WATER` and `URBAN` where the land cover map shows 5 % of
    open water, 25 % of built-up land.
    """

    SENTINEL1_MISSING = 1
    SENTINEL2_MISSING = 2
    DEM_MISSING = 4
    SOILGRIDS_MISSING = 8
    SMAP_MISSING = 16
    GLDAS_MISSING = 32
    HISTORY_SHORT = 64
    OUT_OF_DOMAIN = 128
    STALE = 256
    CLOUD = 512
    STEEP = 1024
    FROZEN = 2048
    WATER = 4096
    URBAN = 8192

    @classmethod
    def missing(cls, source: str) -> "Quality":
        """The flag that says `source` was missing."""
        return cls[f"{source.upper()}_MISSING"]
