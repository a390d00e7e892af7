"""Conversion of product units to m3 m-3; ambiguous units are refused."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.errors import VadoseError
from vadose.evaluation.predictions import LABEL, PLAUSIBLE, SENSOR
from vadose.products.described import Product

Floats = NDArray[np.float64]

_KG_M3 = 1000.0
"""Density of water, kg m-3."""
_FULL = 1.005
"""Largest saturation that rounding explains: half a step of bytes that go to 100 %."""
_FRACTION = 1.0
"""Largest value up to which numbers in per cent are fractions: no soil record remains below 1 %."""

_WORDS = {
    "volume": {"vol/vol", "v/v", "vol vol-1", "v v-1", "vol.vol-1", "volumetric fraction", "m3 water m-3 soil"},
    "per cent": {"%", "percent", "per cent", "pct", "percentage"},
    "volumetric per cent": {"% vol", "vol %", "vol. %", "%vol", "vol%", "volumetric %", "volumetric percent", "% v/v"},
    "saturation": {"saturation"},
}
_POWERS: dict[tuple[tuple[str, int], ...], tuple[str, float]] = {
    (("m", -3), ("m", 3)): ("volume", 1.0),
    (("cm", -3), ("cm", 3)): ("volume", 1.0),
    (("mm", -3), ("mm", 3)): ("volume", 1.0),
    (("l", -1), ("l", 1)): ("volume", 1.0),
    (("kg", 1), ("m", -3)): ("volume", 1 / _KG_M3),
    (("kg", 1), ("m", -2)): ("water", 1.0),
    (("mm", 1),): ("water", 1.0),
    (("cm", 1),): ("water", 10.0),
    (("m", 1),): ("water", 1000.0),
}
"""Meaning of the powers of a unit, and its multiple: of m3 m-3, or of kg m-2 in a layer."""
_NAMES = {"millimeter": "mm", "millimetre": "mm", "millimeters": "mm", "millimetres": "mm", "meter": "m", "metre": "m"}
_PART = re.compile(r"(/?)\s*([A-Za-z]+)\s*(?:\*\*|\^)?\s*([-+]?\d+)?")
_MULTIPLIED = re.compile(r"(?<=[\d\s])[.*·](?=\s*[A-Za-z])")

_GUESS = (
    "Name them: --units 'm3 m-3', --units '%' for volumetric per cent, --units saturation, or --units 'kg m-2' with "
    "--layer-depth 0.1"
)


def kind_of(units: str) -> tuple[str, float]:
    """Return the kind of units: volume, per cent, volumetric per cent, saturation or water in a layer.

    Returns:
        The kind, empty if unknown, and its multiple. Powers are parsed in any notation: `m^3 m-3`, `m³/m³`,
        `cm**3.cm**-3`. Masses divided by masses and numbers without units have several meanings.
    """
    plain = unicodedata.normalize("NFKC", units).replace("−", "-").replace("⁻", "-").strip()
    word = " ".join(plain.lower().split())
    for kind, spellings in _WORDS.items():
        if word in spellings:
            return kind, 1.0
    return _POWERS.get(_powers(plain), ("", 1.0))


def to_volume(values: Floats, units: str, product: Product) -> tuple[Floats, str]:
    """Return soil moisture, m3 m-3, or saturation 0..1; and a description of the conversion, empty without one.

    Args:
        values: values of the file, NaN where missing.
        units: units of the file.
        product: its `units` take precedence over those of the file.

    Raises:
        VadoseError: the units are unknown, ambiguous, or contradict the values.
    """
    stated = (product.units or units).strip()
    made, words = _way(stated, units.strip(), product)(values)
    least, most = _ends(made)
    low, high = PLAUSIBLE
    if least < low:
        raise _belied(product, stated, f"its least value is {least:g}", "Give fill values their _FillValue")
    if most > high:
        raise _belied(product, stated, f"its greatest value is {most:g} m3 m-3", _GUESS)
    return made, words


def rescaled(table: pd.DataFrame, product: Product) -> tuple[pd.DataFrame, str]:
    """Return a table of saturation scaled to m3 m-3, and a description of the scaling.

    Raises:
        VadoseError: no scaling was chosen, or the table lacks the porosity.
    """
    if product.rescale == "sensor":
        sensors = table.groupby(SENSOR, observed=True)[LABEL]
        least, most = sensors.transform("min"), sensors.transform("max")
        words = (
            "relative saturation, rescaled to the least and greatest reading of each sensor: its bias, RMSE and ubRMSE "
            "are not its own"
        )
        return table.assign(soil_moisture=least + table["soil_moisture"] * (most - least)), words
    if product.rescale == "porosity" and (product.porosity or "porosity" in table):
        porosity = product.porosity or table["porosity"]
        words = f"relative saturation times porosity ({product.porosity or 'of each sensor, from its table'})"
        return table.assign(soil_moisture=table["soil_moisture"] * porosity), words
    lacking = "no porosity" if product.rescale else "no way to scale it"
    raise VadoseError(
        f"{product.name}: relative saturation in m3 m-3",
        f"There is {lacking}",
        "Give --rescale sensor (least and greatest reading of each sensor), or --rescale porosity with --porosity 0.45",
    )


def is_saturation(product: Product, units: str) -> bool:
    """Return whether the product is relative saturation."""
    return kind_of(product.units or units)[0] == "saturation"


def _powers(units: str) -> tuple[tuple[str, int], ...]:
    """Return the units of a product of powers, each with its power; empty if it is not such a product."""
    text = _MULTIPLIED.sub(" ", units)
    parts = _PART.findall(text)
    if _PART.sub("", text).strip(" .*·()"):
        return ()
    found: Counter[tuple[str, int]] = Counter()
    for over, name, power in parts:
        exponent = int(power or 1) * (-1 if over else 1)
        found[_NAMES.get(name.lower(), name.lower()), exponent] += 1
    return tuple(sorted(found.elements()))


def _way(units: str, file_units: str, product: Product) -> Callable[[Floats], tuple[Floats, str]]:
    kind, multiple = kind_of(units)
    if kind == "volume":
        words = "" if multiple == 1 else f"{units}, times {multiple:g}"
        return lambda values: (values * multiple, words)
    if kind == "water":
        depth = product.layer_depth
        if depth is None:
            raise VadoseError(
                f"{product.name}: {units} in m3 m-3",
                "The depth of the layer is not stated",
                "Give it by --layer-depth, such as 0.1 for 0 to 10 cm",
            )
        return lambda values: (
            values * multiple / (_KG_M3 * depth),
            f"{units}, divided by a layer of {depth:g} m",
        )
    if kind == "saturation":
        return lambda values: (_fraction(values, file_units, product), "")
    if kind == "volumetric per cent" or (kind == "per cent" and product.units):
        return lambda values: (_of_per_cent(values, units, product), "volumetric per cent, divided by 100")
    found = f"They are '{units}', which may be volumetric per cent or saturation" if kind == "per cent" else ""
    raise VadoseError(
        f"{product.name}: its units", found or f"They are '{units}'" if units else "They are not stated", _GUESS
    )


def _of_per_cent(values: Floats, units: str, product: Product) -> Floats:
    most = _ends(values)[1]
    if 0 < most <= _FRACTION:
        raise _belied(
            product, units, f"its greatest value is {most:g} %", "Give --units 'm3 m-3' if they are fractions"
        )
    return values / 100


def _fraction(saturation: Floats, units: str, product: Product) -> Floats:
    """Return 0..1, from per cent by the units of the file, or without units by the values."""
    least, most = _ends(saturation)
    percent = "per cent" in kind_of(units)[0]
    if percent and 0 < most <= _FRACTION:
        raise _belied(product, units, f"its greatest value is {most:g} %", "Write fractions with units '1'")
    scale = 100.0 if percent or most > PLAUSIBLE[1] else 1.0
    if most > _FULL * scale or least < (1 - _FULL) * scale:
        found = f"its values go from {100 * least / scale:g} to {100 * most / scale:g} % of saturation"
        remedy = "Mark missing values by _FillValue, flag_values or valid_range, or give other --units"
        raise VadoseError(f"{product.name}: relative saturation", f"As such {found}, impossible in soil", remedy)
    return saturation / scale


def _ends(values: Floats) -> tuple[float, float]:
    there = values[np.isfinite(values)]
    return (float(there.min()), float(there.max())) if there.size else (0.0, 0.0)


def _belied(product: Product, units: str, found: str, remedy: str) -> VadoseError:
    return VadoseError(f"{product.name}: its units '{units}'", f"As such {found}, impossible for soil moisture", remedy)
