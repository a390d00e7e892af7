"""Sources: one file per product, on its native grid in physical units."""

from collections.abc import Iterable

from vadose.insitu.headers import Sensor
from vadose.insitu.ismn import Ismn
from vadose.io.paths import StrPath
from vadose.registry import ARCHIVE_PRODUCTS, SourceSpec, source_specs
from vadose.sources.scan import Archive
from vadose.sources.source import Source, holdings, validate_dataset


def open_sources(archive: StrPath | Archive) -> tuple[Source, ...]:
    """Return every source of an archive; all of them share its scan.

    Raises:
        VadoseError: the folder is missing.
    """
    return _opened((spec for spec in source_specs() if spec.missing is not None), archive)


def open_mask_sources(archive: StrPath | Archive) -> tuple[Source, ...]:
    """Return mask sources of an archive, which flag cells of maps and are not read by networks.

    Raises:
        VadoseError: the folder is missing.
    """
    return _opened((spec for spec in source_specs() if spec.missing is None), archive)


def products_of(sources: Iterable[Source]) -> dict[str, str]:
    """Of which product each predictor of an archive is: the usual one, or what its source says of the files there."""
    told = {name: product for source in sources for name, product in getattr(source, "products", {}).items()}
    return {**ARCHIVE_PRODUCTS, **told}


def _opened(specs: Iterable[SourceSpec], archive: StrPath | Archive) -> tuple[Source, ...]:
    shared = Archive.of(archive)
    return tuple(spec.open(shared) for spec in specs)


__all__ = [
    "Archive",
    "Ismn",
    "Sensor",
    "Source",
    "holdings",
    "open_mask_sources",
    "open_sources",
    "products_of",
    "validate_dataset",
]
