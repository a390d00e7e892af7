"""Sample stores: samples of sensors and times with their labels, splits and scaling."""

from typing import TYPE_CHECKING

from vadose.io.lazy import lazily

if TYPE_CHECKING:
    from vadose.dataset.chip_cache import ChipCache
    from vadose.dataset.collocate import SampleSource, build
    from vadose.dataset.describe import picture
    from vadose.dataset.labels import LabelRule
    from vadose.dataset.leakage import check_leakage
    from vadose.dataset.loader import SampleBatch, batches
    from vadose.dataset.rejections import RejectionCounts, Report
    from vadose.dataset.scaling import ScalingStats
    from vadose.dataset.spatial_groups import SpatialGroups
    from vadose.dataset.split import Fold, Split, holdout, kfold, leave_one_out, temporal_split, validation_split, years
    from vadose.dataset.store import SampleStore
    from vadose.dataset.table_columns import TableMapping
    from vadose.dataset.tables import import_table
    from vadose.dataset.verify import Verified
    from vadose.dataset.writer import Samples, SampleWriter
else:
    __getattr__ = lazily(__name__, __file__)

__all__ = [
    "ChipCache",
    "Fold",
    "LabelRule",
    "RejectionCounts",
    "Report",
    "SampleBatch",
    "SampleSource",
    "SampleStore",
    "SampleWriter",
    "Samples",
    "ScalingStats",
    "SpatialGroups",
    "Split",
    "TableMapping",
    "Verified",
    "batches",
    "build",
    "check_leakage",
    "holdout",
    "import_table",
    "kfold",
    "leave_one_out",
    "picture",
    "temporal_split",
    "validation_split",
    "years",
]
