"""Headline of a scorecard, for a terminal."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vadose.errors import VadoseError
from vadose.io.files import read_json
from vadose.report.text import FRM, HEADER, headline_rows, plain_table


def console_summary(scorecard: Path) -> str:
    """Return the headline of a written scorecard as a table for a terminal.

    Args:
        scorecard: its Markdown file, or its folder.

    Raises:
        VadoseError: it is missing.
    """
    path = scorecard / "scorecard.json" if scorecard.is_dir() else scorecard.with_suffix(".json")
    if not path.is_file():
        raise VadoseError(f"scorecard: {path}", "There is no such file", "Name a folder with a scorecard")
    asked, remedy = f"scorecard: {path}", "Score again, or name a folder with a scorecard"
    figures = read_json(path, asked, remedy)
    try:
        made_from = figures["made_from"]
        representative = figures.get("headline_representative", ())  # missing in scorecards of earlier versions
        table = headline_table(figures["headline"], made_from["min_samples"], made_from["level"], representative)
        return "\n".join(filter(None, [made_from["title"], made_from["notice"], table]))
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise VadoseError(asked, f"It is not a complete scorecard ({type(error).__name__}: {error})", remedy) from error


def headline_table(
    rows: Sequence[Mapping[str, Any]],
    min_samples: int,
    level: float,
    representative: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Return a headline as a table for a terminal.

    Args:
        rows: as `headline_rows`.
        min_samples: of a sensor.
        level: of the intervals.
        representative: rows of the sensors that are representative by their FRM class.
    """
    basis = f"at least {min_samples} samples per sensor; brackets: {level:.0%} intervals"
    return f"{basis}\n{plain_table(HEADER, [*headline_rows(rows), *headline_rows(representative, FRM)])}"
