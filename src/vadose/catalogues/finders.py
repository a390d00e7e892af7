"""How each kind of catalogue is searched, and how an entry of it is restored."""

from collections.abc import Mapping

from vadose.catalogues.items import ItemFetcher, find_items
from vadose.catalogues.lock import Entry
from vadose.catalogues.pieces import Context, Finder

FINDERS: Mapping[str, Finder] = {"stac": find_items}
"""By the kind of a catalogue."""


def restore_entry(context: Context, entry: Entry) -> Entry:
    """Write the files of an entry again, from the versions that are expected.

    Raises:
        Changed: a remote file is another one now.
        VadoseError: it cannot be fetched.
    """
    fetcher = ItemFetcher(context.client, context.cache, context.lock, context.expected)
    return fetcher.restore(entry)
