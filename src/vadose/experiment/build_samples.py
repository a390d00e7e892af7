"""Building of the sample store of an experiment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.dataset import Report, SampleSource, SampleStore, TableMapping, build, import_table
from vadose.errors import NoDataError, VadoseError
from vadose.experiment.config import Acquisition, ArchiveSamples, Experiment, StoreSamples, TableSamples
from vadose.experiment.unread import left_out_of, needed, require_readable, require_seen
from vadose.fusion import FeatureBuilder, InputSpec, TemporalPolicy
from vadose.grid import AreaOfInterest, Period, Tile, nanoseconds, tile_around
from vadose.insitu import Ismn, Sensor
from vadose.io.files import sha256
from vadose.io.outputs import Request
from vadose.sources import Source, open_sources, products_of
from vadose.sources.left_out import LeftOut
from vadose.sources.sentinel1 import Sentinel1

if TYPE_CHECKING:
    from vadose.catalogues.fetch import FetchReport

Progress = Callable[[int, int, str], None]
BUILD = Request("samples build", "")
ALLOW = "samples: {allow_unread: true} in the configuration, or --allow-unread"


def build_samples(
    experiment: Experiment,
    store: Path,
    progress: Progress | None = None,
    workers: int = 1,
) -> Report:
    """Build the sample store of an experiment; an interrupted build resumes.

    Args:
        experiment: experiment with its samples.
        store: output folder.
        progress: called after each sensor.
        workers: number of processes.

    Raises:
        VadoseError: the archive or table is unreadable or empty, or all files of a source that the samples need are
            unreadable; nothing is written.
    """
    BUILD.require_place(store, folder=True)
    samples = experiment.samples
    if isinstance(samples, TableSamples):
        return import_table(samples.table, mapping_of(experiment, samples), store, samples.columns)
    if isinstance(samples, StoreSamples):
        raise VadoseError(
            f"samples: a store at {store} for the experiment '{experiment.name}'",
            f"Its samples are in {samples.store} already",
            "Train on them with 'vadose train'",
        )
    return _collocate(experiment, samples, store, progress, workers)


def store_of(experiment: Experiment, store: Path, progress: Progress | None = None, workers: int = 1) -> SampleStore:
    """Return the sample store of an experiment, built if it is missing, or the one that the experiment names.

    Raises:
        VadoseError: as `build_samples`; or the existing store was built from another table or period or by other rules,
            or is not the one that the experiment names.
    """
    if isinstance(experiment.samples, StoreSamples):
        return _named(experiment, experiment.samples.store, store)
    if not store.exists():
        build_samples(experiment, store, progress, workers)
    held = SampleStore.open(store)
    changed = _changed(held.declaration["made_from"], experiment)
    if changed:
        raise VadoseError(
            f"samples: {store} for the experiment '{experiment.name}'",
            f"They were built from another {', '.join(changed)}",
            "Remove them and build again with 'vadose samples build', or give another --out",
        )
    return held


def mapping_of(experiment: Experiment, samples: TableSamples) -> TableMapping:
    """Return the column mapping of a table, with the windows of the experiment.

    Raises:
        VadoseError: the mapping is unreadable, or contains other windows.
    """
    mapping = TableMapping.read(samples.columns)
    if mapping.windows not in (TemporalPolicy(), experiment.windows):
        raise VadoseError(
            f"samples: {samples.table} for the experiment '{experiment.name}'",
            f"{samples.columns} has other windows than the experiment",
            "State the windows in the experiment, and for 'vadose samples import-table' the same in the mapping",
        )
    return mapping.model_copy(update={"windows": experiment.windows})


def _named(experiment: Experiment, named: Path, given: Path) -> SampleStore:
    """Return the store that an experiment names."""
    asked = f"samples: {named} for the experiment '{experiment.name}'"
    if given.exists() and given.resolve() != named.resolve():
        raise VadoseError(asked, f"Others are given: {given}", "Leave those out, or name them in the configuration")
    held = SampleStore.open(named)
    if held.simulated != experiment.simulated:
        found = "They are simulated" if held.simulated else "They are not simulated"
        raise VadoseError(asked, found, f"Write 'simulated: {str(held.simulated).lower()}' in the configuration")
    return held


def _changed(made_from: Mapping[str, Any], experiment: Experiment) -> list[str]:
    """Return the differences between the samples' origin and the experiment; the path of an archive or a table does not
    matter.
    """
    samples = experiment.samples
    if isinstance(samples, TableSamples):
        mapping = mapping_of(experiment, samples).model_dump(mode="json", exclude_defaults=True)
        asked: dict[str, Any] = {"sha256": sha256(samples.table), "columns": mapping}
        return [{"sha256": "table"}.get(key, key) for key in asked if made_from.get(key) != asked[key]]
    asked = experiment.model_dump(mode="json")
    held = made_from.get("experiment", {"samples": {}})
    rules = [key for key in asked["samples"] if key != "archive" and held["samples"].get(key) != asked["samples"][key]]
    same = TemporalPolicy(**held.get("windows", {})) == experiment.windows
    return rules + ([] if same else ["windows"])


@dataclass(frozen=True)
class ArchiveSource:
    """An archive of products with its sensors, opened at the first request; picklable.

    Attributes:
        samples: configuration of the samples.
        needs, windows: input specification and temporal policy.
    """

    samples: ArchiveSamples
    needs: InputSpec
    windows: TemporalPolicy

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        """Return the sources of the archive."""
        return tuple(open_sources(self.samples.archive))

    @cached_property
    def insitu(self) -> Ismn:
        """Return the sensors of the archive."""
        return Ismn(self.samples.in_situ or in_situ_archive(self.samples.archive))

    @property
    def period(self) -> Period:
        """Return the period of the samples."""
        return Period.parse(self.samples.period)

    def read(self, sensor: Sensor) -> pd.DataFrame:
        """Return readings near the sample times of the period."""
        return self.insitu.read(sensor, _around(self.period, self.samples.labels.window_minutes))

    @property
    def passes(self) -> list[Sentinel1]:
        """Return the sources whose passes can be sample times."""
        return [source for source in self.sources if isinstance(source, Sentinel1)]

    def times_of(self, sensor: Sensor) -> NDArray[np.datetime64]:
        """Return the sample times of a sensor."""
        return _times(sensor, self.samples, self.period, self.passes)

    def classes_of(self, sensor: Sensor) -> Mapping[str, str]:
        """Return land cover and climate at a sensor."""
        return self.insitu.classes(sensor)

    @property
    def needed(self) -> list[Source]:
        """Return the sources that the samples need."""
        also = ("sentinel1",) if self.samples.sample_times == "sentinel1" else ()
        return needed(self.sources, self.needs.names, also)

    def left_out(self) -> tuple[LeftOut, ...]:
        """Return the files of the needed sources that were left out so far."""
        return left_out_of(self.needed)

    def assemble(self, tile: Tile, span: Period) -> FeatureBuilder:
        """Return the features of a tile at many times."""
        return FeatureBuilder.open(self.sources, tile, span, self.needs, self.windows)


def _collocate(
    experiment: Experiment, samples: ArchiveSamples, store: Path, progress: Progress | None, workers: int
) -> Report:
    if samples.fetch is not None:
        fetch_archive(experiment, samples, samples.fetch, progress)
    found = ArchiveSource(samples, experiment.gathered_needs, experiment.windows)
    if not samples.allow_unread:
        require_readable(samples.archive, found.needed, ALLOW)
    return build(
        found.insitu.sensors(),
        SampleSource(found.read, found.times_of, found.assemble, found.classes_of, found.left_out),
        experiment.gathered_needs,
        store,
        rule=samples.labels,
        made_from={"experiment": experiment.model_dump(mode="json")},
        simulated=experiment.simulated,
        progress=progress,
        workers=workers,
        products=products_of(found.sources),
        require=None if samples.allow_unread else partial(require_seen, samples.archive, remedy=ALLOW),
    )


def fetch_archive(
    experiment: Experiment, samples: ArchiveSamples, asked: Acquisition, progress: Progress | None = None
) -> "FetchReport":
    """Fetch what the samples of an experiment need, windows around its sensors, into its archive.

    Raises:
        VadoseError: no sensors are named, a required source is missing, or the budget is spent; what was fetched is
            kept.
    """
    if samples.in_situ is None:
        raise VadoseError(
            f"samples: the sensors of '{experiment.name}'",
            "A fetched archive contains no sensors",
            "Name an ISMN archive by the key in_situ of samples",
        )
    from vadose.catalogues.cache import BlockCache  # noqa: PLC0415 (seconds that samples of an archive need not wait)
    from vadose.catalogues.demand import Demand  # noqa: PLC0415
    from vadose.catalogues.fetch import FetchOptions, fetch  # noqa: PLC0415
    from vadose.catalogues.http import Limits  # noqa: PLC0415
    from vadose.catalogues.settings import read_catalogues  # noqa: PLC0415

    needs = experiment.gathered_needs
    sensors = Ismn(samples.in_situ).sensors()
    demand = Demand.at_sensors(sensors, Period.parse(samples.period), needs, experiment.windows, needs.halo)
    options = FetchOptions(
        read_catalogues(asked.catalogues),
        BlockCache.default(),
        Limits(max_bytes=None if asked.max_gigabytes is None else round(asked.max_gigabytes * 1e9)),
        frozenset(asked.require),
    )
    return fetch(demand, samples.archive, options, progress or (lambda *_: None))


def in_situ_archive(archive: Path) -> Path:
    """Return the ISMN archive in a folder of products: `ismn`, or any zip file whose name begins with it.

    Raises:
        VadoseError: it is missing.
    """
    found = [archive / "ismn", *sorted(archive.glob("ismn*.zip"))]
    for path in found:
        if path.exists():
            return path
    raise VadoseError(f"samples: in-situ sensors in {archive}", "No 'ismn' folder and no 'ismn*.zip'", "Put one there")


def _times(sensor: Sensor, samples: ArchiveSamples, period: Period, passes: list[Sentinel1]) -> NDArray[np.datetime64]:
    if samples.sample_times == "sentinel1":
        area = AreaOfInterest.from_tile(tile_around(sensor.lon, sensor.lat, halo=0))
        times = passes_over(area, period, passes)
    else:
        times = _regular(period, samples.sample_times)
    return evenly(times, samples.max_samples_per_sensor)


def evenly(times: NDArray[np.datetime64], most: int) -> NDArray[np.datetime64]:
    """Return at most a number of times, evenly chosen."""
    kept = np.linspace(0, len(times) - 1, min(len(times), most)).round().astype(int)
    return np.asarray(times[kept])


def passes_over(area: AreaOfInterest, period: Period, passes: list[Sentinel1]) -> NDArray[np.datetime64]:
    """Return the times of the Sentinel-1 passes over an area."""
    times: set[np.datetime64] = set()
    for source in passes:
        try:
            times.update(source.passes(area, period))
        except NoDataError:
            continue
    return nanoseconds(np.array(sorted(times), dtype="datetime64"))


def _regular(period: Period, days: float) -> NDArray[np.datetime64]:
    """Return times of a period, `days` apart, from the first noon on."""
    noon = pd.Timestamp(period.start) + pd.Timedelta(hours=12)
    times = pd.date_range(noon, pd.Timestamp(period.end), freq=pd.Timedelta(days=days), inclusive="left")
    return nanoseconds(times.to_numpy())


def _around(period: Period, minutes: float) -> Period:
    """Return a period extended by some minutes at either end."""
    margin = np.timedelta64(round(minutes * 60e9), "ns")
    return Period(period.start - margin, period.end + margin)
