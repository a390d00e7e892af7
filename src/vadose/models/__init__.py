"""The fusion network and its baselines: from a batch to estimates, with the same interface."""

from typing import TYPE_CHECKING

from vadose.io.lazy import lazily

if TYPE_CHECKING:
    from vadose.models.baselines import Product, Trees
    from vadose.models.batch import Batch, Estimate, Model
    from vadose.models.change_detection import ChangeDetection
    from vadose.models.climatology import Climatology
    from vadose.models.departure_trees import DepartureTrees
    from vadose.models.encoder_shape import EncoderShape
    from vadose.models.masked_sources import mask_sources, sources_of
    from vadose.models.network import FusionNetwork
    from vadose.models.own_record import by_own_record
    from vadose.models.shape import ENCODERS, NetworkShape
else:
    __getattr__ = lazily(__name__, __file__)

__all__ = [
    "ENCODERS",
    "Batch",
    "ChangeDetection",
    "Climatology",
    "DepartureTrees",
    "EncoderShape",
    "Estimate",
    "FusionNetwork",
    "Model",
    "NetworkShape",
    "Product",
    "Trees",
    "by_own_record",
    "mask_sources",
    "sources_of",
]
