"""Input specification of a model: met by fusion, compared with the contents of a store."""

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any

from pydantic import Field

from vadose.registry import stand_in
from vadose.variables import Variable


@dataclass(frozen=True)
class HistorySpec:
    """Earlier observations of a cell, in equal steps that end at the time of the estimate.

    Attributes:
        variables: names of the predictors.
        steps: number of steps; the latest comes first.
        step_days: length of a step, days; its value is the mean of its observations.
        sparse_m: makes the history of Sentinel-1 and Sentinel-2 sparse: of each interval of `step_days`, counted from
            1970-01-01, a cell has one scene, read from overviews with pixels of at most this size, m (see
            `fusion.sparse`). By default all scenes count, at full resolution.
    """

    variables: tuple[str, ...] = ()
    steps: Annotated[int, Field(ge=0, le=1000)] = 0
    step_days: Annotated[float, Field(gt=0, le=366, allow_inf_nan=False)] = 1.0
    sparse_m: Annotated[
        float | None, Field(ge=20, le=160, allow_inf_nan=False, exclude_if=lambda pixel_m: pixel_m is None)
    ] = None

    @property
    def days(self) -> float:
        """Return its length, days."""
        return self.steps * self.step_days


@dataclass(frozen=True)
class OwnRecord:
    """Predictors that are standardised by the history of their own cell: (x - mean) / std.

    Attributes:
        variables: names of predictors in the history.
        min_steps: minimum number of observed steps; with fewer the predictor is missing.
    """

    variables: tuple[str, ...] = ()
    min_steps: Annotated[int, Field(ge=1, le=1000)] = 12


@dataclass(frozen=True)
class InputSpec:
    """The inputs of a model.

    Attributes:
        pixels: names of the predictors at 10 m, in the order of the channels; empty for a model without an encoder.
        cells: names of the predictors as means of 320 m cells, in order.
        history: earlier observations.
        halo: width of the border of pixels around the estimated ones, cells.
        own_record: predictors that are standardised by the history of their own cell.
    """

    pixels: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()
    history: HistorySpec = HistorySpec()
    halo: Annotated[int, Field(ge=0, le=64)] = 0
    own_record: OwnRecord = OwnRecord()

    @property
    def names(self) -> frozenset[str]:
        """Return all needed predictors, in any form."""
        return frozenset({*self.pixels, *self.cells, *self.history.variables})

    @property
    def present(self) -> frozenset[str]:
        """Return the predictors that are needed at the time of the estimate."""
        return frozenset({*self.pixels, *self.cells})

    def without_history(self) -> "InputSpec":
        """Return what is needed at the time of the estimate."""
        return replace(self, history=HistorySpec(), own_record=OwnRecord())

    def has_sparse(self, variables: Iterable[Variable]) -> bool:
        """Return whether the history of some variables is sparse, if their source can be read so."""
        return self.history.sparse_m is not None and any(one.name in self.history.variables for one in variables)

    def differences(self, held: "InputSpec") -> tuple[str, ...]:
        """Return the needs that `held` does not meet, one line each; empty if all are met."""
        missing = [f"{kind} {name}" for kind, name in self._named() if (kind, name) not in set(held._named())]
        needed, stored = self.history, held.history
        if needed.variables and needed.steps > stored.steps:
            missing.append(f"history of {needed.steps} steps, held {stored.steps}")
        if needed.variables and stored.variables and needed.step_days != stored.step_days:
            missing.append(f"history steps of {needed.step_days:g} days, held {stored.step_days:g}")
        if needed.variables and stored.variables and needed.sparse_m != stored.sparse_m:
            missing.append(f"history with sparse_m {needed.sparse_m or 'none'}, held {stored.sparse_m or 'none'}")
        if self.pixels and held.pixels and self.halo > held.halo:
            missing.append(f"a halo of {self.halo} cells, held {held.halo}")
        return tuple(missing)

    def describe(self) -> dict[str, Any]:
        """Return its contents for JSON; what is as by default and newer than old files is left out."""
        found = asdict(self)
        if self.history.sparse_m is None:
            del found["history"]["sparse_m"]
        return found

    def met_by(self, held: Collection[str]) -> "InputSpec":
        """Return the needs by the names of the available predictors: another product of the role if the own record
        suffices.

        Args:
            held: names of the available predictors.
        """
        others = {name: stand_in(name, held) for name in self.own_record.variables if name not in held}
        others = {name: other for name, other in others.items() if other}

        def renamed(names: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(others.get(name, name) for name in names)

        return replace(
            self,
            pixels=renamed(self.pixels),
            cells=renamed(self.cells),
            history=replace(self.history, variables=renamed(self.history.variables)),
            own_record=replace(self.own_record, variables=renamed(self.own_record.variables)),
        )

    def _named(self) -> list[tuple[str, str]]:
        groups = (("pixels", self.pixels), ("cells", self.cells), ("history", self.history.variables))
        return [(kind, name) for kind, names in groups for name in names]
