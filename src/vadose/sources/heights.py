"""Units of elevation: metres, unless the item, the file or its vertical datum states others."""

from dataclasses import replace

from vadose.sources.left_out import Unfit
from vadose.sources.raster import Raster

FOOT, SURVEY_FOOT = 0.3048, 1200 / 3937
_METRES = (
    dict.fromkeys(("m", "metre", "metres", "meter", "meters"), 1.0)
    | dict.fromkeys(("ft", "foot", "feet", "international foot"), FOOT)
    | dict.fromkeys(("us-ft", "ftus", "us survey foot", "us survey feet", "foot_us"), SURVEY_FOOT)
    | {"dm": 0.1, "decimetre": 0.1, "decimeter": 0.1, "cm": 0.01, "centimetre": 0.01, "centimeter": 0.01}
    | {"km": 1000.0, "mm": 0.001}
)


def in_metres(raster: Raster) -> Raster:
    """Return a raster of heights in metres: by its stated units, else by the unit of its vertical datum.

    Raises:
        Unfit: the stated units are unknown, or differ from those of the vertical datum.
    """
    stated = raster.units.strip().lower()
    factor = _METRES.get(stated, raster.height_m or 1.0)
    differs = raster.height_m is not None and abs(factor - raster.height_m) > 1e-3 * raster.height_m
    if (stated and stated not in _METRES and stated != "1") or differs:
        datum = f"; those of its vertical datum are {raster.height_m:g} m" if raster.height_m else ""
        raise Unfit(
            "units of height",
            f"{raster.path}: its heights",
            f"Their units are '{raster.units}'{datum}",
            "State m, ft, dm or cm, or convert the heights to metres",
        )
    return replace(raster, scale=raster.scale * factor, offset=raster.offset * factor)
