"""What came of making samples: how many there are, and what was left out for which reason."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RejectionCounts:
    """What was left out, counted by reason.

    Attributes:
        counts: reason and count, in the order of the reasons.
    """

    counts: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, counts: Mapping[str, int]) -> "RejectionCounts":
        """Keep the reasons that occurred."""
        return cls(tuple(sorted((reason, int(count)) for reason, count in counts.items() if count)))

    @property
    def total(self) -> int:
        """How many were left out for any reason."""
        return sum(count for _, count in self.counts)

    def __add__(self, other: "RejectionCounts") -> "RejectionCounts":
        return RejectionCounts.of(Counter(dict(self.counts)) + Counter(dict(other.counts)))

    def __str__(self) -> str:
        return ", ".join(f"{count} x {reason}" for reason, count in self.counts) or "nothing"


@dataclass(frozen=True)
class Report:
    """What a store was made of.

    Attributes:
        path: the store.
        samples: how many it holds.
        dropped: readings, times or rows that gave no sample.
        masked: single values that became missing within samples that were kept.
        notes: what whoever made it should know.
    """

    path: Path
    samples: int
    dropped: RejectionCounts
    masked: RejectionCounts = RejectionCounts()
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        made = f"{self.samples} samples in {self.path}; left out: {self.dropped}; made missing: {self.masked}"
        return "\n".join([made, *self.notes])
