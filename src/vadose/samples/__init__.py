"""What a network may see: samples of sensors and times, their labels, splits and scaling."""

from vadose.samples.append import append
from vadose.samples.chips import Chips
from vadose.samples.collocate import Archive, build
from vadose.samples.describe import describe, picture
from vadose.samples.disjoint import check_disjoint
from vadose.samples.labels import LabelRule
from vadose.samples.loader import SampleBatch, batches
from vadose.samples.mapping import TableMapping
from vadose.samples.places import Grouping
from vadose.samples.report import Dropped, Report
from vadose.samples.scaling import Scaling
from vadose.samples.split import Fold, Split, holdout, inner, kfold, later, leave_one_out, years
from vadose.samples.store import SampleStore
from vadose.samples.tables import import_table
from vadose.samples.verify import Verified, verify
from vadose.samples.writer import Samples, SampleWriter

__all__ = [
    "Archive",
    "Chips",
    "Dropped",
    "Fold",
    "Grouping",
    "LabelRule",
    "Report",
    "SampleBatch",
    "SampleStore",
    "SampleWriter",
    "Samples",
    "Scaling",
    "Split",
    "TableMapping",
    "Verified",
    "append",
    "batches",
    "build",
    "check_disjoint",
    "describe",
    "holdout",
    "import_table",
    "inner",
    "kfold",
    "later",
    "leave_one_out",
    "picture",
    "verify",
    "years",
]
