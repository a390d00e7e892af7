"""Files of a scorecard: page, Markdown, CSV of every sensor, JSON of all other figures."""

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from vadose.evaluation.publications import Publication
from vadose.evaluation.scores import ProductScores, Scores
from vadose.evaluation.tally import MIN_SAMPLES
from vadose.io.files import atomic_write, metadata
from vadose.io.paths import StrPath
from vadose.report.content import ReportData, ReportText
from vadose.report.diagram import reliability_diagram, stated
from vadose.report.extra_scores import with_intervals
from vadose.report.headline import headline_table
from vadose.report.literature import benchmark_plain, benchmark_records
from vadose.report.markdown import DIAGRAM, difference_table, scorecard_markdown
from vadose.report.page import page
from vadose.report.qa4sm import write_qa4sm
from vadose.report.space import every_date
from vadose.report.text import FRM, HEADER, headline_rows, plain_table
from vadose.variables import IDENTITY

LEFT_OUT, DATES = "scorecard_left_out.parquet", "scorecard_dates.csv"
CARD = ("scorecard.html", "scorecard.md", "scorecard.csv", LEFT_OUT, DATES, DIAGRAM, "scorecard.json")
"""Names of its files."""


@dataclass(frozen=True, eq=False, repr=False)
class Scorecard:
    """Scores of one product or several at in-situ sensors.

    Attributes:
        content: content of all its files.
    """

    content: ReportData

    @property
    def headline(self) -> pd.DataFrame:
        """Return one row per product: counts, and the mean of each score over sensors and places with its interval."""
        return self.content.scores.headline

    @property
    def representative(self) -> pd.DataFrame:
        """Return the same over the sensors that are representative by ISMN's FRM classes, if these are some of all."""
        return self.content.scores.representative

    @property
    def sensors(self) -> pd.DataFrame:
        """Return one row per product and sensor, with its scores on the matched samples."""
        return _every_sensor(self.content)

    @property
    def left_out(self) -> pd.DataFrame:
        """Return one row per product and sample in no score, with its `reason`.

        Sensors of the archive without samples come first; their time is missing.
        """
        return self.content.left_out

    @property
    def dates(self) -> pd.DataFrame:
        """Return one row per product and date: scores across the sensors, with the interval of R."""
        return every_date(self.content.across)

    @property
    def notes(self) -> tuple[str, ...]:
        """Return the basis of the figures."""
        return tuple(self.content.words.notes)

    def to_html(self, path: StrPath) -> Path:
        """Return the page with all figures."""
        return _written(Path(path), page(self.content))

    def to_markdown(self, path: StrPath) -> Path:
        """Return the page as Markdown."""
        return _written(Path(path), _markdown(self.content))

    def to_qa4sm(self, path: StrPath) -> Path:
        """Return the scores of the sensors as a NetCDF result of QA4SM."""
        return write_qa4sm(Path(path), self.content)

    def write(self, folder: StrPath) -> Path:
        """Write all files of `write_scorecard` into a folder, and return the Markdown one."""
        return write_content(Path(folder), self.content)

    def __str__(self) -> str:
        scores, words = self.content.scores, self.content.words
        lines = [words.title, words.notice, headline_text(scores)]
        if scores.products[1:]:
            first = scores.products[0].name
            lines += [f"{first} minus the others, sensor by sensor", plain_table(*difference_table(scores))]
        lines += [benchmark_plain(self.content.benchmark)] if self.content.benchmark else []
        return "\n".join(filter(None, [*lines, *words.chapters.values(), *words.notes]))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = [*headline_rows(_records(self.headline)), *headline_rows(_records(self.representative), FRM)]
        table = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
        head = "".join(f"<th>{escape(name)}</th>" for name in HEADER)
        words = self.content.words
        title = f"<strong>{escape(words.title)}</strong> {escape(words.notice)}"
        return f"<div>{title}<table><tr>{head}</tr>{table}</table></div>"


def write_scorecard(
    folder: Path,
    products: Mapping[str, pd.DataFrame],
    *,
    title: str,
    notes: Sequence[str] = (),
    min_samples: int = MIN_SAMPLES,
    notice: str = "",
    chapters: Mapping[str, str] | None = None,
    works: Sequence[Publication] = (),
) -> Path:
    """Score named products on their common samples, and write the scorecard.

    Writes `scorecard.html` (one self-contained page), `scorecard.md`, `scorecard.csv` (scores of every sensor and
    product on the matched samples), `scorecard_left_out.parquet` (samples in no score, with the reason),
    `scorecard_dates.csv` (scores across sensors on each date), `scorecard.json` (all other figures of the page) and, if
    a product has standard deviations, `reliability.png`, all atomically.

    Args:
        folder: output; created if missing.
        products: prediction table of each product, as described by `check`; the first is the evaluated one.
        title: heading of the page.
        notes: basis of the figures: the split, the period, the input.
        min_samples: smallest number of matched samples of a scored sensor.
        notice: warning above all figures, such as that data are simulated; empty for none.
        chapters: further chapters, Markdown by heading.
        works: publications to compare the first product with.

    Returns:
        Path of the Markdown file.

    Raises:
        VadoseError: raised by `score`; nothing is written then.
    """
    words = ReportText(title, tuple(notes), notice, dict(chapters or {}))
    return write_content(folder, ReportData.of(products, words, min_samples, works))


def write_content(folder: Path, content: ReportData, request: str = "") -> Path:
    """Write the files of `write_scorecard`, atomically.

    Args:
        folder: folder of the files.
        content: content of the scorecard.
        request: mark of the request that made it, for the JSON file.

    Returns:
        Path of the Markdown file.
    """
    scores, words = content.scores, content.words
    figures = _figures(content) | ({"request": request} if request else {})
    texts = {
        "scorecard.html": page(content),
        "scorecard.md": _markdown(content),
        "scorecard.csv": _every_sensor(content).to_csv(index=False),
        DATES: every_date(content.across).to_csv(index=False),
        "scorecard.json": json.dumps(figures, indent=2, allow_nan=False) + "\n",
    }
    with ExitStack() as whole:
        for name, text in texts.items():
            whole.enter_context(atomic_write(folder / name)).write_text(text, encoding="utf-8")
        content.left_out.to_parquet(whole.enter_context(atomic_write(folder / LEFT_OUT)), index=False)
        if speaking := stated(scores.products):
            reliability_diagram(speaking, whole.enter_context(atomic_write(folder / DIAGRAM)), words.notice)
        else:
            (folder / DIAGRAM).unlink(missing_ok=True)
    return folder / "scorecard.md"


def _markdown(content: ReportData) -> str:
    words = content.words
    return scorecard_markdown(
        content.scores, words.title, words.notes, words.notice, content.chapters, content.without_rows
    )


def _written(path: Path, text: str) -> Path:
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def headline_text(scores: Scores) -> str:
    """Return the headline of scores as a table for a terminal."""
    representative = _records(scores.representative)
    return headline_table(_records(scores.headline), scores.min_samples, scores.bootstrap.level, representative)


def _every_sensor(content: ReportData) -> pd.DataFrame:
    time = content.time.sensors
    tables = [
        with_intervals(product.sensors, time[product.name]).assign(product=product.name)
        for product in content.scores.products
    ]
    table = pd.concat(tables, ignore_index=True)
    return table[["product", *table.columns.drop("product")]]


def _figures(content: ReportData) -> dict[str, Any]:
    words, scores = content.words, content.scores
    names = [product.name for product in scores.products]
    made_from = {"title": words.title, "notes": list(words.notes), "notice": words.notice, "products": names}
    made_from |= {"min_samples": scores.min_samples} | asdict(scores.bootstrap)
    reasons = content.left_out.groupby(["product", "reason"], sort=False).size()
    return metadata("scorecard", made_from) | {
        "headline": _records(scores.headline),
        "headline_representative": _records(scores.representative),
        "products": {product.name: _of_product(product) for product in scores.products},
        "strata": _records(content.strata),
        "benchmark": benchmark_records(content.benchmark),
        "in_space": _records(
            pd.DataFrame([{"product": name, **asdict(one.r)} for name, one in content.across.items()])
        ),
        "left_out": _records(reasons.rename("rows").reset_index()),
        "sensors_without_rows": _records(content.without_rows),
        "in_time": _records(content.time.means),
        "in_parts": {kind: _records(table) for kind, table in content.parts.items()},
        "stability": {name: _records(one.summary) for name, one in content.trends.items()},
    }


def _of_product(product: ProductScores) -> dict[str, Any]:
    few = product.sensors[product.sensors["left_out"] != ""]
    return {
        "rows": dict(product.rows),
        "matched": _records(product.skill.reset_index()),
        "all_its_own_samples": _records(product.own_skill.reset_index()),
        "spread": _records(product.reliability.reset_index()),
        "coverage_90_by": _records(product.by_place.rename_axis("of_each").reset_index()),
        "first_minus_this": _records(product.differences.reset_index()),
        "sensors_left_out": _records(few[[*IDENTITY, "n", "left_out"]]),
    }


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = json.loads(table.to_json(orient="records", double_precision=15))
    return records
