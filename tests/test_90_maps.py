"""Maps planned, resumed and kept apart: every tile once, whoever does it, and every refusal in words."""

import errno
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread

import geopandas
import numpy as np
import pystac
import pytest
import rasterio
import shapely
from click.testing import Result
from typer.testing import CliRunner

import real_archive
import small_map
from vadose.cli.main import app
from vadose.errors import VadoseError
from vadose.experiment.run import Run
from vadose.fusion import build_features
from vadose.grid import AreaOfInterest, tile_around
from vadose.inference import estimate_tile
from vadose.mapping import Executor, MapRequest, TilesFailed, tile_files
from vadose.mapping import make as mapping
from vadose.mapping.area_files import read_area
from vadose.mapping.make import make_map, prepare
from vadose.mapping.tasks import WorkerContext, estimate_times
from vadose.maps import NODATA, read_map
from vadose.registry import Quality

Told = list[tuple[int, int]]


def request(ground: Path, out: Path, **changes: object) -> MapRequest:
    asked = {"area": small_map.AREA, "date": small_map.DATE, "pictures": False} | changes
    return MapRequest(run=ground / "run", archive=ground / "archive", out=out, **asked)


def quiet(*_: object) -> None:
    pass


def listening(told: Told) -> Callable[[int, int, str], None]:
    return lambda done, total, _: told.append((done, total))


def contents(folder: Path, pattern: str = "*.tif") -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.glob(pattern))}


@pytest.fixture(scope="module")
def first(ground: Path) -> Path:
    """A finished map."""
    make_map(request(ground, ground / "first"), quiet)
    return ground / "first"


@pytest.fixture
def copied(first: Path, tmp_path: Path) -> Path:
    """A copy of the finished map, to be damaged."""
    subprocess.run(["cp", "-r", first, tmp_path / "map"], check=True)
    return tmp_path / "map"


def test_the_plan_tells_all_by_value(ground, first):
    plan = json.loads((first / "plan.json").read_text())
    made = plan["made_from"]
    assert len(made["tiles"]) == 4 and made["tiles"][0][0] == 32632
    assert made["moments"] == ["2021-06-10T23:59:59Z"]
    assert set(made["checkpoints"]) == {"fold-0/network-0", "fold-0/network-1"}
    assert {"sentinel1 pass0", "sentinel1 pass1", "sentinel2 optical", "dem ground"} <= set(made["items"])
    assert "sentinel1 pass2" not in made["items"], "it passed later"
    assert shapely.from_wkt(made["area"]["wkt"]).equals(read_area(small_map.AREA).geometry)


def test_a_cell_is_the_same_in_the_map_and_as_a_chip(ground, first):
    made = read_map(next(first.glob("soil_moisture_*_32632.tif")))
    tools = WorkerContext.of(Run(ground / "run"), ground / "archive")
    needs = tools.models[0].needs
    x, y = np.meshgrid(made["x"], made["y"])
    seen = np.argwhere(np.isfinite(made["soil_moisture"].values))
    assert len(seen) > 20
    for row, column in seen[:: len(seen) // 5]:
        east, north = int(x[row, column] // 320), int(y[row, column] // 320) + 1
        chip = tile_around(*small_lonlat(x[row, column], y[row, column]), needs.halo)
        assert (chip.west, chip.north) == (east, north)
        time = made["time"].values.astype("datetime64[ns]")
        inputs = build_features(tools.sources, chip, time, needs, tools.windows)
        alone_there = estimate_tile(tools.models, inputs, tools.calibration, tools.windows)
        assert alone_there.mean[0, 0] == pytest.approx(made["soil_moisture"].values[row, column], abs=1e-4)
        assert alone_there.std[0, 0] == pytest.approx(made["soil_moisture_std"].values[row, column], abs=1e-4)
        assert alone_there.quality[0, 0] == made["quality"].values[row, column]
        assert alone_there.ages["sentinel1"][0, 0] == pytest.approx(made["age_sentinel1"].values[row, column], abs=1e-4)


def small_lonlat(x: float, y: float) -> tuple[float, float]:
    (lon,), (lat,) = rasterio.warp.transform("EPSG:32632", "EPSG:4326", [x], [y])
    return lon, lat


def test_ages_cloud_and_steep_ground_are_told(first):
    made = read_map(next(first.glob("soil_moisture_*_32632.tif")))
    known = np.isfinite(made["soil_moisture"].values)
    age = made["age_sentinel1"].values[known]
    np.testing.assert_allclose(age, 1 + 18.5 / 24, atol=2e-2, err_msg="from 05:30 to the end of the next day")
    quality = made["quality"].values
    north, south = (
        quality[made["y"].values > small_map.CORNER[1]],
        quality[made["y"].values < small_map.CORNER[1] - 800],
    )
    assert (south & Quality.STEEP > 0).any() and not ((north & Quality.STEEP > 0) & (north != NODATA)).any()
    cloud = (quality & Quality.CLOUD > 0) & (quality != NODATA)
    assert not cloud[-1].any(), "the clouds lie in the north-west"


def test_towns_and_water_are_flagged_where_the_land_cover_shows_them(ground, first, tmp_path):
    shutil.copytree(ground / "archive", tmp_path / "archive")
    (tmp_path / "run").symlink_to(ground / "run")
    cover = small_map.whole(small_map.layer(40, 40.5, 0), np.uint8)
    side = len(cover.values)
    cover.values[:, side // 2 :], cover.values[side // 2 :, :] = 50, 80
    real_archive.write_item(tmp_path / "archive", "esa-worldcover", "cover", "2021-01-01T00:00:00Z", {"map": cover})
    make_map(request(tmp_path, tmp_path / "map"), quiet)
    plain, made = (read_map(next(folder.glob("soil_moisture_*_32632.tif"))) for folder in (first, tmp_path / "map"))
    south = np.broadcast_to((made["y"] < small_map.CORNER[1]).values[:, np.newaxis], made["soil_moisture"].shape)
    east = np.broadcast_to((made["x"] > small_map.CORNER[0]).values, made["soil_moisture"].shape)
    there = made["quality"].values != NODATA
    flags = np.where(south, Quality.WATER, np.where(east, Quality.URBAN, 0))
    assert (made["quality"].values[there] == (plain["quality"].values | flags)[there]).all()
    assert {0, int(Quality.WATER), int(Quality.URBAN)} == set(np.unique(flags[there]).tolist())
    np.testing.assert_array_equal(made["soil_moisture"].values, plain["soil_moisture"].values)
    assert "worldcover cover" in json.loads((tmp_path / "map" / "plan.json").read_text())["made_from"]["items"]


def test_a_map_says_how_much_each_source_was_observed_and_what_was_not_read(ground, first, tmp_path):
    whole = json.loads((first / "left_out.json").read_text())
    assert whole["left_out"] == []
    assert whole["observed"]["sentinel1"] == 1.0
    shutil.copytree(ground / "archive", tmp_path / "archive")
    (tmp_path / "run").symlink_to(ground / "run")
    scenes = [path for path in (tmp_path / "archive").rglob("*.json") if "SCL" in path.read_text()]
    for scene in scenes:
        item = json.loads(scene.read_text())
        del item["assets"]["SCL"]
        scene.write_text(json.dumps(item))
    out = tmp_path / "map"
    with pytest.raises(VadoseError, match=r"sentinel2: archive .*no scene classification.*--allow-unread"):
        make_map(request(tmp_path, out), quiet)
    assert not out.exists()
    told: list[str] = []
    make_map(request(tmp_path, out, allow_unread=True), quiet, tell=told.append)
    listed = json.loads((out / "left_out.json").read_text())
    assert (listed["observed"]["sentinel2"], len(listed["left_out"])) == (0.0, len(scenes))
    assert any("sentinel2 0%" in line for line in told)
    assert any(f"{len(scenes)} x sentinel2: no scene classification" in line for line in told)


def test_a_finished_map_is_not_estimated_again(ground, first):
    before = {path.name: path.stat().st_mtime_ns for path in (first / "tiles").iterdir()}
    told: Told = []
    make_map(request(ground, first), listening(told))
    assert told == [(4, 4)]
    assert {path.name: path.stat().st_mtime_ns for path in (first / "tiles").iterdir()} == before


def damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"?")


@pytest.mark.parametrize(
    "damage",
    [Path.unlink, damaged, lambda path: path.with_suffix(".json").unlink()],
    ids=["lost", "torn", "no receipt"],
)
def test_only_tiles_that_are_not_whole_are_estimated_again(damage, ground, first, copied):
    path = min((copied / "tiles").glob("*.npz"))
    damage(path)
    told: Told = []
    make_map(request(ground, copied), listening(told))
    assert told == [(3, 4), (4, 4)]
    assert contents(copied) == contents(first)


CHANGES = {
    "area": ({"area": "9.175,55.429,9.205,55.44"}, ("area:",)),
    "date": ({"date": "2021-06-11"}, ("moments:", "2021-06-11T23:59:59Z")),
    "as of": ({"as_of": "2021-06-20"}, ("as_of: None, now 2021-06-20",)),
}


@pytest.mark.parametrize("change", sorted(CHANGES))
def test_another_request_in_the_same_folder_is_refused(change, ground, copied):
    changes, words = CHANGES[change]
    before = contents(copied, "**/*.*")
    with pytest.raises(VadoseError) as refused:
        make_map(request(ground, copied, **changes), quiet)
    assert all(word in refused.value.problem for word in words)
    assert contents(copied, "**/*.*") == before


def test_other_networks_in_the_same_folder_are_refused(ground, copied, tmp_path):
    small_map.write_run(tmp_path / "run")
    network = small_map.network(7)
    small_map.save(network, tmp_path / "run" / "fold-0" / "network-1", {"products": {}}, small_map.scaling())
    asked = MapRequest(tmp_path / "run", ground / "archive", small_map.AREA, small_map.DATE, copied)
    with pytest.raises(VadoseError, match="checkpoints: fold-0/network-1"):
        make_map(asked, quiet)


def test_two_runs_on_one_folder_exclude_each_other(ground, tmp_path):
    holding = (
        "import sys, time; from pathlib import Path; from vadose.io.locks import exclusive_lock\n"
        "with exclusive_lock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", holding, tmp_path], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout and other.stdout.readline() == "held\n"
        with pytest.raises(VadoseError, match=f"Process {other.pid} on {socket.gethostname()} is writing to it"):
            make_map(request(ground, tmp_path), quiet)
        assert not (tmp_path / "plan.json").exists()
        other.kill()
    make_map(request(ground, tmp_path), quiet)


@pytest.fixture
def own(ground: Path, tmp_path: Path) -> Path:
    """A copy of archive and run, to be damaged."""
    for part in ("archive", "run"):
        subprocess.run(["cp", "-r", ground / part, tmp_path / part], check=True)
    return tmp_path


@pytest.mark.parametrize("fault", ["corrupt", "vanished"])
def test_a_source_whose_only_file_is_damaged_ends_a_map_before_it_begins(fault, own, first):
    raster = own / "archive" / "nasadem" / "ground" / "elevation.tif"
    whole = raster.read_bytes()
    raster.unlink() if fault == "vanished" else raster.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(VadoseError, match=r"dem: archive .*elevation\.tif.*--allow-unread"):
        make_map(request(own, own / "map"), quiet)
    assert not (own / "map").exists()
    raster.write_bytes(whole)
    make_map(request(own, own / "map"), quiet)
    assert pixels(own / "map") == pixels(first)


@pytest.mark.parametrize("fault", ["corrupt", "vanished"])
def test_tiles_that_fail_are_named_and_done_when_the_file_is_mended(fault, own, ground, first, monkeypatch):
    raster = own / "archive" / "nasadem" / "ground" / "elevation.tif"
    whole = raster.read_bytes()
    finish = mapping._finish

    def after_damage(*arguments: object) -> None:
        raster.unlink() if fault == "vanished" else raster.write_bytes(whole[: len(whole) // 3])
        finish(*arguments)

    with monkeypatch.context() as patched, pytest.raises(TilesFailed) as failed:
        patched.setattr(mapping, "_finish", after_damage)
        make_map(request(own, own / "map"), quiet)
    assert 1 <= len(failed.value.reasons) <= 4
    assert all("elevation.tif" in reason for reason in failed.value.reasons.values())
    assert not list((own / "map").glob("*.tif"))
    raster.write_bytes(whole)
    told: Told = []
    make_map(request(own, own / "map"), listening(told))
    assert told[0] == (4 - len(failed.value.reasons), 4) and told[-1] == (4, 4)
    assert pixels(own / "map") == pixels(first)


def pixels(folder: Path) -> dict[str, bytes]:
    """Values of every raster, whatever its tags say of folders."""
    found = {}
    for path in folder.glob("*.tif"):
        with rasterio.open(path) as file:
            found[path.name] = file.read().tobytes()
    return found


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_and_what_is_done_stays(number, ground, tmp_path, monkeypatch):
    written = []
    write = tile_files.write

    def until_full(*arguments):
        if len(written) == 2:
            raise OSError(number, os.strerror(number))
        written.append(write(*arguments))
        return written[-1]

    monkeypatch.setattr(tile_files, "write", until_full)
    with pytest.raises(VadoseError, match=r"The disk is full .*; 2 of 4 tiles are finished and kept"):
        make_map(request(ground, tmp_path / "map"), quiet)
    monkeypatch.undo()
    told: Told = []
    make_map(request(ground, tmp_path / "map"), listening(told))
    assert told[0] == (2, 4)


@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_the_map_is_the_same_whoever_does_the_tiles(scheduler, ground, first, tmp_path):
    make_map(request(ground, tmp_path / "map"), quiet, executor=Executor(scheduler, 2))
    assert contents(tmp_path / "map") == contents(first)


def test_a_scheduler_that_does_not_answer_is_refused(ground, tmp_path, monkeypatch):
    monkeypatch.setattr("vadose.mapping.executors.PATIENCE_S", 1.0)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(VadoseError, match="does not respond"):
        make_map(request(ground, tmp_path / "map"), quiet, executor=Executor(address))


@pytest.mark.parametrize("junk", [b"\xff" * 4096, b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 64, b""])
def test_an_address_that_answers_with_junk_is_refused(junk, monkeypatch):
    """The first bytes of an answer are the size of what comes: junk asks for exabytes."""
    monkeypatch.setattr("vadose.mapping.executors.PATIENCE_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    server.accept()[0].sendall(junk)

        Thread(target=answer, daemon=True).start()
        crew = Executor(f"tcp://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(VadoseError, match="does not respond as one"):
            list(crew.each(None, None, [None]))


@pytest.mark.parametrize(("scheduler", "workers"), [("cluster", 1), ("threads", 0)])
def test_a_crew_of_nobody_is_refused(scheduler, workers):
    with pytest.raises(VadoseError, match="threads, processes or tcp"):
        Executor(scheduler, workers)


DATES = {
    "a day": ("2021-06-10", None, ["2021-06-10T23:59:59"]),
    "a range": ("2021-06-08/2021-06-10", None, ["2021-06-08T23:59:59", "2021-06-09T23:59:59", "2021-06-10T23:59:59"]),
    "every third": ("2021-06-01/2021-06-08", "3", [f"2021-06-0{day}T23:59:59" for day in (1, 4, 7)]),
    "every pass": ("2021-06-01/2021-06-30", "pass", [time.removesuffix("Z") for time in small_map.PASSES]),
}


@pytest.mark.parametrize("dates", sorted(DATES))
def test_the_moments_that_were_asked_are_mapped(dates, ground, tmp_path):
    date, every, expected = DATES[dates]
    plan = prepare(request(ground, tmp_path / "map", date=date, every=every)).plan
    assert [str(np.datetime_as_string(moment, "s")) for moment in plan.moments] == expected
    assert not (tmp_path / "map").exists()


@pytest.mark.parametrize(
    ("date", "every", "words"),
    [
        ("2021-06-10/2021-06-01", None, "They end before they start"),
        ("2021-06-01/2021-06-10", "week", "not a whole number of days"),
        ("2021-06-01/2021-06-10", "0", "not a whole number of days"),
        ("2021-07-01/2021-07-10", "pass", "holds 3 items"),
        ("2021-06/2021-07", None, "with a day"),
    ],
)
def test_moments_that_are_none_are_refused(date, every, words, ground, tmp_path):
    with pytest.raises(VadoseError, match=words):
        make_map(request(ground, tmp_path / "map", date=date, every=every), quiet)
    assert not (tmp_path / "map").exists()


def test_many_moments_are_as_each_alone(ground, first):
    tools = WorkerContext.of(Run(ground / "run"), ground / "archive")
    tile = prepare(request(ground, first)).plan.tiles[0]
    moments = np.arange("2021-05-20T12", "2021-06-18T12", 7, dtype="datetime64[D]").astype("datetime64[ns]")
    together = estimate_times(tools, tile, tuple(moments))
    for number, moment in enumerate(moments):
        single = estimate_times(tools, tile, (moment,))
        one, other = single.estimates[0], together.estimates[number]
        for name in ("mean", "std", "quality"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        np.testing.assert_array_equal(one.ages["sentinel1"], other.ages["sentinel1"])
        assert single.items[0] == together.items[number]


RING = shapely.box(9.17, 55.42, 9.21, 55.45).difference(shapely.box(9.185, 55.43, 9.195, 55.44))


@pytest.mark.parametrize("suffix", ["gpkg", "shp", "geojson", "fgb", "parquet"])
@pytest.mark.parametrize("epsg", [4326, 3035, 32632])
def test_an_outline_in_any_projection_keeps_its_hole(suffix, epsg, tmp_path):
    path = tmp_path / f"ring.{suffix}"
    layer = geopandas.GeoDataFrame(geometry=[RING.segmentize(0.001)], crs=4326).to_crs(epsg)
    layer.to_parquet(path) if suffix == "parquet" else layer.to_file(path)
    area = read_area(str(path))
    expected = AreaOfInterest("ring", RING)
    assert area.geometry.symmetric_difference(expected.geometry).area < 1e-3 * RING.area
    hole = tile_around(9.19, 55.435, 0)
    beside = tile_around(9.18, 55.435, 0)
    assert not area.contains_cells(hole).any() and area.contains_cells(beside).all()


def test_an_outline_that_is_none_is_refused(tmp_path):
    points = geopandas.GeoDataFrame(geometry=[shapely.Point(9, 55)], crs=4326)
    points.to_file(tmp_path / "points.gpkg")
    geopandas.GeoDataFrame(geometry=[RING]).to_file(tmp_path / "nowhere.shp")
    (tmp_path / "torn.gpkg").write_bytes(b"SQLite format 3\0" + b"?" * 100)
    for name, words in (
        ("points.gpkg", "no polygon"),
        ("nowhere.shp", "no coordinate reference system"),
        ("torn.gpkg", "cannot be read"),
        ("absent.gpkg", "no such file"),
    ):
        with pytest.raises(VadoseError, match=words):
            read_area(str(tmp_path / name))


def told_by(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_dry_run_tells_the_cost_and_writes_nothing(ground, first, tmp_path):
    asked = ("map", ground / "run", ground / "archive", "--area", small_map.AREA, "--date", small_map.DATE)
    told = told_by(*asked, "--out", tmp_path / "map", "--dry-run")
    assert told.exit_code == 0, told.output
    assert "4 with" in told.output and "4 of them unfinished" in told.output and "MB per process" in told.output
    assert not (tmp_path / "map").exists()
    passes = [ground / "archive" / "sentinel-1-rtc" / f"pass{number}" for number in (0, 1)]
    read = sum(path.stat().st_size for folder in passes for path in folder.glob("*.tif"))
    assert f"sentinel1 {read / 1e6:,.1f} MB" in told.output
    again = told_by(*asked, "--out", first, "--dry-run")
    assert "0 of them unfinished" in again.output and "4 finished tasks" in again.output


def test_a_source_whose_only_file_is_gone_ends_a_map_before_it_begins(own):
    (own / "archive" / "nasadem" / "ground" / "elevation.tif").unlink()
    asked = ("map", own / "run", own / "archive", "--area", small_map.AREA, "--date", small_map.DATE)
    told = told_by(*asked, "--out", own / "map", "--no-pictures")
    assert isinstance(told.exception, VadoseError) and "elevation.tif" in str(told.exception)
    assert not list((own / "map").rglob("*.tif"))


def test_every_format_is_written_and_gives_the_same_series(ground, tmp_path):
    asked = request(ground, tmp_path / "map", date="2021-06-08/2021-06-10", formats=("cog", "zarr", "netcdf"))
    written = make_map(asked, quiet)
    assert [path.suffix for path in written] == [".tif"] * 3 + [".zarr", ".nc"]
    assert all(path.exists() for path in written)
    items = list(pystac.Collection.from_file(str(tmp_path / "map" / "collection.json")).get_items())
    assert len(items) == 3
    tables = []
    for number, maps in enumerate((written[-2], written[-1], tmp_path / "map")):
        out = tmp_path / f"{number}.csv"
        told = told_by("series", maps, "--point", "9.19,55.437", "--out", out)
        assert told.exit_code == 0 and "3 rows of 1 place in" in told.output
        tables.append(out.read_text())
    assert tables[0] == tables[1] == tables[2]
