"""Scores of finished estimates."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from vadose.evaluation import console_summary, read, seen_notes, write_scorecard
from vadose.experiment.train import SIMULATED


def judge(predictions: Sequence[Path], out: Path | None, min_samples: int) -> str:
    """Score tables of estimates, one a product, on the samples that all of them have.

    Args:
        predictions: Parquet files; each product is called by the name of its file.
        out: folder of the scorecard, which is not kept when there is none.
        min_samples: a sensor needs to be scored.

    Returns:
        The headline for a terminal, and how many samples were seen in training where the tables tell.
    """
    products = {path.stem: read(path) for path in predictions}
    notes = seen_notes(products)
    notice = SIMULATED if any(is_simulated(path) for path in predictions) else ""
    with TemporaryDirectory() as nowhere:
        folder = out or Path(nowhere)
        title = ", ".join(products)
        scorecard = write_scorecard(folder, products, title=title, notes=notes, min_samples=min_samples, notice=notice)
        summary = "\n".join([console_summary(scorecard), *notes])
    return f"{summary}\nScorecard: {scorecard}" if out else summary


def is_simulated(predictions: Path) -> bool:
    """Whether a table of estimates declares that it rests on a simulated world."""
    parquet = predictions.suffix.lower() in {".parquet", ".pq"}
    return parquet and bool(pd.read_parquet(predictions, columns=["time"]).attrs.get("simulated"))
