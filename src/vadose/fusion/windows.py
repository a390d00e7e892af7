"""Which observations count at a moment: how old they may be, and whether they were published by then."""

from dataclasses import field
from types import MappingProxyType
from typing import Annotated

import numpy as np
import pydantic

from vadose.grid import earlier, nanosecond
from vadose.variables import LATENCY_DAYS

MAX_AGE_DAYS = MappingProxyType({"sentinel1": 12.0, "sentinel2": 30.0, "smap": 3.0, "smap_surface": 3.0, "gldas": 1.0})
"""How old an observation of each source may be, in days."""
OTHER_MAX_AGE_DAYS = 10.0
Days = Annotated[float, pydantic.Field(ge=0, le=36_600)]
"""At most a century."""


@pydantic.dataclasses.dataclass(frozen=True, config=pydantic.ConfigDict(extra="forbid", allow_inf_nan=False))
class Windows:
    """How old an observation may be to count as what is known at a moment, and how late its product comes.

    Attributes:
        max_age_days: by the name of the source; one that is not named has that of `MAX_AGE_DAYS`.
        causal: whether every moment is seen as it was then, so that a product counts only when its latency is over;
            otherwise it is seen in hindsight, with everything observed until then.
        latency_days: by the name of the source; one that is not named has that of `variables.LATENCY_DAYS`.
    """

    max_age_days: dict[str, Days] = field(default_factory=dict)
    causal: bool = False
    latency_days: dict[str, Days] = field(default_factory=dict)

    def of(self, source: str) -> float:
        """The oldest age that counts, days."""
        return self.max_age_days.get(source, MAX_AGE_DAYS.get(source, OTHER_MAX_AGE_DAYS))

    def until(self, source: str, time: np.datetime64, as_of: np.datetime64 | None = None) -> np.datetime64:
        """The latest time of observation that counts at a moment.

        Args:
            source: its name; one without a latency, which does not change, counts always.
            time: the moment of the estimate, UTC.
            as_of: when the estimate is made, UTC: nothing counts that was published later.
        """
        asked = as_of if as_of is not None else (time if self.causal else None)
        latency = self.latency_days.get(source, LATENCY_DAYS.get(source))
        if asked is None or latency is None:
            return time
        published = earlier(nanosecond(asked), latency)
        return min(time, published)
