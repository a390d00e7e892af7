"""The Python API of samples, runs and scorecards: pandas and xarray in and out, equal to what the commands write."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml
from affine import Affine
from odc.geo.geobox import GeoBox
from typer.testing import CliRunner

import small_map
import vadose
from small_points import config, mapping, table
from vadose.cli.main import app
from vadose.dataset import Samples, SampleWriter, TableMapping
from vadose.evaluation import read
from vadose.grid import from_lonlat, utm_epsg
from vadose.insitu import Ismn
from vadose.maps import map_dataset, read_map
from vadose.maps.opening import open_maps
from vadose.simulation import WorldConfig
from vadose.sources import open_sources

SENSORS = 12
EXPERIMENT = config(samples={"table": "table.csv", "columns": "columns.yaml"}, baselines=["climatology"])


def command(*arguments: object) -> str:
    ran = CliRunner().invoke(app, [*map(str, arguments)])
    assert ran.exit_code == 0, ran.output
    return ran.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated table, its columns and an experiment."""
    where = tmp_path_factory.mktemp("tables")
    table().to_csv(where / "table.csv", index=False)
    (where / "columns.yaml").write_text(yaml.safe_dump(mapping(), sort_keys=False))
    (where / "experiment.yaml").write_text(yaml.safe_dump(EXPERIMENT, sort_keys=False))
    return where


@pytest.fixture(scope="module")
def store(folder: Path) -> vadose.SampleStore:
    return vadose.build_samples(str(folder / "experiment.yaml"), str(folder / "store"))


@pytest.fixture(scope="module")
def run(folder: Path, store: vadose.SampleStore) -> vadose.Run:
    return vadose.train(str(folder / "experiment.yaml"), store, str(folder / "run"))


@pytest.fixture(scope="module")
def estimates(run: vadose.Run) -> pd.DataFrame:
    return run.estimates()


def test_samples_are_those_of_the_command(folder, store, tmp_path):
    said: list[str] = []
    again = vadose.import_table(
        str(folder / "table.csv"), str(folder / "columns.yaml"), tmp_path / "api", echo=said.append
    )
    told = command(
        "samples", "import-table", folder / "table.csv", "--columns", folder / "columns.yaml", "--out", tmp_path / "cli"
    )
    assert "\n".join(said).replace(f"{tmp_path}/api", f"{tmp_path}/cli") == told.strip() and "120" in said[0]
    for held in (again, vadose.open_samples(str(tmp_path / "cli"))):
        pd.testing.assert_frame_equal(held.index, store.index)
        np.testing.assert_array_equal(
            held.cells(["vv", "elevation"], held.rows), store.cells(["vv", "elevation"], store.rows)
        )
    assert vadose.describe_samples(store) == command("samples", "describe", tmp_path / "cli").strip().replace("\r", "")
    assert not vadose.verify_samples(str(store.path)).faults
    assert len(vadose.append_samples(str(tmp_path / "api"), store)) == len(store), "all of them are there already"


def test_an_experiment_of_keys_is_that_of_the_file(folder, monkeypatch):
    monkeypatch.chdir(folder)
    from vadose.api.inputs import as_experiment

    assert as_experiment(EXPERIMENT) == vadose.read_experiment(str(folder / "experiment.yaml"))
    with pytest.raises(vadose.VadoseError, match="shedule"):
        as_experiment(EXPERIMENT | {"shedule": {}})
    with pytest.raises(vadose.VadoseError, match=r"schedule\.epoch: unknown key .*'epochs'"):
        as_experiment(EXPERIMENT | {"schedule": {"epoch": 2}})


def test_a_store_says_what_it_holds(store):
    text, html = repr(store), store._repr_html_()
    for words in (
        str(store.path),
        "(simulated)",
        "120 of 12 sensors in 1 network",
        "2021-06-01..2021-06-10",
        "vv, elevation",
    ):
        assert words in text and words in html


def test_samples_are_seen_as_a_dataset(tmp_path):
    spec = vadose.InputSpec(("vv",), ("vv", "sand"), vadose.HistorySpec(("smap",), 3, 2.0), 0)
    rng = np.random.default_rng(1)
    index = pd.DataFrame(
        {"network": "SIMULATED", "station": [*"abc"], "sensor": "s", "lat": 50.0, "lon": [9.0, 9.1, 9.2]}
    )
    index = index.assign(time=pd.Timestamp("2021-06-01"), soil_moisture_in_situ=[0.1, 0.2, np.nan])
    cells, history = (
        rng.uniform(0.1, 0.4, (3, 2)).astype(np.float32),
        rng.uniform(0.1, 0.4, (3, 3, 1)).astype(np.float32),
    )
    pixels = rng.uniform(0.1, 0.4, (3, 1, 32, 32)).astype(np.float32)
    with SampleWriter.open(tmp_path / "store", spec, {}, simulated=True) as writer:
        writer.append(Samples(index, cells, history, pixels))
    store = vadose.open_samples(str(tmp_path / "store"))
    dataset = store.to_xarray()
    np.testing.assert_array_equal(dataset["sand"].values, cells[:, 1])
    np.testing.assert_array_equal(dataset["smap_history"].values, history[:, :, 0])
    assert list(dataset["step"].values) == [0, 2, 4] and dataset["step"].attrs["units"] == "day"
    assert dataset["vv_10m"].chunks is not None, "read when it is asked for"
    np.testing.assert_array_equal(dataset["vv_10m"].values, store.pixels(["vv"], store.rows, 0)[:, 0])
    np.testing.assert_allclose(dataset["vv_10m"].values, pixels[:, 0], rtol=0.01)
    np.testing.assert_array_equal(dataset["vv_10m"][1, 3:5, 7].values, dataset["vv_10m"].values[1, 3:5, 7])
    assert list(dataset["station"].values) == [*"abc"]
    np.testing.assert_array_equal(dataset["soil_moisture_in_situ"].values, index["soil_moisture_in_situ"])
    assert dataset["sand"].attrs["units"] == "kg kg-1" and dataset["soil_moisture_in_situ"].attrs["units"] == "m3 m-3"
    dataset.to_netcdf(tmp_path / "samples.nc")
    with xr.open_dataset(tmp_path / "samples.nc") as held:
        assert held["lat"].attrs["units"] == "degrees_north" and held["lon"].attrs["standard_name"] == "longitude"
        assert {"lat", "lon", "time"} <= set(held["sand"].coords)


def test_a_run_is_that_of_the_command(folder, run, tmp_path):
    told = command("train", folder / "experiment.yaml", "--out", tmp_path / "run", "--workers", 1)
    theirs = vadose.open_run(str(tmp_path / "run"))
    for model in ("network", "climatology"):
        pd.testing.assert_frame_equal(run.estimates(model), theirs.estimates(model))
    pd.testing.assert_frame_equal(run.headline, theirs.headline)
    assert run.headline_text in told and str(theirs.scorecard) in told
    assert all(run.headline.drop(columns="product").dtypes.map(pd.api.types.is_numeric_dtype))
    with pytest.raises(vadose.VadoseError, match="climatology, network"):
        run.estimates("trees")
    with pytest.raises(vadose.VadoseError, match="contains a run already"):
        vadose.train(folder / "experiment.yaml", out=tmp_path / "run")


def test_a_run_done_again_has_the_same_bytes_but_for_its_times(folder, run, store, tmp_path):
    vadose.train(str(folder / "experiment.yaml"), store, tmp_path / "again")
    files = [path for path in sorted(run.folder.rglob("*")) if path.is_file() and "journal" not in path.name]
    assert any("network-0" in path.parts for path in files)
    for path in files:
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(run.folder)).read_bytes(), path


def test_a_run_says_how_it_scored(run, tmp_path):
    text, html = repr(run), run._repr_html_()
    first = run.headline.iloc[0]
    for words in (str(run.folder), "point (simulated)", "network", "climatology", f"R {first['r']:.3f}"):
        assert words in text and words in html
    assert "experiment.json" in repr(vadose.Run(tmp_path)), "of a folder without a run"
    with pytest.raises(vadose.VadoseError, match="vadose train"):
        vadose.open_run(str(tmp_path))


def test_samples_are_estimated_as_by_the_command(run, store, tmp_path):
    model = vadose.load_model(run)
    table = model.predict(store)
    command("estimate", run.folder, store.path, "--out", tmp_path / "cli.parquet")
    written = model.predict(str(store.path), str(tmp_path / "api.parquet"))
    for held in (pd.read_parquet(tmp_path / "cli.parquet"), pd.read_parquet(tmp_path / "api.parquet"), written):
        pd.testing.assert_frame_equal(table, held)
    assert not table["seen_in_training"].any() and table["soil_moisture"].between(0, 1).all()
    assert (tmp_path / "cli.parquet").read_bytes() == (tmp_path / "api.parquet").read_bytes()


def test_a_scorecard_is_that_of_the_command(run, estimates, tmp_path):
    path = run.folder / "predictions" / "network.parquet"
    halved = estimates.assign(soil_moisture=0.5 * estimates["soil_moisture"])
    halved.to_parquet(tmp_path / "half.parquet")
    told = command("evaluate", path, f"half={tmp_path / 'half.parquet'}", "--min-samples", 5, "--out", tmp_path / "cli")
    card = vadose.evaluate({"network": path, "half": halved}, min_samples=5)
    assert str(card) == told[: told.index("\nScorecard: ")] and "network minus the others" in told
    written = pd.read_csv(tmp_path / "cli" / "scorecard.csv")
    assert list(card.sensors.columns) == list(written.columns) and len(card.sensors) == len(written)
    for name in ("r", "ubrmse", "bias", "n"):
        np.testing.assert_allclose(card.sensors[name], written[name])
    assert card.to_html(str(tmp_path / "card.html")).read_text() == (tmp_path / "cli" / "scorecard.html").read_text()
    assert card.to_markdown(tmp_path / "card.md").read_text() == (tmp_path / "cli" / "scorecard.md").read_text()
    assert card.write(str(tmp_path / "card")).name == "scorecard.md"
    assert list(card.headline["product"])[:2] == ["network", "half"]
    assert "SIMULATED" in repr(card) and "<table>" in card._repr_html_()
    again = vadose.evaluate([str(path), f"half={tmp_path / 'half.parquet'}"], min_samples=5, out=str(tmp_path / "list"))
    assert str(again) == str(card) and (tmp_path / "list" / "scorecard.html").is_file()
    with pytest.raises(vadose.VadoseError, match="other arguments"):
        vadose.evaluate(
            {"network": path, "half": halved + 0 * 1 if False else halved.iloc[:-1]},
            min_samples=5,
            out=tmp_path / "list",
        )


def test_a_table_in_memory_is_scored_as_its_file_is(estimates, tmp_path):
    estimates.to_parquet(tmp_path / "estimates.parquet")
    by_path = vadose.evaluate(tmp_path / "estimates.parquet", min_samples=5)
    by_table = vadose.evaluate(estimates, min_samples=5)
    assert str(by_table) == str(by_path) and "SIMULATED" in str(by_table), "its attributes are kept"
    pd.testing.assert_frame_equal(by_table.sensors, by_path.sensors)


def gridded(estimates: pd.DataFrame) -> xr.Dataset:
    """A product of 1 degree that reads a little wetter than the sensors, with a gap."""
    lat, times = np.arange(49.0, 63.0), pd.date_range("2021-06-01", periods=10, freq="D")
    wide = estimates.pivot_table(index="time", columns="lat", values="soil_moisture_in_situ").reindex(
        index=times, columns=lat
    )
    values = np.repeat(wide.to_numpy()[:, :, None] + 0.03, 3, axis=2)
    values[2, 4] = np.nan
    attrs = {"units": "m3 m-3", "standard_name": "volume_fraction_of_condensed_water_in_soil"}
    return xr.Dataset(
        {"sm": (("time", "lat", "lon"), values, attrs)}, {"time": times, "lat": lat, "lon": [8.0, 9.0, 10.0]}
    )


@pytest.mark.parametrize(
    "packing", [{}, {"dtype": "int16", "scale_factor": 1e-4, "_FillValue": -9999}], ids=["floats", "packed"]
)
def test_a_grid_in_memory_is_scored_as_its_files_are(packing, estimates, tmp_path):
    dataset = gridded(estimates)
    dataset.to_netcdf(tmp_path / "grid.nc", encoding={"sm": packing})
    dataset.to_zarr(tmp_path / "grid.zarr", encoding={"sm": packing}, zarr_format=3, consolidated=False)
    with xr.open_dataset(tmp_path / "grid.nc") as held:
        given = {"nc": tmp_path / "grid.nc", "zarr": str(tmp_path / "grid.zarr"), "dataset": held, "array": held["sm"]}
        cards = {kind: vadose.evaluate({"ours": estimates, "grid": one}, min_samples=5) for kind, one in given.items()}
    first = cards["nc"].sensors
    assert np.nanmedian(first.loc[first["product"] == "grid", "bias"]) == pytest.approx(0.03, abs=1e-3)
    for card in cards.values():
        pd.testing.assert_frame_equal(card.sensors, first)


def test_a_map_is_scored_as_it_was_opened(estimates):
    nodes = {}
    for number, (lat, rows) in enumerate(estimates.groupby("lat")):
        epsg = utm_epsg(9.0, lat)
        x, y = from_lonlat(epsg).transform(9.0, lat)
        west, north = x // 320 * 320 - 320, y // 320 * 320 + 640
        cells = GeoBox((3, 3), Affine(320, 0, west, 0, -320, north), f"EPSG:{epsg}")
        known = rows.sort_values("time")
        layers = [
            map_dataset(
                cells,
                *(np.full((3, 3), value, np.float32) for value in (wet - 0.02, 0.05)),
                np.zeros((3, 3), np.uint16),
            )
            for wet in known["soil_moisture_in_situ"]
        ]
        nodes[f"part{number}"] = xr.concat(layers, "time").assign_coords(time=known["time"].to_numpy())
    card = vadose.evaluate({"ours": estimates, "map": xr.DataTree.from_dict(nodes)}, min_samples=5)
    biases = card.sensors.loc[card.sensors["product"] == "map", "bias"]
    assert len(biases) == SENSORS
    np.testing.assert_allclose(biases, -0.02, atol=1e-6)


def test_what_is_no_product_is_refused(estimates):
    with pytest.raises(vadose.VadoseError, match="It is a int"):
        vadose.evaluate({"ours": estimates, "other": 3})
    with pytest.raises(vadose.VadoseError, match="no such file"):
        vadose.evaluate({"ours": "nowhere.parquet"})
    with pytest.raises(vadose.VadoseError, match="lacks network"):
        vadose.evaluate(pd.DataFrame({"time": []}))
    with pytest.raises(vadose.VadoseError, match="units"):
        vadose.evaluate(estimates, reading={"unit": "%"})


def write_world(folder: Path) -> Path:
    (folder / "world.yaml").write_text("preset: tiny\nseed: 7\n")
    return folder / "world.yaml"


def write_map(folder: Path) -> Path:
    small_map.write_archive(folder / "archive")
    small_map.write_run(folder / "small", members=1)
    paths = vadose.make_map(
        folder / "small", folder / "archive", small_map.AREA, small_map.DATE, folder / "map", pictures=False
    )
    return paths[0]


OPENED = {
    "samples": lambda path, folder: vadose.SampleStore.open(path(folder / "store")).index,
    "run": lambda path, folder: vadose.Run(path(folder / "run")).networks(),
    "experiment": lambda path, folder: vadose.read_experiment(path(folder / "experiment.yaml")),
    "columns": lambda path, folder: TableMapping.read(path(folder / "columns.yaml")),
    "predictions": lambda path, folder: read(path(folder / "run" / "predictions" / "network.parquet")),
    "world": lambda path, folder: WorldConfig.read(path(write_world(folder))),
    "sources": lambda path, folder: [source.name for source in open_sources(path(folder))],
    "ismn": lambda path, folder: Ismn(path(folder)).path,
}


@pytest.mark.parametrize("kind", sorted(OPENED))
def test_a_path_may_be_text(kind, folder, run):
    (by_text, by_path) = (OPENED[kind](path, folder) for path in (os.fspath, Path))
    if isinstance(by_text, pd.DataFrame):
        pd.testing.assert_frame_equal(by_text, by_path)
    else:
        assert by_text == by_path


def test_a_map_may_be_named_by_text(tmp_path):
    path = write_map(tmp_path)
    xr.testing.assert_identical(read_map(str(path)), read_map(path))
    ((_, by_text),) = open_maps(str(tmp_path / "map")).items()
    xr.testing.assert_identical(by_text, open_maps(tmp_path / "map")[small_map.EPSG])


def test_a_text_that_is_no_store_is_refused_in_words(tmp_path):
    for path in (str(tmp_path), tmp_path, str(tmp_path / "nowhere")):
        with pytest.raises(vadose.VadoseError, match=r"declaration\.json"):
            vadose.SampleStore.open(path)
