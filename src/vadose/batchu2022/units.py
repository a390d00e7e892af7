"""Physical units of published numbers: a linear fit where a published image overlaps a product."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vadose.dataset.calibrations import refused_units
from vadose.io.files import metadata, read_json, write_json

KIND = "published units"
FEWEST = 100
"""Smallest number of pairs for a fit."""
LOWEST, HIGHEST = 0, 255
"""Published numbers that mark missing values or values beyond the range."""


@dataclass(frozen=True)
class UnitFit:
    """value = scale * published + offset, with its goodness of fit.

    Attributes:
        feature: the published feature.
        units: units of the product, "dB" for powers fitted in decibel.
        scale, offset: in these units.
        residual: root mean square residual, in these units.
        r: Pearson correlation of the pairs.
        count: number of pairs.
    """

    feature: str
    units: str
    scale: float
    offset: float
    residual: float
    r: float
    count: int

    @property
    def residual_steps(self) -> float:
        """Return the residual in steps of the published number; rounding alone causes 0.29."""
        return self.residual / abs(self.scale)


def fit(feature: str, units: str, published: ArrayLike, product: ArrayLike) -> UnitFit:
    """Fit a line by least squares, over pairs with both values.

    Published 0 and 255 are left out, as they may be clipped or missing. The product is the dependent variable: its
    expected value for a published number is needed.

    Args:
        feature: its name.
        units: units of the product.
        published: numbers of 0 to 255, of any shape.
        product: values of the same pixels at the same time, NaN where missing.

    Raises:
        VadoseError: the shapes differ, there are too few pairs, or either is constant.
    """
    numbers, values = np.asarray(published, np.float64), np.asarray(product, np.float64)
    if numbers.shape != values.shape:
        raise refused_units(feature, f"Their shapes are {numbers.shape} and {values.shape}", "Bring both onto one grid")
    paired = (numbers > LOWEST) & (numbers < HIGHEST) & np.isfinite(values)
    x, y = numbers[paired], values[paired]
    if x.size < FEWEST:
        raise refused_units(feature, f"{x.size} pairs have a value", f"Give at least {FEWEST}")
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        raise refused_units(feature, "One of them is constant", "Give overlaps with varying values")
    dx, dy = x - x.mean(), y - y.mean()
    scale = float((dx @ dy) / (dx @ dx))
    if scale == 0:
        raise refused_units(feature, "They are not correlated", "Give overlaps of the same place and time")
    offset = float(y.mean() - scale * x.mean())
    residual = float(np.sqrt(np.mean((y - scale * x - offset) ** 2)))
    r = float((dx @ dy) / np.sqrt((dx @ dx) * (dy @ dy)))
    return UnitFit(feature, units, scale, offset, residual, r, int(x.size))


def to_dict(fits: Mapping[str, UnitFit]) -> dict[str, dict[str, Any]]:
    """Return fits in JSON types, by feature."""
    return {name: asdict(one) for name, one in fits.items()}


def from_dict(content: Mapping[str, Mapping[str, Any]]) -> dict[str, UnitFit]:
    """Return the inverse of `to_dict`.

    Raises:
        VadoseError: a key is missing or unknown, or a line is not finite.
    """
    try:
        fits = {name: UnitFit(**one) for name, one in content.items()}
        lines = np.array([(one.scale, one.offset, one.residual) for one in fits.values()], np.float64)
    except (TypeError, ValueError, AttributeError) as error:
        raise refused_units("saved fits", str(error), "Fit them again") from error
    if not np.isfinite(lines).all() or any(one.scale == 0 for one in fits.values()):
        raise refused_units("saved fits", "One of them is not a line", "Fit them again")
    return fits


def write(path: Path, fits: Mapping[str, UnitFit], made_from: Mapping[str, Any]) -> None:
    """Write fits as JSON, with their provenance."""
    write_json(path, metadata(KIND, made_from) | {"features": to_dict(fits)})


def read(path: Path) -> dict[str, UnitFit]:
    """Return fits from a file of `write`.

    Raises:
        VadoseError: it is unreadable, or contains no fits.
    """
    try:
        content = read_json(path)
        kind, features = content["kind"], content["features"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise refused_units(
            str(path), f"They cannot be read ({error})", "Give what 'vadose samples fit-units' wrote"
        ) from error
    if kind != KIND:
        raise refused_units(str(path), f"It is of the kind '{kind}'", "Give what 'vadose samples fit-units' wrote")
    return from_dict(features)
