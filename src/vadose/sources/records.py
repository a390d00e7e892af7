"""Metadata of an item, known before any of its files is opened."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Asset:
    """One file of an item; None for what the item does not state.

    Attributes:
        band: name of a variable, or "scl" (scene classification), "mask" (of radar), "land_cover" or "annotation".
        href: address as stated by the item; a local path once found in an archive.
        scale, offset: physical value = number * scale + offset.
        nodata: number of a missing value.
        resolution: pixel size, units of the projection.
        states_scale: whether scale and offset are those of the item or its product; otherwise the file's tags apply.
        units: units of the physical values.
        size: file size, bytes.
        checksum: multihash of the file, hexadecimal.
        shape: rows and columns.
        transform: from column and row to x and y, six numbers.
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
    """Part of an item that a window of a newer processing has replaced.

    Attributes:
        bounds: west, south, east, north in the item's projection.
        at: time of the replacement, UTC; None if unknown.
    """

    bounds: tuple[float, float, float, float]
    at: np.datetime64 | None


@dataclass(frozen=True)
class SceneItem:
    """A STAC item in the same terms for all catalogues.

    Attributes:
        id, collection: as stated by the item; "" without a collection.
        product: one of the names of `stac.ITEM_PRODUCTS`, such as "sentinel-2-l2a".
        time: time of the observation, datetime64[ns], UTC.
        bbox: west, south, east, north in degrees; west is greater than east across the antimeridian.
        epsg: EPSG code of the projection; None if not stated.
        assets: files that are read.
        baseline: processing baseline, such as "05.10"; None for products without one.
        platform: satellite, lower case; "" if not stated.
        relative_orbit, orbit_state: None if not stated.
        window: row, column, rows and columns of the item in the scene's first file; None for a complete scene.
        scene_bbox: box of the complete scene, degrees; None for a complete scene, or if not stated.
        footprint: ground of the complete scene, degrees, as WKB; None if only its box is known.
        cloud_cover: cloud cover of the complete scene, %; None if not stated.
        overview_m: largest pixel size of the overviews that a window was cut from, m; None for full resolution.
        generated, catalogued: times of processing and of the last change of the item, sortable text; None if unknown.
        published: earliest date of the item in its catalogue, sortable text; None if unknown.
        available_at: publication time, UTC, by its catalogue or of a newer processing; None for the latency of the
            source.
        by_catalogue: whether its catalogue states `available_at`.
        replaced_at: publication time of the processing that replaced it, UTC; None without one.
        replaced_parts: parts replaced by windows of newer processings.
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
    footprint: bytes | None = None
    cloud_cover: float | None = None
    overview_m: float | None = None
    generated: str | None = None
    catalogued: str | None = None
    published: str | None = None
    available_at: np.datetime64 | None = None
    by_catalogue: bool = False
    replaced_at: np.datetime64 | None = None
    replaced_parts: tuple[ReplacedPart, ...] = ()

    def asset(self, band: str) -> Asset | None:
        """Return the file that holds a band, if the item has one."""
        return next((asset for asset in self.assets if asset.band == band), None)

    @property
    def attrs(self) -> dict[str, str | int]:
        """Return the attributes of a dataset of the item."""
        known = {
            "platform": self.platform or None,
            "relative_orbit": self.relative_orbit,
            "orbit_state": self.orbit_state,
            "processing_baseline": self.baseline,
            "processed": " ".join(mark or "" for mark in (self.baseline, self.generated, self.catalogued)).strip()
            or None,
        }
        return {name: value for name, value in known.items() if value is not None}
