"""Maps of any area and many times: planned, estimated tile by tile by parallel workers, assembled."""

from typing import TYPE_CHECKING

from vadose.io.lazy import lazily

if TYPE_CHECKING:
    from vadose.mapping.executors import Executor
    from vadose.mapping.request import FORMATS, MapRequest, TilesFailed
else:
    __getattr__ = lazily(__name__, __file__)

__all__ = ["FORMATS", "Executor", "MapRequest", "TilesFailed"]
