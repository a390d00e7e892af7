"""Interface of all models: input batch and estimate."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float32
from numpy.typing import NDArray

from vadose.fusion import FeatureCube, InputSpec
from vadose.grid import cell_centres


def _unknown() -> torch.Tensor:
    return torch.full((1,), torch.nan)


def _nowhere() -> torch.Tensor:
    return torch.full((1, 2, 1, 1), torch.nan)


@dataclass(frozen=True, eq=False)
class Batch:
    """Inputs of several places or times, in the order of a model's needs; physical units, NaN where missing.

    Attributes:
        pixels: pixels at 10 m, halo included.
        cells: cells at 320 m, halo excluded.
        history: history at 320 m, the latest step first.
        day_of_year: day of the year of the estimate, 1..366; NaN if unknown.
        place: latitude and longitude of each cell, degrees; NaN if unknown.
    """

    pixels: Float32[torch.Tensor, "batch channel pixel_y pixel_x"]
    cells: Float32[torch.Tensor, "batch variable y x"]
    history: Float32[torch.Tensor, "batch step variable y x"]
    day_of_year: Float32[torch.Tensor, " #batch"] = field(default_factory=_unknown)
    place: Float32[torch.Tensor, "#batch 2 #y #x"] = field(default_factory=_nowhere)

    @classmethod
    def of_samples(
        cls,
        pixels: NDArray[np.float32] | None,
        cells: NDArray[np.float32],
        history: NDArray[np.float32],
        times: NDArray[np.datetime64] | None = None,
        places: NDArray[np.float64] | None = None,
    ) -> "Batch":
        """Return a batch of single cells.

        Args:
            pixels: (sample, channel, y, x) or None.
            cells: (sample, variable).
            history: (sample, step, variable).
            times: (sample,), UTC; by default the day of the year is unknown.
            places: (sample, 2), latitude and longitude in degrees; by default unknown.
        """
        empty = np.zeros((len(cells), 0, 0, 0), np.float32)
        return cls(
            torch.from_numpy(empty if pixels is None else pixels),
            torch.from_numpy(cells)[..., None, None],
            torch.from_numpy(history)[..., None, None],
            _unknown() if times is None else _day_of_year(times),
            _nowhere() if places is None else torch.from_numpy(places.astype(np.float32))[..., None, None],
        )

    @classmethod
    def of_inputs(cls, inputs: FeatureCube, needs: InputSpec) -> "Batch":
        """Return a batch of one tile."""
        return cls(
            torch.from_numpy(_stacked(inputs.pixels, needs.pixels, 0))[None],
            torch.from_numpy(_stacked(inputs.cells, needs.cells, 0))[None],
            torch.from_numpy(_stacked(inputs.history, needs.history.variables, 1))[None],
            _day_of_year(np.array([inputs.time])),
            torch.from_numpy(np.stack(cell_centres(inputs.tile)[::-1]).astype(np.float32))[None],
        )

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on another device; the copy from pinned memory is asynchronous."""
        parts = (self.pixels, self.cells, self.history, self.day_of_year, self.place)
        return Batch(*(part.to(device, non_blocking=True) for part in parts))


@dataclass(frozen=True, eq=False)
class Estimate:
    """Soil moisture of the top 5 cm in each cell, m3 m-3, (batch, y, x).

    Attributes:
        mean: expected value.
        std: standard deviation of the error.
    """

    mean: NDArray[np.float32]
    std: NDArray[np.float32]


class Model(Protocol):
    """Interface of the network, its baselines and the products: inputs to estimate."""

    @property
    def needs(self) -> InputSpec:
        """Return the input specification."""
        ...

    def estimate(self, batch: Batch) -> Estimate:
        """Return mean and standard deviation of every cell; NaN where the model has no input."""
        ...


def _day_of_year(times: NDArray[np.datetime64]) -> torch.Tensor:
    days = times.astype("datetime64[D]")
    return torch.from_numpy(((days - days.astype("datetime64[Y]")).astype(np.float32) + 1).astype(np.float32))


def _stacked(dataset: xr.Dataset, names: tuple[str, ...], axis: int) -> NDArray[np.float32]:
    if names:
        return np.stack([dataset[name].values for name in names], axis=axis).astype(np.float32)
    shape = [dataset.sizes.get(dim, 0) for dim in ("y", "x")]
    return np.zeros((0, *shape) if axis == 0 else (0, 0, *shape), np.float32)
