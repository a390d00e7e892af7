"""What is known of an item before any of its files is opened."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Asset:
    """One file of an item.

    Attributes:
        band: what it holds: the name of a variable, or "scl" (scene classification), "mask" (of radar), "land_cover",
            or "annotation".
        href: where it lies, in the item's words; a local path once it was found in an archive.
        scale, offset: a physical value is `number * scale + offset`.
        nodata: the number that means missing; None where the item does not say.
        resolution: size of a pixel in units of the projection; None where the item does not say.
        states_scale: whether scale and offset are the item's or its product's; else the file's own tags count.
        units: of the physical value; None where the item does not say.
        size: of the file, bytes; None where the item does not say.
        checksum: multihash of the file, hexadecimal; None where the item does not say.
        shape: rows and columns; None where the item does not say.
        transform: from column and row to x and y, as six numbers; None where the item does not say.
    """

    band: str
    href: str
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    resolution: float | None = None
    states_scale: bool = False
    units: str | None = None
    size: int | None = None
    checksum: str | None = None
    shape: tuple[int, int] | None = None
    transform: tuple[float, ...] | None = None


@dataclass(frozen=True)
class ReplacedPart:
    """Ground of an item on which a window of a newer processing has replaced it.

    Attributes:
        bounds: west, south, east, north in the item's projection.
        at: when; None where that is not known.
    """

    bounds: tuple[float, float, float, float]
    at: np.datetime64 | None


@dataclass(frozen=True)
class SceneItem:
    """An item of a catalogue, in the same words whichever catalogue it came from.

    Attributes:
        id, collection: as the item says; the collection is empty where it says none.
        product: one of the names of `stac.ITEM_PRODUCTS`, such as "sentinel-2-l2a".
        time: of the observation, datetime64[ns], UTC.
        bbox: west, south, east, north in degrees; west is greater than east across the antimeridian.
        epsg: of the projection; None where the item does not say.
        assets: the files that are read.
        baseline: of the processing, as "05.10"; None for products without one.
        platform: in lower case, empty where the item says none.
        relative_orbit, orbit_state: None where the item does not say.
        window: row, column, rows and columns of the scene's first file that the item is cut to; None for a whole scene.
        scene_bbox: of the whole scene, degrees; None where the item is the scene, or does not say.
        generated: when the product was made, catalogued: when the item was last changed; text that sorts, or None.
        available_at: when it took the place of an older processing; None where it has that of its source.
        replaced_at: when a newer processing took its place; None where none did.
        replaced_parts: where windows of newer processings took the place of a part.
    """

    id: str
    collection: str
    product: str
    time: np.datetime64
    bbox: tuple[float, float, float, float]
    epsg: int | None
    assets: tuple[Asset, ...]
    baseline: str | None = None
    platform: str = ""
    relative_orbit: int | None = None
    orbit_state: str | None = None
    window: tuple[int, int, int, int] | None = None
    scene_bbox: tuple[float, float, float, float] | None = None
    generated: str | None = None
    catalogued: str | None = None
    available_at: np.datetime64 | None = None
    replaced_at: np.datetime64 | None = None
    replaced_parts: tuple[ReplacedPart, ...] = ()

    def asset(self, band: str) -> Asset | None:
        """Return the file that holds a band, if the item has one."""
        return next((asset for asset in self.assets if asset.band == band), None)

    @property
    def attrs(self) -> dict[str, str | int]:
        """What is known of the observation, for the attributes of a dataset."""
        known = {
            "platform": self.platform or None,
            "relative_orbit": self.relative_orbit,
            "orbit_state": self.orbit_state,
            "processing_baseline": self.baseline,
            "processed": " ".join(mark or "" for mark in (self.baseline, self.generated, self.catalogued)).strip()
            or None,
        }
        return {name: value for name, value in known.items() if value is not None}
