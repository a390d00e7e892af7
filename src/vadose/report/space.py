"""Text of scores in space: across sensors, date by date."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from vadose.evaluation.spatial import MIN_SENSORS, Spatial
from vadose.evaluation.subperiods import MONTHS
from vadose.report.text import bounded, markdown_table, number

SPACE = "In space, date by date"
MEANING = (
    "Scores across the sensors of one date, whose samples on it are averaged first; then means over the dates with at "
    f"least {MIN_SENSORS} sensors. R in space is high where a product orders places from dry to wet; R of the first "
    "table is over the times of each sensor. Brackets come from the differences between places. `scorecard_dates.csv` "
    "has every date with its sensors, scores and the interval of R."
)
NO_DATE = f"No date has {MIN_SENSORS} sensors."


def space_markdown(across: Mapping[str, Spatial]) -> str:
    """Return the text of the chapter.

    Args:
        across: from `spatial`, by product.
    """
    if not any(has_dates(one) for one in across.values()):
        return NO_DATE
    parts = [MEANING, markdown_table(*_table(across))]
    header, rows = _by_month(across)
    return "\n\n".join([*parts, *(["### By month", markdown_table(header, rows)] if len(rows) > 1 else [])])


def has_dates(one: Spatial) -> bool:
    """Return whether any date has a score."""
    return bool(one.dates["r"].notna().any())


def every_date(across: Mapping[str, Spatial]) -> pd.DataFrame:
    """Return one row per product and date, with the interval of R."""
    return pd.concat([one.by_date().assign(product=name) for name, one in across.items()], ignore_index=True)[
        ["product", "date", "sensors", "r", "r_low", "r_high", "bias", "rmse", "ubrmse"]
    ]


def _table(across: Mapping[str, Spatial]) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    rows = []
    for product, one in across.items():
        known = one.dates[one.dates["r"].notna()]
        sensors = known["sensors"]
        span = f"{sensors.median():g} ({sensors.min()} to {sensors.max()})" if len(known) else "–"
        means = (number(float(known[name].mean()) if len(known) else None) for name in ("ubrmse", "rmse"))
        few = len(one.dates) - len(known)
        rows.append((product, f"{len(known):,}", f"{few:,}", span, bounded(one.r), *means))
    return ("product", "dates", "dates without R", "sensors per date", "R in space", "ubRMSE", "RMSE"), rows


def _by_month(across: Mapping[str, Spatial]) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    rows: list[tuple[str, ...]] = []
    for place, month in enumerate(MONTHS, start=1):
        for product, one in across.items():
            own = (one.dates["date"].dt.month == place).to_numpy()
            known = int(np.isfinite(one.dates["r"].to_numpy()[own]).sum())
            if known:
                rows.append((month, product, f"{known:,}", bounded(one.mean_r(own))))
    return ("month", "product", "dates", "R in space"), rows
