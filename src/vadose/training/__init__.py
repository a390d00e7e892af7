"""Fitting of models to samples, and checkpoints."""

from typing import TYPE_CHECKING

from vadose.io.lazy import lazily

if TYPE_CHECKING:
    from vadose.training.baselines import fit_change, fit_climatology, fit_product, fit_rescaled, fit_trees
    from vadose.training.checkpoint import load, origin, save
    from vadose.training.compute import DEFAULT, ComputeConfig
    from vadose.training.config import TrainingConfig
    from vadose.training.departure_trees import fit_departure_trees
    from vadose.training.fit import TrainingRows, fit_network
    from vadose.training.loop import Progress
else:
    __getattr__ = lazily(__name__, __file__)

__all__ = [
    "DEFAULT",
    "ComputeConfig",
    "Progress",
    "TrainingConfig",
    "TrainingRows",
    "fit_change",
    "fit_climatology",
    "fit_departure_trees",
    "fit_network",
    "fit_product",
    "fit_rescaled",
    "fit_trees",
    "load",
    "origin",
    "save",
]
