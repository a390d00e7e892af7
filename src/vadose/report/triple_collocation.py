"""Text and table of triple collocation over all sensors."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from vadose.evaluation.bootstrap import Bootstrap
from vadose.evaluation.collocation import MIN_COLLOCATED, triple_collocation
from vadose.report.text import bounded, counted, markdown_table
from vadose.variables import IDENTITY

TRIPLE = "Triple collocation"
_MEANING = (
    "Errors from covariances alone, without a reference truth, valid if the errors of the three are "
    "independent of each other (Gruber et al. 2016): medians over sensors with at least {least} common samples, "
    "without an interval if one place has more than a third of the sensors. Error: its standard deviation "
    "on the scale of {first}, m³ m⁻³; signal to noise in dB; R with the unknown truth."
)


def triple_markdown(products: Mapping[str, pd.DataFrame]) -> str:
    """Return medians over sensors of the results of `triple_collocation`, with intervals.

    Raises:
        VadoseError: raised by `triple_collocation`.
    """
    found = triple_collocation(products, MIN_COLLOCATED)
    rows = [_row(str(name), table) for name, table in found.groupby("product", sort=False)]
    reasons = found[found["left_out"] != ""].drop_duplicates(list(IDENTITY))
    left = f"Without figures: {counted(len(reasons), 'sensors')}, with too few samples or a negative variance."
    meaning = _MEANING.format(least=MIN_COLLOCATED, first=next(iter(products)))
    table = markdown_table(("product", "sensors", "error", "signal to noise", "R"), rows)
    return "\n\n".join([meaning, table, left] if len(reasons) else [meaning, table])


def _row(name: str, table: pd.DataFrame) -> tuple[str, ...]:
    there = table[table["left_out"] == ""]
    lat, lon = (there[axis].to_numpy(np.float64) for axis in ("lat", "lon"))
    cells = []
    for figure in ("error_std", "snr_db", "r"):
        median = Bootstrap().median(there[figure].to_numpy(np.float64), lat, lon)
        cells.append(bounded(median))
    return name, f"{len(there):,}", *cells
