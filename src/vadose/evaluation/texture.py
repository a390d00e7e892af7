"""Soil texture classes."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.evaluation.statistic import Floats


def texture_class(sand: Floats, silt: Floats, clay: Floats) -> "pd.Series[str]":
    """Return the twelve classes of the USDA (Soil Survey Manual, 2017, chapter 3), "" where the fractions do not sum to
    one.

    Args:
        sand, silt, clay: mass fractions of fine earth, kg kg-1.
    """
    whole = sand + silt + clay
    complete = np.abs(whole - 1) < 0.1
    s, i, c = (np.where(complete, part / np.where(complete, whole, 1), np.nan) for part in (sand, silt, clay))
    classes = _classes(s, i, c)
    return pd.Series(np.select(list(classes.values()), list(classes), default=""))


def _classes(s: Floats, i: Floats, c: Floats) -> dict[str, NDArray[np.bool_]]:
    """Return conditions of the classes, of which the first that applies is used."""
    return {
        "sand": i + 1.5 * c < 0.15,
        "loamy sand": i + 2 * c < 0.30,
        "sandy loam": ((c < 0.20) & (s > 0.52)) | ((c < 0.07) & (i < 0.50)),
        "sandy clay loam": (c >= 0.20) & (c < 0.35) & (i < 0.28) & (s > 0.45),
        "sandy clay": (c >= 0.35) & (s > 0.45),
        "silt": (i >= 0.80) & (c < 0.12),
        "silt loam": (i >= 0.50) & (c < 0.27),
        "silty clay": (c >= 0.40) & (i >= 0.40),
        "silty clay loam": (c >= 0.27) & (c < 0.40) & (s <= 0.20),
        "clay loam": (c >= 0.27) & (c < 0.40) & (s <= 0.45),
        "clay": c >= 0.40,
        "loam": c < 0.27,
    }
