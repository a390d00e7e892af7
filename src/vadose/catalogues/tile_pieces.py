"""Tiles of the open buckets of Copernicus DEM and ESA WorldCover, fetched as items; a missing one is at sea."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from vadose.catalogues.demand import Demand
from vadose.catalogues.http import Absent
from vadose.catalogues.items import pieces_of
from vadose.catalogues.lock import Entry
from vadose.catalogues.pieces import Context, Found, Piece, ground_of
from vadose.catalogues.tile_lists import copernicus_dem_items, worldcover_items
from vadose.grid import AreaOfInterest

_LISTS: Mapping[str, Callable[[AreaOfInterest, str], tuple[dict[str, Any], ...]]] = {
    "copernicus-dem": copernicus_dem_items,
    "worldcover": worldcover_items,
}


def find_tiles(context: Context, demand: Demand, source: str) -> Found:
    """Return the tiles over the places of a demand; nothing is searched, as their names follow from the places."""
    contents = _LISTS[context.catalogue.kind](ground_of(demand.targets), context.catalogue.endpoint)
    found = pieces_of(context, demand, source, contents)
    pieces = (replace(one, fetch=partial(_fetch, context, one)) for one in found.pieces)
    return Found(tuple(pieces), found.left_out)


def _fetch(context: Context, piece: Piece) -> tuple[Entry, ...]:
    """Fetch a tile; of one that does not exist an entry without files is kept."""
    try:
        return piece.fetch()
    except Absent:
        return (Entry(piece.source, context.name, piece.collection, piece.id, "", "none", (), asked=piece.asked),)
