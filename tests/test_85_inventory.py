"""What a map is said to be made from: what a moment reads, and no more."""

from pathlib import Path

import numpy as np
import pytest

from test_20_sources_smap import write as smap_granule
from vadose.fusion import HistorySpec, InputSpec, TemporalPolicy
from vadose.grid import AreaOfInterest
from vadose.mapping.inventory import inventory
from vadose.sources.gldas import Gldas
from vadose.sources.smap import Smap, smap_surface

AREA = AreaOfInterest.from_bbox(-0.5, 41.3, -0.3, 41.5, "ebro")
NOON = np.datetime64("2021-06-10T12:00", "ns")
MAIN, EARLY = "GLDAS_NOAH025_3H.A20210610.{}.021.nc4", "GLDAS_NOAH025_3H_EP.A20210610.{}.021.nc4"
FINE, COARSE = "SMAP_L3_SM_P_E_{}_R19240_001.h5", "SMAP_L3_SM_P_{}_R19240_001.h5"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An archive of names; of SMAP one day is there in both resolutions, and the finer one is opened."""
    for name in (MAIN.format("0300"), EARLY.format("0300"), EARLY.format("0900"), EARLY.format("1500")):
        (tmp_path / name).touch()
    smap_granule(tmp_path, "9km", day="2021-06-09")
    for name in (
        COARSE.format("20210609"),
        COARSE.format("20210610"),
        COARSE.format("20210501"),
    ):
        (tmp_path / name).touch()
    return tmp_path


def names(archive, source, needs, as_of=None, windows=None, moments=(NOON,)):
    return [held.name for held in inventory([source], AREA, moments, needs, windows or TemporalPolicy(), as_of)]


def days_later(days):
    return NOON + np.timedelta64(round(days * 24), "h")


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        (None, [MAIN.format("0300"), EARLY.format("0900")]),
        (44, []),
        (60, [EARLY.format("0300"), EARLY.format("0900")]),
        (130, [MAIN.format("0300"), EARLY.format("0900")]),
    ],
)
def test_granules_are_those_of_the_stream_that_was_there(archive, as_of, expected):
    when = None if as_of is None else days_later(as_of)
    assert names(archive, Gldas(archive), InputSpec(cells=("gldas",)), when) == expected


def test_causal_windows_hold_for_every_moment(archive):
    windows = TemporalPolicy({"gldas": 200.0}, causal=True)
    asked = {"needs": InputSpec(cells=("gldas",)), "windows": windows}
    early = [EARLY.format(clock) for clock in ("0300", "0900", "1500")]
    assert names(archive, Gldas(archive), **asked) == []
    assert names(archive, Gldas(archive), **asked, moments=(days_later(50),)) == early
    both = names(archive, Gldas(archive), **asked, moments=(days_later(50), days_later(130)))
    assert both == [MAIN.format("0300"), *early]


@pytest.mark.parametrize("source", [Smap, smap_surface])
def test_a_day_of_smap_is_its_finest_granule(archive, source):
    source = source(archive)
    needs = InputSpec(cells=(source.variables[0].name,))
    assert names(archive, source, needs) == [COARSE.format("20210610"), FINE.format("20210609")]
    assert names(archive, source, needs, days_later(1)) == [FINE.format("20210609")]
    assert names(archive, source, needs, days_later(-2)) == []


def test_a_history_looks_back(archive):
    needs = InputSpec(cells=("smap",), history=HistorySpec(("smap",), 50, 1.0))
    assert COARSE.format("20210501") in names(archive, Smap(archive), needs)


def test_a_damaged_finer_granule_takes_no_place(archive):
    (archive / FINE.format("20210609")).write_bytes(b"damaged")
    found = names(archive, Smap(archive), InputSpec(cells=("smap",)))
    assert found == [COARSE.format("20210609"), COARSE.format("20210610")]


def test_granules_of_the_days_beside_are_listed(tmp_path):
    """A granule may hold observations two hours beyond its day."""
    (tmp_path / COARSE.format("20210611")).touch()
    late = NOON.astype("datetime64[D]").astype("datetime64[ns]") + np.timedelta64(23, "h")
    needs = InputSpec(cells=("smap",))
    assert names(tmp_path, Smap(tmp_path), needs, moments=(late,)) == [COARSE.format("20210611")]
    assert names(tmp_path, Smap(tmp_path), needs, moments=(NOON,)) == []
