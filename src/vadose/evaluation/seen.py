"""Samples of a prediction table that the model was trained on."""

from collections.abc import Mapping

import pandas as pd

from vadose.errors import VadoseError
from vadose.evaluation.predictions import SENSOR

SEEN_IN_TRAINING = "seen_in_training"
"""Optional column, bool: the model was trained on the place of this row."""


def seen_notes(products: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return the numbers of samples and sensors seen in training, one line per product with this column.

    Args:
        products: prediction tables by name; those without the column `seen_in_training` are skipped.

    Raises:
        VadoseError: the column has values other than true and false.
    """
    return [_note(name, table) for name, table in products.items() if SEEN_IN_TRAINING in table]


def _note(name: str, table: pd.DataFrame) -> str:
    seen = table[SEEN_IN_TRAINING]
    if not pd.api.types.is_bool_dtype(seen) or seen.isna().any():
        raise VadoseError(
            f"predictions: {name}, column {SEEN_IN_TRAINING}", f"Its type is {seen.dtype}", "Give True or False"
        )
    sensors, known = (len(rows[SENSOR].drop_duplicates()) for rows in (table, table[seen.to_numpy(bool)]))
    said = f"{name}: {int(seen.sum()):,} of {len(table):,} samples, {known:,} of {sensors:,} sensors, seen in training"
    return f"{said}; scores of these are not of unseen places." if known else f"{said}."
