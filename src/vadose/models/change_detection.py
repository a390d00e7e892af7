"""Change detection on Sentinel-1: backscatter between the dry and the wet reference of each place."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vadose.fusion import InputSpec
from vadose.models.batch import Batch, Estimate
from vadose.models.derived_variables import in_decibel

REFERENCE_ANGLE = 40.0
"""Incidence angle to which backscatter is normalised, degrees."""
DRY_QUANTILE, WET_QUANTILE = 0.05, 0.95
"""Quantiles of a place's own history for the dry and wet reference, so that no single scene sets one."""
FEWEST_STEPS = 8
"""Smallest number of observed steps for references."""
OLDEST_DAYS = 30.0
"""Maximum age of the latest scene."""
SMALLEST_RANGE_DB = 0.5
"""Smallest distance between the references, dB."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class ChangeDetection:
    """Change detection of TU Wien on Sentinel-1 VV, made comparable with volumetric sensors.

    Backscatter is normalised to 40 degrees by a slope, and scaled between the dry and the wet reference of the place's
    own history to a relative surface soil moisture of 0..100 % (Wagner, Lemoine and Rott, Remote Sens. Environ.
    70:191-207, 1999; on Sentinel-1: Bauer-Marschallinger et al., IEEE TGRS 57:520-539, 2019, doi
    10.1109/TGRS.2018.2858004). Unlike there, the references come from the steps of the history alone, and one slope is
    used for all places. The index has no units of m3 m-3: `dry` and `gain` are its linear fit to the labels of the
    training sensors.

    Attributes:
        needs: a history of `vv` and `incidence_angle`.
        slope: change of backscatter with the incidence angle, dB per degree.
        dry: soil moisture at a relative saturation of 0 %, m3 m-3.
        gain: soil moisture between 0 and 100 %, m3 m-3.
        spread: standard deviation of the error over training samples, m3 m-3.
    """

    needs: InputSpec
    slope: float
    dry: float
    gain: float
    spread: float

    def estimate(self, batch: Batch) -> Estimate:
        """Return the fitted index; NaN where the latest scene is too old, or the history too short for references."""
        mean = (self.dry + self.gain / 100 * saturation(batch, self.needs, self.slope)).astype(np.float32).clip(0, 1)
        return Estimate(mean, np.where(np.isfinite(mean), np.float32(self.spread), np.float32(np.nan)))


def saturation(batch: Batch, needs: InputSpec, slope: float) -> Floats:
    """Return relative saturation, %, (batch, y, x); NaN without a recent scene or with too short a history."""
    vv_db, angle = looks(batch, needs)
    levelled = vv_db - slope * (angle - REFERENCE_ANGLE)
    dry, wet = _references(levelled)
    recent = max(int(OLDEST_DAYS // needs.history.step_days), 1)
    relative = 100 * (_first(levelled[:, :recent]) - dry) / (wet - dry)
    return np.asarray(relative.clip(0, 100), np.float32)


def looks(batch: Batch, needs: InputSpec) -> tuple[Floats, Floats]:
    """Return backscatter in dB and incidence angle in degrees of each step, (batch, step, y, x), the latest first."""
    names = needs.history.variables
    vv = in_decibel(batch.history[:, :, names.index("vv")])
    return vv.numpy(), batch.history[:, :, names.index("incidence_angle")].numpy()


def _references(levelled: Floats) -> tuple[Floats, Floats]:
    """Return dry and wet backscatter of each cell's history, dB, (batch, y, x); NaN where they are too close."""
    enough = np.isfinite(levelled).sum(axis=1, keepdims=True) >= FEWEST_STEPS
    known = np.where(enough, levelled, 0.0)
    dry, wet = np.nanquantile(known, [DRY_QUANTILE, WET_QUANTILE], axis=1)
    apart = wet - dry >= SMALLEST_RANGE_DB
    return np.where(apart, dry, np.nan), np.where(apart, wet, np.nan)


def _first(values: Floats) -> Floats:
    """Return the first finite value along axis 1; NaN where there is none."""
    there = np.isfinite(values)
    return np.asarray(np.take_along_axis(values, there.argmax(axis=1)[:, np.newaxis], axis=1)[:, 0], np.float32)
