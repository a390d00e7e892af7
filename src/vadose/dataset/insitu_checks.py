"""ISMN's own checks on other series, by ISMN's package flagit (Dorigo et al. 2013), which is an extra."""

import importlib
import warnings
from types import ModuleType

import numpy as np
import pandas as pd

from vadose.errors import VadoseError

EXTRA = "flagit"
_LATEST_PANDAS = 2
_HOUR = pd.Timedelta("1h")


def checked(readings: pd.DataFrame, depth_from_m: float, saturation: float | None = None) -> pd.Series:
    """Quality flags of an hourly series that has none, or other ones.

    Of the checks those are made for which the data are there: D01 needs soil_temperature, C03 the saturation; what
    needs air temperature, rain or GLDAS is not made.

    Args:
        readings: indexed by time (UTC), in any order, with soil_moisture (m3 m-3) and, if known, soil_temperature
            (degrees Celsius). Of repeated times the first is checked.
        depth_from_m: of the sensor, m below the surface.
        saturation: of the soil, m3 m-3.

    Returns:
        Flags of each reading, as ISMN writes them, such as "G" or "C02,D06"; "M" where there is no value.

    Raises:
        VadoseError: flagit is not installed or does not run here, or no two readings are an hour apart.
    """
    flagit = _flagit()
    series = readings[readings["soil_moisture"].notna() & ~readings.index.duplicated()].sort_index()
    if len(series) < 2 or pd.Series(series.index).diff().median() != _HOUR:
        raise VadoseError(
            "samples: checks of a series", f"Its {len(series)} readings are not hourly", "Give hourly readings"
        )
    percent = pd.DataFrame({"soil_moisture": 100 * series["soil_moisture"].astype(np.float64)}, index=series.index)
    if "soil_temperature" in series and series["soil_temperature"].notna().any():
        percent["soil_temperature"] = series["soil_temperature"]
    saturation_percent = None if saturation is None else 100 * saturation
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = flagit.Interface(percent, depth_from=depth_from_m).run(sat_point=saturation_percent)
    flags: pd.Series = found["qflag"].dropna().map(lambda held: ",".join(sorted(held)) or "G")
    return pd.Series(flags.reindex(readings.index).fillna("M"), name="flag")


def _flagit() -> ModuleType:
    if int(pd.__version__.split(".")[0]) > _LATEST_PANDAS:
        raise _unusable(f"It does not run with pandas {pd.__version__}, only with {_LATEST_PANDAS}")
    try:
        return importlib.import_module("flagit.flagit")
    except ImportError as error:
        raise _unusable(f"It cannot be imported: {error}") from error


def _unusable(found: str) -> VadoseError:
    return VadoseError(
        "samples: ISMN's checks by the package flagit",
        found,
        f'Install the extra in an environment of its own, pip install "vadose[{EXTRA}]", or use the flags of ISMN',
    )
