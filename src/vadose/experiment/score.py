"""Scores of finished estimates and of gridded products."""

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from dask.base import tokenize

from vadose.errors import VadoseError
from vadose.evaluation import (
    DISTANCE,
    PUBLISHED,
    SEEN_IN_TRAINING,
    Publication,
    Scaling,
    Setting,
    Split,
    rescale,
    seen_notes,
)
from vadose.evaluation.publications import publications
from vadose.evaluation.rescaling import WORDS
from vadose.experiment.config import SIMULATED, Experiment
from vadose.experiment.folds import way_of
from vadose.experiment.run import Run
from vadose.experiment.training_distance import with_training_distance
from vadose.io.files import renewing
from vadose.io.outputs import Request
from vadose.products import Product
from vadose.products.gathered import Gathered, gathered
from vadose.report.content import ReportData, ReportText
from vadose.report.scorecard import CARD, Scorecard, write_content
from vadose.report.triple_collocation import TRIPLE, triple_markdown

LOGGER = logging.getLogger(__name__)
EVALUATION = Request("evaluate", "")
"""Files of a scorecard, checked in advance to be writable."""


def score_products(
    products: Sequence[Product],
    out: Path | None,
    min_samples: int,
    sensors: Path | pd.DataFrame | None = None,
    literature: str = "",
    triple: bool = False,
    scaling: Scaling | None = None,
) -> Scorecard:
    """Score products on their common samples, and write the scorecard if a folder is given.

    Args:
        products: tables of estimates or gridded products; differences are relative to the first.
        out: folder of the scorecard; by default none is written.
        min_samples: smallest number of samples of a scored sensor.
        sensors: sensors at which gridded products are sampled, see `gathered`.
        literature: "published", or a folder of publications to compare the first product with; empty for none.
        triple: whether errors are also estimated by triple collocation, of three products, or of two and the sensor.
        scaling: rescaling of the estimates of each sensor to its readings before scoring, one of `SCALINGS`; None for
            none.

    Raises:
        VadoseError: as `gathered`, `score` and `publications`; simulated samples are compared with publications; or the
            folder contains another result.
    """
    if out is None:
        return _scored(products, min_samples, sensors, literature, triple, scaling)
    given = {
        "products": [(one.name, one.identity) for one in products],
        "reading": [one.model_dump(mode="json", exclude_defaults=True, exclude={"name", "path"}) for one in products],
        "sensors": tokenize(sensors) if isinstance(sensors, pd.DataFrame) else sensors,
    }
    asked = {"min_samples": min_samples, "literature": literature, "triple": triple}
    asked |= {"scaling": scaling} if scaling else {}
    request = Request.of("evaluate", out, **given, **asked)
    with request.files(out, CARD, CARD[-1]) as held, renewing(held) as new:
        card = _scored(products, min_samples, sensors, literature, triple, scaling)
        write_content(new, card.content, request.mark)
        return card


def _scored(
    products: Sequence[Product],
    min_samples: int,
    sensors: Path | pd.DataFrame | None,
    literature: str,
    triple: bool,
    scaling: Scaling | None,
) -> Scorecard:
    found = gathered(products, sensors)
    reference = [Product(name="sensors", path=sensors)] if isinstance(sensors, Path) else []
    simulated = any(one.attrs.get("simulated") for one in [*products, *reference])
    published = _works(literature, simulated)
    if scaling and published:
        raise VadoseError(
            f"evaluate: rescaled estimates ({scaling}) against {literature} figures",
            "Published figures are of products as they are",
            "Leave out --scaling or --literature",
        )
    tables, notes = _completed(found, products), [*found.notes, *seen_notes(found.tables)]
    for product in products:
        LOGGER.info("product %s: %d rows of %s", product.name, len(tables[product.name]), product.path)
    setting = setting_of(products[0], tables[products[0].name])
    chapters = {TRIPLE: triple_markdown(tables)} if triple else {}
    notice = SIMULATED if simulated else ""
    if scaling:
        tables = {name: rescale(table, scaling, f"predictions '{name}'") for name, table in tables.items()}
        notice = " ".join(filter(None, [notice, _rescaled(scaling)]))
    words = ReportText(", ".join(tables), tuple(notes), notice, chapters)
    made = ReportData.of(
        tables,
        words,
        min_samples,
        works=published,
        setting=setting,
        scaling=scaling,
        without_rows=found.without_rows,
    )
    return Scorecard(made)


def _rescaled(scaling: Scaling) -> str:
    return (
        f"Rescaled ({scaling}): the estimates of each sensor were scaled {WORDS[scaling]}, fitted to the same samples; "
        "bias, RMSE, ubRMSE and KGE are those of the scaled estimates, not of the products."
    )


def setting_of(product: Product, table: pd.DataFrame) -> Setting:
    """Return the split of a product's samples and its resolution, if its table states them."""
    try:
        experiment = Experiment.model_validate(product.attrs["made_from"]["experiment"])
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
            "Simulated samples are not comparable with figures for the Earth",
            "Score estimates at real sensors, or leave --literature out",
        )
    return publications() if literature == PUBLISHED else publications(Path(literature))


def _completed(found: Gathered, requested: Sequence[Product]) -> dict[str, pd.DataFrame]:
    """Return the tables, those of a run with the distance to its training places."""
    tables = dict(found.tables)
    for product in requested:
        split = Run(product.path.parent.parent).split
        if product.is_table and product.path.parent.name == "predictions" and split.is_file():
            table = tables[product.name]
            tables[product.name] = table if DISTANCE in table else with_training_distance(table, split)
    return tables
