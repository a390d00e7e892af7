"""A simulated Earth with known truth, written in the products' real formats, without code of their readers."""

from vadose.simulation.config import Region, WorldConfig
from vadose.simulation.land import COVERS
from vadose.simulation.make import made, make
from vadose.simulation.truth import cover_of

__all__ = ["COVERS", "Region", "WorldConfig", "cover_of", "made", "make"]
