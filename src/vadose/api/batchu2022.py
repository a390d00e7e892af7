"""The published shards of Batchu et al. (2022)."""

from pathlib import Path

from vadose.api.callbacks import Echo, Progress, silent
from vadose.batchu2022.commands import FittedUnits, import_published
from vadose.batchu2022.commands import fit_units as _fit_units
from vadose.dataset import SampleStore
from vadose.io.paths import StrPath


def import_batchu2022(
    shards: StrPath,
    out: StrPath,
    *,
    ismn: StrPath | None = None,
    units: StrPath | None = None,
    halo: int = 4,
    simulated: bool = False,
    workers: int = 1,
    progress: Progress = silent,
    echo: Echo = silent,
) -> SampleStore:
    """Import the published shards into a sample store; an interrupted import resumes.

    Args:
        shards: folder of the shards.
        out: folder of the store.
        ismn: ISMN archive or its tables, for readings that the shards do not contain.
        units: calibrations from `fit_batchu2022_units`; without them, the assumed ranges apply.
        halo: cells around the sensor's cell in each chip.
        simulated: whether the shards are simulated.
        workers: processes.
        progress: called after each shard.
        echo: called with the number of samples and the units.
    """
    archive, fits = (None if one is None else Path(one) for one in (ismn, units))
    echo(import_published(Path(shards), Path(out), archive, fits, halo, simulated, progress, workers))
    return SampleStore.open(out)


def fit_batchu2022_units(
    shards: StrPath, archive: StrPath, out: StrPath, *, examples: int = 200, progress: Progress = silent
) -> FittedUnits:
    """Calibrate the published 0-255 numbers against real products of the same places and times.

    Args:
        shards: folder of the shards.
        archive: folder of real products over their sensors.
        out: JSON file of the fits.
        examples: largest number of examples.
        progress: called after each example.
    """
    return _fit_units(Path(shards), Path(archive), Path(out), examples, progress)
