"""Where sensors and sources meet: for each sensor and time the nearest reading and everything that was known."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from vadose.fusion import Inputs, Needs
from vadose.grid import NORTHERNMOST, SOUTHERNMOST, Period, Tile, tile_around
from vadose.refusal import NothingFound, Refusal
from vadose.samples.labels import LabelRule, at_top, clean, nearest
from vadose.samples.report import Dropped, Report
from vadose.samples.writer import Samples, SampleWriter
from vadose.sources.stm import Sensor

Progress = Callable[[int, int, str], None]
"""Told after each sensor: how many are done, of how many, and which."""

_AT_ONCE = 16


class Moments(Protocol):
    """One tile, asked for its inputs at one moment after another."""

    def at(self, time: np.datetime64) -> Inputs:
        """Everything known at a moment."""
        ...


@dataclass(frozen=True)
class Archive:
    """Where readings and inputs come from; each part is a function, so that any archive can stand behind it.

    Attributes:
        read: readings of a sensor, indexed by time (UTC), with soil_moisture (m3 m-3) and flag; NothingFound if none.
        times_of: the times at which samples of a sensor are wanted, UTC.
        assemble: the inputs of a tile for the moments of a period; NothingFound where no source holds anything.
    """

    read: Callable[[Sensor], pd.DataFrame]
    times_of: Callable[[Sensor], NDArray[np.datetime64]]
    assemble: Callable[[Tile, Period], Moments]


def build(
    sensors: Sequence[Sensor],
    archive: Archive,
    needs: Needs,
    path: Path,
    rule: LabelRule | None = None,
    made_from: Mapping[str, Any] | None = None,
    simulated: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Write a store of all samples of some sensors.

    A sample is a requested time with a reading near it; what gives no sample is counted by reason. The store also
    holds the valid fraction and the age of each source.

    Args:
        sensors: in the order in which they are stored.
        archive: where readings and inputs come from.
        needs: predictors to store.
        path: of the store.
        rule: which readings are labels.
        made_from: what the declaration is to tell of the origin.
        simulated: whether any of it is simulated.
        progress: told after each sensor.

    Raises:
        Refusal: no sample came of it, or a file cannot be read; nothing is written.
    """
    search = _Search(archive, needs, rule or LabelRule(), progress)
    found = search.through(sensors)
    first = next(found, None)
    if first is None:
        raise Refusal(
            f"samples: a store of {len(sensors)} sensors",
            f"No sample came of them; left out: {search.dropped}",
            "Widen the period or the window around the times, or accept other flags and depths",
        )
    origin = dict(made_from or {})
    holds = _holds(first.inputs[0], needs)
    items: set[str] = set()
    samples = 0
    with SampleWriter.open(path, holds, origin, simulated) as writer:
        for some in chain([first], found):
            writer.append(_stacked(some, holds))
            items.update(item for inputs in some.inputs for item in inputs.items)
            samples += len(some.inputs)
        origin |= {"items": sorted(items), "left_out": dict(search.dropped.counts)}
    return Report(path, samples, search.dropped)


@dataclass(frozen=True, eq=False)
class _Found:
    index: pd.DataFrame
    inputs: list[Inputs]


@dataclass
class _Search:
    archive: Archive
    needs: Needs
    rule: LabelRule
    progress: Progress | None
    dropped: Dropped = field(default_factory=Dropped)

    def through(self, sensors: Sequence[Sensor]) -> Iterator[_Found]:
        for done, sensor in enumerate(sensors, start=1):
            yield from self._of(sensor)
            if self.progress:
                self.progress(done, len(sensors), f"{sensor.network} {sensor.station}")

    def _of(self, sensor: Sensor) -> Iterator[_Found]:
        labels = self._labels(sensor)
        if labels.empty:
            return
        times = labels["time"].to_numpy("datetime64[ns]")
        tile = tile_around(sensor.lon, sensor.lat, self.needs.halo)
        try:
            moments = self.archive.assemble(tile, Period(times[0], times[-1] + np.timedelta64(1, "ns")))
        except NothingFound:
            self.dropped += Dropped.of({"time that no source covers": len(labels)})
            return
        for start in range(0, len(labels), _AT_ONCE):
            part = labels.iloc[start : start + _AT_ONCE]
            index = part.assign(**_identity(sensor))
            yield _Found(index, [moments.at(time) for time in part["time"].to_numpy("datetime64[ns]")])

    def _labels(self, sensor: Sensor) -> pd.DataFrame:
        if not at_top(sensor.depth_from_m, sensor.depth_to_m, self.rule.deepest_m):
            return self._without(f"sensor not within 0..{self.rule.deepest_m:g} m")
        if not SOUTHERNMOST <= sensor.lat <= NORTHERNMOST:
            return self._without("sensor beyond the latitudes of the cells")
        times = np.unique(self.archive.times_of(sensor))
        if not times.size:
            return self._without("sensor without a time asked for")
        try:
            readings = self.archive.read(sensor)
        except NothingFound:
            return self._without("sensor without readings")
        good, unfit = clean(readings, self.rule)
        matched, alone = nearest(good, times, self.rule.window_minutes)
        self.dropped += unfit + alone
        return matched

    def _without(self, reason: str) -> pd.DataFrame:
        self.dropped += Dropped.of({reason: 1})
        return pd.DataFrame()


def _identity(sensor: Sensor) -> dict[str, Any]:
    return {
        "network": sensor.network,
        "station": sensor.station,
        "sensor": f"{sensor.instrument}_{sensor.depth_from_m:g}_{sensor.depth_to_m:g}",
        "lat": sensor.lat,
        "lon": sensor.lon,
        "depth_from_m": sensor.depth_from_m,
        "depth_to_m": sensor.depth_to_m,
    }


def _holds(inputs: Inputs, needs: Needs) -> Needs:
    provenance = (str(name) for name in inputs.cells.data_vars if str(name).endswith(("_valid_fraction", "_age")))
    return replace(needs, cells=(*needs.cells, *sorted(set(provenance) - set(needs.cells))))


def _stacked(found: _Found, holds: Needs) -> Samples:
    cells = [_arrays(inputs.cells, holds.cells, ())[:, 0, 0] for inputs in found.inputs]
    steps = (holds.history.steps,)
    history = [_arrays(inputs.history, holds.history.variables, steps)[..., 0, 0].T for inputs in found.inputs]
    pixels = [_arrays(inputs.pixels, holds.pixels, ()) for inputs in found.inputs] if holds.pixels else None
    return Samples(found.index, np.stack(cells), np.stack(history), np.stack(pixels) if pixels is not None else None)


def _arrays(dataset: xr.Dataset, names: tuple[str, ...], leading: tuple[int, ...]) -> NDArray[np.float32]:
    """Variables of a dataset, (variable, ...), of whatever shape they have; (0, ..., 1, 1) of none."""
    absent = [name for name in names if name not in dataset]
    if absent:
        raise Refusal(
            f"samples: {', '.join(names)} of a tile",
            f"Fusion gave no {', '.join(absent)}",
            "Ask fusion for what the store is to hold",
        )
    if not names:
        return np.empty((0, *leading, 1, 1), np.float32)
    return np.stack([dataset[name].values for name in names]).astype(np.float32)
