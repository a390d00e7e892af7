"""Trained models: estimates from datasets and from samples."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import overload

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from vadose.api.archive import LoadSpec
from vadose.api.callbacks import Echo, silent
from vadose.api.inputs import as_store
from vadose.dataset import SampleStore
from vadose.dataset.calibrations import require_physical
from vadose.experiment.predict import estimate_store, predict_store
from vadose.experiment.run import Run
from vadose.export.released import card_of, release_run
from vadose.export.run import export_run
from vadose.fusion.feature_dataset import AREA, cubes_of, held_by, tile_of
from vadose.grid import Tile
from vadose.inference import Ensemble, TileEstimate, estimate_tile, mask_flags
from vadose.inference.calibration import Calibration
from vadose.io.display import Summarised
from vadose.io.paths import StrPath
from vadose.mapping.request import TILE_CELLS
from vadose.maps import Zone, map_arrays
from vadose.maps.cf import CONVENTIONS
from vadose.registry import masks

Samples = Callable[[int, int], None]
"""Called with the number of finished samples and their total."""


class TrainedModel(Summarised):
    """The networks of a run, used as an ensemble.

    Args:
        run: run with its trained networks.

    Raises:
        VadoseError: the folder contains no run, or an incomplete one.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.experiment = run.experiment()
        self.networks = run.networks()

    @cached_property
    def members(self) -> Ensemble:
        """Return the members of all folds and seeds, with their weights."""
        return self.run.members()

    @cached_property
    def calibration(self) -> Calibration:
        """Return the calibration of the standard deviation."""
        return self.run.calibration()

    @property
    def inputs(self) -> LoadSpec:
        """Return the inputs of the model, for `Archive.load`."""
        return LoadSpec(self.members[0].needs, self.experiment.windows)

    @overload
    def predict(self, data: xr.Dataset) -> xr.Dataset: ...
    @overload
    def predict(
        self, data: SampleStore | StrPath, out: StrPath | None = ..., *, progress: Samples = ..., echo: Echo = ...
    ) -> pd.DataFrame: ...
    def predict(
        self,
        data: xr.Dataset | SampleStore | StrPath,
        out: StrPath | None = None,
        *,
        progress: Samples = silent,
        echo: Echo = silent,
    ) -> xr.Dataset | pd.DataFrame:
        """Estimate soil moisture.

        Args:
            data: features that `Archive.load` loaded with `model.inputs`, or a sample store.
            out: Parquet file for the estimates of a store.
            progress: called after each batch of samples.
            echo: called with remarks on the inputs of a store.

        Returns:
            Of features: soil_moisture and soil_moisture_std (m3 m-3), quality (bits of `Quality`; 4294967295
            outside the area) and the ages of the observations (days), (time, y, x), as in a map.
            Of a store: one row per sample, estimated by the networks that were not trained on its sensor;
            seen_in_training is true where all networks were.

        Raises:
            VadoseError: features or samples lack inputs of the model, or have them in other units.
        """
        if isinstance(data, xr.Dataset):
            return self._predict_dataset(data)
        if out is not None:
            path = data.path if isinstance(data, SampleStore) else Path(data)
            return predict_store(self.run.folder, path, Path(out), progress, echo)
        return estimate_store(self.run, as_store(data), progress, echo)[0]

    def export(self, out: StrPath, formats: Sequence[str] = ("onnx",)) -> tuple[Path, ...]:
        """Export the ensemble as one graph, scaling included, with a description of its inputs and its model card.

        Args:
            out: folder of the files.
            formats: "onnx", "pt2" or both.

        Raises:
            VadoseError: the format is unknown, or the estimates of the graph differ from those of the networks.
        """
        return export_run(self.run.folder, Path(out), formats)

    @property
    def card(self) -> str:
        """Return the model card: data, scores with intervals, domain, limits and licence, as Markdown."""
        return card_of(self.run)

    def release(self, out: StrPath, notes: str = "") -> Path:
        """Write the model as a folder to give away: without samples and readings, with its card.

        Args:
            out: folder of the model; every function and command takes it as a run.
            notes: Markdown that is added to the card, such as scores at other places.

        Raises:
            VadoseError: the run is incomplete, or `out` is the result of another request.
        """
        return release_run(self.run, Path(out), notes)

    def _predict_dataset(self, features: xr.Dataset) -> xr.Dataset:
        spec = self.members[0].needs
        require_physical(self.run.input_calibrations(), spec.names)
        timed = features if "time" in features.dims else features.expand_dims("time")
        ground = tile_of(timed)
        held = spec.met_by(held_by(timed))
        parts: dict[int, list[TileEstimate]] = {number: [] for number in range(timed.sizes["time"])}
        for number, _, cube in cubes_of(timed, held, TILE_CELLS):
            estimate = estimate_tile(self.members, cube, self.calibration, self.experiment.windows)
            known = all(name in cube.cells for name in masks())
            parts[number].append(estimate.flagged(mask_flags(cube)) if known else estimate)
        inside = timed[AREA].values if AREA in timed.coords else np.ones(tuple(ground.cells.shape), bool)
        maps = [_joined(ground.with_halo(0), of_time, inside) for of_time in parts.values()]
        whole = xr.concat(
            maps, "time", data_vars="all", coords="minimal", compat="override", join="exact", combine_attrs="override"
        ).assign_coords(time=timed["time"])
        kept = {name: text for name, text in features.attrs.items() if name in ("declaration", "comment")}
        whole = whole.assign_attrs(Conventions=CONVENTIONS, title="Soil moisture of the top 5 cm", **kept)
        return whole if "time" in features.dims else whole.isel(time=0)

    def _summary(self) -> tuple[str, Mapping[str, object]]:
        spec, experiment = self.experiment.network_needs, self.experiment
        past = spec.history
        rows: dict[str, object] = {
            "run": self.run.folder,
            "networks": len(self.networks),
            "pixels of 10 m": ", ".join(spec.pixels) or "none",
            "cells of 320 m": ", ".join(spec.cells) or "none",
            "history": f"{', '.join(past.variables)}: {past.steps} steps of {past.step_days:g} days"
            if past.variables
            else "none",
            "calibration": f"standard deviation x {self.calibration.whole:.2f}, of {self.calibration.sensors} sensors",
        }
        return f"Model '{experiment.name}'{' (trained on a simulated Earth)' if experiment.simulated else ''}", rows


def load_model(run: "Run | StrPath | TrainedModel") -> TrainedModel:
    """Load the networks of a run.

    Args:
        run: folder that `train` or `release` wrote, or the name of a released model, such as "conus-10day".

    Raises:
        VadoseError: the folder contains no run, or an incomplete one.
    """
    if isinstance(run, TrainedModel):
        return run
    return TrainedModel(run if isinstance(run, Run) else Run(Path(run)))


def _joined(ground: Tile, parts: Sequence[TileEstimate], inside: NDArray[np.bool_]) -> xr.Dataset:
    """Return the estimates of the tiles of a rectangle as map layers."""
    zone = Zone(ground)
    for part in parts:
        layers = map_arrays(part.tile.cells, part.mean, part.std, part.quality, part.ages)
        zone.put(part.tile, layers, inside[zone.window(part.tile)])
    return zone.of(ground)
