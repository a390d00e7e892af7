"""What lies in an archive and is not read: listed, and an error where it is all that there is of a source."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from vadose.errors import VadoseError
from vadose.sources import Source
from vadose.sources.archive import Index
from vadose.sources.granules import GranuleIndex
from vadose.sources.left_out import LeftOut, summary

LIST = "left_out.json"


def left_out_of(sources: Iterable[Source]) -> tuple[LeftOut, ...]:
    """All that sources leave out so far, each once."""
    found: set[LeftOut] = set()
    for source in sources:
        index = getattr(source, "index", None)
        found.update(index.left_out if isinstance(index, Index | GranuleIndex) else getattr(source, "left_out", ()))
    return tuple(sorted(found))


def needed(sources: Iterable[Source], names: frozenset[str] | set[str], also: Sequence[str] = ()) -> list[Source]:
    """Return the sources that observe some predictors, and those that are named."""
    return [s for s in sources if s.name in also or any(variable.name in names for variable in s.variables)]


def require_readable(archive: Path, sources: Iterable[Source], remedy: str) -> None:
    """Refuse an archive that holds items of a source none of which can be read.

    Of items whose words are right the first ones are opened.

    Raises:
        VadoseError: such a source; what lies there is told, and why it is not read.
    """
    for source in sources:
        index = getattr(source, "index", None)
        if isinstance(index, Index):
            unfit = index.first_unfit()
            require_seen(archive, {source.name: bool(index.records) and not unfit}, (*index.unread, *unfit), remedy)
        elif isinstance(index, GranuleIndex):
            require_seen(archive, {source.name: bool(index.granules)}, index.unread, remedy)


def require_seen(archive: Path, seen: Mapping[str, bool], left_out: Iterable[LeftOut], remedy: str) -> None:
    """Refuse a result that lacks a source of which there is something in the archive that was not read.

    Args:
        archive: the folder.
        seen: whether anything of each source was used, by name.
        left_out: what was not read.
        remedy: how to go on without the source.

    Raises:
        VadoseError: there is such a source.
    """
    for source, used in seen.items():
        unread = [entry for entry in left_out if entry.source == source]
        if unread and not used:
            raise VadoseError(
                f"{source}: archive {archive}",
                f"What lies there of it is not read: {summary(unread)}. {unread[0].reason}",
                f"Mend or remove it, or go on without this source: {remedy}",
            )


def unread_lines(left_out: Sequence[LeftOut], where: Path) -> list[str]:
    """Return a line of what was not read, and where the list is; no line when everything was."""
    return [f"Not read: {summary(left_out)}; each with its reason in {where}"] if left_out else []
