"""Scores of finished estimates."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from vadose.evaluation import console_summary, read, write_scorecard


def judge(predictions: Sequence[Path], out: Path | None, min_samples: int) -> str:
    """Score tables of estimates, one a product, on the samples that all of them have.

    Args:
        predictions: Parquet files; each product is called by the name of its file.
        out: folder of the scorecard, which is not kept when there is none.
        min_samples: a sensor needs to be scored.

    Returns:
        The headline for a terminal.
    """
    products = {path.stem: read(path) for path in predictions}
    with TemporaryDirectory() as nowhere:
        folder = out or Path(nowhere)
        scorecard = write_scorecard(folder, products, title=", ".join(products), min_samples=min_samples)
        summary = console_summary(scorecard)
    return f"{summary}\nScorecard: {scorecard}" if out else summary
