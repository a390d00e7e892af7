"""Products of one region, block by block, so that memory does not grow with its area."""

import shutil
from collections.abc import Iterator
from math import ceil
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.grid import CELL_M
from vadose.simulation.config import Region, WorldConfig
from vadose.simulation.fields import Floats, Locations
from vadose.simulation.ground_maps import write_elevation
from vadose.simulation.in_situ import write_sensors
from vadose.simulation.land import PER_CELL
from vadose.simulation.land_cover_map import write_land_cover
from vadose.simulation.points import SimulationPoints
from vadose.simulation.sentinel1 import RadarScene, radar_scenes
from vadose.simulation.sentinel2 import OpticalScene, optical_scenes
from vadose.simulation.simulator import BLOCK_CELLS, RegionSimulator
from vadose.simulation.stations import place_stations
from vadose.simulation.truth import begin_truth, truth_folder, write_block
from vadose.simulation.weather import STEPS

Picture = RadarScene | OpticalScene


def blocks_of(region: Region) -> int:
    """Return the number of blocks of a region."""
    return ceil(region.side_cells / BLOCK_CELLS) ** 2


def write_region(config: WorldConfig, number: int, archive: Path) -> Iterator[str]:
    """Write the terrain, the images, the sensors and the truth of a region; yield after every block."""
    simulator = RegionSimulator.random(config, number)
    pictures: list[Picture] = [*radar_scenes(simulator, config), *optical_scenes(simulator, config)]
    truth, total = truth_folder(archive, simulator.region.name), blocks_of(simulator.region)
    for begun in (*(picture.folder(archive) for picture in pictures), truth):
        shutil.rmtree(begun, ignore_errors=True)
    write_elevation(simulator, archive)
    begin_truth(simulator, _times(config), truth)
    for done, tile in enumerate(simulator.blocks(), start=1):
        world = simulator.simulated(SimulationPoints.block(tile))
        write_block(simulator, tile, world, truth)
        for picture in pictures:
            picture.write_block(world, tile, archive)
        if done == total:
            for picture in pictures:
                picture.describe(archive)
            write_land_cover(simulator, archive)
            _write_sensors(simulator, archive)
        yield f"{simulator.region.name} {done}/{total}"


def _write_sensors(simulator: RegionSimulator, archive: Path) -> None:
    """Simulate the cells of the sensors, and write the sensors from their pixels."""
    rng = np.random.default_rng([simulator.seed, simulator.number, *b"probes"])

    def cover_of(eastings: Floats, northings: Floats) -> NDArray[np.intp]:
        return simulator.terrain.at(Locations.points(eastings, northings)).cover

    stations = place_stations(simulator.tile, simulator.region.name, simulator.region.sensors, cover_of, rng)
    box = simulator.tile.cells.boundingbox
    rows, columns = (np.array([getattr(probe, axis) for probe in stations]) for axis in ("row", "column"))
    world = simulator.simulated(
        SimulationPoints.cells(
            box.left + CELL_M * (columns // PER_CELL + 0.5), box.top - CELL_M * (rows // PER_CELL + 0.5)
        )
    )
    inside = (rows % PER_CELL) * PER_CELL + columns % PER_CELL
    write_sensors(world.pick(np.arange(len(stations)) * PER_CELL**2 + inside), stations, archive)


def _times(config: WorldConfig) -> pd.DatetimeIndex:
    return pd.date_range(config.days.start, config.days.end, freq=pd.Timedelta(hours=24 / STEPS))
