"""Models of one fold: loaded from the run if finished, otherwise fitted."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count, takewhile
from pathlib import Path
from typing import Any

import pandas as pd

from vadose.dataset import SampleStore
from vadose.dataset.calibrations import provenance_of
from vadose.experiment.config import RESCALED, EnsemblePart, Experiment, MemberKind
from vadose.experiment.fine_tuning import StartingNetworks
from vadose.experiment.product_identity import CHECKPOINT_PRODUCTS
from vadose.experiment.run import Run
from vadose.fusion import InputSpec
from vadose.inference.held_out import LEARNED_FROM, sensors_of
from vadose.models import Model, NetworkShape
from vadose.training import (
    DEFAULT,
    ComputeConfig,
    TrainingRows,
    fit_change,
    fit_climatology,
    fit_departure_trees,
    fit_network,
    fit_product,
    fit_rescaled,
    fit_trees,
    load,
    save,
)
from vadose.variables import IDENTITY

LOGGER = logging.getLogger(__name__)

Reporter = Callable[[str, dict[str, float]], None]
"""Called with the current step, and its latest figures."""


@dataclass(frozen=True, eq=False)
class FoldTrainer:
    """Trainer of one fold of an experiment.

    Attributes:
        experiment: configuration.
        run: output of the models.
        fold: number of the fold.
        places: its samples.
        report: called after every epoch.
        machine: compute configuration of the networks.
    """

    experiment: Experiment
    run: Run
    fold: int
    places: TrainingRows
    report: Reporter
    machine: ComputeConfig = DEFAULT

    def members(self) -> dict[MemberKind, list[Model]]:
        """Return the members of the ensemble, by kind."""
        return {
            part.kind: [self._member(part, number) for number in range(part.size)] for part in self.experiment.ensemble
        }

    def baseline(self, baseline: str) -> list[Model]:
        """Return the members of a baseline; none if the experiment or its samples lack any of its predictors."""
        needs = needs_met(self.experiment, baseline, self.places.store)
        if needs is None:
            return []
        if baseline == "smap_gldas":
            return [self._network(baseline, needs, self.experiment.network, 0)]
        if not self.run.checkpoint(self.fold, baseline, 0).is_dir():
            self.report(f"fold {self.fold}: {baseline}", {})
            models = self._baselines(baseline, needs)
            for member, model in reversed(list(enumerate(models))):  # the first one marks that all are finished
                save(model, self.run.checkpoint(self.fold, baseline, member), self._made_from())
        folders = (self.run.checkpoint(self.fold, baseline, member) for member in count())
        return [load(folder) for folder in takewhile(Path.is_dir, folders)]

    def _products(self) -> dict[str, str]:
        """Return the product of each predictor in the training samples."""
        names, products = self.experiment.store_needs.names, self.places.store.products
        return {name: product for name, product in products.items() if name in names}

    def _baselines(self, baseline: str, needs: InputSpec) -> Sequence[Model]:
        match baseline:
            case "trees":
                split = self.experiment.split
                return fit_trees(self.places, needs, self.experiment.schedule.seed, split.grouping)
            case "change_detection":
                return [fit_change(self.places, needs)]
            case "climatology":
                return [fit_climatology(self.places)]
        if baseline.endswith(RESCALED):
            return [fit_rescaled(self.places, baseline.removesuffix(RESCALED))]
        return [fit_product(self.places, baseline)]

    def _member(self, part: EnsemblePart, number: int) -> Model:
        experiment, of_all = self.experiment, f" {number + 1}/{part.size}"
        if part.kind == "departure_trees":
            return self._departure_trees(part.kind, number, of_all)
        shape = part.shape(experiment.network)
        return self._network(part.kind, experiment.network_needs, shape, number, of_all, self._starting)

    def _departure_trees(self, name: str, number: int, of_all: str) -> Model:
        folder, experiment = self.run.checkpoint(self.fold, name, number), self.experiment
        if not folder.is_dir():
            self.report(f"fold {self.fold}: {name}{of_all}", {})
            seed, grouping = experiment.schedule.seed + number, experiment.split.grouping
            trees = fit_departure_trees(
                self.places,
                experiment.network_needs,
                experiment.network.season,
                seed,
                grouping,
                experiment.schedule.source_dropout,
            )
            save(trees, folder, self._made_from())
        return load(folder)

    def _network(
        self,
        name: str,
        needs: InputSpec,
        shape: NetworkShape,
        number: int,
        of_all: str = "",
        starting: StartingNetworks | None = None,
    ) -> Model:
        folder = self.run.checkpoint(self.fold, name, number)
        if folder.is_dir():
            LOGGER.info("fold %d: %s-%d is already trained", self.fold, name, number)
            return load(folder)
        schedule = replace(self.experiment.schedule, seed=self.experiment.schedule.seed + number)
        state = folder.with_name(f"{folder.name}.state")
        what = f"fold {self.fold}: {name}{of_all}"
        made_from, start = self._made_from(), None
        if starting is not None:
            start, learned = starting.network(name, number, needs, shape)
            made_from[LEARNED_FROM] += learned.to_dict("records")
            LOGGER.info("fold %d: %s-%d starts from %s", self.fold, name, number, start)
        network, scaling, _ = fit_network(
            self.places, needs, shape, schedule, state, lambda row: self.report(what, row), self.machine, start
        )
        save(network, folder, made_from, scaling)
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
            "held_out_sensors": len(held_out[list(IDENTITY)].drop_duplicates()),
            CHECKPOINT_PRODUCTS: self._products(),
            LEARNED_FROM: sensors_of(index.iloc[learned]).to_dict("records"),
        } | provenance_of(self.places.store)

    @cached_property
    def _starting(self) -> StartingNetworks | None:
        experiment = self.experiment
        if experiment.start_from is None:
            return None
        return StartingNetworks(Run(experiment.start_from), self._places_held_out(), experiment.split.grouping)

    def _places_held_out(self) -> pd.DataFrame:
        """Return the sensors that are held out: those without a training sample, by year all of them."""
        places, index = self.places, self.places.store.index
        sensors = sensors_of(index)
        if self.experiment.split.by_year:
            return sensors
        learned = sensors_of(index.iloc[[*places.training, *places.validation]])
        known = pd.MultiIndex.from_frame(learned[list(IDENTITY)])
        return sensors[~pd.MultiIndex.from_frame(sensors[list(IDENTITY)]).isin(known)].reset_index(drop=True)


def needs_met(experiment: Experiment, baseline: str, store: SampleStore) -> InputSpec | None:
    """Return the inputs of a baseline; None if the experiment or its samples lack any of them."""
    needs = experiment.baseline_needs(baseline)
    return None if needs is None or needs.differences(store.holds) else needs
