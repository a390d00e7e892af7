"""The whole configuration, and the rooms at work in their order."""

from vadose.experiment.config import Experiment, read_experiment

__all__ = ["Experiment", "read_experiment"]
