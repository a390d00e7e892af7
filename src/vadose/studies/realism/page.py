"""Page that compares a simulated Earth with the real one."""

from pathlib import Path

from vadose.io.files import atomic_write
from vadose.report.text import markdown_table
from vadose.studies.realism.comparisons import DB, OTHER, SECTIONS, Comparison
from vadose.studies.realism.figures import PANELS, draw
from vadose.studies.realism.series import LEAST
from vadose.studies.realism.statistics import Statistics

_HEADER = ("statistic", "units", "simulated", "real", "alike within", "verdict")
_ABSENT = "—"
IMAGES = "images"

_TREATMENT = f"""\
Both worlds are processed by the same function. A value is the mean over ten days: in situ, of the hourly readings with
ISMN's flag G; of Sentinel-1, of all passes, in linear power and then in dB; of Sentinel-2, of the clear scenes; of
SMAP, of the recommended retrievals. SMAP L3 is compared with sensors in means of three days of each week, as the real
ones are available; the ten-day values of the real stations are of another product, NASA-USDA Enhanced SMAP, shown
beside
simulated SMAP L3 without a verdict. The simulated archive is read by vadose's own readers, at the 3 × 3 pixels around
a sensor and at the SMAP pixel that contains it; the real values are ten-day values. Figures of a series are computed
for
each year of each sensor that has at least {LEAST} values, averaged over its years, then over sensors (of
medians, the median over sensors). Spread is the standard deviation; the seasonal range is the highest monthly mean
less the lowest. Pixels of scenes are from 224 × 224 pixels: up to four clear scenes of each simulated place and
product, and three real scenes.

Two figures are alike if they differ by no more than the tolerance beside them. The tolerances are a judgement: for
spreads, ranges and widths about a third of the real figure, for correlations 0.1 to 0.2, for levels 0.03 to
0.05 m³ m⁻³, 2 dB and 0.03 to 0.1 of reflectance and NDVI. Alike means no more than that."""

_SOURCES = """\
- **Points**: {sensors} stations of USCRN, ARM and TxSON in the United States, {periods} ten-day periods of 2019–2021,
  {values:,} of them with soil moisture; Sentinel-1, Sentinel-2 level 1C and NASA-USDA Enhanced SMAP at the same places
  (github.com/mitchellthomas1/SoilMoistureDownscalingEAEE4000, in-situ data of the ISMN). ISMN's terms forbid to pass
  its rows on: only aggregates are kept here.
- **SMAP L3**: {retrievals:,} means of three days at 36 km beside {retrieval_sensors} sensors of OzNet, Murrumbidgee,
  August 2018 to July 2020 (github.com/AndreasMaakes/soil-moisture-monitoring-cygnss-era5-smap); the same terms.
- **Scenes**: Sentinel-1 RTC and Sentinel-2 level 2A in Chile, Denmark and Tanzania (github.com/IBM/terramind).
- **Clouds**: `eo:cloud_cover` of {items} consecutive Sentinel-2 items of tile 13TDE in spring 2024 (Earth Search,
  collection sentinel-2-c1-l2a)."""


def write_page(page: Path, simulated: Statistics, real: Statistics, request: str = "") -> None:
    """Write the page, and its figures into `images` beside it; all carry the mark of the request."""
    for panels in PANELS:
        draw(panels, simulated, real, page.parent / IMAGES, request)
    with atomic_write(page) as temporary:
        comment = f"\n<!-- {request} -->\n" if request else ""
        temporary.write_text(f"{markdown(simulated, real)}{comment}", encoding="utf-8")


def markdown(simulated: Statistics, real: Statistics) -> str:
    """Return the text of the page."""
    verdicts = [c.verdict(simulated, real) for comparisons in SECTIONS.values() for c in comparisons]
    counts = simulated.counts
    missing = verdicts.count("not measured")
    unmeasured = f"; {missing} could not be measured, for lack of values" if missing else ""
    parts = [
        "# Comparison of the simulated Earth with real data",
        "> **Everything under “simulated” is simulated; no satellite and no sensor measured it.**",
        f"Of {len(verdicts)} statistics, {verdicts.count('alike')} are alike and {verdicts.count('differs')} differ; "
        f"{verdicts.count(OTHER)} are of another product, without a verdict{unmeasured}. The simulated "
        "world "
        f"here has {counts['sensors']:,} sensors and {counts['periods']} ten-day periods; the real one "
        f"{real.counts['sensors']} and {real.counts['periods']}.",
        "## Measurement of both",
        _TREATMENT,
        "## Pictures",
        *(f"![{panels.caption}](images/{panels.file})\n\n{panels.caption}" for panels in PANELS),
        "Dashed: the median, to the width of a bin. Values beyond an axis are counted in its outermost bin.",
        "## Figures",
        *(_section(heading, comparisons, simulated, real) for heading, comparisons in SECTIONS.items()),
        "## Differences and their reasons",
        *_differences(simulated, real),
        "## Sources of the real figures",
        _SOURCES.format(**real.counts),
    ]
    return "\n\n".join(parts) + "\n"


def _section(heading: str, comparisons: tuple[Comparison, ...], simulated: Statistics, real: Statistics) -> str:
    rows = [
        (
            comparison.words,
            "" if comparison.units == "1" else comparison.units,
            _number(simulated.statistics.get(comparison.key), comparison),
            _number(real.statistics.get(comparison.key), comparison),
            _ABSENT if comparison.tolerance is None else f"± {comparison.tolerance:g}",
            comparison.verdict(simulated, real).replace("differs", "**differs**"),
        )
        for comparison in comparisons
    ]
    return f"### {heading}\n\n{markdown_table(_HEADER, rows)}"


def _number(value: float | None, comparison: Comparison) -> str:
    if value is None:
        return _ABSENT
    return (f"{value:.1f}" if comparison.units == DB else f"{value:.3f}").replace("-", "−")


def _differences(simulated: Statistics, real: Statistics) -> list[str]:
    """Return the statistics that differ, grouped by reason."""
    by_reason: dict[str, list[str]] = {}
    for comparison in (c for comparisons in SECTIONS.values() for c in comparisons):
        if comparison.verdict(simulated, real) == "differs":
            by_reason.setdefault(comparison.why, []).append(_difference(comparison, simulated, real))
    if not by_reason:
        return ["Nothing that could be measured differs by more than its tolerance."]
    return [f"{why}\n\n" + "\n".join(f"- {line}" for line in lines) for why, lines in by_reason.items()]


def _difference(comparison: Comparison, simulated: Statistics, real: Statistics) -> str:
    one, other = simulated.statistics[comparison.key] or 0.0, real.statistics[comparison.key] or 0.0
    relation = "higher" if one > other else "lower"
    units = "" if comparison.units == "1" else f" {comparison.units}"
    return (
        f"{comparison.words}: simulated {relation}, {_number(one, comparison)} for {_number(other, comparison)}{units}"
    )
