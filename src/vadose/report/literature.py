"""Text and tables of published figures and ours."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from vadose.evaluation.bootstrap import Interval
from vadose.evaluation.literature import LiteratureComparison
from vadose.evaluation.publications import Figure
from vadose.report.text import bounded, markdown_table, plain_table

CAUTION = (
    "Figures of publications, unchanged, and ours on our own samples of the same region and period in the "
    "same definition. Settings differ as listed for each publication: no figure here shows that one product is "
    "better than "
    "another."
)
TITLES = {
    "r": "R",
    "bias": "bias",
    "rmse": "RMSE",
    "ubrmse": "ubRMSE",
    "kge": "KGE",
    "anomaly_r": "anomaly R",
    "r2": "R²",
}
CHECKED = "checked against"
OVER_PLACES = "ours, mean over places"
_MEANS = ("mean", "not stated")
OPEN = ("work", "figures", CHECKED, "why it is open")


def published_text(figure: Figure) -> str:
    """Return a published figure: a range, or with its deviation."""
    text = _plain(figure.value)
    if figure.to is not None:
        text += f" to {_plain(figure.to)}"
    return text + (f" ± {_plain(figure.deviation)}" if figure.deviation is not None else "")


def own_text(value: Interval | None) -> str:
    """Return our figure with its interval, a dash if missing."""
    return "–" if value is None else bounded(value)


def figure_table(found: LiteratureComparison) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return a column per score in the published definition: ours, then one row per product and part of theirs."""
    columns = list(dict.fromkeys((f.over, f.score) for f in found.work.figures))
    titles = (TITLES[score] + (f", {over}" if over != "not stated" else "") for over, score in columns)
    header = ("", *titles, CHECKED)
    published = {column: f for f in found.work.figures for column in [(f.over, f.score)]}
    rows = [("ours", *(own_text(found.ours.of(published[column])) if found.ours else "–" for column in columns), "")]
    if any(over in _MEANS for over, _ in columns):
        places = (
            own_text(found.ours.values.get(("over_places", score))) if found.ours and over in _MEANS else ""
            for over, score in columns
        )
        rows.append((OVER_PLACES, *places, ""))
    for key in dict.fromkeys((f.product, f.part) for f in found.work.figures):
        cells = {(f.over, f.score): published_text(f) for f in found.work.figures if (f.product, f.part) == key}
        name = ", ".join(filter(None, ("theirs", *key)))
        rows.append((name, *(cells.get(column, "") for column in columns), found.work.checked))
    return header, rows


def open_row(found: LiteratureComparison) -> tuple[str, ...]:
    """Return cells under `OPEN` for a publication without scores of ours."""
    published = "; ".join(
        " ".join(
            filter(
                None, [f.product, f.part, f.over if f.over != "not stated" else "", TITLES[f.score], published_text(f)]
            )
        )
        for f in found.work.figures
    )
    return found.work.work, published, found.work.checked, found.lacking


def benchmark_markdown(found: Sequence[LiteratureComparison]) -> str:
    """Return all publications: compared ones with their differences, then those left open."""
    parts = [CAUTION]
    for one in found:
        if one.ours:
            source = one.work.source
            said = [*one.differences, *(f"note: {note}" for note in one.work.notes)]
            counts = f"Ours: {one.ours.samples:,} samples at {one.ours.sensors:,} sensors."
            parts += [
                f"### {one.work.work}",
                f"{f'[{source.cited}]({source.address})' if source.address else source.cited}. {counts}",
                markdown_table(*figure_table(one)),
                "\n".join(f"- {line}" for line in said),
            ]
    if still := [open_row(one) for one in found if not one.ours]:
        parts += ["### Open: works whose region or period these samples lack", markdown_table(OPEN, still)]
    return "\n\n".join(parts)


def benchmark_plain(found: Sequence[LiteratureComparison]) -> str:
    """Return all publications for a terminal."""
    parts = [CAUTION]
    for one in found:
        if one.ours:
            parts += ["", one.work.work, plain_table(*figure_table(one)), *(f"  {line}" for line in one.differences)]
    still = [f"  {one.work.work}: {one.lacking}" for one in found if not one.ours]
    return "\n".join([*parts, *(["", "Open, for lack of samples:", *still] if still else [])])


def benchmark_records(found: Sequence[LiteratureComparison]) -> list[dict[str, Any]]:
    """Return all publications as JSON, with our figures where available."""
    return [
        {
            "work": one.work.model_dump(mode="json"),
            "sensors": one.ours.sensors if one.ours else 0,
            "samples": one.ours.samples if one.ours else 0,
            "ours": [_record(one.ours.of(figure)) for figure in one.work.figures] if one.ours else [],
            "differences": list(one.differences),
            "open": one.lacking,
        }
        for one in found
    ]


def _record(value: Interval | None) -> dict[str, float | None] | None:
    if value is None:
        return None
    pairs = (("value", value.value), ("low", value.low), ("high", value.high))
    return {name: figure if isfinite(figure) else None for name, figure in pairs}


def _plain(value: float) -> str:
    return f"{value:.4f}" if round(value, 3) != value else f"{value:.3f}"
