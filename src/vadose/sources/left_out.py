"""Unread files and items of an archive: each by name, with the reason."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vadose.errors import VadoseError


class Unfit(VadoseError):
    """An invalid item or file; the rest of the archive is read without it.

    Args:
        kind: short reason, the same for all of its kind; counted in summaries.
        asked, found, remedy: as in `VadoseError`.
    """

    def __init__(self, kind: str, asked: str, found: str, remedy: str) -> None:
        super().__init__(asked, found, remedy)
        self.kind = kind
        self.args = (kind, asked, found, remedy)


@dataclass(frozen=True, order=True)
class LeftOut:
    """An item or a file of an archive that is not read.

    Attributes:
        source: name of the source that would read it; empty if unknown.
        name: identifier of the item, or name of the file.
        kind: short reason.
        reason: the complete message.
        file: its path relative to the archive.
    """

    source: str
    name: str
    kind: str
    reason: str
    file: str

    @classmethod
    def of(cls, source: str, name: str, file: str, reason: VadoseError) -> "LeftOut":
        """Leave out an item or a file with the reason of an error."""
        kind = reason.kind if isinstance(reason, Unfit) else "unreadable"
        return cls(source, name, kind, str(reason), file)


def first_of(left_out: Sequence[LeftOut]) -> str:
    """Return the first entry with its reason, and the number of the others."""
    more = f" and {len(left_out) - 1} more" if len(left_out) > 1 else ""
    return f"left out: {left_out[0].name}{more}: {left_out[0].reason}"


def summary(left_out: Iterable[LeftOut]) -> str:
    """Return counts by source and reason, each with the first example; empty if nothing was left out."""
    entries = sorted(set(left_out))
    counts = Counter((entry.source, entry.kind) for entry in entries)
    first = {(entry.source, entry.kind): entry.name for entry in reversed(entries)}
    return ", ".join(
        f"{count} x {source or 'unknown product'}: {kind} (such as {first[source, kind]})"
        for (source, kind), count in sorted(counts.items())
    )
