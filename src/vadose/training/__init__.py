"""From samples to fitted models, and models on disk."""

from vadose.training.checkpoint import load, origin, save
from vadose.training.fit import Places, fit_network, fit_product, fit_trees
from vadose.training.loop import Progress, Schedule

__all__ = ["Places", "Progress", "Schedule", "fit_network", "fit_product", "fit_trees", "load", "origin", "save"]
