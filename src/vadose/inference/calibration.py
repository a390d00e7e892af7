"""A stated spread made true: widened by what sensors that were held out say of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from vadose.registry import Quality

Flags = NDArray[np.uint32]
Floats = NDArray[np.float64]
PERCENT = 90
"""The central interval that is made true."""
FEWEST = 10
"""Sensors below which nothing is said of a spread."""


@dataclass(frozen=True)
class Calibration:
    """By how much a stated spread is to be multiplied.

    Attributes:
        whole: where every source spoke.
        without: where one is missing, for the moment and in the history, by its name.
        sensors: on which it rests; 0 for a spread that is left as it is.
    """

    whole: float = 1.0
    without: Mapping[str, float] = field(default_factory=dict)
    sensors: int = 0

    def factor(self, absent: Flags) -> NDArray[np.float32]:
        """For cells of which some sources said nothing at all; where several did not, the largest of their factors.

        Args:
            absent: bits of `Quality`, as `quality.absent` gives them, of any shape.
        """
        factor = np.full(absent.shape, self.whole, np.float32)
        for source, wider in self.without.items():
            missing = (absent & Quality.missing(source)) != 0
            factor = np.where(missing, np.maximum(factor, np.float32(wider)), factor)
        return factor


UNCALIBRATED = Calibration()
"""Leaves a spread as it is."""


def conformal_scale(
    mean: Floats, std: Floats, truth: Floats, sensor: NDArray[np.intp], place: NDArray[np.intp] | None = None
) -> float:
    """Return the factor of the spread that makes the central interval of 90 % hold 90 % of the truth.

    It is the quantile of `|truth - mean|` / spread over that of a Gaussian: conformal prediction with locally weighted
    residuals (Lei et al. 2018, doi 10.1080/01621459.2017.1307116, section 5.2), where each place weighs the same, and
    each sensor of a place (Dunn, Wasserman and Ramdas 2023, doi 10.1080/01621459.2022.2060112, pool groups so): a new
    place is to find in its interval what it says, not one more sensor of the most crowded site.

    Args:
        mean, std, truth: of the samples, m3 m-3; those without one of them are left out.
        sensor: a number for each sample's sensor.
        place: a number for each sample's place, the same for all samples of a sensor; each sensor is one without it.

    Returns:
        The factor, 1 where fewer than 10 sensors have samples.
    """
    known = np.isfinite(mean + std + truth) & (std > 0)
    ratio, place = np.abs(truth - mean)[known] / std[known], (sensor if place is None else place)[known]
    _, first, number, count = np.unique(sensor[known], return_index=True, return_inverse=True, return_counts=True)
    if len(count) < FEWEST:
        return 1.0
    order = np.argsort(ratio)
    _, of, crowd = np.unique(place[first], return_inverse=True, return_counts=True)
    share = 1 / (count * crowd[of])
    weight = np.cumsum(share[number][order]) / len(crowd)
    reached = ratio[order][min(int(np.searchsorted(weight, PERCENT / 100)), len(ratio) - 1)]
    return float(reached / ndtri(0.5 + PERCENT / 200))
