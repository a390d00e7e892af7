"""The choice of sparse history: by metadata alone, for each cell by its own position, and as catalogues fetch it."""

from collections.abc import Sequence

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyproj import CRS

from vadose.fusion import HistorySpec
from vadose.fusion.publication import Publication
from vadose.fusion.regrid import centres
from vadose.fusion.scene import Scene
from vadose.fusion.sparse import Candidate, SparseSource, interval_of, needed, since_interval
from vadose.grid import Period, Tile
from vadose.sources.layers import Layers
from vadose.sources.raster import Grid
from vadose.sources.window import Window
from vadose.variables import VV

TILE = Tile(32632, 1600, 19_200, 6, 6)
DAY = np.timedelta64(1, "D")
START = np.datetime64("2021-06-01", "ns")
NEVER = np.datetime64("NaT", "ns")
HISTORY = HistorySpec(("vv",), 3, 5.0, 160.0)


def ground(west: float = 0.0, east: float = 6.0) -> shapely.Geometry:
    """Some columns of the tile, and far beyond it to the north and south, degrees."""
    lon, _ = centres(TILE.cells, "EPSG:4326")
    step = float(np.diff(lon[0]).mean())
    first = float(lon[0, 0]) - step / 2
    return shapely.box(first + step * west, 50, first + step * east, 60)


def scene(one: Candidate, value: float) -> Scene:
    """A scene that has one value on all of the tile."""
    cells = TILE.cells.pad(2)
    grid, (height, width) = Grid(CRS.from_epsg(TILE.epsg).to_wkt(), cells.affine, *cells.shape), cells.shape
    attrs = {"cloud_cover": one.cloud_cover, "footprint": bytes(shapely.to_wkb(one.footprint))}

    def read(window: Window, names: Sequence[str]) -> list[NDArray[np.float32]]:
        return [np.full(window.shape, value, np.float32) for _ in names]

    layers = Layers(grid, Window(0, height, 0, width), (VV,), read, one.time, attrs=attrs)
    return Scene(one.name, one.time, (layers,), "", Publication(np.asarray(one.since), np.asarray(one.until)))


def source(candidates: list[Candidate]) -> SparseSource:
    scenes = tuple(scene(one, number + 1.0) for number, one in enumerate(candidates))
    return SparseSource(scenes, (VV,), TILE, HISTORY.step_days)


def one(name: str, day: float, cloud: float = 100.0, west: float = 0.0, east: float = 6.0, **more) -> Candidate:
    return Candidate(name, START + np.timedelta64(round(day * 24), "h"), cloud, ground(west, east), **more)


@pytest.mark.parametrize(
    ("candidates", "chosen"),
    [
        ([one("a", 1, 50), one("b", 2, 10), one("c", 3, 20)], "b"),
        ([one("a", 1), one("b", 2), one("c", 3)], "c"),
        ([one("b", 2, 10), one("a", 2, 10)], "a"),
        ([one("a", 1, 0), one("b", 2, 100)], "a"),
    ],
    ids=["least cloud", "latest", "first by name", "unknown is cloudy"],
)
def test_one_scene_is_read_of_an_interval(candidates, chosen):
    time = START + 3 * DAY + np.timedelta64(1, "h")
    assert source(candidates).items(time, HISTORY, None) == {chosen}


def test_each_cell_has_the_preferred_one_of_those_that_saw_it():
    found = source([one("a", 1, 10, 0, 3), one("b", 2, 20, 2, 6), one("c", 3, 30, 0, 6)])
    values = found.lags("vv", START + 3 * DAY + np.timedelta64(1, "h"), HISTORY, None)[0]
    np.testing.assert_array_equal(values, np.tile([1, 1, 1, 2, 2, 2], (6, 1)))


def test_a_later_estimate_keeps_the_scenes_of_past_intervals():
    """The maps of two days read the same scenes, though the ages of these are others."""
    candidates = [one(f"{number:02}", 0.9 * number, (37 * number) % 100) for number in range(20)]
    held = [source(candidates).items(START + day * DAY, HISTORY, None) for day in (16, 17)]
    complete = {item for item in held[0] if candidates[int(item)].time < START + 12 * DAY}
    kept = {item for item in complete if candidates[int(item)].time > START + 3 * DAY}
    assert kept and kept <= held[1]


def test_what_was_not_published_yet_is_not_chosen():
    late = one("b", 2, 10, since=START + 9 * DAY)
    candidates = [one("a", 1, 50, until=START + 20 * DAY), late]
    time = START + 3 * DAY
    assert source(candidates).items(time, HISTORY, START + 8 * DAY) == {"a"}
    assert source(candidates).items(time, HISTORY, START + 9 * DAY) == {"b"}


def test_a_period_begins_with_an_interval():
    period = Period(START + 7 * DAY, START + 8 * DAY)
    found = since_interval(period, HISTORY)
    assert found.end == period.end
    assert interval_of(found.start, 5.0) == interval_of(period.start - 15 * DAY, 5.0)
    assert interval_of(found.start - np.timedelta64(1, "ns"), 5.0) < interval_of(found.start, 5.0)


SCENES = st.lists(
    st.tuples(
        st.floats(0, 24), st.integers(0, 4), st.integers(0, 5), st.integers(1, 6), st.floats(0, 9), st.floats(1, 30)
    ),
    min_size=1,
    max_size=7,
)


@settings(max_examples=30, deadline=None)
@given(scenes=SCENES, day=st.integers(8, 20), length=st.integers(1, 6), causal=st.booleans())
def test_what_is_fetched_suffices_for_every_cell_and_time(scenes, day, length, causal):
    candidates = [
        one(
            str(number),
            when,
            10.0 * cloud,
            west,
            min(west + wide, 6),
            since=START + np.timedelta64(round((when + late) * 24), "h"),
            until=START + np.timedelta64(round((when + late + life) * 24), "h") if number % 2 else NEVER,
        )
        for number, (when, cloud, west, wide, late, life) in enumerate(scenes)
    ]
    period = Period(START + day * DAY, START + (day + length) * DAY)

    def known_at(time: np.datetime64) -> np.datetime64 | None:
        return time if causal else None

    fetched = needed(candidates, ground(), period, HISTORY, known_at)
    whole, part = source(candidates), source([candidates[number] for number in sorted(fetched)])
    names = {candidates[number].name for number in fetched}
    for hours in range(0, 24 * length, 7):
        time = period.start + np.timedelta64(hours, "h")
        read_of = whole.items(time, HISTORY, known_at(time))
        assert read_of <= names
        assert part.items(time, HISTORY, known_at(time)) == read_of
