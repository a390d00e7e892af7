"""The paper's published data set: gzip TFRecord shards, read without TensorFlow.

Nothing of it is in physical units but times, places, elevations and labels: the rest stays in published 0-255 units.
"""

from vadose.samples.published.batches import PublishedBatch, index_of, label_of, published_batches
from vadose.samples.published.features import CENTRE, FEATURES, IMAGES, PUBLISHED, SCALARS, SIDE, Feature, Form
from vadose.samples.published.ledger import Ledger
from vadose.samples.published.lines import NOMINAL, Line
from vadose.samples.published.match import SensorId
from vadose.samples.published.merge import Merge
from vadose.samples.published.records import Fault, Record, records
from vadose.samples.published.shards import Example, Tally, absent, examples, shards
from vadose.samples.published.store import import_shards
from vadose.samples.published.units import UnitFit, fit, require

__all__ = [
    "CENTRE",
    "FEATURES",
    "IMAGES",
    "NOMINAL",
    "PUBLISHED",
    "SCALARS",
    "SIDE",
    "Example",
    "Fault",
    "Feature",
    "Form",
    "Ledger",
    "Line",
    "Merge",
    "PublishedBatch",
    "Record",
    "SensorId",
    "Tally",
    "UnitFit",
    "absent",
    "examples",
    "fit",
    "import_shards",
    "index_of",
    "label_of",
    "published_batches",
    "records",
    "require",
    "shards",
]
