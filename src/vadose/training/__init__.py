"""From samples to fitted models, and models on disk."""

from vadose.training.baselines import fit_change, fit_climatology, fit_product, fit_rescaled, fit_trees
from vadose.training.checkpoint import load, origin, save
from vadose.training.compute import HERE, Machine
from vadose.training.config import Schedule
from vadose.training.fit import Places, fit_network
from vadose.training.loop import Progress

__all__ = [
    "HERE",
    "Machine",
    "Places",
    "Progress",
    "Schedule",
    "fit_change",
    "fit_climatology",
    "fit_network",
    "fit_product",
    "fit_rescaled",
    "fit_trees",
    "load",
    "origin",
    "save",
]
