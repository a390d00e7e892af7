"""Scores of finished estimates, and of any product that lies on a grid."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from vadose.errors import VadoseError
from vadose.evaluation import (
    DISTANCE,
    PUBLISHED,
    SEEN_IN_TRAINING,
    Publication,
    Setting,
    Split,
    publications,
    seen_notes,
)
from vadose.experiment.config import SIMULATED, Experiment
from vadose.experiment.folds import way_of
from vadose.experiment.run import Run
from vadose.experiment.training_distance import with_training_distance
from vadose.io.files import renewing
from vadose.io.outputs import Request
from vadose.products import Gathered, Product, Reading, gathered
from vadose.report.content import ReportData, ReportText
from vadose.report.literature import benchmark_plain
from vadose.report.markdown import difference_table
from vadose.report.scorecard import CARD, headline_text, write_content
from vadose.report.text import plain_table
from vadose.report.triple_collocation import TRIPLE, triple_markdown


def score_products(
    products: Sequence[str | Path],
    out: Path | None,
    min_samples: int,
    sensors: Path | None = None,
    reading: Reading | None = None,
    literature: str = "",
    triple: bool = False,
) -> str:
    """Score products on the samples that all of them have.

    Args:
        products: tables of estimates or gridded files, each a path or name=path, or a YAML file of a `Product`.
        out: folder of the scorecard; none is written without it.
        min_samples: a sensor needs to be scored.
        sensors: where gridded products are sampled, see `gathered`.
        reading: of gridded files.
        literature: "published", or a folder of publications to compare the first product with; empty for none.
        triple: whether errors are told by triple collocation too, of three products, or of two and the sensor.

    Returns:
        For a terminal: the headline, paired differences, published works, and what the figures rest on.

    Raises:
        VadoseError: as `gathered`, `score` and `publications`; or simulated samples are to be set beside published
            works.
    """
    if out:
        Request("evaluate", "").require_place(out, folder=True)
    told = [Product.told(str(text), reading or Reading()) for text in products]
    if out is None:
        return _judged(told, None, min_samples, sensors, literature, triple)
    given = {
        "products": [(one.name, one.path) for one in told],
        "reading": reading.model_dump(mode="json", exclude_defaults=True) if reading else {},
        "sensors": sensors,
    }
    asked = {"min_samples": min_samples, "literature": literature, "triple": triple}
    request = Request.of("evaluate", out, **given, **asked)
    with request.files(out, CARD, CARD[-1]) as held, renewing(held) as new:
        return _judged(told, (new, out, request.mark), min_samples, sensors, literature, triple)


def _judged(
    told: Sequence[Product],
    card: tuple[Path, Path, str] | None,
    min_samples: int,
    sensors: Path | None,
    literature: str,
    triple: bool,
) -> str:
    """As `score_products`; `card` is where the scorecard is written, where it is in the end, and its mark."""
    found = gathered(told, sensors)
    simulated = any(is_simulated(path) for path in [*(one.path for one in told), *([sensors] if sensors else [])])
    published = _works(literature, simulated)
    tables, notes = _completed(found, told), [*found.notes, *seen_notes(found.tables)]
    setting = setting_of(told[0], tables[told[0].name])
    chapters = {TRIPLE: triple_markdown(tables)} if triple else {}
    words = ReportText(", ".join(tables), tuple(notes), SIMULATED if simulated else "", chapters)
    content = ReportData.of(tables, words, min_samples, works=published, setting=setting)
    if card:
        new, out, mark = card
        path = out / write_content(new, content, mark).name
        notes = [*notes, f"Scorecard: {path}, and scorecard.html beside it"]
    return "\n".join(filter(None, [words.title, words.notice, *_figures(content), *chapters.values(), *notes]))


def _figures(content: ReportData) -> list[str]:
    scores = content.scores
    lines = [headline_text(scores)]
    if scores.products[1:]:
        first = scores.products[0].name
        lines += [f"{first} minus the others, sensor by sensor", plain_table(*difference_table(scores))]
    return lines + ([benchmark_plain(content.benchmark)] if content.benchmark else [])


def is_simulated(table: Path) -> bool:
    """Whether a table of estimates declares that it rests on a simulated world."""
    parquet = table.is_file() and table.suffix.lower() in {".parquet", ".pq"}
    return parquet and bool(pd.read_parquet(table, columns=["time"]).attrs.get("simulated"))


def setting_of(product: Product, table: pd.DataFrame) -> Setting:
    """How the samples of a product were kept from its training, and its resolution, where its file declares them."""
    if product.path.suffix.lower() not in {".parquet", ".pq"}:
        return Setting()
    declared = pd.read_parquet(product.path, columns=["time"]).attrs.get("made_from", {})
    try:
        experiment = Experiment.model_validate(declared["experiment"])
    except (KeyError, TypeError, ValueError):
        return Setting()
    resolution = "points of a table" if "table" in type(experiment.samples).model_fields else "320 m"
    if SEEN_IN_TRAINING not in table or table[SEEN_IN_TRAINING].any():
        return Setting(Split(text="places seen in training among them"), resolution)
    return Setting(
        Split(way="times" if experiment.split.by_year else "places", text=way_of(experiment.split)), resolution
    )


def _works(literature: str, simulated: bool) -> tuple[Publication, ...]:
    if not literature:
        return ()
    if simulated:
        raise VadoseError(
            f"evaluate: simulated samples against {literature} figures",
            "What is simulated says nothing of works on the Earth",
            "Score estimates at real sensors, or leave --literature out",
        )
    return publications() if literature == PUBLISHED else publications(Path(literature))


def _completed(found: Gathered, told: Sequence[Product]) -> dict[str, pd.DataFrame]:
    """The tables, those of a run with the distance to its places of training."""
    tables = dict(found.tables)
    for product in told:
        split = Run(product.path.parent.parent).split
        if product.is_table and product.path.parent.name == "predictions" and split.is_file():
            table = tables[product.name]
            tables[product.name] = table if DISTANCE in table else with_training_distance(table, split)
    return tables
