"""Pairs of published numbers and real products at the same place and time, for the fit of units.

A pair is of one 320 m cell around a sensor: means over the pixels that have a value in both and are not at an end of
0..255; means of powers are of dB, in which the published numbers are assumed to be linear. Coarser products, and the
soil, give the value of the cell.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.batchu2022.batches import PublishedBatch, published_batches
from vadose.batchu2022.calibration import ASSUMED_RANGES, FEATURE_OF, PIXELS, units_of
from vadose.batchu2022.crop import MOST_HALO, chips_of, kept_for, pixel_in_cell
from vadose.batchu2022.features import IMAGES, SCALARS
from vadose.batchu2022.shards import ShardReport
from vadose.batchu2022.units import FEWEST, HIGHEST, LOWEST, UnitFit, fit
from vadose.errors import NoDataError, VadoseError
from vadose.fusion import FeatureCube, InputSpec, TemporalPolicy, build_features
from vadose.fusion.publication import in_hindsight
from vadose.fusion.regrid import block_mean
from vadose.grid import (
    NORTHERNMOST,
    PIXELS_PER_CELL,
    SOUTHERNMOST,
    AreaOfInterest,
    Period,
    Tile,
    nanoseconds,
    tile_around,
)
from vadose.registry import PREDICTORS
from vadose.sources.source import Source

Floats = NDArray[np.float64]
Pair = tuple[Floats, Floats]
"""Published numbers and the product's values, of the same shape."""
PASS = np.timedelta64(15, "m")
"""Largest time between the scenes of one pass."""
LEAST_SEEN = 0.5
"""Smallest fraction of a cell's pixels with both values."""
AT_ONCE = 8


@dataclass(eq=False)
class CalibrationPairs:
    """Pairs found so far, by feature.

    Attributes:
        examples: number of examples with any pair.
    """

    examples: int = 0
    _parts: dict[str, list[Pair]] = field(default_factory=dict)

    def add(self, found: Mapping[str, Pair]) -> None:
        """Add the pairs of an example."""
        self.examples += bool(found)
        for feature, (numbers, values) in found.items():
            paired = (numbers > LOWEST) & (numbers < HIGHEST) & np.isfinite(values)
            self._parts.setdefault(feature, []).append((numbers[paired], values[paired]))

    def of(self, feature: str) -> Pair:
        """Return the pairs of a feature."""
        parts = self._parts.get(feature, [])
        none = np.empty(0)
        return np.concatenate([none, *(one for one, _ in parts)]), np.concatenate([none, *(one for _, one in parts)])

    def fits(self) -> tuple[dict[str, UnitFit], dict[str, str]]:
        """Return the fit of every feature that can be fitted, and the reason for each of the others."""
        fits, lacking = {}, {}
        for name in ASSUMED_RANGES:
            feature = FEATURE_OF[name]
            numbers, values = self.of(feature)
            if numbers.size < FEWEST:
                lacking[feature] = f"{numbers.size} pairs, of at least {FEWEST}"
                continue
            try:
                fits[feature] = fit(feature, units_of(name), numbers, values)
            except VadoseError as refusal:
                lacking[feature] = refusal.problem
        return fits, lacking


def pairs_of(
    paths: Sequence[Path],
    sources: Sequence[Source],
    most: int,
    progress: Callable[[int, int, str], None] | None = None,
) -> CalibrationPairs:
    """Pair published examples with products until a number of them have pairs.

    Args:
        paths: paths of the shards.
        sources: real products.
        most: largest number of examples.
        progress: called with (paired examples, their limit, shard).

    Raises:
        VadoseError: a product is unreadable.
    """
    pairs = CalibrationPairs()
    kept = kept_for(MOST_HALO)
    for batch in published_batches(paths, IMAGES, SCALARS, kept, AT_ONCE):
        if isinstance(batch, ShardReport):
            if progress:
                progress(pairs.examples, most, batch.shard)
            continue
        for row in range(len(batch.index)):
            pairs.add(_of_example(_Example(batch, row), sources))
            if pairs.examples == most:
                return pairs
    return pairs


@dataclass(frozen=True, eq=False)
class _Example:
    batch: PublishedBatch
    row: int

    @property
    def example(self) -> pd.Series:
        return self.batch.index.iloc[self.row]

    @property
    def placed(self) -> bool:
        return bool(SOUTHERNMOST <= self.example["lat"] <= NORTHERNMOST and -180 <= self.example["lon"] <= 180)

    @property
    def time(self) -> np.datetime64:
        return np.datetime64(self.example["time"].value, "ns")

    @property
    def tile(self) -> Tile:
        """Return the cells of the chip, all of them without a halo."""
        cell = tile_around(self.example["lon"], self.example["lat"], 0)
        side = 1 + 2 * MOST_HALO
        return replace(cell, west=cell.west - MOST_HALO, north=cell.north + MOST_HALO, columns=side, rows=side)

    def image(self, feature: str) -> Floats:
        """Return a published image over the tile; NaN where missing."""
        at = np.array([pixel_in_cell(self.example["lon"], self.example["lat"])])
        pixels = chips_of(self.batch.pixels[feature][self.row : self.row + 1], at, MOST_HALO)[0]
        return np.where((pixels > LOWEST) & (pixels < HIGHEST), pixels, np.nan).astype(np.float64)


def _of_example(example: _Example, sources: Sequence[Source]) -> dict[str, Pair]:
    if not example.placed:
        return {}
    found: dict[str, Pair] = {}
    for source in sources:
        names = [variable.name for variable in source.variables if variable.name in ASSUMED_RANGES]
        inputs = _nearest(source, example, names) if names else None
        if inputs is not None:
            found |= {FEATURE_OF[name]: _pair(name, example, inputs) for name in names}
    return {feature: pair for feature, pair in found.items() if np.isfinite(pair[0] + pair[1]).any()}


def _nearest(source: Source, example: _Example, names: Sequence[str]) -> FeatureCube | None:
    """Return the observation of a source nearest in time to an example; None without any."""
    fine = tuple(name for name in names if name in PIXELS)
    needs = InputSpec(pixels=fine, cells=tuple(name for name in names if name not in fine))
    reach = np.timedelta64(round(TemporalPolicy().of(source.name) * 86_400), "s")
    try:
        around = Period(example.time - reach, example.time + reach)
        times = list(_times(source, example.tile, around))
        at = min(times, key=lambda time: abs(time - example.time)) if times else example.time
        of_one_pass = TemporalPolicy(max_age_days={source.name: 2 * PASS / np.timedelta64(1, "D")} if times else {})
        return build_features([source], example.tile, at + PASS, needs, of_one_pass)
    except NoDataError:
        return None


def _times(source: Source, tile: Tile, period: Period) -> Iterator[np.datetime64]:
    for dataset in in_hindsight(source.open(AreaOfInterest.from_tile(tile), period)):
        if "time" in dataset.dims:
            yield from (time for time in nanoseconds(dataset["time"].values) if time in period)


def _pair(name: str, example: _Example, inputs: FeatureCube) -> Pair:
    feature = FEATURE_OF[name]
    if feature in SCALARS:
        middle = inputs.cells[name].values[MOST_HALO, MOST_HALO]
        return example.batch.scalars[feature][example.row : example.row + 1].astype(np.float64), np.array([middle])
    numbers = example.image(feature)
    if name not in PIXELS:
        return _cells(numbers)[0].ravel(), inputs.cells[name].values.astype(np.float64).ravel()
    values = _level(name, inputs.pixels[name].values)
    both = np.isfinite(numbers) & np.isfinite(values)
    means, seen = _cells(np.where(both, numbers, np.nan))
    of_product, _ = _cells(np.where(both, values, np.nan))
    enough = (seen >= LEAST_SEEN).ravel()
    return means.ravel()[enough], of_product.ravel()[enough]


def _cells(pixels: Floats) -> tuple[Floats, Floats]:
    means, seen = block_mean(pixels, PIXELS_PER_CELL)
    return np.asarray(means, np.float64), np.asarray(seen, np.float64)


def _level(name: str, values: NDArray[np.float32]) -> Floats:
    if not PREDICTORS[name].decibel:
        return values.astype(np.float64)
    known = values > 0
    level = np.full(values.shape, np.nan)
    level[known] = 10 * np.log10(values[known], dtype=np.float64)
    return level
