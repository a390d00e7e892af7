"""Items of a catalogue, fetched: windows of their files on their own grids, and the item rewritten for them."""

import copy
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import numpy as np
import shapely
import shapely.geometry
from affine import Affine
from rasterio.warp import transform_bounds

from vadose.catalogues.cache import BlockCache
from vadose.catalogues.cog import RemoteRaster, with_grid
from vadose.catalogues.demand import Demand, Target, sparse_targets
from vadose.catalogues.http import HttpClient, bare
from vadose.catalogues.jp2 import SIGNATURE, RemoteJp2
from vadose.catalogues.lock import Entry, Lock, LockedFile, digest_of, locked
from vadose.catalogues.pieces import Context, Cost, Found, Piece, asked_of, regions
from vadose.catalogues.remote import Changed, RemoteFile, Version
from vadose.catalogues.settings import Catalogue
from vadose.catalogues.stac_search import read_item, search_items
from vadose.errors import VadoseError
from vadose.grid import bbox_of, later
from vadose.io.atomic import atomic_write
from vadose.io.files import sha256, write_json
from vadose.registry import LATENCY_DAYS, ItemProduct
from vadose.sources.archive import newest
from vadose.sources.assets import asset_of
from vadose.sources.checks import require_bands
from vadose.sources.integrity import check_grid
from vadose.sources.kept_scan import footprint
from vadose.sources.left_out import LeftOut, Unfit
from vadose.sources.records import SceneItem
from vadose.sources.stac import ITEM_PRODUCTS, OVERVIEW_M, SCENE_BBOX, SCENE_GEOMETRY, SOURCE_OF, WINDOW, parse
from vadose.sources.twins import available_at
from vadose.sources.window import Window

ANNOTATION = "annotation"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,150}")
_LARGEST_ANNOTATION = 64 << 20
_MULTIPLE = 16
"""Rows and columns at whose multiples windows for sparse history begin: full pixels of one coarse one stay together."""
_STALE = ("file:checksum", "file:size", "checksum:multihash", "alternate", "proj:bbox", "proj:geometry")
"""Fields of assets that a window does not share with the whole file."""
_JP2, _GEOTIFF = "image/jp2", "image/tiff; application=geotiff"


@dataclass(frozen=True)
class CatalogueItem:
    """An item as a catalogue gives it.

    Attributes:
        catalogue: its name.
        source: that reads it.
        content: decoded JSON.
        record: parsed.
    """

    catalogue: str
    source: str
    content: Mapping[str, Any]
    record: SceneItem

    @property
    def updated(self) -> str:
        """When the catalogue changed it last, as it says."""
        properties = self.content.get("properties", {})
        return str(properties.get("updated") or properties.get("created") or "")

    @property
    def original(self) -> dict[str, Any]:
        """Its content, addresses without their queries; a copy each time, as many items are held at once."""
        content = copy.deepcopy(dict(self.content))
        for part in (*content.get("assets", {}).values(), *content.get("links", [])):
            if isinstance(part, dict) and isinstance(part.get("href"), str) and "://" in part["href"]:
                part["href"] = bare(part["href"])
        return content

    @cached_property
    def digest(self) -> str:
        """Checksum of what the catalogue says."""
        return digest_of(self.original, self.updated)


@dataclass(frozen=True)
class Wanted:
    """What is read of an item.

    Attributes:
        bands: their names.
        targets: places.
        overview_m: largest pixel size of the overviews that are read, m; None for full resolution.
        scene_geometry: whether items of windows state the ground of their whole scene, as sparse history needs it.
    """

    bands: frozenset[str]
    targets: tuple[Target, ...]
    overview_m: float | None = None
    scene_geometry: bool = False


@dataclass(frozen=True, eq=False)
class ItemFetcher:
    """Fetches items into an archive.

    Attributes:
        catalogue: its settings.
        client: of the catalogue.
        cache: of blocks.
        lock: of the archive.
        expected: versions that remote files must have, by address; empty where any is taken.
    """

    catalogue: Catalogue
    client: HttpClient
    cache: BlockCache
    lock: Lock
    expected: Mapping[str, Version]

    @classmethod
    def of(cls, context: Context) -> "ItemFetcher":
        """Return the fetcher of a catalogue."""
        return cls(context.catalogue, context.client, context.cache, context.lock, context.expected)

    def fetch(self, item: CatalogueItem, wanted: Sequence[Wanted]) -> tuple[Entry, ...]:
        """Fetch the windows of an item around some places.

        Returns:
            One entry for each window; one without files for an item that has no pixel at any of the places.

        Raises:
            VadoseError: a file cannot be fetched or contradicts the item.
        """
        held = self.lock.entries_of(item.source, item.record.collection, item.record.id)
        known = [entry for entry in held if entry.digest == item.digest]
        wanted = [
            replace(one, bands=one.bands.union(*(old.bands for old in known if old.overview_m == one.overview_m)))
            for one in wanted
        ]
        asked = _asked(wanted)
        found: list[Entry] = []
        for one in wanted:
            rasters, keys = self._rasters(item, one)
            for windows in _windows(rasters, one):
                found.append(self._window(item, keys, rasters, windows, one, asked))
        return tuple(found) or (_entry(item, "none", (), wanted[0], asked),)

    def restore(self, entry: Entry) -> Entry:
        """Write the files of an entry again, from the versions that are expected.

        Raises:
            Changed: a remote file is another one now.
            VadoseError: as `fetch`.
        """
        item = CatalogueItem(entry.catalogue, entry.source, entry.original, parse(entry.original))
        wanted = Wanted(frozenset(entry.bands), (), entry.overview_m, entry.scene_geometry)
        rasters, keys = self._rasters(item, wanted)
        held = {one.address: one.window for one in entry.files if one.window is not None}
        addresses = {band: bare(raster.file.url) for band, raster in rasters.items()}
        windows = {band: Window(*held[at]) for band, at in addresses.items() if at in held}
        if len(windows) < len(held):
            raise Changed(
                f"lock: {entry.id}",
                "It names other files than its item",
                "Fetch without --locked to take the present ones",
            )
        if not windows:
            return entry
        return replace(self._window(item, keys, rasters, windows, wanted, entry.asked), updated=entry.updated)

    def cost(self, item: CatalogueItem, wanted: Sequence[Wanted]) -> Cost:
        """Read the headers of an item, and return what its windows take."""
        return sum((self._cost(item, one) for one in wanted), Cost())

    def _cost(self, item: CatalogueItem, wanted: Wanted) -> Cost:
        rasters, keys = self._rasters(item, wanted)
        ranges: dict[str, dict[tuple[int, int], None]] = {}
        for windows in _windows(rasters, wanted):
            for band, window in windows.items():
                ranges.setdefault(band, {}).update(dict.fromkeys(rasters[band].ranges(window)))
        read = ((rasters[band], list(held)) for band, held in ranges.items())
        total = sum((Cost(*raster.file.cost(held, raster.gap)) for raster, held in read), Cost())
        found = self._annotation_of(item, keys) if ranges else None
        return total + Cost(*found[2].cost([(0, found[2].version.size)])) if found else total

    def _rasters(
        self, item: CatalogueItem, wanted: Wanted
    ) -> tuple[dict[str, RemoteRaster | RemoteJp2], dict[str, str]]:
        product, assets, bands = ITEM_PRODUCTS[item.record.product], item.content["assets"], wanted.bands
        keys = {
            band: key
            for band, names in product.bands.items()
            if _is_read(band, product, bands) and (key := asset_of(band, names, assets)) is not None
        }
        rasters = {}
        for band, key in keys.items():
            if band != ANNOTATION:
                raster = _opened(self._remote(item, assets[key]["href"]))
                asset = item.record.asset(band)
                if asset is not None and asset.href == assets[key]["href"]:
                    check_grid(asset, (raster.height, raster.width), raster.grid.transform)
                if wanted.overview_m is not None:
                    raster = _opened(raster.file, wanted.overview_m)
                rasters[band] = raster
        return rasters, keys

    def _window(
        self,
        item: CatalogueItem,
        keys: Mapping[str, str],
        rasters: Mapping[str, RemoteRaster | RemoteJp2],
        windows: Mapping[str, Window],
        wanted: Wanted,
        asked: str,
    ) -> Entry:
        first = next(iter(windows.values()))
        place = first.name
        if wanted.overview_m is not None:
            place = f"o{wanted.overview_m:g}{place}"
        record, folder = item.record, self.lock.folder
        target = folder / plain(record.collection or record.product) / plain(record.id) / place
        content = item.original
        assets, files, boxes = (
            dict[str, Any](),
            list[tuple[Path, dict[str, Any]]](),
            list[tuple[float, float, float, float]](),
        )
        with atomic_write(target) as temporary:
            temporary.mkdir(parents=True)
            for band, window in windows.items():
                raster, key = rasters[band], keys[band]
                path = temporary / f"{plain(key)}.tif"
                raster.copy(window, path)
                grid = with_grid(raster.grid, window)
                assets[key] = _asset(content["assets"][key], path, grid.transform, window)
                boxes.append(_box(grid.crs, grid.transform, window))
                files.append((target / path.name, _remote_of(raster.file, window, content["assets"][key])))
            annotation = self._annotation_of(item, keys)
            if annotation is not None:
                key, stated, remote = annotation
                path = temporary / f"{plain(key)}.xml"
                path.write_bytes(remote.read([(0, remote.version.size)])[0])
                assets[key] = _asset(stated, path, None, None)
                files.append((target / path.name, _remote_of(remote, None, stated)))
            rewritten = _rewritten(content, assets, boxes, first, wanted)
            write_json(temporary / f"{plain(record.id)}.json", json.loads(json.dumps(rewritten, sort_keys=True)))
        described = tuple(locked(folder, path, **remote) for path, remote in files)
        described += (_own(folder, target / f"{plain(record.id)}.json"),)
        return _entry(item, place, described, wanted, asked)

    def _annotation_of(
        self, item: CatalogueItem, keys: Mapping[str, str]
    ) -> tuple[str, Mapping[str, Any], RemoteFile] | None:
        """Find the annotation of a Sentinel-1 item without an angle of its own: its own, or that of its origin.

        Returns:
            Key of the asset, the asset, and its file.
        """
        names = ITEM_PRODUCTS[item.record.product].bands.get(ANNOTATION)
        if names is None or "incidence_angle" in keys:
            return None
        held: Mapping[str, Any] = item.content
        if ANNOTATION not in keys:
            links = [one for one in held.get("links", []) if one.get("rel") == "derived_from" and one.get("href")]
            if not links:
                return None
            held = read_item(self.client, str(links[0]["href"]))
        assets = held.get("assets")
        key = asset_of(ANNOTATION, names, assets) if isinstance(assets, dict) else None
        if key is None or not isinstance(assets, dict):
            return None
        remote = self._remote(item, str(assets[key]["href"]))
        if remote.version.size > _LARGEST_ANNOTATION:
            raise VadoseError(f"catalogues: {bare(remote.url)}", "It is no annotation, by its size", "Report it")
        return key, assets[key], remote

    def _remote(self, item: CatalogueItem, href: str) -> RemoteFile:
        own = next((one["href"] for one in item.content.get("links", []) if one.get("rel") == "self"), "")
        located = self.catalogue.located(href)
        url = urljoin(own, located) if own else located
        if not urlsplit(url).scheme:
            raise VadoseError(
                f"catalogues: item {item.record.id}", f"{href} is no address", "Report it to the catalogue"
            )
        self.client.require_allowed(url)
        return RemoteFile(self.client, url, self.cache, self.expected.get(bare(url)))


def restore_item(context: Context, entry: Entry) -> Entry:
    """Write the files of an item again, from the versions that are expected.

    Raises:
        Changed: a remote file is another one now.
        VadoseError: it cannot be fetched.
    """
    return ItemFetcher.of(context).restore(entry)


def find_items(context: Context, demand: Demand, source: str) -> Found:
    """Search a STAC API for the items of a source; of several collections the first one that has any counts.

    Raises:
        Denied: its files need an access key, and there is none.
        VadoseError: as `search_items`.
    """
    storage = context.catalogue.storage
    if storage is not None:
        context.client.sign(storage.endpoint)  # without a key nothing that is found could be read
    left_out: tuple[LeftOut, ...] = ()
    for collection in context.catalogue.collections[source]:
        contents: dict[str, dict[str, Any]] = {}
        for area in regions(demand.targets):
            for content in search_items(
                context.client, context.catalogue.endpoint, [collection], area, demand.periods[source]
            ):
                contents[str(content.get("id"))] = content
        found = pieces_of(context, demand, source, contents.values())
        left_out += found.left_out
        if found.pieces:
            return Found(found.pieces, left_out)
    return Found((), left_out)


def pieces_of(context: Context, demand: Demand, source: str, contents: Iterable[Mapping[str, Any]]) -> Found:
    """Choose among items: those that can be read, of two processings of one observation the newer."""
    fetcher = ItemFetcher.of(context)
    records: dict[SceneItem, Mapping[str, Any]] = {}
    left_out: list[LeftOut] = []
    period = demand.periods[source]
    for content in contents:
        try:
            record = parse(content)
            require_bands(record)
        except Unfit as reason:
            left_out.append(LeftOut.of(source, str(content.get("id")), context.name, reason))
            continue
        if (period is None or record.time in period) and SOURCE_OF[record.product] == source:
            records[record] = content
    kept, replaced = newest(records)
    left_out += [LeftOut.of(source, record.id, context.name, reason) for record, reason in replaced]
    chosen = sorted(records if demand.replaced else kept, key=lambda one: (one.time, one.id))
    sparse = sparse_targets(demand, source, chosen)
    pieces = []
    for record in chosen:
        wanted = list(_wanted(demand, source, record, sparse.get(record, ())))
        if wanted:
            item = CatalogueItem(context.name, source, records[record], record)
            pieces.append(
                Piece(
                    source,
                    record.collection,
                    record.id,
                    item.digest,
                    _asked(wanted),
                    partial(fetcher.fetch, item, wanted),
                    partial(fetcher.cost, item, wanted),
                    " ".join(str(one.overview_m or "full") for one in wanted),
                )
            )
    return Found(tuple(pieces), tuple(left_out))


def _wanted(demand: Demand, source: str, record: SceneItem, looks: tuple[Target, ...]) -> Iterator[Wanted]:
    """Yield what is read of an item at full resolution, and from overviews for the history of some targets."""
    sparse = demand.sparse if demand.sparse is not None and source in demand.sparse.bands else None
    targets = demand.touching(footprint(record.bbox)) if demand.at_present(source, record) else ()
    if targets:
        yield Wanted(demand.bands[source], targets, scene_geometry=sparse is not None)
    if looks and sparse is not None:
        yield Wanted(sparse.bands[source], looks, sparse.history.sparse_m, scene_geometry=True)


def _asked(wanted: Sequence[Wanted]) -> str:
    """Checksum of places and bands."""
    found = [asked_of(one.targets, one.bands) for one in wanted]
    if not any(one.scene_geometry for one in wanted):
        return found[0]
    named = [[asked, one.overview_m] for asked, one in zip(found, wanted, strict=True)]
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()[:32]


def plain(name: str) -> str:
    """Return a name of a file or a folder for the name of an item: the same, or a checksum of an odd one."""
    return name if _PLAIN.fullmatch(name) else f"item-{hashlib.sha256(name.encode()).hexdigest()[:32]}"


def _entry(item: CatalogueItem, place: str, files: tuple[LockedFile, ...], wanted: Wanted, asked: str) -> Entry:
    record = item.record
    return Entry(
        item.source,
        item.catalogue,
        record.collection,
        record.id,
        item.updated,
        place,
        files,
        item.original,
        tuple(sorted(wanted.bands)),
        asked,
        record.published or "",
        *availability(record, LATENCY_DAYS.get(item.source)),
        wanted.overview_m,
        wanted.scene_geometry,
    )


def availability(record: SceneItem, latency_days: float | None) -> tuple[str, str]:
    """Return when an item could be had, and whether by its catalogue or by latency; nothing of a static one."""
    if latency_days is None:
        return "", ""
    at, stated = available_at(record, latency_days, renews=False)
    time = later(record.time, latency_days)[()] if at is None else at
    return f"{np.datetime_as_string(time, 's')}Z", "catalogue" if stated else "latency"


def _is_read(band: str, product: ItemProduct, bands: frozenset[str]) -> bool:
    """Return whether a band is wanted, or is needed to read those that are."""
    needed = band in product.required or band == "land_cover" or not bands & set(product.bands)
    return band in bands or needed or (band == ANNOTATION and "incidence_angle" in bands)


def _windows(rasters: Mapping[str, RemoteRaster | RemoteJp2], wanted: Wanted) -> Iterator[dict[str, Window]]:
    """Yield the windows of all rasters around each target, each set once, in order."""
    found = {}
    multiple = 1 if wanted.overview_m is None else _MULTIPLE
    for target in wanted.targets:
        windows = {band: _hull(raster, target, multiple) for band, raster in rasters.items()}
        known = {band: window for band, window in windows.items() if window is not None}
        if known:
            found[tuple((band, *vars(window).values()) for band, window in known.items())] = known
    yield from (found[key] for key in sorted(found))


def _opened(file: RemoteFile, pixel_m: float | None = None) -> RemoteRaster | RemoteJp2:
    """Read the header of a raster, or of its overview with pixels of at most `pixel_m`; JPEG 2000 files have none."""
    start = file.read([(0, min(len(SIGNATURE), file.version.size))])[0]
    return RemoteJp2.open(file) if start == SIGNATURE else RemoteRaster.open(file, pixel_m)


def _hull(raster: RemoteRaster | RemoteJp2, target: Target, multiple: int) -> Window | None:
    """Return the blocks that hold the ground of a target; None where the raster does not touch it."""
    parts = [window for area in target.parts if (window := raster.grid.window(area)) is not None]
    return raster.aligned(Window.around(parts), multiple) if parts else None


def _asset(stated: Mapping[str, Any], path: Path, transform: Affine | None, window: Window | None) -> dict[str, Any]:
    kept = {
        key: value for key, value in stated.items() if key not in _STALE and not key.startswith(("storage:", "auth:"))
    }
    own: dict[str, Any] = {
        "href": f"./{path.name}",
        "file:size": path.stat().st_size,
        "file:checksum": f"1220{sha256(path)}",
    }
    if kept.get("type") == _JP2:
        own["type"] = _GEOTIFF
    if transform is not None and window is not None:
        own |= {"proj:shape": list(window.shape), "proj:transform": list(transform)[:6]}
    return kept | own


def _rewritten(
    content: Mapping[str, Any],
    assets: Mapping[str, Any],
    boxes: Iterable[tuple[float, float, float, float]],
    window: Window,
    wanted: Wanted,
) -> dict[str, Any]:
    bbox = bbox_of(shapely.union_all([footprint(box) for box in boxes]))
    properties = {
        key: value for key, value in content["properties"].items() if key not in ("proj:bbox", "proj:geometry")
    }
    first = next(iter(assets.values()))
    properties |= {name: first[name] for name in ("proj:shape", "proj:transform") if name in properties}
    properties |= {WINDOW: [window.top, window.left, *window.shape], SCENE_BBOX: content.get("bbox")}
    if wanted.scene_geometry:
        properties |= {SCENE_GEOMETRY: content.get("geometry")}
    if wanted.overview_m is not None:
        properties |= {OVERVIEW_M: wanted.overview_m}
    return {
        **content,
        "bbox": list(bbox),
        "geometry": shapely.geometry.mapping(footprint(bbox)),
        "properties": properties,
        "links": [],
        "assets": dict(assets),
    }


def _box(crs: str, transform: Affine, window: Window) -> tuple[float, float, float, float]:
    """Box of a window, degrees; west is greater than east across the antimeridian."""
    rows, columns = window.shape
    xs, ys = (
        sorted((transform.c, transform.c + columns * transform.a)),
        sorted((transform.f, transform.f + rows * transform.e)),
    )
    west, south, east, north = transform_bounds(crs, "EPSG:4326", xs[0], ys[0], xs[1], ys[1], densify_pts=21)
    return float(west), float(south), float(east), float(north)


def _remote_of(file: RemoteFile, window: Window | None, asset: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "address": bare(file.url),
        "size": file.version.size,
        "etag": file.version.etag,
        "window": None if window is None else (window.top, window.bottom, window.left, window.right),
        "checksum": str(asset.get("file:checksum") or asset.get("checksum:multihash") or "") or None,
    }


def _own(folder: Path, path: Path) -> LockedFile:
    """Describe the rewritten item, which is no window of a remote file."""
    return locked(folder, path, address="", size=0, etag="")
