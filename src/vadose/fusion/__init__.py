"""One grid, one time: the only room that resamples."""

from vadose.fusion.feature_builder import Assembler, assemble
from vadose.fusion.feature_cube import Inputs
from vadose.fusion.input_spec import History, Needs, OwnRecord
from vadose.fusion.temporal_policy import Windows

__all__ = ["Assembler", "History", "Inputs", "Needs", "OwnRecord", "Windows", "assemble"]
