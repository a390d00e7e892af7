"""Spatial groups of samples: places, distances, and groups that a split keeps together."""

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from vadose.dataset.layout import IDENTITY
from vadose.grid import EARTH_RADIUS_KM

Labels = NDArray[np.intp]


class SpatialGroups(BaseModel):
    """Groups of samples that a split keeps together.

    Attributes:
        by: unit of a group: place, block of degrees, network, or year.
        buffer_km: distance within which sensors of two groups join the groups, km; not by year.
        block_degrees: side of a block, degrees.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    by: Literal["place", "block", "network", "year"] = "block"
    buffer_km: float = Field(default=0.0, ge=0, le=20_100)
    block_degrees: float = Field(default=1.0, ge=1e-3, le=360)

    def of(self, index: pd.DataFrame) -> Labels:
        """Return the group of each sample, (sample,), counted from 0, independent of the order of the samples.

        Samples of one sensor or of one place are always in one group, and so are sensors within the buffer, each joined
        to the next (single linkage); except by year, where only the time matters.
        """
        if self.by == "year":
            return _numbered(index[["time"]].assign(time=index["time"].dt.year))
        place = _numbered(index[["lat", "lon"]])
        ties = [_numbered(index[list(IDENTITY)])]
        if self.by == "network":
            ties.append(_numbered(index[["network"]]))
        if self.by == "block":
            ties.append(_numbered(index[["lat", "lon"]] // self.block_degrees))
        _, first = np.unique(place, return_index=True)
        lat, lon = (index[axis].to_numpy(np.float64)[first] for axis in ("lat", "lon"))
        links = [pairs_within(lat, lon, self.buffer_km), *(_links(place, tie) for tie in ties)]
        return _joined(links, len(first))[place]


def pairs_within(lat: NDArray[np.float64], lon: NDArray[np.float64], distance_km: float) -> NDArray[np.intp]:
    """Return pairs of points, (pair, 2), at most a distance apart along the great circle, degrees and kilometres."""
    chord = 2 * np.sin(min(distance_km / EARTH_RADIUS_KM, np.pi) / 2)
    return np.asarray(cKDTree(_on_sphere(lat, lon)).query_pairs(chord + 1e-9, output_type="ndarray"), np.intp)


def _links(place: Labels, tie: Labels) -> Labels:
    """Return pairs of places, (sample, 2), that join all places of the samples with one value."""
    _, first = np.unique(tie, return_index=True)
    return np.stack([place, place[first][tie]], axis=1)


def _joined(links: list[Labels], places: int) -> Labels:
    start, end = np.unique(np.concatenate(links), axis=0).T
    graph = coo_array((np.ones(len(start)), (start, end)), shape=(places, places))
    return np.asarray(connected_components(graph, directed=False)[1], np.intp)


def _numbered(keys: pd.DataFrame) -> Labels:
    return np.asarray(keys.groupby(list(keys.columns), sort=True).ngroup(), np.intp)


def _on_sphere(lat: NDArray[np.float64], lon: NDArray[np.float64]) -> NDArray[np.float64]:
    phi, lam = np.radians(lat), np.radians(lon)
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=1)
