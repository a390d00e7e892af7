"""A simulated Earth with known truth, written in the products' real formats. It shares no code with their readers."""

from vadose.world.config import Region, WorldConfig
from vadose.world.make import made, make

__all__ = ["Region", "WorldConfig", "made", "make"]
