"""Content of a scorecard, computed once for its page, its Markdown and its JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from vadose.evaluation.literature import LiteratureComparison, Setting, compare_with_literature
from vadose.evaluation.predictions import SENSOR
from vadose.evaluation.publications import Publication
from vadose.evaluation.rescaling import Scaling
from vadose.evaluation.scores import Scores, score
from vadose.evaluation.spatial import Spatial, spatial
from vadose.evaluation.stability import Stability, stability
from vadose.evaluation.strata_scores import stratified
from vadose.evaluation.subperiods import Parts, subperiods
from vadose.evaluation.tally import MIN_SAMPLES
from vadose.evaluation.temporal import TemporalIntervals, temporal_bootstrap
from vadose.report.extra_scores import FURTHER, extra_scores_markdown
from vadose.report.literature import benchmark_markdown
from vadose.report.space import SPACE, space_markdown
from vadose.report.strata import strata_markdown
from vadose.report.subperiods import PARTS, subperiods_markdown

STRATA = "Scores by land cover, season and sources"
BENCHMARK = "Comparison with published works"
KINDS: tuple[Parts, ...] = ("month", "year", "rolling")


@dataclass(frozen=True)
class ReportText:
    """Text of a scorecard besides its figures.

    Attributes:
        title: its heading.
        notes: basis of the figures: the split, the period, the input.
        notice: warning above all figures, such as that data are simulated; empty for none.
        chapters: further chapters, Markdown by heading.
    """

    title: str
    notes: Sequence[str] = ()
    notice: str = ""
    chapters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ReportData:
    """Content of a scorecard.

    Attributes:
        words: text besides the figures.
        scores: from `score`.
        strata: from `stratified`.
        benchmark: comparison of the first product with publications.
        across: from `spatial`, by product.
        time: from `temporal_bootstrap`.
        parts: from `subperiods`, by kind.
        trends: from `stability`, by product.
        without_rows: sensors of the archive that are in no row of a product: `product`, their names, and `reason`.
        scaling: rescaling of the estimates to the readings before scoring; None for none.
    """

    words: ReportText
    scores: Scores
    strata: pd.DataFrame
    benchmark: tuple[LiteratureComparison, ...]
    across: Mapping[str, Spatial]
    time: TemporalIntervals
    parts: Mapping[Parts, pd.DataFrame]
    trends: Mapping[str, Stability]
    without_rows: pd.DataFrame
    scaling: Scaling | None = None

    @classmethod
    def of(
        cls,
        products: Mapping[str, pd.DataFrame],
        words: ReportText,
        min_samples: int = MIN_SAMPLES,
        works: Sequence[Publication] = (),
        setting: Setting | None = None,
        scaling: Scaling | None = None,
        without_rows: pd.DataFrame | None = None,
    ) -> "ReportData":
        """Score named products on their common samples; `scaling` and `without_rows` state what was done before.

        Raises:
            VadoseError: raised by `score`.
        """
        scores = score(products, min_samples=min_samples)
        strata = stratified(scores.samples, min_samples, scores.bootstrap)
        first = next(iter(products.values()))
        found = compare_with_literature(works, first, setting, min_samples=min_samples, bootstrap=scores.bootstrap)
        across = {name: spatial(table, bootstrap=scores.bootstrap) for name, table in scores.samples.items()}
        time = temporal_bootstrap(scores.samples, min_samples, scores.bootstrap)
        parts = {kind: subperiods(scores.samples, kind, min_samples, scores.bootstrap) for kind in KINDS}
        trends = {name: stability(table, min_samples, scores.bootstrap) for name, table in scores.samples.items()}
        if without_rows is None:
            without_rows = pd.DataFrame(columns=["product", *SENSOR, "reason"])
        return cls(words, scores, strata, found, across, time, parts, trends, without_rows, scaling)

    @property
    def extra_scores(self) -> str:
        """Return other scores, Markdown."""
        return extra_scores_markdown(self.scores, self.across, self.time)

    @property
    def chapters(self) -> dict[str, str]:
        """Return the given chapters, and those of other scores, strata and publications, Markdown by heading."""
        own = {STRATA: strata_markdown(self.strata)} if len(self.strata) else {}
        beside_works = {BENCHMARK: benchmark_markdown(self.benchmark)} if self.benchmark else {}
        return {
            FURTHER: self.extra_scores,
            PARTS: self.in_parts,
            SPACE: self.in_space,
            **self.words.chapters,
            **own,
            **beside_works,
        }

    @property
    def in_space(self) -> str:
        """Return scores across sensors, date by date, Markdown."""
        return space_markdown(self.across)

    @property
    def left_out(self) -> pd.DataFrame:
        """Return all that is in no score: sensors of the archive without rows, their time missing, then samples."""
        rows = self.scores.left_out
        sensors = self.without_rows.assign(time=np.datetime64("NaT", "ns"))[rows.columns]
        return pd.concat([sensors, rows.astype({"product": "str", "reason": "str"})], ignore_index=True)

    @property
    def in_parts(self) -> str:
        """Return scores of parts of the period and their stability, Markdown."""
        return subperiods_markdown(self.parts, self.trends)
