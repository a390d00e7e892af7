"""Models that come with vadose."""

from pathlib import Path
from typing import Any

import pandas as pd

from vadose.errors import VadoseError
from vadose.experiment.located import released_names
from vadose.experiment.run import NETWORK, Run


def released_models() -> pd.DataFrame:
    """Return the models that come with this version, one row each.

    Returns:
        name, simulated, sensors, places, and r, ubrmse and rmse (m3 m-3) at held-out sensors, means over places.
    """
    columns = ["name", "simulated", "sensors", "places", "r", "ubrmse", "rmse"]
    return pd.DataFrame([_row(name) for name in released_names()], columns=columns)


def _row(name: str) -> dict[str, Any]:
    run = Run(Path(name))
    headline = run.headline
    ours = headline[headline["product"] == NETWORK].to_dict("records") if len(headline) else []
    if not ours:
        raise VadoseError(f"models: {name}", "It has no scores", "Release it again from a finished run")
    row = ours[0]
    scores = {score: row.get(f"{score}_over_places", row[score]) for score in ("r", "ubrmse", "rmse")}
    counts = {key: int(row[key]) for key in ("sensors", "places")}
    return {"name": name, "simulated": run.experiment().simulated, **counts, **scores}
