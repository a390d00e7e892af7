"""The models of one fold: taken from the run where they are done, fitted where they are not."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vadose.experiment.config import Experiment, Rival
from vadose.experiment.run import NETWORK, Run
from vadose.experiment.unseen import LEARNED_FROM, sensors_of
from vadose.fusion import Needs
from vadose.models import Model
from vadose.training import Places, fit_network, fit_product, fit_trees, load, save

Reporter = Callable[[str, dict[str, float]], None]
"""Is told what is being done, and the figures of its latest step."""


@dataclass(frozen=True, eq=False)
class Fitting:
    """One fold of an experiment at work.

    Attributes:
        experiment: what is fitted, and how.
        run: where it is kept.
        fold: number of the fold.
        places: its samples.
        report: is told of every epoch.
    """

    experiment: Experiment
    run: Run
    fold: int
    places: Places
    report: Reporter

    def network(self) -> list[Model]:
        """The fusion network, each member of it."""
        return self._networks(NETWORK, self.experiment.network_needs, self.experiment.members)

    def rival(self, rival: Rival) -> list[Model]:
        """A baseline; none, when the experiment lacks any of its predictors."""
        needs = self.experiment.rival_needs(rival)
        if not needs.names:
            return []
        if rival == "smap_gldas":
            return self._networks(rival, needs, 1)
        folder = self.run.checkpoint(self.fold, rival, 0)
        if not _done(folder):
            self.report(f"fold {self.fold}: {rival}", {})
            seed = self.experiment.schedule.seed
            model: Model = fit_trees(self.places, needs, seed) if rival == "trees" else fit_product(self.places, rival)
            save(model, folder, self._made_from())
        return [load(folder)]

    def _networks(self, name: str, needs: Needs, members: int) -> list[Model]:
        return [self._member(name, needs, member) for member in range(members)]

    def _member(self, name: str, needs: Needs, member: int) -> Model:
        folder = self.run.checkpoint(self.fold, name, member)
        if _done(folder):
            return load(folder)
        schedule = replace(self.experiment.schedule, seed=self.experiment.schedule.seed + member)
        state = folder.with_name(f"{folder.name}.state")
        what = f"fold {self.fold}: {name}" + (f" {member + 1}/{self.experiment.members}" if name == NETWORK else "")
        network, scaling, progress = fit_network(
            self.places, needs, self.experiment.network, schedule, state, lambda row: self.report(what, row)
        )
        save(network, folder, self._made_from() | {"journal": progress.journal}, scaling)
        state.unlink()
        return load(folder)

    def _made_from(self) -> dict[str, Any]:
        learned = [*self.places.training, *self.places.validation]
        index = self.places.store.index
        held_out = index.drop(index=learned, errors="ignore")
        return {
            "experiment": self.experiment.model_dump(mode="json"),
            "fold": self.fold,
            "training_samples": len(self.places.training),
            "validation_samples": len(self.places.validation),
            "held_out_sensors": len(held_out[["network", "station", "sensor"]].drop_duplicates()),
            LEARNED_FROM: sensors_of(index.iloc[learned]).to_dict("records"),
        }


def _done(folder: Path) -> bool:
    return folder.is_dir()
