"""Unread files of an archive: a list, and an error if no file of a source is readable."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from vadose.errors import VadoseError
from vadose.sources import Source, holdings
from vadose.sources.left_out import LeftOut, summary

LIST = "left_out.json"


def left_out_of(sources: Iterable[Source]) -> tuple[LeftOut, ...]:
    """Return all files that sources left out so far, each once."""
    found: set[LeftOut] = set()
    for source in sources:
        held = holdings(source)
        found.update(held.left_out if held else ())
    return tuple(sorted(found))


def needed(sources: Iterable[Source], names: frozenset[str] | set[str], also: Sequence[str] = ()) -> list[Source]:
    """Return the sources of some predictors, and the named ones."""
    return [s for s in sources if s.name in also or any(variable.name in names for variable in s.variables)]


def require_readable(archive: Path, sources: Iterable[Source], remedy: str) -> None:
    """Refuse an archive with items of a source none of which is readable.

    Of items with valid metadata the first ones are opened.

    Raises:
        VadoseError: there is such a source; its files and the reasons are named.
    """
    for source in sources:
        held = holdings(source)
        if held:
            unfit = held.first_unfit()
            require_seen(archive, {source.name: bool(held.times) and not unfit}, (*held.unread, *unfit), remedy)


def require_seen(archive: Path, seen: Mapping[str, bool], left_out: Iterable[LeftOut], remedy: str) -> None:
    """Refuse a result without a source if the archive has unread files of it.

    Args:
        archive: the folder.
        seen: whether each source was used, by name.
        left_out: unread files.
        remedy: hint to continue without the source.

    Raises:
        VadoseError: there is such a source.
    """
    for source, used in seen.items():
        unread = [entry for entry in left_out if entry.source == source]
        if unread and not used:
            raise VadoseError(
                f"{source}: archive {archive}",
                f"None of its files is read: {summary(unread)}. {unread[0].reason}",
                f"Correct or remove them, or continue without this source: {remedy}",
            )


def unread_lines(left_out: Sequence[LeftOut], where: Path) -> list[str]:
    """Return one line on unread files with the path of their list; none if everything was read."""
    return [f"Not read: {summary(left_out)}; each with its reason in {where}"] if left_out else []
