"""Named products: what is built in about each, so that it is read by its name alone."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Convention:
    """What is built in about a product.

    Attributes:
        name: name on the command line.
        title: words in messages and on the page.
        files: pattern of the names of its files; others in its folder are not read.
        source: name of the source whose reader serves; empty for none.
        retrieval: field of that source; empty for its only one.
        note: what its figures mean, for the page.
    """

    name: str
    title: str
    files: re.Pattern[str]
    source: str = ""
    retrieval: str = ""
    note: str = ""

    def holds(self, path: Path) -> bool:
        """Return whether a path is a file of the product, or a folder with one."""
        if path.is_dir():
            return any(self.files.fullmatch(one.name) for one in path.rglob("*") if one.is_file())
        return self.files.fullmatch(path.name) is not None


_NISAR = re.compile(r"NISAR_L3_.*_SME2_.*\.h5", re.IGNORECASE)
_NISAR_NOTE = "mission goal 0.06 m3 m-3 where plants hold less than 5 kg m-2 of water"

CONVENTIONS: Mapping[str, Convention] = {
    one.name: one
    for one in (
        Convention("NISAR", "NISAR SME2, combined", _NISAR, "nisar", "combined", _NISAR_NOTE),
        Convention("NISAR-DSG", "NISAR SME2, disaggregation", _NISAR, "nisar", "DSG", _NISAR_NOTE),
        Convention("NISAR-PMI", "NISAR SME2, physical model inversion", _NISAR, "nisar", "PMI", _NISAR_NOTE),
        Convention("NISAR-TSR", "NISAR SME2, time-series ratio", _NISAR, "nisar", "TSR", _NISAR_NOTE),
    )
}
"""Named products."""


def named(name: str) -> Convention | None:
    """Return the convention of a name, in any case of its letters."""
    return next((one for key, one in CONVENTIONS.items() if key.lower() == name.strip().lower()), None)
