"""Training objective."""

from dataclasses import dataclass
from math import log, pi

import torch
from torch import Tensor

from vadose.models.shape import NetworkOutput
from vadose.training.loss_weights import LossWeights


@dataclass(frozen=True, eq=False)
class Labels:
    """Labels of samples.

    Attributes:
        label: (sample,), m3 m-3.
        sensor: (sample,), sensor numbers.
        site_weight: (sample,), weight of the sensor in the static head: smaller where sensors are clustered.
        day: (sample,), time of the sample, days since 1970.
        scene: (sample,), numbers of the networks' times: samples of one network at one time share a scene.
    """

    label: Tensor
    sensor: Tensor
    site_weight: Tensor
    day: Tensor
    scene: Tensor

    @property
    def columns(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return all of them."""
        return self.label, self.sensor, self.site_weight, self.day, self.scene

    def to(self, device: torch.device) -> "Labels":
        """Return the labels on another device."""
        return Labels(*(one.to(device) for one in self.columns))

    def some(self, rows: Tensor | slice) -> "Labels":
        """Return the labels of some samples."""
        return Labels(*(one[rows] for one in self.columns))


@dataclass(frozen=True, eq=False)
class BatchTotals:
    """Totals of a batch, for the loss of a part of it.

    Attributes:
        sensors: number of sensors.
        site_weight: sum of the weights of the sensors.
        samples: number of samples.
    """

    sensors: int
    site_weight: Tensor
    samples: int

    @classmethod
    def of(cls, truth: Labels) -> "BatchTotals":
        """Return the totals of all labels."""
        by = Groups(truth.sensor)
        return cls(len(by.count), by.mean(truth.site_weight).sum(), len(truth.label))


ANOMALY_DAYS = 35.0
"""Length of the window of anomalies, days."""
SCENE_SENSORS = 5
"""Smallest number of sensors of a network at one time whose correlation in space is learned from."""
ERROR_FLOOR, LEVEL_FLOOR, PRODUCT_FLOOR = 0.01, 0.25, 1e-4
"""Terms under the roots, in variances of the label: much smaller errors gain nothing by decreasing further."""


def objective(
    parts: NetworkOutput, truth: Labels, scale: Tensor, weights: LossWeights, whole: BatchTotals | None = None
) -> Tensor:
    """Return the loss: error in time, correlation, bias and likelihood, each a mean over sensors.

    The bias of a sensor is large, is hardly related to other places, and would dominate the rest. RMSE^2 = ubRMSE^2 +
    bias^2 (Entekhabi et al., J. Hydrometeor. 11:832-840, 2010, equation 2) separates them: only the static head learns
    the bias, and the dynamic head the rest. With errors in standard deviations of the label,

        L = mean over sensors of sqrt(centred^2 + 0.01) + correlation (1 - R) + anomaly (1 - R35) + bias * mean^2
          + weighted mean over sensors of sqrt(residual^2 + 0.25)  +  spread * NLL(std | error)
          + space * mean over scenes of (1 - R in space)

    where mean is the mean error of a sensor within the batch, centred^2 the mean square of the error minus its mean,
    R35 the correlation of departures from the mean of the sensor's samples in the batch within 17.5 days on both sides,
    residual the mean error with a gradient in the static head alone, and R in space the correlation over the sensors of
    a network at one time, of at least five. The roots limit the influence of a few bad sensors.

    Args:
        parts: network output, each (sample,), m3 m-3.
        truth: labels.
        scale: standard deviation of the label over the training samples, m3 m-3.
        weights: weights of the terms.
        whole: totals of the batch if these samples, complete sensors, are a part of it; the result is then their share
            of its loss.
    """
    whole = whole or BatchTotals.of(truth)
    label, static, dynamic = truth.label / scale, parts.static / scale, parts.dynamic / scale
    by = Groups(truth.sensor)
    error = dynamic + static.detach() - label
    bias = by.mean(error)
    centred = by.mean((error - bias[by.of]) ** 2)
    estimate = dynamic + static.detach()
    moving = (centred + ERROR_FLOOR).sqrt() + weights.correlation * (1 - by.correlation(estimate, label))
    if weights.anomaly:
        around = Surroundings(truth.sensor, truth.day)
        departures = (values - around.mean(values) for values in (estimate, label))
        moving = moving + weights.anomaly * (1 - by.correlation(*departures))
    residual = by.mean(dynamic.detach() + static - label)
    weight = by.mean(truth.site_weight)
    usual = (weight * (residual**2 + LEVEL_FLOOR).sqrt()).sum() / whole.site_weight
    mean = (dynamic + static).detach()
    likelihood = negative_log_likelihood(mean, parts.std / scale, label) * len(label) / whole.samples
    total: Tensor = (moving + weights.bias * bias**2).sum() / whole.sensors + usual + weights.spread * likelihood
    return total + weights.space * _unlike_in_space(dynamic + static, label, truth.scene) if weights.space else total


def _unlike_in_space(estimate: Tensor, label: Tensor, scene: Tensor) -> Tensor:
    """Return the mean over scenes of 1 - R over their samples; 0 without a scene of enough samples."""
    by = Groups(scene)
    enough = by.count >= SCENE_SENSORS
    apart: Tensor = ((1 - by.correlation(estimate, label)) * enough).sum() / enough.sum().clamp(min=1)
    return apart


def negative_log_likelihood(mean: Tensor, std: Tensor, label: Tensor) -> Tensor:
    """Return the Gaussian negative log-likelihood, a mean over samples; all arguments in the same units and shape."""
    variance = std**2
    each: Tensor = 0.5 * (torch.log(variance) + (label - mean) ** 2 / variance + log(2 * pi))
    return each.mean()


class Groups:
    """Means by group: by sensor, or by scene.

    Args:
        number: (sample,), numbers of the groups.
    """

    def __init__(self, number: Tensor) -> None:
        _, self.of, self.count = torch.unique(number, return_inverse=True, return_counts=True)

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum by group, (sample,) to (group,)."""
        return torch.zeros(len(self.count), dtype=values.dtype, device=values.device).index_add(0, self.of, values)

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean by group, (sample,) to (group,)."""
        means: Tensor = self.sum(values) / self.count
        return means

    def correlation(self, one: Tensor, other: Tensor) -> Tensor:
        """Return Pearson's R within each group; near 0 where either is constant."""
        one, other = (values - self.mean(values)[self.of] for values in (one, other))
        product = self.sum(one**2) * self.sum(other**2)
        found: Tensor = self.sum(one * other) / (product + PRODUCT_FLOOR).sqrt()
        return found


class Surroundings:
    """Means over the samples of the same sensor at most 17.5 days away, as anomalies are scored.

    Args:
        sensor: (sample,), sensor numbers.
        day: (sample,), days.
    """

    def __init__(self, sensor: Tensor, day: Tensor) -> None:
        number = torch.unique(sensor, return_inverse=True)[1]
        since = day.double() - day.double().min()
        key = number * (since.max() + 2 * ANOMALY_DAYS) + since  # sensors are farther apart than a window
        self.order = key.argsort()
        key = key[self.order]
        self.first = torch.searchsorted(key, key - ANOMALY_DAYS / 2)
        self.last = torch.searchsorted(key, key + ANOMALY_DAYS / 2, right=True)

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean around each sample, (sample,)."""
        ordered = values[self.order].double()
        total = torch.cat([ordered.new_zeros(1), ordered.cumsum(0)])
        means = (total[self.last] - total[self.first]) / (self.last - self.first)
        return torch.empty_like(values).index_copy(0, self.order, means.to(values.dtype))
