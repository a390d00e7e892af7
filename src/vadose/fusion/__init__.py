"""One grid, one time: the only room that resamples."""

from vadose.fusion.assemble import Assembler, assemble
from vadose.fusion.inputs import Inputs
from vadose.fusion.needs import History, Needs, OwnRecord
from vadose.fusion.windows import Windows

__all__ = ["Assembler", "History", "Inputs", "Needs", "OwnRecord", "Windows", "assemble"]
