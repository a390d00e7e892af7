"""Reading a sample store."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
import zarr
from numpy.typing import NDArray

from vadose.dataset.calibrations import CALIBRATIONS
from vadose.dataset.chip_files import ChipFiles
from vadose.dataset.layout import (
    ARRAYS,
    CLASSES,
    COLUMNS,
    DECLARATION,
    FORMAT,
    IDENTITY,
    INDEX,
    KIND,
    LABEL,
    NUMBERS,
    ArraySpec,
    needs_from,
    packings_from,
    plans,
    products_of,
)
from vadose.dataset.packing import Packing
from vadose.dataset.store_dataset import to_dataset
from vadose.errors import VadoseError
from vadose.fusion import HistorySpec, InputSpec
from vadose.grid import PIXELS_PER_CELL, nanoseconds
from vadose.io.display import Summarised
from vadose.io.files import read_json
from vadose.io.locks import wait_for_replacement
from vadose.io.paths import StrPath

Floats = NDArray[np.float32]
Rows = NDArray[np.intp]
Stamp = tuple[int, int, int] | None
HELD_BYTES = 2**25
"""Largest size of an array that is cached in memory."""


@dataclass(frozen=True, eq=False, repr=False)
class SampleStore(Summarised):
    """Samples on disk: features at each sensor and time, with labels where known.

    Attributes:
        path: the folder.
        declaration: metadata of the store.
        holds: contents of every sample.
        index: one row per sample, with the columns of `layout.COLUMNS`; soil_moisture_in_situ (m3 m-3) if there are
            labels.
        packings: packings of its pixels, if it has its own.
    """

    path: Path
    declaration: Mapping[str, Any]
    holds: InputSpec
    index: pd.DataFrame
    packings: Mapping[str, Packing]
    _arrays: Mapping[str, zarr.Array[Any]]
    _same: set[Stamp] = field(default_factory=set)
    _held: dict[str, Floats] = field(default_factory=dict)

    @classmethod
    def open(cls, path: StrPath) -> "SampleStore":
        """Open a store and verify that it is complete: every array, of the right shape, with all its files.

        Raises:
            VadoseError: the store is missing, of another kind or format, or a part of it is missing or truncated.
        """
        path = Path(path)
        wait_for_replacement(path)
        while True:
            stamp = _stamp(path)
            try:
                store = cls._open(path, stamp)
            except VadoseError:
                if stamp == _stamp(path):
                    raise
                continue  # it was replaced in the meantime
            if stamp == _stamp(path):
                return store

    @classmethod
    def _open(cls, path: Path, stamp: Stamp) -> "SampleStore":
        declaration = _declaration(path)
        try:
            holds, count = needs_from(declaration["needs"]), int(declaration["count"])
            index = _conformed(pd.read_parquet(path / INDEX))
            packings = packings_from(declaration)
            if {*declaration["products"]} != {*products_of(holds, {})}:
                raise ValueError(f"{DECLARATION} lacks the products of its predictors")
            group = zarr.open_group(path / ARRAYS, mode="r", zarr_format=3)
            arrays = {plan.path: _array(path, group, plan, count) for plan in plans(holds, packings)}
        except VadoseError:
            raise
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise _broken(path, f"{type(error).__name__}: {error}") from error
        if len(index) != count or set(COLUMNS) - set(index) - {LABEL}:
            raise _broken(path, f"{INDEX} has {len(index)} rows of {list(index)}, declared are {count} of {COLUMNS}")
        return cls(path, declaration, holds, index, packings, arrays, {stamp})

    def __len__(self) -> int:
        return len(self.index)

    @property
    def rows(self) -> Rows:
        """Return all rows, in order."""
        return np.arange(len(self))

    def to_xarray(self) -> xr.Dataset:
        """View the samples as a CF dataset with lazy chips; see `store_dataset.to_dataset`."""
        return to_dataset(self)

    def _summary(self) -> tuple[str, Mapping[str, object]]:
        index, holds = self.index, self.holds
        sensors = len(index[list(IDENTITY)].drop_duplicates())
        past = holds.history
        networks = index["network"].nunique()
        known = int(index[LABEL].notna().sum()) if LABEL in index else 0
        rows: dict[str, object] = {
            "samples": f"{len(self):,} of {sensors:,} sensors in {networks:,} network{'s' if networks != 1 else ''}",
            "times": f"{index['time'].min():%Y-%m-%d}..{index['time'].max():%Y-%m-%d}" if len(self) else "none",
            "readings": f"{known:,}",
            "pixels of 10 m": f"{', '.join(holds.pixels)} with {holds.halo} cells around" if holds.pixels else "none",
            "cells of 320 m": ", ".join(holds.cells) or "none",
            "history": f"{', '.join(past.variables)}: {past.steps} steps of {past.step_days:g} days"
            if past.variables
            else "none",
        }
        return f"Samples {self.path}{' (simulated)' if self.simulated else ''}", rows

    @property
    def plans(self) -> tuple[ArraySpec, ...]:
        """Return its arrays."""
        return plans(self.holds, self.packings)

    @property
    def simulated(self) -> bool:
        """Return whether any of it is simulated."""
        return bool(self.declaration["simulated"])

    @property
    def products(self) -> Mapping[str, str]:
        """Return product, level or convention by predictor, where several share its name."""
        return dict(self.declaration["products"])

    @property
    def calibrations(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the calibrations of published numbers by variable; empty for products."""
        return dict(self.declaration["made_from"].get(CALIBRATIONS, {}))

    def check(self, needs: InputSpec) -> None:
        """Verify that a model's needs are met.

        Raises:
            VadoseError: they are not; the message lists all differences.
        """
        differences = needs.differences(self.holds)
        if differences:
            raise VadoseError(
                f"samples: {self.path} for a model that needs {', '.join(sorted(needs.names))}",
                f"The store lacks {'; '.join(differences)}",
                "Build the store with these, or choose a model that needs less",
            )

    def padded_to(self, needs: InputSpec) -> "SampleStore":
        """Return the same samples with all needs of a model that the store lacks as missing, as in an archive.

        Earlier steps of the history than those of the store are missing too.

        Raises:
            VadoseError: the store has none of the needs, steps of another length, or chips that are too small.
        """
        held = self.holds
        if needs.names and not needs.names & held.names:
            self.check(needs)
        own, needed = held.history, needs.history
        past = replace(
            own if own.variables else needed,
            variables=_also(own.variables, needed.variables),
            steps=max(own.steps, needed.steps),
        )
        wide = InputSpec(
            _also(held.pixels, needs.pixels),
            _also(held.cells, needs.cells),
            past,
            held.halo if held.pixels else needs.halo,
        )
        store = replace(self, holds=wide, _held={})
        store.check(needs)
        return store

    @cached_property
    def _chips(self) -> Mapping[str, ChipFiles]:
        return {
            plan.name: ChipFiles(self.path / ARRAYS / plan.path, plan.shape[0], plan.block, plan.packing)
            for plan in self.plans
            if plan.packing and plan.path in self._arrays
        }

    def labels(self, rows: Rows) -> Floats:
        """Return soil moisture, (sample,), m3 m-3; NaN if unknown."""
        if LABEL not in self.index:
            return np.full(len(rows), np.nan, np.float32)
        return self.index[LABEL].to_numpy(np.float32)[rows]

    def cells(self, names: Sequence[str], rows: Rows) -> Floats:
        """Return means over the sensor's cell, (sample, variable), physical units, NaN where missing.

        Raises:
            VadoseError: the store does not have a name, or a file is unreadable.
        """
        self.check(InputSpec(cells=tuple(names)))
        parts = [self._span(f"cells/{name}", rows) for name in names]
        return np.stack(parts, axis=1) if parts else np.empty((len(rows), 0), np.float32)

    def history(self, history: HistorySpec, rows: Rows) -> Floats:
        """Return the history of cell values, (sample, step, variable), the latest step first.

        Raises:
            VadoseError: the store does not have a name, the length or the number of steps, or a file is unreadable.
        """
        self.check(InputSpec(history=history))
        spans = (self._span(f"history/{name}", rows) for name in history.variables)
        count = history.steps  # steps before the first stored one are NaN
        parts = [
            np.pad(span[:, :count], ((0, 0), (0, max(count - span.shape[1], 0))), constant_values=np.nan)
            for span in spans
        ]
        return np.stack(parts, axis=2) if parts else np.empty((len(rows), history.steps, 0), np.float32)

    def steps(self, name: str, rows: Rows) -> Floats:
        """Return the stored history of one variable, (sample, step).

        Raises:
            VadoseError: a file is unreadable.
        """
        return self._span(f"history/{name}", rows)

    def pixels(self, names: Sequence[str], rows: Rows, halo: int) -> Floats:
        """Return 10 m pixels around the sensor's cell, (sample, variable, y, x), cut to `halo` cells on every side.

        Raises:
            VadoseError: the store does not have a name or the halo, or a file is unreadable.
        """
        self.check(InputSpec(pixels=tuple(names), halo=halo))
        edge = (self.holds.halo - halo) * PIXELS_PER_CELL
        side = (1 + 2 * halo) * PIXELS_PER_CELL
        chips = np.empty((len(rows), len(names), side, side), np.float32)
        for place, name in enumerate(names):
            if name not in self._chips:
                chips[:, place] = np.nan
                continue
            with self._reading(f"pixels/{name}"):
                self._chips[name].read(rows, slice(edge, edge + side), chips[:, place])
        return chips

    def _span(self, path: str, rows: Rows) -> Floats:
        """Return some rows of an array with few numbers per sample; small arrays are read once."""
        if path not in self._arrays:
            shape = (self.holds.history.steps,) if path.startswith("history/") else ()
            return np.full((len(rows), *shape), np.nan, np.float32)
        array = self._arrays[path]
        if path not in self._held and 4 * math.prod(array.shape) <= HELD_BYTES:
            self._held[path] = self._read(path, slice(None))
        if path in self._held:
            return self._held[path][rows]
        if not len(rows):
            return np.empty((0, *array.shape[1:]), np.float32)
        first = int(rows.min())
        return self._read(path, slice(first, int(rows.max()) + 1))[rows - first]

    def _read(self, path: str, selection: slice) -> Floats:
        with self._reading(path):
            return np.asarray(self._arrays[path][selection], np.float32)

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        """Guard the reading of an array: the result is valid if the store is still the one that was opened."""
        try:
            yield
        except (OSError, ValueError, RuntimeError) as error:
            self._require_same()
            raise _broken(self.path, f"{name} cannot be read: {error}") from error
        self._require_same()

    def _require_same(self) -> None:
        """Verify that the store has not been replaced; samples may have been appended to it."""
        stamp = _stamp(self.path)
        if stamp in self._same:
            return
        if stamp is None or not _grown_from(self.declaration["made_from"], _declaration(self.path)["made_from"]):
            raise VadoseError(
                f"samples: the store {self.path}",
                "It was replaced or removed while it was being read",
                "Run the same command again",
            )
        self._same.add(stamp)


def _stamp(path: Path) -> Stamp:
    """Return the identity of a store's files; None if it is missing."""
    try:
        status = (path / DECLARATION).stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _grown_from(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Return whether a store is another one with samples appended."""
    while "onto" in now:
        now = now["onto"]
        if now == before:
            return True
    return False


_DECLARED = {"simulated": bool, "made_from": dict, "needs": dict, "count": int, "products": dict}


def _conformed(index: pd.DataFrame) -> pd.DataFrame:
    """Return the index with typed numbers and times, whatever program wrote it; classes that it lacks are unknown."""
    numbers = {name: index[name].astype(np.float64) for name in NUMBERS if name in index}
    for name in ("lat", "lon"):
        if name in numbers and not np.isfinite(numbers[name]).all():
            raise ValueError(f"{INDEX} has a {name} that is not a number")
    typed = index.assign(**numbers, time=nanoseconds(index["time"].to_numpy(), INDEX))
    return typed.assign(**{name: "" for name in CLASSES if name not in typed})


def _also(names: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    return (*names, *(name for name in others if name not in names))


def _declaration(path: Path) -> Mapping[str, Any]:
    asked = f"samples: the store {path}"
    try:
        content = read_json(path / DECLARATION, nan=True)
        kind = content["kind"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise VadoseError(
            asked, f"It has no readable {DECLARATION} ({error})", "Give the folder that 'samples' wrote"
        ) from error
    if kind != KIND:
        raise VadoseError(asked, f"It is of the kind '{kind}'", f"Give one of the kind '{KIND}'")
    if content.get("format") != FORMAT:
        raise VadoseError(
            asked,
            f"Its format is {content.get('format')}, written by vadose {content.get('vadose_version')}; "
            f"this version reads format {FORMAT}",
            "Use the version of vadose that wrote it, or build the store again",
        )
    absent = [key for key, kind in _DECLARED.items() if not isinstance(content.get(key), kind)]
    if absent:
        raise _broken(path, f"{DECLARATION} lacks {', '.join(absent)}")
    return dict(content)


def _array(path: Path, group: zarr.Group, plan: ArraySpec, count: int) -> zarr.Array[Any]:
    array = group[plan.path]
    if not isinstance(array, zarr.Array) or array.shape != (count, *plan.shape):
        raise _broken(path, f"{plan.path} is not an array of shape {(count, *plan.shape)}")
    expected = -(-count // (array.shards or array.chunks)[0])
    files = sum(entry.is_file() for entry in (path / ARRAYS / plan.path / "c").rglob("*"))
    if files != expected:
        raise _broken(path, f"{plan.path} has {files} of {expected} files")
    return array


def _broken(path: Path, found: str) -> VadoseError:
    return VadoseError(f"samples: the store {path}", f"It is damaged: {found}", "Build it again, or copy it again")
