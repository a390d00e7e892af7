"""What an archive is to hold: places, times, and the bands of each source."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely

from vadose.fusion import InputSpec, TemporalPolicy
from vadose.grid import AreaOfInterest, Period, Tile, tile_around
from vadose.insitu import Sensor
from vadose.registry import LATENCY_DAYS, MASK_VARIABLES, SOURCES, SPECS, source_specs


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
class Demand:
    """What is fetched.

    Attributes:
        targets: places.
        periods: span of the observations of each source; None for one that does not change.
        bands: names of the bands that are read of each source.
        replaced: whether processings that newer ones have replaced are fetched too: for estimates as of a past time.
    """

    targets: tuple[Target, ...]
    periods: Mapping[str, Period | None]
    bands: Mapping[str, frozenset[str]]
    replaced: bool = False

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
        return cls(tuple(targets), periods, bands, replaced or policy.causal)

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

    @cached_property
    def _parts(self) -> tuple[shapely.STRtree, list[int]]:
        """Parts of all targets in a tree, and the number of the target of each."""
        parts = [(part.geometry, number) for number, one in enumerate(self.targets) for part in one.parts]
        return shapely.STRtree([geometry for geometry, _ in parts]), [number for _, number in parts]


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
