"""Rivals that speak of few samples are judged apart, so that they take none from the others."""

from collections.abc import Mapping

import pandas as pd

from vadose.errors import VadoseError
from vadose.evaluation import matched, per_sensor, summary
from vadose.report.text import counted

ENOUGH = 0.95
"""Part of the samples that a baseline must have an estimate for, to stand in the table with the others."""


def coverage_filter(products: Mapping[str, pd.DataFrame]) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """Return the products that have an estimate for nearly all samples, the first of all among them, and the others."""
    first = next(iter(products))
    dense = {
        name for name, table in products.items() if name == first or table["soil_moisture"].notna().mean() >= ENOUGH
    }
    return (
        {name: table for name, table in products.items() if name in dense},
        {name: table for name, table in products.items() if name not in dense},
    )


def note_of(name: str, table: pd.DataFrame, first: str, judged: pd.DataFrame, min_samples: int) -> str:
    """Return what a sparse baseline scores on its own samples, and the first product on the same."""
    part = f"{name} has an estimate for {table['soil_moisture'].notna().mean():.0%} of the samples, and stands apart"
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
