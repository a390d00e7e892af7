"""Input specification of a model: met by fusion, compared with the contents of a store."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from vadose.registry import stand_in


@dataclass(frozen=True)
class HistorySpec:
    """Earlier observations of a cell, in equal steps that end at the time of the estimate.

    Attributes:
        variables: names of the predictors.
        steps: number of steps; the latest comes first.
        step_days: length of a step, days; its value is the mean of its observations.
    """

    variables: tuple[str, ...] = ()
    steps: Annotated[int, Field(ge=0, le=1000)] = 0
    step_days: Annotated[float, Field(gt=0, le=366, allow_inf_nan=False)] = 1.0


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

    def differences(self, held: "InputSpec") -> tuple[str, ...]:
        """Return the needs that `held` does not meet, one line each; empty if all are met."""
        missing = [f"{kind} {name}" for kind, name in self._named() if (kind, name) not in set(held._named())]
        needed, stored = self.history, held.history
        if needed.variables and needed.steps > stored.steps:
            missing.append(f"history of {needed.steps} steps, held {stored.steps}")
        if needed.variables and stored.variables and needed.step_days != stored.step_days:
            missing.append(f"history steps of {needed.step_days:g} days, held {stored.step_days:g}")
        if self.pixels and held.pixels and self.halo > held.halo:
            missing.append(f"a halo of {self.halo} cells, held {held.halo}")
        return tuple(missing)

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
