"""Comparison of the rows of an ablation: a Markdown table, the same as JSON, and a figure."""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from vadose.evaluation import Bootstrap, differences, read
from vadose.evaluation.scores import ProductScores, Scores, score
from vadose.evaluation.sensors import figures
from vadose.experiment.ablation.picture import save_picture
from vadose.experiment.ablation.rows import Group, Row
from vadose.experiment.config import SIMULATED, Experiment
from vadose.experiment.run import NETWORK, Run
from vadose.io.files import atomic_write, metadata
from vadose.report.text import counted, effective, interval, markdown_table, number

SHOWN = {"r": "R", "ubrmse": "ubRMSE", "rmse": "RMSE"}
"""Scores of the table, and their titles; ubRMSE and RMSE in m3 m-3."""
_ENDS = ("", "_low", "_high")
Record = dict[str, Any]


def write_ablation(folder: Path, experiment: Experiment, rows: Mapping[Row, Run]) -> Path:
    """Score the rows on their common samples, and write table, figures and picture, atomically.

    Raises:
        VadoseError: a row has no estimates, or no sensor has enough samples.
    """
    estimates = {row.name: read(run.folder / "predictions" / f"{NETWORK}.parquet") for row, run in rows.items()}
    scores = score(estimates, min_samples=experiment.min_samples)
    records = [_record(row, of, scores) for row, of in zip(rows, scores.products, strict=True)]
    notice = SIMULATED if experiment.simulated else ""
    made_from = {"experiment": experiment.model_dump(mode="json"), "notice": notice} | asdict(scores.bootstrap)
    content = metadata("ablation", made_from) | {"rows": records}
    with ExitStack() as whole:
        page, data, image = (
            whole.enter_context(atomic_write(folder / f"ablation.{kind}")) for kind in ("md", "json", "png")
        )
        page.write_text(_markdown(experiment, scores.bootstrap, records, notice), encoding="utf-8")
        data.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        save_picture(image, records, f"{experiment.name}: effect of each part, means over places", notice)
    return folder / "ablation.md"


def _record(row: Row, of: ProductScores, scores: Scores) -> Record:
    full = scores.products[0]
    there = of.sensors[of.sensors["left_out"] == ""]
    said = {"name": row.name, "words": row.words, "group": str(row.group)}
    skill = figures(of.skill)
    counts: Record = {"sensors": len(there), "samples": int(there["n"].sum()), "places": int(skill["rmse"]["places"])}
    counts["effective_places"] = _plain(skill["rmse"]["effective"])
    apart = differences(of.sensors, full.sensors, scores.bootstrap)
    return said | counts | _means(skill) | ({} if of is full else _apart(apart))


def _means(skill: Mapping[str, Mapping[str, float]]) -> Record:
    kinds = {"": "mean", "_over_places": "over_places"}
    return {
        f"{name}{over}{end}": _plain(skill[name][f"{kind}{end}"])
        for name in SHOWN
        for over, kind in kinds.items()
        for end in _ENDS
    }


def _apart(table: pd.DataFrame) -> Record:
    """Return row minus full model, on the same sensors and samples."""
    columns = {f"_difference{end}": column for end, column in zip(_ENDS, ("difference", "low", "high"), strict=True)}
    columns |= {f"_difference_over_places{end}": f"over_places{end}" for end in _ENDS}
    rows = figures(table)
    return {f"{name}{end}": _plain(rows[name][column]) for name in SHOWN for end, column in columns.items()}


def _plain(value: float) -> float | None:
    return value if pd.notna(value) else None


def _markdown(experiment: Experiment, bootstrap: Bootstrap, records: list[Record], notice: str) -> str:
    full = records[0]
    parts = [
        f"# {experiment.name}: effect of each part",
        f"> **{notice}**" if notice else "",
        f"{counted(full['samples'], 'samples')} of {counted(full['sensors'], 'sensors')} for which all rows have "
        "a held-out estimate. Every row is trained separately on the same folds and seeds. Brackets: "
        f"{bootstrap.level:.0%} intervals from the differences between places (blocks of "
        f"{bootstrap.block_degrees:g}°); Δ is the row minus the full model, sensor by sensor. ubRMSE and RMSE in "
        "m³ m⁻³.",
        f"Mean over {counted(full['places'], 'places')}, first over the sensors of each: the expected skill at a new "
        "place.",
        _table(records, "_over_places"),
        f"Mean over {counted(full['sensors'], 'sensors')}, as certain as over {effective(full['effective_places'])}.",
        _table(records, ""),
        "The paper's rows have its sources at one time; network, samples and folds are those of this "
        "experiment, so that the paper's own figures are not comparable. Sources missing in the samples are left out.",
        "![The table as a figure](ablation.png)",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(records: list[Record], over: str) -> str:
    header = ("row", *SHOWN.values(), *(f"Δ {words}" for words in SHOWN.values()))
    headings = {Group.PAPER: "**the paper's rows, one time**", Group.OURS: "**removed**"}
    lines = [_line(records[0], over)]
    for group, heading in headings.items():
        of_group = [_line(record, over) for record in records if record["group"] == group]
        lines += [(heading, *[""] * (len(header) - 1)), *of_group] if of_group else []
    return markdown_table(header, lines)


def _line(record: Record, over: str) -> tuple[str, ...]:
    known = {key: float("nan") if value is None else value for key, value in record.items()}
    means = [interval(known, *(f"{name}{over}{end}" for end in _ENDS)) for name in SHOWN]
    ends = [tuple(f"{name}_difference{over}{end}" for end in _ENDS) for name in SHOWN]
    apart = [_signed(*(known[name] for name in names)) if names[0] in known else "" for names in ends]
    return (record["words"], *means, *apart)


def _signed(value: float, low: float, high: float) -> str:
    """Return a difference with its interval, with four digits, as differences are small."""
    bounds = f" [{number(low, 4)}, {number(high, 4)}]"
    return number(value, 4) + (bounds if "–" not in bounds else "")
