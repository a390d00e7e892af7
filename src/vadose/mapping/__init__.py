"""Maps of any area and many times: planned, estimated tile by tile by parallel workers, assembled."""

from vadose.mapping.executors import Executor
from vadose.mapping.request import FORMATS, MapRequest, TilesFailed

__all__ = ["FORMATS", "Executor", "MapRequest", "TilesFailed"]
