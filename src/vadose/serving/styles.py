"""Display layers of maps: their units, ranges and colours, which colour-blind readers can tell apart."""

import re
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from rio_tiler.colormap import cmap

from vadose.maps.layers import AGE, NODATA
from vadose.registry import SPECS, Quality, QualityFlag
from vadose.serving.catalogue import ServedMap
from vadose.serving.limits import RequestError

TRANSPARENT = 255
"""Index of a pixel without a value."""
_STEPS = 255
_MOISTURE = "m³ m⁻³"
_SEVEN = ("#0072B2", "#56B4E9", "#CC79A7", "#D55E00", "#000000", "#E69F00", "#F0E442", "#009E73")
_MUTED = ("#882255", "#999933", "#332288", "#AA4499", "#44AA99", "#DDCC77", "#117733", "#661100")
"""Colours of Okabe and Ito (2008) and of Tol (2021, muted)."""
_ORDER = ("FROZEN", "WATER", "URBAN", "OUT_OF_DOMAIN", "STEEP", "CLOUD", "STALE", "HISTORY_SHORT")
_COMPLETE = "#dfe7e2"
YEARS_OF_ANOMALY = 2
"""Different years that a map must have for anomalies against the season."""
HALF_SEASON_DAYS = 30
"""Dates within these days of the day of the year make the season of a date."""
Kind = Literal["sequential", "diverging", "categories"]


@dataclass(frozen=True)
class Style:
    """Colours of a display layer.

    Attributes:
        layer: name of the display layer.
        title, units: texts of the legend.
        kind: sequential, diverging, or categories of flags.
        low, high: range of the colours; values beyond have the colour of the end.
        colours: name of the colour map.
    """

    layer: str
    title: str
    units: str
    kind: Kind
    low: float = 0.0
    high: float = 1.0
    colours: str = ""

    def within(self, text: str | None) -> "Style":
        """Return the same colours over another range, "low,high".

        Raises:
            RequestError: it is no range (400).
        """
        if text is None or self.kind == "categories":
            return self
        if not re.fullmatch(r"-?\d{1,4}(\.\d{1,6})?,-?\d{1,4}(\.\d{1,6})?", text):
            raise RequestError(400, "serve: a range of colours", "It is not two numbers", "Write 0.05,0.45")
        low, high = map(float, text.split(","))
        if low >= high:
            raise RequestError(400, "serve: a range of colours", "It is empty", "Write the lower number first")
        return replace(self, low=low, high=high)

    @cached_property
    def palette(self) -> NDArray[np.uint8]:
        """Red, green, blue and alpha of 256 indices; the last is transparent."""
        table = np.zeros((256, 4), np.uint8)
        if self.kind == "categories":
            for index, (_, colour, _) in enumerate(self.categories):
                table[index] = [*bytes.fromhex(colour[1:]), 255]
        else:
            held = cmap.get(self.colours)
            table[:] = [held[index] for index in range(256)]
        table[TRANSPARENT] = 0
        return table

    @property
    def categories(self) -> tuple[tuple[str, str, str], ...]:
        """Name, colour and words of each category; of a cell with several flags, the first is shown."""
        colours = (*_SEVEN, *_MUTED)
        named = [
            (flag.name.lower(), colours[number % len(colours)], flag.words) for number, flag in enumerate(shown_flags())
        ]
        return (("none", _COMPLETE, "no flag"), *named)

    def indices(self, values: NDArray[Any], flags: int = NODATA) -> NDArray[np.uint8]:
        """Return the indices of values in the palette.

        Args:
            values: of the layer; quality for categories.
            flags: bits that are shown as categories.
        """
        if self.kind == "categories":
            return _categories(values, flags)
        scaled = (values - np.float32(self.low)) / np.float32(self.high - self.low)
        known = np.isfinite(scaled)
        steps = np.clip(np.where(known, scaled, 0), 0, 1) * _STEPS
        return np.where(known, np.minimum(steps.astype(np.uint8), TRANSPARENT - 1), TRANSPARENT).astype(np.uint8)

    def legend(self) -> dict[str, Any]:
        """Return the legend as JSON: values with their colours, or categories."""
        facts: dict[str, Any] = {"layer": self.layer, "title": self.title, "units": self.units, "kind": self.kind}
        if self.kind == "categories":
            bits: list[dict[str, int]] = [{}, *({"bit": flag.bit} for flag in shown_flags())]
            listed = [
                {"name": name, "colour": colour, "words": words, **bit}
                for (name, colour, words), bit in zip(self.categories, bits, strict=True)
            ]
            return facts | {"categories": listed}
        step = (self.high - self.low) / _STEPS
        colours = ["#" + bytes(self.palette[index][:3].tolist()).hex() for index in range(TRANSPARENT)]
        return facts | {"low": self.low, "high": self.high, "step": step, "colours": colours}


def shown_flags() -> tuple[QualityFlag, ...]:
    """Return the flags in the order in which they are shown: of ground and model first, then missing sources."""
    order = {name: number for number, name in enumerate(_ORDER)}
    return tuple(sorted(Quality, key=lambda flag: (order.get(flag.name, len(order)), flag.bit)))


def flag_bits(text: str | None) -> int:
    """Return the bits of flags by their names, separated by commas.

    Raises:
        RequestError: a flag is unknown (400).
    """
    known = {flag.name.lower(): int(flag) for flag in Quality}
    names = [name for name in (text or "").split(",") if name]
    if len(names) > len(known) or set(names) - set(known):
        raise RequestError(400, "serve: quality flags", "One of them is unknown", f"The flags are {', '.join(known)}")
    return sum({known[name] for name in names})


def explain_quality(quality: int) -> list[str]:
    """Return the names of the flags of a cell."""
    return [flag.name.lower() for flag in Quality if quality != NODATA and quality & flag]


def styles_of(served: ServedMap) -> dict[str, Style]:
    """Return the display layers of a map."""
    held = [
        Style("soil_moisture", "Soil moisture, top 5 cm", _MOISTURE, "sequential", 0.0, 0.5, "ylgnbu"),
        Style("soil_moisture_std", "Uncertainty (standard deviation)", _MOISTURE, "sequential", 0.0, 0.12, "magma_r"),
        Style("quality", "Quality flags", "", "categories"),
    ]
    for source in served.ages:
        spec = SPECS.get(source)
        title = f"Age of {spec.title if spec else source}"
        oldest = spec.max_age_days if spec else 10.0
        held.append(Style(AGE + source, title, "days", "sequential", 0.0, oldest, "cividis_r"))
    if len(served.times) > 1:
        held.append(Style("difference", "Difference of two dates", _MOISTURE, "diverging", -0.2, 0.2, "brbg"))
    if has_anomalies(served):
        held.append(Style("anomaly", "Anomaly against the season", _MOISTURE, "diverging", -0.2, 0.2, "brbg"))
    return {style.layer: style for style in held}


@lru_cache(maxsize=64)
def has_anomalies(served: ServedMap) -> bool:
    """Return whether a map has dates of the same season in different years."""
    return any(len({str(one)[:4] for one in season_of(served, moment)}) >= YEARS_OF_ANOMALY for moment in served.times)


def season_of(served: ServedMap, moment: np.datetime64) -> tuple[np.datetime64, ...]:
    """Return the dates of a map, of all years, within `HALF_SEASON_DAYS` of the day of the year."""
    times = np.array(served.times)
    days = (times - times.astype("datetime64[Y]")) / np.timedelta64(1, "D")
    own = float((moment - moment.astype("datetime64[Y]")) / np.timedelta64(1, "D"))
    apart = np.abs((days - own + 182.625) % 365.25 - 182.625)
    return tuple(times[apart <= HALF_SEASON_DAYS])


def _categories(quality: NDArray[Any], flags: int) -> NDArray[np.uint8]:
    index = np.zeros(quality.shape, np.uint8)
    for number, flag in reversed(list(enumerate(shown_flags(), start=1))):
        if flags & flag:
            index[(quality & np.uint32(flag)) != 0] = number
    index[quality == NODATA] = TRANSPARENT
    return index
