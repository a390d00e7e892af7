"""Features of a tile at several times, with those of the masks."""

from collections.abc import Iterator, Sequence

import numpy as np

from vadose.errors import NoDataError
from vadose.fusion import FeatureBuilder, FeatureCube, InputSpec, TemporalPolicy
from vadose.grid import Period, Tile
from vadose.inference import mask_spec
from vadose.sources import Source


def features_at(
    sources: Sequence[Source],
    mask_sources: Sequence[Source],
    tile: Tile,
    times: Sequence[np.datetime64],
    spec: InputSpec,
    policy: TemporalPolicy,
    as_of: np.datetime64 | None = None,
) -> Iterator[tuple[FeatureCube, FeatureCube | None]]:
    """Build the features of a tile at several times, with those of the masks where available.

    Args:
        sources, mask_sources: sources of the archive.
        tile: cells and halo.
        times: times in order, UTC.
        spec: predictors, history and halo.
        policy: age and publication of observations.
        as_of: products published later are not read.

    Raises:
        NoDataError: no source has data there.
        VadoseError: a file is unreadable.
    """
    span = Period(times[0], times[-1] + np.timedelta64(1, "ns"))
    builder = FeatureBuilder.open(sources, tile, span, spec, policy, as_of)
    try:
        masks = FeatureBuilder.open(mask_sources, tile.with_halo(0), span, mask_spec(), policy, as_of)
    except NoDataError:
        masks = None
    return ((builder.at(when), masks.at(when) if masks else None) for when in times)
