"""Simulated in-situ sensors as an ISMN archive, header and values layout."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.files import replacing
from vadose.grid import to_lonlat
from vadose.world.land import FIELD_M, PER_CELL
from vadose.world.raster import NOTICE
from vadose.world.region import Simulated

INSTRUMENT = "Simulated-Probe"
DEPTH_M = (0.0, 0.05)
BIAS, NOISE, WITHIN = 0.012, 0.004, 0.01
"""Standard deviations of a sensor's calibration, of a reading, and of the point within its 40 m, m3 m-3."""
SPIKES, GAPS, STEADY = 0.002, 0.01, 72
"""Share of readings that spike, chance that an hour begins a gap, and mean length of a gap, hours."""
MISSING, FILL = 0.005, -9999.0
"""Share of readings that are flagged M, and their value in an ISMN file."""
MARGIN_CELLS = 4
COVERS = ("Crops", "Grass", "Bare")
"""Names of the classes of land cover."""


@dataclass(frozen=True)
class Probe:
    """A simulated sensor: its name, and its pixel of 40 m in the region."""

    station: str
    row: int
    column: int


def probes(world: Simulated, count: int) -> tuple[Probe, ...]:
    """Places of sensors, each in a cell of its own, where a chip of 9 cells fits into the region."""
    side = world.tile.rows - 2 * MARGIN_CELLS
    rng = world.rng("probes")
    cells = _spread(side, min(count, side * side), rng)
    inside = rng.integers(0, PER_CELL, (len(cells), 2))
    rows, columns = MARGIN_CELLS + cells // side, MARGIN_CELLS + cells % side
    return tuple(
        Probe(f"{world.name.title()}-{number + 1:02d}", int(row * PER_CELL + y), int(column * PER_CELL + x))
        for number, (row, column, (y, x)) in enumerate(zip(rows, columns, inside, strict=True))
    )


def readings(world: Simulated, probe: Probe) -> pd.DataFrame:
    """Hourly readings of a sensor: time, soil_moisture (m3 m-3) and ISMN flag."""
    rng = world.rng("readings", probe.row, probe.column)
    daily = world.surface[:, probe.row, probe.column].astype(float)
    hours = np.arange(24 * len(daily))
    values = np.interp(hours, 24 * np.arange(len(daily)) + 12, daily) + rng.normal(0, BIAS) + rng.normal(0, WITHIN)
    values = values + rng.normal(0, NOISE, len(hours)) + 0.002 * np.sin(2 * np.pi * (hours - 9) / 24)
    flags = np.full(len(hours), "G", dtype=object)
    frozen = np.repeat([world.frozen(day) for day in range(len(daily))], 24)
    values, flags = np.where(frozen, 0.08, values), np.where(frozen, "D01", flags)
    spikes = rng.random(len(hours)) < SPIKES
    values, flags = np.where(spikes, values + rng.normal(0, 0.15, len(hours)), values), np.where(spikes, "D06", flags)
    full = world.land.water.saturation[probe.row, probe.column]
    for flag, wrong in (("C03", values > full), ("C02", values > 0.6), ("C01", values < 0)):
        flags = np.where(wrong, flag, flags)
    missing = rng.random(len(hours)) < MISSING
    values, flags = np.where(missing, FILL, values), np.where(missing, "M", flags)
    kept = ~_gaps(len(hours), rng)
    times = world.weather.days[0] + pd.to_timedelta(hours, unit="h")
    table = pd.DataFrame({"time": times, "soil_moisture": values, "flag": flags})
    return table[kept].reset_index(drop=True)


def write_sensors(worlds: Sequence[Simulated], count: int, archive: Path) -> None:
    """Write every sensor of every region."""
    for world in worlds:
        for probe in probes(world, count):
            _write(world, probe, archive / "ismn")


def _write(world: Simulated, probe: Probe, folder: Path) -> None:
    network = f"SIM-{world.name}"
    box = world.tile.cells.boundingbox
    x, y = box.left + FIELD_M * (probe.column + 0.5), box.top - FIELD_M * (probe.row + 0.5)
    lon, lat = to_lonlat(world.tile.epsg).transform(x, y)
    table = readings(world, probe)
    first, last = (table["time"].iloc[place] for place in (0, -1))
    height = world.land.elevation[probe.row, probe.column]
    stem = f"{network}_{network}_{probe.station}"
    name = f"{stem}_sm_{DEPTH_M[0]:.6f}_{DEPTH_M[1]:.6f}_{INSTRUMENT}_{first:%Y%m%d}_{last:%Y%m%d}.stm"
    header = f"{network} {network} {probe.station} {lat:.5f} {lon:.5f} {height:.1f} {DEPTH_M[0]:.4f} {DEPTH_M[1]:.4f}"
    stamps = table["time"].dt.strftime("%Y/%m/%d %H:%M")
    rows = (f"{t} {v:.4f} {f} M" for t, v, f in zip(stamps, table["soil_moisture"], table["flag"], strict=True))
    station = folder / network / probe.station
    with replacing(station / name) as temporary:
        temporary.write_text("\n".join([f"{header} {INSTRUMENT}", *rows]) + "\n")
    with replacing(station / f"{stem}_static_variables.csv") as temporary:
        temporary.write_text(_static(world, probe))


def _static(world: Simulated, probe: Probe) -> str:
    """The static variables of a station, as ISMN lists them; readers of ISMN need the land cover among them."""
    columns = ("quantity_name", "unit", "depth_from[m]", "depth_to[m]", "value", "description", "quantity_source_name")
    place = (probe.row, probe.column)
    soil = {
        "saturation": ("m^3*m^-3", world.land.water.saturation[place]),
        "clay fraction": ("% weight", 100 * world.land.clay[place]),
        "sand fraction": ("% weight", 100 * world.land.sand[place]),
        "silt fraction": ("% weight", 100 * (1 - world.land.clay[place] - world.land.sand[place])),
    }
    classes = {
        "land cover classification": COVERS[world.land.cover[place]],
        "climate classification": world.region.climate.koeppen,
    }
    rows = [f"{name};{unit};0.00;0.30;{value:.2f};{NOTICE};simulated;" for name, (unit, value) in soil.items()]
    rows += [f"{name};;;;{value};{NOTICE};insitu;" for name, value in classes.items()]
    return "\n".join([";".join(columns) + ";", *rows]) + "\n"


def _gaps(hours: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    missing = np.zeros(hours, bool)
    for begin in np.flatnonzero(rng.random(hours) < GAPS / 24):
        missing[begin : begin + int(rng.exponential(STEADY)) + 1] = True
    return missing


def _spread(side: int, count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Numbers of cells of a square, the first by chance and each other as far from those before as it can be."""
    y, x = np.divmod(np.arange(side * side), side)
    chosen = [int(rng.integers(side * side))]
    nearest = np.hypot(y - y[chosen[0]], x - x[chosen[0]])
    while len(chosen) < count:
        chosen.append(int(np.argmax(nearest + 0.5 * (nearest > 0) * rng.random(nearest.size))))
        nearest = np.minimum(nearest, np.hypot(y - y[chosen[-1]], x - x[chosen[-1]]))
    return np.array(chosen)
