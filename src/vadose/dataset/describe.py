"""Description of a store in numbers and in a picture."""

from pathlib import Path

import numpy as np
import pandas as pd

from vadose.dataset.layout import IDENTITY, LABEL
from vadose.dataset.store import SampleStore
from vadose.errors import VadoseError
from vadose.io.files import atomic_write
from vadose.io.outputs import Request
from vadose.registry import source_of

PICTURES = (".png", ".pdf", ".svg")


def describe(store: SampleStore) -> str:
    """Return counts by network and year, labels, and the fraction of samples without each source, as Markdown."""
    index = store.index
    sensors = len(index[list(IDENTITY)].drop_duplicates())
    networks = index["network"].nunique()
    title = f"{len(index):,} samples of {sensors:,} sensors in {networks:,} network{'s' if networks != 1 else ''}"
    lines = [f"# {'SIMULATED: ' if store.simulated else ''}{title}", "", _by_network(index)]
    if LABEL in index and index[LABEL].notna().any():
        level = index[LABEL].quantile([0.05, 0.5, 0.95])
        lines += [f"Labels, m3 m-3: 5 % {level[0.05]:.3f}, median {level[0.5]:.3f}, 95 % {level[0.95]:.3f}", ""]
    return "\n".join([*lines, _missing(store)])


def picture(store: SampleStore, path: Path) -> None:
    """Draw the places of the sensors, their times, and the histogram of the labels, as PNG, PDF or SVG.

    Raises:
        VadoseError: the suffix is unknown, or `path` is not writable or is not an earlier picture of the store.
    """
    if path.suffix.lower() not in PICTURES:
        raise VadoseError(
            f"samples: the picture {path}", f"The suffixes are {', '.join(PICTURES)}", "Choose one of these"
        )
    request = Request.of("samples describe", path, store=store.path)
    with request.file(path) as held:
        _draw(store, held, request.mark)


def _draw(store: SampleStore, path: Path, mark: str) -> None:
    import matplotlib.pyplot as plt  # noqa: PLC0415 - slow to import, and not needed for stores

    index = store.index
    figure, (places, years, labels) = plt.subplots(1, 3, figsize=(13, 3.6), layout="constrained")
    for network, rows in index.groupby("network"):
        spots = rows[["lon", "lat"]].drop_duplicates()
        places.scatter(spots["lon"], spots["lat"], s=14, label=str(network))
    places.set(xlabel="longitude, degrees", ylabel="latitude, degrees", title="sensors")
    if index["network"].nunique() <= 8:
        places.legend(fontsize="small")
    years.hist(index["time"], bins=48, color="0.6")
    years.tick_params("x", rotation=30)
    years.set(ylabel="samples", title="times")
    if LABEL in index:
        labels.hist(index[LABEL].dropna(), bins=np.linspace(0, 0.6, 49), color="0.35")
    labels.set(xlabel="soil moisture, m³ m⁻³", ylabel="samples", title="labels")
    if store.simulated:
        figure.suptitle("SIMULATED", fontweight="bold")
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=120, metadata={"Title": mark})
    plt.close(figure)


def _by_network(index: pd.DataFrame) -> str:
    years = index["time"].dt.year.rename("year")
    counts = pd.crosstab(index["network"], years)
    stations = index.groupby("network")["station"].nunique()
    lines = ["| network | stations | " + " | ".join(map(str, counts.columns)) + " |"]
    lines.append("|---" * (2 + len(counts.columns)) + "|")
    lines += [
        f"| {name} | {stations[name]} | {' | '.join(map(str, row))} |"
        for name, row in zip(counts.index, counts.to_numpy(), strict=True)
    ]
    return "\n".join(lines) + "\n"


def _missing(store: SampleStore) -> str:
    names = [name for name in store.holds.cells if not name.endswith(("_valid_fraction", "_age"))]
    absent = np.isnan(store.cells(names, store.rows)) if names else np.empty((len(store), 0))
    lines = ["| source | samples without it |", "|---|---|"]
    for source in dict.fromkeys(map(source_of, names)):
        mine = [place for place, name in enumerate(names) if source_of(name) == source]
        lines.append(f"| {source} | {absent[:, mine].all(axis=1).mean():.1%} |")
    return "\n".join(lines)
