"""Published shards, read into one folder each: an interrupted import resumes with the remaining ones."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import zarr

from vadose.batchu2022.batches import PublishedBatch, published_batches
from vadose.batchu2022.crop import AGES, RawChips, crop_to_grid, kept_for
from vadose.batchu2022.features import IMAGES, SCALARS
from vadose.batchu2022.import_log import read_report, write_report
from vadose.batchu2022.label_match import LabelMatcher
from vadose.batchu2022.shards import ShardReport
from vadose.dataset.layout import IDENTITY, LABEL
from vadose.grid import NORTHERNMOST, SOUTHERNMOST
from vadose.io.files import atomic_write
from vadose.variables import SOIL_MOISTURE

LEDGER, LEFT_OUT, INDEX = "ledger.json", "left_out.parquet", "index.parquet"
AT_ONCE = 32
REJECTED_COLUMNS = ["shard", "record", "sensor_id", "time", "reason"]
"""Columns of a rejected example."""


@dataclass(frozen=True, eq=False)
class Shards:
    """Staged shards of an import.

    Attributes:
        folder: folder with a folder per finished shard.
        labels: finds labels for examples without one.
        halo: cells around the sensor's cell.
    """

    folder: Path
    labels: LabelMatcher | None
    halo: int

    def has(self, number: int) -> bool:
        """Return whether a shard is finished."""
        return self._of(number).exists()

    def stage(self, number: int, shard: Path) -> int:
        """Read a shard, atomically; return its number when it is finished."""
        left_out = [pd.DataFrame(columns=REJECTED_COLUMNS)]
        with atomic_write(self._of(number)) as folder:
            folder.mkdir()
            for place, found in enumerate(self._read(shard)):
                if isinstance(found, ShardReport):
                    write_report(folder / LEDGER, found)
                    continue
                reasons = reasons_of(found.index)
                _write(folder / str(place), crop_to_grid(found, np.flatnonzero(reasons == ""), self.halo))
                left_out.append(found.index.assign(reason=reasons).loc[(reasons != "").to_numpy(), REJECTED_COLUMNS])
            pd.concat(left_out[1:] or left_out, ignore_index=True).to_parquet(folder / LEFT_OUT)
        return number

    def tally(self, number: int) -> ShardReport:
        """Return the report of a shard's records."""
        return read_report(self._of(number) / LEDGER)

    def left_out(self, number: int) -> pd.DataFrame:
        """Return the rejected examples of a shard, each with its reason."""
        return pd.read_parquet(self._of(number) / LEFT_OUT)

    def parts(self, number: int) -> Iterator[RawChips]:
        """Yield the accepted examples, in order."""
        folders = (path for path in self._of(number).iterdir() if path.is_dir())
        return map(_part, sorted(folders, key=lambda path: int(path.name)))

    def _read(self, shard: Path) -> Iterator[PublishedBatch | ShardReport]:
        labels = self.labels.labels if self.labels else None
        return published_batches(
            [shard], IMAGES, SCALARS, kept_for(self.halo), AT_ONCE, labels, tuple(dict.fromkeys(AGES.values()))
        )

    def _of(self, number: int) -> Path:
        return self.folder / f"shard-{number:05d}"


def reasons_of(index: pd.DataFrame) -> pd.Series:
    """Return the reason why each example is rejected; "" if it is accepted."""
    low, high = SOIL_MOISTURE.valid_range
    label = index[LABEL]
    place = index["lat"].between(SOUTHERNMOST, NORTHERNMOST) & index["lon"].between(-180, 180)
    named = (index[list(IDENTITY)] != "").all(axis=1)
    reasons = pd.Series("", index.index, dtype=object)
    reasons[~place] = "it is outside the grid of cells"
    reasons[(label < low) | (label > high)] = f"its label is outside {low:g}..{high:g} {SOIL_MOISTURE.units}"
    reasons[label.isna()] = "it is published without a label"
    reasons[~named] = "its sensor id is not NETWORK__STATION__SENSOR"
    stated = index["reason"] if "reason" in index else pd.Series("", index.index, dtype=object)
    return reasons.where(stated == "", stated)


def _write(folder: Path, numbers: RawChips) -> None:
    if numbers.index.empty:
        return
    folder.mkdir()
    numbers.index.to_parquet(folder / INDEX)
    _save(folder / "images.zarr", numbers.images)
    _save(folder / "scalars.zarr", numbers.scalars)


def _save(path: Path, arrays: Mapping[str, Any]) -> None:
    zarr.save_group(path, zarr_format=3, **arrays)


def _part(folder: Path) -> RawChips:
    return RawChips(pd.read_parquet(folder / INDEX), _arrays(folder / "images.zarr"), _arrays(folder / "scalars.zarr"))


def _arrays(path: Path) -> dict[str, Any]:
    return {name: np.asarray(array[:]) for name, array in zarr.open_group(path, mode="r", zarr_format=3).arrays()}
