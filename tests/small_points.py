"""A small simulated point table, its columns, and an experiment on it."""

from pathlib import Path

import numpy as np
import pandas as pd
import yaml


def table(names: tuple[str, ...] = ("vv", "elevation")) -> pd.DataFrame:
    """Simulated readings of 12 sensors, 10 times each, wetter where the backscatter is higher."""
    rng = np.random.default_rng(0)
    sensor = np.repeat(np.arange(12), 10)
    values = {"vv": rng.uniform(0.05, 0.4, 120), "elevation": rng.uniform(10, 90, 12)[sensor]}
    values["clay"] = rng.uniform(0.1, 0.4, 12)[sensor]
    times = pd.Timestamp("2021-06-01") + pd.to_timedelta(np.tile(np.arange(10), 12), "D")
    return pd.DataFrame(
        {"who": [f"S{number:02d}" for number in sensor], "north": 50.0 + sensor, "east": 9.0, "when": times}
        | {"wet": 0.1 + 0.5 * values["vv"] + rng.normal(0, 0.01, 120)}
        | {name: values[name] for name in names}
    )


def mapping(names: tuple[str, ...] = ("vv", "elevation"), label: bool = True) -> dict:
    return {
        "network": {"value": "SIMULATED"},
        "station": {"column": "who"},
        "lat": {"column": "north"},
        "lon": {"column": "east"},
        "time": {"column": "when"},
        "predictors": {name: {"column": name} for name in names},
        "simulated": True,
    } | ({"label": {"column": "wet"}} if label else {})


def config(**changes: object) -> dict:
    return {
        "name": "point",
        "simulated": True,
        "samples": {"table": "table.csv", "columns": "mapping.yaml"},
        "needs": {"cells": ["vv", "elevation"]},
        "split": {"grouping": {"by": "place"}, "folds": 2, "validation_fraction": 0.3},
        "network": {"cell_features": 4, "gru_size": 4, "hidden_size": 8},
        "schedule": {"epochs": 2, "batch_size": 32, "per_sensor": 5},
        "min_samples": 5,
    } | changes


def write_experiment(folder: Path, content: pd.DataFrame, names: dict, experiment: dict) -> Path:
    folder.mkdir(exist_ok=True)
    content.to_csv(folder / "table.csv", index=False)
    (folder / "mapping.yaml").write_text(yaml.safe_dump(names))
    (folder / "experiment.yaml").write_text(yaml.safe_dump(experiment))
    return folder / "experiment.yaml"
