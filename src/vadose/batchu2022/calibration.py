"""By which line a published number is read in a predictor's units: fitted to real products, or merely nominal.

The release tells no units. A nominal line spreads 0..255 over a range that the quantity plausibly has. It serves for
training and judging within the published set, where any line does as well as another, and says nothing of physical
units: no live product can stand in for such numbers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vadose.batchu2022.features import FEATURES, MISSING, PUBLISHED
from vadose.batchu2022.units import HIGHEST, LOWEST, UnitFit
from vadose.dataset.packing import Packing
from vadose.errors import Refusal
from vadose.variables import PREDICTORS

NOMINAL: Mapping[str, tuple[float, float]] = MappingProxyType(
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
"""What 0 and 255 are taken for, by predictor: dB of powers, else its own units."""
PIXELS = ("vv", "vh", "incidence_angle", "B04", "B03", "B02", "B08", "B11", "B12", "elevation")
"""Predictors whose images are kept; of the soil only the mean over the sensor's cell is."""
FEATURE_OF: Mapping[str, str] = MappingProxyType(
    {one.predictor: name for name, one in FEATURES.items() if one.predictor}
)
"""The published feature of each predictor."""


@dataclass(frozen=True)
class Line:
    """value = scale * published + offset.

    Attributes:
        feature: the published feature.
        units: of the published numbers.
        scale, offset: in the predictor's units, in dB for a linear power.
        line: fitted to real products, or nominal.
        residual: root mean square of what a fitted line leaves, in the same units.
        r: Pearson correlation of the pairs that it was fitted to.
        count: of these pairs.
    """

    feature: str
    units: str
    scale: float
    offset: float
    line: Literal["nominal", "fitted"] = "nominal"
    residual: float | None = None
    r: float | None = None
    count: int = 0

    @property
    def predictor(self) -> str:
        """What its values are."""
        return FEATURES[self.feature].predictor

    @property
    def packing(self) -> Packing:
        """Chips that keep the published numbers as they are."""
        return Packing(self.scale, self.offset, PREDICTORS[self.predictor].decibel, "uint8")

    def values(self, published: ArrayLike) -> NDArray[np.float32]:
        """Published numbers in the predictor's units; `MISSING` becomes NaN."""
        numbers = np.asarray(published, np.float32)
        level = numbers * self.scale + self.offset
        values = 10 ** (level / 10) if PREDICTORS[self.predictor].decibel else level
        return np.where(np.isnan(numbers) | (numbers == MISSING), np.nan, values).astype(np.float32)


def units_of(predictor: str) -> str:
    """The units in which its published numbers are fitted."""
    variable = PREDICTORS[predictor]
    return "dB" if variable.decibel else variable.units


def lines(fits: Mapping[str, UnitFit] | None = None) -> dict[str, Line]:
    """The line of every predictor that the release publishes in units of its own: fitted where there is a fit.

    Args:
        fits: by feature.

    Raises:
        Refusal: a fit is of no such feature, in other units, or reaches beyond what the quantity can be.
    """
    held = dict(fits or {})
    known = {FEATURE_OF[name]: name for name in NOMINAL}
    for feature, fit in held.items():
        _check(feature, fit, known.get(feature))
    return {
        name: _fitted(held[feature]) if feature in held else _nominal(name, feature) for feature, name in known.items()
    }


def from_dict(told: Mapping[str, Mapping[str, Any]]) -> dict[str, Line]:
    """Lines as a declaration tells them.

    Raises:
        Refusal: it tells something else.
    """
    try:
        return {name: Line(**one) for name, one in told.items()}
    except TypeError as error:
        raise _refused("a declaration", str(error), "Build the store again") from error


def to_dict(held: Mapping[str, Line]) -> dict[str, dict[str, Any]]:
    """As JSON can hold it, by predictor."""
    return {name: asdict(one) for name, one in held.items()}


def fits_of(held: Iterable[Line]) -> dict[str, UnitFit]:
    """The fits among some lines, by feature."""
    return {
        one.feature: UnitFit(
            one.feature, units_of(one.predictor), one.scale, one.offset, one.residual, one.r or 0.0, one.count
        )
        for one in held
        if one.line == "fitted" and one.residual is not None
    }


def _nominal(predictor: str, feature: str) -> Line:
    low, high = NOMINAL[predictor]
    return Line(feature, PUBLISHED, (high - low) / HIGHEST, low)


def _fitted(fit: UnitFit) -> Line:
    return Line(fit.feature, PUBLISHED, fit.scale, fit.offset, "fitted", fit.residual, fit.r, fit.count)


def _check(feature: str, fit: UnitFit, predictor: str | None) -> None:
    if predictor is None or fit.feature != feature:
        raise _refused(feature, "It is no published feature of a predictor", "Fit those with 'vadose samples units'")
    if fit.units != units_of(predictor):
        raise _refused(feature, f"They are fitted in {fit.units}, not {units_of(predictor)}", "Fit them again")
    low, high = PREDICTORS[predictor].valid_range
    slack = 0.0 if predictor in PIXELS else 0.05 * (high - low)
    ends = _fitted(fit).values([LOWEST + 1, HIGHEST])
    if not ((ends >= low - slack) & (ends <= high + slack)).all():
        raise _refused(
            feature,
            f"The fitted line reaches from {ends.min():g} to {ends.max():g}, beyond {low:g}..{high:g} "
            f"{PREDICTORS[predictor].units}",
            "Fit it again over more overlaps",
        )


def _refused(what: str, found: str, remedy: str) -> Refusal:
    return Refusal(f"published: units of {what}", found, remedy)
