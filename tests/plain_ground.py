"""Ground that is the same everywhere, for tests of what a satellite sees of it."""

import numpy as np

from vadose.simulation.fields import Locations, Patches
from vadose.simulation.land import COVERS, Land
from vadose.simulation.soil import hydraulics
from vadose.simulation.state import SurfaceState

SHAPE = (6, 8)


def places(height: int = SHAPE[0], width: int = SHAPE[1], step: float = 40.0) -> Locations:
    return Locations(500_000 + step * np.arange(width), 5_000_000 - step * np.arange(height), gridded=True)


def land(cover: str, sand: float = 0.4, clay: float = 0.2, where: Locations | None = None) -> Land:
    where = where or places()
    sands, clays, organic = (np.full(where.shape, value) for value in (sand, clay, 2.5))
    return Land(
        elevation=np.zeros(where.shape),
        wetness=np.zeros(where.shape),
        sand=sands,
        clay=clays,
        organic_percent=organic,
        water=hydraulics(sands, clays, organic),
        cover=np.full(where.shape, COVERS.index(cover)),
        patch=Patches(300, 1).of(where),
        vigour=np.ones(where.shape),
    )


def moment(where: Locations | None = None, **values: float) -> SurfaceState:
    usual = {
        "moisture": 0.2,
        "root": 0.25,
        "frozen": 0.0,
        "snow_mm": 0.0,
        "leaf_area": 1.0,
        "plant_water": 0.5,
        "roughness_m": 0.01,
        "temperature_c": 15.0,
        "air_c": 15.0,
    }
    shape = (where or places()).shape
    return SurfaceState(**{name: np.full(shape, value) for name, value in (usual | values).items()})
