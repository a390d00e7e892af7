"""Archives: contents, and features on the 320 m grid."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pandas as pd
import xarray as xr

from vadose.api.inputs import Area, Time, as_area, time_request, time_text
from vadose.errors import VadoseError
from vadose.experiment.config import SIMULATED, is_simulated
from vadose.fusion import FeatureCube, InputSpec, TemporalPolicy
from vadose.fusion.feature_cube import attrs_of
from vadose.fusion.feature_dataset import AREA, to_dataset
from vadose.grid import AreaOfInterest, Tile, enclosing_tile
from vadose.inference import mask_spec
from vadose.io.display import Summarised
from vadose.io.files import metadata
from vadose.io.paths import StrPath
from vadose.mapping.features import features_at
from vadose.mapping.request import TILE_CELLS
from vadose.mapping.timestamps import Passes, timestamp_of, timestamps_of
from vadose.registry import LATENCY_DAYS, PREDICTORS
from vadose.sources import ArchiveScan, Source, holdings, open_mask_sources, open_sources

if TYPE_CHECKING:
    from vadose.api.fetch import CatalogueArchive

MOST_BYTES = 4 << 30
"""Largest size of a loaded dataset, bytes."""


@dataclass(frozen=True)
class LoadSpec:
    """Specification of what `Archive.load` reads.

    Attributes:
        features: predictors, history and halo.
        policy: maximum age and publication of observations.
    """

    features: InputSpec
    policy: TemporalPolicy = field(default_factory=TemporalPolicy)


class Archive(Summarised):
    """A folder of product files.

    Args:
        folder: folder of the product files.

    Raises:
        VadoseError: the folder does not exist.
    """

    def __init__(self, folder: StrPath) -> None:
        self.folder = Path(folder)
        scan = ArchiveScan.of(self.folder)
        self.sources: tuple[Source, ...] = open_sources(scan)
        self.mask_sources: tuple[Source, ...] = open_mask_sources(scan)

    @property
    def simulated(self) -> bool:
        """Return whether the archive is simulated."""
        return is_simulated(self.folder)

    @cached_property
    def contents(self) -> pd.DataFrame:
        """One row per source: number of items, first and last time (UTC), number of items left out."""
        rows = [(source.name, *_counts(source)) for source in (*self.sources, *self.mask_sources)]
        return pd.DataFrame(rows, columns=["source", "items", "first", "last", "left_out"]).set_index("source")

    def load(
        self,
        area: Area,
        time: Time,
        spec: "LoadSpec | InputSpec | Iterable[str] | None" = None,
        *,
        as_of: Time | None = None,
    ) -> xr.Dataset:
        """Load the features of an area at one or many times.

        The features are computed as for training samples and maps, from observations at a time or before it.

        Args:
            area: as in `vadose.api.inputs.as_area`; of one UTM zone.
            time: as in `vadose.api.inputs.time_request`.
            spec: `model.inputs`; an `InputSpec`; names of predictors, read as means over cells; or all predictors.
            as_of: products published later are not read.

        Returns:
            The dataset of `vadose.fusion.feature_dataset`, with a coordinate `in_area` (y, x), and the built-up, water
            and frozen fractions of cells.

        Raises:
            NoDataError: the archive has no data for the area and the times.
            VadoseError: the area covers no cell or several UTM zones, or the dataset exceeds 4 GiB.
        """
        wanted, ground = as_spec(spec), as_area(area)
        names = {variable.name for source in self.sources for variable in source.variables}
        features = wanted.features.met_by(names)
        date, every = time_request(time)
        times = timestamps_of(date, every, Passes.of(self.sources, ground))
        until = None if as_of is None else timestamp_of(time_text(as_of))
        tile = _tile_of(ground, features.halo if features.pixels else 0)
        _require_small(tile, features, len(times))
        with_masks = features_at(self.sources, self.mask_sources, tile, times, features, wanted.policy, until)
        cubes = [_with_masks(cube, masks) for cube, masks in with_masks]
        dataset = to_dataset(cubes, features.history.step_days)
        inside = (("y", "x"), ground.contains_cells(tile), {"long_name": "cell centre is inside the area"})
        made: dict[str, Any] = {"archive": str(self.folder.absolute()), "area": ground.name, "as_of": until}
        made["items"] = sorted({item for cube in cubes for item in cube.items})
        notice = {"comment": SIMULATED} if self.simulated else {}
        return dataset.assign_coords({AREA: inside}).assign_attrs(
            title="Features on cells of 320 m",
            declaration=json.dumps(metadata("features", made), default=str),
            **notice,
        )

    def _summary(self) -> tuple[str, Mapping[str, object]]:
        rows = {}
        for name, row in self.contents.iterrows():
            span = "" if pd.isna(row["first"]) else f", {row['first']:%Y-%m-%d}..{row['last']:%Y-%m-%d}"
            left_out = f", {row['left_out']:,} left out" if row["left_out"] else ""
            rows[str(name)] = f"{row['items']:,} items{span}{left_out}"
        return f"Archive {self.folder}{' (simulated)' if self.simulated else ''}", rows


@overload
def open_archive(folder: StrPath) -> Archive: ...
@overload
def open_archive(*, catalogue: str | Sequence[str]) -> "CatalogueArchive": ...
def open_archive(
    folder: StrPath | None = None, *, catalogue: str | Sequence[str] | None = None
) -> "Archive | CatalogueArchive":
    """Open a folder of products, and scan it once; or catalogues, from which `load` fetches what it needs.

    Args:
        folder: folder of the products.
        catalogue: names of catalogues, and YAML files that add to them; "all" for all that are known.

    Raises:
        VadoseError: the folder does not exist, a catalogue is unknown, or both or neither are given.
    """
    if (folder is None) == (catalogue is None):
        raise VadoseError("open_archive: a folder or a catalogue", "Give one of them", "Write open_archive('archive/')")
    if folder is not None:
        return Archive(folder)
    from vadose.api.fetch import CatalogueArchive  # noqa: PLC0415 (it fetches into an `Archive`)

    names = [catalogue] if isinstance(catalogue, str) else list(catalogue or ())
    return CatalogueArchive([name for name in names if name != "all"])


def as_spec(spec: "LoadSpec | InputSpec | Iterable[str] | None") -> LoadSpec:
    """Return what is loaded, from inputs or from names of predictors; all predictors by default.

    Raises:
        VadoseError: a name is unknown, or there is none.
    """
    if isinstance(spec, LoadSpec):
        return spec
    if isinstance(spec, InputSpec):
        return LoadSpec(spec)
    names = (spec,) if isinstance(spec, str) else tuple(PREDICTORS if spec is None else spec)
    unknown = sorted(set(names) - PREDICTORS.keys())
    if unknown or not names:
        raise VadoseError(
            f"load: predictors {', '.join(map(repr, names))}",
            f"Unknown: {', '.join(unknown)}" if unknown else "The list is empty",
            f"Predictors are {', '.join(PREDICTORS)}",
        )
    return LoadSpec(InputSpec(cells=names))


def _tile_of(area: AreaOfInterest, halo: int) -> Tile:
    """Return the smallest rectangle of cells that covers an area of one zone."""
    tiles = area.tiles(TILE_CELLS, 0)
    zones = sorted({tile.epsg for tile in tiles})
    if len(zones) != 1:
        raise VadoseError(
            f"load: the area '{area.name}'",
            f"Its cells are in the UTM zones EPSG:{', '.join(map(str, zones))}"
            if zones
            else "It covers no cell of 320 m",
            "Load each zone separately, or map the area with make_map" if zones else "Give a larger area",
        )
    return enclosing_tile(tiles).with_halo(halo)


def _require_small(tile: Tile, spec: InputSpec, times: int) -> None:
    past = spec.history
    cells = tile.rows * tile.columns * (len(spec.cells) + len(past.variables) * past.steps)
    pixels = int(np.prod(tile.pixels.shape)) * len(spec.pixels)
    size = 4 * times * (cells + pixels)
    if size > MOST_BYTES:
        raise VadoseError(
            f"load: {times:,} times of {tile.columns} x {tile.rows} cells",
            f"They take {size / 2**30:.1f} GiB; at most {MOST_BYTES / 2**30:g} GiB are loaded",
            "Load fewer times or a smaller area, or map it with make_map",
        )


def _with_masks(cube: FeatureCube, masks: FeatureCube | None) -> FeatureCube:
    """Return features with the built-up, water and frozen fractions of the cells, which only quality flags require."""
    blank = np.full(tuple(cube.tile.cells.shape), np.nan, np.float32)
    found = {
        name: (("y", "x"), blank if masks is None else masks.cells[name].values, attrs_of(name))
        for name in mask_spec().cells
    }
    items = cube.items if masks is None else tuple(sorted({*cube.items, *masks.items}))
    return FeatureCube(cube.tile, cube.time, cube.pixels, cube.cells.assign(found), cube.history, items)


def _counts(source: Source) -> tuple[int, object, object, int]:
    """Count the items, their first and last time, and the items left out."""
    held = holdings(source)
    if held is None:
        return 0, pd.NaT, pd.NaT, 0
    times = pd.Series(held.times if source.name in LATENCY_DAYS else (), dtype="datetime64[ns]")
    return len(held.times), times.min(), times.max(), len(held.left_out)
