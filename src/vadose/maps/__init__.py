"""Writes and reads finished maps; knows no network."""

from vadose.maps.layers import OUTSIDE, layers
from vadose.maps.mosaic import Mosaic
from vadose.maps.picture import picture
from vadose.maps.read import read_map
from vadose.maps.write import write_map

__all__ = ["OUTSIDE", "Mosaic", "layers", "picture", "read_map", "write_map"]
