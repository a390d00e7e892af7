"""Tables of text, for Markdown and for a terminal."""

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vadose.evaluation.bootstrap import Interval

HEADER = ("product", "mean over", "samples", "R", "ubRMSE", "RMSE", "bias", "median R")


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with fixed digits, a dash if missing."""
    return "–" if value is None or not isfinite(value) else f"{round(value, digits) + 0.0:.{digits}f}"


def p_values(values: Iterable[float | None]) -> str:
    """Return p-values in a cell, each with three digits; of smaller ones, "<0.001"."""
    return " / ".join("<0.001" if value is not None and value < 0.0005 else number(value) for value in values)


def counted(count: float, nouns: str) -> str:
    """Return a count with its noun, given in the plural."""
    return f"{count:,.0f} {nouns.removesuffix('s') if count == 1 else nouns}"


def interval(row: Mapping[str, Any], value: str, low: str, high: str) -> str:
    """Return a figure of a row with its interval in brackets, without brackets if missing."""
    bounds = f" [{number(row[low])}, {number(row[high])}]"
    return number(row[value]) + (bounds if "–" not in bounds else "")


def bounded(one: "Interval") -> str:
    """Return a statistic with its interval in brackets, without brackets if missing."""
    return interval(vars(one), "value", "low", "high")


FRM = "FRM-representative sensors"
"""Sensors of `Scores.representative`."""


def headline_rows(records: Sequence[Mapping[str, Any]], sensors: str = "sensors") -> list[tuple[str, ...]]:
    """Return cells under `HEADER` for the rows of `Scores.headline`, or for the same rows read from JSON.

    Means over places come first: the expected scores at a new place.

    Args:
        records: the rows.
        sensors: name of the sensors that they are of.
    """
    places = [row for row in records if "places" in row]  # missing in scorecards of earlier versions
    of = "" if sensors == "sensors" else f" of {sensors}"
    over_places = [(counted(row["places"], "places") + of, row, "_over_places") for row in places]
    notes = [f" ({effective(row['effective_places'])})" if "effective_places" in row else "" for row in records]
    over_sensors = [
        (counted(row["sensors"], sensors) + note, row, "") for row, note in zip(records, notes, strict=True)
    ]
    return [
        (
            row["product"],
            over,
            f"{row['samples']:,}",
            *(interval(row, f"{s}{kind}", f"{s}{kind}_low", f"{s}{kind}_high") for s in _HEADLINE),
            "" if kind else interval(row, "r_median", "r_median_low", "r_median_high"),
        )
        for over, row, kind in [*over_places, *over_sensors]
    ]


def effective(places: float | None) -> str:
    """Return the number of effective places of a mean over sensors."""
    return f"{number(places, 1)} effective places"


_HEADLINE = ("r", "ubrmse", "rmse", "bias")


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown, its first column left-aligned and the others right-aligned."""
    lines = [header, [":--", *["--:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def plain_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table for a terminal, its first column left-aligned and the others right-aligned."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [header, ["─" * width for width in widths], *rows]
    return "\n".join(
        "  ".join(cell.rjust(w) if i else cell.ljust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True)))
        for line in lines
    )


def shown(name: str, longest: int = 60) -> str:
    """Return a name that pictures can draw: printable, on one line, not too long, no formula and no hidden label."""
    plain = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name).strip() or "?"
    cut = plain if len(plain) <= longest else plain[: longest - 1] + "…"
    return ("\N{ZERO WIDTH SPACE}" if cut.startswith("_") else "") + cut.replace("$", r"\$")
