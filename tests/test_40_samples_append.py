"""A store that grows, is verified and described."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from test_40_samples_store import HOLDS, part, simulated, write
from vadose.dataset import SampleStore, SampleWriter, picture
from vadose.dataset.append import append
from vadose.dataset.describe import describe
from vadose.dataset.verify import verify
from vadose.errors import VadoseError
from vadose.fusion import InputSpec


def files(store: Path) -> dict[str, bytes]:
    return {str(path.relative_to(store)): path.read_bytes() for path in sorted(store.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("first", [1, 32, 45, 64])
def test_a_store_that_grew_is_that_which_was_written_at_once(tmp_path: Path, first: int) -> None:
    whole = simulated(80)
    write(tmp_path / "whole", whole)
    write(tmp_path / "store", part(whole, 0, first))
    write(tmp_path / "other", part(whole, first, 80))
    report = append(tmp_path / "store", SampleStore.open(tmp_path / "other"))
    assert report.samples == 80
    grown, expected = files(tmp_path / "store"), files(tmp_path / "whole")
    told = json.loads(grown.pop("declaration.json"))
    expected.pop("declaration.json")
    assert told["made_from"]["onto"] == {"world": "for this test"}
    assert {name: bytes_ for name, bytes_ in grown.items() if name != "index.parquet"} == {
        name: bytes_ for name, bytes_ in expected.items() if name != "index.parquet"
    }
    store = SampleStore.open(tmp_path / "store")
    assert store.index["time"].tolist() == whole.index["time"].tolist()
    assert verify(store).faults == ()


def test_what_is_there_already_is_left_out_and_an_unchanged_file_is_shared(tmp_path: Path) -> None:
    whole = simulated(70)
    write(tmp_path / "store", part(whole, 0, 40))
    shard = tmp_path / "store" / "arrays.zarr" / "pixels" / "vv" / "c" / "0" / "0" / "0"
    before = shard.stat().st_ino
    write(tmp_path / "other", part(whole, 30, 70))
    report = append(tmp_path / "store", SampleStore.open(tmp_path / "other"))
    assert report.samples == 70
    assert str(report.dropped) == "10 x already there"
    assert shard.stat().st_ino == before
    assert append(tmp_path / "store", SampleStore.open(tmp_path / "other")).samples == 70


def test_stores_of_different_samples_are_not_joined(tmp_path: Path) -> None:
    write(tmp_path / "store", simulated(3))
    less = InputSpec(cells=("vv",))
    write(tmp_path / "other", simulated(3, less), less)
    before = files(tmp_path / "store")
    with pytest.raises(VadoseError, match="variables differ"):
        append(tmp_path / "store", SampleStore.open(tmp_path / "other"))
    with SampleWriter.open(tmp_path / "real", HOLDS, {}, simulated=False) as writer:
        writer.append(simulated(3, seed=1))
    with pytest.raises(VadoseError, match="Only one of them is simulated"):
        append(tmp_path / "store", SampleStore.open(tmp_path / "real"))
    assert files(tmp_path / "store") == before


def test_verification_names_every_fault(tmp_path: Path) -> None:
    drawn = simulated(40)
    drawn.index.loc[3, ["station", "time"]] = drawn.index.loc[2, ["station", "time"]].to_numpy()
    drawn.index.loc[5, "soil_moisture_in_situ"] = 1.7
    drawn.cells[7, 1] = 3.0
    store = write(tmp_path / "store", drawn)
    shard = tmp_path / "store" / "arrays.zarr" / "pixels" / "B04" / "c" / "0" / "0" / "0"
    content = bytearray(shard.read_bytes())
    content[1000] ^= 255
    shard.write_bytes(bytes(content))
    told: list[tuple[int, int, str]] = []
    found = verify(store, lambda *step: told.append(step))
    assert told[-1][:2] == (7, 7)
    assert len(found.faults) == 4
    text = str(found)
    for words in ("1 samples of one sensor and time", "1 labels outside", "cells/smap: 1 values", "pixels/B04"):
        assert words in text


def test_a_store_is_described_in_numbers_and_in_a_picture(tmp_path: Path) -> None:
    drawn = simulated(40)
    drawn.cells[:10, 0] = np.nan
    drawn.cells[10:, 0] = 0.1
    store = write(tmp_path / "store", drawn)
    told = describe(store)
    assert told.startswith("# SIMULATED: 40 samples of 3 sensors in 1 network\n")
    assert "| SIMULATED | 3 | 40 |" in told
    assert "| sentinel1 | 25.0% |" in told
    picture(store, tmp_path / "store.png")
    assert (tmp_path / "store.png").read_bytes()[:4] == b"\x89PNG"
    shutil.rmtree(tmp_path / "store")


def test_a_store_that_grows_while_it_is_read_gives_its_own_samples(tmp_path: Path) -> None:
    drawn = simulated(80)
    store = write(tmp_path / "store", part(drawn, 0, 45))
    append(tmp_path / "store", write(tmp_path / "other", part(drawn, 45, 60)))
    append(tmp_path / "store", write(tmp_path / "third", part(drawn, 60, 80)))
    np.testing.assert_array_equal(
        store.cells(["smap"], store.rows), SampleStore.open(store.path).cells(["smap"], store.rows)
    )
    names = HOLDS.pixels[:1]
    read = [one.pixels(names, store.rows, HOLDS.halo) for one in (store, SampleStore.open(store.path))]
    np.testing.assert_array_equal(*read)


@pytest.mark.parametrize("what", ["replaced", "removed"])
def test_a_store_that_is_replaced_while_it_is_read_is_never_taken_for_itself(what: str, tmp_path: Path) -> None:
    store = write(tmp_path / "store", simulated(40))
    if what == "replaced":
        write(tmp_path / "store", simulated(40, seed=1))
    else:
        shutil.rmtree(tmp_path / "store")
    with pytest.raises(VadoseError, match="replaced or removed while it was being read"):
        store.cells(["smap"], store.rows)
    with pytest.raises(VadoseError, match="replaced or removed while it was being read"):
        store.pixels(HOLDS.pixels[:1], store.rows, HOLDS.halo)


def test_a_store_whose_replacement_was_broken_off_is_found_again(tmp_path: Path) -> None:
    """Where names cannot be exchanged a killed run leaves the older store aside, under a hidden name."""
    store = write(tmp_path / "store", simulated(40))
    store.path.rename(tmp_path / ".store.0a1b2c3d.old")
    (tmp_path / ".store.0a1b2c3d").mkdir()
    assert len(SampleStore.open(tmp_path / "store")) == 40
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


APPEND = """
import sys
from pathlib import Path
from vadose.dataset import SampleStore
from vadose.dataset.append import append
from vadose.errors import VadoseError
try:
    append(Path(sys.argv[1]), SampleStore.open(Path(sys.argv[2])))
except VadoseError as refusal:
    sys.exit(str(refusal))
"""


def test_of_two_that_append_at_once_none_loses_samples_and_says_success(tmp_path: Path) -> None:
    drawn = simulated(90)
    for name, (first, last) in {"store": (0, 30), "b": (30, 60), "c": (60, 90)}.items():
        write(tmp_path / name, part(drawn, first, last))
    told = [
        subprocess.Popen(
            [sys.executable, "-c", APPEND, tmp_path / "store", tmp_path / name], stderr=subprocess.PIPE, text=True
        )
        for name in "bc"
    ]
    errors = [one.communicate()[1] for one in told]
    done = [one.returncode == 0 for one in told]
    assert any(done)
    assert len(SampleStore.open(tmp_path / "store")) == 30 + 30 * sum(done)
    assert all("is writing to it" in error for error, good in zip(errors, done, strict=True) if not good)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "c", "store"]
