"""A simulated Earth with known truth, written in the products' real formats. It shares no code with their readers."""

from vadose.world.config import Region, WorldConfig
from vadose.world.land import COVERS
from vadose.world.make import made, make
from vadose.world.truth import cover_of

__all__ = ["COVERS", "Region", "WorldConfig", "cover_of", "made", "make"]
