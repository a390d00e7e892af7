"""Sample stores: imported from tables, appended and verified."""

from pathlib import Path

from vadose.api.callbacks import Echo, Progress, silent
from vadose.api.inputs import as_store
from vadose.dataset import SampleStore, TableMapping, Verified, picture
from vadose.dataset import import_table as _import_table
from vadose.dataset.append import append
from vadose.dataset.describe import describe
from vadose.dataset.verify import verify
from vadose.insitu.conversion import archive_to_parquet
from vadose.io.paths import StrPath


def open_samples(store: StrPath) -> SampleStore:
    """Open a sample store.

    Raises:
        VadoseError: the store is missing, has another format, or a part of it is missing or truncated.
    """
    return SampleStore.open(store)


def import_table(table: StrPath, columns: StrPath, out: StrPath, *, echo: Echo = silent) -> SampleStore:
    """Import a matched point table, with or without readings, into a sample store.

    Args:
        table: CSV, CSV.gz or Parquet, with one row per sensor and time.
        columns: YAML file of the column mapping.
        out: folder of the store.
        echo: called with the numbers of samples and of rejected rows.

    Raises:
        VadoseError: the table or the column mapping is unreadable.
    """
    echo(str(_import_table(Path(table), TableMapping.read(columns), Path(out), Path(columns))))
    return SampleStore.open(out)


def convert_ismn(
    archive: StrPath, out: StrPath, *, workers: int = 1, progress: Progress = silent, echo: Echo = silent
) -> Path:
    """Convert an ISMN archive to Parquet tables, which can be given in its place; an interrupted run resumes.

    Args:
        archive: zip file, or folder with its files.
        out: folder of the tables.
        workers: processes.
        progress: called after each sensor.
        echo: called with the numbers of sensors and readings.

    Returns:
        The folder of the tables.
    """
    echo(str(archive_to_parquet(Path(archive), Path(out), workers, progress)))
    return Path(out)


def append_samples(
    store: SampleStore | StrPath, other: SampleStore | StrPath, *, progress: Progress = silent, echo: Echo = silent
) -> SampleStore:
    """Append the samples of another store; duplicates are left out.

    Raises:
        VadoseError: the stores have different variables.
    """
    path = store.path if isinstance(store, SampleStore) else Path(store)
    echo(str(append(path, as_store(other), progress)))
    return SampleStore.open(path)


def verify_samples(store: SampleStore | StrPath, *, progress: Progress = silent) -> Verified:
    """Verify every byte of a store: checksums, ranges, duplicates.

    Returns:
        The findings; `faults` is empty for a valid store.
    """
    return verify(as_store(store), progress)


def describe_samples(store: SampleStore | StrPath, out: StrPath | None = None) -> str:
    """Describe a store: sensors by network and year, readings, and missing values.

    Args:
        store: samples.
        out: PNG, PDF or SVG of places, times and readings; by default none is drawn.

    Returns:
        Markdown.
    """
    held = as_store(store)
    if out is not None:
        picture(held, Path(out))
    return describe(held)
