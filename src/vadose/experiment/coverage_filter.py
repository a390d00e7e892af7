"""Separate evaluation of baselines with few estimates, so that the others keep their samples."""

from collections.abc import Mapping

import pandas as pd

from vadose.errors import VadoseError
from vadose.evaluation import matched, per_sensor, summary
from vadose.report.text import counted

ENOUGH = 0.95
"""Smallest fraction of samples with an estimate of a baseline in the common table."""


def coverage_filter(products: Mapping[str, pd.DataFrame]) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """Return the products with an estimate for nearly all samples, with the first of all, and the others."""
    first = next(iter(products))
    dense = {
        name for name, table in products.items() if name == first or table["soil_moisture"].notna().mean() >= ENOUGH
    }
    return (
        {name: table for name, table in products.items() if name in dense},
        {name: table for name, table in products.items() if name not in dense},
    )


def note_of(name: str, table: pd.DataFrame, first: str, judged: pd.DataFrame, min_samples: int) -> str:
    """Return the scores of a sparse baseline on its own samples, and of the first product on the same."""
    part = f"{name} has an estimate for {table['soil_moisture'].notna().mean():.0%} of the samples and is scored apart"
    try:
        both = matched({first: judged, name: table})
    except VadoseError:
        return f"{part}: none of them can be scored."
    sensors = {product: per_sensor(rows, min_samples) for product, rows in both.items()}
    scored = int((sensors[name]["left_out"] == "").sum())
    said = "; ".join(f"{product} {_figures(own)}" for product, own in sensors.items())
    samples = counted(len(both[name]), "samples")
    return f"{part}. On these {samples}, {counted(scored, 'sensors')} with enough of them: {said}."


def _figures(sensors: pd.DataFrame) -> str:
    mean = summary(sensors)["mean"]
    return f"R {mean['r']:.3f}, ubRMSE {mean['ubrmse']:.4f}, RMSE {mean['rmse']:.4f}"
