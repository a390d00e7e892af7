"""What a model asks of the data: stated by the model, met by fusion, compared with what a store holds."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field


@dataclass(frozen=True)
class History:
    """What was known before: cell values in steps of time that end with the moment of the estimate.

    Attributes:
        variables: names of the predictors.
        steps: how many, the latest first.
        step_days: length of one, days; the value of a step is the mean of what was observed in it.
    """

    variables: tuple[str, ...] = ()
    steps: Annotated[int, Field(ge=0, le=1000)] = 0
    step_days: Annotated[float, Field(gt=0, le=366, allow_inf_nan=False)] = 1.0


@dataclass(frozen=True)
class Needs:
    """The inputs of a model.

    Attributes:
        pixels: names of the predictors read at 10 m, in the order of the channels; empty for a model of cells alone.
        cells: names of the predictors read as means over a cell of 320 m, in order.
        history: what is read of the time before.
        halo: cells around the estimated ones that the pixels must cover.
    """

    pixels: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()
    history: History = History()
    halo: Annotated[int, Field(ge=0, le=64)] = 0

    @property
    def names(self) -> frozenset[str]:
        """Every predictor that is needed in any form."""
        return frozenset({*self.pixels, *self.cells, *self.history.variables})

    def differences(self, held: "Needs") -> tuple[str, ...]:
        """Everything that `held` lacks of these needs, one line each; empty when they are met."""
        lacks = [f"{kind} {name}" for kind, name in self._named() if (kind, name) not in set(held._named())]
        mine, theirs = self.history, held.history
        if mine.variables and mine.steps > theirs.steps:
            lacks.append(f"history of {mine.steps} steps, held {theirs.steps}")
        if mine.variables and theirs.variables and mine.step_days != theirs.step_days:
            lacks.append(f"history steps of {mine.step_days:g} days, held {theirs.step_days:g}")
        if self.pixels and held.pixels and self.halo > held.halo:
            lacks.append(f"a halo of {self.halo} cells, held {held.halo}")
        return tuple(lacks)

    def _named(self) -> list[tuple[str, str]]:
        groups = (("pixels", self.pixels), ("cells", self.cells), ("history", self.history.variables))
        return [(kind, name) for kind, names in groups for name in names]
