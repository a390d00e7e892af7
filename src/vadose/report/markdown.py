"""Scorecard in Markdown: scores first, then their basis and what was left out."""

from collections.abc import Mapping, Sequence

import pandas as pd

from vadose.evaluation.places import FEWEST
from vadose.evaluation.scores import HEADLINE, ProductScores, Scores
from vadose.evaluation.sensors import QUANTILES, figures, has_scores, names
from vadose.evaluation.tally import SPREAD
from vadose.evaluation.uncertainty import LEVELS
from vadose.report.diagram import stated
from vadose.report.text import (
    FRM,
    HEADER,
    counted,
    effective,
    headline_rows,
    interval,
    markdown_table,
    number,
    p_values,
)

EXTREMES = 5
LISTED = 30
DIAGRAM = "reliability.png"
SENSOR_HEADER = ("sensor", "samples", "R", "ubRMSE", "RMSE", "bias")
CHANCE = "p: of no difference, two-sided, consistent with the intervals, corrected (Holm) for the number of products."
SPREAD_MEANING = (
    "CRPS, and the fraction of samples within each central interval of a Gaussian of the stated mean and std."
)
BY_PLACE = (
    "Coverage of the 90 % interval for each sensor and for each place (mean over its sensors): fraction below "
    "70 %, and quantiles."
)

FORMULAS = """\
Scores are of one sensor over its samples, p the estimate and t the sensor's reading, then averaged over sensors with
equal weights, or over the sensors of each place and then over places: R the correlation of p and t;
bias = mean(p − t); RMSE = √mean((p − t)²); ubRMSE = √(RMSE² − bias²); all but R in m³ m⁻³.
CRPS and coverage are means over samples."""


def scorecard_markdown(
    scores: Scores,
    title: str,
    notes: Sequence[str],
    notice: str,
    chapters: Mapping[str, str],
    without_rows: pd.DataFrame,
) -> str:
    """Return the complete scorecard.

    Args:
        scores: from `score`.
        title: its heading.
        notes: basis of the figures: the split, the period, the input.
        notice: warning above all figures, such as that data are simulated; empty for none.
        chapters: further chapters, Markdown by heading.
        without_rows: sensors of the archive that are in no row of a product.
    """
    parts = [
        f"# {title}",
        f"> **{notice}**" if notice else "",
        basis(scores),
        "## Scores on the same samples",
        markdown_table(*headline_table(scores)),
        *_differences(scores),
        *_uncertainty(scores),
        *(f"## {heading}\n\n{text}" for heading, text in chapters.items()),
        *_extremes(scores.products[0]),
        "## Left out",
        *left_out(scores, without_rows),
        "## Basis of the figures",
        "\n".join(f"- {note}" for note in notes),
        FORMULAS,
        "The same with pictures is in `scorecard.html`, the scores of every sensor in `scorecard.csv`, all other "
        "figures of this page in `scorecard.json`, every sample in no score with its reason in "
        "`scorecard_left_out.parquet`.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def basis(scores: Scores) -> str:
    """Return the basis of the figures of the first product: samples, sensors, places, and the meaning of the
    brackets.
    """
    first = has_scores(scores.products[0].sensors)
    worth = first["n_effective"].median()
    row = scores.headline.iloc[0]
    return (
        f"{counted(first['n'].sum(), 'samples')} at {counted(len(first), 'sensors')}, "
        f"at least {counted(scores.min_samples, 'samples')} per sensor; "
        f"neighbours in time are correlated: equivalent to {number(worth, 0)} independent ones per sensor, in the "
        "median. "
        f"Places are blocks of {scores.bootstrap.block_degrees:g}°: these sensors are in {row['places']:,}. The mean "
        "over places is the expected score at a new place. The mean over sensors counts a site of many sensors many "
        "times: "
        f"it is as certain as over {effective(row['effective_places'])}. "
        f"Brackets: {scores.bootstrap.level:.0%} intervals from the differences between places"
        + _too_few(row["places"], row["effective_places"])
    )


def _too_few(places: int, worth: float) -> str:
    if places < FEWEST:
        return f"; there is none with {counted(places, 'places')}, as {FEWEST:g} are required."
    if worth < FEWEST:
        return f"; the mean over sensors has none, as {FEWEST:g} effective places are required."
    return "."


def headline_table(scores: Scores) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Return header and cells of the first table."""
    rows = headline_rows(scores.headline.to_dict("records"))  # type: ignore[arg-type]
    frm = headline_rows(scores.representative.to_dict("records"), FRM)  # type: ignore[arg-type]
    own = [_own(product) for product in scores.products]
    if not any(own):
        return HEADER, [*rows, *frm]
    cells = [*(cell or "the same" for cell in own), ""]
    before, after = [""] * (len(rows) - len(cells)), [""] * len(frm)
    return (*HEADER, "R / ubRMSE / RMSE over sensors on all its own samples"), [
        (*row, cell) for row, cell in zip([*rows, *frm], [*before, *cells, *after], strict=True)
    ]


def _own(product: ProductScores) -> str:
    """Return scores on all samples of the product if these are others than the matched ones, else an empty text."""
    own, rows = has_scores(product.own), figures(product.own_skill)
    samples = int(own["n"].sum())
    if own.empty or samples == product.rows["scored"]:
        return ""
    three = " / ".join(number(rows[name]["mean"]) for name in ("r", "ubrmse", "rmse"))
    return f"{three} ({counted(len(own), 'sensors')}, {counted(samples, 'samples')})"


def difference_table(scores: Scores) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Return header and cells of the first product minus each other one."""
    header = ("minus", "mean over", "R", "ubRMSE", "RMSE", "bias", "p of R / ubRMSE / RMSE")
    others = scores.products[1:]
    return header, [_difference(product, over) for over in ("places", "sensors") for product in others]


def _differences(scores: Scores) -> list[str]:
    if len(scores.products) == 1:
        return []
    title = f"## {scores.products[0].name} minus the others, sensor by sensor"
    return [title, markdown_table(*difference_table(scores)), CHANCE]


def _difference(product: ProductScores, over: str) -> tuple[str, ...]:
    rows = figures(product.differences)
    one = rows["rmse"]
    if over == "places":
        where, columns, p_column = counted(one["places"], "places"), _OVER_PLACES, "p_over_places_holm"
    else:
        where, columns = f"{counted(one['sensors'], 'sensors')} ({effective(one['effective'])})", _OVER_SENSORS
        p_column = "p_holm"
    cells = (interval(rows[name], *columns) for name in HEADLINE)
    p = p_values(rows[name][p_column] for name in ("r", "ubrmse", "rmse"))
    return product.name, where, *cells, p


_OVER_PLACES = ("over_places", "over_places_low", "over_places_high")
_OVER_SENSORS = ("difference", "low", "high")


def spread_table(scores: Scores) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Return header and cells of the products with standard deviations."""
    header = ("product", "samples", "CRPS", *(f"{level} % interval" for level in LEVELS))
    return header, [_reliability(product) for product in stated(scores.products)]


def _uncertainty(scores: Scores) -> list[str]:
    header, rows = spread_table(scores)
    if not rows:
        return []
    return [
        "## Calibration of the standard deviation",
        SPREAD_MEANING,
        markdown_table(header, rows),
        BY_PLACE,
        markdown_table(*place_table(scores)),
        f"![Coverage of the stated intervals]({DIAGRAM})",
    ]


def place_table(scores: Scores) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Return header and cells of the coverage by sensor and by place."""
    header = ("product", "of each", "number", "mean", "under 70 %", *(f"{level} % quantile" for level in QUANTILES))
    columns = ("mean", "under_70", *(f"q{level:02d}" for level in QUANTILES))
    return header, [
        (product.name, kind, f"{row['number']:,.0f}", *(number(row[name], 2) for name in columns))
        for product in stated(scores.products)
        for kind, row in figures(product.by_place).items()
    ]


def _reliability(product: ProductScores) -> tuple[str, ...]:
    rows = figures(product.reliability)
    cells = (interval(rows[name], "mean", "mean_low", "mean_high") for name in SPREAD)
    return product.name, f"{rows['crps']['samples']:,.0f}", *cells


def extremes(product: ProductScores, number: int = EXTREMES) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the sensors with the lowest R, worst first, and with the highest R, best first; of few sensors, all and
    none.
    """
    ranked = has_scores(product.sensors).dropna(subset="r").sort_values("r")
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
    """Return cells under `SENSOR_HEADER`."""
    scores = zip(names(sensors), sensors["n"], *(sensors[name] for name in HEADLINE), strict=True)
    return [(name, f"{n:,}", *map(number, values)) for name, n, *values in scores]


def left_out(scores: Scores, without_rows: pd.DataFrame) -> list[str]:
    """Return the use of the rows, and the sensors without scores or without rows, Markdown."""
    header = ("product", *scores.products[0].rows)
    rows = [(product.name, *(f"{count:,}" for count in product.rows.values())) for product in scores.products]
    first = scores.products[0].sensors
    few = first[first["left_out"] != ""]
    lines = [f"- Sensors without scores, too few matched samples: {_listed(names(few), few['left_out'])}"]
    for product in scores.products:
        flat = product.sensors[product.sensors["note"] != ""]
        lines.append(f"- Sensors without R in {product.name}, a constant series: {_listed(names(flat), flat['note'])}")
    for name, table in without_rows.groupby("product", sort=False):
        lines.append(f"- Sensors of the archive without rows of {name}: {_listed(names(table), table['reason'])}")
    return [
        "Rows by use; matched: every product has an estimate; scored: the sensor has enough of them.",
        markdown_table(header, rows),
        "\n".join(lines),
    ]


def _listed(sensors: Sequence[str], reasons: "pd.Series[str]") -> str:
    if not sensors:
        return "none."
    shown = "; ".join(f"{name} ({reason})" for name, reason in list(zip(sensors, reasons, strict=True))[:LISTED])
    rest = f"; and {len(sensors) - LISTED} more, see `scorecard_left_out.parquet`" if len(sensors) > LISTED else ""
    return f"{len(sensors):,}: {shown}{rest}."
