"""Conversion of Sentinel-2's stored numbers to reflectance: processing baseline and its offset.

From processing baseline 04.00 on, numbers are stored 1000 higher, so that negative reflectance differs from missing:
reflectance = (DN - 1000) / 10000; before, DN / 10000 (Sentinel-2 Products Specification, RADIO_ADD_OFFSET and
BOA_ADD_OFFSET). Neither the date of the observation nor that of the catalogue determines it: older observations were
reprocessed.
"""

import re
from collections.abc import Mapping
from typing import Any

from vadose.errors import VadoseError

SCALE = 1e-4
OFFSET = -0.1
FIRST_WITH_OFFSET = "04.00"

_BASELINES = (
    "s2:processing_baseline",
    "sentinel2:processing_baseline",
    "sentinel:processing_baseline",
    "processing:version",
)
_BASELINE, _WHOLE_BASELINE = (
    re.compile(r"(?:N(?=\d{4}$))?(\d{1,2})(?:\.|(?<=^N\d\d))(\d{1,2})"),
    re.compile(r"(\d{1,2})\.(\d\d)"),
)
"""As "05.10", as the number 5.1 that is left of it, or as N0510; other versions of processing are as short as 5.1."""
_NAMES = ("s2:product_uri", "sentinel2:product_uri", "sentinel:product_id")
_TRUE = ("true", "1", "1.0", "yes")
"""Truth in JSON, and as tables of items write it."""
_SHIFTED = ("earthsearch:boa_offset_applied", "sentinel:boa_offset_applied")


def baseline_of(name: str, properties: Mapping[str, Any]) -> str | None:
    """Return the processing baseline of an item as "05.10": from its properties, else from its own name or the
    product's.
    """
    for key in _BASELINES:
        pattern = _BASELINE if key.endswith("_baseline") else _WHOLE_BASELINE
        if found := pattern.fullmatch(str(properties.get(key, "")).strip()):
            return f"{int(found[1]):02d}.{found[2]:0<2}"
    for text in (name, *product_names(properties)):
        if found := re.search(r"_N(\d\d)\.?(\d\d)(?=[_.]|$)", text):
            return f"{found[1]}.{found[2]}"
    return None


def product_names(properties: Mapping[str, Any]) -> list[str]:
    """Return the names of the product from which an item was made."""
    return [str(properties[key]) for key in _NAMES if properties.get(key)]


def offset_of(stated: float | None, baseline: str | None, properties: Mapping[str, Any], asked: str) -> float:
    """Return the offset of `DN * scale`.

    If a catalogue states that it has shifted the numbers already, an offset repeated beside them is not applied again.
    Otherwise the baseline determines it, and an offset stated in the item must agree.

    Args:
        stated: offset in the item; None if not stated.
        baseline: baseline of the processing; None if unknown.
        properties: properties of the item.
        asked: context of the error.

    Raises:
        VadoseError: neither baseline nor offset is known, or they contradict each other.
    """
    if any(str(properties.get(key)).strip().lower() in _TRUE for key in _SHIFTED):
        return 0.0
    if baseline is None and stated is None:
        raise VadoseError(
            asked,
            "Neither its processing baseline nor an offset is stated, so its numbers may be 1000 too high",
            "Add s2:processing_baseline to its properties",
        )
    if baseline is None:
        return float(stated or 0.0)
    offset = OFFSET if baseline >= FIRST_WITH_OFFSET else 0.0
    if stated is not None and not abs(stated - offset) <= SCALE / 2:
        raise VadoseError(
            asked,
            f"It states the offset {stated:g}, and the processing baseline {baseline}, which has {offset:g}",
            "Correct the one that is wrong, or set earthsearch:boa_offset_applied if the numbers were shifted already",
        )
    return offset
