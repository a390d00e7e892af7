"""Temporal policy: maximum age and publication of observations."""

from collections.abc import Sequence
from dataclasses import field
from typing import Annotated

import numpy as np
import pydantic
import xarray as xr

from vadose.fusion.publication import Publication
from vadose.grid import earlier, later, nanosecond
from vadose.registry import LATENCY_DAYS, OTHER_MAX_AGE_DAYS, SPECS
from vadose.sources.source import AVAILABLE_AT, REPLACED_AT, SourceFile, times_or_never

Days = Annotated[float, pydantic.Field(ge=0, le=36_600)]
"""Largest maximum age: a century."""


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
        times = times_or_never(one.time for one in files)
        coordinates = {
            "time": times,
            AVAILABLE_AT: ("time", times_or_never(one.available_at for one in files)),
            REPLACED_AT: ("time", times_or_never(one.replaced_at for one in files)),
        }
        return Publication.of(self.dated(xr.Dataset(coords=coordinates), source))

    def dated(self, dataset: xr.Dataset, source: str) -> xr.Dataset:
        """Return a dataset with the publication and the replacement time of the product at each time.

        Args:
            dataset: dataset of a source; that of a static source is returned unchanged.
            source: its name.
        """
        if "time" not in dataset.dims:
            return dataset
        publication, stated = Publication.of(dataset), self.latency_days.get(source)
        latency = LATENCY_DAYS.get(source) if stated is None else stated
        if latency is not None:
            since = later(dataset["time"].values, latency)
            publication = (
                Publication(np.where(np.isnat(publication.since), since, publication.since), publication.until)
                if stated is None
                else Publication(since, np.where(np.isnat(publication.until), publication.until, since))
            )
        return dataset.assign_coords(
            {AVAILABLE_AT: ("time", publication.since), REPLACED_AT: ("time", publication.until)}
        )
