"""Calibration of the standard deviation on held-out sensors."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from vadose.registry import Quality

Flags = NDArray[np.uint32]
Floats = NDArray[np.float64]
PERCENT = 90
"""Central interval of the calibration, %."""
FEWEST = 10
"""Smallest number of sensors of a calibration."""


@dataclass(frozen=True)
class Calibration:
    """Factors of the standard deviation.

    Attributes:
        whole: factor where every source was observed.
        without: factor by missing source, neither observed at the time nor in the history.
        sensors: number of sensors of the calibration; 0 for an uncalibrated standard deviation.
    """

    whole: float = 1.0
    without: Mapping[str, float] = field(default_factory=dict)
    sensors: int = 0

    def factor(self, absent: Flags) -> NDArray[np.float32]:
        """Return the factor of cells where sources are missing; of several missing sources, the largest one.

        Args:
            absent: bits of `Quality`, as from `quality.absent`, of any shape.
        """
        factor = np.full(absent.shape, self.whole, np.float32)
        for source, wider in self.without.items():
            missing = (absent & Quality.missing(source)) != 0
            factor = np.where(missing, np.maximum(factor, np.float32(wider)), factor)
        return factor


UNCALIBRATED = Calibration()
"""Calibration that leaves the standard deviation unchanged."""


def conformal_scale(
    mean: Floats, std: Floats, truth: Floats, sensor: NDArray[np.intp], place: NDArray[np.intp] | None = None
) -> float:
    """Return the factor of the standard deviation for which the central 90 % interval contains 90 % of the truth.

    It is the quantile of `|truth - mean|` / std divided by that of a Gaussian: conformal prediction with locally
    weighted residuals (Lei et al. 2018, doi 10.1080/01621459.2017.1307116, section 5.2). Each place has the same
    weight, and each sensor within a place (groups are pooled so by Dunn, Wasserman and Ramdas 2023, doi
    10.1080/01621459.2022.2060112): the interval is meant for a new place, not for one more sensor of the most crowded
    site.

    Args:
        mean, std, truth: values of the samples, m3 m-3; incomplete samples are left out.
        sensor: sensor number of each sample.
        place: place number of each sample, the same for all samples of a sensor; by default, each sensor is a place.

    Returns:
        The factor; 1 with fewer than 10 sensors.
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
