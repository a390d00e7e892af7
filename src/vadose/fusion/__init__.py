"""Fusion of all sources on one grid at one time; the only room that resamples."""

from vadose.fusion.feature_builder import FeatureBuilder, build_features
from vadose.fusion.feature_cube import FeatureCube
from vadose.fusion.input_spec import HistorySpec, InputSpec, OwnRecord
from vadose.fusion.temporal_policy import TemporalPolicy

__all__ = ["FeatureBuilder", "FeatureCube", "HistorySpec", "InputSpec", "OwnRecord", "TemporalPolicy", "build_features"]
