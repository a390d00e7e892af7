"""From published shards to a store: geometry, exact numbers, what is missing, what is left out, and going on."""

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from published_writer import example, framed, write_shard
from test_40_published_merge import stm
from vadose.batchu2022 import IMAGES, LabelMatcher, UnitFit, import_shards, shards
from vadose.batchu2022.calibration import ASSUMED_RANGES, FEATURE_OF, PIXELS, lines
from vadose.batchu2022.crop import chips_of, kept_for, pixel_in_cell
from vadose.dataset import SampleStore
from vadose.dataset.append import append
from vadose.dataset.packing import Packing
from vadose.dataset.verify import verify
from vadose.errors import VadoseError
from vadose.grid import from_lonlat, tile_around
from vadose.insitu.ismn import Ismn
from vadose.registry import PREDICTORS

NAME = "sim-0000{}-of-00004.tfrecord.gz"
LAT, LON = 43.15, -2.9567
START_MS = 1.5e12
HOUR_MS = 3_600_000


def picture(seed: int) -> dict[str, np.ndarray]:
    """Simulated images of one example: patches, so that they compress, with some pixels missing."""
    rng = np.random.default_rng(seed)

    def patches(low: int, high: int) -> np.ndarray:
        return np.kron(rng.integers(low, high, (32, 32)), np.ones((16, 16), np.int64))

    return {name: patches(-20, 2000) if "elevation" in name else patches(0, 256) for name in IMAGES}


def simulated(seed: int, station: str = "A-1", **changes: object) -> dict[str, object]:
    """A simulated example, labelled unless `changes` say otherwise."""
    known: dict[str, object] = {
        "sensor_id": f"SIM__{station}__Probe",
        "timestamp": START_MS + 24 * HOUR_MS * seed,
        "center_lat": LAT,
        "center_long": LON,
        "sm_0_5": 0.1 + seed / 100,
        "smap_sm": 51,
        "gldas_sm": 102,
        "sentinel_1_time_millis_diff": -36 * HOUR_MS,
    }
    return {key: value for key, value in (known | picture(seed) | changes).items() if value is not None}


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three of four shards: labels, none, twice the same, damage, and another sensor."""
    path = tmp_path_factory.mktemp("published")
    write_shard(path / NAME.format(0), [example(simulated(n)) for n in range(3)])
    spoiled = bytearray(framed(example(simulated(3))))
    spoiled[500] ^= 4
    others = [simulated(4, sm_0_5=None), simulated(1), simulated(5, "A-12")]
    content = bytes(spoiled) + b"".join(framed(example(one)) for one in others)
    (path / NAME.format(1)).write_bytes(gzip.compress(content, 1, mtime=0))
    write_shard(path / NAME.format(2), [example(simulated(n, "A-12", sensor_id="A12")) for n in (6, 7)])
    return path


@pytest.fixture(scope="module")
def store(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> SampleStore:
    path = tmp_path_factory.mktemp("made") / "store"
    import_shards(shards(folder), path, simulated=True)
    return SampleStore.open(path)


def test_a_store_of_published_examples_is_whole_and_says_what_it_is_of(store: SampleStore) -> None:
    assert len(store) == 4
    assert verify(store).faults == ()
    assert store.simulated
    assert store.index["station"].tolist() == ["A-1", "A-1", "A-1", "A-12"]
    assert store.index["soil_moisture_in_situ"].to_numpy() == pytest.approx([0.1, 0.11, 0.12, 0.15])
    made_from = store.declaration["made_from"]
    assert made_from["published"]["absent"] == [3]
    assert [one["name"] for one in made_from["published"]["shards"]] == [NAME.format(n) for n in range(3)]
    assert set(store.calibrations) == set(ASSUMED_RANGES)
    assert store.calibrations["vv"]["method"] == "assumed"
    assert store.calibrations["vv"]["units"] == "published 0-255 units"
    assert store.calibrations["smap"]["feature"] == "smap_sm"


def test_what_is_left_out_is_listed_with_its_reason(store: SampleStore, folder: Path, tmp_path: Path) -> None:
    report = import_shards(shards(folder), tmp_path / "again", simulated=True)
    assert dict(report.dropped.counts) == {
        "damaged record": 1,
        "example that repeats a sensor and time": 1,
        "example without a label or a place": 3,
    }
    unmatched = pd.read_parquet(store.path / "unmatched.parquet")
    assert list(unmatched) == ["shard", "record", "sensor_id", "time", "reason"]
    assert list(zip(unmatched["shard"], unmatched["record"], strict=True)) == [
        (NAME.format(1), 1),
        (NAME.format(2), 0),
        (NAME.format(2), 1),
        (NAME.format(1), 2),
    ]
    assert unmatched["reason"].tolist() == [
        "it is published without a label",
        *["its sensor id is not NETWORK__STATION__SENSOR"] * 2,
        "it repeats a sensor and time of an earlier example",
    ]
    faults = pd.read_parquet(store.path / "faults.parquet")
    assert faults[["shard", "record", "reason"]].values.tolist() == [[NAME.format(1), 0, "its checksum is wrong"]]
    assert files(tmp_path / "again") == files(store.path)


def test_published_numbers_come_back_as_they_were(store: SampleStore) -> None:
    row, column = pixel_in_cell(LON, LAT)
    y, x = 256 - 128 - row, 256 - 128 - column
    for number, seed in enumerate((0, 1, 2, 5)):
        images = picture(seed)
        for name in PIXELS:
            published = images[FEATURE_OF[name]][y : y + 288, x : x + 288]
            stored = store._arrays[f"pixels/{name}"][number]
            chip = store.pixels((name,), np.array([number]), 4)[0, 0]
            if name == "elevation":
                assert (chip == published).all()
                continue
            assert (stored == published).all() and stored.dtype == np.uint8
            assert (np.isnan(chip) == (published == 0)).all()
            line = lines()[name]
            level = published * line.scale + line.offset
            expected = 10 ** (level / 10) if PREDICTORS[name].decibel else level
            assert np.allclose(chip[published > 0], expected[published > 0], rtol=1e-5, atol=1e-6)


def test_cells_are_means_of_what_is_present_over_the_cell_of_the_sensor(store: SampleStore) -> None:
    row, column = pixel_in_cell(LON, LAT)
    cell = np.s_[256 - row : 288 - row, 256 - column : 288 - column]
    images = picture(0)
    rows = np.array([0])
    radar = images["sentinel_1_VV"][cell]
    power = 10 ** ((radar * 30 / 255 - 30) / 10)
    assert store.cells(("vv",), rows)[0, 0] == pytest.approx(power[radar > 0].mean(), rel=1e-5)
    sand = images["soil_grids_sand_sand_0-5cm_mean"][cell]
    assert store.cells(("sand",), rows)[0, 0] == pytest.approx(sand[sand > 0].mean() / 255, rel=1e-5)
    assert store.cells(("elevation",), rows)[0, 0] == pytest.approx(images["nasa_dem_elevation"][cell].mean(), rel=1e-5)
    assert store.cells(("smap", "gldas"), rows)[0] == pytest.approx([0.2, 0.4])
    seen = np.logical_or.reduce([images[f"sentinel_1_{band}"][cell] > 0 for band in ("VV", "VH", "angle")])
    found = store.cells(("sentinel1_valid_fraction", "sentinel1_age", "smap_valid_fraction", "smap_age"), rows)[0]
    assert found[:3] == pytest.approx([seen.mean(), 1.5, 1.0])
    assert np.isnan(found[3])


@given(st.floats(-179.9, 179.9), st.floats(-79, 83))
def test_the_pixel_of_the_sensor_lands_where_it_lies_in_the_middle_cell(lon: float, lat: float) -> None:
    tile = tile_around(lon, lat, 1)
    x, y = from_lonlat(tile.epsg).transform(lon, lat)
    corner = tile.pixels.affine
    column, row = (x - corner.c) / 10, (corner.f - y) / 10
    image = np.zeros((1, kept_for(1), kept_for(1)), np.uint8)
    image[0, kept_for(1) // 2, kept_for(1) // 2] = 1
    at = np.array([pixel_in_cell(lon, lat)])
    chip = chips_of(image, at, 1)[0]
    assert chip.shape == tile.pixels.shape
    found = np.argwhere(chip)[0]
    assert found.tolist() == [min(int(row), 63), int(column)]
    assert (found // 32).tolist() == [1, 1]
    assert (chips_of(image, at, 0)[0] == chip[32:64, 32:64]).all()


def test_missing_images_and_numbers_are_missing_and_a_height_of_zero_is_not(tmp_path: Path) -> None:
    flat = np.zeros((512, 512), np.int64)
    void = flat.copy()
    void[250:262, 250:262] = -32768
    made = [
        simulated(0, sentinel_1_VV=flat, smap_sm=0, nasa_dem_elevation=flat, soil_grids_bd_bdod_0_5cm_mean=None),
        simulated(1, nasa_dem_elevation=None, gldas_sm=None, sentinel_1_time_millis_diff=[1, 2]),
        simulated(
            2,
            nasa_dem_elevation=void,
            sentinel_1_time_millis_diff="late",
            **{name: None for name in IMAGES if name.startswith("sentinel")},
        ),
    ]
    path = write_shard(tmp_path / NAME.format(0), [example(one) for one in made])
    import_shards([path], tmp_path / "store", halo=0, simulated=True)
    store = SampleStore.open(tmp_path / "store")
    assert verify(store).faults == ()
    power, height = store.pixels(("vv", "elevation"), store.rows, 0).transpose(1, 0, 2, 3)
    assert np.isnan(power[0]).all()
    assert (height[0] == 0).all()
    assert np.isnan(height[1]).all()
    assert 0 < np.isnan(height[2]).sum() <= 144
    assert np.isnan(power[2]).all()
    cells = dict(zip(store.holds.cells, store.cells(store.holds.cells, store.rows).T, strict=True))
    assert np.isnan(cells["vv"]).tolist() == [True, False, True]
    assert np.isnan(cells["smap"]).tolist() == [True, False, False]
    assert np.isnan(cells["gldas"]).tolist() == [False, True, False]
    assert cells["smap_valid_fraction"].tolist() == [0, 1, 1]
    assert cells["dem_valid_fraction"][:2].tolist() == [1, 0]
    assert cells["sentinel2_valid_fraction"][2] == 0
    assert np.isnan(cells["sentinel1_age"]).tolist() == [False, True, True]


def fits() -> dict[str, UnitFit]:
    radar = UnitFit("sentinel_1_VV", "dB", 0.1, -25.0, 0.05, 0.99, 500)
    return {"sentinel_1_VV": radar, "smap_sm": UnitFit("smap_sm", "m3 m-3", 0.002, 0.01, 0.001, 0.9, 200)}


def test_fits_take_the_place_of_nominal_lines(folder: Path, store: SampleStore, tmp_path: Path) -> None:
    import_shards(shards(folder), tmp_path / "store", units=fits(), simulated=True)
    fitted = SampleStore.open(tmp_path / "store")
    assert fitted.packings["vv"] == Packing(0.1, -25.0, True, "uint8")
    assert fitted.calibrations["vv"] | {"units": ""} == {
        "predictor": "vv",
        "feature": "sentinel_1_VV",
        "units": "",
        "scale": 0.1,
        "offset": -25.0,
        "method": "fitted",
        "missing": 0,
        "residual": 0.05,
        "r": 0.99,
        "count": 500,
    }
    assert fitted.calibrations["vh"]["method"] == "assumed"
    assert fitted.cells(("smap",), fitted.rows)[:, 0] == pytest.approx(0.112)
    numbers = [np.asarray(one._arrays["pixels/vv"][:]) for one in (store, fitted)]
    assert (numbers[0] == numbers[1]).all()
    assert verify(fitted).faults == ()
    before = files(store.path)
    with pytest.raises(VadoseError, match="have different calibrations"):
        append(store.path, fitted)
    assert files(store.path) == before


@pytest.mark.parametrize(
    ("spoiled", "found"),
    [
        ({"sentinel_1_orbit": UnitFit("sentinel_1_orbit", "dB", 0.1, -25.0, 0.1, 0.9, 500)}, "not a published feature"),
        ({"sentinel_1_VV": UnitFit("sentinel_1_VV", "1", 0.1, -25.0, 0.1, 0.9, 500)}, "not dB"),
        ({"sentinel_1_VV": UnitFit("sentinel_1_VH", "dB", 0.1, -25.0, 0.1, 0.9, 500)}, "not a published feature"),
        ({"sentinel_1_angle": UnitFit("sentinel_1_angle", "degree", 0.5, 0.0, 0.1, 0.9, 500)}, "beyond 10..70"),
    ],
)
def test_fits_of_no_use_are_refused(folder: Path, tmp_path: Path, spoiled: dict[str, UnitFit], found: str) -> None:
    with pytest.raises(VadoseError, match=found):
        import_shards(shards(folder), tmp_path / "store", units=spoiled)
    assert not list(tmp_path.iterdir())


def test_stores_of_the_same_units_are_joined_with_their_lists(folder: Path, tmp_path: Path) -> None:
    first, second = ([folder / NAME.format(number)] for number in (0, 1))
    import_shards(first, tmp_path / "store", halo=0, simulated=True)
    import_shards(second, tmp_path / "other", halo=0, simulated=True)
    report = append(tmp_path / "store", SampleStore.open(tmp_path / "other"))
    joined = SampleStore.open(tmp_path / "store")
    assert (report.samples, dict(report.dropped.counts)) == (4, {"already there": 1})
    assert joined.packings == SampleStore.open(tmp_path / "other").packings
    assert joined.calibrations["vv"]["method"] == "assumed"
    assert len(pd.read_parquet(joined.path / "unmatched.parquet")) == 1
    assert len(pd.read_parquet(joined.path / "faults.parquet")) == 1
    assert verify(joined).faults == ()


def test_labels_of_an_archive_are_merged_and_the_rest_is_told(folder: Path, tmp_path: Path) -> None:
    time = pd.Timestamp(int(np.float32(START_MS + 24 * HOUR_MS * 4)), unit="ms").round("min")
    stm(tmp_path / "ismn", "A-1", rows=((f"{time:%Y/%m/%d %H:%M}", "0.0000", "G"),), network="SIM")
    merge = LabelMatcher(Ismn(tmp_path / "ismn"))
    report = import_shards(shards(folder), tmp_path / "store", merge, halo=0, simulated=True, workers=2)
    store = SampleStore.open(tmp_path / "store")
    assert report.samples == len(store) == 5
    merged = store.index[store.index["flag"] == "G"].iloc[0]
    assert merged["soil_moisture_in_situ"] == 0
    assert (merged["depth_from_m"], merged["depth_to_m"]) == (0.05, 0.05)
    assert abs(merged["lag_minutes"]) < 2
    assert store.declaration["made_from"]["published"]["labels"]["archive"] == "ismn"
    import_shards(shards(folder), tmp_path / "alone", merge, halo=0, simulated=True, workers=1)
    assert files(tmp_path / "alone") == files(tmp_path / "store")


def test_shards_without_a_label_make_no_store(tmp_path: Path) -> None:
    write_shard(tmp_path / NAME.format(0), [example(simulated(0, sm_0_5=None))])
    with pytest.raises(VadoseError, match="None of the 1 examples has a label"):
        import_shards(shards(tmp_path), tmp_path / "made" / "store")
    with pytest.raises(VadoseError, match="halo of 5"):
        import_shards(shards(tmp_path), tmp_path / "made" / "store", halo=5)
    assert not (tmp_path / "made" / "store").exists()


WAYS = [
    ("between shards", 1, (1, 2)),
    ("between shards", 3, ()),
    ("within a shard", 2, (0, 1, 2)),
    ("within a shard", 4, (1, 2)),
    ("within the store", 2, ()),
]
"""Where an import is killed, at the how many-th time there, and which shards are then still to be read."""
KILLED = """
import json, os, signal, sys
from pathlib import Path
from vadose.batchu2022 import import_shards, shards, resumable as staged
from vadose.dataset.writer import SampleWriter
def counted(function, left):
    def told(*arguments):
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments)
    return told
def killed(folder, store, where, place):
    progress = counted(lambda *now: None, place) if where == "between shards" else None
    if where == "within a shard":
        staged._save = counted(staged._save, place)
    if where == "within the store":
        SampleWriter.append = counted(SampleWriter.append, place)
    import_shards(shards(folder), store, simulated=True, progress=progress)
folder, out = Path(sys.argv[1]), Path(sys.argv[2])
for number, (where, place, _) in enumerate(json.loads(sys.argv[3])):
    child = os.fork()
    if child == 0:
        killed(folder, out / str(number), where, place)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert ended == -signal.SIGKILL, ended
"""


@pytest.fixture(scope="module")
def killed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Imports that were killed, one of each of `WAYS`."""
    path = tmp_path_factory.mktemp("killed")
    subprocess.run([sys.executable, "-c", KILLED, str(folder), str(path), json.dumps(WAYS)], check=True)
    return path


@pytest.mark.parametrize("way", range(len(WAYS)), ids=lambda way: f"{WAYS[way][0]} {WAYS[way][1]}")
def test_an_import_that_was_killed_goes_on_and_ends_with_the_same_bytes(
    folder: Path, store: SampleStore, killed: Path, tmp_path: Path, way: int
) -> None:
    assert not (killed / str(way)).exists()
    shutil.copytree(killed / f"{way}.building", tmp_path / "store.building")
    told: list[str] = []
    import_shards(shards(folder), tmp_path / "store", simulated=True, progress=lambda *now: told.append(now[2]))
    assert told == [NAME.format(n) for n in WAYS[way][2]]
    assert files(tmp_path / "store") == files(store.path)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_an_import_with_other_settings_than_the_one_that_was_stopped_is_refused(
    folder: Path, killed: Path, tmp_path: Path
) -> None:
    shutil.copytree(killed / "0.building", tmp_path / "store.building")
    with pytest.raises(VadoseError, match="another build that was interrupted"):
        import_shards(shards(folder), tmp_path / "store", halo=2, simulated=True)
    assert not (tmp_path / "store").exists()
