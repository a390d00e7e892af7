"""Scores any estimate against any sensors; knows no model."""

from vadose.evaluation.bootstrap import Bootstrap, Interval
from vadose.evaluation.compare import differences, matched, own_mean
from vadose.evaluation.metric import METRICS, Metric
from vadose.evaluation.predictions import check, read
from vadose.evaluation.scorecard import console_summary, write_scorecard
from vadose.evaluation.scores import Scores, score
from vadose.evaluation.seen import SEEN_IN_TRAINING, seen_notes
from vadose.evaluation.sensors import MIN_SAMPLES, per_sensor, reliability, summary
from vadose.evaluation.statistic import Moments

__all__ = [
    "METRICS",
    "MIN_SAMPLES",
    "SEEN_IN_TRAINING",
    "Bootstrap",
    "Interval",
    "Metric",
    "Moments",
    "Scores",
    "check",
    "console_summary",
    "differences",
    "matched",
    "own_mean",
    "per_sensor",
    "read",
    "reliability",
    "score",
    "seen_notes",
    "summary",
    "write_scorecard",
]
