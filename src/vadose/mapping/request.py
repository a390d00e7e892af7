"""Request of a map, and its failure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vadose.errors import VadoseError
from vadose.grid import AreaOfInterest

TILE_CELLS = 32
FORMATS = ("cog", "zarr", "netcdf")


@dataclass(frozen=True)
class MapRequest:
    """Request of a map.

    Attributes:
        run: folder of the trained networks.
        archive: folder of the products.
        area: "west,south,east,north" in degrees, or a file of polygons: GeoJSON, GeoPackage, shapefile; or the area.
        date: a day, which means its end, or a time, UTC; or two days separated by a slash, both included; or times.
        out: folder of the files.
        as_of: a day, which means its end, or a time, UTC: products published later are not read; without it, all
            observations until the time of the map are read.
        every: interval of a range, days; or "pass": the times of Sentinel-1 passes.
        formats: formats of the files, any of `FORMATS`.
        pictures: whether a picture of each time is drawn.
        allow_unread: whether a source whose files are all unreadable is left out.
    """

    run: Path
    archive: Path
    area: str | AreaOfInterest
    date: str | tuple[np.datetime64, ...]
    out: Path
    as_of: str | None = None
    every: str | None = None
    formats: tuple[str, ...] = ("cog",)
    pictures: bool = True
    allow_unread: bool = False

    def __post_init__(self) -> None:
        unknown = [name for name in self.formats if name not in FORMATS]
        if unknown or not self.formats:
            raise VadoseError(
                f"map: files of the format {', '.join(unknown) or 'none'}",
                f"There are {', '.join(FORMATS)}",
                "Choose one of them, or several",
            )


class TilesFailed(VadoseError):
    """A map with failed tiles; the others are kept.

    Args:
        out: folder of the map.
        total: number of tasks of the map.
        reasons: by the name of the tile and its dates.
    """

    def __init__(self, out: Path, total: int, reasons: Mapping[str, str]) -> None:
        self.reasons = dict(reasons)
        named = "; ".join(f"{name}: {reason}" for name, reason in list(reasons.items())[:3])
        super().__init__(
            f"map: {total} tiles in {out}",
            f"{len(reasons)} of them failed, such as {named}",
            "Correct these faults and run the same command again; it estimates only the missing tiles",
        )
