"""Scene: the data of one item at one time, and its regridding to a tile."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import dask
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from vadose.fusion.publication import Publication
from vadose.fusion.regrid import Floats, Positions, bilinear, nearest, positions, positions_in
from vadose.grid import nanosecond
from vadose.sources.layers import Layers, masked
from vadose.sources.window import Window
from vadose.variables import Resampling, Variable


@dataclass(frozen=True, eq=False)
class Scene:
    """Observations of one item at one time, on its native grids.

    Attributes:
        item: identifier of the item.
        time: time of the observation; None for a static source.
        layers: those on each native grid.
        processed: processing time of the item, as sortable text; empty if unknown.
        publication: publication of the observations.
    """

    item: str
    time: np.datetime64 | None
    layers: tuple[Layers, ...]
    processed: str
    publication: Publication

    def on(self, target: GeoBox, variables: tuple[Variable, ...]) -> dict[str, Floats]:
        """Return each variable of the scene on the grid of `target`, (y, x), float32.

        A pixel counts as observed if all variables of the scene were observed there; otherwise it is NaN in every
        variable, so that no pixel mixes two times.
        """
        found = merged(_on(layers, variables, target) for layers in self.layers)
        whole = np.logical_and.reduce([np.isfinite(values) for values in found.values()])
        return {name: masked(values, whole) for name, values in found.items()}


def scenes_of(layers: Iterable[Layers]) -> tuple[Scene, ...]:
    """Return the scenes in the layers of a source, the latest first; of equal times by processing, the later first,
    then by item.
    """
    grouped: dict[tuple[int, str, str, tuple[str, str]], list[Layers]] = {}
    for one in layers:
        grouped.setdefault(_identity(one), []).append(one)
    scenes = [_scene(grouped[key]) for key in sorted(grouped)]
    by_processing = sorted(scenes, key=lambda scene: scene.processed, reverse=True)
    return tuple(sorted(by_processing, key=lambda scene: -_order(scene.time)))


def _on(layers: Layers, variables: tuple[Variable, ...], target: GeoBox) -> dict[str, Floats]:
    """Return variables of some layers on the grid of `target`; only the native pixels that it touches are read."""
    held = {variable.name: variable for variable in variables if variable.name in layers.names}
    if not held:
        return {}
    whole = layers.window
    at = positions_in(layers.grid, whole, target)
    part = at.window()
    if part is None:
        return {name: np.full(tuple(target.shape), np.nan, np.float32) for name in held}
    rows, columns = part
    near = Window(whole.top + rows.start, whole.top + rows.stop, whole.left + columns.start, whole.left + columns.stop)
    native, there = layers.values(near, tuple(held)), at.within(part)
    return {name: resampled(native[name], there, variable) for name, variable in held.items()}


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
    return {variable.name: resampled(native[variable.name].values, near, variable) for variable in held}


def resampled(values: Floats, at: Positions, variable: Variable) -> NDArray[np.float32]:
    """Return native values at positions, by the method of their variable."""
    return _METHODS[variable.resampling](values, at).astype(np.float32, copy=False)


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


def _identity(layers: Layers) -> tuple[int, str, str, tuple[str, str]]:
    """Return the key of the native grids of one scene; two processings may have the same name, and parts of one may
    be replaced.
    """
    published = str(layers.available_at), str(layers.replaced_at)
    return _order(layers.time), layers.item, _processed(layers), published


def _scene(parts: list[Layers]) -> Scene:
    first = parts[0]
    return Scene(first.item, first.time, tuple(parts), _processed(first), Publication.of_layers(first))


def _processed(layers: Layers) -> str:
    return str(layers.attrs.get("processed", ""))


def _order(time: np.datetime64 | None) -> int:
    return 0 if time is None else int(nanosecond(time).astype(np.int64))
