"""Rendering of the page from its template."""

from collections.abc import Iterator
from importlib.resources import files

import jinja2
from markupsafe import Markup

from vadose import __version__
from vadose.evaluation.literature import LiteratureComparison
from vadose.report.content import ReportData
from vadose.report.diagram import stated
from vadose.report.extra_scores import FURTHER
from vadose.report.literature import CAUTION, OPEN, figure_table, open_row
from vadose.report.markdown import (
    BY_PLACE,
    CHANCE,
    FORMULAS,
    SENSOR_HEADER,
    SPREAD_MEANING,
    basis,
    difference_table,
    extremes,
    headline_table,
    left_out,
    place_table,
    sensor_rows,
    spread_table,
)
from vadose.report.page.explorer import explorer
from vadose.report.page.markup import html_of, table_html
from vadose.report.page.parts import reliability, strata
from vadose.report.page.sensors import distribution, places
from vadose.report.page.series import in_space, scatter, series
from vadose.report.space import SPACE, has_dates
from vadose.report.strata import MEANING, strata_tables
from vadose.report.subperiods import PARTS

_TEMPLATE = "scorecard.html.j2"


def page(content: ReportData) -> str:
    """Return a scorecard as one HTML page without external resources; its only program draws the map of the sensors.

    Args:
        content: content of the page; all text and all names are escaped.
    """
    folder = files("vadose.report.page")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters |= {"html": html_of}
    template = environment.from_string(folder.joinpath(_TEMPLATE).read_text(encoding="utf-8"))
    style = Markup(folder.joinpath("scorecard.css").read_text(encoding="utf-8"))  # noqa: S704 - of this package
    scores, words = content.scores, content.words
    first = scores.products[0]
    return template.render(
        version=__version__,
        style=style,
        explorer=explorer(content),
        words=words,
        basis=basis(scores),
        headline=table_html(*headline_table(scores)),
        first=first.name,
        differences=table_html(*difference_table(scores)) if scores.products[1:] else "",
        chance=CHANCE,
        further=(FURTHER, content.extra_scores),
        parts=(PARTS, content.in_parts),
        space=(SPACE, content.in_space, in_space(content) if any(map(has_dates, content.across.values())) else None),
        distribution=distribution(scores),
        places=places(scores),
        extremes=[(title, table_html(SENSOR_HEADER, rows)) for title, rows in _extremes(content)],
        series=series(content),
        scatter=scatter(content),
        spread=_uncertainty(content),
        strata=_strata(content),
        benchmark=_benchmark(content.benchmark),
        left_out="\n\n".join(left_out(scores, content.without_rows)),
        formulas=FORMULAS,
        every=table_html(SENSOR_HEADER, sensor_rows(first.sensors)),
    )


def _extremes(content: ReportData) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    worst, best = extremes(content.scores.products[0])
    yield "Lowest R" if len(best) else "All sensors, lowest R first", sensor_rows(worst)
    if len(best):
        yield "Highest R", sensor_rows(best)


def _uncertainty(content: ReportData) -> dict[str, object]:
    speaking = stated(content.scores.products)
    if not speaking:
        return {}
    table = table_html(*spread_table(content.scores))
    return {"meaning": SPREAD_MEANING, "table": table, "picture": reliability(speaking)} | {
        "by_place": BY_PLACE,
        "places": table_html(*place_table(content.scores)),
    }


def _strata(content: ReportData) -> dict[str, object]:
    if not (content.strata["sensors"] > 0).any():
        return {}
    tables = [(title, table_html(header, rows)) for title, header, rows in strata_tables(content.strata)]
    names = [product.name for product in content.scores.products]
    return {"meaning": MEANING, "picture": strata(content.strata, names), "tables": tables}


def _benchmark(found: tuple[LiteratureComparison, ...]) -> dict[str, object]:
    if not found:
        return {}
    rows = [open_row(one) for one in found if one.ours is None]
    return {
        "caution": CAUTION,
        "met": [(one, table_html(*figure_table(one))) for one in found if one.ours],
        "open": table_html(OPEN, rows) if rows else "",
    }
