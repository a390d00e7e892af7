"""STAC items in the files of an archive: single items, collections, lines of items, tables of items."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from vadose.errors import VadoseError
from vadose.io.files import Unreadable, parse_json, read_bytes

Item = Mapping[str, Any]

_WHOLE, _LINES = (".json", ".geojson"), (".ndjson", ".jsonl", ".geojsonl", ".ndgeojson")
_LARGEST_BYTES = 256 * 2**20
"""Largest JSON file: a collection of 20,000 items has about 200 MB."""
_AGAIN = "Get the file again, or remove it"


def holds_items(file: Path) -> bool:
    """Return whether a file may contain STAC items, by its suffix."""
    return file.suffix.lower() in _READERS


def items_of(file: Path) -> list[Item]:
    """Yield every STAC item in a file; none in a file of other content.

    An item is a GeoJSON feature with assets or a `stac_version`. Items may be single, in a FeatureCollection or a list
    (`.json`, `.geojson`), one per line (`.ndjson`, `.jsonl`, `.geojsonl`), or rows of STAC GeoParquet.

    Raises:
        VadoseError: it is unreadable.
    """
    return list(_READERS[file.suffix.lower()](file))


def _whole(file: Path) -> Iterator[Item]:
    text = _bytes(file)
    try:
        return _items_of(_parsed(file, text))
    except Unreadable:
        if len(text.split(b"\n", 2)) > 1 and _starts_whole(text):
            return _items_of(_parsed_lines(file, text))
        raise


def _lines(file: Path) -> Iterator[Item]:
    return _items_of(_parsed_lines(file, _bytes(file)))


def _starts_whole(text: bytes) -> bool:
    """Return whether the first line is a complete object, as with one item per line."""
    line = text.lstrip().split(b"\n", 1)[0].rstrip()
    return line.startswith(b"{") and line.endswith(b"}")


def _bytes(file: Path) -> bytes:
    return read_bytes(file, _LARGEST_BYTES, f"{file}: reading JSON", _AGAIN)


def _parsed(file: Path, text: bytes) -> Any:
    return parse_json(text, f"{file}: reading JSON", _AGAIN, nan=True)


def _parsed_lines(file: Path, text: bytes) -> list[Any]:
    lines = (line.strip(b"\x1e \t\r") for line in text.split(b"\n"))
    return [_parsed(file, line) for line in lines if line]


def _items_of(content: Any) -> Iterator[Item]:
    """Yield the items in a decoded JSON file, at the top or in one collection."""
    if isinstance(content, list):
        for part in content:
            yield from _items_of(part) if isinstance(part, dict) else ()
    elif isinstance(content, dict):
        if content.get("type") == "FeatureCollection" and isinstance(content.get("features"), list):
            yield from (part for part in content["features"] if _is_item(part))
        elif _is_item(content):
            yield content


def _is_item(content: Any) -> bool:
    if not isinstance(content, dict) or content.get("type") not in ("Feature", None):
        return False
    return "stac_version" in content or isinstance(content.get("assets"), dict)


_TOP = ("id", "type", "stac_version", "stac_extensions", "collection", "links", "assets", "bbox", "geometry")


def _table(file: Path) -> Iterator[Item]:
    """Yield the items of a STAC GeoParquet file; none of another table."""
    try:
        columns = set(pq.read_schema(file).names)
        if not {"id", "assets", "geometry"} <= columns:
            return iter(())
        rows = pq.read_table(file).to_pylist()
        return iter([_item_of_row(row) for row in rows])
    except (OSError, pa.ArrowException, shapely.GEOSException, TypeError, ValueError) as error:
        raise VadoseError(f"{file}: reading Parquet", f"It is corrupt ({error})", _AGAIN) from error


def _item_of_row(row: Mapping[str, Any]) -> Item:
    item: dict[str, Any] = {"type": "Feature", **{name: row.get(name) for name in _TOP if name in row}}
    item["properties"] = {name: value for name, value in row.items() if name not in _TOP and value is not None}
    item["assets"] = {key: _without_nulls(asset) for key, asset in (row["assets"] or {}).items() if asset}
    box = row.get("bbox")
    if isinstance(box, dict):
        item["bbox"] = [box[key] for key in ("xmin", "ymin", "xmax", "ymax")]
    if isinstance(row.get("geometry"), bytes):
        item["geometry"] = shapely.geometry.mapping(shapely.from_wkb(row["geometry"]))
    return item


def _without_nulls(value: Any) -> Any:
    """Return a value without the null fields that other rows of its table have."""
    if isinstance(value, dict):
        return {key: _without_nulls(part) for key, part in value.items() if part is not None}
    return [_without_nulls(part) for part in value] if isinstance(value, list) else value


_READERS: Mapping[str, Callable[[Path], Iterator[Item]]] = (
    dict.fromkeys(_WHOLE, _whole) | dict.fromkeys(_LINES, _lines) | {".parquet": _table, ".geoparquet": _table}
)
