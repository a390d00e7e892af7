"""What is compared: each statistic with its words, its tolerance, and what could make it differ."""

from dataclasses import dataclass

from vadose.studies.realism.observations import REFLECTANCES, VISIBLE
from vadose.studies.realism.statistics import Statistics

NO_SAMPLE = (
    "The real figures are no sample of the Earth: 84 stations of the United States, two in five of them within one "
    "small area of Texas. A world of other climates need not share them."
)
SENSORS = (
    "How much a reading swings, and how long it remembers, follows climate, soil and the layer that a probe feels, "
    "which need not be the top 5 cm to the millimetre. " + NO_SAMPLE
)
OTHER_SMAP = (
    "The real values are those of NASA-USDA Enhanced SMAP (SMAP-USDA), a water balance that assimilates SMAP "
    "retrievals and has no gap; the simulated ones are the retrievals themselves (SMAP L3)."
)
RETRIEVALS = (
    "The real sensors are those of OzNet, in one basin of Australia and two years, and their table kept no quality "
    "flag, so that it holds retrievals which the product does not recommend; the simulated sensors stand in eight "
    "climates and see the recommended ones."
)
RADAR_TIME = (
    "What else than moisture changes backscatter (growth, harvest, tillage, dew, snow, the angle of each orbit) is "
    "simpler in a model than in a field, so that moisture can show more plainly in simulated backscatter; the real "
    "stations stand mostly in shrubs and grass, where it shows less than in bare fields. How the real ten-day values "
    "were averaged, in dB or in power, over one orbit or all, is not told with them."
)
RADAR_LEVEL = (
    "The level follows cover and roughness: forest and towns are bright, smooth bare ground is dark, and neither mix "
    "of covers is that of the Earth. Scenes are corrected for terrain (RTC) in both worlds; whether the real ten-day "
    "values are is not told with them."
)
ATMOSPHERE = (
    "Real ten-day values are reflectance at the top of the atmosphere (level 1C), whose air adds light in blue and "
    "green and takes contrast from the vegetation index, and some of them hold clouds. The simulated ones are of the "
    "surface (level 2A), where the scene classification sees it; cover and soils differ as well."
)
LAND = (
    "Three real scenes hold three dates and few covers, of which one cannot know what is usual; the simulated ones are "
    "spread over climates and seasons. Where the simulated ones are narrower they lack the variety of real land: "
    "roofs, roads, water, shade, soils of many colours."
)
VISITS = (
    "The ten real items are the visits of three weeks to one tile in Colorado. Real ten-day values are missing also "
    "where those who made the table exported none, and reflectance was not screened for every cloud, so that it is "
    "missing less often; how often the simulated satellites pass is a choice of the world's configuration."
)


@dataclass(frozen=True)
class Comparison:
    """A statistic of both worlds.

    Attributes:
        key: its name among the figures measured.
        words: what it is.
        units: of it, "1" where there are none.
        tolerance: difference up to which the two are called alike; None where they are of different products, which
            are shown beside one another and not judged.
        why: what could make them differ.
    """

    key: str
    words: str
    units: str
    tolerance: float | None
    why: str

    def verdict(self, simulated: Statistics, real: Statistics) -> str:
        """Whether the two are alike; "not measured" where one of them is missing, OTHER where they cannot be."""
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
    """Of a series: its median, its spread, its memory and its seasons."""
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
"""Every statistic of the page, by the heading of its table."""
