"""Tables of scores by class of samples."""

from collections.abc import Mapping, Sequence

import pandas as pd

from vadose.evaluation.strata_scores import SHOWN
from vadose.report.text import interval, markdown_table, number

HEADER = (
    *("class", "product", "sensors", "samples", "too few", "places", "R over places", "ubRMSE over places"),
    *("effective places", "R", "ubRMSE", "RMSE"),
)
MEANING = (
    "Means over places, then over the sensors, with enough samples of the class; 'too few' counts sensors that "
    "have some, but not enough. Soil varies less within a class than over all, so that R is lower than over all even "
    "where the estimate is as good. No bracket: fewer than five places, or effective places."
)


def strata_tables(strata: pd.DataFrame) -> list[tuple[str, Sequence[str], list[tuple[str, ...]]]]:
    """Return a table per stratification: title, header and cells; a single product is not named."""
    several = len(set(strata["product"])) > 1
    columns = [place for place, name in enumerate(HEADER) if several or name != "product"]
    return [
        (
            str(stratum),
            [HEADER[place] for place in columns],
            [tuple(_cells(row)[place] for place in columns) for row in rows.to_dict("records")],
        )
        for stratum, rows in strata.groupby("stratum", sort=False)
    ]


def strata_markdown(strata: pd.DataFrame) -> str:
    """Return all stratifications, a table each."""
    parts = [MEANING]
    for title, header, rows in strata_tables(strata):
        parts += [f"### By {title}", markdown_table(header, rows)]
    return "\n\n".join(parts)


def _cells(row: Mapping[object, object]) -> tuple[str, ...]:
    values = {str(name): value for name, value in row.items()}
    sensors, samples, too_few, places = (f"{values[name]:,}" for name in ("sensors", "samples", "too_few", "places"))
    new = (interval(values, name, f"{name}_low", f"{name}_high") for name in ("r_over_places", "ubrmse_over_places"))
    scores = (interval(values, score, f"{score}_low", f"{score}_high") for score in SHOWN)
    worth = number(float(str(values["effective"])), 1)
    return str(values["class"]), str(values["product"]), sensors, samples, too_few, places, *new, worth, *scores
