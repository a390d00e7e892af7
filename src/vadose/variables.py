"""The vocabulary: quantities with units, valid range and resampling method."""

from dataclasses import dataclass
from enum import StrEnum


class Resampling(StrEnum):
    """Resampling of a variable from its native grid to another one."""

    AREA_MEAN = "area_mean"
    """Pixels by the native pixel that contains them, cells by the mean over their area."""
    BILINEAR = "bilinear"
    """Bilinear between the four native centres around a point, where the native pixel of the point is valid."""
    NEAREST = "nearest"
    """Native pixel that contains the point."""


@dataclass(frozen=True)
class Variable:
    """A quantity; two variables are the same if all attributes agree.

    Attributes:
        name: short name in datasets, stores and configurations.
        units: UDUNITS string; "1" for dimensionless quantities.
        valid_range: closed interval of physical values.
        long_name: words for axes and legends.
        resampling: method on another grid.
        standard_name: CF standard name, empty if CF has none.
        decibel: whether a network reads the linear power as 10 log10.
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
        """Return CF attributes of an array of this variable."""
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
NISAR = Variable(
    "nisar", "m3 m-3", (0.0, 1.0), "NISAR SME2 soil moisture, 200 m", Resampling.AREA_MEAN, SMAP.standard_name
)

BUILT_UP = Variable("built_up", "1", (0.0, 1.0), "built-up fraction", Resampling.AREA_MEAN)
OPEN_WATER = Variable("open_water", "1", (0.0, 1.0), "open-water fraction", Resampling.AREA_MEAN)
FROZEN = Variable("frozen", "1", (0.0, 1.0), "fraction that is frozen or under snow", Resampling.NEAREST)

SOIL_MOISTURE = Variable(
    "soil_moisture",
    "m3 m-3",
    (0.0, 1.0),
    "volumetric soil moisture of the top 5 cm",
    Resampling.AREA_MEAN,
    "volume_fraction_of_condensed_water_in_soil",
)
"""Quantity that vadose estimates, and the label of every sample."""

GAMMA0_RTC, GAMMA0, SIGMA0 = "gamma0 RTC", "gamma0 ellipsoid", "sigma0 ellipsoid"
GAMMA0_OPERA = "gamma0 RTC of 30 m, OPERA"
SPL3SMP, ENHANCED_SMAP = "SPL3SMP or SPL3SMP_E", "NASA-USDA Enhanced SMAP"

IDENTITY = ("network", "station", "sensor")
"""Columns that identify a sensor in every table; their values come from `insitu.headers.Sensor.identity`."""
FRM_CLASS = "frm_class"
"""Column of the class of a sensor by ESA's FRM4SM project, see `insitu.frm`."""
