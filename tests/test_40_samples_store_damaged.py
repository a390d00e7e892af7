"""A sample store that is not whole is refused: when it is opened, or when the damaged part is read."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vadose.dataset import Samples, SampleStore, SampleWriter
from vadose.errors import VadoseError
from vadose.fusion import HistorySpec, InputSpec

HOLDS = InputSpec(("vv", "B04"), ("smap",), HistorySpec(("vv",), 5, 2.0))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A simulated store of 40 samples."""
    random = np.random.default_rng(0)
    index = pd.DataFrame({"network": "SIMULATED", "station": "a", "sensor": "a", "lat": 0.0, "lon": 0.0}, range(40))
    samples = Samples(
        index.assign(time=pd.date_range("2020-01-01", periods=40)),
        random.random((40, 1), np.float32),
        random.random((40, 5, 1), np.float32),
        random.random((40, 2, 32, 32), np.float32),
    )
    with SampleWriter.open(tmp_path / "store", HOLDS, {}, simulated=True) as writer:
        writer.append(samples)
    return tmp_path / "store"


def _remove_declaration(store: Path) -> None:
    (store / "declaration.json").unlink()


def _other_kind(store: Path) -> None:
    _declare(store, kind="map")


def _newer(store: Path) -> None:
    _declare(store, format=99)


def _without_needs(store: Path) -> None:
    _declare(store, needs={})


def _more_declared(store: Path) -> None:
    _declare(store, count=5)


def _truncate_index(store: Path) -> None:
    content = (store / "index.parquet").read_bytes()
    (store / "index.parquet").write_bytes(content[: len(content) // 2])


def _lose_file(store: Path) -> None:
    next(path for path in (store / "arrays.zarr" / "pixels" / "B04" / "c").rglob("*") if path.is_file()).unlink()


def _lose_array(store: Path) -> None:
    (store / "arrays.zarr" / "history" / "vv" / "zarr.json").unlink()


def _spoil_metadata(store: Path) -> None:
    (store / "arrays.zarr" / "cells" / "smap" / "zarr.json").write_text("{")


def _declare(store: Path, **changes: object) -> None:
    path = store / "declaration.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (_remove_declaration, "no readable declaration.json"),
        (_other_kind, "It is of the kind 'map'"),
        (_newer, "Its format is 99, written by vadose"),
        (_without_needs, "KeyError"),
        (_more_declared, "is not an array of shape"),
        (_truncate_index, "damaged"),
        (_lose_file, "pixels/B04 has 1 of 2 files"),
        (_lose_array, "history/vv"),
        (_spoil_metadata, "damaged"),
    ],
)
def test_a_store_that_is_not_whole_is_refused(store: Path, spoil: Callable[[Path], None], found: str) -> None:
    spoil(store)
    with pytest.raises(VadoseError) as refused:
        SampleStore.open(store)
    assert "samples: the store" in refused.value.context
    assert found in refused.value.problem
    assert refused.value.hint


@pytest.mark.parametrize("key", ["kind", "format", "simulated", "made_from", "needs", "count", "products"])
@pytest.mark.parametrize("value", [None, "some text", ["ndvi"]])
def test_a_declaration_without_its_keys_or_with_others_in_their_place_is_refused(
    store: Path, key: str, value: object
) -> None:
    path = store / "declaration.json"
    told = json.loads(path.read_text())
    del told[key]
    path.write_text(json.dumps(told if value is None else told | {key: value}))
    with pytest.raises(VadoseError) as refused:
        SampleStore.open(store)
    assert "samples: the store" in refused.value.context
    assert refused.value.hint


@pytest.mark.parametrize("text", ["[]", "3", "null", '"text"', ""])
def test_a_declaration_that_is_none_is_refused(store: Path, text: str) -> None:
    (store / "declaration.json").write_text(text)
    with pytest.raises(VadoseError, match=r"no readable declaration\.json"):
        SampleStore.open(store)


def test_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VadoseError, match=r"no readable declaration\.json"):
        SampleStore.open(tmp_path / "nowhere")


@pytest.mark.parametrize("array", ["pixels/vv", "cells/smap", "history/vv"])
@pytest.mark.parametrize("cut", [True, False])
def test_truncated_and_changed_bytes_are_found_when_read(store: Path, array: str, cut: bool) -> None:
    given = SampleStore.open(store)
    file = next(path for path in (store / "arrays.zarr" / array / "c").rglob("*") if path.is_file())
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(bytes(content[: len(content) // 2]) if cut else bytes(content))
    with pytest.raises(VadoseError, match=f"{array} cannot be read.*Build it again"):
        _ = (
            given.pixels(HOLDS.pixels, given.rows, 0),
            given.cells(HOLDS.cells, given.rows),
            given.history(HOLDS.history, given.rows),
        )
