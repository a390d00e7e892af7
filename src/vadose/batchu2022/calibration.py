"""Calibrations of published numbers in a predictor's units: fitted to products, or an assumed range.

The release does not state units. An assumed range maps 0..255 to the plausible values of the quantity. It is sufficient
for training and evaluation within the published set, where any linear scale is equivalent, but is unrelated to physical
units: products cannot replace such numbers.
"""

from collections.abc import Mapping
from types import MappingProxyType

from vadose.batchu2022.features import FEATURES, MISSING, PUBLISHED
from vadose.batchu2022.units import HIGHEST, LOWEST, UnitFit
from vadose.dataset.calibrations import LinearCalibration, refused_units
from vadose.registry import PREDICTORS

ASSUMED_RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "vv": (-30.0, 0.0),
        "vh": (-40.0, -10.0),
        "incidence_angle": (20.0, 50.0),
        **dict.fromkeys(("B02", "B03", "B04", "B08", "B11", "B12"), (0.0, 1.0)),
        **dict.fromkeys(("sand", "silt", "clay"), (0.0, 1.0)),
        "bulk_density": (0.0, 2550.0),
        **dict.fromkeys(("smap", "gldas"), (0.0, 1.0)),
    }
)
"""Assumed values of 0 and 255, by predictor: dB of powers, else its own units."""
PIXELS = ("vv", "vh", "incidence_angle", "B04", "B03", "B02", "B08", "B11", "B12", "elevation")
"""Predictors whose images are stored; of soil images only the mean over the sensor's cell is."""
FEATURE_OF: Mapping[str, str] = MappingProxyType(
    {one.predictor: name for name, one in FEATURES.items() if one.predictor}
)
"""Published feature of each predictor."""


def units_of(predictor: str) -> str:
    """Return the units in which its published numbers are fitted."""
    variable = PREDICTORS[predictor]
    return "dB" if variable.decibel else variable.units


def lines(fits: Mapping[str, UnitFit] | None = None) -> dict[str, LinearCalibration]:
    """Return the calibration of every predictor in published units: fitted if there is a fit.

    Args:
        fits: fits by feature.

    Raises:
        VadoseError: a fit is of an unknown feature, in other units, or exceeds the range of the quantity.
    """
    held = dict(fits or {})
    known = {FEATURE_OF[name]: name for name in ASSUMED_RANGES}
    for feature, fit in held.items():
        _check(feature, fit, known.get(feature))
    return {
        name: _calibration_of(held[feature]) if feature in held else _nominal(name, feature)
        for feature, name in known.items()
    }


def _nominal(predictor: str, feature: str) -> LinearCalibration:
    low, high = ASSUMED_RANGES[predictor]
    return LinearCalibration(predictor, feature, PUBLISHED, (high - low) / HIGHEST, low, missing=MISSING)


def _calibration_of(fit: UnitFit) -> LinearCalibration:
    return LinearCalibration(
        FEATURES[fit.feature].predictor,
        fit.feature,
        PUBLISHED,
        fit.scale,
        fit.offset,
        "fitted",
        MISSING,
        fit.residual,
        fit.r,
        fit.count,
    )


def _check(feature: str, fit: UnitFit, predictor: str | None) -> None:
    if predictor is None or fit.feature != feature:
        raise refused_units(
            feature, "It is not a published feature of a predictor", "Fit those with 'vadose samples fit-units'"
        )
    if fit.units != units_of(predictor):
        raise refused_units(feature, f"They are fitted in {fit.units}, not {units_of(predictor)}", "Fit them again")
    low, high = PREDICTORS[predictor].valid_range
    slack = 0.0 if predictor in PIXELS else 0.05 * (high - low)
    ends = _calibration_of(fit).values([LOWEST + 1, HIGHEST])
    if not ((ends >= low - slack) & (ends <= high + slack)).all():
        raise refused_units(
            feature,
            f"The fitted line ranges from {ends.min():g} to {ends.max():g}, beyond {low:g}..{high:g} "
            f"{PREDICTORS[predictor].units}",
            "Fit it again over more overlaps",
        )
