"""How each kind of catalogue is searched, and how an entry of it is restored."""

from collections.abc import Callable, Mapping

from vadose.catalogues.items import find_items, restore_item
from vadose.catalogues.lock import Entry
from vadose.catalogues.pieces import Context, Finder
from vadose.catalogues.soilgrids_pieces import find_soilgrids, restore_soilgrids

FINDERS: Mapping[str, Finder] = {"stac": find_items, "soilgrids": find_soilgrids}
"""By the kind of a catalogue."""
_RESTORERS: Mapping[str, Callable[[Context, Entry], Entry]] = {"soilgrids": restore_soilgrids}


def restore_entry(context: Context, entry: Entry) -> Entry:
    """Write the files of an entry again, from the versions that are expected.

    Raises:
        Changed: a remote file is another one now.
        VadoseError: it cannot be fetched.
    """
    return _RESTORERS.get(context.catalogue.kind, restore_item)(context, entry)
