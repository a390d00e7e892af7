"""The paper's published data set: gzip TFRecord shards, read without TensorFlow.

Only times, places, elevations and labels are in physical units; all else remains in published 0-255 units.
"""

from vadose.batchu2022.batches import PublishedBatch, index_of, label_of, published_batches
from vadose.batchu2022.calibration import ASSUMED_RANGES
from vadose.batchu2022.features import CENTRE, FEATURES, IMAGES, PUBLISHED, SCALARS, SIDE, Feature, Form
from vadose.batchu2022.label_match import LabelMatcher
from vadose.batchu2022.records import Fault, TFRecord, records
from vadose.batchu2022.shards import Example, ShardReport, absent, examples, shards
from vadose.batchu2022.station_match import SensorId
from vadose.batchu2022.store import import_shards
from vadose.batchu2022.units import UnitFit, fit

__all__ = [
    "ASSUMED_RANGES",
    "CENTRE",
    "FEATURES",
    "IMAGES",
    "PUBLISHED",
    "SCALARS",
    "SIDE",
    "Example",
    "Fault",
    "Feature",
    "Form",
    "LabelMatcher",
    "PublishedBatch",
    "SensorId",
    "ShardReport",
    "TFRecord",
    "UnitFit",
    "absent",
    "examples",
    "fit",
    "import_shards",
    "index_of",
    "label_of",
    "published_batches",
    "records",
    "shards",
]
