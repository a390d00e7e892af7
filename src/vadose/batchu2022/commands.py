"""Import of published shards, and calibration of their 0-255 units against products."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from vadose.batchu2022 import LabelMatcher, UnitFit, absent, import_shards
from vadose.batchu2022.calibration import lines
from vadose.batchu2022.calibration_pairs import pairs_of
from vadose.batchu2022.shards import shards
from vadose.batchu2022.units import read, write
from vadose.dataset.calibrations import units_note
from vadose.errors import VadoseError
from vadose.insitu import Ismn
from vadose.io.outputs import Request
from vadose.sources import open_sources


@dataclass(frozen=True)
class FittedUnits:
    """Written fits.

    Attributes:
        path: path of the file.
        examples: number of examples with pairs.
        fits: fits by feature.
        lacking: reason for each feature without a fit.
        absent: number of missing shards of the set.
    """

    path: Path
    examples: int
    fits: Mapping[str, UnitFit]
    lacking: Mapping[str, str]
    absent: int

    def __str__(self) -> str:
        rows = [
            f"Units of {len(self.fits)} features from {self.examples} examples in {self.path}"
            f"{missing_shards(self.absent)}"
        ]
        rows += [
            f"{name}: {fit.scale:.5g} x published + {fit.offset:.5g} {fit.units}, residual {fit.residual:.3g} "
            f"({fit.residual_steps:.2g} steps), r {fit.r:.3f}, {fit.count} pairs"
            for name, fit in self.fits.items()
        ]
        return "\n".join([*rows, *(f"{name}: not fitted, {reason}" for name, reason in self.lacking.items())])


def missing_shards(lacking: int) -> str:
    """Return a note on the missing shards of a set."""
    return f"; {lacking} shards of the set are missing" if lacking else ""


def fit_units(
    folder: Path, archive: Path, out: Path, examples: int, report: Callable[[int, int, str], None]
) -> FittedUnits:
    """Fit the units of published numbers to the products of an archive, and write them.

    Args:
        folder: folder of the shards.
        archive: archive of products over the same places and times.
        out: JSON file of the fits.
        examples: largest number of paired examples.
        report: called with (paired examples, their limit, shard).

    Raises:
        VadoseError: the shards or the archive are missing, a product is unreadable, or no feature can be fitted;
            nothing is written.
    """
    request = Request.of("samples fit-units", out, shards=folder, archive=archive, examples=examples)
    with request.file(out) as held:
        return _fit(folder, archive, held, examples, report, request.mark)


def _fit(
    folder: Path, archive: Path, out: Path, examples: int, report: Callable[[int, int, str], None], mark: str
) -> FittedUnits:
    paths = shards(folder)
    pairs = pairs_of(paths, open_sources(archive), examples, report)
    fits, lacking = pairs.fits()
    if not fits:
        raise VadoseError(
            f"published: units of {folder} by {archive}",
            f"{pairs.examples} examples are where and when the archive has data; no feature has enough pairs",
            "Give an archive of products over the sensors of the shards, or more --examples",
        )
    write(
        out,
        fits,
        {
            "request": mark,
            "shards": len(paths),
            "archive": archive.name,
            "examples": pairs.examples,
            "lacking": lacking,
        },
    )
    return FittedUnits(out, pairs.examples, fits, lacking, len(absent(paths)))


def import_published(
    folder: Path,
    out: Path,
    ismn: Path | None,
    units: Path | None,
    halo: int,
    simulated: bool,
    report: Callable[[int, int, str], None],
    workers: int,
) -> str:
    """Import the shards of a folder into a store, and return a summary.

    Args:
        folder: folder of the shards.
        out: path of the store.
        ismn: archive with labels for examples without one.
        units: file from `fit_units`.
        halo, simulated, report, workers: as in `import_shards`.

    Raises:
        VadoseError: the shards are missing, the fits are unreadable, or as `import_shards`.
    """
    Request("samples import-batchu2022", "").require_place(out, folder=True)
    paths = shards(folder)
    merge = LabelMatcher(Ismn(ismn)) if ismn else None
    if merge:
        merge.archive.sensors()
    fits = read(units) if units else {}
    made = import_shards(paths, out, merge, fits, halo, simulated, report, workers)
    nominal = units_note(lines(fits), lines(fits))
    return f"{made}{missing_shards(len(absent(paths)))}\n{nominal}"
