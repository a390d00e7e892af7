"""Where data come from: one file a product, each on its own grid in honest units."""

from collections.abc import Callable, Iterable
from pathlib import Path

from vadose.errors import VadoseError
from vadose.insitu.headers import Sensor
from vadose.insitu.ismn import Ismn
from vadose.io.paths import StrPath
from vadose.sources.dem import Dem
from vadose.sources.gldas import Gldas
from vadose.sources.sentinel1 import Sentinel1
from vadose.sources.sentinel2 import Sentinel2
from vadose.sources.smap import Smap, smap_surface
from vadose.sources.soilgrids import SoilGrids
from vadose.sources.source import Source, validate_dataset
from vadose.sources.worldcover import WorldCover

REGISTRY: tuple[Callable[[Path], Source], ...] = (Sentinel1, Sentinel2, Dem, SoilGrids, Smap, Gldas)
"""The sources that are read from an archive folder; a new one is added here."""
MASK_SOURCES: tuple[Callable[[Path], Source], ...] = (WorldCover, smap_surface)
"""What tells under which conditions a map was made; an archive may do without."""


def open_sources(archive: StrPath) -> tuple[Source, ...]:
    """Every source of an archive folder.

    Raises:
        VadoseError: there is no such folder.
    """
    return _opened(REGISTRY, Path(archive))


def open_mask_sources(archive: StrPath) -> tuple[Source, ...]:
    """What an archive folder tells of the ground's conditions.

    Raises:
        VadoseError: there is no such folder.
    """
    return _opened(MASK_SOURCES, Path(archive))


def _opened(sources: Iterable[Callable[[Path], Source]], archive: Path) -> tuple[Source, ...]:
    if not archive.is_dir():
        raise VadoseError(f"archive: {archive}", "There is no such folder", "Name the folder that holds the products")
    return tuple(source(archive) for source in sources)


__all__ = ["REGISTRY", "Ismn", "Sensor", "Source", "open_mask_sources", "open_sources", "validate_dataset"]
