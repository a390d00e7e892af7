"""The scorecard's files: Markdown for people, CSV of every sensor, JSON of all other figures."""

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from vadose.evaluation.bootstrap import Bootstrap
from vadose.evaluation.diagram import reliability_diagram, stated
from vadose.evaluation.markdown import DIAGRAM, scorecard_markdown
from vadose.evaluation.scores import ProductScores, Scores, score
from vadose.evaluation.sensors import MIN_SAMPLES
from vadose.evaluation.text import HEADER, headline_rows, plain_table
from vadose.files import declaration, replacing
from vadose.refusal import Refusal


def write_scorecard(
    folder: Path,
    products: Mapping[str, pd.DataFrame],
    *,
    title: str,
    notes: Sequence[str] = (),
    min_samples: int = MIN_SAMPLES,
    notice: str = "",
    bootstrap: Bootstrap | None = None,
    chapters: Mapping[str, str] | None = None,
) -> Path:
    """Score named products on the samples that all of them have, and write the scorecard.

    Writes `scorecard.md`, `scorecard.csv` (scores of every sensor and product on the matched samples),
    `scorecard.json` (all other figures of the page) and, where a product states its spread, `reliability.png`; all of
    them or none.

    Args:
        folder: where to write; made if it is not there.
        products: table of predictions of each product, as `check` describes; the first is the one under judgement.
        title: heading of the page.
        notes: statements of what the figures rest on: the split, the period, the input.
        min_samples: sensors with fewer matched samples have no scores.
        notice: a warning above all figures, such as that data are simulated; empty for none.
        bootstrap: how the intervals are drawn.
        chapters: more of the page, Markdown by heading.

    Returns:
        Path of the Markdown file.

    Raises:
        Refusal: what `score` refuses; nothing is written then.
    """
    scores = score(products, min_samples=min_samples, bootstrap=bootstrap)
    made_from = {"title": title, "notes": list(notes), "notice": notice, "products": list(products)}
    figures = declaration("scorecard", made_from | {"min_samples": min_samples} | asdict(scores.bootstrap))
    texts = {
        "scorecard.md": scorecard_markdown(scores, title, notes, notice, chapters or {}),
        "scorecard.csv": _every_sensor(scores).to_csv(index=False),
        "scorecard.json": json.dumps(figures | _figures(scores), indent=2, allow_nan=False) + "\n",
    }
    with ExitStack() as whole:
        for name, text in texts.items():
            whole.enter_context(replacing(folder / name)).write_text(text, encoding="utf-8")
        if speaking := stated(scores.products):
            reliability_diagram(speaking, whole.enter_context(replacing(folder / DIAGRAM)), notice)
    return folder / "scorecard.md"


def console_summary(scorecard: Path) -> str:
    """The headline of a written scorecard as a table for a terminal.

    Args:
        scorecard: its Markdown file, or the folder that holds it.

    Raises:
        Refusal: there is no scorecard.
    """
    path = scorecard / "scorecard.json" if scorecard.is_dir() else scorecard.with_suffix(".json")
    if not path.is_file():
        raise Refusal(f"scorecard: {path}", "There is no such file", "Name a folder that holds a scorecard")
    figures = json.loads(path.read_text(encoding="utf-8"))
    made_from = figures["made_from"]
    basis = f"at least {made_from['min_samples']} samples a sensor; brackets: {made_from['level']:.0%} intervals"
    table = plain_table(HEADER, headline_rows(figures["headline"]))
    return "\n".join(filter(None, [made_from["title"], made_from["notice"], basis, table]))


def _every_sensor(scores: Scores) -> pd.DataFrame:
    tables = [product.sensors.assign(product=product.name) for product in scores.products]
    table = pd.concat(tables, ignore_index=True)
    return table[["product", *table.columns.drop("product")]]


def _figures(scores: Scores) -> dict[str, Any]:
    return {
        "headline": _records(scores.headline),
        "products": {product.name: _of_product(product) for product in scores.products},
    }


def _of_product(product: ProductScores) -> dict[str, Any]:
    few = product.sensors[product.sensors["left_out"] != ""]
    return {
        "rows": dict(product.rows),
        "matched": _records(product.skill.reset_index()),
        "all_its_own_samples": _records(product.own_skill.reset_index()),
        "spread": _records(product.spread.reset_index()),
        "first_minus_this": _records(product.behind.reset_index()),
        "sensors_left_out": _records(few[["network", "station", "sensor", "n", "left_out"]]),
    }


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = json.loads(table.to_json(orient="records", double_precision=15))
    return records
