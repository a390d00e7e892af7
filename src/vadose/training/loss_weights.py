"""Weights of the training objective."""

import pydantic


@pydantic.dataclasses.dataclass(frozen=True, config=pydantic.ConfigDict(extra="forbid", allow_inf_nan=False))
class LossWeights:
    """Weights of the terms of the loss, relative to the error in time.

    Attributes:
        correlation: weight of 1 - R of a sensor.
        bias: weight of a sensor's squared mean error in the dynamic head; in the static head it is 1.
        spread: weight of the likelihood of the standard deviation.
        anomaly: weight of 1 - R of a sensor's departures from the mean of the 35 days around each sample.
        space: weight of 1 - R over the sensors of a network at one time, of at least five; batches then have whole
            networks.
    """

    correlation: float = pydantic.Field(default=1.0, ge=0, le=1e6)
    bias: float = pydantic.Field(default=0.1, ge=0, le=1e6)
    spread: float = pydantic.Field(default=0.1, ge=0, le=1e6)
    anomaly: float = pydantic.Field(default=0.0, ge=0, le=1e6)
    space: float = pydantic.Field(default=0.0, ge=0, le=1e6)
