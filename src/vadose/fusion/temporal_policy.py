"""Temporal policy: maximum age and publication of observations."""

from collections.abc import Sequence
from dataclasses import field, replace
from typing import Annotated, TypeVar

import numpy as np
import pydantic
import xarray as xr
from numpy.typing import NDArray

from vadose.fusion.publication import Publication
from vadose.grid import earlier, later, nanosecond
from vadose.registry import LATENCY_DAYS, OTHER_MAX_AGE_DAYS, SPECS
from vadose.sources.layers import Layers
from vadose.sources.source import AVAILABLE_AT, REPLACED_AT, SourceFile, times_or_never

Days = Annotated[float, pydantic.Field(ge=0, le=36_600)]
"""Largest maximum age: a century."""
Opened = TypeVar("Opened", Layers, xr.Dataset)
Times = NDArray[np.datetime64] | np.datetime64


@pydantic.dataclasses.dataclass(frozen=True, config=pydantic.ConfigDict(extra="forbid", allow_inf_nan=False))
class TemporalPolicy:
    """Maximum age and latency of observations.

    Attributes:
        max_age_days: maximum age by source, days; that of its `SourceSpec` for the other sources.
        causal: whether an estimate uses only products that were published by its time; otherwise, all observations
            until then.
        latency_days: latency by source, for all of its products, days; by default as published, see
            `registry.LATENCY_DAYS`.
    """

    max_age_days: dict[str, Days] = field(default_factory=dict)
    causal: bool = False
    latency_days: dict[str, Days] = field(default_factory=dict)

    def of(self, source: str) -> float:
        """Return the maximum age, days."""
        return self.max_age_days.get(source, SPECS[source].max_age_days if source in SPECS else OTHER_MAX_AGE_DAYS)

    def until(self, source: str, time: np.datetime64, as_of: np.datetime64 | None = None) -> np.datetime64:
        """Return the latest usable observation time at a time; its own publication decides whether it is used.

        Args:
            source: its name; a static source, without latency, is always used.
            time: time of the estimate, UTC.
            as_of: time at which the estimate is made, UTC; products published later are not used.
        """
        asked = self.known_at(time, as_of)
        latency = self.latency_days.get(source, LATENCY_DAYS.get(source))
        if asked is None or latency is None:
            return time
        published = earlier(nanosecond(asked), latency)
        return min(time, published)

    def known_at(self, time: np.datetime64, as_of: np.datetime64 | None = None) -> np.datetime64 | None:
        """Return the time by which a product must have been published; None in hindsight, where all are used.

        Args:
            time, as_of: as in `until`.
        """
        return as_of if as_of is not None else (time if self.causal else None)

    def publication(self, files: Sequence[SourceFile], source: str) -> Publication:
        """Return the publication of the files of a source, as of its datasets."""
        since, until = (times_or_never(getattr(one, name) for one in files) for name in ("available_at", "replaced_at"))
        return self._published(Publication(since, until), times_or_never(one.time for one in files), source)

    def dated(self, opened: Opened, source: str) -> Opened:
        """Return layers, or a dataset, with the publication and the replacement time of the product at each time.

        Args:
            opened: of a source; that of a static source is returned unchanged.
            source: its name.
        """
        if isinstance(opened, Layers):
            if opened.time is None:
                return opened
            found = self._published(Publication.of_layers(opened), nanosecond(opened.time), source)
            return replace(opened, available_at=nanosecond(found.since), replaced_at=nanosecond(found.until))
        if "time" not in opened.dims:
            return opened
        found = self._published(Publication.of(opened), opened["time"].values, source)
        return opened.assign_coords({AVAILABLE_AT: ("time", found.since), REPLACED_AT: ("time", found.until)})

    def _published(self, known: Publication, times: Times, source: str) -> Publication:
        """Return the publication of products of some times, by latency where their catalogue states nothing."""
        stated = self.latency_days.get(source)
        latency = LATENCY_DAYS.get(source) if stated is None else stated
        if latency is None:
            return known
        since = later(times, latency)
        if stated is None:
            return Publication(np.where(np.isnat(known.since), since, known.since), known.until)
        return Publication(since, np.where(np.isnat(known.until), known.until, since))
