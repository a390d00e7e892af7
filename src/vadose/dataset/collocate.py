"""Collocation of sensors and sources: for each sensor and time, the nearest reading and all features."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from vadose.dataset.coverage import observed, shares, shares_text, total
from vadose.dataset.labels import LabelRule, at_top, clean, nearest
from vadose.dataset.layout import DECLARATION, NO_PRODUCTS
from vadose.dataset.rejections import RejectionCounts, Report
from vadose.dataset.resumable import ResumableBuild, SampleChunk
from vadose.dataset.station_classes import no_classes, station_classes
from vadose.dataset.writer import Samples, SampleWriter, check_free
from vadose.errors import NoDataError, VadoseError
from vadose.fusion import FeatureCube, InputSpec
from vadose.grid import NORTHERNMOST, SOUTHERNMOST, Period, Tile, nanoseconds, tile_around
from vadose.insitu.headers import Sensor
from vadose.io.outputs import Request
from vadose.io.processes import processes
from vadose.sources.left_out import LeftOut, summary

LOGGER = logging.getLogger(__name__)

Progress = Callable[[int, int, str], None]
"""Called after each sensor with the number of finished sensors, their total, and a name."""

Require = Callable[[Mapping[str, bool], Sequence[LeftOut]], None]
"""Raises if samples lack a source with unread files; called with whether each source was observed."""


LEFT_OUT = "left_out.parquet"

_AT_ONCE = 16


class SampleTimes(Protocol):
    """Features of one tile at successive times."""

    def at(self, time: np.datetime64) -> FeatureCube:
        """Return the features at one time."""
        ...


@dataclass(frozen=True)
class SampleSource:
    """Readings and features of sensors; each part is a function, so that any archive can be used.

    Attributes:
        read: readings of a sensor, indexed by time (UTC), with soil_moisture (m3 m-3) and flag; NoDataError if none.
        times_of: requested sample times of a sensor, UTC.
        assemble: features of a tile for the times of a period; NoDataError if no source has data.
        classes_of: land cover and climate at a sensor, by the names of `insitu.static_variables.CLASS_COLUMNS`; unknown
            ones are missing.
        left_out: files of the archive that have not been read so far.
    """

    read: Callable[[Sensor], pd.DataFrame]
    times_of: Callable[[Sensor], NDArray[np.datetime64]]
    assemble: Callable[[Tile, Period], SampleTimes]
    classes_of: Callable[[Sensor], Mapping[str, str]] = no_classes
    left_out: Callable[[], Sequence[LeftOut]] = tuple


def build(
    sensors: Sequence[Sensor],
    source: SampleSource,
    needs: InputSpec,
    path: Path,
    rule: LabelRule | None = None,
    made_from: Mapping[str, Any] | None = None,
    simulated: bool = False,
    progress: Progress | None = None,
    workers: int = 1,
    products: Mapping[str, str] = NO_PRODUCTS,
    require: Require | None = None,
) -> Report:
    """Write a store of all samples of some sensors.

    A sample is a requested time with a reading near it; times without a sample are counted by reason. The store also
    contains the valid fraction and the age of each source. An interrupted build resumes with the remaining sensors, and
    gives the same store.

    Args:
        sensors: sensors in the order of the store.
        source: source of readings and features; picklable for several workers.
        needs: predictors to store.
        path: path of the store.
        rule: selection of the readings that become labels.
        made_from: provenance for the metadata.
        simulated: whether any of it is simulated.
        progress: called after each sensor.
        workers: number of processes, with one sensor each.
        products: products of the predictors.
        require: raises if the samples lack a source with unread files; called with whether each was observed.

    Raises:
        VadoseError: there are no samples, a file is unreadable, or another build was interrupted here; no store is
            written.
    """
    rule = rule or LabelRule()
    request = Request.of("samples build", path, made_from=dict(made_from or {}), needs=needs, rule=rule)
    origin = {"request": request.mark, **(made_from or {})}
    with request.store(path, DECLARATION) as held:
        check_free(held)
        plan = {"made_from": origin, "needs": needs, "rule": rule, "sensors": sensors, "simulated": simulated}
        staging = ResumableBuild.open(held, plan)
        missing = [number for number in range(len(sensors)) if not staging.has(number)]
        collocation = _Collocation(source, needs, rule, staging)
        for done, number in enumerate(collocation.run(sensors, missing, workers), len(sensors) - len(missing) + 1):
            if progress:
                progress(done, len(sensors), f"{sensors[number].network} {sensors[number].station}")
        report = write_staged(staging, len(sensors), held, origin, simulated, products, require)
        staging.remove()
        return report


def write_staged(
    staging: ResumableBuild,
    sensors: int,
    path: Path,
    origin: dict[str, Any],
    simulated: bool,
    products: Mapping[str, str],
    require: Require | None,
) -> Report:
    """Write the store of all staged samples, in the order of the sensors.

    Raises:
        VadoseError: there are none; or as `require`.
    """
    dropped = sum((staging.dropped(number) for number in range(sensors)), RejectionCounts())
    unread = tuple(sorted({entry for number in range(sensors) for entry in staging.unread(number)}))
    for entry in unread:
        LOGGER.info("left out: %s %s: %s", entry.source, entry.name, entry.reason)
    parts = (part for number in range(sensors) for part in staging.parts(number))
    first = next(parts, None)
    if first is None:
        staging.remove()
        raise VadoseError(
            f"samples: a store of {sensors} sensors",
            f"They give no sample; left out: {dropped}" + (f"; not read: {summary(unread)}" if unread else ""),
            "Extend the period or the window around the times, or accept other flags and depths",
        )
    items: set[str] = set()
    samples, counts = 0, list[Mapping[str, int]]()
    with SampleWriter.open(path, first.holds, origin, simulated, products=products) as writer:
        for part in chain([first], parts):
            writer.append(part.samples)
            items |= part.items
            samples += len(part.samples.index)
            counts.append(observed(part.samples, part.holds))
        seen = total(counts)
        coverage = shares(seen, samples)
        if require:
            require({source: count > 0 for source, count in seen.items()}, unread)
        if unread:
            writer.put_list(LEFT_OUT, pd.DataFrame([asdict(entry) for entry in unread]))
        origin |= {"items": sorted(items), "left_out": dict(dropped.counts), "coverage": coverage}
        origin |= {"unread": [[entry.source, entry.name, entry.kind] for entry in unread]}
    missing = RejectionCounts.of({f"sample without {source}": samples - count for source, count in seen.items()})
    lists = [f"Not read: {summary(unread)}; each with its reason in {path / LEFT_OUT}"] if unread else []
    return Report(
        path, samples, dropped, missing, (shares_text(coverage, "samples"), *lists) if coverage else tuple(lists)
    )


@dataclass(frozen=True)
class _Collocation:
    source: SampleSource
    needs: InputSpec
    rule: LabelRule
    staging: ResumableBuild

    def run(self, sensors: Sequence[Sensor], numbers: Sequence[int], workers: int) -> Iterator[int]:
        """Collocate some sensors; yield the number of each when it is finished."""
        if workers == 1 or len(numbers) < 2:
            for number in numbers:
                yield self.collocate(number, sensors[number])
            return
        with processes(workers) as pool:
            together = max(len(numbers) // (8 * workers), 1)
            yield from pool.map(self.collocate, numbers, [sensors[number] for number in numbers], chunksize=together)

    def collocate(self, number: int, sensor: Sensor) -> int:
        """Write the samples of one sensor to the staging folder."""
        dropped: Counter[str] = Counter()
        self.staging.put(number, self._parts(sensor, dropped), dropped, self.source.left_out)
        name = f"{sensor.network} {sensor.station} {sensor.instrument}"
        LOGGER.info("sensor %s: left out: %s", name, RejectionCounts.of(dropped) if dropped else "nothing")
        return number

    def _parts(self, sensor: Sensor, dropped: Counter[str]) -> Iterator[SampleChunk]:
        labels = self._labels(sensor, dropped)
        if labels.empty:
            return
        times = nanoseconds(labels["time"].to_numpy())
        tile = tile_around(sensor.lon, sensor.lat, self.needs.halo)
        try:
            features = self.source.assemble(tile, Period(times[0], times[-1] + np.timedelta64(1, "ns")))
        except NoDataError:
            dropped["time that no source covers"] += len(labels)
            return
        place = {"lat": sensor.lat, "lon": sensor.lon}
        depths = {"depth_from_m": sensor.depth_from_m, "depth_to_m": sensor.depth_to_m}
        index = labels.assign(
            **sensor.identity, **place, **depths, **station_classes(self.source.classes_of(sensor), times)
        )
        for start in range(0, len(labels), _AT_ONCE):
            inputs = [features.at(time) for time in times[start : start + _AT_ONCE]]
            holds = held_by(inputs[0], self.needs)
            yield _stacked(index.iloc[start : start + _AT_ONCE], inputs, holds)

    def _labels(self, sensor: Sensor, dropped: Counter[str]) -> pd.DataFrame:
        if not at_top(sensor.depth_from_m, sensor.depth_to_m, self.rule.deepest_m):
            return _without(dropped, f"sensor not within 0..{self.rule.deepest_m:g} m")
        if not SOUTHERNMOST <= sensor.lat <= NORTHERNMOST:
            return _without(dropped, "sensor beyond the latitudes of the cells")
        times = np.unique(self.source.times_of(sensor))
        if not times.size:
            return _without(dropped, "sensor without a requested time")
        try:
            readings = self.source.read(sensor)
        except NoDataError:
            return _without(dropped, "sensor without readings")
        good, unfit = clean(readings, self.rule)
        matched, unmatched = nearest(good, times, self.rule.window_minutes)
        dropped.update(dict((unfit + unmatched).counts))
        return matched


def held_by(inputs: FeatureCube, needs: InputSpec) -> InputSpec:
    """Return the contents of samples: what is needed, and the valid fraction and age of each source."""
    names = map(str, inputs.cells.data_vars)
    extra = {name for name in names if name.endswith(("_valid_fraction", "_age"))} - set(needs.cells)
    return replace(needs, cells=(*needs.cells, *sorted(extra)))


def features_of(inputs: FeatureCube, needs: InputSpec) -> tuple[InputSpec, NDArray[np.float32], NDArray[np.float32]]:
    """Return the contents of samples; of every cell the values (variable, y, x) and history (variable, step, y, x)."""
    holds = held_by(inputs, needs)
    history = _arrays(inputs.history, holds.history.variables, (holds.history.steps,))
    return holds, _arrays(inputs.cells, holds.cells, ()), history


def _without(dropped: Counter[str], reason: str) -> pd.DataFrame:
    dropped[reason] += 1
    return pd.DataFrame()


def _stacked(index: pd.DataFrame, found: Sequence[FeatureCube], holds: InputSpec) -> SampleChunk:
    cells = [_arrays(inputs.cells, holds.cells, ())[:, 0, 0] for inputs in found]
    steps = (holds.history.steps,)
    history = [_arrays(inputs.history, holds.history.variables, steps)[..., 0, 0].T for inputs in found]
    pixels = [_arrays(inputs.pixels, holds.pixels, ()) for inputs in found] if holds.pixels else None
    samples = Samples(index, np.stack(cells), np.stack(history), np.stack(pixels) if pixels is not None else None)
    return SampleChunk(samples, holds, frozenset(item for inputs in found for item in inputs.items))


def _arrays(dataset: xr.Dataset, names: tuple[str, ...], leading: tuple[int, ...]) -> NDArray[np.float32]:
    """Return variables of a dataset, (variable, ...), of any shape; (0, ..., 1, 1) for none."""
    absent = [name for name in names if name not in dataset]
    if absent:
        raise VadoseError(
            f"samples: {', '.join(names)} of a tile",
            f"Fusion did not return {', '.join(absent)}",
            "Request the variables of the store from fusion",
        )
    if not names:
        return np.empty((0, *leading, 1, 1), np.float32)
    return np.stack([dataset[name].values for name in names]).astype(np.float32)
