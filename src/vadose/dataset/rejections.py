"""Report on sample building: numbers of samples, and of rejections by reason."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RejectionCounts:
    """Numbers of rejections by reason.

    Attributes:
        counts: reason and count, in the order of the reasons.
    """

    counts: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, counts: Mapping[str, int]) -> "RejectionCounts":
        """Return the reasons that occurred."""
        return cls(tuple(sorted((reason, int(count)) for reason, count in counts.items() if count)))

    @property
    def total(self) -> int:
        """Return the number of rejections for any reason."""
        return sum(count for _, count in self.counts)

    def __add__(self, other: "RejectionCounts") -> "RejectionCounts":
        return RejectionCounts.of(Counter(dict(self.counts)) + Counter(dict(other.counts)))

    def __str__(self) -> str:
        return ", ".join(f"{count} x {reason}" for reason, count in self.counts) or "nothing"


@dataclass(frozen=True)
class Report:
    """Report on the building of a store.

    Attributes:
        path: path of the store.
        samples: number of samples.
        dropped: readings, times or rows without a sample.
        masked: single values that became missing in samples that were kept.
        notes: remarks for the user.
    """

    path: Path
    samples: int
    dropped: RejectionCounts
    masked: RejectionCounts = RejectionCounts()
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        made = f"{self.samples} samples in {self.path}; left out: {self.dropped}; made missing: {self.masked}"
        return "\n".join([made, *self.notes])
