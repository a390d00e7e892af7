"""Features of a model from its sources, for a sensor's chip as for a map tile."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from vadose.errors import NoDataError, VadoseError
from vadose.fusion.feature_cube import FeatureCube, on_grid
from vadose.fusion.input_spec import InputSpec
from vadose.fusion.publication import Publication
from vadose.fusion.regrid import Floats
from vadose.fusion.slope import SLOPE, mean_slope
from vadose.fusion.sparse import SparseSource, WithSparseHistory, since_interval
from vadose.fusion.temporal_policy import Opened, TemporalPolicy
from vadose.fusion.tile_source import Composite, TileSource, regrid_source
from vadose.grid import AreaOfInterest, Period, Tile, nanosecond
from vadose.registry import source_of
from vadose.sources.layers import Layers, LayerSource, OverviewSource
from vadose.sources.source import Source
from vadose.variables import ELEVATION, Variable


def build_features(
    sources: Sequence[Source],
    tile: Tile,
    time: np.datetime64,
    needs: InputSpec,
    windows: TemporalPolicy | None = None,
    as_of: np.datetime64 | None = None,
) -> FeatureCube:
    """Build the features of a tile at one time from all sources.

    Only observations at `time` or before it are used. A source without data there is missing: its values are NaN, its
    valid fraction 0.

    Args:
        sources: sources of the data; a predictor of none of them is NaN everywhere.
        tile: cells; its halo must be at least that of `needs`.
        time: time of the estimate, UTC.
        needs: predictors, history and halo.
        windows: temporal policy with the maximum ages.
        as_of: time at which the estimate is made, UTC: products published later are not read; by default, all
            observations until `time` are.

    Raises:
        VadoseError: a file is unreadable, the halo is too small, or no source has data there.
    """
    moment = nanosecond(time)
    return FeatureBuilder.open(sources, tile, Period.before(moment, 1e-9), needs, windows, as_of).at(moment)


@dataclass(frozen=True, eq=False)
class FeatureBuilder:
    """Builder of features of one tile at many times of a period; each item is read once.

    Attributes:
        tile, needs, windows, as_of: as in `build_features`.
        source_by_variable: source of each variable.
        opened: datasets of each source on the tile; a source without data is not in it.
        absent: reason for each needed source without data.
    """

    tile: Tile
    needs: InputSpec
    windows: TemporalPolicy
    source_by_variable: dict[str, str]
    opened: dict[str, TileSource]
    absent: dict[str, NoDataError] = field(default_factory=dict)
    as_of: np.datetime64 | None = None

    @classmethod
    def open(
        cls,
        sources: Sequence[Source],
        tile: Tile,
        period: Period,
        needs: InputSpec,
        windows: TemporalPolicy | None = None,
        as_of: np.datetime64 | None = None,
    ) -> "FeatureBuilder":
        """Open the data of all sources on a tile for the times of a period and their history.

        Raises:
            VadoseError: as `build_features`.
        """
        if tile.halo < needs.halo:
            raise VadoseError(
                f"fusion: a tile with a halo of {tile.halo} cells", f"The model needs {needs.halo}", "Extend the halo"
            )
        windows = windows or TemporalPolicy()
        opened, absent = {}, {}
        for source in sources:
            variables = tuple(variable for variable in source.variables if variable.name in needs.names)
            try:
                if variables:
                    opened[source.name] = _open(source, variables, tile, period, needs, windows, as_of)
            except NoDataError as nothing:
                absent[source.name] = nothing
        if not opened:
            raise NoDataError(
                f"fusion: inputs for {tile} in {period}",
                "No source has data there: " + " ".join(f"{one.context} {one.problem}" for one in absent.values()),
                "Choose an area and a period that the archive covers",
            )
        owners = {variable.name: source.name for source in sources for variable in source.variables}
        return cls(tile, needs, windows, owners, opened, absent, as_of)

    def at(self, time: np.datetime64) -> FeatureCube:
        """Return the features at one time."""
        moments = {
            name: source.at(time, self.windows.of(name), self._known_at(time)) for name, source in self.opened.items()
        }
        cells: dict[str, Floats] = {}
        for source in sorted({self._owner(name) for name in self.needs.names}):
            cells |= self._cells(source, moments.get(source))
        pixels = {name: self._pixels(moments.get(self._owner(name)), name) for name in self.needs.pixels}
        steps = {name: self._steps(name, time) for name in self.needs.history.variables}
        return FeatureCube(
            tile=self.tile,
            time=time,
            pixels=on_grid(pixels, self.tile.pixels, ("y", "x")),
            cells=on_grid(cells, self.tile.cells, ("y", "x")),
            history=on_grid(steps, self.tile.cells, ("step", "y", "x")),
            items=tuple(
                sorted({item for moment in moments.values() for item in moment.items} | self._past_items(time))
            ),
        )

    def _past_items(self, time: np.datetime64) -> set[str]:
        """Return identifiers of the inputs of the history."""
        past = self.needs.history
        sources = {self._owner(name) for name in past.variables} & self.opened.keys()
        return {item for source in sources for item in self.opened[source].items(time, past, self._known_at(time))}

    def _owner(self, name: str) -> str:
        return self.source_by_variable.get(name) or source_of(name)

    def _cells(self, source: str, moment: Composite | None) -> dict[str, Floats]:
        shape = self.tile.cells.shape
        names = [name for name in self.needs.cells if self._owner(name) == source]
        held = moment.cells if moment else {}
        values = {name: held.get(name, np.full(shape, np.nan)) for name in names}
        values[f"{source}_valid_fraction"] = moment.valid_fraction if moment else np.zeros(shape)
        values[f"{source}_age"] = moment.age if moment else np.full(shape, np.nan)
        if moment and moment.pixels and ELEVATION.name in moment.pixels:
            values[SLOPE] = mean_slope(moment.pixels[ELEVATION.name], tuple(shape))
        return values

    def _pixels(self, moment: Composite | None, name: str) -> Floats:
        if moment and moment.pixels is None:
            raise VadoseError(
                f"fusion: {name} as pixels of 10 m", "Its source is too coarse", f"Ask for {name} as cells"
            )
        held = moment.pixels if moment and moment.pixels else {}
        return held.get(name, np.full(self.tile.pixels.shape, np.nan, np.float32))

    def _steps(self, name: str, time: np.datetime64) -> Floats:
        owner = self._owner(name)
        source = self.opened.get(owner)
        if source is None:
            return np.full((self.needs.history.steps, *self.tile.cells.shape), np.nan)
        return source.lags(name, time, self.needs.history, self._known_at(time))

    def _known_at(self, time: np.datetime64) -> np.datetime64 | None:
        return self.windows.known_at(time, self.as_of)


def _open(
    source: Source,
    variables: tuple[Variable, ...],
    tile: Tile,
    period: Period,
    needs: InputSpec,
    windows: TemporalPolicy,
    as_of: np.datetime64 | None,
) -> TileSource:
    if isinstance(source, OverviewSource) and needs.has_sparse(source.variables):
        return _open_sparse(source, tile, period, needs, windows, as_of)
    fine = any(variable.name in needs.pixels for variable in variables)
    ground = tile if fine else tile.with_halo(0)
    past = needs.history.variables and any(variable.name in needs.history.variables for variable in variables)
    days = max(windows.of(source.name), needs.history.steps * needs.history.step_days if past else 0.0)
    area = AreaOfInterest.from_tile(ground, name=str(tile))
    end = windows.until(source.name, period.end, as_of)
    asked = _ending(period.extended_back(days), end, source.name)
    if isinstance(source, LayerSource):
        return regrid_source(_known(source.layers(area, asked), source.name, period, windows, as_of), variables, ground)
    return regrid_source(_known(source.open(area, asked), source.name, period, windows, as_of), variables, ground)


def _open_sparse(
    source: OverviewSource,
    tile: Tile,
    period: Period,
    needs: InputSpec,
    windows: TemporalPolicy,
    as_of: np.datetime64 | None,
) -> TileSource:
    """Open a source whose history is sparse; its present at full resolution, if the model needs it.

    Raises:
        NoDataError: there is neither.
    """
    present: TileSource | None = None
    absent: NoDataError | None = None
    now = tuple(variable for variable in source.variables if variable.name in needs.present)
    try:
        if now:
            present = _open(source, now, tile, period, needs.without_history(), windows, as_of)
    except NoDataError as nothing:
        absent = nothing
    ground, history = tile.with_halo(0), needs.history
    variables = tuple(variable for variable in source.variables if variable.name in history.variables)
    past: TileSource | None = None
    try:
        end = windows.until(source.name, period.end, as_of)
        asked = _ending(since_interval(period, history), end, source.name)
        opened = source.overviews(AreaOfInterest.from_tile(ground, name=str(tile)), asked, history.sparse_m or 0.0)
        known = _known(opened, source.name, period, windows, as_of)
        past = SparseSource.of(known, variables, ground, history.step_days)
    except NoDataError as nothing:
        if present is None:
            raise absent or nothing from None
    if past is not None and not now:
        return past
    return WithSparseHistory(present, past, (ground.rows, ground.columns))


def _known(
    opened: Sequence[Opened], source: str, period: Period, windows: TemporalPolicy, as_of: np.datetime64 | None
) -> list[Opened]:
    """Return the products that were published by the last time, with their publication.

    Raises:
        NoDataError: there are none.
    """
    last = windows.known_at(period.end, as_of)
    known = [dated for dated in (windows.dated(one, source) for one in opened) if _published(dated, last)]
    if not known:
        raise _unpublished(source, period, windows.until(source, period.end, as_of) if as_of is None else as_of)
    return known


def _published(opened: Layers | xr.Dataset, last: np.datetime64 | None) -> bool:
    """Return whether any product was published by a time; for None, all of them were."""
    since = (Publication.of_layers(opened) if isinstance(opened, Layers) else Publication.of(opened)).since
    return last is None or bool((np.isnat(since) | (since <= last)).any())


def _ending(period: Period, end: np.datetime64, source: str) -> Period:
    """Return the period until `end`, included."""
    after = end + np.timedelta64(1, "ns")
    if after <= period.start:
        raise _unpublished(source, period, end)
    return Period(period.start, min(period.end, after))


def _unpublished(source: str, period: Period, last: np.datetime64) -> NoDataError:
    return NoDataError(
        f"fusion: {source} in {period}",
        f"Nothing after {np.datetime_as_string(last, 'm')} was published by then",
        "Allow older observations with max_age_days, or a longer history",
    )
