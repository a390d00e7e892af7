"""Sources: one file per product, on its native grid in physical units."""

from collections.abc import Iterable

from vadose.io.paths import StrPath
from vadose.registry import ARCHIVE_PRODUCTS, source_specs
from vadose.sources.scan import ArchiveScan
from vadose.sources.source import Source, holdings, validate_dataset


def open_sources(archive: StrPath | ArchiveScan) -> tuple[Source, ...]:
    """Return every source of an archive; all of them share its scan.

    Raises:
        VadoseError: the folder is missing.
    """
    scan = ArchiveScan.of(archive)
    return tuple(spec.open(scan) for spec in source_specs() if spec.missing is not None)


def open_mask_sources(archive: StrPath | ArchiveScan) -> tuple[Source, ...]:
    """Return mask sources of an archive, which flag cells of maps and are not read by networks.

    Raises:
        VadoseError: the folder is missing.
    """
    scan = ArchiveScan.of(archive)
    return tuple(spec.open(scan) for spec in source_specs() if spec.missing is None)


def products_of(sources: Iterable[Source]) -> dict[str, str]:
    """Return the product of each predictor in an archive: the usual one, unless its files state another."""
    found = {name: product for source in sources for name, product in getattr(source, "products", {}).items()}
    return {**ARCHIVE_PRODUCTS, **found}


__all__ = [
    "ArchiveScan",
    "Source",
    "holdings",
    "open_mask_sources",
    "open_sources",
    "products_of",
    "validate_dataset",
]
