"""Whether skill is what it seems: shuffled labels, several seeds, and how far a sensor is known by what is read of it.

Usage: OMP_NUM_THREADS=1 python benchmarks/guards.py EXPERIMENT.yaml STORE

1. A network that learns from labels dealt out anew among all samples must not correlate with any sensor.
2. The same experiment with other seeds must come to the same skill.
3. A classifier (k nearest neighbours, scikit-learn) is told which sensor each of half the samples is from and names
   the others by the columns that the network reads: as they are, and as they are shaken in training. Both halves have
   every sensor, the one its earlier times, the other its later.
"""

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.neighbors import KNeighborsClassifier

from vadose.dataset import Fold, SampleStore, batches
from vadose.dataset.layout import IDENTITY, LABEL
from vadose.evaluation import per_sensor, summary
from vadose.experiment import read_experiment
from vadose.experiment.config import Experiment
from vadose.experiment.folds import folds_of
from vadose.inference import estimate_points
from vadose.models import Batch, FusionNetwork
from vadose.models.feature_extractor import FeatureExtractor
from vadose.models.heads import noise_of
from vadose.training import TrainingRows, fit_network

SEEDS = (0, 1, 2)
EPOCHS = 20
"""Draws of the noise that a sensor keeps for an epoch, in each half."""


def networks(experiment: Experiment, store: SampleStore, seed: int) -> Iterator[tuple[FusionNetwork, Fold]]:
    """One network for each fold."""
    past = experiment.needs.history
    schedule = replace(experiment.schedule, seed=seed)
    for fold in folds_of(experiment.split, store, past.steps * past.step_days):
        with tempfile.TemporaryDirectory() as folder:
            places = TrainingRows(store, fold.train, fold.validation)
            state = Path(folder) / "state"
            yield fit_network(places, experiment.network_needs, experiment.network, schedule, state)[0], fold


def skill(experiment: Experiment, learned: SampleStore, judged: SampleStore, seed: int) -> str:
    """Scores of held-out sensors, with 90 % intervals over places."""
    found = [estimate_points([n], judged, fold.test) for n, fold in networks(experiment, learned, seed)]
    rows = summary(per_sensor(pd.concat(found, ignore_index=True), experiment.min_samples))
    r, ub, rmse = (rows.loc[name] for name in ("r", "ubrmse", "rmse"))
    told = f"R {r['mean']:.3f} [{r['mean_low']:.3f}, {r['mean_high']:.3f}]"
    return f"{told}, ubRMSE {ub['mean']:.4f}, RMSE {rmse['mean']:.4f}, {r['sensors']:.0f} sensors"


def shuffled(store: SampleStore) -> SampleStore:
    """Return the same samples with their labels dealt out anew."""
    labels = np.random.default_rng(0).permutation(store.index[LABEL].to_numpy())
    return replace(store, index=store.index.assign(**{LABEL: labels}))


def named(experiment: Experiment, store: SampleStore, shaken: bool) -> float:
    """Share of the later samples whose sensor is named rightly from its earlier ones."""
    network, _ = next(networks(experiment, store, 0))
    needs, shape = network.needs, network.shape
    given = next(iter(batches(store, store.rows, needs, len(store), shuffle=False)))
    batch = Batch.of_samples(given.pixels, given.cells, given.history, given.times)
    early = store.index.groupby(list(IDENTITY), sort=False)["time"].rank(pct=True).to_numpy() <= 0.5
    torch.manual_seed(0)
    with torch.no_grad():
        columns, there = network.standard(FeatureExtractor.of(batch, needs).columns(network.columns))
        if shaken:
            noise = noise_of(network.columns, shape.noise, shape.time_invariant_noise, shape.static_noise)
            epoch = np.random.default_rng(0).integers(0, EPOCHS, len(store)) + EPOCHS * ~early
            columns = noise(columns, torch.from_numpy(given.sensors * 2 * EPOCHS + epoch)) * there
    table = columns[:, :, 0, 0].numpy()
    sensor = store.index.groupby(list(IDENTITY), sort=False).ngroup().to_numpy()
    guess = KNeighborsClassifier(5).fit(table[early], sensor[early]).predict(table[~early])
    return float((guess == sensor[~early]).mean())


def main() -> None:
    experiment, store = read_experiment(Path(sys.argv[1])), SampleStore.open(Path(sys.argv[2]))
    sensors = len(store.index[list(IDENTITY)].drop_duplicates())
    for words, shaken in (("as read", False), ("as shaken in training", True)):
        part = named(experiment, store, shaken)
        print(f"a sensor is named rightly, {words}: {part:.1%}; by chance {1 / sensors:.1%} of {sensors}", flush=True)
    print(f"labels shuffled: {skill(experiment, shuffled(store), store, 0)}", flush=True)
    for seed in SEEDS:
        print(f"seed {seed}: {skill(experiment, store, store, seed)}", flush=True)


if __name__ == "__main__":
    main()
