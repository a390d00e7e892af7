"""Stored scan of an archive: GeoParquet in its folder, one row per item or granule."""

import contextlib
import hashlib
import json
import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from vadose.io.files import atomic_write, parse_json
from vadose.registry import GranuleName, source_specs
from vadose.sources.left_out import Unfit
from vadose.sources.records import Asset, SceneItem

NAME = ".vadose-index.parquet"
"""File name in the archive; hidden, so that the walk ignores it."""
FEWEST = 100
"""Smallest number of files for which a scan is stored; fewer are read as fast."""
_KEY, _FORMAT = b"vadose_index", 1
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stamp:
    """Modification time and size of a file, which identify its content.

    Attributes:
        modified: modification time, ns.
        size: bytes.
    """

    modified: int
    size: int

    @classmethod
    def of(cls, path: Path) -> "Stamp | None":
        """Return the stamp of a file; None if it is inaccessible."""
        try:
            status = path.stat()
        except OSError:
            return None
        return cls(status.st_mtime_ns, status.st_size)


@dataclass(frozen=True)
class FoundItem:
    """A STAC item in a file, or an unreadable file that should contain some.

    Attributes:
        source: name of the source that would read it; "" if unknown.
        name: identifier; "" for an unreadable file.
        product: product of the item; "" if it is not read.
        item: parsed item; None if it is not read.
        reason: why it is not read.
    """

    source: str
    name: str
    product: str = ""
    item: SceneItem | None = None
    reason: Unfit | None = None


@dataclass(frozen=True)
class FoundGranule:
    """A granule of a source by its file name, or a file with a similar name.

    Attributes:
        source: name of the source.
        name: parsed name; None if it is not read.
        reason: why it is not read.
    """

    source: str
    name: GranuleName | None
    reason: Unfit | None = None


@dataclass(frozen=True)
class File:
    """Items and granules in a file.

    Attributes:
        stamp: at the scan; None if the file was inaccessible.
        items, granules: contents.
        keep: whether the entry may be stored for the next scan.
    """

    stamp: Stamp | None
    items: tuple[FoundItem, ...] = ()
    granules: tuple[FoundGranule, ...] = ()
    keep: bool = True


_TEXTS = (
    "file",
    "kind",
    "source",
    "id",
    "product",
    "collection",
    "assets",
    "baseline",
    "platform",
    "orbit_state",
    "generated",
    "catalogued",
    "published",
    "stream",
    "version",
    "reason_kind",
    "reason_context",
    "reason_problem",
    "reason_hint",
)
_BOX = ("west", "south", "east", "north")
_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in _TEXTS),
        ("file_modified", pa.int64()),
        ("file_size", pa.int64()),
        ("datetime", pa.timestamp("ns", tz="UTC")),
        ("geometry", pa.binary()),
        *((name, pa.float64()) for name in _BOX),
        ("epsg", pa.int64()),
        ("relative_orbit", pa.int64()),
        ("window", pa.list_(pa.int64())),
        ("scene_bbox", pa.list_(pa.float64())),
        ("footprint", pa.binary()),
        ("cloud_cover", pa.float64()),
        ("overview_m", pa.float64()),
    ]
)
_GEO = {
    "version": "1.1.0",
    "primary_column": "geometry",
    "columns": {"geometry": {"encoding": "WKB", "geometry_types": ["Polygon", "MultiPolygon"]}},
}


def read(folder: Path) -> dict[str, File]:
    """Return the stored scan of an archive, by path; empty if missing, damaged, or written by other code."""
    held: dict[str, File] = {}
    for path in _places(folder):
        try:
            if path.is_file():
                held |= _read(path)
        except (OSError, pa.ArrowException, ValueError, TypeError, LookupError, AttributeError) as error:
            _log.info("The index %s is made anew: %s", path, error)
    return held


def write(folder: Path, held: Mapping[str, File], files: Mapping[str, File]) -> None:
    """Store a scan in the archive, or in the user's cache if the archive is read-only."""
    kept = {place: file for place, file in files.items() if file.keep}
    if len(kept) < FEWEST or (kept.keys() == held.keys() and all(held[place] is kept[place] for place in kept)):
        return
    table = _table(kept)
    for path in _places(folder):
        with contextlib.suppress(OSError):
            with atomic_write(path) as temporary:
                pq.write_table(table, temporary, compression="zstd")
            return
    _log.info("The index of %s is not kept: neither the archive nor the cache can be written", folder)


def _places(folder: Path) -> tuple[Path, ...]:
    """Return the possible paths of the index of an archive, the preferred one first."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:32]
    return folder / NAME, cache / "vadose" / "archives" / f"{name}.parquet"


@lru_cache(maxsize=1)
def _code() -> str:
    """Return the checksum of the code that reads items and names; other code may have found something else."""
    room = Path(__file__).parent
    parts = sorted([*room.glob("*.py"), room.parent / "registry.py", room.parent / "variables.py"])
    return hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()


def _made_by() -> bytes:
    known = [
        (
            spec.name,
            [(product.name, product.collections) for product in spec.items],
            spec.granules and [stream.name for stream in spec.granules.streams],
        )
        for spec in source_specs()
    ]
    return json.dumps({"format": _FORMAT, "code": _code(), "sources": known}).encode()


def _table(files: Mapping[str, File]) -> pa.Table:
    rows = [row for place, file in files.items() for row in _rows(place, file)]
    try:
        table = pa.Table.from_pylist(rows, _SCHEMA)
    except (pa.ArrowException, ValueError, OverflowError):  # numbers and texts of an odd item
        unfit = {row["file"] for row in rows if not _fits(row)}
        table = pa.Table.from_pylist([row for row in rows if row["file"] not in unfit], _SCHEMA)
    return table.replace_schema_metadata({_KEY: _made_by(), b"geo": json.dumps(_GEO).encode()})


def _fits(row: Mapping[str, Any]) -> bool:
    try:
        pa.Table.from_pylist([row], _SCHEMA)
    except (pa.ArrowException, ValueError, OverflowError):
        return False
    return True


def _rows(place: str, file: File) -> list[dict[str, Any]]:
    stamp = {"file": place, "file_modified": file.stamp.modified, "file_size": file.stamp.size} if file.stamp else {}
    rows = [_of_item(found) for found in file.items] + [_of_granule(found) for found in file.granules]
    return [stamp | row for row in rows or [{"kind": "other"}]]


def _of_item(found: FoundItem) -> dict[str, Any]:
    named = {"kind": "item", "source": found.source, "id": found.name, "product": found.product}
    row, item = named | _of_reason(found.reason), found.item
    if item is None:
        return row
    west, south, east, north = item.bbox
    return row | {
        "collection": item.collection,
        "datetime": int(item.time.astype("datetime64[ns]").astype(np.int64)),
        "geometry": shapely.to_wkb(footprint(item.bbox)),
        "west": west,
        "south": south,
        "east": east,
        "north": north,
        "epsg": item.epsg,
        "assets": json.dumps([_of_asset(asset) for asset in item.assets]),
        "baseline": item.baseline,
        "platform": item.platform,
        "relative_orbit": item.relative_orbit,
        "orbit_state": item.orbit_state,
        "window": item.window,
        "scene_bbox": item.scene_bbox,
        "footprint": item.footprint,
        "cloud_cover": item.cloud_cover,
        "overview_m": item.overview_m,
        "generated": item.generated,
        "catalogued": item.catalogued,
        "published": item.published,
    }


def _of_asset(asset: Asset) -> dict[str, Any]:
    """Return the attributes of an asset that differ from their defaults."""
    return {name: value for name, default in _DEFAULTS if (value := getattr(asset, name)) != default}


_DEFAULTS = tuple((one.name, None if one.default is MISSING else one.default) for one in fields(Asset))


def _of_granule(found: FoundGranule) -> dict[str, Any]:
    row = {"kind": "granule", "source": found.source} | _of_reason(found.reason)
    if found.name is None:
        return row
    time = int(found.name.time.astype("datetime64[ns]").astype(np.int64))
    return row | {"stream": found.name.stream.name, "version": found.name.version, "datetime": time}


def _of_reason(reason: Unfit | None) -> dict[str, str]:
    if reason is None:
        return {}
    parts = zip(("kind", "context", "problem", "hint"), reason.args, strict=True)
    return {f"reason_{name}": text for name, text in parts}


def _read(path: Path) -> dict[str, File]:
    metadata = pq.read_schema(path).metadata or {}
    if metadata.get(_KEY) != _made_by():
        raise ValueError("it was written by another version, or is another table")
    table = pq.read_table(path, schema=_SCHEMA)
    times = table.column("datetime").cast(pa.int64()).to_pylist()
    columns = table.drop_columns(["datetime", "geometry"]).to_pydict()
    namings = [spec.granules for spec in source_specs() if spec.granules]
    streams = {(naming.source, stream.name): stream for naming in namings for stream in naming.streams}
    found: dict[str, tuple[Stamp, list[FoundItem], list[FoundGranule]]] = {}
    for values, time in zip(zip(*columns.values(), strict=True), times, strict=True):
        row = dict(zip(columns, values, strict=True))
        stamp = Stamp(row["file_modified"], row["file_size"])
        _, items, granules = found.setdefault(row["file"], (stamp, [], []))
        if row["kind"] == "item":
            items.append(FoundItem(row["source"], row["id"], row["product"], _item(row, time), _reason(row)))
        elif row["kind"] == "granule":
            name = GranuleName(streams[row["source"], row["stream"]], np.datetime64(time, "ns"), row["version"])
            granules.append(FoundGranule(row["source"], name))
    return {place: File(stamp, tuple(items), tuple(granules)) for place, (stamp, items, granules) in found.items()}


def _item(row: Mapping[str, Any], time: int | None) -> SceneItem | None:
    if row["reason_kind"] is not None:
        return None
    if time is None:
        raise ValueError("an item without a time")
    return SceneItem(
        id=row["id"],
        collection=row["collection"],
        product=row["product"],
        time=np.datetime64(time, "ns"),
        bbox=tuple(float(row[edge]) for edge in _BOX),  # type: ignore[arg-type]
        epsg=row["epsg"],
        assets=tuple(_assets(parse_json(row["assets"], "archive index: assets"))),
        baseline=row["baseline"],
        platform=row["platform"],
        relative_orbit=row["relative_orbit"],
        orbit_state=row["orbit_state"],
        window=None if row["window"] is None else tuple(row["window"]),
        scene_bbox=None if row["scene_bbox"] is None else tuple(row["scene_bbox"]),
        footprint=row["footprint"],
        cloud_cover=row["cloud_cover"],
        overview_m=row["overview_m"],
        generated=row["generated"],
        catalogued=row["catalogued"],
        published=row["published"],
    )


def _assets(stated: Iterable[Mapping[str, Any]]) -> Iterable[Asset]:
    for asset in stated:
        fields_of: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in asset.items()
        }
        yield Asset(**fields_of)


def _reason(row: Mapping[str, Any]) -> Unfit | None:
    if row["reason_kind"] is None:
        return None
    return Unfit(row["reason_kind"], row["reason_context"], row["reason_problem"], row["reason_hint"])


def footprint(bbox: tuple[float, float, float, float]) -> shapely.Geometry:
    """Return the box of an item, in two parts if it crosses the antimeridian."""
    west, south, east, north = bbox
    if west <= east:
        return shapely.box(west, south, east, north)
    return shapely.MultiPolygon([shapely.box(west, south, 180, north), shapely.box(-180, south, east, north)])
