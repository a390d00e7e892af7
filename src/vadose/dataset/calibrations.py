"""Linear calibrations of predictors that are stored in units other than those of the products."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vadose.dataset.packing import Packing
from vadose.errors import VadoseError
from vadose.registry import PREDICTORS

if TYPE_CHECKING:
    from vadose.dataset.store import SampleStore

CALIBRATIONS = "calibrations"
"""Key of a store's and of a checkpoint's provenance: the calibration of each predictor that has one."""
RESIDUAL_STEPS = 3.0
"""Largest residual of a fitted calibration, in steps of the stored number, for which products may replace it."""


@dataclass(frozen=True)
class LinearCalibration:
    """value = scale * stored + offset.

    Attributes:
        predictor: name of the variable.
        feature: its name in the original data set.
        units: units of the stored numbers.
        scale, offset: in the predictor's units, in dB for a linear power.
        method: fitted to products, or an assumed range of values.
        missing: stored number of a missing value.
        residual: root mean square of the residuals of a fit, in the same units.
        r: Pearson correlation of the pairs of a fit.
        count: number of these pairs.
    """

    predictor: str
    feature: str
    units: str
    scale: float
    offset: float
    method: Literal["assumed", "fitted"] = "assumed"
    missing: float = 0.0
    residual: float | None = None
    r: float | None = None
    count: int = 0

    @property
    def residual_steps(self) -> float | None:
        """Return the residual in steps of the stored number; rounding alone causes 0.29."""
        return None if self.residual is None else self.residual / abs(self.scale)

    @property
    def packing(self) -> Packing:
        """Return the packing of chips that keeps the stored numbers unchanged."""
        return Packing(self.scale, self.offset, PREDICTORS[self.predictor].decibel, "uint8")

    def values(self, stored: ArrayLike) -> NDArray[np.float32]:
        """Convert stored numbers to the predictor's units; missing values become NaN."""
        numbers = np.asarray(stored, np.float32)
        level = numbers * self.scale + self.offset
        values = 10 ** (level / 10) if PREDICTORS[self.predictor].decibel else level
        return np.where(np.isnan(numbers) | (numbers == self.missing), np.nan, values).astype(np.float32)


InputCalibrations = Mapping[str, LinearCalibration]
"""By predictor."""


def to_dict(calibrations: InputCalibrations) -> dict[str, dict[str, Any]]:
    """Convert calibrations to JSON types, by predictor."""
    return {name: asdict(one) for name, one in calibrations.items()}


def from_dict(content: Mapping[str, Mapping[str, Any]]) -> dict[str, LinearCalibration]:
    """Read calibrations from the output of `to_dict`.

    Raises:
        VadoseError: a key is unknown or missing.
    """
    try:
        return {name: LinearCalibration(**one) for name, one in content.items()}
    except TypeError as error:
        raise refused_units("the provenance", str(error), "Build the store again") from error


def calibrations_of(store: "SampleStore") -> dict[str, LinearCalibration]:
    """Return the calibrations of a store's predictors; empty for a store of products."""
    return from_dict(store.calibrations)


def provenance_of(store: "SampleStore") -> dict[str, Any]:
    """Return the entry of a checkpoint's provenance; empty for a store of products."""
    return {CALIBRATIONS: dict(store.calibrations)} if store.calibrations else {}


def require_physical(calibrations: InputCalibrations, names: Collection[str]) -> None:
    """Require that products can replace the stored numbers that a model was trained on.

    Args:
        calibrations: calibrations of its samples.
        names: predictors that it reads.

    Raises:
        VadoseError: a calibration is assumed, or fitted with a large residual; each is named.
    """
    poor = [_fault(one) for name, one in calibrations.items() if name in names and _fault(one)]
    if poor:
        raise refused_units(
            ", ".join(poor),
            f"Products are in physical units, and a fit with a residual of at most {RESIDUAL_STEPS:g} steps is needed",
            "Fit scale and offset over overlapping products with 'vadose samples fit-units', and import with --units",
        )


def require_same(calibrations: InputCalibrations, store: "SampleStore", names: Collection[str]) -> None:
    """Require that the samples of a store have the units of the training samples of a model.

    Raises:
        VadoseError: the units differ and are not both physical.
    """
    stored = calibrations_of(store)
    if not stored:
        require_physical(calibrations, names)
        return
    different = sorted(name for name in names if _line(calibrations.get(name)) != _line(stored.get(name)))
    if different:
        raise refused_units(
            f"{', '.join(different)} of {store.path}",
            "The training samples have them in other units"
            if calibrations
            else "The run was trained on products, and these are published numbers",
            "Give samples that were imported with the same --units, or of products",
        )


def units_note(calibrations: InputCalibrations, names: Iterable[str]) -> str:
    """Return a note on the units of predictors beside their scores; "" if all have the units of products."""
    wanted = set(names)
    methods: dict[str, list[str]] = {"assumed": [], "fitted": []}
    for name, one in calibrations.items():
        if name in wanted:
            methods[one.method].append(name)
    meanings = {
        "assumed": "are published 0-255 units with an assumed range, not physical",
        "fitted": "are published 0-255 units, calibrated against products",
    }
    parts = [f"{', '.join(found)} {meanings[method]}" for method, found in methods.items() if found]
    return f"Units: {'; '.join(parts)}." if parts else ""


def merged(provenance: Iterable[Mapping[str, Any]]) -> dict[str, LinearCalibration]:
    """Return the calibrations in the provenance of several checkpoints."""
    return from_dict(dict(item for one in provenance for item in one.get(CALIBRATIONS, {}).items()))


def _fault(one: LinearCalibration) -> str:
    if one.residual_steps is None:
        return f"{one.feature} (no fit)"
    return f"{one.feature} (residual of {one.residual_steps:.2g} steps)" if one.residual_steps > RESIDUAL_STEPS else ""


def _line(one: LinearCalibration | None) -> tuple[float, float] | None:
    return (one.scale, one.offset) if one else None


def refused_units(what: str, found: str, remedy: str) -> VadoseError:
    """Return the error of invalid or unsuitable units of published numbers."""
    return VadoseError(f"published: units of {what}", found, remedy)
