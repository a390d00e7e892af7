"""Land cover, climate and FRM class of samples, from the classes of ISMN."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.insitu.headers import Sensor
from vadose.variables import FRM_CLASS

CCI = {"lc_2000": 2000, "lc_2005": 2005, "lc_2010": 2010}
"""Maps of ESA CCI land cover in ISMN, and their years."""
KOEPPEN_GEIGER = ("climate_KG", "climate_KG_2017")
"""Climate maps, by preference: Peel et al. 2007, which every archive with classes has, then that of 2017."""


def station_classes(classes: Mapping[str, str], times: NDArray[np.datetime64]) -> pd.DataFrame:
    """Land cover and climate at a station, and the FRM class of its sensor.

    Args:
        classes: classes of a sensor, as from `vadose.insitu.ismn.Ismn.classes`.
        times: times of samples, UTC.

    Returns:
        One row per sample: land_cover, the code of ESA CCI in the nearest year (of two equally near, the earlier one),
            such as "130"; climate, the class of Koeppen and Geiger, such as "Csa"; and frm_class. Each is "" if
            unknown.
    """
    maps = {year: classes[name] for name, year in CCI.items() if name in classes} or {0: ""}
    year = 1970 + times.astype("datetime64[Y]").astype(int)
    nearest = abs(year[:, np.newaxis] - np.array(list(maps))).argmin(axis=1)
    climate = next((classes[name] for name in KOEPPEN_GEIGER if name in classes), "")
    return pd.DataFrame(
        {
            "land_cover": np.array(list(maps.values()), object)[nearest],
            "climate": climate,
            FRM_CLASS: classes.get(FRM_CLASS, ""),
        }
    )


def no_classes(_: Sensor) -> Mapping[str, str]:
    """Return no classes, for an archive without them."""
    return {}
