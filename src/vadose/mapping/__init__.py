"""Maps of any area and many moments: planned, estimated tile by tile by any number of workers, put together."""

from vadose.mapping.executors import Executor
from vadose.mapping.request import FORMATS, MapRequest, TilesFailed

__all__ = ["FORMATS", "Executor", "MapRequest", "TilesFailed"]
