"""Sparse history: one scene per interval and cell, at reduced resolution.

Intervals have the length of a step and are counted from 1970-01-01, so that the maps of two days read the same scenes.
Of the scenes of an interval whose footprint contains the centre of a cell, observed by the time of the estimate and
usable then, the cell has the one with the least cloud cover; of equal ones the latest; then the first by name. A scene
without a stated cloud cover counts as 100 %, so that of radar the latest is read. The choice depends on metadata alone:
catalogues fetch by the same rule what fusion reads.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import shapely
from numpy.typing import NDArray

from vadose.fusion.history import step_means, steps_of
from vadose.fusion.input_spec import HistorySpec
from vadose.fusion.latest_valid import DAY_NS, age_days, latest_valid
from vadose.fusion.publication import Publication
from vadose.fusion.regrid import Floats, block_mean, centres, nearest, positions_in
from vadose.fusion.scene import Scene, scenes_of
from vadose.fusion.tile_source import Composite, Known, TileSource
from vadose.grid import Period, Tile, earlier, nanosecond, nanoseconds
from vadose.sources.layers import Layers
from vadose.sources.source import SourceFile
from vadose.variables import Variable

_SIDE = 8
"""Points in a row of a cell at which overviews are read."""
Mask = NDArray[np.bool_]


def interval_of(time: np.datetime64, step_days: float) -> int:
    """Return the number of the interval that contains a time."""
    return int(nanosecond(time).astype(np.int64) // round(step_days * DAY_NS))


def since_interval(period: Period, history: HistorySpec) -> Period:
    """Return a period from the start of the first interval that the history of its first time touches."""
    first = interval_of(earlier(period.start, history.days), history.step_days)
    return Period(np.datetime64(first * round(history.step_days * DAY_NS), "ns"), period.end)


@dataclass(frozen=True)
class Candidate:
    """A scene of which the metadata are known.

    Attributes:
        name: of its item.
        time: of the observation, UTC.
        cloud_cover: %.
        footprint: degrees.
        since, until: when it was the best available one of its observation; NaT for always, and for ever.
    """

    name: str
    time: np.datetime64
    cloud_cover: float
    footprint: shapely.Geometry
    since: np.datetime64 = field(default_factory=lambda: np.datetime64("NaT", "ns"))
    until: np.datetime64 = field(default_factory=lambda: np.datetime64("NaT", "ns"))

    @property
    def preference(self) -> tuple[float, int, str]:
        """Return a key by which the preferred one comes first."""
        return preference(self.cloud_cover, self.time, self.name)


def preference(cloud_cover: float, time: np.datetime64, name: str) -> tuple[float, int, str]:
    """Return a key by which the preferred scene of an interval comes first."""
    return cloud_cover, -int(nanosecond(time).astype(np.int64)), name


def candidates_of(files: Sequence[SourceFile], publication: Publication) -> tuple[Candidate, ...]:
    """Return the scenes of an archive, with their publication."""
    return tuple(
        Candidate(one.name, one.time, one.cloud_cover, shapely.from_wkb(one.footprint), since, until)
        for one, since, until in zip(files, publication.since, publication.until, strict=True)
        if one.time is not None
    )


def needed(
    candidates: Sequence[Candidate],
    ground: shapely.Geometry,
    period: Period,
    history: HistorySpec,
    known_at: Callable[[np.datetime64], Known],
    as_of_any: bool = False,
) -> set[int]:
    """Return the numbers of the scenes that any cell within a ground has at any time of a period.

    Args:
        candidates: scenes of a source.
        ground: degrees.
        period: of the times of estimates.
        history: its steps.
        known_at: time by which a product must have been published for an estimate; None in hindsight.
        as_of_any: whether estimates may also be made as of any time.
    """
    oldest = interval_of(earlier(period.start, history.days), history.step_days)
    near = [number for number, one in enumerate(candidates) if one.footprint.intersects(ground)]
    groups: dict[int, list[int]] = {}
    for number in near:
        interval = interval_of(candidates[number].time, history.step_days)
        if interval >= oldest and candidates[number].time < period.end:
            groups.setdefault(interval, []).append(number)
    found: set[int] = set()
    for numbers in groups.values():
        ordered = sorted(numbers, key=lambda number: candidates[number].preference)
        held = [candidates[number] for number in ordered]
        for usable in _usable(held, period, known_at, as_of_any):
            found |= {ordered[place] for place in _covering(held, usable, ground)}
    return found


def _usable(
    candidates: Sequence[Candidate],
    period: Period,
    known_at: Callable[[np.datetime64], Known],
    as_of_any: bool,
) -> set[tuple[bool, ...]]:
    """Return which scenes can be used, for each set that differs at any time of a period."""
    changes = [time for one in candidates for time in (one.time, one.since, one.until)]
    times = {period.start, *(time for time in changes if time in period), period.end - np.timedelta64(1, "ns")}
    publication = Publication(
        nanoseconds([one.since for one in candidates]), nanoseconds([one.until for one in candidates])
    )
    observed = nanoseconds([one.time for one in candidates])
    ever = {time for time in changes if not np.isnat(time)} if as_of_any else set()
    return {
        tuple((publication.counts(known) & (observed <= time)).tolist())
        for time in times
        for known in {known_at(time), *ever}
    }


def _covering(candidates: Sequence[Candidate], usable: Sequence[bool], ground: shapely.Geometry) -> list[int]:
    """Return the numbers of the preferred scenes that together cover a ground."""
    left, found = ground, []
    for number, one in enumerate(candidates):
        if usable[number] and one.footprint.intersects(left):
            found.append(number)
            left = left.difference(one.footprint)
            if left.is_empty:
                break
    return found


@dataclass(frozen=True, eq=False)
class SparseSource:
    """Scenes of a source at reduced resolution on a tile: of each interval, one for each cell.

    Attributes:
        scenes: of the source.
        variables: that are read.
        tile: without a halo.
        step_days: length of an interval, days.
    """

    scenes: tuple[Scene, ...]
    variables: tuple[Variable, ...]
    tile: Tile
    step_days: float
    _grounds: dict[int, Mask] = field(default_factory=dict)
    _means: dict[int, dict[str, tuple[Floats, Floats]]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, layers: Sequence[Layers], variables: tuple[Variable, ...], tile: Tile, step_days: float
    ) -> "SparseSource":
        """Return the scenes in the layers of `OverviewSource.overviews`."""
        return cls(scenes_of(layers), variables, tile, step_days)

    def at(self, time: np.datetime64, max_age: float, known_at: Known) -> Composite:
        """Return the latest of the chosen scenes that observed each cell and are not older than `max_age` days."""
        chosen = self._chosen(time, max_age, known_at)
        ages = [((self.scenes[number].item,), self._age(number, time)) for number, _ in chosen]
        names = (*(variable.name for variable in self.variables), "valid_fraction")

        def values_of(rank: int) -> dict[str, Floats]:
            number, mask = chosen[rank]
            means = self._cell_means(number)
            share = np.min([share for _, share in means.values()], axis=0, initial=1.0)
            share = np.where(mask & (share > 0) & bool(means), share, np.nan)
            return {name: np.where(mask, mean, np.nan) for name, (mean, _) in means.items()} | {"valid_fraction": share}

        found = latest_valid(ages, values_of, names, tuple(self.tile.cells.shape))
        valid_fraction = np.nan_to_num(found.values.pop("valid_fraction"))
        return Composite({}, found.values, valid_fraction, found.age, found.items)

    def lags(self, name: str, time: np.datetime64, history: HistorySpec, known_at: Known) -> Floats:
        """Return the means over cells of the chosen scenes, by the step of their age."""
        chosen = [
            (number, mask)
            for number, mask in self._chosen(time, history.days, known_at)
            if name in self._cell_means(number)
        ]
        if not chosen:
            return np.full((history.steps, *self.tile.cells.shape), np.nan, np.float32)
        times = nanoseconds(np.array([self.scenes[number].time for number, _ in chosen], "datetime64"))
        means = [self._cell_means(number)[name] for number, _ in chosen]
        values = np.stack([np.where(mask, mean, np.nan) for (_, mask), (mean, _) in zip(chosen, means, strict=True)])
        shares = np.stack([share for _, share in means])
        return step_means(values, steps_of(times, time, history.steps, history.step_days), history.steps, shares)

    def items(self, time: np.datetime64, history: HistorySpec, known_at: Known) -> set[str]:
        """Return the chosen scenes within the steps."""
        return {self.scenes[number].item for number, _ in self._chosen(time, history.days, known_at)}

    def _chosen(self, time: np.datetime64, days: float, known_at: Known) -> list[tuple[int, Mask]]:
        """Return the scenes not older than some days, the latest first, each with the cells that have it."""
        groups: dict[int, list[int]] = {}
        for number, scene in enumerate(self.scenes):
            if scene.time is not None and scene.time <= time and scene.publication.counts(known_at):
                groups.setdefault(interval_of(scene.time, self.step_days), []).append(number)
        found = []
        for numbers in groups.values():
            left = np.ones(tuple(self.tile.cells.shape), bool)
            for number in sorted(numbers, key=self._preference):
                mask = left & self._ground(number)
                left &= ~mask
                if mask.any() and self._age(number, time) <= days:
                    found.append((number, mask))
        return sorted(found, key=lambda one: (self._age(one[0], time), self.scenes[one[0]].item))

    def _preference(self, number: int) -> tuple[float, int, str]:
        scene = self.scenes[number]
        time = np.datetime64("NaT", "ns") if scene.time is None else scene.time
        return preference(float(scene.layers[0].attrs["cloud_cover"]), time, scene.item)

    def _age(self, number: int, time: np.datetime64) -> float:
        return age_days(time, self.scenes[number].time)

    def _ground(self, number: int) -> Mask:
        """Return the cells whose centre is on the ground that a scene, and what there is of it, shows."""
        if number not in self._grounds:
            layers = self.scenes[number].layers
            lon, lat = centres(self.tile.cells, "EPSG:4326")
            shown = shapely.contains_xy(shapely.from_wkb(layers[0].attrs["footprint"]), lon, lat)
            self._grounds[number] = shown & np.logical_or.reduce([_shows(one, self.tile) for one in layers])
        return self._grounds[number]

    def _cell_means(self, number: int) -> dict[str, tuple[Floats, Floats]]:
        """Return the mean over each cell and its observed fraction, by variable."""
        if number not in self._means:
            lattice = self.tile.cells.zoom_to((self.tile.rows * _SIDE, self.tile.columns * _SIDE))
            values = self.scenes[number].on(lattice, self.variables)
            self._means[number] = {name: block_mean(held, _SIDE) for name, held in values.items()}
        return self._means[number]


def _shows(layers: Layers, tile: Tile) -> Mask:
    """Return the cells whose centre is on a pixel that counts."""
    at = positions_in(layers.grid, layers.window, tile.cells)
    return np.asarray(nearest(layers.ground(layers.window).astype(np.float32), at) > 0)


@dataclass(frozen=True, eq=False)
class WithSparseHistory:
    """A source of which the present is read at full resolution and the history is sparse.

    Attributes:
        present, past: None without data.
        shape: of the tile's cells.
    """

    present: TileSource | None
    past: TileSource | None
    shape: tuple[int, int]

    def at(self, time: np.datetime64, max_age: float, known_at: Known) -> Composite:
        """Return the latest valid values at full resolution."""
        if self.present is None:
            return Composite({}, {}, np.zeros(self.shape), np.full(self.shape, np.nan), ())
        return self.present.at(time, max_age, known_at)

    def lags(self, name: str, time: np.datetime64, history: HistorySpec, known_at: Known) -> Floats:
        """Return the sparse history of a variable."""
        if self.past is None:
            return np.full((history.steps, *self.shape), np.nan, np.float32)
        return self.past.lags(name, time, history, known_at)

    def items(self, time: np.datetime64, history: HistorySpec, known_at: Known) -> set[str]:
        """Return the scenes of the history."""
        return set() if self.past is None else self.past.items(time, history, known_at)
