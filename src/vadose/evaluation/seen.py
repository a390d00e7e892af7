"""What of a table of predictions was known to the model that made it."""

from collections.abc import Mapping

import pandas as pd

from vadose.errors import VadoseError
from vadose.evaluation.predictions import SENSOR

SEEN_IN_TRAINING = "seen_in_training"
"""Column, bool, that a table may have: the model had learned from the place of this row."""


def seen_notes(products: Mapping[str, pd.DataFrame]) -> list[str]:
    """How many samples and sensors of each product were seen in training, a line for each product that tells.

    Args:
        products: tables of predictions by name; those without the column `seen_in_training` are passed over.

    Raises:
        VadoseError: the column holds something else than true and false.
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
