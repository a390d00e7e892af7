"""Features of a published example, by the release's README and script.

The units of images and of `smap_sm` and `gldas_sm` are undocumented except for their range of 0 to 255; they remain
"published 0-255 units" here. Features without a documented type are read as one number, one text, or one image.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from vadose.errors import VadoseError

SIDE = 512
"""Size of a published image, pixels of 10 m a side."""
CENTRE = 288
"""Size of the central part that vadose reads, pixels a side: nine cells of 320 m."""
PUBLISHED = "published 0-255 units"
MISSING = 0
"""Number of a missing value in `smap_sm` and `gldas_sm`."""


class Form(Enum):
    """Content of a feature."""

    IMAGE = "image"
    """SIDE x SIDE integers."""
    INTEGER = "integer"
    """One integer; 0 is missing."""
    NUMBER = "number"
    """One 32-bit float."""
    TEXT = "text"
    """One text."""
    UNDOCUMENTED = "undocumented"
    """One image, number or text."""


@dataclass(frozen=True)
class Feature:
    """A feature of a published example.

    Attributes:
        name: published name.
        form: content.
        units: UDUNITS, or PUBLISHED; empty if undocumented.
        meaning: description.
        predictor: the corresponding predictor of the vocabulary, or "".
        whole_byte: whether every number of a documented image is within 0..255.
    """

    name: str
    form: Form
    units: str
    meaning: str
    predictor: str = ""
    whole_byte: bool = True

    @property
    def dtype(self) -> type[np.integer[Any]]:
        """Return the type of its pixels, if it is an image."""
        return np.uint8 if self.whole_byte and self.form is Form.IMAGE else np.int16


def _images() -> Iterable[Feature]:
    radar = {"VV": "vv", "VH": "vh", "angle": "incidence_angle"}
    optics = {
        "B2": "B02",
        "B3": "B03",
        "B4": "B04",
        "B5": "",
        "B6": "",
        "B7": "",
        "B8": "B08",
        "B11": "B11",
        "B12": "B12",
    }
    for source, bands in (("sentinel_1", radar), ("sentinel_2", optics)):
        for band, predictor in bands.items():
            yield Feature(f"{source}_{band}", Form.IMAGE, PUBLISHED, f"{source} {band}, nearest pass", predictor)
    soil = {"sand": "sand", "silt": "silt", "clay": "clay", "bd": "bulk_density"}
    for name, predictor in soil.items():
        band = "bdod" if name == "bd" else name
        yield Feature(
            f"soil_grids_{name}_{band}_0-5cm_mean", Form.IMAGE, PUBLISHED, f"SoilGrids {predictor}, 0-5 cm", predictor
        )
    yield Feature("nasa_dem_elevation", Form.IMAGE, "m", "NASADEM elevation, not scaled", "elevation", False)


def _scalars() -> Iterable[Feature]:
    yield Feature("sensor_id", Form.TEXT, "", "NETWORK__STATION__SENSOR")
    yield Feature("timestamp", Form.NUMBER, "ms", "time of the reading since 1970-01-01 UTC, rounded to 32 bits")
    yield Feature("center_lat", Form.NUMBER, "degrees_north", "latitude of the sensor")
    yield Feature("center_long", Form.NUMBER, "degrees_east", "longitude of the sensor")
    yield Feature("sm_0_5", Form.NUMBER, "m3 m-3", "soil moisture reading, 0-5 cm; the first label")
    yield Feature("sm_5_5", Form.NUMBER, "m3 m-3", "soil moisture reading at 5 cm; the label where sm_0_5 is absent")
    yield Feature("smap_sm", Form.INTEGER, PUBLISHED, "SMAP soil moisture at the sensor", "smap")
    yield Feature("gldas_sm", Form.INTEGER, PUBLISHED, "GLDAS soil moisture at the sensor", "gldas")


def _undocumented() -> Iterable[Feature]:
    def named(source: str, *names: str) -> Iterable[Feature]:
        return (Feature(f"{source}_{name}", Form.UNDOCUMENTED, "", f"{source}: {name}") for name in names)

    optics = ("B2", "B3", "B4", "B5", "B6", "B7", "B8", "B11", "B12", "sen_2_mask")
    for statistic in ("min", "mean", "max"):
        yield from named(f"sentinel_1_{statistic}", "VV", "VH", "angle")
        yield from named(f"sentinel_2_{statistic}", *optics)
    yield from named("sentinel_1", "orbit_pass")
    yield from named("sentinel_2", "sen_2_mask", "cloud_percentage")
    yield from named("aster", "B13", "B14")
    cover = ("crops-coverfraction", "grass-coverfraction", "moss-coverfraction", "discrete_classification")
    yield from named("cgls_lc", *cover)
    yield from named("gldas", "evaporation", "rainfall", "snow_depth", "temp")
    yield from named("modis_leaf_area", "Fpar", "Lai")
    soils = tuple(f"soil_grids_{name}" for name in ("bd", "clay", "sand", "silt"))
    sources = ("aster", "cgls_lc", "gldas", "modis_leaf_area", "nasa_dem", "sentinel_1", "sentinel_2", "smap", *soils)
    for source in sources:
        yield from named(source, "timestamp", "time_millis_diff")
    for name in ("size", "utm_easting_northing_image_polygon", "utm_zone", "mask"):
        yield Feature(name, Form.UNDOCUMENTED, "", name.replace("_", " "))


FEATURES: Mapping[str, Feature] = {feature.name: feature for feature in (*_scalars(), *_images(), *_undocumented())}
"""Every named feature of the release."""

IDENTITY = ("sensor_id", "timestamp", "center_lat", "center_long")
"""Required features of every example."""
LABELS = ("sm_0_5", "sm_5_5")
SCALARS = ("smap_sm", "gldas_sm")
IMAGES = (
    *("sentinel_1_VV", "sentinel_1_VH", "sentinel_1_angle"),
    *("sentinel_2_B4", "sentinel_2_B3", "sentinel_2_B2", "sentinel_2_B8", "sentinel_2_B11", "sentinel_2_B12"),
    "nasa_dem_elevation",
    *(f"soil_grids_{name}_0-5cm_mean" for name in ("sand_sand", "silt_silt", "clay_clay", "bd_bdod")),
)
"""Images that the paper's network reads, in its order."""


def chosen(names: Iterable[str]) -> tuple[Feature, ...]:
    """Return the features of some names.

    Raises:
        VadoseError: the release has no feature of a name.
    """
    asked = tuple(dict.fromkeys(names))
    unknown = [name for name in asked if name not in FEATURES]
    if unknown:
        raise VadoseError(
            f"published: features {', '.join(unknown)}",
            f"The release has {', '.join(FEATURES)}",
            "Take names from these",
        )
    return tuple(FEATURES[name] for name in asked)
