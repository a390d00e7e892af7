"""A sample store as one CF dataset, with lazy chips."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from vadose.dataset.layout import LABEL, attrs_of
from vadose.variables import FRM_CLASS, SOIL_MOISTURE

if TYPE_CHECKING:
    from vadose.dataset.store import SampleStore

_SAMPLE = "sample"
_COORDINATES = {
    "lat": {"standard_name": "latitude", "units": "degrees_north"},
    "lon": {"standard_name": "longitude", "units": "degrees_east"},
    "time": {"standard_name": "time", "long_name": "time of the sample, UTC"},
    "depth_from_m": {"long_name": "upper depth of the sensor", "units": "m"},
    "depth_to_m": {"long_name": "lower depth of the sensor", "units": "m"},
    "lag_minutes": {"long_name": "time of the reading minus time of the sample", "units": "minute"},
    "flag": {"long_name": "ISMN quality flag of the reading"},
    "land_cover": {"long_name": "land cover class of the station"},
    "climate": {"long_name": "Koeppen-Geiger class of the station"},
    FRM_CLASS: {"long_name": "FRM class of the sensor"},
}


def to_dataset(store: "SampleStore") -> xr.Dataset:
    """View samples as a dataset, in physical units, NaN where missing.

    Returns:
        <predictor> (sample), means over the sensor's cell; <predictor>_history (sample, step), the latest step first;
        <predictor>_10m (sample, y_10m, x_10m), lazy, the sensor's cell and its halo; the columns of the index as
        coordinates; the in-situ reading if known.
    """
    holds, rows = store.holds, store.rows
    variables: dict[str, Any] = {
        name: (_SAMPLE, store.cells([name], rows)[:, 0], attrs_of(name)) for name in holds.cells
    }
    for name in holds.history.variables:
        variables[f"{name}_history"] = ((_SAMPLE, "step"), store.steps(name, rows), attrs_of(name))
    for plan in store.plans:
        if plan.group == "pixels":
            chips = da.from_array(  # type: ignore[no-untyped-call]
                _ChipArray(store, plan.name, (len(store), *plan.shape)), chunks=(plan.block, *plan.shape), asarray=False
            )
            variables[f"{plan.name}_10m"] = ((_SAMPLE, "y_10m", "x_10m"), chips, attrs_of(plan.name))
    coordinates: dict[str, Any] = {}
    for name in map(str, store.index.columns):
        values = store.index[name].to_numpy()
        held = (_SAMPLE, values.astype(str) if values.dtype == object else values)
        if name == LABEL:
            variables[LABEL] = (*held, SOIL_MOISTURE.attrs | {"long_name": "in-situ soil moisture of the top 5 cm"})
        else:
            coordinates[name] = (*held, _COORDINATES.get(name, {}))
    if holds.history.variables:
        steps = np.arange(holds.history.steps) * holds.history.step_days
        coordinates["step"] = (
            "step",
            steps,
            {"units": "day", "long_name": "time from the end of the step to the sample"},
        )
    return xr.Dataset(variables, coordinates, {"Conventions": "CF-1.11", "featureType": "point"})


@dataclass(frozen=True, eq=False)
class _ChipArray:
    """Lazy array of the chips of one predictor."""

    store: "SampleStore"
    name: str
    shape: tuple[int, ...]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Return the type of the values."""
        return np.dtype(np.float32)

    @property
    def ndim(self) -> int:
        """Return the number of dimensions."""
        return len(self.shape)

    def __getitem__(self, key: tuple[slice | int, ...]) -> NDArray[np.float32]:
        samples, *inner = key if isinstance(key, tuple) else (key,)
        rows = self.store.rows[samples]
        chips = self.store.pixels([self.name], np.atleast_1d(rows), self.store.holds.halo)[:, 0]
        return np.asarray(chips[(slice(None) if rows.ndim else 0, *inner)])
