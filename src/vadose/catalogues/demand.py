"""What an archive is to hold: places, times, and the bands of each source."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import shapely

from vadose.fusion import HistorySpec, InputSpec, TemporalPolicy
from vadose.fusion.sparse import Candidate, candidates_of, needed, since_interval
from vadose.grid import AreaOfInterest, Period, Tile, tile_around
from vadose.insitu import Sensor
from vadose.registry import LATENCY_DAYS, MASK_VARIABLES, SOURCES, SPECS, source_specs
from vadose.sources.archive import lifetimes
from vadose.sources.items import cloud_cover_of, footprint_of
from vadose.sources.records import SceneItem
from vadose.sources.source import SourceFile


@dataclass(frozen=True)
class Target:
    """A place around which windows are read.

    Attributes:
        name: of the place.
        parts: ground of its tiles; a window holds all of them.
    """

    name: str
    parts: tuple[AreaOfInterest, ...]

    @classmethod
    def of_tiles(cls, name: str, tiles: Iterable[Tile]) -> "Target":
        """Return the ground of some tiles with their halo."""
        return cls(name, tuple(AreaOfInterest.from_tile(tile) for tile in tiles))


@dataclass(frozen=True)
class SparseDemand:
    """History that is read of one scene per interval and cell, from overviews: see `fusion.sparse`.

    Attributes:
        bands: names of the bands of each source.
        history: its steps.
        span: of the times of the estimates.
        policy: publication of observations.
        present: span of the observations of each source that are read at full resolution.
    """

    bands: Mapping[str, frozenset[str]]
    history: HistorySpec
    span: Period
    policy: TemporalPolicy
    present: Mapping[str, Period]


@dataclass(frozen=True)
class Demand:
    """What is fetched.

    Attributes:
        targets: places.
        periods: span of the observations of each source; None for one that does not change.
        bands: names of the bands that are read of each source, at full resolution.
        replaced: whether processings that newer ones have replaced are fetched too: for estimates as of a past time.
        sparse: history that is read from overviews; None without any.
    """

    targets: tuple[Target, ...]
    periods: Mapping[str, Period | None]
    bands: Mapping[str, frozenset[str]]
    replaced: bool = False
    sparse: SparseDemand | None = None

    @classmethod
    def of(
        cls,
        targets: Sequence[Target],
        span: Period,
        needs: InputSpec,
        policy: TemporalPolicy,
        *,
        masks: bool = True,
        replaced: bool = False,
    ) -> "Demand":
        """Find out what estimates need.

        Args:
            targets: places.
            span: of the times of the estimates.
            needs: predictors of the model.
            policy: maximum age of observations.
            masks: whether the sources of flags are fetched as well.
            replaced: as the attribute.
        """
        past = {
            name
            for name, variables in SOURCES.items()
            if any(variable.name in needs.history.variables for variable in variables)
        }
        bands = {
            name: frozenset(one.name for one in variables) & needs.names
            for name, variables in SOURCES.items()
            if needs.names & {one.name for one in variables}
        }
        for name, variables in MASK_VARIABLES.items() if masks else ():
            held = SPECS[name].files_of or name
            bands[held] = bands.get(held, frozenset()) | {one.name for one in variables}
        days = {
            name: max(needs.history.steps * needs.history.step_days if name in past else 0.0, policy.of(name))
            for name in bands
        }
        periods = {
            name: span.extended_back(days[name] + SPECS[name].spill_days) if name in LATENCY_DAYS else None
            for name in bands
        }
        whole = cls(tuple(targets), periods, bands, replaced or policy.causal)
        return whole._with_sparse(span, needs, policy)

    def _with_sparse(self, span: Period, needs: InputSpec, policy: TemporalPolicy) -> "Demand":
        """Read sparse history from overviews, and at full resolution only what is needed at the time of an estimate."""
        known = {
            name: frozenset(one.name for one in SOURCES[name]) & set(needs.history.variables)
            for name in self.bands
            if name in SOURCES and hasattr(SPECS[name].open, "overviews") and needs.has_sparse(SOURCES[name])
        }
        if not known:
            return self
        spill = {name: SPECS[name].spill_days for name in known}
        present = {name: span.extended_back(policy.of(name) + days) for name, days in spill.items()}
        whole = {name: since_interval(span, needs.history).extended_back(days) for name, days in spill.items()}
        periods = {name: Period(min(whole[name].start, present[name].start), span.end) for name in known}
        bands = {name: frozenset(one.name for one in SOURCES[name]) & needs.present for name in known}
        sparse = SparseDemand(known, needs.history, span, policy, present)
        return replace(self, periods={**self.periods, **periods}, bands={**self.bands, **bands}, sparse=sparse)

    @classmethod
    def at_sensors(
        cls, sensors: Iterable[Sensor], span: Period, needs: InputSpec, policy: TemporalPolicy, halo: int
    ) -> "Demand":
        """Find out what samples at sensors need, without the sources of flags."""
        places = ((f"{sensor.network} {sensor.station}", sensor.lon, sensor.lat) for sensor in sensors)
        return cls.of(around(places, halo), span, needs, policy, masks=False)

    def touching(self, footprint: shapely.Geometry) -> tuple[Target, ...]:
        """Return the targets that touch a footprint, in order."""
        tree, owners = self._parts
        found = sorted({owners[part] for part in tree.query(footprint, predicate="intersects")})
        return tuple(self.targets[number] for number in found)

    def at_present(self, source: str, record: SceneItem) -> bool:
        """Return whether an item is read at full resolution."""
        if self.sparse is None or source not in self.sparse.bands:
            return True
        return bool(self.bands[source]) and record.time in self.sparse.present[source]

    @cached_property
    def _parts(self) -> tuple[shapely.STRtree, list[int]]:
        """Parts of all targets in a tree, and the number of the target of each."""
        parts = [(part.geometry, number) for number, one in enumerate(self.targets) for part in one.parts]
        return shapely.STRtree([geometry for geometry, _ in parts]), [number for _, number in parts]


def sparse_targets(demand: Demand, source: str, records: Sequence[SceneItem]) -> dict[SceneItem, tuple[Target, ...]]:
    """Return the items of which the sparse history of any target is read, each with these targets in order.

    Args:
        demand: what is fetched.
        source: of the items.
        records: items that may be read.
    """
    sparse = demand.sparse
    if sparse is None or source not in sparse.bands or not records:
        return {}
    candidates = _candidates(demand, sparse, source, records)
    tree = shapely.STRtree([one.footprint for one in candidates])
    found: dict[SceneItem, list[Target]] = {}
    for target in demand.targets:
        ground = shapely.union_all([part.geometry for part in target.parts])
        near = sorted(tree.query(ground, predicate="intersects"))
        held = [candidates[number] for number in near]
        chosen = needed(held, ground, sparse.span, sparse.history, sparse.policy.known_at, demand.replaced)
        for number in sorted(chosen):
            found.setdefault(records[near[number]], []).append(target)
    return {record: tuple(targets) for record, targets in found.items()}


def _candidates(
    demand: Demand, sparse: SparseDemand, source: str, records: Sequence[SceneItem]
) -> tuple[Candidate, ...]:
    lives = lifetimes(records, LATENCY_DAYS[source]) if demand.replaced else dict.fromkeys(records, (None, None))
    files = [
        SourceFile(
            record.id,
            0,
            record.time,
            available_at=lives[record][0],
            replaced_at=lives[record][1],
            cloud_cover=cloud_cover_of(record),
            footprint=footprint_of(record),
        )
        for record in records
    ]
    return candidates_of(files, sparse.policy.publication(files, source))


def span_of(times: Sequence[np.datetime64]) -> Period:
    """Return the period from the first to the last of some times, both included."""
    return Period(min(times), max(times) + np.timedelta64(1, "ns"))


def everything() -> InputSpec:
    """Return all predictors that an archive gives."""
    names = tuple(one.name for spec in source_specs() if spec.missing is not None for one in spec.variables)
    return InputSpec(cells=names)


def around(places: Iterable[tuple[str, float, float]], halo: int) -> tuple[Target, ...]:
    """Return one target for each place (name, longitude, latitude, degrees), the cell of 320 m and a halo of cells.

    Places of one cell share a target.
    """
    tiles: dict[Tile, str] = {}
    for name, lon, lat in places:
        tiles.setdefault(tile_around(lon, lat, halo), name)
    return tuple(Target.of_tiles(name, [tile]) for tile, name in tiles.items())
