"""The maps that a server knows, by identifiers; paths are never taken from a request."""

import hashlib
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import shapely
import shapely.geometry
import xarray as xr

from vadose.errors import VadoseError
from vadose.grid import CELL_M, Tile, bbox_of, nanosecond, polygons_of, within_degrees
from vadose.io.files import read_json
from vadose.maps.layers import AGE
from vadose.maps.opening import DAILY, open_maps
from vadose.maps.stac import COLLECTION
from vadose.serving.limits import RequestError

ID = r"[a-z0-9][a-z0-9._-]{0,79}"
"""Pattern of the identifier of a map."""
ITEM_ID = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
"""Pattern of the identifier of an item."""
_CHECK_SECONDS = 2.0
_AGE_BANDS = "age"
NOTICE = "SIMULATED"
"""First word of the notice of maps of a simulated Earth."""


@dataclass(frozen=True, eq=False)
class MapItem:
    """One time of a map in one zone.

    Attributes:
        id: identifier of the STAC item.
        time: time of the map, UTC.
        grid: its cells.
        assets: files by the key of their asset.
        ages: sources of the bands of the ages' file.
        cube: lazy layers of a map without GeoTIFFs, (time, y, x).
        content: STAC item.
    """

    id: str
    time: np.datetime64
    grid: Tile
    assets: Mapping[str, Path]
    ages: tuple[str, ...]
    cube: xr.Dataset | None
    content: Mapping[str, Any]

    @cached_property
    def outline(self) -> shapely.Geometry:
        """Outline in degrees."""
        return shapely.geometry.shape(self.content["geometry"])


@dataclass(frozen=True, eq=False)
class ServedMap:
    """A finished map.

    Attributes:
        id: identifier in addresses.
        folder: folder or cube of the map.
        title, notice: texts; the notice is empty for a map of the Earth.
        items: by time and zone.
        version: mark that changes with the files.
    """

    id: str
    folder: Path
    title: str
    notice: str
    items: Mapping[tuple[np.datetime64, int], MapItem]
    version: str

    @cached_property
    def times(self) -> tuple[np.datetime64, ...]:
        """Times, in order."""
        return tuple(sorted({moment for moment, _ in self.items}))

    @cached_property
    def grids(self) -> Mapping[int, Tile]:
        """Cells by zone."""
        return {epsg: item.grid for (_, epsg), item in sorted(self.items.items())}

    @cached_property
    def by_id(self) -> Mapping[str, MapItem]:
        """Items by identifier, in the order of time."""
        return {item.id: item for _, item in sorted(self.items.items())}

    @cached_property
    def ages(self) -> tuple[str, ...]:
        """Sources whose ages are known."""
        return tuple(dict.fromkeys(source for item in self.items.values() for source in item.ages))

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers of a time."""
        return ("soil_moisture", "soil_moisture_std", "quality", *(AGE + source for source in self.ages))

    @cached_property
    def bbox(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees."""
        return bbox_of(shapely.union_all(list(self.outlines.values())))

    @cached_property
    def outlines(self) -> Mapping[int, shapely.Geometry]:
        """Outlines in degrees, by zone."""
        some = {epsg: item for (_, epsg), item in self.items.items()}
        return {epsg: item.outline for epsg, item in some.items()}

    def time_of(self, text: str | None) -> np.datetime64:
        """Return a time of the map by its text; the last for None.

        Raises:
            RequestError: it is no time (400), or the map has none such (404).
        """
        if text is None:
            return self.times[-1]
        moment = parse_time(text)
        if moment not in self.times:
            last = time_text(self.times[-1])
            raise RequestError(
                404, f"serve: {self.id} at {time_text(moment)}", "The map has no such time", f"The last is {last}"
            )
        return moment

    def times_in(self, text: str | None) -> tuple[np.datetime64, ...]:
        """Return the times of an instant or an interval, such as 2021-06-01/2021-06-30 or ../2021-06-30.

        Raises:
            RequestError: it is neither (400), or no time is within (404).
        """
        first, last = interval(text)
        held = tuple(moment for moment in self.times if first <= moment <= last)
        if not held:
            span = f"{time_text(self.times[0])}/{time_text(self.times[-1])}"
            raise RequestError(404, f"serve: {self.id} in '{text}'", "The map has no time in it", f"It spans {span}")
        return held


def parse_time(text: str, last_of_day: bool = False) -> np.datetime64:
    """Return a time; of a day its start or end.

    Raises:
        RequestError: it is no time (400).
    """
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|\+00:00)?)?", text):
        raise RequestError(400, "serve: a time", "It is not ISO 8601 in UTC", "Write 2021-06-10T18:00:00Z")
    try:
        moment = nanosecond(text.removesuffix("Z").removesuffix("+00:00"), "serve: a time")
    except ValueError as error:
        raise RequestError(400, "serve: a time", "There is no such time", "Write 2021-06-10T18:00:00Z") from error
    return moment + np.timedelta64(86_399, "s") if last_of_day and "T" not in text else moment


def interval(text: str | None) -> tuple[np.datetime64, np.datetime64]:
    """Return first and last time of an instant or an interval, both included; everything for None.

    Raises:
        RequestError: it is neither (400).
    """
    opened = (np.datetime64("1678-01-01", "ns"), np.datetime64("2261-12-31", "ns"))
    if not text:
        return opened
    first, slash, last = text.partition("/")
    if not slash:
        return parse_time(first), parse_time(first, last_of_day=True)
    start = opened[0] if first in {"", ".."} else parse_time(first)
    end = opened[1] if last in {"", ".."} else parse_time(last, last_of_day=True)
    if end < start:
        raise RequestError(400, "serve: an interval", "It ends before it starts", "Swap the two")
    return start, end


def time_text(moment: np.datetime64) -> str:
    """Return a time as ISO 8601, to the second."""
    return f"{np.datetime_as_string(moment, 's')}Z"


@dataclass(eq=False)
class Catalogue:
    """The maps of a server; a map is read again when its files have changed.

    Args:
        paths: folders of maps, of daily maps, or cubes.

    Raises:
        VadoseError: one of them is no map.
    """

    paths: Sequence[Path]
    _held: dict[str, tuple[Path, float, ServedMap]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        for path in self.paths:
            served = read_served(path, taken=self._held)
            self._held[served.id] = (path, time.monotonic(), served)

    @property
    def maps(self) -> tuple[ServedMap, ...]:
        """All maps."""
        return tuple(self[name] for name in list(self._held))

    def is_fresh(self) -> bool:
        """Return whether no map is due to be compared with its files."""
        now = time.monotonic()
        return all(now - checked < _CHECK_SECONDS for _, checked, _ in list(self._held.values()))

    def __getitem__(self, name: str) -> ServedMap:
        """Return a map by its identifier.

        Raises:
            RequestError: there is none such (404).
        """
        if name not in self._held:
            known = ", ".join(self._held)
            raise RequestError(404, "serve: a map", "There is no map of this identifier", f"There are {known}")
        path, checked, served = self._held[name]
        if time.monotonic() - checked < _CHECK_SECONDS:
            return served
        with self._lock:
            if _version(path) != served.version:
                served = read_served(path, name)
            self._held[name] = (path, time.monotonic(), served)
        return served


def read_served(path: Path, name: str = "", taken: Mapping[str, object] | None = None) -> ServedMap:
    """Read the index of a map: its STAC items, without its rasters.

    Args:
        path: folder of a map or of daily maps, or a cube.
        name: identifier; by default that of the collection.
        taken: identifiers that others have.

    Raises:
        VadoseError: it is no map, or its times are on different grids.
    """
    version = _version(path)
    folders = sorted(path.glob("[!.]*/")) if (path / DAILY).is_file() else [path]
    items = [item for folder in folders for item in _items(folder)]
    if not items:
        items = list(_cube_items(path))
    held = {(item.time, item.grid.epsg): item for item in items}
    grids = {(item.grid.epsg, item.grid) for item in items}
    if len(grids) > len({epsg for epsg, _ in grids}):
        raise VadoseError(f"serve: {path}", "Its times are on different grids", "Serve maps of one area together")
    title, identifier, notice = _texts(path, folders[-1], items[-1])
    unique = name or _free(identifier, taken or {})
    return ServedMap(unique, path, title, notice, held, version)


def _version(path: Path) -> str:
    """Return a mark of the files of a map."""
    marks = [mark for mark in (path / DAILY, path / COLLECTION) if mark.is_file()]
    marks = marks or sorted(path.glob("soil_moisture_*")) or [path]
    stated = [(mark.name, mark.stat().st_mtime_ns) for mark in marks if mark.exists()]
    return hashlib.sha256(json.dumps([str(path.absolute()), stated]).encode()).hexdigest()[:16]


def _items(folder: Path) -> Iterator[MapItem]:
    """Yield the items that the collection of a folder links."""
    if not (folder / COLLECTION).is_file():
        return
    collection = read_json(folder / COLLECTION, f"serve: {folder / COLLECTION}", "Run the map again")
    for link in collection.get("links", []):
        if link.get("rel") != "item":
            continue
        file = folder / Path(str(link.get("href"))).name
        content = read_json(file, f"serve: {file}", "Run the map again")
        try:
            yield _item(folder, content)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise VadoseError(f"serve: {file}", f"It is no item of a map ({error!r})", "Run the map again") from error


def _item(folder: Path, content: Mapping[str, Any]) -> MapItem:
    properties, assets = content["properties"], content["assets"]
    rows, columns = (int(size) for size in properties["proj:shape"])
    transform = properties["proj:transform"]
    grid = Tile(int(properties["proj:code"].removeprefix("EPSG:")), *_corner(transform[2], transform[5]), columns, rows)
    files = {str(key): folder / Path(asset["href"]).name for key, asset in assets.items()}
    inside = {key: file for key, file in files.items() if file.is_file() and file.resolve().parent == folder.resolve()}
    if "soil_moisture" not in inside or "quality" not in inside:
        raise ValueError("its files are missing")
    if not re.fullmatch(ITEM_ID, content["id"]):
        raise ValueError("its identifier")
    ages = tuple(str(band["name"]) for band in assets.get(_AGE_BANDS, {}).get("bands", []))
    moment = nanosecond(properties["datetime"].removesuffix("Z"), f"serve: {folder}")
    return MapItem(str(content["id"]), moment, grid, inside, ages, None, content)


def _cube_items(path: Path) -> Iterator[MapItem]:
    """Yield the items of a map that has only cubes."""
    for epsg, cube in open_maps(path).items():
        west, north = (float(cube[axis].values[0]) + side * CELL_M / 2 for axis, side in (("x", -1), ("y", 1)))
        grid = Tile(epsg, *_corner(west, north), cube.sizes["x"], cube.sizes["y"])
        ages = tuple(str(name).removeprefix(AGE) for name in cube.data_vars if str(name).startswith(AGE))
        outline = _outline(grid)
        geometry = {"geometry": shapely.geometry.mapping(outline), "bbox": list(bbox_of(outline))}
        for moment in cube["time"].values:
            text = time_text(moment)
            name = f"soil_moisture_{text[:-1].replace('-', '').replace(':', '')}_{epsg}"
            properties = {
                "datetime": text,
                "proj:code": f"EPSG:{epsg}",
                "proj:shape": [grid.rows, grid.columns],
                "proj:transform": list(grid.cells.affine)[:6],
                "gsd": CELL_M,
            }
            content = {
                "type": "Feature",
                "stac_version": "1.1.0",
                "stac_extensions": ["https://stac-extensions.github.io/projection/v2.0.0/schema.json"],
                "id": name,
                **geometry,
                "properties": properties,
                "links": [],
                "assets": {},
            }
            yield MapItem(name, nanosecond(moment), grid, {}, ages, cube, content)


def _corner(west: float, north: float) -> tuple[int, int]:
    """Return the upper left corner in cells, given in metres."""
    if west % CELL_M or north % CELL_M:
        raise ValueError(f"a corner at {west:g} E {north:g} N, between the cells")
    return round(west / CELL_M), round(north / CELL_M)


def _outline(grid: Tile) -> shapely.Geometry:
    whole = shapely.geometry.shape(grid.cells.geographic_extent.json)
    return shapely.union_all([within_degrees(part) for part in polygons_of(whole)])


def _texts(path: Path, folder: Path, item: MapItem) -> tuple[str, str, str]:
    """Return title, identifier and notice of a map."""
    collection = read_json(folder / COLLECTION) if (folder / COLLECTION).is_file() else {}
    title = str(collection.get("title") or f"Soil moisture of {path.stem}")
    description = str(collection.get("description", ""))
    at = description.find(NOTICE)
    notice = description[at:] if at >= 0 else ""
    if item.cube is not None:
        notice = str(item.cube.attrs.get("comment") or item.cube.attrs.get("notice") or notice)
    slug = re.sub(r"[^a-z0-9]+", "-", title.removeprefix("Soil moisture of ").lower()).strip("-")[:60]
    return title, slug or "map", notice


def _free(name: str, taken: Mapping[str, object]) -> str:
    numbered = (f"{name}-{number}" if number > 1 else name for number in range(1, len(taken) + 2))
    return next(one for one in numbered if one not in taken)
