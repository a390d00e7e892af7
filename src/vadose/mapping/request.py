"""What is to be mapped, and what could not be."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vadose.errors import VadoseError
from vadose.grid import AreaOfInterest

FORMATS = ("cog", "zarr", "netcdf")


@dataclass(frozen=True)
class MapRequest:
    """What to map.

    Attributes:
        run: folder of the trained networks.
        archive: folder of the products.
        area: "west,south,east,north" in degrees, or a file of polygons: GeoJSON, GeoPackage, shapefile; or the area.
        date: a day, which means its end, or a time, UTC; or two days with a slash between, both included; or times.
        out: folder of the files.
        as_of: a day, which means its end, or a moment, UTC: nothing that was published later is read; without it
            everything observed until the moment of the map is.
        every: of a range of days, every how many are mapped; or "pass": the moments at which Sentinel-1 passed.
        formats: of the files, some of `FORMATS`.
        pictures: whether each moment is drawn as well.
        allow_unread: whether a source is done without though something of it lies in the archive.
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
    """A map some of whose tiles could not be estimated; the others are kept.

    Args:
        out: folder of the map.
        total: number of tasks of the map.
        reasons: why, by the name of the tile and its dates.
    """

    def __init__(self, out: Path, total: int, reasons: Mapping[str, str]) -> None:
        self.reasons = dict(reasons)
        named = "; ".join(f"{name}: {reason}" for name, reason in list(reasons.items())[:3])
        super().__init__(
            f"map: {total} tiles in {out}",
            f"{len(reasons)} of them failed, such as {named}",
            "Mend what they name and run the same command again; it does only the tiles that are missing",
        )
