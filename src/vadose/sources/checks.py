"""Verification of an item's metadata against its files, before any of its pixels is used."""

from vadose.sources.crs import epsg_of
from vadose.sources.integrity import check_file, check_grid
from vadose.sources.left_out import Unfit
from vadose.sources.plausibility import check_numbers
from vadose.sources.raster import Raster
from vadose.sources.records import SceneItem

_L2A, _CLASSES, _NO_RASTER = "sentinel-2-l2a", "scl", "annotation"


def check_item(record: SceneItem, absent: tuple[str, ...]) -> list[Unfit]:
    """Refuse an item whose files contradict its metadata.

    Args:
        record: with local paths.
        absent: named bands with missing files.

    Returns:
        Remarks on an item that is read nevertheless.

    Raises:
        Unfit: an L2A item has no scene classification; size, checksum, grid, projection or numbers of a file contradict
            the metadata.
        VadoseError: a file cannot be opened.
    """
    if record.product == _L2A and record.asset(_CLASSES) is None:
        raise _without_classes(record, _CLASSES in absent)
    notes = []
    for asset in record.assets:
        check_file(asset)
        if asset.band != _NO_RASTER:
            raster = Raster.open(asset)
            notes.append(check_grid(asset, (raster.grid.height, raster.grid.width), raster.grid.transform))
            _check_projection(record, raster)
    check_numbers(record)
    return [note for note in notes if note]


def _without_classes(record: SceneItem, named: bool) -> Unfit:
    found = "the file of its scene classification (SCL) is missing" if named else "it has no scene classification (SCL)"
    return Unfit(
        "no scene classification",
        f"sentinel2: item '{record.id}', bands {', '.join(asset.band for asset in record.assets)}",
        f"It is of L2A and {found}: clouds would count as ground",
        "Add the SCL file and asset to the item",
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
