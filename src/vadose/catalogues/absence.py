"""Why a catalogue has nothing for a period: outages of satellites, products that are not published yet."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from vadose.grid import Period, earlier, later, nanosecond


class AbsenceKind(StrEnum):
    """Why a source is missing."""

    DOWN = "down"
    """The catalogue, or the server of its files, does not answer."""
    DENIED = "denied"
    """Credentials are missing or refused."""
    UNREADABLE = "unreadable"
    """Nothing of what the catalogue lists can be read, and a repetition would not change that."""
    EMPTY = "empty"
    """The catalogue answered and has nothing."""
    LATE = "late"
    """The product of that time is not published yet."""
    KNOWN_GAP = "known gap"
    """The satellite did not observe."""


@dataclass(frozen=True)
class Absence:
    """An absence and its reason, for plans and messages."""

    kind: AbsenceKind
    reason: str


@dataclass(frozen=True)
class Gap:
    """An outage of a satellite.

    Attributes:
        source: that reads its products.
        period: without observations.
        reason: for messages.
    """

    source: str
    period: Period
    reason: str


_SAFE_MODE = "SMAP was in safe mode from {} and observed nothing"
KNOWN_GAPS = (
    Gap("smap", Period.parse("2019-06-19/2019-07-23"), _SAFE_MODE.format("19 June to 23 July 2019")),
    Gap("smap", Period.parse("2022-08-06/2022-09-20"), _SAFE_MODE.format("6 August to 20 September 2022")),
    Gap(
        "sentinel1",
        Period.parse("2021-12-23/2024-12-04"),
        "Sentinel-1B failed on 23 December 2021; until Sentinel-1C was launched on 5 December 2024, Sentinel-1A alone "
        "observed, every 12 days at most and some regions not at all",
    ),
)
"""Outages, first and last day included: of SMAP as NSIDC states them for SPL4SMGP 7, of Sentinel-1B as ESA announced on
3 August 2022. On the first and the last day a satellite may have observed for some hours."""


def explain_absence(source: str, period: Period, now: np.datetime64, latency_days: float) -> Absence:
    """Return why a catalogue that answered has nothing of a source for a period.

    Args:
        source: such as "smap"; the masks of a source, such as "smap_surface", share its gaps.
        period: that was searched.
        now: UTC.
        latency_days: from an observation to its publication.

    Returns:
        A known gap if the satellite was out all the time; late if what was observed, outside a gap, is too recent to be
        published; else empty: something of the period should have been published.
    """
    gap = next((gap for gap in KNOWN_GAPS if _concerns(gap, source) and period.start in gap.period), None)
    observed_from = gap.period.end if gap else period.start
    if gap and period.end <= observed_from:
        return Absence(AbsenceKind.KNOWN_GAP, f"{source}: {gap.reason}.")
    if observed_from >= earlier(nanosecond(now), latency_days):
        when = np.datetime_as_string(later(observed_from, latency_days)[()], "D")
        return Absence(AbsenceKind.LATE, f"{source}: Observations of {period} are published from {when} on.")
    return Absence(AbsenceKind.EMPTY, f"{source}: The catalogue has nothing for {period}.")


def _concerns(gap: Gap, source: str) -> bool:
    return source == gap.source or source.startswith(f"{gap.source}_")
