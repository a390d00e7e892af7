"""Tables of text, for Markdown and for a terminal."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

HEADER = ("product", "sensors", "samples", "R", "ubRMSE", "RMSE", "bias", "median R")


def number(value: float | None, digits: int = 3) -> str:
    """A number with fixed digits, a dash where there is none."""
    return "–" if value is None or not isfinite(value) else f"{round(value, digits) + 0.0:.{digits}f}"


def interval(row: Mapping[str, Any], value: str, low: str, high: str) -> str:
    """A figure of a row with its interval in brackets, without brackets where there is none."""
    bounds = f" [{number(row[low])}, {number(row[high])}]"
    return number(row[value]) + (bounds if "–" not in bounds else "")


def headline_rows(records: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Cells under `HEADER` for the rows of `Scores.headline`, or for the same rows read from JSON."""
    return [
        (
            row["product"],
            f"{row['sensors']:,}",
            f"{row['samples']:,}",
            *(interval(row, s, f"{s}_low", f"{s}_high") for s in ("r", "ubrmse", "rmse", "bias", "r_median")),
        )
        for row in records
    ]


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, its first column to the left and the others to the right."""
    lines = [header, [":--", *["--:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def plain_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table for a terminal, its first column to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [header, ["─" * width for width in widths], *rows]
    return "\n".join(
        "  ".join(cell.rjust(w) if i else cell.ljust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True)))
        for line in lines
    )


def shown(name: str, longest: int = 60) -> str:
    """A name as pictures can draw it: printable, of one line, not too long, no formula and no hidden label."""
    plain = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name).strip() or "?"
    cut = plain if len(plain) <= longest else plain[: longest - 1] + "…"
    return ("\N{ZERO WIDTH SPACE}" if cut.startswith("_") else "") + cut.replace("$", r"\$")
