"""From checkpoints to numbers: the single road, for points and for tiles."""

from vadose.estimate.calibration import AS_STATED, Calibration, widening
from vadose.estimate.combine import combine
from vadose.estimate.points import estimate_points
from vadose.estimate.quality import CONDITIONS, of_conditions
from vadose.estimate.tiles import TileEstimate, blank, estimate_tile

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
