"""Windows of one scene, several items of one id in one archive: what is read of them is what the whole scene holds."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray

from real_archive import Layer, painted, write_item
from vadose.fusion import FeatureCube, HistorySpec, InputSpec, TemporalPolicy, build_features
from vadose.grid import AreaOfInterest, Period, enclosing_tile, tile_around
from vadose.mapping.inventory import inventory
from vadose.registry import SPECS
from vadose.sources import kept_scan, twins
from vadose.sources.archive import KEPT, ItemIndex
from vadose.sources.left_out import Unfit
from vadose.sources.records import SceneItem
from vadose.sources.scan import ArchiveScan
from vadose.sources.source import Source
from vadose.sources.stac import SCENE_BBOX, WINDOW, parse

CENTRE = tile_around(15.0, 45.14, 0)
CELLS, SIZE = 8, 8 * 320
WEST, NORTH = CENTRE.west * 320, CENTRE.north * 320
CORNERS = [(15.0 + east, 45.14 - south) for east in (0, 0.0285) for south in (0, 0.0202)]
TILE = enclosing_tile([tile_around(lon, lat, 0) for lon, lat in CORNERS])
AREA = AreaOfInterest.from_tile(TILE)
CRS = f"EPSG:{CENTRE.epsg}"
NOON = np.datetime64("2020-06-02T12:00", "ns")
YEAR = Period.parse("2020-01-01/2020-12-31")
CUTS = ((0, 0, 1900, 1730), (510, 890, 2050, 1670))
"""North to south and west to east, start and length in metres: two windows that overlap, edges within cells."""
RIM = 3
"""Pixels of 10 m at the edge of what the windows hold together: beyond it the whole scene has a neighbour more."""


def layer(step: int, values: NDArray[Any] | None = None, nodata: float | None = None, **of: Any) -> Layer:
    """A file of the scene in which no two pixels are alike, with gaps where it names a number for them."""
    size, grid = -(-SIZE // step), Affine(step, 0, WEST, 0, -step, NORTH)
    x, y = painted((size, size), grid)
    kind, base, scale = of.get("kind", np.float32), of.get("base", 0.0), of.get("scale", 1.0)
    held = base + scale * ((x - WEST) / SIZE + np.sin(y / 70) + np.sin(x * y / 9000) ** 2)
    if nodata is not None:
        held[np.sin(x / 90) * np.sin(y / 50) > 0.7] = nodata
    return Layer(held.astype(kind) if values is None else np.resize(values, (size, size)), CRS, grid, nodata)


Scene = tuple[str, dict[str, Layer], dict[str, Any]]
"""Collection, files and properties."""
SCENES: dict[str, Scene] = {
    "sentinel1": (
        "sentinel-1-rtc",
        {
            "vv": layer(10, nodata=-32768, base=0.3, scale=0.1),
            "vh": layer(10, nodata=-32768, base=0.03, scale=0.01),
            "incidence": layer(20, base=35, scale=3),
        },
        {"platform": "s1a", "sat:relative_orbit": 15},
    ),
    "sentinel2": (
        "sentinel-2-l2a",
        {
            "B04": layer(10, nodata=0, base=2000, scale=300, kind=np.uint16),
            "B11": layer(20, nodata=0, base=2500, scale=300, kind=np.uint16),
            "SCL": layer(20, np.array([4, 4, 5, 9, 4, 4, 6], np.uint8)),
        },
        {"platform": "s2a", "s2:processing_baseline": "05.10", "s2:generation_time": "2020-06-02T06:00:00Z"},
    ),
    "dem": ("cop-dem-glo-30", {"data": layer(30, base=300, scale=50)}, {}),
    "worldcover": ("esa-worldcover", {"map": layer(10, np.array([10, 50, 80, 40, 0, 50, 10], np.uint8))}, {}),
}
NAMES = {
    "sentinel1": ("vv", "vh", "incidence_angle"),
    "sentinel2": ("B04", "B11"),
    "dem": ("elevation",),
    "worldcover": ("built_up", "open_water"),
}


def cut(layer: Layer, place: tuple[int, int, int, int]) -> tuple[tuple[int, int, int, int], Layer]:
    """The pixels of a layer that a place in metres touches: row, column, rows and columns, and the file."""
    step, grid = layer.transform.a, layer.transform
    (top, bottom), (left, right) = (
        (int(place[axis] // step), int(-(-(place[axis] + place[axis + 2]) // step))) for axis in (0, 1)
    )
    values = layer.values[top:bottom, left:right]
    moved = grid @ Affine.translation(left, top)
    return (top, left, *values.shape), Layer(values, layer.crs, moved, layer.nodata)


def write_window(archive: Path, of: str | Scene, place: tuple[int, int, int, int], where: str, **told: Any) -> Path:
    """Write a window of a scene as an archive holds it: own box and grids, files beside the JSON."""
    collection, layers, properties = SCENES[of] if isinstance(of, str) else of
    parts = {key: cut(layer, place) for key, layer in layers.items()}
    first = next(iter(parts.values()))
    fields = {
        key: {"proj:shape": list(part.values.shape), "proj:transform": list(part.transform)[:6]}
        for key, (_, part) in parts.items()
    }
    name = told.pop("id", "scene")
    told = {WINDOW: list(first[0])} | properties | told
    written = {key: part for key, (_, part) in parts.items()}
    return write_item(archive / where, collection, name, "2020-06-02T05:00:00Z", written, told, fields)


def write_whole(archive: Path, source: str, **told: Any) -> Path:
    collection, layers, properties = SCENES[source]
    return write_item(archive, collection, "scene", "2020-06-02T05:00:00Z", layers, properties | told)


def opened(archive: Path, source: str) -> Source:
    return SPECS[source].open(archive)  # type: ignore[no-any-return]


def features(archive: Path, source: str, needs: InputSpec | None = None) -> FeatureCube:
    return build_features([opened(archive, source)], TILE, NOON, needs or spec(source))


def spec(source: str) -> InputSpec:
    dated = source.startswith("sentinel")
    history = HistorySpec(NAMES[source], 2, 2.0) if dated else HistorySpec()
    return InputSpec(pixels=NAMES[source] if dated else (), cells=NAMES[source], history=history)


def held_by(places: tuple[tuple[int, int, int, int], ...], rim: int = RIM) -> NDArray[np.bool_]:
    """Pixels of the tile that some windows hold together, without their rim."""
    held = np.zeros((SIZE // 10, SIZE // 10), bool)
    for top, left, height, width in places:
        held[top // 10 : (top + height) // 10, left // 10 : (left + width) // 10] = True
    padded = np.pad(held, rim)
    sides = range(2 * rim + 1)
    moved = [padded[i : i + held.shape[0], j : j + held.shape[1]] for i in sides for j in sides]
    return np.asarray(np.logical_and.reduce(moved))


def as_cells(held: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cells of the tile of which every pixel is held."""
    return np.asarray(held.reshape(CELLS, 32, CELLS, 32).all(axis=(1, 3)))


def assert_same(windows: FeatureCube, whole: FeatureCube, held: NDArray[np.bool_]) -> None:
    cells = as_cells(held)
    assert cells.sum() > 3, "there are cells to compare"
    for name in whole.pixels:
        np.testing.assert_array_equal(windows.pixels[name].values[held], whole.pixels[name].values[held])
        assert np.isfinite(whole.pixels[name].values[held]).any()
    for name in whole.cells:
        np.testing.assert_array_equal(windows.cells[name].values[cells], whole.cells[name].values[cells])
        assert np.isfinite(whole.cells[name].values[cells]).any()
    for name in whole.history:
        np.testing.assert_array_equal(windows.history[name].values[:, cells], whole.history[name].values[:, cells])


def test_the_tile_is_the_scene() -> None:
    assert (TILE.west * 320, TILE.north * 320, TILE.rows, TILE.columns) == (WEST, NORTH, CELLS, CELLS)


@pytest.mark.parametrize("source", SCENES)
def test_windows_that_overlap_give_what_the_scene_gives(tmp_path: Path, source: str) -> None:
    write_whole(tmp_path / "whole", source)
    for number, place in enumerate(CUTS):
        write_window(tmp_path / "windows", source, place, f"w{number}")
    whole, windows = features(tmp_path / "whole", source), features(tmp_path / "windows", source)
    assert_same(windows, whole, held_by(CUTS))
    assert windows.items == whole.items


@pytest.mark.parametrize("source", SCENES)
def test_each_window_gives_its_own_cells(tmp_path: Path, source: str) -> None:
    write_whole(tmp_path / "whole", source)
    for number, place in enumerate(CUTS):
        write_window(tmp_path / str(number), source, place, "one")
        assert_same(features(tmp_path / str(number), source), features(tmp_path / "whole", source), held_by((place,)))


def test_a_window_beside_the_scene_that_it_is_of_changes_nothing(tmp_path: Path) -> None:
    write_whole(tmp_path / "whole", "sentinel2")
    write_whole(tmp_path / "both", "sentinel2")
    write_window(tmp_path / "both", "sentinel2", CUTS[0], "w")
    assert_same(
        features(tmp_path / "both", "sentinel2"),
        features(tmp_path / "whole", "sentinel2"),
        held_by(((0, 0, SIZE, SIZE),)),
    )


@pytest.mark.parametrize("source", SCENES)
def test_a_scene_in_windows_is_read_and_named_once(tmp_path: Path, source: str) -> None:
    sizes = 0
    for number, place in enumerate(CUTS):
        file = write_window(tmp_path, source, place, f"w{number}")
        sizes += sum(raster.stat().st_size for raster in file.parent.glob("*.tif"))
    reader = opened(tmp_path, source)
    datasets = reader.open(AREA, YEAR)
    grids = {(tuple(one.data_vars), float(one["x"].values[1] - one["x"].values[0])) for one in datasets}
    assert len(datasets) == len(grids), "one dataset for each native grid"
    held = inventory([reader], AREA, [NOON], spec(source), TemporalPolicy())
    assert [(one.name, one.size) for one in held] == [("scene", sizes)]
    assert reader.index.left_out == ()  # type: ignore[attr-defined]


def test_two_items_of_one_window_that_differ_are_refused_by_name(tmp_path: Path) -> None:
    write_window(tmp_path, "dem", CUTS[0], "a")
    file = write_window(tmp_path, "dem", CUTS[0], "b")
    item = json.loads(file.read_text())
    item["bbox"][2] += 0.001
    file.write_text(json.dumps(item))
    reader = opened(tmp_path, "dem")
    assert [one.kind for one in reader.index.left_out] == ["same id, another item"]  # type: ignore[attr-defined]


def test_the_kept_index_knows_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_scan, "FEWEST", 1)
    monkeypatch.setattr("vadose.sources.scan._SETTLED_NS", -(10**12))
    for number, place in enumerate(CUTS):
        write_window(tmp_path, "sentinel1", place, f"w{number}")
    first, again = (sorted(str(found.item) for _, found in ArchiveScan.of(tmp_path).items()) for _ in range(2))
    assert (tmp_path / kept_scan.NAME).is_file()
    assert first == again and len(set(first)) == 2
    kept = kept_scan.read(tmp_path)
    windows = {found.item.window for file in kept.values() for found in file.items if found.item}
    assert windows == {(0, 0, 190, 173), (51, 89, 205, 167)}


@pytest.mark.parametrize("stated", [[0, 0, 5], [0, 0, 0, 5], [-1, 0, 5, 5], "0 0 5 5", 7, [0, 0, None, 5]])
def test_a_window_that_is_none_is_refused(tmp_path: Path, stated: Any) -> None:
    item = json.loads(write_window(tmp_path, "dem", CUTS[0], "a", **{WINDOW: stated}).read_text())
    with pytest.raises(Unfit, match="not a whole STAC item"):
        parse(item)


MADE = "s2:generation_time"
FIRST, AGAIN = "2020-06-02", "2021-01-01"
NEW = (700, 400, 900, 1200)
IDS = {"one id": ({}, {}), "ids of their own": ({"id": "old"}, {"id": "new"})}
"""Words of an older and of a newer processing, besides the time at which it was made."""


def write_processed(archive: Path, place: tuple[int, int, int, int], when: str, shift: int, **told: Any) -> None:
    """Write a window of the Sentinel-2 scene as it was processed on some day, its numbers raised by a shift."""
    collection, layers, properties = SCENES["sentinel2"]
    moved = {
        key: Layer(np.where(one.values > 0, one.values + (shift if key != "SCL" else 0), 0), one.crs, one.transform)
        for key, one in layers.items()
    }
    scene = {SCENE_BBOX: list(AREA.geometry.bounds), MADE: f"{when}T00:00:00Z"}
    write_window(archive, (collection, moved, properties | scene), place, f"{when}_{place[0]}_{place[1]}", **told)


def known_at(archive: Path, as_of: str | None) -> FeatureCube:
    moment = None if as_of is None else np.datetime64(as_of, "ns")
    return build_features([opened(archive, "sentinel2")], TILE, NOON, spec("sentinel2"), as_of=moment)


@pytest.mark.parametrize("ids", IDS)
def test_where_windows_of_two_processings_overlap_the_newer_counts_alone(tmp_path: Path, ids: str) -> None:
    write_whole(tmp_path / "whole", "sentinel2")
    older, newer = IDS[ids]
    for place in CUTS:
        write_processed(tmp_path / "windows", place, FIRST, 0, **older)
    write_processed(tmp_path / "windows", NEW, AGAIN, 1000, **newer)
    whole, now = features(tmp_path / "whole", "sentinel2"), known_at(tmp_path / "windows", None)
    assert_same(known_at(tmp_path / "windows", "2020-06-05"), whole, held_by(CUTS))
    inside, held = held_by((NEW,), 0), held_by(CUTS)
    within, beyond = as_cells(inside), as_cells(held & ~inside)
    for name in NAMES["sentinel2"]:
        found, expected = now.pixels[name].values, whole.pixels[name].values
        np.testing.assert_allclose(found[inside], expected[inside] + np.float32(0.1), atol=1e-6)
        np.testing.assert_array_equal(found[held & ~inside], expected[held & ~inside])
        after, before = now.history[name].values[0], whole.history[name].values[0]
        assert np.isfinite(before[within]).any() and np.isfinite(before[beyond]).any()
        np.testing.assert_allclose(after[within], before[within] + np.float32(0.1), atol=1e-6)
        np.testing.assert_array_equal(after[beyond], before[beyond])


def test_a_window_that_newer_ones_cover_together_is_replaced(tmp_path: Path) -> None:
    write_processed(tmp_path, (640, 640, 640, 640), FIRST, 0)
    for west in (400, 940):
        write_processed(tmp_path, (320, west, 1280, 640), AGAIN, 1000)
    reader = opened(tmp_path, "sentinel2")
    assert [(one.name, one.kind) for one in reader.index.left_out] == [("scene", KEPT)]  # type: ignore[attr-defined]
    values = [float(known_at(tmp_path, when).cells["B04"].values[3, 3]) for when in ("2020-06-05", None)]
    assert values[1] - values[0] == pytest.approx(0.1, abs=1e-6)


def test_provenance_names_what_counts_in_the_area(tmp_path: Path) -> None:
    write_processed(tmp_path, CUTS[0], FIRST, 0, id="old")
    write_processed(tmp_path, NEW, AGAIN, 1000, id="new")
    reader = opened(tmp_path, "sentinel2")
    inner = AreaOfInterest.from_tile(tile_around(15.0 + 0.01, 45.14 - 0.008, 0))
    named = [
        [one.name for one in inventory([reader], area, [NOON], spec("sentinel2"), TemporalPolicy(), as_of)]
        for area in (AREA, inner)
        for as_of in (None, np.datetime64("2020-06-05", "ns"))
    ]
    assert named == [["new", "old"], ["old"], ["new"], ["old"]]


def test_of_static_windows_the_newer_counts_where_both_are(tmp_path: Path) -> None:
    collection, layers, properties = SCENES["dem"]
    higher = {key: Layer(one.values + 100, one.crs, one.transform) for key, one in layers.items()}
    write_window(tmp_path / "two", "dem", CUTS[0], "old", updated="2021-01-01T00:00:00Z")
    write_window(tmp_path / "two", (collection, higher, properties), NEW, "new", updated="2022-01-01T00:00:00Z")
    write_whole(tmp_path / "whole", "dem")
    whole, now = features(tmp_path / "whole", "dem"), features(tmp_path / "two", "dem")
    inside = as_cells(held_by((NEW,)))
    assert inside.any()
    np.testing.assert_allclose(now.cells["elevation"].values[inside], whole.cells["elevation"].values[inside] + 100)


def test_windows_of_neighbouring_tiles_replace_nothing(tmp_path: Path) -> None:
    west, south, east, north = AREA.geometry.bounds
    for name, box, when in (
        ("a", [west, south, east, north], FIRST),
        ("b", [east - 0.01, south, east + 1, north], AGAIN),
    ):
        write_processed(tmp_path, NEW, when, 0, id=name, **{SCENE_BBOX: box})
    reader = opened(tmp_path, "sentinel2")
    assert {record.id for record in reader.index.find(AREA, YEAR)} == {"a", "b"}  # type: ignore[attr-defined]
    assert reader.index.left_out == ()  # type: ignore[attr-defined]


def test_windows_of_many_places_are_compared_with_those_that_they_overlap_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = json.loads(write_window(tmp_path / "one", "sentinel2", CUTS[0], "w").read_text())
    west, south, east, north = item["bbox"]
    items = []
    for number in range(200):
        lon, lat = 1.5 * (number // 2 % 20), 0.8 * (number // 40)
        moved = {"bbox": [west - lon, south - lat, east - lon, north - lat], "id": f"scene {number // 10}"}
        items.append(item | moved | {"properties": item["properties"] | {WINDOW: [number, 0, 10, 10]}})
    (tmp_path / "many").mkdir()
    (tmp_path / "many" / "items.json").write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    compared = list[tuple[SceneItem, SceneItem]]()

    def are_twins(one: SceneItem, other: SceneItem) -> bool:
        compared.append((one, other))
        return twins.are_twins(one, other)

    monkeypatch.setattr("vadose.sources.archive.are_twins", are_twins)
    assert len(ItemIndex.of(tmp_path / "many", "sentinel-2-l2a").records) == 200
    assert len(compared) == 100, "two windows at each place"


@pytest.mark.parametrize("source", ["sentinel1", "sentinel2"])
def test_a_window_within_another_one_is_not_read(tmp_path, source):
    for archive in ("one", "both"):
        write_window(tmp_path / archive, source, CUTS[0], "large")
    write_window(tmp_path / "both", source, (320, 320, 640, 640), "small")
    alone, both = (opened(tmp_path / archive, source).open(AREA, YEAR) for archive in ("one", "both"))
    for one, other in zip(alone, both, strict=True):
        assert one.identical(other)
        assert len(one.__dask_graph__()) == len(other.__dask_graph__())
