"""A simulated Earth with known truth, written in the products' real formats. It shares no code with their readers."""

from vadose.world.config import WorldConfig
from vadose.world.make import make

__all__ = ["WorldConfig", "make"]
