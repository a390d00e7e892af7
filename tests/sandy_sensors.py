"""Simulated sensors as a table: the label follows SMAP, with a level and an amplitude by the sand of the place."""

from pathlib import Path

import numpy as np
import pandas as pd
import yaml


def write_sensors(
    folder: Path, sensors: int, days: int, *, south: float = 40.0, prefix: str = "s", seed: int = 0, **mapping: object
) -> dict[str, object]:
    """Write sensors.csv and mapping.yaml, and return the keys of an experiment that name them."""
    rng = np.random.default_rng(seed)
    number = np.repeat(np.arange(sensors), days)
    smap = 0.25 + 0.1 * np.sin(np.tile(np.arange(days), sensors) / 4 + number) + rng.normal(0, 0.02, number.size)
    sand = rng.uniform(0.1, 0.9, sensors)[number]
    table = pd.DataFrame({"network": "SIM", "station": [f"{prefix}{n}" for n in number], "smap": smap, "sand": sand})
    table = table.assign(lat=south + 2.0 * (number % 6), lon=-100 + 2.0 * (number // 6))
    table["time"] = pd.Timestamp("2021-03-01") + pd.to_timedelta(5 * np.tile(np.arange(days), sensors), "D")
    table["soil_moisture"] = 0.4 - 0.2 * sand + (0.5 + sand) * (smap - 0.25) + rng.normal(0, 0.01, number.size)
    table.to_csv(folder / "sensors.csv", index=False)
    columns = {name: {"column": name} for name in ("network", "station", "lat", "lon", "time")}
    predictors = {name: {"column": name} for name in ("smap", "sand")}
    columns |= {"label": {"column": "soil_moisture"}, "predictors": predictors, "simulated": True} | mapping
    (folder / "mapping.yaml").write_text(yaml.safe_dump(columns))
    return {"simulated": True, "samples": {"table": "sensors.csv", "columns": "mapping.yaml"}}
