"""Evaluation of estimates at in-situ sensors, independent of models."""

from vadose.evaluation.bootstrap import Bootstrap, Interval
from vadose.evaluation.collocation import triple_collocation
from vadose.evaluation.compare import differences, matched, own_mean
from vadose.evaluation.effective import block_length, effective_samples
from vadose.evaluation.literature import Setting, compare_with_literature
from vadose.evaluation.metric import METRICS, Metric
from vadose.evaluation.predictions import check, read
from vadose.evaluation.publications import PUBLISHED, Publication, Split, publications
from vadose.evaluation.rescaling import SCALINGS, Scaling, rescale
from vadose.evaluation.scores import Scores, score
from vadose.evaluation.seen import SEEN_IN_TRAINING, seen_notes
from vadose.evaluation.sensors import per_sensor, reliability, summary
from vadose.evaluation.significance import bootstrap_p, holm
from vadose.evaluation.spatial import Spatial, spatial
from vadose.evaluation.stability import Stability, stability
from vadose.evaluation.statistic import Means, Moments
from vadose.evaluation.strata import DISTANCE
from vadose.evaluation.subperiods import subperiods
from vadose.evaluation.tally import MIN_SAMPLES, Tally
from vadose.evaluation.temporal import TemporalIntervals, temporal_bootstrap

__all__ = [
    "DISTANCE",
    "METRICS",
    "MIN_SAMPLES",
    "PUBLISHED",
    "SCALINGS",
    "SEEN_IN_TRAINING",
    "Bootstrap",
    "Interval",
    "Means",
    "Metric",
    "Moments",
    "Publication",
    "Scaling",
    "Scores",
    "Setting",
    "Spatial",
    "Split",
    "Stability",
    "Tally",
    "TemporalIntervals",
    "block_length",
    "bootstrap_p",
    "check",
    "compare_with_literature",
    "differences",
    "effective_samples",
    "holm",
    "matched",
    "own_mean",
    "per_sensor",
    "publications",
    "read",
    "reliability",
    "rescale",
    "score",
    "seen_notes",
    "spatial",
    "stability",
    "subperiods",
    "summary",
    "temporal_bootstrap",
    "triple_collocation",
]
