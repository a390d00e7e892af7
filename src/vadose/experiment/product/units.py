"""From the units of a product to m3 m-3; what cannot be told for certain is refused."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.evaluation.predictions import LABEL, PLAUSIBLE, SENSOR
from vadose.experiment.product.described import Product
from vadose.refusal import Refusal

Floats = NDArray[np.float64]

VOLUME = {"m3 m-3", "m3/m3", "m^3/m^3", "m**3/m**3", "m^3 m^-3", "m**3 m**-3", "cm3 cm-3", "cm3/cm3", "cm**3/cm**3"}
MASS = {"kg m-2", "kg/m2", "kg m**-2", "kg m^-2", "mm"}
PER_CENT = {"%", "percent", "per cent"}
_KG_M3 = 1000.0
"""Density of water."""


def to_volume(values: Floats, units: str, product: Product) -> tuple[Floats, str]:
    """Soil moisture, m3 m-3, or saturation 0..1; and how it was made, empty where nothing was done.

    Args:
        values: as the file has them, NaN where it has none.
        units: of the file.
        product: whose `units` go before those of the file.

    Raises:
        Refusal: units that are not known, may mean two things, or are belied by the values.
    """
    told = (product.units or units).strip()
    made, words = _way(told, units.strip(), product)(values)
    least, most = _ends(made)
    low, high = PLAUSIBLE
    if least < low:
        raise _belied(product, told, f"its least value is {least:g}", "Give fill values their _FillValue")
    if most > high:
        raise _belied(product, told, f"its greatest value is {most:g} m3 m-3", _GUESS)
    return made, words


def rescaled(table: pd.DataFrame, product: Product) -> tuple[pd.DataFrame, str]:
    """A table whose mean is saturation, scaled to m3 m-3, and how that was done.

    Raises:
        Refusal: no way was named, or the table lacks the porosity.
    """
    if product.rescale == "sensor":
        sensors = table.groupby(SENSOR, observed=True)[LABEL]
        least, most = sensors.transform("min"), sensors.transform("max")
        words = (
            "relative saturation, rescaled to the least and greatest reading of each sensor: its bias, RMSE and ubRMSE "
            "are not its own"
        )
        return table.assign(mean=least + table["mean"] * (most - least)), words
    if product.rescale == "porosity" and (product.porosity or "porosity" in table):
        porosity = product.porosity or table["porosity"]
        words = f"relative saturation times porosity ({product.porosity or 'of each sensor, from its table'})"
        return table.assign(mean=table["mean"] * porosity), words
    lacking = "no porosity" if product.rescale else "no way to scale it"
    raise Refusal(
        f"{product.name}: relative saturation in m3 m-3",
        f"There is {lacking}",
        "Give --rescale sensor (least and greatest reading of each sensor), or --rescale porosity with --porosity 0.45",
    )


def is_saturation(product: Product, units: str) -> bool:
    """Whether the product is relative saturation."""
    return (product.units or units).strip() == "saturation"


_GUESS = "Name them: --units '%' for volumetric per cent, --units saturation, or --units 'kg m-2' with --layer-m 0.1"


def _way(units: str, file_units: str, product: Product) -> Callable[[Floats], tuple[Floats, str]]:
    if units in VOLUME:
        return lambda values: (values, "")
    if units in MASS:
        depth = product.layer_m
        if depth is None:
            raise Refusal(
                f"{product.name}: {units} in m3 m-3",
                "The depth of the layer is not told",
                "Give it by --layer-m, such as 0.1 for 0 to 10 cm",
            )
        return lambda values: (values / (_KG_M3 * depth), f"{units}, divided by a layer of {depth:g} m")
    if units == "saturation":
        return lambda values: (_fraction(values, file_units), "")
    if product.units == "%":
        return lambda values: (values / 100, "volumetric per cent, divided by 100")
    found = f"They are '{units}', which may be volumetric per cent or saturation" if units in PER_CENT else ""
    raise Refusal(f"{product.name}: its units", found or f"They are '{units}'" if units else "None are told", _GUESS)


def _fraction(saturation: Floats, units: str) -> Floats:
    """0..1, from per cent where the file says so, or where it says nothing and the values do."""
    per_cent = units in PER_CENT or _ends(saturation)[1] > PLAUSIBLE[1]
    return saturation / 100 if per_cent else saturation


def _ends(values: Floats) -> tuple[float, float]:
    there = values[np.isfinite(values)]
    return (float(there.min()), float(there.max())) if there.size else (0.0, 0.0)


def _belied(product: Product, units: str, found: str, remedy: str) -> Refusal:
    return Refusal(f"{product.name}: its units '{units}'", f"As such {found}, which no soil moisture is", remedy)
