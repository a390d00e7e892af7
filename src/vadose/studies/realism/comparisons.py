"""Compared statistics, with their titles, tolerances and possible reasons for a difference."""

from dataclasses import dataclass

from vadose.studies.realism.observations import REFLECTANCES, VISIBLE
from vadose.studies.realism.statistics import Statistics

NO_SAMPLE = (
    "The real figures are not a sample of the Earth: 84 stations of the United States, two in five of them within one "
    "small area of Texas. A world of other climates need not share them."
)
SENSORS = (
    "The amplitude and memory of readings depend on climate, soil and the measured layer, "
    "which need not be exactly the top 5 cm. " + NO_SAMPLE
)
OTHER_SMAP = (
    "The real values are those of NASA-USDA Enhanced SMAP (SMAP-USDA), a water balance that assimilates SMAP "
    "retrievals and has no gap; the simulated ones are the retrievals themselves (SMAP L3)."
)
RETRIEVALS = (
    "The real sensors are those of OzNet, in one basin of Australia and two years, and their table has no quality "
    "flag, so that it contains retrievals which the product does not recommend; the simulated sensors are in eight "
    "climates and have the recommended ones."
)
RADAR_TIME = (
    "Changes of backscatter from other causes than moisture (growth, harvest, tillage, dew, snow, the angle of each "
    "orbit) are "
    "simpler in a model than in a field, so that moisture can be clearer in simulated backscatter; the real "
    "stations are mostly in shrubs and grass, where it is less clear than in bare fields. How the real ten-day values "
    "were averaged, in dB or in power, over one orbit or all, is not documented."
)
RADAR_LEVEL = (
    "The level depends on cover and roughness: forest and towns are bright, smooth bare ground is dark, and neither "
    "mix "
    "of covers is that of the Earth. Scenes are corrected for terrain (RTC) in both worlds; whether the real ten-day "
    "values are is not documented."
)
ATMOSPHERE = (
    "Real ten-day values are reflectance at the top of the atmosphere (level 1C), where the air adds blue and "
    "green light and reduces the contrast of the vegetation index, and some of them contain clouds. The simulated "
    "ones are of "
    "the surface (level 2A), where the scene classification is clear; cover and soils differ as well."
)
LAND = (
    "Three real scenes have three dates and few covers, which need not be usual; the simulated ones are "
    "distributed over climates and seasons. Where the simulated ones are narrower, they lack the variety of real land: "
    "roofs, roads, water, shade, soils of many colours."
)
VISITS = (
    "The ten real items are the visits of three weeks to one tile in Colorado. Real ten-day values are also missing "
    "where none were exported for the table, and reflectance was not screened for every cloud, so that it is "
    "missing less often; the revisit interval of the simulated satellites is a choice of the world's configuration."
)


@dataclass(frozen=True)
class Comparison:
    """A statistic of both worlds.

    Attributes:
        key: its name among the statistics.
        words: title.
        units: "1" for dimensionless ones.
        tolerance: largest difference of equal statistics; None if the products differ, so that they are shown without a
            verdict.
        why: possible reasons for a difference.
    """

    key: str
    words: str
    units: str
    tolerance: float | None
    why: str

    def verdict(self, simulated: Statistics, real: Statistics) -> str:
        """Return whether both are equal within the tolerance, "not measured" if one is missing, OTHER if they are not
        comparable.
        """
        if self.tolerance is None:
            return OTHER
        one, other = simulated.statistics.get(self.key), real.statistics.get(self.key)
        if one is None or other is None:
            return "not measured"
        return "alike" if abs(one - other) <= self.tolerance else "differs"


OTHER = "another product"
MOISTURE, DB, NONE = "m³ m⁻³", "dB", "1"


def _course(
    name: str, words: str, units: str, tolerances: tuple[float | None, ...], why: str
) -> tuple[Comparison, ...]:
    """Statistics of a series: its median, variability, memory and seasons."""
    about = {
        "median": "median",
        "spread": "spread in time",
        "lag1": "autocorrelation after 10 days",
        "range": "seasonal range",
    }
    return tuple(
        Comparison(f"{name}.{key}", f"{words}: {said}", NONE if key == "lag1" else units, tolerance, why)
        for (key, said), tolerance in zip(about.items(), tolerances, strict=True)
    )


SECTIONS: dict[str, tuple[Comparison, ...]] = {
    "In-situ sensors, ten-day means": (
        *_course("soil_moisture", "soil moisture", MOISTURE, (0.05, 0.02, 0.1, 0.05), SENSORS),
        Comparison("soil_moisture.between", "soil moisture: spread between sensors", MOISTURE, 0.03, SENSORS),
    ),
    "SMAP L3 at 36 km beside sensors, means of three days": (
        Comparison("smap_l3.median", "SMAP L3: median", MOISTURE, 0.05, RETRIEVALS),
        Comparison("smap_l3.spread", "SMAP L3: spread in time", MOISTURE, 0.02, RETRIEVALS),
        Comparison("smap_l3.sensor", "its sensors: spread in time", MOISTURE, 0.02, RETRIEVALS),
        Comparison("smap_l3.r", "SMAP L3 against sensors: R", NONE, 0.1, RETRIEVALS),
        Comparison("smap_l3.ubrmse", "SMAP L3 against sensors: ubRMSE", MOISTURE, 0.015, RETRIEVALS),
        Comparison("smap_l3.bias", "SMAP L3 against sensors: bias", MOISTURE, 0.03, RETRIEVALS),
        Comparison("smap_l3.bias.between", "SMAP L3 against sensors: spread of the bias", MOISTURE, 0.03, RETRIEVALS),
    ),
    "SMAP, ten-day means: simulated SMAP L3, real NASA-USDA Enhanced SMAP": (
        *_course("smap", "SMAP", MOISTURE, (None,) * 4, OTHER_SMAP),
        Comparison("smap.between", "SMAP: spread between sensors' places", MOISTURE, None, OTHER_SMAP),
        Comparison("smap.r", "SMAP against sensors: R", NONE, None, OTHER_SMAP),
        Comparison("smap.ubrmse", "SMAP against sensors: ubRMSE", MOISTURE, None, OTHER_SMAP),
        Comparison("smap.bias", "SMAP against sensors: bias", MOISTURE, None, OTHER_SMAP),
        Comparison("smap.bias.between", "SMAP against sensors: spread of the bias", MOISTURE, None, OTHER_SMAP),
    ),
    "Sentinel-1 at sensors, ten-day means": (
        *_course("vv_db", "VV", DB, (2.0, 0.5, 0.15, 1.5), RADAR_TIME),
        Comparison("vv_db.between", "VV: spread between sensors", DB, 0.7, RADAR_LEVEL),
        *_course("vh_db", "VH", DB, (2.0, 0.6, 0.15, 1.5), RADAR_TIME),
        Comparison("vv_db.r", "VV in dB against sensors: R", NONE, 0.15, RADAR_TIME),
        Comparison("vh_db.r", "VH in dB against sensors: R", NONE, 0.2, RADAR_TIME),
    ),
    "Sentinel-2 at sensors, ten-day means": (
        *(
            Comparison(f"{name}.median", f"{name}: median", NONE, 0.04 if name in VISIBLE else 0.06, ATMOSPHERE)
            for name in REFLECTANCES
        ),
        *_course("ndvi", "NDVI", NONE, (0.1, 0.04, 0.15, 0.12), ATMOSPHERE),
    ),
    "Pixels of scenes": tuple(
        comparison
        for name, words, units, level, width in (
            ("vv_db", "VV", DB, 2.0, 2.0),
            ("vh_db", "VH", DB, 2.0, 2.0),
            *((name, name, NONE, *((0.03, 0.04) if name in VISIBLE else (0.06, 0.1))) for name in REFLECTANCES),
        )
        for comparison in (
            Comparison(f"pixels.{name}.median", f"{words}: median", units, level, RADAR_LEVEL if units == DB else LAND),
            Comparison(
                f"pixels.{name}.width", f"{words}: width from the 5th to the 95th percentile", units, width, LAND
            ),
        )
    ),
    "Clouds and gaps": (
        Comparison("clouds.cover", "cloud cover of Sentinel-2 items: mean", NONE, 0.15, VISITS),
        Comparison("clouds.scenes", "Sentinel-2 items more than half cloudy", NONE, 0.15, VISITS),
        Comparison("clouds.periods", "ten-day periods of a sensor without reflectance", NONE, 0.15, VISITS),
        Comparison("passes.periods", "ten-day periods of a sensor without backscatter", NONE, 0.15, VISITS),
    ),
}
"""All statistics of the page, by the heading of their table."""
