"""From checkpoints to numbers: the single road, for points and for tiles."""

from vadose.inference.calibration import AS_STATED, Calibration, widening
from vadose.inference.ensemble import combine
from vadose.inference.points import estimate_points
from vadose.inference.quality import CONDITIONS, of_conditions
from vadose.inference.tiles import TileEstimate, blank, estimate_tile

__all__ = [
    "AS_STATED",
    "CONDITIONS",
    "Calibration",
    "TileEstimate",
    "blank",
    "combine",
    "estimate_points",
    "estimate_tile",
    "of_conditions",
    "widening",
]
