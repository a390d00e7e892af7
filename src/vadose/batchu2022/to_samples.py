"""Conversion of published numbers to samples, by the calibration of each predictor."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from vadose.batchu2022.calibration import FEATURE_OF, PIXELS
from vadose.batchu2022.crop import AGES, RawChips
from vadose.dataset.calibrations import LinearCalibration
from vadose.dataset.packing import Packing
from vadose.dataset.writer import Samples
from vadose.fusion import InputSpec
from vadose.fusion.regrid import block_mean
from vadose.grid import PIXELS_PER_CELL
from vadose.registry import PREDICTORS, SOURCES

Floats = NDArray[np.float32]
VALID = tuple(age.replace("_age", "_valid_fraction") for age in AGES)


def held(halo: int) -> InputSpec:
    """Return the contents of samples of a published store, without a history, which the release does not contain.

    Args:
        halo: cells around the sensor's cell.
    """
    cells = (*PIXELS, *(name for name in FEATURE_OF if name not in PIXELS))
    return InputSpec(pixels=PIXELS, cells=(*cells, *sorted((*VALID, *AGES))), halo=halo)


def packings(lines: Mapping[str, LinearCalibration]) -> dict[str, Packing]:
    """Return packings that keep the published numbers of chips unchanged."""
    return {name: lines[name].packing for name in PIXELS if name in lines}


def samples_of(numbers: RawChips, lines: Mapping[str, LinearCalibration], halo: int) -> Samples:
    """Return samples in physical units, or in units of assumed ranges.

    Cell values are means over the existing pixels of the sensor's cell, of powers in linear power, clipped to the range
    of the variable. Pixels follow their calibration, so that the published numbers can be recovered.

    Args:
        numbers: numbers on vadose's grid.
        lines: lines of every predictor but elevation.
        halo: halo of the chips.
    """
    holds = held(halo)
    images = {name: _values(name, image, lines) for name, image in numbers.images.items()}
    cells = {name: _means(name, image, halo if name in PIXELS else 0) for name, image in images.items()}
    for name in numbers.scalars.keys() & lines.keys():
        cells[name] = _within(name, lines[name].values(numbers.scalars[name]))
    for source in (age.removesuffix("_age") for age in AGES):
        seen = _present(source, images, cells, halo)
        age = np.where(seen > 0, numbers.scalars[f"{source}_age"], np.nan).astype(np.float32)
        cells |= {f"{source}_valid_fraction": seen, f"{source}_age": age}
    count = len(numbers.index)
    return Samples(
        numbers.index,
        np.stack([cells[name] for name in holds.cells], axis=1),
        np.empty((count, 0, 0), np.float32),
        np.stack([images[name] for name in PIXELS], axis=1),
    )


def _values(name: str, numbers: NDArray[np.integer], lines: Mapping[str, LinearCalibration]) -> Floats:
    if name in lines:
        values: Floats = lines[name].values(np.arange(256))[numbers]
        return values
    low, high = PREDICTORS[name].valid_range
    return np.where((numbers >= low) & (numbers <= high), numbers, np.nan).astype(np.float32)


def _cell(image: Floats, halo: int) -> Floats:
    inner = slice(halo * PIXELS_PER_CELL, (halo + 1) * PIXELS_PER_CELL)
    return image[:, inner, inner]


def _means(name: str, image: Floats, halo: int) -> Floats:
    means, _ = block_mean(_cell(image, halo), PIXELS_PER_CELL)
    return _within(name, means[:, 0, 0])


def _within(name: str, values: NDArray[np.floating]) -> Floats:
    low, high = PREDICTORS[name].valid_range
    within: Floats = np.clip(values, low, high).astype(np.float32)
    return within


def _present(source: str, images: Mapping[str, Floats], cells: Mapping[str, Floats], halo: int) -> Floats:
    """Return the observed fraction of the sensor's cell by a source."""
    names = [variable.name for variable in SOURCES[source]]
    seen = [~np.isnan(_cell(images[name], halo if name in PIXELS else 0)) for name in names if name in images]
    seen = seen or [~np.isnan(cells[name])[:, None, None] for name in names]
    present: NDArray[np.bool_] = np.logical_or.reduce(seen)
    return np.asarray(present.mean(axis=(1, 2)), np.float32)
