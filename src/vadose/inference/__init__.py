"""Estimates from checkpoints, for points and for tiles."""

from vadose.inference.calibration import UNCALIBRATED, Calibration, conformal_scale
from vadose.inference.ensemble import combine
from vadose.inference.points import estimate_points
from vadose.inference.quality import mask_flags, mask_spec
from vadose.inference.tiles import TileEstimate, empty_estimate, estimate_tile

__all__ = [
    "UNCALIBRATED",
    "Calibration",
    "TileEstimate",
    "combine",
    "conformal_scale",
    "empty_estimate",
    "estimate_points",
    "estimate_tile",
    "mask_flags",
    "mask_spec",
]
