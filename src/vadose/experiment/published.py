"""Published 0-255 units in an experiment: what they are fitted to, and what a model that learned from them may read."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vadose.batchu2022 import Merge, UnitFit, absent, import_shards, require, shards
from vadose.batchu2022.calibration import Line, fits_of, from_dict, lines
from vadose.batchu2022.calibration_pairs import pairs_of
from vadose.batchu2022.units import read, write
from vadose.dataset import SampleStore
from vadose.dataset.layout import PUBLISHED_UNITS
from vadose.errors import Refusal
from vadose.insitu import Ismn
from vadose.io.outputs import Request
from vadose.sources import open_sources
from vadose.training import origin

RESIDUAL_STEPS = 3.0
"""The largest residual, in steps of the published number, of a line by which live products stand for published ones."""
Lines = Mapping[str, Line]


@dataclass(frozen=True)
class FittedUnits:
    """Fits that were written.

    Attributes:
        path: the file.
        examples: that gave pairs.
        fits: by feature.
        lacking: why each of the other features has none.
        absent: shards of the set that were not there.
    """

    path: Path
    examples: int
    fits: Mapping[str, UnitFit]
    lacking: Mapping[str, str]
    absent: int

    def __str__(self) -> str:
        rows = [f"Units of {len(self.fits)} features from {self.examples} examples in {self.path}{told(self.absent)}"]
        rows += [
            f"{name}: {fit.scale:.5g} x published + {fit.offset:.5g} {fit.units}, residual {fit.residual:.3g} "
            f"({fit.residual_steps:.2g} steps), r {fit.r:.3f}, {fit.count} pairs"
            for name, fit in self.fits.items()
        ]
        return "\n".join([*rows, *(f"{name}: not fitted, {reason}" for name, reason in self.lacking.items())])


def told(lacking: int) -> str:
    """That a set of shards is not whole."""
    return f"; {lacking} shards of the set are absent" if lacking else ""


def fit_units(
    folder: Path, archive: Path, out: Path, examples: int, report: Callable[[int, int, str], None]
) -> FittedUnits:
    """Fit the units of published numbers to the products of an archive, and write them.

    Args:
        folder: of the shards.
        archive: of products over the same places and times.
        out: JSON file of the fits.
        examples: that are paired, at most.
        report: told (examples paired, of how many at most, which shard).

    Raises:
        Refusal: no shards, no archive, a product that cannot be read, or no feature that can be fitted; nothing is
            written.
    """
    request = Request.of("samples units", out, shards=folder, archive=archive, examples=examples)
    with request.file(out) as held:
        return _fit(folder, archive, held, examples, report, request.mark)


def _fit(
    folder: Path, archive: Path, out: Path, examples: int, report: Callable[[int, int, str], None], mark: str
) -> FittedUnits:
    paths = shards(folder)
    pairs = pairs_of(paths, open_sources(archive), examples, report)
    fits, lacking = pairs.fits()
    if not fits:
        raise Refusal(
            f"published: units of {folder} by {archive}",
            f"{pairs.examples} examples lie where and when the archive holds something; no feature has pairs enough",
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
    """Import the shards of a folder into a store, and tell what came of it.

    Args:
        folder: of the shards.
        out: of the store.
        ismn: archive with labels for examples without one.
        units: what `fit_units` wrote.
        halo, simulated, report, workers: as in `import_shards`.

    Raises:
        Refusal: no shards, fits that cannot be read, or as `import_shards`.
    """
    Request("samples published", "").require_place(out, folder=True)
    paths = shards(folder)
    merge = Merge(Ismn(ismn)) if ismn else None
    if merge:
        merge.archive.sensors()
    fits = read(units) if units else {}
    made = import_shards(paths, out, merge, fits, halo, simulated, report, workers)
    nominal = units_note(lines(fits), lines(fits))
    return f"{made}{told(len(absent(paths)))}\n{nominal}"


def lines_of_store(store: SampleStore) -> Lines:
    """By which lines the published numbers of a store are read; none in a store of products."""
    return from_dict(store.published_units)


def lines_of_run(networks: Iterable[Path]) -> Lines:
    """By which lines the samples were read that networks learned from.

    Raises:
        Refusal: a checkpoint cannot be read.
    """
    return from_dict(dict(item for path in networks for item in origin(path).get(PUBLISHED_UNITS, {}).items()))


def as_declared(store: SampleStore) -> dict[str, Any]:
    """What the origin of a checkpoint tells of the units of its samples; nothing where they are those of products."""
    return {PUBLISHED_UNITS: dict(store.published_units)} if store.published_units else {}


def require_physical(lines: Lines, names: Collection[str]) -> None:
    """Make sure that live products can stand for the published numbers that a model learned from.

    Args:
        lines: of its samples.
        names: predictors that it reads.

    Raises:
        Refusal: one of them was read by a nominal line, or by one that was fitted with a large residual.
    """
    needed = [line for name, line in lines.items() if name in names]
    require(fits_of(needed), [line.feature for line in needed], RESIDUAL_STEPS)


def require_alike(lines: Lines, store: SampleStore, names: Collection[str]) -> None:
    """Make sure that the samples of a store are in the units of those that a model learned from.

    Raises:
        Refusal: they are not, and are not both physical.
    """
    theirs = lines_of_store(store)
    if not theirs:
        require_physical(lines, names)
        return
    different = sorted(name for name in names if _numbers(lines.get(name)) != _numbers(theirs.get(name)))
    if different:
        raise Refusal(
            f"published: {', '.join(different)} of {store.path}",
            "The samples that the run learned from have them in other units"
            if lines
            else "The run learned from products, and these are published numbers",
            "Give samples that were imported with the same --units, or of products",
        )


def units_note(lines: Lines, names: Collection[str]) -> str:
    """What a reader of scores must know of the units of the predictors; "" where all are those of products."""
    needed = {name: line for name, line in lines.items() if name in names}
    nominal = [name for name, line in needed.items() if line.line == "nominal"]
    fitted = [name for name, line in needed.items() if line.line == "fitted"]
    parts = [f"{', '.join(nominal)} are published 0-255 units by a nominal line, not physical"] if nominal else []
    parts += [f"{', '.join(fitted)} are published 0-255 units by a line fitted to products"] if fitted else []
    return f"Units: {'; '.join(parts)}." if parts else ""


def _numbers(line: Line | None) -> tuple[float, float] | None:
    return (line.scale, line.offset) if line else None
