"""Soil moisture of the top 5 cm at 320 m, with its uncertainty."""

from importlib.metadata import version

__version__ = version("vadose")
