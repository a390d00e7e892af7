"""The sample store: what is written is read, by vadose and without it; what is not whole is refused."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from vadose.dataset import Samples, SampleStore, SampleWriter
from vadose.dataset.packing import packing_of
from vadose.errors import VadoseError
from vadose.fusion import HistorySpec, InputSpec
from vadose.registry import PREDICTORS

HOLDS = InputSpec(("vv", "B04"), ("vv", "smap", "smap_age"), HistorySpec(("smap", "vv"), 5, 2.0), halo=1)
SIDE = 96


def simulated(count: int, holds: InputSpec = HOLDS, seed: int = 0) -> Samples:
    random = np.random.default_rng(seed)
    side = (1 + 2 * holds.halo) * 32

    def values(*shape: int) -> np.ndarray:
        drawn = random.random(shape, np.float32)
        drawn[random.random(shape) < 0.1] = np.nan
        return drawn

    index = pd.DataFrame(
        {
            "network": "SIMULATED",
            "station": [f"station-{number % 3}" for number in range(count)],
            "sensor": "007",
            "lat": np.linspace(-30, 60, count),
            "lon": np.linspace(-170, 179, count),
            "time": pd.date_range("2020-01-01", periods=count, freq="6h"),
            "depth_from_m": 0.0,
            "depth_to_m": 0.05,
            "flag": "G",
            "lag_minutes": random.normal(size=count),
            "soil_moisture_in_situ": random.random(count),
        }
    )
    history = values(count, holds.history.steps, len(holds.history.variables))
    return Samples(
        index,
        values(count, len(holds.cells)),
        history,
        values(count, len(holds.pixels), side, side) if holds.pixels else None,
    )


def part(samples: Samples, start: int, stop: int) -> Samples:
    rows = slice(start, stop)
    pixels = None if samples.pixels is None else samples.pixels[rows]
    return Samples(samples.index.iloc[rows], samples.cells[rows], samples.history[rows], pixels)


def write(path: Path, samples: Samples, holds: InputSpec = HOLDS, step: int | None = None) -> SampleStore:
    with SampleWriter.open(path, holds, {"world": "for this test"}, simulated=True) as writer:
        for start in range(0, len(samples.index), step or len(samples.index)):
            writer.append(part(samples, start, start + (step or len(samples.index))))
    return SampleStore.open(path)


@pytest.mark.parametrize("step", [None, 1, 32, 37])
def test_what_is_appended_in_any_pieces_is_read_back(tmp_path: Path, step: int | None) -> None:
    drawn = simulated(70)
    store = write(tmp_path / "store", drawn, step=step)
    assert len(store) == 70
    assert store.holds == HOLDS
    assert store.simulated
    np.testing.assert_array_equal(store.cells(HOLDS.cells, store.rows), drawn.cells)
    np.testing.assert_array_equal(store.history(HOLDS.history, store.rows), drawn.history)
    np.testing.assert_allclose(store.pixels(HOLDS.pixels, store.rows, 1), drawn.pixels, rtol=1.2e-3, atol=6e-5)
    np.testing.assert_allclose(store.labels(store.rows), drawn.index["soil_moisture_in_situ"], rtol=1e-6)
    pd.testing.assert_frame_equal(store.index[drawn.index.columns], drawn.index, check_dtype=False)
    assert [entry.name for entry in tmp_path.iterdir()] == ["store"]


def test_rows_and_names_come_as_asked_and_chips_are_cut_around_their_middle(tmp_path: Path) -> None:
    drawn = simulated(40)
    store = write(tmp_path / "store", drawn)
    rows = np.array([39, 3, 3, 0])
    np.testing.assert_array_equal(store.cells(("smap_age", "vv"), rows), drawn.cells[rows][:, [2, 0]])
    short = HistorySpec(("vv",), 2, 2.0)
    np.testing.assert_array_equal(store.history(short, rows), drawn.history[rows][:, :2, [1]])
    chips = store.pixels(("B04",), rows, 0)
    np.testing.assert_allclose(chips, drawn.pixels[rows][:, [1], 32:64, 32:64], atol=6e-5)
    none = np.empty(0, np.intp)
    assert store.cells(HOLDS.cells, none).shape == (0, 3)
    assert store.history(HOLDS.history, none).shape == (0, 5, 2)
    assert store.pixels(HOLDS.pixels, none, 1).shape == (0, 2, SIDE, SIDE)
    assert store.cells((), rows).shape == (4, 0)
    assert store.history(HistorySpec(), rows).shape == (4, 0, 0)


def test_a_store_opens_without_vadose(tmp_path: Path) -> None:
    drawn = simulated(33)
    write(tmp_path / "store", drawn)
    declaration = json.loads((tmp_path / "store" / "declaration.json").read_text())
    assert declaration["kind"] == "samples"
    assert declaration["made_from"] == {"world": "for this test"}
    assert declaration["simulated"] is True
    assert declaration["count"] == 33
    assert declaration["needs"]["history"] == {"variables": ["smap", "vv"], "steps": 5, "step_days": 2.0}
    assert declaration["units"] == {"vv": "1", "smap": "m3 m-3", "smap_age": "day", "B04": "1"}
    assert len(pd.read_parquet(tmp_path / "store" / "index.parquet")) == 33
    group = zarr.open_group(tmp_path / "store" / "arrays.zarr", mode="r")
    chips = group["pixels/vv"]
    assert chips.metadata.zarr_format == 3
    assert chips.metadata.dimension_names == ("sample", "y", "x")
    assert chips.chunks == (1, SIDE, SIDE)
    assert chips.shards == (32, SIDE, SIDE)
    assert chips.attrs["units"] == "1"
    assert "Sentinel-1" in chips.attrs["long_name"]
    assert group["history/smap"].metadata.dimension_names == ("sample", "step")
    assert chips.dtype == np.int16
    packed = np.where(chips[32] == chips.attrs["missing_value"], np.nan, chips[32] * chips.attrs["scale_factor"])
    assert chips.attrs["vadose_packed_as"] == "10 log10 of the value"
    np.testing.assert_allclose(10 ** (packed / 10), drawn.pixels[32, 0], rtol=1.2e-3)


def test_files_are_written_as_they_fill_not_at_the_end(tmp_path: Path) -> None:
    drawn = simulated(70)
    with SampleWriter.open(tmp_path / "store", HOLDS, {}) as writer:
        for start in range(70):
            writer.append(part(drawn, start, start + 1))
        files = [path for path in tmp_path.rglob("*") if "pixels/vv/c" in path.as_posix() and path.is_file()]
        assert len(files) == 2
        assert not (tmp_path / "store").exists()


def test_a_store_without_labels_has_none(tmp_path: Path) -> None:
    drawn = simulated(4)
    bare = Samples(
        drawn.index[["network", "station", "sensor", "lat", "lon", "time"]], drawn.cells, drawn.history, drawn.pixels
    )
    store = write(tmp_path / "store", bare)
    assert "soil_moisture_in_situ" not in store.index
    assert np.isnan(store.labels(store.rows)).all()
    assert store.index["flag"].tolist() == [""] * 4
    assert store.index["lag_minutes"].isna().all()


def test_the_origin_may_be_told_until_the_end(tmp_path: Path) -> None:
    origin: dict[str, object] = {}
    drawn = simulated(2)
    with SampleWriter.open(tmp_path / "store", HOLDS, origin) as writer:
        writer.append(drawn)
        origin["items"] = ["a", "b"]
    assert SampleStore.open(tmp_path / "store").declaration["made_from"] == {"items": ["a", "b"]}


def test_an_error_leaves_nothing_and_an_older_store_as_it_was(tmp_path: Path) -> None:
    drawn = simulated(3)
    with pytest.raises(RuntimeError), SampleWriter.open(tmp_path / "new", HOLDS, {}) as writer:
        writer.append(drawn)
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    write(tmp_path / "old", drawn)
    with pytest.raises(RuntimeError), SampleWriter.open(tmp_path / "old", HOLDS, {}) as writer:
        raise RuntimeError
    assert len(SampleStore.open(tmp_path / "old")) == 3
    assert len(write(tmp_path / "old", simulated(5))) == 5


def test_nothing_to_write_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(VadoseError, match=r"There are no samples to write\. Extend"),
        SampleWriter.open(tmp_path / "store", HOLDS, {}),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_store_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("irreplaceable")
    with (
        pytest.raises(VadoseError, match=r"Something else exists there.*Choose another path"),
        SampleWriter.open(tmp_path / "thesis", HOLDS, {}) as writer,
    ):
        writer.append(simulated(1))
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "irreplaceable"
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis"]


def test_samples_of_another_shape_are_refused(tmp_path: Path) -> None:
    drawn = simulated(3)
    wrong = Samples(drawn.index, drawn.cells, drawn.history[:, :4], drawn.pixels)
    with (
        pytest.raises(VadoseError, match=r"history/smap of shape \(3, 5\)\. Found \(3, 4\)"),
        SampleWriter.open(tmp_path / "store", HOLDS, {}) as writer,
    ):
        writer.append(wrong)
    assert list(tmp_path.iterdir()) == []


def test_an_index_without_a_place_is_refused(tmp_path: Path) -> None:
    drawn = simulated(3)
    bare = Samples(drawn.index.drop(columns=["lat", "time"]), drawn.cells, drawn.history, drawn.pixels)
    with (
        pytest.raises(VadoseError, match=r"It lacks lat, time\. Give network"),
        SampleWriter.open(tmp_path / "store", HOLDS, {}) as writer,
    ):
        writer.append(bare)
    assert list(tmp_path.iterdir()) == []


def test_a_variable_outside_the_vocabulary_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(VadoseError, match=r"a variable named moonlight.*Use one of these names"),
        SampleWriter.open(tmp_path / "store", InputSpec(cells=("moonlight",)), {}),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_needs_that_are_not_met_are_told_in_full(tmp_path: Path) -> None:
    store = write(tmp_path / "store", simulated(2))
    needs = InputSpec(("vh",), ("gldas", "vv"), HistorySpec(("smap",), 9, 1.0), halo=4)
    with pytest.raises(VadoseError) as refused:
        store.check(needs)
    for lack in (
        "pixels vh",
        "cells gldas",
        "history of 9 steps, held 5",
        "steps of 1 days, held 2",
        "halo of 4 cells, held 1",
    ):
        assert lack in refused.value.problem
    assert "cells vv" not in refused.value.problem
    store.check(InputSpec(("B04",), ("smap",), HistorySpec(("vv",), 3, 2.0), halo=0))
    for ask in (
        lambda: store.cells(("gldas",), store.rows),
        lambda: store.history(HistorySpec(("smap",), 6, 2.0), store.rows),
        lambda: store.pixels(("vv",), store.rows, 2),
    ):
        with pytest.raises(VadoseError, match="The store lacks"):
            ask()


@given(name=st.sampled_from(sorted(PREDICTORS)), share=st.floats(0, 1))
def test_packing_keeps_every_value_of_a_variable_to_half_its_step(name: str, share: float) -> None:
    variable, packing = PREDICTORS[name], packing_of(name)
    low, high = (1e-4, 100.0) if variable.decibel else variable.valid_range
    value = np.array([low + share * (high - low), np.nan], np.float32)
    found = packing.unpack(packing.pack(value))
    assert np.isnan(found[1])
    if variable.decibel:
        assert 10 * np.log10(found[0] / value[0]) == pytest.approx(0, abs=0.0051)
    else:
        assert found[0] == pytest.approx(value[0], abs=0.51 * packing.scale)


def test_power_of_nothing_is_missing_and_what_does_not_fit_is_the_nearest_that_does() -> None:
    power = packing_of("vv")
    assert np.isnan(power.unpack(power.pack(np.array([0.0, -1.0], np.float32)))).all()
    angle = packing_of("incidence_angle")
    assert angle.unpack(angle.pack(np.array([1e6], np.float32)))[0] == pytest.approx(327.67)


def test_a_store_without_classes_that_came_later_is_read(tmp_path: Path) -> None:
    path = tmp_path / "store"
    write(path, simulated(12))
    table = pd.read_parquet(path / "index.parquet").drop(columns="frm_class")
    table.to_parquet(path / "index.parquet")
    store = SampleStore.open(path)
    assert (store.index["frm_class"] == "").all() and len(store) == len(table)
