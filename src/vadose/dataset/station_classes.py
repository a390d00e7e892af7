"""Land cover and climate of samples, from the classes that ISMN tells of a sensor's station."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.insitu.headers import Sensor

CCI = {"lc_2000": 2000, "lc_2005": 2005, "lc_2010": 2010}
"""Maps of ESA CCI land cover that ISMN tells of, and their years."""
KOEPPEN_GEIGER = ("climate_KG", "climate_KG_2017")
"""The map of Peel et al. 2007, which every archive with classes has, or else that of 2017."""


def station_classes(classes: Mapping[str, str], times: NDArray[np.datetime64]) -> pd.DataFrame:
    """Land cover and climate at a station.

    Args:
        classes: of the station, by the names of `vadose.insitu.static_variables.COVER`.
        times: of samples, UTC.

    Returns:
        One row a sample: land_cover, the code of ESA CCI in the year nearest (of two as near, the earlier one), such
        as "130"; and climate, the class of Koeppen and Geiger, such as "Csa". Each is "" where it is not told.
    """
    maps = {year: classes[name] for name, year in CCI.items() if name in classes} or {0: ""}
    year = 1970 + times.astype("datetime64[Y]").astype(int)
    nearest = abs(year[:, np.newaxis] - np.array(list(maps))).argmin(axis=1)
    climate = next((classes[name] for name in KOEPPEN_GEIGER if name in classes), "")
    return pd.DataFrame({"land_cover": np.array(list(maps.values()), object)[nearest], "climate": climate})


def untold(_: Sensor) -> Mapping[str, str]:
    """Of an archive that tells nothing of its stations."""
    return {}
