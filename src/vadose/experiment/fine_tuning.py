"""Fine-tuning: networks of another run whose training goes on with new samples."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from vadose.dataset import SpatialGroups
from vadose.errors import VadoseError
from vadose.experiment.run import Run
from vadose.fusion import InputSpec
from vadose.inference.held_out import Member
from vadose.models import FusionNetwork, NetworkShape


@dataclass(frozen=True, eq=False)
class StartingNetworks:
    """Networks of a run that were trained on none of some held-out places.

    Attributes:
        run: the run, or a released model.
        held_out: sensors that are held out: network, station, sensor, lat, lon (degrees).
        grouping: grouping of the split that holds them out.
    """

    run: Run
    held_out: pd.DataFrame
    grouping: SpatialGroups

    def network(self, kind: str, number: int, needs: InputSpec, shape: NetworkShape) -> tuple[Path, pd.DataFrame]:
        """Return the checkpoint from which a member starts, and the sensors of its training.

        Args:
            kind: kind of the member.
            number: its number; members take the networks in turn.
            needs, shape: inputs and size of the member.

        Raises:
            VadoseError: the run has no network of this kind, inputs and size, or all were trained at held-out places.
        """
        context = f"train: a start from {self.run.folder}"
        found = {path: one for path, one in self._members.items() if path.name.rpartition("-")[0] == kind}
        fitting = [path for path, member in found.items() if _fits(member, needs, shape)]
        if not fitting:
            raise VadoseError(
                context,
                f"It has {len(found)} members of the kind {kind}, none with the inputs and the size of this experiment",
                "Leave out needs, network and ensemble, which are then those of the model",
            )
        apart = [path for path in fitting if not found[path].trained_on(self.held_out, self.grouping).any()]
        if not apart:
            raise VadoseError(
                context,
                f"Each of its {len(fitting)} networks was trained at a place that this experiment holds out",
                "Hold out other places, or start from a model that was trained elsewhere",
            )
        chosen = apart[number % len(apart)]
        return chosen, found[chosen].learned_from

    @cached_property
    def _members(self) -> dict[Path, Member]:
        return {path: Member.load(path) for path in self.run.networks()}


def _fits(member: Member, needs: InputSpec, shape: NetworkShape) -> bool:
    model = member.model
    return isinstance(model, FusionNetwork) and (model.needs, model.shape) == (needs, shape)
