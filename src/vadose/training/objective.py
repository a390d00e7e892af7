"""What training minimises."""

from dataclasses import dataclass
from math import log, pi

import pydantic
import torch
from torch import Tensor

from vadose.models.shape import NetworkOutput


@pydantic.dataclasses.dataclass(frozen=True, config=pydantic.ConfigDict(extra="forbid", allow_inf_nan=False))
class LossWeights:
    """Weights of the terms of the loss, relative to the error in time.

    Attributes:
        correlation: weight of 1 - R of a sensor.
        bias: weight of a sensor's squared mean error in the dynamic head; in the static head it is 1.
        spread: weight of the likelihood of the standard deviation.
    """

    correlation: float = pydantic.Field(default=1.0, ge=0, le=1e6)
    bias: float = pydantic.Field(default=0.1, ge=0, le=1e6)
    spread: float = pydantic.Field(default=0.1, ge=0, le=1e6)


@dataclass(frozen=True, eq=False)
class Labels:
    """What was measured.

    Attributes:
        label: (sample,), m3 m-3.
        sensor: (sample,), a number for each sensor.
        alone: (sample,), how much its sensor counts for the level: less where many stand close together.
    """

    label: Tensor
    sensor: Tensor
    site_weight: Tensor

    def to(self, device: torch.device) -> "Labels":
        """Return the same on another device."""
        return Labels(self.label.to(device), self.sensor.to(device), self.site_weight.to(device))

    def some(self, rows: Tensor | slice) -> "Labels":
        """Of some samples."""
        return Labels(self.label[rows], self.sensor[rows], self.site_weight[rows])


@dataclass(frozen=True, eq=False)
class BatchTotals:
    """How much there is in a whole batch, of which a part may be told.

    Attributes:
        sensors: how many.
        alone: sum of how much they count for the level.
        samples: how many.
    """

    sensors: int
    site_weight: Tensor
    samples: int

    @classmethod
    def of(cls, truth: Labels) -> "BatchTotals":
        """Of all that was measured."""
        by = Sensors(truth.sensor)
        return cls(len(by.count), by.mean(truth.site_weight).sum(), len(truth.label))


ERROR_FLOOR, LEVEL_FLOOR, PRODUCT_FLOOR = 0.01, 0.25, 1e-4
"""Under the roots, in variances of the label: errors far below them gain nothing by becoming smaller still."""


def objective(
    parts: NetworkOutput, truth: Labels, scale: Tensor, weights: LossWeights, whole: BatchTotals | None = None
) -> Tensor:
    """Error in time, correlation, lasting error and likelihood of the spread, each a mean over sensors.

    A sensor's lasting error is its bias; it is large, says little of other places, and would drown the rest. RMSE^2 =
    ubRMSE^2 + bias^2 (Entekhabi et al., J. Hydrometeor. 11:832-840, 2010, equation 2) parts them, and the level alone
    learns the bias while the swing alone learns the rest. With errors in standard deviations of the label,

        L = mean over sensors of sqrt(centred^2 + 0.01) + correlation (1 - R) + bias * lasting^2
          + weighted mean over sensors of sqrt(residual^2 + 0.25)  +  spread * NLL(spread | error)

    where lasting is the mean error of a sensor within the batch, centred^2 the mean square of the error less that, and
    residual the same lasting error, of which only the level is told. The roots keep a few bad sensors from ruling.

    Args:
        parts: of the estimate, each (sample,), m3 m-3.
        truth: what was measured.
        scale: standard deviation of the label over the training samples, m3 m-3.
        weights: of the parts.
        whole: of the batch, where these samples are but some of it, whole sensors; what is returned is then their share
            of its objective.
    """
    whole = whole or BatchTotals.of(truth)
    label, static, dynamic = truth.label / scale, parts.static / scale, parts.dynamic / scale
    by = Sensors(truth.sensor)
    error = dynamic + static.detach() - label
    bias = by.mean(error)
    centred = by.mean((error - bias[by.of]) ** 2)
    moving = (centred + ERROR_FLOOR).sqrt() + weights.correlation * (
        1 - by.correlation(dynamic + static.detach(), label)
    )
    residual = by.mean(dynamic.detach() + static - label)
    weight = by.mean(truth.site_weight)
    usual = (weight * (residual**2 + LEVEL_FLOOR).sqrt()).sum() / whole.site_weight
    mean = (dynamic + static).detach()
    likelihood = negative_log_likelihood(mean, parts.std / scale, label) * len(label) / whole.samples
    total: Tensor = (moving + weights.bias * bias**2).sum() / whole.sensors + usual + weights.spread * likelihood
    return total


def negative_log_likelihood(mean: Tensor, std: Tensor, label: Tensor) -> Tensor:
    """Gaussian negative log-likelihood, a mean over samples; all of one unit and one shape."""
    variance = std**2
    each: Tensor = 0.5 * (torch.log(variance) + (label - mean) ** 2 / variance + log(2 * pi))
    return each.mean()


class Sensors:
    """Means by sensor.

    Args:
        sensor: (sample,), a number for each.
    """

    def __init__(self, sensor: Tensor) -> None:
        _, self.of, self.count = torch.unique(sensor, return_inverse=True, return_counts=True)

    def sum(self, values: Tensor) -> Tensor:
        """(sample,) to (sensor,)."""
        return torch.zeros(len(self.count), dtype=values.dtype, device=values.device).index_add(0, self.of, values)

    def mean(self, values: Tensor) -> Tensor:
        """(sample,) to (sensor,)."""
        means: Tensor = self.sum(values) / self.count
        return means

    def correlation(self, one: Tensor, other: Tensor) -> Tensor:
        """Pearson's R of two within each sensor; near 0 where either does not vary."""
        one, other = (values - self.mean(values)[self.of] for values in (one, other))
        product = self.sum(one**2) * self.sum(other**2)
        found: Tensor = self.sum(one * other) / (product + PRODUCT_FLOOR).sqrt()
        return found
