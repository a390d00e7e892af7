"""Baselines, fitted to the same training places as the network."""

import numpy as np
import torch
from numpy.typing import NDArray

from vadose.dataset import SampleStore, SpatialGroups
from vadose.dataset.layout import IDENTITY
from vadose.fusion import InputSpec
from vadose.models import Batch, ChangeDetection, Climatology, Product, Trees, by_own_record
from vadose.models.baselines import Reads, table_of
from vadose.models.change_detection import looks, saturation
from vadose.models.climatology import waves
from vadose.training.fit import TrainingRows
from vadose.training.tuning import Learning, tuned

Rows = NDArray[np.intp]
Numbers = NDArray[np.float64]
NEIGHBOURS = (1, 3, 10, 30, 100)
"""Numbers of neighbours to choose from for a climatology."""
PRIOR_SAMPLES = 20.0
"""Ridge strength: samples of a place with the same weight as the mean cycle of all places."""


def fit_product(places: TrainingRows, variable: str) -> Product:
    """Return a product with its error standard deviation over the training places."""
    values = places.store.cells((variable,), places.training)[:, 0]
    error = values - places.store.labels(places.training)
    return Product(variable, float(np.nanstd(error)))


def fit_rescaled(places: TrainingRows, variable: str) -> Product:
    """Return a product rescaled by a + b x, fitted by least squares to the labels of all training places."""
    rows = _all(places)
    values = places.store.cells((variable,), rows)[:, 0].astype(np.float64)
    label = places.store.labels(rows).astype(np.float64)
    known = np.isfinite(values)
    if np.count_nonzero(known) < 3 or np.ptp(values[known]) == 0:
        return Product(variable, float(label.std()), float(label.mean()), 0.0)
    slope, intercept = np.polyfit(values[known], label[known], 1)
    error = intercept + slope * values[known] - label[known]
    return Product(variable, float(error.std()), float(intercept), float(slope))


def fit_trees(places: TrainingRows, needs: InputSpec, seed: int, grouping: SpatialGroups | None = None) -> list[Trees]:
    """Fit boosted trees to all training places, tuned by an inner cross-validation among them.

    The best choices of the search are used as an ensemble.

    Args:
        places: training places; validation places are used like the others.
        needs: cells and history.
        seed: seed of the search and of the trees.
        grouping: grouping of the inner folds; by default, blocks of one degree.
    """
    rows, threads = _all(places), torch.get_num_threads()
    batch = batch_of(places.store, rows, needs)
    kinds: tuple[Reads, ...] = ("steps", "columns", "both") if needs.history.variables else ("steps", "columns")
    tables = {reads: table_of(batch, needs, reads) for reads in kinds}
    data = Learning(tables, places.store.labels(rows), places.store.index.iloc[rows], grouping or SpatialGroups())
    whole = np.arange(len(rows))
    best = tuned(data, seed, threads)
    return [Trees(needs, data.grow(choice, whole, seed, threads), rmse, choice.reads) for choice, rmse in best]


def fit_change(places: TrainingRows, needs: InputSpec) -> ChangeDetection:
    """Fit change detection to all training places: one slope, and the linear fit of its index to the labels."""
    rows = _all(places)
    batch, label = batch_of(places.store, rows, needs), places.store.labels(rows).astype(np.float64)
    slope = _slope(batch, needs, sensors_of(places.store, rows))
    index = saturation(batch, needs, slope)[:, 0, 0].astype(np.float64) / 100
    known = np.isfinite(index)
    if np.count_nonzero(known) < 3 or np.ptp(index[known]) == 0:
        return ChangeDetection(needs, slope, float(label.mean()), 0.0, float(label.std()))
    gain, dry = np.polyfit(index[known], label[known], 1)
    error = dry + gain * index[known] - label[known]
    return ChangeDetection(needs, slope, float(dry), float(gain), float(error.std()))


def fit_climatology(places: TrainingRows) -> Climatology:
    """Fit yearly cycles of the training places; the validation places determine the number of neighbours.

    The sensors of a block of one degree form one place.
    """
    store = places.store
    truth = store.labels(places.validation).astype(np.float64)
    batch = batch_of(store, places.validation, InputSpec())

    def error(neighbours: int) -> float:
        model = _climatology(store, places.training, neighbours, 0.0)
        return float(np.sqrt(np.mean((model.estimate(batch).mean[:, 0, 0] - truth) ** 2)))

    rmse, neighbours = min((error(neighbours), neighbours) for neighbours in NEIGHBOURS)
    return _climatology(store, _all(places), neighbours, rmse)


def _climatology(store: SampleStore, rows: Rows, neighbours: int, std: float) -> Climatology:
    index, label = store.index.iloc[rows], store.labels(rows).astype(np.float64)
    group = SpatialGroups(by="block").of(index)
    wave = waves(_day(store, rows))
    common = np.asarray(np.linalg.lstsq(wave, label, rcond=None)[0], np.float64)
    cycles = [_cycle(wave[group == one], label[group == one], common) for one in range(int(group.max()) + 1)]
    middle = index[["lat", "lon"]].groupby(group).mean().to_numpy(np.float64)
    return Climatology(tuple((lat, lon) for lat, lon in middle.tolist()), tuple(cycles), neighbours, std)


def _cycle(wave: Numbers, label: Numbers, common: Numbers) -> tuple[float, ...]:
    """Return coefficients of the waves of one place, shrunk towards those of all places (ridge regression)."""
    normal = wave.T @ wave + PRIOR_SAMPLES * np.eye(wave.shape[1])
    return tuple((common + np.linalg.solve(normal, wave.T @ (label - wave @ common))).tolist())


def _slope(batch: Batch, needs: InputSpec, sensor: Rows) -> float:
    """Return the change of VV with the incidence angle within sensors, dB per degree; 0 if the angle is constant."""
    vv, angle = (values[:, 0, 0, 0].astype(np.float64) for values in looks(batch, needs))
    known = np.isfinite(vv) & np.isfinite(angle)
    vv, angle = (_departures(values[known], sensor[known]) for values in (vv, angle))
    squares = float((angle**2).sum())
    return float((angle * vv).sum()) / squares if squares > 0 else 0.0


def _departures(values: Numbers, group: Rows) -> Numbers:
    count = np.maximum(np.bincount(group), 1)
    return np.asarray(values - (np.bincount(group, values) / count)[group])


def _all(places: TrainingRows) -> Rows:
    return np.sort(np.concatenate([places.training, places.validation]))


def sensors_of(store: SampleStore, rows: Rows) -> Rows:
    """Return the sensor number of each row."""
    return np.asarray(store.index.iloc[rows].groupby(list(IDENTITY), sort=False).ngroup(), np.intp)


def _day(store: SampleStore, rows: Rows) -> Numbers:
    return np.asarray(store.index["time"].iloc[rows].dt.day_of_year, np.float64)


def batch_of(store: SampleStore, rows: Rows, needs: InputSpec) -> Batch:
    """Return cells and history of some rows as a batch."""
    cells, history = store.cells(needs.cells, rows), store.history(needs.history, rows)
    index = store.index.iloc[rows]
    places = index[["lat", "lon"]].to_numpy(np.float64)
    return by_own_record(Batch.of_samples(None, cells, history, index["time"].to_numpy(), places), needs)
