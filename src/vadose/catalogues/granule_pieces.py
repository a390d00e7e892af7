"""Granules of CMR, fetched: of each the datasets that are read."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from vadose.catalogues.cmr import GranuleSearch, RemoteGranule, search_granules
from vadose.catalogues.demand import Demand
from vadose.catalogues.granules import copy_granule
from vadose.catalogues.http import bare
from vadose.catalogues.lock import Entry, digest_of, locked
from vadose.catalogues.pieces import Context, Cost, Found, Piece
from vadose.catalogues.remote import RemoteFile
from vadose.errors import VadoseError
from vadose.grid import nanosecond
from vadose.registry import SPECS, GranuleName, GranuleNaming
from vadose.sources.granules import Granule
from vadose.sources.left_out import LeftOut, Unfit


@dataclass(frozen=True, eq=False)
class _Offer:
    """A granule of a search, with what its name says."""

    collection: str
    granule: RemoteGranule
    name: GranuleName

    @property
    def updated(self) -> str:
        """Text that another version of the granule does not share."""
        checksum = ":".join(self.granule.checksum) if self.granule.checksum else ""
        return (
            f"{np.datetime_as_string(self.granule.updated, 's')}Z revision {self.granule.revision} {checksum}".strip()
        )


def find_granules(context: Context, demand: Demand, source: str) -> Found:
    """Search CMR for the granules of a source.

    Of several lines of production of one time the earlier one in `GranuleNaming.streams` is fetched, unless estimates
    as of a past time need the others.

    Raises:
        VadoseError: as `search_granules`.
    """
    naming, period = SPECS[source].granules, demand.periods[source]
    if naming is None or period is None:
        return Found(())
    offers: list[_Offer] = []
    left_out: list[LeftOut] = []
    for collection in context.catalogue.collections[source]:
        short_name, _, version = collection.partition(".")
        found = search_granules(context.client, context.catalogue.endpoint, short_name, version, period)
        read, unread = _read(naming, collection, found)
        offers += read
        left_out += [*found.left_out, *unread]
    chosen = offers if demand.replaced else _first_streams(naming, offers)
    pieces = (_piece(context, source, naming, offer) for offer in sorted(chosen, key=lambda one: one.granule.name))
    return Found(tuple(pieces), tuple(sorted(left_out)))


def restore_granule(context: Context, entry: Entry) -> Entry:
    """Write a granule of an archive again, from the version that is expected.

    Raises:
        Changed: the remote file is another one now.
        VadoseError: it cannot be fetched.
    """
    naming = SPECS[entry.source].granules
    if naming is None:
        raise VadoseError(f"lock: {entry.id}", f"{entry.source} has no granules", "Fetch again without --locked")
    told = (entry.source, entry.collection, entry.id, entry.files[0].address, entry.updated, entry.published)
    return _fetch(context, naming, *told)[0]


def _read(naming: GranuleNaming, collection: str, found: GranuleSearch) -> tuple[list[_Offer], list[LeftOut]]:
    offers, unread = [], []
    for granule in found.granules:
        try:
            name = naming.read(granule.name)
            if name is None:
                raise Unfit(
                    "not named as a granule", f"{naming.source}: {granule.name}", "Its name is not read", "Skip it"
                )
            offers.append(_Offer(collection, granule, name))
        except VadoseError as reason:
            unread.append(LeftOut.of(naming.source, granule.name, collection, reason))
    return offers, unread


def _first_streams(naming: GranuleNaming, offers: Iterable[_Offer]) -> list[_Offer]:
    """Return the offers of each time whose stream comes first."""
    best: dict[np.datetime64, _Offer] = {}
    for offer in offers:
        held = best.get(offer.name.time)
        if held is None or naming.streams.index(offer.name.stream) < naming.streams.index(held.name.stream):
            best[offer.name.time] = offer
    return list(best.values())


def _piece(context: Context, source: str, naming: GranuleNaming, offer: _Offer) -> Piece:
    granule = offer.granule
    published = f"{np.datetime_as_string(min(granule.published, granule.updated), 's')}Z"
    arguments = (context, naming, source, offer.collection, granule.name, granule.url, offer.updated, published)
    return Piece(
        source,
        offer.collection,
        granule.name,
        digest_of({}, offer.updated),
        "",
        partial(_fetch, *arguments),
        partial(_cost, context, naming, granule.url),
    )


def _fetch(
    context: Context,
    naming: GranuleNaming,
    source: str,
    collection: str,
    name: str,
    url: str,
    updated: str,
    published: str,
) -> tuple[Entry, ...]:
    remote = RemoteFile(context.client, url, context.cache, context.expected.get(bare(url)))
    path = context.lock.folder / source / name
    copy_granule(remote, path, naming.datasets)
    version = remote.version
    described = locked(context.lock.folder, path, address=bare(url), size=version.size, etag=version.etag)
    entry = Entry(source, context.name, collection, name, updated, "", (described,), published=published)
    return (_dated(entry, naming),)


def _dated(entry: Entry, naming: GranuleNaming) -> Entry:
    """Return an entry with the publication that readers of the archive take."""
    name = naming.read(entry.id)
    if name is None:
        return entry
    stated = nanosecond(entry.published.removesuffix("Z")) if entry.published else None
    granule = Granule(Path(entry.id), 0, name.stream, name.time, name.version, stated)
    at = f"{np.datetime_as_string(granule.available_at, 's')}Z"
    return replace(entry, available_at=at, available_by="catalogue" if granule.by_catalogue else "latency")


def _cost(context: Context, naming: GranuleNaming, url: str) -> Cost:
    """Read a granule to find out what it takes; nothing remains then."""
    with TemporaryDirectory() as folder:
        copy_granule(RemoteFile(context.client, url, context.cache), Path(folder) / "granule", naming.datasets)
    return Cost()
