"""Experiments: configuration, run directory, training and ablation."""

from vadose.experiment.config import Experiment, read_experiment

__all__ = ["Experiment", "read_experiment"]
