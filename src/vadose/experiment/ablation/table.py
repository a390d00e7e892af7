"""The rows of an ablation side by side: one table for people, the same as JSON, one picture."""

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
from vadose.evaluation.text import interval, markdown_table, number
from vadose.experiment.ablation.picture import save_picture
from vadose.experiment.ablation.rows import Group, Row
from vadose.experiment.config import SIMULATED, Experiment
from vadose.experiment.run import NETWORK, Run
from vadose.files import declaration, replacing

SHOWN = {"r": "R", "ubrmse": "ubRMSE", "rmse": "RMSE"}
"""Scores of the table, and their words; ubRMSE and RMSE in m3 m-3."""
Record = dict[str, Any]


def write_ablation(folder: Path, experiment: Experiment, rows: Mapping[Row, Run]) -> Path:
    """Score the rows on the samples that all of them have, and write table, figures and picture, all or none.

    Raises:
        Refusal: a row has no estimates, or no sensor has enough samples.
    """
    estimates = {row.name: read(run.folder / "predictions" / f"{NETWORK}.parquet") for row, run in rows.items()}
    scores = score(estimates, min_samples=experiment.min_samples)
    records = [_record(row, of, scores) for row, of in zip(rows, scores.products, strict=True)]
    notice = SIMULATED if experiment.simulated else ""
    made_from = {"experiment": experiment.model_dump(mode="json"), "notice": notice} | asdict(scores.bootstrap)
    content = declaration("ablation", made_from) | {"rows": records}
    with ExitStack() as whole:
        page, data, drawn = (
            whole.enter_context(replacing(folder / f"ablation.{kind}")) for kind in ("md", "json", "png")
        )
        page.write_text(_markdown(experiment, scores.bootstrap, records, notice), encoding="utf-8")
        data.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        save_picture(drawn, records, f"{experiment.name}: what each part is worth", notice)
    return folder / "ablation.md"


def _record(row: Row, of: ProductScores, scores: Scores) -> Record:
    full = scores.products[0]
    there = of.sensors[of.sensors["left_out"] == ""]
    said = {"name": row.name, "words": row.words, "group": str(row.group)}
    counts = {"sensors": len(there), "samples": int(there["n"].sum())}
    apart = differences(of.sensors, full.sensors, scores.bootstrap)
    return said | counts | _means(figures(of.skill)) | ({} if of is full else _apart(apart))


def _means(skill: Mapping[str, Mapping[str, float]]) -> Record:
    ends = ("", "_low", "_high")
    return {f"{name}{end}": _plain(skill[name][f"mean{end}"]) for name in SHOWN for end in ends}


def _apart(table: pd.DataFrame) -> Record:
    """Row minus full model, on the same sensors and samples."""
    ends = {"": "difference", "_low": "low", "_high": "high"}
    rows = figures(table)
    return {f"{name}_difference{end}": _plain(rows[name][column]) for name in SHOWN for end, column in ends.items()}


def _plain(value: float) -> float | None:
    return value if pd.notna(value) else None


def _markdown(experiment: Experiment, bootstrap: Bootstrap, records: list[Record], notice: str) -> str:
    full = records[0]
    header = ("row", *SHOWN.values(), *(f"Δ {words}" for words in SHOWN.values()))
    headings = {Group.PAPER: "**as the paper's rows, one moment**", Group.OURS: "**taken away**"}
    lines: list[tuple[str, ...]] = [_line(full)]
    for group, heading in headings.items():
        of_group = [record for record in records if record["group"] == group]
        lines += [(heading, *[""] * (len(header) - 1)), *map(_line, of_group)] if of_group else []
    parts = [
        f"# {experiment.name}: what each part is worth",
        f"> **{notice}**" if notice else "",
        f"{full['samples']:,} samples of {full['sensors']} sensors that all rows have an estimate for and none has "
        f"seen. Every row is trained anew on the same folds and seeds. Mean over sensors with "
        f"{bootstrap.level:.0%} intervals (bootstrap over blocks of {bootstrap.block_degrees:g}°); Δ is the row minus "
        "the whole model, sensor by sensor. ubRMSE and RMSE in m³ m⁻³.",
        markdown_table(header, lines),
        "The paper's rows have its sources and read one moment; network, samples and folds are those of this "
        "experiment, so that its own figures are not comparable. Sources that the samples lack are left out of them.",
        "![The same as a picture](ablation.png)",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _line(record: Record) -> tuple[str, ...]:
    known = {key: float("nan") if value is None else value for key, value in record.items()}
    means = [interval(known, name, f"{name}_low", f"{name}_high") for name in SHOWN]
    ends = [tuple(f"{name}_difference{end}" for end in ("", "_low", "_high")) for name in SHOWN]
    apart = [_signed(*(known[name] for name in names)) if names[0] in known else "" for names in ends]
    return (record["words"], *means, *apart)


def _signed(value: float, low: float, high: float) -> str:
    """A difference with its interval, to four digits, as they are small."""
    return f"{number(value, 4)} [{number(low, 4)}, {number(high, 4)}]"
