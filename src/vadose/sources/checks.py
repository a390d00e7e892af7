"""Verification of an item's metadata against its files, before any of its pixels is used."""

from vadose.sources.crs import epsg_of
from vadose.sources.integrity import check_file, check_grid
from vadose.sources.left_out import Unfit
from vadose.sources.plausibility import check_numbers
from vadose.sources.raster import Raster
from vadose.sources.records import SceneItem
from vadose.sources.stac import ITEM_PRODUCTS, SOURCE_OF

_NO_RASTER = "annotation"


def check_item(record: SceneItem, absent: tuple[str, ...]) -> list[Unfit]:
    """Refuse an item whose files contradict its metadata.

    Args:
        record: record with local paths.
        absent: named bands with missing files.

    Returns:
        Remarks on an item that is read nevertheless.

    Raises:
        Unfit: a required file is missing; or size, checksum, grid, projection or numbers of a file contradict the
            metadata.
        VadoseError: a file cannot be opened.
    """
    require_bands(record, absent)
    notes = []
    for asset in record.assets:
        check_file(asset)
        if asset.band != _NO_RASTER:
            raster = Raster.open(asset)
            notes.append(check_grid(asset, (raster.grid.height, raster.grid.width), raster.grid.transform))
            _check_projection(record, raster)
    check_numbers(record)
    return [note for note in notes if note]


def require_bands(record: SceneItem, absent: tuple[str, ...] = ()) -> None:
    """Refuse an item without a band that its product cannot be read without.

    Args:
        record: of the item.
        absent: named bands with missing files.

    Raises:
        Unfit: one is missing.
    """
    for band, (title, because) in ITEM_PRODUCTS[record.product].required.items():
        if record.asset(band) is None:
            raise _without(record, band, band in absent, title, because)


def _without(record: SceneItem, band: str, named: bool, title: str, because: str) -> Unfit:
    name = f"{title} ({band.upper()})"
    found = f"the file of its {name} is missing" if named else f"it has no {name}"
    return Unfit(
        f"no {title}",
        f"{SOURCE_OF[record.product]}: item '{record.id}', bands {', '.join(asset.band for asset in record.assets)}",
        f"It is of {record.product} and {found}: {because}",
        f"Add the {band.upper()} file and asset to the item",
    )


def _check_projection(record: SceneItem, raster: Raster) -> None:
    epsg = epsg_of(raster.grid.crs)
    if record.epsg and epsg and epsg != record.epsg:
        raise Unfit(
            "projection differs",
            f"{raster.path}: opening it",
            f"It is in EPSG:{epsg}; its item {record.id} says EPSG:{record.epsg}",
            "Put the files of one item together again",
        )
