"""Where data come from: one file a product, each on its own grid in honest units."""

from collections.abc import Callable
from pathlib import Path

from vadose.refusal import Refusal
from vadose.sources.dem import Dem
from vadose.sources.gldas import Gldas
from vadose.sources.ismn import Ismn
from vadose.sources.sentinel1 import Sentinel1
from vadose.sources.sentinel2 import Sentinel2
from vadose.sources.smap import Smap
from vadose.sources.soilgrids import SoilGrids
from vadose.sources.source import Source, conform
from vadose.sources.stm import Sensor

REGISTRY: tuple[Callable[[Path], Source], ...] = (Sentinel1, Sentinel2, Dem, SoilGrids, Smap, Gldas)
"""The sources that are read from an archive folder; a new one is added here."""


def open_sources(archive: Path) -> tuple[Source, ...]:
    """Every source of an archive folder.

    Raises:
        Refusal: there is no such folder.
    """
    if not archive.is_dir():
        raise Refusal(f"archive: {archive}", "There is no such folder", "Name the folder that holds the products")
    return tuple(source(archive) for source in REGISTRY)


__all__ = ["REGISTRY", "Ismn", "Sensor", "Source", "conform", "open_sources"]
