"""One source on one tile: pixels of 10 m if it is fine enough, and cell values."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from vadose.errors import NoDataError
from vadose.fusion.history import step_means, steps_of
from vadose.fusion.input_spec import HistorySpec
from vadose.fusion.latest_valid import DAY_NS, age_days, latest_valid
from vadose.fusion.publication import Publication
from vadose.fusion.regrid import Floats, block_mean
from vadose.fusion.scene import Scene, merged, resample_to, scenes_of
from vadose.grid import CELL_M, PIXELS_PER_CELL, Tile, nanoseconds
from vadose.sources.layers import Layers
from vadose.sources.raster import DEGREE_M
from vadose.sources.source import AVAILABLE_AT, ITEMS, REPLACED_AT
from vadose.variables import Variable

Known = np.datetime64 | None
"""Time by which products must have been published; None in hindsight."""
FINE_M = 60
"""Native pixel size below which a source is read as pixels of 10 m."""


@dataclass(frozen=True, eq=False)
class Composite:
    """Latest values of a source on a tile before a time.

    Attributes:
        pixels: values at 10 m over the tile and its halo, (y, x); None for a coarse source.
        cells: means over cells, (y, x).
        valid_fraction: observed fraction of each cell, 0..1.
        age: observation age, days, a mean over each cell; NaN without an observation.
        items: identifiers of the inputs.
    """

    pixels: dict[str, Floats] | None
    cells: dict[str, Floats]
    valid_fraction: Floats
    age: Floats
    items: tuple[str, ...]


class TileSource(Protocol):
    """A source on a tile, read at successive times."""

    def at(self, time: np.datetime64, max_age: float, known_at: Known) -> Composite:
        """Return the latest valid values not older than `max_age` days, of products usable at `known_at`."""
        ...

    def lags(self, name: str, time: np.datetime64, history: HistorySpec, known_at: Known) -> Floats:
        """Return means of one variable over cells and time steps, (step, y, x)."""
        ...

    def items(self, time: np.datetime64, history: HistorySpec, known_at: Known) -> set[str]:
        """Return identifiers of the inputs of the steps."""
        ...


def regrid_source(opened: Sequence[Layers | xr.Dataset], variables: tuple[Variable, ...], tile: Tile) -> TileSource:
    """Return the data of a source on a tile, as pixels or as cells by the size of its native pixels."""
    names = {variable.name for variable in variables}
    opened = [one for one in opened if names & set(one.names if isinstance(one, Layers) else one.data_vars)]
    if not opened:
        raise NoDataError(f"fusion: {', '.join(sorted(names))}", "No item has them", "Add items that have them")
    if min(map(native_metres, opened)) < FINE_M:
        layers = [
            part for one in opened for part in ([one] if isinstance(one, Layers) else Layers.of_dataset(one, variables))
        ]
        return PixelSource(scenes_of(layers), variables, tile)
    datasets = [one.dataset() if isinstance(one, Layers) else one for one in opened]
    return CellSource(tuple(CellSeries.of(parts, variables, tile) for parts in _by_item(datasets)), variables, tile)


def _by_item(datasets: Sequence[xr.Dataset]) -> list[list[xr.Dataset]]:
    """Group the datasets of one item and the same times, and all static ones: parts of one whole."""
    parts: dict[tuple[str, ...], list[xr.Dataset]] = {}
    for dataset in sorted(datasets, key=_item):
        coords = (dataset.coords.get(name) for name in ("time", AVAILABLE_AT, REPLACED_AT))
        times = ("" if one is None else one.values.tobytes().hex() for one in coords)
        key = (_item(dataset), *times) if "time" in dataset.dims else ()
        parts.setdefault(key, []).append(dataset)
    return list(parts.values())


def _item(dataset: xr.Dataset) -> str:
    return str(dataset.attrs.get("item", ""))


def native_metres(opened: Layers | xr.Dataset) -> float:
    """Return the size of a native pixel, metres."""
    if isinstance(opened, Layers):
        return opened.grid.metres
    dataset = opened
    y = dataset["y"].values
    step = abs(float(y[1] - y[0])) if y.size > 1 else abs(float(dataset.rio.resolution()[1]))
    return step * DEGREE_M if dataset.rio.crs.is_geographic else step


@dataclass
class PixelSource:
    """A source of pixels: each scene is read once and cached as long as the requested times need it."""

    scenes: tuple[Scene, ...]
    variables: tuple[Variable, ...]
    tile: Tile
    _read: dict[int, dict[str, Floats]] = field(default_factory=dict)
    _means: dict[int, dict[str, tuple[Floats, Floats]]] = field(default_factory=dict)

    def at(self, time: np.datetime64, max_age: float, known_at: Known) -> Composite:
        """Return the latest valid pixels not older than `max_age` days, and their means over cells."""
        ranks = [rank for rank, scene in enumerate(self.scenes) if _in_reach(scene, time, max_age, known_at)]
        self._forget_all_but(ranks)
        ages = [((self.scenes[rank].item,), age_days(time, self.scenes[rank].time)) for rank in ranks]
        names = tuple(variable.name for variable in self.variables)
        found = latest_valid(ages, lambda index: self._on_pixels(ranks[index]), names, tuple(self.tile.pixels.shape))
        means = {name: self._mean(values)[0] for name, values in found.values.items()}
        age, valid_fraction = self._mean(found.age)
        return Composite(found.values, means, valid_fraction, age, found.items)

    def lags(self, name: str, time: np.datetime64, history: HistorySpec, known_at: Known) -> Floats:
        """Return means over cells and steps of all scenes in the steps, weighted by their observed fraction."""
        days = history.steps * history.step_days
        ranks = [rank for rank, scene in enumerate(self.scenes) if _in_reach(scene, time, days, known_at)]
        means = {rank: self._cell_means(rank) for rank in ranks}
        held = [rank for rank in ranks if name in means[rank]]
        if not held:
            return np.full((history.steps, *self.tile.cells.shape), np.nan, np.float32)
        times = nanoseconds(np.array([self.scenes[rank].time for rank in held], "datetime64"))
        step = steps_of(times, time, history.steps, history.step_days)
        values, shares = (np.stack(arrays) for arrays in zip(*(means[rank][name] for rank in held), strict=True))
        return step_means(values, step, history.steps, shares)

    def items(self, time: np.datetime64, history: HistorySpec, known_at: Known) -> set[str]:
        """Return the scenes within the steps."""
        days = history.steps * history.step_days
        return {scene.item for scene in self.scenes if _in_reach(scene, time, days, known_at)}

    def _on_pixels(self, rank: int) -> dict[str, Floats]:
        if rank not in self._read:
            self._read[rank] = self.scenes[rank].on(self.tile.pixels, self.variables)
        return self._read[rank]

    def _cell_means(self, rank: int) -> dict[str, tuple[Floats, Floats]]:
        """Return the mean over each cell and its observed fraction, by variable."""
        if rank not in self._means:
            pixels = self._read.get(rank) or self.scenes[rank].on(self.tile.pixels, self.variables)
            self._means[rank] = {name: self._mean(values) for name, values in pixels.items()}
        return self._means[rank]

    def _mean(self, values: Floats) -> tuple[Floats, Floats]:
        edge = self.tile.halo * PIXELS_PER_CELL
        inner = values[edge : values.shape[0] - edge, edge : values.shape[1] - edge]
        return block_mean(inner, PIXELS_PER_CELL)

    def _forget_all_but(self, ranks: list[int]) -> None:
        for rank in self._read.keys() - set(ranks):
            del self._read[rank]


@dataclass(frozen=True, eq=False)
class CellSeries:
    """Values of a dataset on a tile's cells, at all of its times.

    Attributes:
        items: identifiers of its parts: one, or several for static data.
        times: ascending; empty for static data.
        values: values by variable, (time, y, x).
        valid_fraction: observed fraction of each cell, (time, y, x); of static data, that of the variable with the
            largest one.
        publication: publication at each time.
        named: identifiers of the inputs at each time; empty if all come from `items`.
    """

    items: tuple[str, ...]
    times: NDArray[np.datetime64]
    values: dict[str, Floats]
    valid_fraction: Floats
    publication: Publication
    named: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def of(cls, datasets: Sequence[xr.Dataset], variables: tuple[Variable, ...], tile: Tile) -> "CellSeries":
        """Regrid the parts of one whole, on one grid or several, to the cells.

        If the native pixels are small, a cell is the mean over points within it, each from the first part that contains
        it. In static data each variable is valid separately; a scene is valid as a whole.
        """
        side = 8 if min(map(native_metres, datasets)) < 2 * CELL_M else 1
        lattice = tile.cells.zoom_to((tile.rows * side, tile.columns * side)) if side > 1 else tile.cells
        timed = "time" in datasets[0].dims
        values, fractions = {}, []
        for name, carried in merged(resample_to(dataset, variables, lattice) for dataset in datasets).items():
            mean, valid = block_mean(carried if timed else carried[np.newaxis], side)
            values[name] = mean.astype(np.float32)
            fractions.append(valid)
        fraction = np.min(fractions, axis=0) if timed else np.max(fractions, axis=0)
        if timed:
            values = {name: np.where(fraction > 0, mean, np.nan) for name, mean in values.items()}
        times = datasets[0]["time"].values if timed else np.empty(0, "datetime64[ns]")
        items = tuple(sorted({_item(dataset) for dataset in datasets}))
        coordinate = datasets[0].coords.get(ITEMS)
        named = () if coordinate is None else tuple(tuple(str(names).split("\n")) for names in coordinate.values)
        return cls(items, times, values, fraction, Publication.of(datasets[0]), named)

    def items_at(self, number: int) -> tuple[str, ...]:
        """Return identifiers of the inputs at one time."""
        return self.named[number] if self.named else self.items

    def reach(self, time: np.datetime64, days: float, known_at: Known) -> list[tuple[np.datetime64 | None, int]]:
        """Return times not older than `days` that are usable at `known_at`, with their indices."""
        if not self.times.size:
            return [(None, 0)]
        oldest = time - np.timedelta64(round(days * DAY_NS), "ns")
        counts = (self.times >= oldest) & (self.times <= time) & self.publication.counts(known_at)
        return [(self.times[number], int(number)) for number in np.flatnonzero(counts)]


@dataclass(frozen=True, eq=False)
class CellSource:
    """A source of cells: all times are regridded to the cells at once."""

    series: tuple[CellSeries, ...]
    variables: tuple[Variable, ...]
    tile: Tile

    def at(self, time: np.datetime64, max_age: float, known_at: Known) -> Composite:
        """Return the latest valid cell values not older than `max_age` days."""
        candidates = [(when, number, one) for one in self.series for when, number in one.reach(time, max_age, known_at)]
        candidates.sort(key=lambda candidate: (age_days(time, candidate[0]), candidate[2].items))
        ages = [(one.items_at(number), age_days(time, when)) for when, number, one in candidates]
        names = (*(variable.name for variable in self.variables), "valid_fraction")

        def values_of(rank: int) -> dict[str, Floats]:
            _, number, one = candidates[rank]
            seen = one.valid_fraction[number]
            found = {name: values[number] for name, values in one.values.items()}
            return found | {"valid_fraction": np.where(seen > 0, seen, np.nan)}

        found = latest_valid(ages, values_of, names, tuple(self.tile.cells.shape))
        valid_fraction = np.nan_to_num(found.values.pop("valid_fraction"))
        return Composite(None, found.values, valid_fraction, found.age, found.items)

    def lags(self, name: str, time: np.datetime64, history: HistorySpec, known_at: Known) -> Floats:
        """Return means over steps of all times within them, weighted by the observed fraction."""
        parts = [one for one in self.series if one.times.size and name in one.values]
        if not parts:
            return np.full((history.steps, *self.tile.cells.shape), np.nan, np.float32)
        times = np.concatenate([part.times for part in parts])
        values = np.concatenate([part.values[name] for part in parts])
        shares = np.concatenate([part.valid_fraction for part in parts])
        step = steps_of(times, time, history.steps, history.step_days)
        counts = np.concatenate([part.publication.counts(known_at) for part in parts])
        return step_means(values, np.where(counts, step, -1), history.steps, shares)

    def items(self, time: np.datetime64, history: HistorySpec, known_at: Known) -> set[str]:
        """Return the series with a time within the steps."""
        days = history.steps * history.step_days
        reached = (
            (one, number) for one in self.series if one.times.size for _, number in one.reach(time, days, known_at)
        )
        return {item for one, number in reached for item in one.items_at(number)}


def _in_reach(scene: Scene, time: np.datetime64, days: float, known_at: Known) -> bool:
    if scene.time is None:
        return True
    return bool(scene.publication.counts(known_at)) and 0 <= age_days(time, scene.time) <= days
