"""The scorecard as Markdown: scores first, then what they rest on and what they leave out."""

from collections.abc import Mapping, Sequence

import pandas as pd

from vadose.evaluation.diagram import stated
from vadose.evaluation.scores import HEADLINE, ProductScores, Scores
from vadose.evaluation.sensors import figures, names, scored
from vadose.evaluation.tally import SPREAD
from vadose.evaluation.text import HEADER, headline_rows, interval, markdown_table, number
from vadose.evaluation.uncertainty import LEVELS

EXTREMES = 5
LISTED = 30
DIAGRAM = "reliability.png"
SENSOR_HEADER = ("sensor", "samples", "R", "ubRMSE", "RMSE", "bias")
CHANCE = "p: of no difference, two-sided, from the same draws, corrected (Holm) for the number of products."
SPREAD_MEANING = (
    "CRPS, and the share of samples within each central interval of a Gaussian of the stated mean and spread."
)

FORMULAS = """\
Scores are of one sensor over its samples, p the estimate and t the sensor's reading, then averaged over sensors, each
weighing the same: R the correlation of p and t; bias = mean(p − t); RMSE = √mean((p − t)²); ubRMSE = √(RMSE² − bias²);
all but R in m³ m⁻³. CRPS and coverage are means over samples."""


def scorecard_markdown(
    scores: Scores, title: str, notes: Sequence[str], notice: str, chapters: Mapping[str, str]
) -> str:
    """The whole scorecard.

    Args:
        scores: what `score` gives.
        title: its heading.
        notes: statements of what the figures rest on: the split, the period, the input.
        notice: a warning above all figures, such as that data are simulated; empty for none.
        chapters: more of the page, Markdown by heading.
    """
    parts = [
        f"# {title}",
        f"> **{notice}**" if notice else "",
        basis(scores),
        "## Scores on the same samples",
        markdown_table(*headline_table(scores)),
        *_differences(scores),
        *_spread(scores),
        *(f"## {heading}\n\n{text}" for heading, text in chapters.items()),
        *_extremes(scores.products[0]),
        "## What was left out",
        *left_out(scores),
        "## What the figures rest on",
        "\n".join(f"- {note}" for note in notes),
        FORMULAS,
        "The same with pictures is in `scorecard.html`, every sensor's scores in `scorecard.csv`, all other figures of "
        "this page in `scorecard.json`.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def basis(scores: Scores) -> str:
    """What the figures of the first product rest on: samples, sensors, and what the brackets are."""
    bootstrap, first = scores.bootstrap, scored(scores.products[0].sensors)
    places = len(set(bootstrap.blocks(first["lat"].to_numpy(), first["lon"].to_numpy())))
    effective = first["n_effective"].median()
    return (
        f"{first['n'].sum():,} samples at {len(first):,} sensors, at least {scores.min_samples} samples a sensor; "
        f"neighbours in time are alike: as good as {number(effective, 0)} independent ones a sensor, in the median. "
        f"Brackets: {bootstrap.level:.0%} intervals from {bootstrap.draws:,} bootstrap draws over {places} places "
        f"(blocks of {bootstrap.block_degrees:g}°)" + (", too few for an interval." if places < 2 else ".")
    )


def headline_table(scores: Scores) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Header and cells of the first table."""
    rows = headline_rows(scores.headline.to_dict("records"))  # type: ignore[arg-type]
    own = [_own(product) for product in scores.products]
    if not any(own):
        return HEADER, rows
    cells = [*(cell or "the same" for cell in own), ""]
    return (*HEADER, "R / ubRMSE / RMSE on all its own samples"), [(*r, c) for r, c in zip(rows, cells, strict=True)]


def _own(product: ProductScores) -> str:
    """Scores on all samples of the product where these are others than the matched ones, else empty."""
    own, rows = scored(product.own), figures(product.own_skill)
    samples = int(own["n"].sum())
    if own.empty or samples == product.rows["scored"]:
        return ""
    three = " / ".join(number(rows[name]["mean"]) for name in ("r", "ubrmse", "rmse"))
    return f"{three} ({len(own):,} sensors, {samples:,} samples)"


def difference_table(scores: Scores) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Header and cells of the first product minus each other one."""
    header = ("minus", "sensors", "R", "ubRMSE", "RMSE", "bias", "p of R / ubRMSE / RMSE")
    return header, [_difference(product) for product in scores.products[1:]]


def _differences(scores: Scores) -> list[str]:
    if len(scores.products) == 1:
        return []
    title = f"## {scores.products[0].name} minus the others, sensor by sensor"
    return [title, markdown_table(*difference_table(scores)), CHANCE]


def _difference(product: ProductScores) -> tuple[str, ...]:
    rows = figures(product.behind)
    cells = (interval(rows[name], "difference", "low", "high") for name in HEADLINE)
    p = " / ".join(number(rows[name]["p_holm"]) for name in ("r", "ubrmse", "rmse"))
    return product.name, f"{rows['r']['sensors']:,.0f}", *cells, p


def spread_table(scores: Scores) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Header and cells of the products that state a spread."""
    header = ("product", "samples", "CRPS", *(f"{level} % interval" for level in LEVELS))
    return header, [_reliability(product) for product in stated(scores.products)]


def _spread(scores: Scores) -> list[str]:
    header, rows = spread_table(scores)
    if not rows:
        return []
    return [
        "## Is the stated spread true?",
        SPREAD_MEANING,
        markdown_table(header, rows),
        f"![Coverage of the stated intervals]({DIAGRAM})",
    ]


def _reliability(product: ProductScores) -> tuple[str, ...]:
    rows = figures(product.spread)
    cells = (interval(rows[name], "mean", "mean_low", "mean_high") for name in SPREAD)
    return product.name, f"{rows['crps']['samples']:,.0f}", *cells


def extremes(product: ProductScores, number: int = EXTREMES) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The sensors of lowest R, worst first, and of highest R, best first; all of them and none where they are few."""
    ranked = scored(product.sensors).dropna(subset="r").sort_values("r")
    if len(ranked) <= 2 * number:
        return ranked, ranked.iloc[:0]
    return ranked.head(number), ranked.tail(number)[::-1]


def _extremes(product: ProductScores) -> list[str]:
    worst, best = extremes(product)
    if best.empty:
        return [f"## Sensors of {product.name}, worst first", markdown_table(SENSOR_HEADER, sensor_rows(worst))]
    return [
        f"## Worst sensors of {product.name}, by R",
        markdown_table(SENSOR_HEADER, sensor_rows(worst)),
        f"## Best sensors of {product.name}, by R",
        markdown_table(SENSOR_HEADER, sensor_rows(best)),
    ]


def sensor_rows(sensors: pd.DataFrame) -> list[tuple[str, ...]]:
    """Cells under `SENSOR_HEADER`."""
    scores = zip(names(sensors), sensors["n"], *(sensors[name] for name in HEADLINE), strict=True)
    return [(name, f"{n:,}", *map(number, values)) for name, n, *values in scores]


def left_out(scores: Scores) -> list[str]:
    """What became of the rows, and the sensors that have no scores, Markdown."""
    header = ("product", *scores.products[0].rows)
    rows = [(product.name, *(f"{count:,}" for count in product.rows.values())) for product in scores.products]
    first = scores.products[0].sensors
    few = first[first["left_out"] != ""]
    lines = [f"- Sensors without scores, too few matched samples: {_listed(names(few), few['left_out'])}"]
    for product in scores.products:
        flat = product.sensors[product.sensors["note"] != ""]
        lines.append(f"- Sensors without R in {product.name}, a constant series: {_listed(names(flat), flat['note'])}")
    return [
        "Rows by what became of them; matched: every product has an estimate; scored: the sensor has enough of them.",
        markdown_table(header, rows),
        "\n".join(lines),
    ]


def _listed(sensors: Sequence[str], reasons: "pd.Series[str]") -> str:
    if not sensors:
        return "none."
    shown = "; ".join(f"{name} ({reason})" for name, reason in list(zip(sensors, reasons, strict=True))[:LISTED])
    rest = f"; and {len(sensors) - LISTED} more, see `scorecard.csv`" if len(sensors) > LISTED else ""
    return f"{len(sensors):,}: {shown}{rest}."
