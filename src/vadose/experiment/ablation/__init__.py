"""Ablation: training without each part of the network, on the same folds and seeds."""

from vadose.experiment.ablation.rows import Row, rows_of
from vadose.experiment.ablation.run import ablate

__all__ = ["Row", "ablate", "rows_of"]
