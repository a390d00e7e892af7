"""Estimates of samples: one row per sensor and time."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from vadose.dataset import SampleStore, batches
from vadose.dataset.layout import LABEL
from vadose.errors import VadoseError
from vadose.inference.calibration import UNCALIBRATED, Calibration
from vadose.inference.ensemble import combine
from vadose.inference.quality import Flags, absent, any_observed, missing_source_flags, out_of_distribution
from vadose.models import Batch, Model, by_own_record, mask_sources, sources_of
from vadose.variables import IDENTITY

KEYS = (*IDENTITY, "lat", "lon", "time")


def estimate_points(
    models: Sequence[Model],
    store: SampleStore,
    rows: NDArray[np.intp] | None = None,
    batch_size: int = 256,
    report: Callable[[int, int], None] = lambda *_: None,
    calibration: Calibration = UNCALIBRATED,
    lacking: str = "",
) -> pd.DataFrame:
    """Estimate samples by one model or by an ensemble.

    Args:
        models: models with the same needs, which the store must meet.
        store: store of samples; labels are not needed.
        rows: rows of the samples; by default all.
        batch_size: number of samples per batch.
        report: called with the number of finished samples and their total.
        calibration: calibration of the standard deviation.
        lacking: a source to be treated as missing.

    Returns:
        One row per sample, in the order of `rows`: network, station, sensor, lat, lon, time, soil_moisture and
        soil_moisture_std (m3 m-3), quality (bits of `Quality`), absent (bits of the sources observed neither at the
        time nor in the history), and soil_moisture_in_situ (m3 m-3) where the store has labels. Estimates are NaN where
        no needed source was observed, neither at the time nor in the history.

    Raises:
        VadoseError: there are no samples, or the store lacks needs of the models; the message lists all of them.
    """
    rows = store.rows if rows is None else rows
    if not len(rows):
        raise VadoseError(f"estimate: samples of {store.path}", "There are none", "Give a store, or rows, with samples")
    needs = models[0].needs
    parts = []
    done = 0
    held = needs.met_by(store.holds.names)
    for samples in batches(store, rows, held, batch_size=batch_size, seed=0, shuffle=False):
        places = store.index.iloc[samples.rows][["lat", "lon"]].to_numpy(np.float64)
        raw = Batch.of_samples(samples.pixels, samples.cells, samples.history, samples.times, places)
        batch = by_own_record(raw, needs)
        if lacking:
            sources = sources_of(needs)
            batch = mask_sources(batch, needs, sources, torch.tensor([[source == lacking for source in sources]]))
        estimate, silent = combine(models, batch), absent(batch, needs)
        std = estimate.std * calibration.factor(silent)
        quality = missing_source_flags(batch, needs) | out_of_distribution(models, batch)
        parts.append(_table(estimate.mean, std, quality, silent, any_observed(batch, needs)))
        done += len(samples.rows)
        report(done, len(rows))
    index = store.index.iloc[rows].reset_index(drop=True)
    known = [name for name in (*KEYS, LABEL) if name in index.columns]
    return pd.concat([index[known], pd.concat(parts, ignore_index=True)], axis=1)


def _table(
    mean: NDArray[np.float32], std: NDArray[np.float32], quality: Flags, silent: Flags, seen: NDArray[np.bool_]
) -> pd.DataFrame:
    blank = ~seen.astype(bool)
    return pd.DataFrame(
        {
            "soil_moisture": np.where(blank, np.nan, mean)[:, 0, 0].astype(np.float32),
            "soil_moisture_std": np.where(blank, np.nan, std)[:, 0, 0].astype(np.float32),
            "quality": quality[:, 0, 0].astype(np.uint32),
            "absent": silent[:, 0, 0],
        }
    )
