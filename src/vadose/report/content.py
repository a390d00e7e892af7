"""All that a scorecard tells, computed once for its page, its Markdown and its JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from vadose.evaluation.bootstrap import Bootstrap
from vadose.evaluation.literature import LiteratureComparison, Setting, compare_with_literature
from vadose.evaluation.publications import Publication
from vadose.evaluation.scores import Scores, score
from vadose.evaluation.spatial import Spatial, spatial
from vadose.evaluation.strata_scores import stratified
from vadose.evaluation.tally import MIN_SAMPLES
from vadose.evaluation.temporal import TemporalIntervals, temporal_bootstrap
from vadose.report.extra_scores import FURTHER, extra_scores_markdown
from vadose.report.literature import benchmark_markdown
from vadose.report.strata import strata_markdown

STRATA = "Scores by kind of ground, season and sources"
BENCHMARK = "Beside published works"


@dataclass(frozen=True)
class ReportText:
    """What a scorecard says beside its figures.

    Attributes:
        title: its heading.
        notes: statements of what the figures rest on: the split, the period, the input.
        notice: a warning above all figures, such as that data are simulated; empty for none.
        chapters: more of it, Markdown by heading.
    """

    title: str
    notes: Sequence[str] = ()
    notice: str = ""
    chapters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ReportData:
    """What a scorecard tells.

    Attributes:
        words: beside the figures.
        scores: what `score` gives.
        strata: what `stratified` gives.
        benchmark: published works beside the first product.
        across: what `spatial` gives, by product.
        time: what `temporal_bootstrap` gives.
    """

    words: ReportText
    scores: Scores
    strata: pd.DataFrame
    benchmark: tuple[LiteratureComparison, ...]
    across: Mapping[str, Spatial]
    time: TemporalIntervals

    @classmethod
    def of(
        cls,
        products: Mapping[str, pd.DataFrame],
        words: ReportText,
        min_samples: int = MIN_SAMPLES,
        bootstrap: Bootstrap | None = None,
        works: Sequence[Publication] = (),
        setting: Setting | None = None,
    ) -> "ReportData":
        """Score named products on the samples that all of them have.

        Raises:
            VadoseError: what `score` refuses.
        """
        scores = score(products, min_samples=min_samples, bootstrap=bootstrap)
        strata = stratified(scores.samples, min_samples, scores.bootstrap)
        first = next(iter(products.values()))
        found = compare_with_literature(works, first, setting, min_samples=min_samples, bootstrap=scores.bootstrap)
        across = {name: spatial(table, bootstrap=scores.bootstrap) for name, table in scores.samples.items()}
        time = temporal_bootstrap(scores.samples, min_samples, scores.bootstrap)
        return cls(words, scores, strata, found, across, time)

    @property
    def extra_scores(self) -> str:
        """Other scores, Markdown."""
        return extra_scores_markdown(self.scores, self.across, self.time)

    @property
    def chapters(self) -> dict[str, str]:
        """The chapters that were given, and those of other scores, strata and published works, Markdown by heading."""
        own = {STRATA: strata_markdown(self.strata)} if len(self.strata) else {}
        beside_works = {BENCHMARK: benchmark_markdown(self.benchmark)} if self.benchmark else {}
        return {FURTHER: self.extra_scores, **self.words.chapters, **own, **beside_works}
