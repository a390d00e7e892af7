"""Where sensors and sources meet: for each sensor and time the nearest reading and everything that was known."""

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
from vadose.dataset.station_classes import station_classes, untold
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
"""Told after each sensor: how many are done, of how many, and which."""

Require = Callable[[Mapping[str, bool], Sequence[LeftOut]], None]
"""Raises where samples lack a source of which something was left out; told whether each source was seen."""


def _nothing_required(_seen: Mapping[str, bool], _unread: Sequence[LeftOut]) -> None:
    pass


LEFT_OUT = "left_out.parquet"

_AT_ONCE = 16


class SampleTimes(Protocol):
    """One tile, asked for its inputs at one moment after another."""

    def at(self, time: np.datetime64) -> FeatureCube:
        """Everything known at a moment."""
        ...


@dataclass(frozen=True)
class Archive:
    """Where readings and inputs come from; each part is a function, so that any archive can stand behind it.

    Attributes:
        read: readings of a sensor, indexed by time (UTC), with soil_moisture (m3 m-3) and flag; NoDataError if none.
        times_of: the times at which samples of a sensor are wanted, UTC.
        assemble: the inputs of a tile for the moments of a period; NoDataError where no source holds anything.
        classes_of: land cover and climate at a sensor, by the names of `sources.ismn_static.COVER`; those that are not
            known are absent.
        left_out: what of the archive has not been read so far.
    """

    read: Callable[[Sensor], pd.DataFrame]
    times_of: Callable[[Sensor], NDArray[np.datetime64]]
    assemble: Callable[[Tile, Period], SampleTimes]
    classes_of: Callable[[Sensor], Mapping[str, str]] = untold
    left_out: Callable[[], Sequence[LeftOut]] = tuple


def build(
    sensors: Sequence[Sensor],
    archive: Archive,
    needs: InputSpec,
    path: Path,
    rule: LabelRule | None = None,
    made_from: Mapping[str, Any] | None = None,
    simulated: bool = False,
    progress: Progress | None = None,
    workers: int = 1,
    products: Mapping[str, str] = NO_PRODUCTS,
    require: Require = _nothing_required,
) -> Report:
    """Write a store of all samples of some sensors.

    A sample is a requested time with a reading near it; what gives no sample is counted by reason. The store also
    holds the valid fraction and the age of each source. A build that was stopped goes on with the sensors that it
    lacks, and gives the same store.

    Args:
        sensors: in the order in which they are stored.
        archive: where readings and inputs come from; several workers need one that can be pickled.
        needs: predictors to store.
        path: of the store.
        rule: which readings are labels.
        made_from: what the declaration is to tell of the origin.
        simulated: whether any of it is simulated.
        progress: told after each sensor.
        workers: processes, each at a sensor of its own.
        products: of the predictors.
        require: raises where the samples lack a source of which something was left out; told whether each was seen.

    Raises:
        VadoseError: no sample came of it, a file cannot be read, or another build was stopped here; no store is
            written.
    """
    rule = rule or LabelRule()
    request = Request.of("samples build", path, made_from=dict(made_from or {}), needs=needs, rule=rule)
    origin = {"request": request.mark, **(made_from or {})}
    with request.store(path, DECLARATION) as held:
        return _build(sensors, archive, needs, held, rule, origin, simulated, progress, workers, products, require)


def _build(
    sensors: Sequence[Sensor],
    archive: Archive,
    needs: InputSpec,
    path: Path,
    rule: LabelRule,
    origin: dict[str, Any],
    simulated: bool,
    progress: Progress | None,
    workers: int,
    products: Mapping[str, str],
    require: Require,
) -> Report:
    check_free(path)
    plan = {"made_from": origin, "needs": needs, "rule": rule, "sensors": sensors, "simulated": simulated}
    staging = ResumableBuild.open(path, plan)
    _collocate_missing(_Search(archive, needs, rule, staging), sensors, progress, workers)
    report = _written(staging, len(sensors), path, origin, simulated, products, require)
    staging.remove()
    return report


def _written(
    staging: ResumableBuild,
    sensors: int,
    path: Path,
    origin: dict[str, Any],
    simulated: bool,
    products: Mapping[str, str],
    require: Require,
) -> Report:
    """Return the store of all parts, in the order of the sensors."""
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
            f"No sample came of them; left out: {dropped}" + (f"; not read: {summary(unread)}" if unread else ""),
            "Widen the period or the window around the times, or accept other flags and depths",
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


def _collocate_missing(search: "_Search", sensors: Sequence[Sensor], progress: Progress | None, workers: int) -> None:
    """Make the parts of every sensor that lacks them."""
    lacking = [number for number in range(len(sensors)) if not search.staging.has(number)]
    done = len(sensors) - len(lacking)
    for number in search.through(sensors, lacking, workers):
        done += 1
        if progress:
            progress(done, len(sensors), f"{sensors[number].network} {sensors[number].station}")


@dataclass(frozen=True)
class _Search:
    archive: Archive
    needs: InputSpec
    rule: LabelRule
    staging: ResumableBuild

    def through(self, sensors: Sequence[Sensor], numbers: Sequence[int], workers: int) -> Iterator[int]:
        """Gather some sensors; the number of each when it is done."""
        if workers == 1 or len(numbers) < 2:
            for number in numbers:
                yield self.collocate(number, sensors[number])
            return
        with processes(workers) as pool:
            together = max(len(numbers) // (8 * workers), 1)
            yield from pool.map(self.collocate, numbers, [sensors[number] for number in numbers], chunksize=together)

    def collocate(self, number: int, sensor: Sensor) -> int:
        """Stage all samples of a sensor."""
        dropped: Counter[str] = Counter()
        self.staging.put(number, self._parts(sensor, dropped), dropped, self.archive.left_out)
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
            moments = self.archive.assemble(tile, Period(times[0], times[-1] + np.timedelta64(1, "ns")))
        except NoDataError:
            dropped["time that no source covers"] += len(labels)
            return
        index = labels.assign(**_identity(sensor), **station_classes(self.archive.classes_of(sensor), times))
        for start in range(0, len(labels), _AT_ONCE):
            inputs = [moments.at(time) for time in times[start : start + _AT_ONCE]]
            yield _stacked(index.iloc[start : start + _AT_ONCE], inputs, _holds(inputs[0], self.needs))

    def _labels(self, sensor: Sensor, dropped: Counter[str]) -> pd.DataFrame:
        if not at_top(sensor.depth_from_m, sensor.depth_to_m, self.rule.deepest_m):
            return _without(dropped, f"sensor not within 0..{self.rule.deepest_m:g} m")
        if not SOUTHERNMOST <= sensor.lat <= NORTHERNMOST:
            return _without(dropped, "sensor beyond the latitudes of the cells")
        times = np.unique(self.archive.times_of(sensor))
        if not times.size:
            return _without(dropped, "sensor without a time asked for")
        try:
            readings = self.archive.read(sensor)
        except NoDataError:
            return _without(dropped, "sensor without readings")
        good, unfit = clean(readings, self.rule)
        matched, unmatched = nearest(good, times, self.rule.window_minutes)
        dropped.update(dict((unfit + unmatched).counts))
        return matched


def _without(dropped: Counter[str], reason: str) -> pd.DataFrame:
    dropped[reason] += 1
    return pd.DataFrame()


def _identity(sensor: Sensor) -> dict[str, Any]:
    return {
        **sensor.identity,
        "lat": sensor.lat,
        "lon": sensor.lon,
        "depth_from_m": sensor.depth_from_m,
        "depth_to_m": sensor.depth_to_m,
    }


def _holds(inputs: FeatureCube, needs: InputSpec) -> InputSpec:
    provenance = (str(name) for name in inputs.cells.data_vars if str(name).endswith(("_valid_fraction", "_age")))
    return replace(needs, cells=(*needs.cells, *sorted(set(provenance) - set(needs.cells))))


def _stacked(index: pd.DataFrame, found: Sequence[FeatureCube], holds: InputSpec) -> SampleChunk:
    cells = [_arrays(inputs.cells, holds.cells, ())[:, 0, 0] for inputs in found]
    steps = (holds.history.steps,)
    history = [_arrays(inputs.history, holds.history.variables, steps)[..., 0, 0].T for inputs in found]
    pixels = [_arrays(inputs.pixels, holds.pixels, ()) for inputs in found] if holds.pixels else None
    samples = Samples(index, np.stack(cells), np.stack(history), np.stack(pixels) if pixels is not None else None)
    return SampleChunk(samples, holds, frozenset(item for inputs in found for item in inputs.items))


def _arrays(dataset: xr.Dataset, names: tuple[str, ...], leading: tuple[int, ...]) -> NDArray[np.float32]:
    """Variables of a dataset, (variable, ...), of whatever shape they have; (0, ..., 1, 1) of none."""
    absent = [name for name in names if name not in dataset]
    if absent:
        raise VadoseError(
            f"samples: {', '.join(names)} of a tile",
            f"Fusion gave no {', '.join(absent)}",
            "Ask fusion for what the store is to hold",
        )
    if not names:
        return np.empty((0, *leading, 1, 1), np.float32)
    return np.stack([dataset[name].values for name in names]).astype(np.float32)
