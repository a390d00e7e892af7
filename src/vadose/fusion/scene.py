"""Scene: the data of one item at one time, and its regridding to a tile."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import groupby

import dask
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from vadose.fusion.publication import Publication
from vadose.fusion.regrid import Floats, bilinear, nearest, positions
from vadose.grid import nanosecond
from vadose.variables import Resampling, Variable


@dataclass(frozen=True, eq=False)
class Scene:
    """Observations of one item at one time, on its native grids.

    Attributes:
        item: identifier of the item.
        time: time of the observation; None for a static source.
        datasets: one per native grid, (y, x), lazy.
        processed: processing time of the item, as sortable text; empty if unknown.
        publication: publication of the observations.
    """

    item: str
    time: np.datetime64 | None
    datasets: tuple[xr.Dataset, ...]
    processed: str
    publication: Publication

    def on(self, target: GeoBox, variables: tuple[Variable, ...]) -> dict[str, Floats]:
        """Return each variable of the scene on the grid of `target`, (y, x), float32.

        A pixel counts as observed if all variables of the scene were observed there; otherwise it is NaN in every
        variable, so that no pixel mixes two times.
        """
        found = merged(resample_to(dataset, variables, target) for dataset in self.datasets)
        whole = np.logical_and.reduce([np.isfinite(values) for values in found.values()])
        return {name: np.where(whole, values, np.float32(np.nan)) for name, values in found.items()}


def scenes_of(datasets: Iterable[xr.Dataset]) -> tuple[Scene, ...]:
    """Return the scenes in the datasets of a source, the latest first; of equal times by processing, the later first,
    then by item.
    """
    single = [scene for dataset in datasets for scene in _split(dataset)]
    single.sort(key=_identity)
    grouped = groupby(single, key=_identity)
    scenes = [_joined(list(group)) for _, group in grouped]
    by_processing = sorted(scenes, key=lambda scene: scene.processed, reverse=True)
    return tuple(sorted(by_processing, key=lambda scene: -_order(scene.time)))


def resample_to(dataset: xr.Dataset, variables: tuple[Variable, ...], target: GeoBox) -> dict[str, NDArray[np.float32]]:
    """Return the variables of a dataset on the grid of `target`, each (..., y, x), by name.

    Only the native pixels that the target touches are read, for all variables at once.
    """
    held = [variable for variable in variables if variable.name in dataset]
    if not held:
        return {}
    at = positions(dataset, target)
    window = at.window()
    if window is None:
        leading = tuple(size for dim, size in dataset.sizes.items() if dim not in ("y", "x"))
        return {variable.name: np.full((*leading, *target.shape), np.nan, np.float32) for variable in held}
    near = at.within(window)
    with dask.config.set(scheduler="synchronous"):
        native = dataset[[variable.name for variable in held]].isel(y=window[0], x=window[1]).load()
    return {v.name: _METHODS[v.resampling](native[v.name].values, near).astype(np.float32) for v in held}


def merged(parts: Iterable[dict[str, NDArray[np.float32]]]) -> dict[str, NDArray[np.float32]]:
    """Return each variable at each place from the first part that contains it."""
    whole: dict[str, NDArray[np.float32]] = {}
    for part in parts:
        for name, values in part.items():
            whole[name] = np.where(np.isnan(whole[name]), values, whole[name]) if name in whole else values
    return whole


_METHODS: dict[Resampling, Callable[..., Floats]] = {
    Resampling.AREA_MEAN: nearest,
    Resampling.NEAREST: nearest,
    Resampling.BILINEAR: bilinear,
}


def _split(dataset: xr.Dataset) -> list[Scene]:
    item, processed = (str(dataset.attrs.get(name, "")) for name in ("item", "processed"))
    if "time" not in dataset.dims:
        return [Scene(item, None, (dataset,), processed, Publication.of(dataset))]
    times = dataset["time"].values
    parts = (dataset.isel(time=index) for index in range(times.size))
    return [
        Scene(item, time, (part,), processed, Publication.of(part)) for time, part in zip(times, parts, strict=True)
    ]


def _identity(scene: Scene) -> tuple[int, str, str, tuple[str, str]]:
    """Return the key of the native grids of one scene; two processings may have the same name, and parts of one may
    be replaced.
    """
    published = scene.publication
    return _order(scene.time), scene.item, scene.processed, (str(published.since), str(published.until))


def _joined(scenes: list[Scene]) -> Scene:
    datasets = tuple(dataset for scene in scenes for dataset in scene.datasets)
    return replace(scenes[0], datasets=datasets)


def _order(time: np.datetime64 | None) -> int:
    return 0 if time is None else int(nanosecond(time).astype(np.int64))
