"""Live acquisition: archives filled from catalogues, for an area or for the sensors of an ISMN archive."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import xarray as xr

from vadose.api.archive import Archive, LoadSpec, as_spec
from vadose.api.callbacks import Progress, silent
from vadose.api.inputs import Area, Time, as_area, time_request
from vadose.catalogues.cache import BlockCache
from vadose.catalogues.check import CatalogueState
from vadose.catalogues.check import check_catalogues as _check_catalogues
from vadose.catalogues.demand import Demand, Target, everything, span_of
from vadose.catalogues.fetch import FetchOptions, FetchReport, estimate_fetch, restore
from vadose.catalogues.fetch import fetch as _fetch
from vadose.catalogues.http import Limits
from vadose.catalogues.ismn_portal import download_ismn as _download_ismn
from vadose.catalogues.lock import NAME
from vadose.catalogues.settings import Catalogues, named_catalogues, read_catalogues
from vadose.errors import VadoseError
from vadose.experiment.run import Run
from vadose.fusion import InputSpec, TemporalPolicy
from vadose.grid import AreaOfInterest, Period
from vadose.insitu import Ismn
from vadose.io.display import Summarised
from vadose.io.paths import StrPath
from vadose.mapping.request import TILE_CELLS
from vadose.mapping.timestamps import PASS, Passes, timestamps_of
from vadose.registry import SOURCES

HALO = 4
"""Width of the border around an area without a model, cells."""


def fetch(
    out: StrPath,
    area: Area | None = None,
    time: Time | None = None,
    *,
    model: "Run | StrPath | None" = None,
    spec: LoadSpec | InputSpec | None = None,
    sensors: StrPath | None = None,
    catalogues: Sequence[StrPath] = (),
    require: Iterable[str] = (),
    locked: bool = False,
    dry_run: bool = False,
    max_bytes: int | None = None,
    max_requests: int | None = None,
    cache: StrPath | None = None,
    progress: Progress = silent,
) -> FetchReport:
    """Fetch what estimates of an area or of sensors need from open catalogues into an archive.

    A repeated call fetches what is new, and what the catalogues processed again; what is there is not fetched twice.

    Args:
        out: folder of the archive.
        area: as in `vadose.api.inputs.as_area`.
        time: of the estimates, as in `vadose.api.inputs.time_request`; with `sensors` a period of two days.
        model: whose inputs are fetched; all predictors at one time without it.
        spec: inputs, instead of a model.
        sensors: ISMN archive, or its tables: windows around its sensors are fetched instead of an area.
        catalogues: names of catalogues, and YAML files that add to them; all that are known without it.
        require: sources without which the call fails.
        locked: whether the versions of the archive's lock are restored, and no catalogue is searched.
        dry_run: whether bytes and requests are only estimated.
        max_bytes, max_requests: of the call.
        cache: folder of the cache; by default the user's.
        progress: called with the number of searched sources and their total, then of items in the archive and theirs;
            the name of a step, a `vadose.io.progress.Step`, states which, and the bytes received so far.

    Raises:
        VadoseError: neither an area nor sensors, a required source is missing, the budget is spent; or `locked`, and
            files changed. What was fetched is kept.
    """
    options = FetchOptions(
        read_catalogues([str(one) for one in catalogues]),
        BlockCache.default() if cache is None else BlockCache(Path(cache)),
        Limits(max_bytes=max_bytes, max_requests=max_requests),
        frozenset(require),
    )
    if locked:
        return restore(Path(out), options, progress)
    demand = _demand(area, time, model, spec, sensors)
    if dry_run:
        return estimate_fetch(demand, Path(out), options, progress)
    return _fetch(demand, Path(out), options, progress)


def download_ismn(out: StrPath, *, catalogues: Sequence[StrPath] = (), progress: Progress = silent) -> Path:
    """Download the whole archive of the International Soil Moisture Network, with the account of this machine.

    The account is `ISMN_USERNAME` and `ISMN_PASSWORD`, or the entry of ismn.earth in the netrc file.

    Args:
        out: zip file, which must not exist; it is there when it is complete.
        catalogues: YAML files that replace the catalogue "ismn", such as by a mirror.
        progress: called with the number of MiB that were received, and of all.

    Returns:
        The file.

    Raises:
        VadoseError: the file exists, the account is missing or refused, or the portal sends no archive.
    """
    _download_ismn(read_catalogues([str(one) for one in catalogues]).catalogues["ismn"], Path(out), None, progress)
    return Path(out)


def check_catalogues(
    catalogues: Sequence[StrPath] = (), *, report: Callable[[CatalogueState], None] = silent
) -> tuple[CatalogueState, ...]:
    """Check catalogues: whether they answer, and whether their files can be read with the credentials of this machine.

    Args:
        catalogues: names of those that are checked, and YAML files whose catalogues are; all that are known without it.
        report: called with each state.
    """
    given = [str(one) for one in catalogues]
    return _check_catalogues(read_catalogues(given), report=report, names=named_catalogues(given))


class CatalogueArchive(Summarised):
    """Catalogues as an archive: what `load` needs is fetched into the cache.

    Args:
        names: of catalogues, and YAML files that add to them; all that are known if empty.

    Raises:
        VadoseError: one is unknown.
    """

    def __init__(self, names: Sequence[str] = ()) -> None:
        self.names = tuple(names)
        self.catalogues = read_catalogues(self.names)

    def load(
        self,
        area: Area,
        time: Time,
        spec: LoadSpec | InputSpec | Iterable[str] | None = None,
        *,
        as_of: Time | None = None,
        progress: Progress = silent,
    ) -> xr.Dataset:
        """Load the features of an area at one or many times, as `Archive.load`.

        Args:
            area, time, spec, as_of: as in `Archive.load`.
            progress: as in `fetch`.

        Raises:
            VadoseError: as `Archive.load` and `fetch`.
        """
        wanted, past = as_spec(spec), as_of is not None
        needs = wanted.features, wanted.policy
        with fetched(area, time, None, needs, self.catalogues, replaced=past, progress=progress) as (archive, _):
            return archive.load(area, time, spec, as_of=as_of)

    def _summary(self) -> tuple[str, Mapping[str, object]]:
        rows = {source: ", ".join(names) for source, names in sorted(self.catalogues.precedence.items())}
        return "Catalogues", rows


@contextmanager
def fetched(
    area: Area,
    time: Time,
    every: int | str | None,
    inputs: tuple[InputSpec, TemporalPolicy],
    catalogues: Catalogues,
    *,
    require: Iterable[str] = (),
    offline: bool = False,
    max_bytes: int | None = None,
    replaced: bool = False,
    progress: Progress = silent,
) -> Iterator[tuple[Archive, FetchReport | None]]:
    """Hold the archive of an area in the cache, with what some inputs need; it stays there for the next call.

    Args:
        area, time, require, max_bytes, progress: as in `fetch`.
        every: as in `vadose.make_map`.
        inputs: predictors, and the age of observations.
        catalogues: that are asked.
        offline: whether the archive is taken as it is.
        replaced: whether older processings are fetched too, for estimates as of a past time.

    Raises:
        VadoseError: as `fetch`; or `offline`, and nothing of the area was fetched before.
    """
    cache, ground = BlockCache.default(), as_area(area)
    folder = cache.folder / "archives" / hashlib.sha256(ground.geometry.wkb).hexdigest()[:24]
    if offline and not (folder / NAME).exists():
        raise VadoseError(
            f"map: the area '{ground.name}' offline",
            "Nothing of it was fetched before",
            "Run it once without --offline",
        )
    with cache.in_use():
        report = None
        if not offline:
            demand = _over(ground, _span(time, every), *inputs, replaced=replaced)
            options = FetchOptions(catalogues, cache, Limits(max_bytes=max_bytes), frozenset(require))
            report = _fetch(demand, folder, options, progress)
        yield Archive(folder), report


def _demand(
    area: Area | None,
    time: Time | None,
    model: "Run | StrPath | None",
    spec: LoadSpec | InputSpec | None,
    sensors: StrPath | None,
) -> Demand:
    needs, policy = _asked_inputs(model, spec)
    if (area is None) == (sensors is None) or time is None:
        raise VadoseError(
            "fetch: places and times", "Give an area or sensors, one of them, and a time", "See 'vadose fetch --help'"
        )
    if sensors is None:
        return _over(as_area(area), _span(time, None), needs, policy)
    date, _ = time_request(time)
    if not isinstance(date, str) or "/" not in date:
        raise VadoseError("fetch: the time", "Sensors need a period", "Write two days with a slash between")
    held = Ismn(Path(sensors)).sensors()
    return Demand.at_sensors(held, Period.parse(date), needs, policy, needs.halo or HALO)


def _over(
    area: AreaOfInterest, span: Period, needs: InputSpec, policy: TemporalPolicy, replaced: bool = False
) -> Demand:
    """Find out what maps of an area need.

    Raises:
        VadoseError: the area contains no cell.
    """
    tiles = area.tiles(TILE_CELLS, needs.halo)
    if not tiles:
        raise VadoseError(
            f"fetch: the area '{area.name}'", "No cell of 320 m has its centre in it", "Give a larger one"
        )
    return Demand.of([Target.of_tiles(area.name, tiles)], span, needs, policy, replaced=replaced)


def _asked_inputs(model: "Run | StrPath | None", spec: LoadSpec | InputSpec | None) -> tuple[InputSpec, TemporalPolicy]:
    if isinstance(spec, LoadSpec):
        return spec.features, spec.policy
    if isinstance(spec, InputSpec):
        return spec, TemporalPolicy()
    if model is not None:
        return inputs_of(model)
    needs = everything()
    return InputSpec(cells=needs.cells, halo=HALO), TemporalPolicy()


def inputs_of(model: "Run | StrPath") -> tuple[InputSpec, TemporalPolicy]:
    """Return what a model reads of an archive, and the age of observations.

    Raises:
        VadoseError: there is no run, or one that cannot be read.
    """
    run = model if isinstance(model, Run) else Run(Path(model))
    held = {variable.name for variables in SOURCES.values() for variable in variables}
    return next(iter(run.members())).needs.met_by(held), run.experiment().windows


def _span(time: Time, every: int | str | None) -> Period:
    """Return the period of the requested times; for passes, of their days."""
    date, interval = time_request(time, every)
    interval = "1" if interval == PASS else interval
    return span_of(timestamps_of(date, interval, Passes.of((), AreaOfInterest.from_bbox(0, 0, 1, 1))))
