"""Names of granules."""

import re
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from vadose.grid import nanosecond
from vadose.registry import GranuleName, GranuleNaming
from vadose.sources.left_out import Unfit

_DATA = re.compile(r"|.*\.(nc4?|h5|hdf5?|he5)", re.IGNORECASE | re.DOTALL)
_ASIDE = re.compile(
    r".*\.(xml|met|json|geojson|txt|md|md5|sha\d*|png|jpe?g|gif|pdf|html?|log|csv|qa|iso|dmr|dmrpp|idx|py|sh|ya?ml|aux)",
    re.IGNORECASE | re.DOTALL,
)
"""Companion files of a granule, from data centres and from users."""
_UNFINISHED = re.compile(r".*\.(part|partial|crdownload|download|tmp|aria2|filepart|incomplete)", re.I | re.DOTALL)
_COPY = re.compile(r"\s*\(\d+\)")
"""Suffix of a file that a browser saved a second time."""
_FAMILIES = re.compile(r"GLDAS|SMAP|NISAR", re.IGNORECASE)


def name_of(path: Path, folder: Path, naming: GranuleNaming) -> GranuleName | None:
    """Parse the name of a file; subset services write addresses with percent signs into it.

    Raises:
        Unfit: it looks like a granule, or is in a folder of granules, and is not read.
    """
    name = unquote(path.name)
    if naming.companion and naming.companion.search(name):
        return None
    named = naming.read(name)
    if named is not None or not (path.suffix and _DATA.fullmatch(path.suffix)):
        return named
    in_folder = any(part.lower().startswith(naming.source) for part in path.relative_to(folder).parts[:-1])
    if naming.like.search(name) or (in_folder and not _FAMILIES.search(name)):
        raise Unfit(
            "not named as a granule",
            f"{naming.source}: {path}",
            "It looks like a granule of the product by its name or its folder, but its name is not valid",
            "Restore the name given by its data centre, or remove it",
        )
    return None


def is_data(rest: str) -> bool:
    """Return whether the end of a granule's name is that of a data file, not of a companion file.

    Raises:
        Unfit: the file has another format, or its download is unfinished.
    """
    ending = _COPY.sub("", re.split(r"[?&]", rest, maxsplit=1)[0])
    if _DATA.fullmatch(ending):
        return True
    if _ASIDE.fullmatch(ending):
        return False
    if _UNFINISHED.fullmatch(ending):
        raise Unfit("unfinished download", f"a file ending with '{ending}'", "Its download stopped", "Finish it")
    raise Unfit(
        "another format",
        f"a file ending with '{ending}'",
        "HDF5 and NetCDF-4 are read (.nc4, .nc, .h5)",
        "Unpack or convert it, or download it as HDF5 or NetCDF-4",
    )


def instant(name: str, date: str, clock: str = "0000") -> np.datetime64:
    """Return the time in a name, from YYYYMMDD and HHMM.

    Raises:
        Unfit: the day or the time of day does not exist.
    """
    try:
        return nanosecond(f"{date[:4]}-{date[4:6]}-{date[6:]}T{clock[:2]}:{clock[2:]}")
    except ValueError as error:
        raise Unfit(
            "no date in its name",
            f"a file named {name}",
            f"Its name contains no date: {date} {clock}",
            "Rename or remove it",
        ) from error
