"""Simulated series of a known truth: first-order autoregressive, with products of a known correlation with it."""

import numpy as np
import pandas as pd
from scipy.signal import lfilter


def autoregressive(memory: float, size: int, series: int, rng: np.random.Generator) -> np.ndarray:
    """Stationary series of mean 0 and variance 1, (series, size)."""
    noise = rng.standard_normal((series, size + 200)) * np.sqrt(1 - memory**2)
    return lfilter([1], [1, -memory], noise, axis=1)[:, 200:]


def simulated(
    r: float, memory: float, *, samples: int, sensors: int, products: int = 1, seed: int = 0, apart: float = 1.0
) -> dict[str, pd.DataFrame]:
    """Tables of products whose R with the label is `r` at every sensor; each product has its own errors."""
    rng = np.random.default_rng(seed)
    label = autoregressive(memory, samples, sensors, rng)
    place = np.arange(sensors)
    base = pd.DataFrame(
        {
            "network": "SIM",
            "station": np.repeat([f"s{i:04d}" for i in place], samples),
            "sensor": "5cm",
            "lat": np.repeat(place // 50 * apart + 0.5, samples),
            "lon": np.repeat(place % 50 * apart + 0.5, samples),
            "time": np.tile(pd.date_range("2015-01-01", periods=samples, freq="D"), sensors),
            "soil_moisture_in_situ": 0.25 + 0.04 * label.ravel(),
        }
    )
    tables = {}
    for name in (f"product {n}" for n in range(products)):
        error = autoregressive(memory, samples, sensors, rng)
        tables[name] = base.assign(soil_moisture=0.25 + 0.04 * (r * label + np.sqrt(1 - r**2) * error).ravel())
    return tables
