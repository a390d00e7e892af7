"""How each kind of catalogue is searched, and how an entry of it is restored."""

from collections.abc import Callable, Mapping

from vadose.catalogues.granule_pieces import find_granules, restore_granule
from vadose.catalogues.items import find_items, restore_item
from vadose.catalogues.lock import Entry
from vadose.catalogues.opera import find_opera
from vadose.catalogues.pieces import Context, Finder
from vadose.catalogues.soilgrids_pieces import find_soilgrids, restore_soilgrids
from vadose.catalogues.tile_pieces import find_tiles

FINDERS: Mapping[str, Finder] = {
    "stac": find_items,
    "soilgrids": find_soilgrids,
    "cmr": find_granules,
    "opera": find_opera,
    "copernicus-dem": find_tiles,
    "worldcover": find_tiles,
}
"""By the kind of a catalogue."""
_RESTORERS: Mapping[str, Callable[[Context, Entry], Entry]] = {
    "soilgrids": restore_soilgrids,
    "cmr": restore_granule,
}


def restore_entry(context: Context, entry: Entry) -> Entry:
    """Write the files of an entry again, from the versions that are expected.

    Raises:
        Changed: a remote file is another one now.
        VadoseError: it cannot be fetched.
    """
    return _RESTORERS.get(context.catalogue.kind, restore_item)(context, entry)
