"""Comparison of estimates with a simulated truth, in Markdown: overall, by land cover, and by distance from sensors."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pandas as pd

from vadose.dataset.layout import LABEL
from vadose.evaluation import Bootstrap, per_sensor, summary
from vadose.evaluation.sensors import figures
from vadose.experiment.config import SIMULATED
from vadose.experiment.run import NETWORK
from vadose.report.text import bounded, counted, interval, markdown_table
from vadose.studies.truth_ground import COVER, FAR

PRODUCTS = ("smap", "gldas")
IN_SPACE, IN_TIME = ["region", "time"], ["region", "cell"]
LEAST = 5
"""Smallest number of cells, or times, of a correlation."""
SCORES = ("regions", "R in space", "R in time", "ubRMSE in time", "RMSE")
POINTS = ("judged by the sensors", "sensors", "samples", "R", "ubRMSE", "RMSE")
DISTANCES_KM = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, np.inf)


def page(maps: pd.DataFrame, points: pd.DataFrame, min_samples: int) -> str:
    """Return the tables, in Markdown.

    Args:
        maps: from `TruthEvaluation.maps`, with the columns `COVER` and `FAR`.
        points: estimates at sensors, with the truth of their cells as `truth`.
        min_samples: smallest number of samples of a scored sensor.
    """
    names = [name for name in (NETWORK, *PRODUCTS) if name in maps]
    rows = [(name, *_of_maps(maps, name)) for name in names]
    sensors = [
        ("the network", points),
        ("the truth of the sensor's cell", points.assign(soil_moisture=points["truth"])),
    ]
    parts = [
        "# Estimates and the simulated truth",
        f"> **{SIMULATED}**",
        f"Maps of {counted(maps['region'].nunique(), 'regions')} whose sensors were held out from the networks, "
        f"{len(maps):,} cells and times. Brackets: 90 % intervals from the differences between regions, none with "
        "fewer than five. R in space: over the cells of a region at one time; in time: over the times of a cell.",
        markdown_table(("estimate", *SCORES), rows),
        "The network by the main land cover of a cell:",
        markdown_table(("land cover", "cells", *SCORES), _parts(maps, maps[COVER])),
        "The network by the distance of a cell from the nearest sensor of its region, which was held out:",
        markdown_table(("km", "cells", *SCORES), _parts(maps, _steps(maps[FAR]))),
        "Scores of a perfect estimate of the cell at these sensors, with their errors and their position "
        "within it: the upper bound on skill.",
        markdown_table(POINTS, [(name, *_of_points(table, min_samples)) for name, table in sensors]),
    ]
    return "\n\n".join(parts) + "\n"


def _parts(maps: pd.DataFrame, by: "pd.Series[str]") -> list[tuple[str, ...]]:
    """Return one row per part of the maps, with its number of cells and times."""
    return [(str(name), f"{len(part):,}", *_of_maps(part, NETWORK)) for name, part in maps.groupby(by, observed=True)]


def _steps(far: "pd.Series[float]") -> "pd.Series[str]":
    names = [f"{low:g} to {high:g}" for low, high in pairwise(DISTANCES_KM[:-1])] + [f"over {DISTANCES_KM[-2]:g}"]
    return pd.cut(far, DISTANCES_KM, labels=names, include_lowest=True)


def _of_maps(maps: pd.DataFrame, name: str) -> tuple[str, ...]:
    known = maps[maps[name].notna() & maps["truth"].notna()].rename(columns={name: "p", "truth": "t"})
    apart = known.assign(square=(known["p"] - known["t"]) ** 2)
    by = {
        "space": _correlation(known, IN_SPACE),
        "time": _correlation(known, IN_TIME),
        "ub": _unbiased(known, IN_TIME),
        "rmse": apart.groupby("region")["square"].mean() ** 0.5,
    }
    place = known.groupby("region")[["lat", "lon"]].first()
    cells = [_interval(values.reindex(place.index), place) for values in by.values()]
    return f"{len(place):,}", *cells


def _correlation(table: pd.DataFrame, keys: list[str]) -> "pd.Series[float]":
    """Return the mean of a region's correlations over groups of `keys`; NaN for constant ones."""
    groups = table.groupby(keys)[["p", "t"]]
    enough = groups.size() >= LEAST
    r = groups.corr().xs("p", level=-1)["t"]
    return r[enough.reindex(r.index)].groupby("region").mean()


def _unbiased(table: pd.DataFrame, keys: list[str]) -> "pd.Series[float]":
    """Return the mean of a region's standard deviations of the error over groups of `keys`."""
    error = table.assign(error=table["p"] - table["t"]).groupby(keys)["error"]
    return error.std(ddof=0)[error.size() >= LEAST].groupby("region").mean()


def _interval(values: "pd.Series[float]", place: pd.DataFrame) -> str:
    lat, lon = (place[name].to_numpy(np.float64) for name in ("lat", "lon"))
    return bounded(Bootstrap().mean(np.asarray(values, np.float64), lat, lon))


def _of_points(table: pd.DataFrame, min_samples: int) -> tuple[str, ...]:
    known = table[table[LABEL].notna() & table["truth"].notna() & table["soil_moisture"].notna()]
    sensors = per_sensor(known, min_samples)
    there = sensors[sensors["left_out"] == ""]
    skill: Mapping[str, Mapping[str, float]] = figures(summary(sensors))
    cells = [interval(skill[name], "mean", "mean_low", "mean_high") for name in ("r", "ubrmse", "rmse")]
    return f"{len(there):,}", f"{there['n'].sum():,}", *cells
