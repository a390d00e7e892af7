"""What a network may see: samples of sensors and times, their labels, splits and scaling."""

from vadose.dataset.append import append
from vadose.dataset.chip_cache import Chips
from vadose.dataset.collocate import Archive, build
from vadose.dataset.describe import describe, picture
from vadose.dataset.labels import LabelRule
from vadose.dataset.leakage import check_disjoint
from vadose.dataset.loader import SampleBatch, batches
from vadose.dataset.rejections import Dropped, Report
from vadose.dataset.scaling import Scaling
from vadose.dataset.spatial_groups import Grouping
from vadose.dataset.split import Fold, Split, holdout, inner, kfold, later, leave_one_out, years
from vadose.dataset.store import SampleStore
from vadose.dataset.table_columns import TableMapping
from vadose.dataset.tables import import_table
from vadose.dataset.verify import Verified, verify
from vadose.dataset.writer import Samples, SampleWriter

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
