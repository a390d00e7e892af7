"""Estimates from checkpoints, for points and for tiles."""

from typing import TYPE_CHECKING

from vadose.io.lazy import lazily

if TYPE_CHECKING:
    from vadose.inference.calibration import UNCALIBRATED, Calibration, conformal_scale
    from vadose.inference.ensemble import Ensemble, combine
    from vadose.inference.masks import mask_flags, mask_spec
    from vadose.inference.points import estimate_points
    from vadose.inference.tiles import TileEstimate, empty_estimate, estimate_tile
else:
    __getattr__ = lazily(__name__, __file__)

__all__ = [
    "UNCALIBRATED",
    "Calibration",
    "Ensemble",
    "TileEstimate",
    "combine",
    "conformal_scale",
    "empty_estimate",
    "estimate_points",
    "estimate_tile",
    "mask_flags",
    "mask_spec",
]
