"""Rain with the errors of a model's forcing: too much or too little, missed and false storms.

Maggioni, Meyers & Robinson, J. Hydrometeorology 17:1101-1117, 2016, review such errors.
"""

import numpy as np

from vadose.simulation.fields import Floats

DAY_ERROR, LASTING_ERROR = 0.9, 0.2
"""Standard deviations of the logarithms of a day's error and of the persistent one."""
SHARED = 0.8
"""Fraction of the variance of a day's error that is common to all pixels of a region."""
MISSED, MISSED_MM = 0.45, 8.0
"""Probability that a slight rain is missed, and rain at which it has decreased by a factor e."""
FALSE = 0.35
"""Number of false rainy days per true one."""
DRY_MM = 0.3


def perturbed_rain(rain_mm: Floats, rng: np.random.Generator) -> Floats:
    """Return daily rain with its errors, (day, pixel), mm.

    Args:
        rain_mm: true, (day, pixel).
        rng: rng of the errors.
    """
    mean = rain_mm.mean(axis=1, keepdims=True)
    common, local = rng.standard_normal(mean.shape), rng.standard_normal(rain_mm.shape)
    error = DAY_ERROR * (np.sqrt(SHARED) * common + np.sqrt(1 - SHARED) * local)
    estimated = rain_mm * np.exp(error - DAY_ERROR**2 / 2 + LASTING_ERROR * rng.standard_normal())
    missed = rng.random(mean.shape) < MISSED * np.exp(-mean / MISSED_MM)
    wet = mean > DRY_MM
    false = ~wet & (rng.random(mean.shape) < FALSE * wet.mean() / max(1 - wet.mean(), 0.01))
    made_up = rng.exponential(mean[wet].mean() / 2 if wet.any() else 0.0, mean.shape)
    return np.asarray(np.where(missed, 0, estimated) + np.where(false, made_up, 0))
