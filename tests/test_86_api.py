"""The Python API of archives, models and maps: light to import, CF out, and equal to what the commands write."""

import ast
import datetime as dt
import json
import subprocess
import sys
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
import xarray as xr
from typer.testing import CliRunner

import small_map
import vadose
from vadose.api.inputs import area_request, as_area, time_request
from vadose.cli.main import app
from vadose.fusion.feature_dataset import cubes_of, tile_of, to_dataset
from vadose.maps import NODATA
from vadose.registry import PREDICTORS, Quality

TIMES = ("2021-06-10", "2021-06-12")
BOX = tuple(map(float, small_map.AREA.split(",")))
TRIANGLE = shapely.Polygon([BOX[:2], (BOX[2], BOX[1]), (BOX[0], BOX[3])])


@pytest.fixture(scope="module")
def archive(ground: Path) -> vadose.Archive:
    return vadose.open_archive(str(ground / "archive"))


@pytest.fixture(scope="module")
def model(ground: Path) -> vadose.TrainedModel:
    return vadose.load_model(str(ground / "run"))


@pytest.fixture(scope="module")
def features(archive: vadose.Archive, model: vadose.TrainedModel) -> xr.Dataset:
    return archive.load(TRIANGLE, list(TIMES), model.inputs)


@pytest.fixture(scope="module")
def first(ground: Path, model: vadose.TrainedModel, archive: vadose.Archive) -> Path:
    """A map of two times."""
    out = ground / "map"
    vadose.make_map(model, archive, TRIANGLE, TIMES, out, formats=("cog", "zarr", "netcdf"), pictures=False)
    return out


def test_the_package_imports_nothing_heavy():
    code = "import sys; before = set(sys.modules); import vadose; print(*sorted(set(sys.modules) - before))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["vadose"]


def test_every_name_of_the_package_is_there_and_typed():
    stub = ast.parse(Path(vadose.__file__).with_suffix(".pyi").read_text())
    typed = {
        alias.asname: f"{node.module}.{alias.name}"
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert sorted(typed) == sorted(vadose.__all__)
    for name, where in typed.items():
        held = getattr(vadose, name)
        assert held is getattr(sys.modules[where.rpartition(".")[0]], name)
        assert held.__doc__ and name in dir(vadose)
    assert vadose.__version__.count(".") == 2
    with pytest.raises(AttributeError, match="no attribute 'open_archiv'"):
        vadose.open_archiv  # noqa: B018


def test_an_archive_says_what_it_holds(archive, ground):
    assert archive.contents.loc["sentinel1", "items"] == len(small_map.PASSES)
    assert archive.contents.loc["sentinel1", "first"] == pd.Timestamp("2021-06-03T05:30")
    assert archive.contents.loc["smap", "items"] == 0
    text, html = repr(archive), archive._repr_html_()
    for words in (str(ground / "archive"), "sentinel1", "3 items, 2021-06-03..2021-06-15"):
        assert words in text and words in html
    assert len(text.splitlines()) == 1 + len(archive.contents)
    with pytest.raises(vadose.VadoseError, match="no such folder"):
        vadose.open_archive(str(ground / "nowhere"))


def test_features_are_cf_with_units_and_a_crs(features, model):
    spec = model.inputs.features
    assert features.rio.crs.to_epsg() == small_map.EPSG
    assert features.attrs["Conventions"].startswith("CF-")
    for name in spec.cells:
        assert features[name].dims == ("time", "y", "x") and features[name].attrs["units"] == PREDICTORS[name].units
    for name in spec.pixels:
        assert features[f"{name}_10m"].dims == ("time", "y_10m", "x_10m")
        assert features[f"{name}_10m"].sizes["y_10m"] == 32 * (features.sizes["y"] + 2 * spec.halo)
    assert features["vv_history"].dims == ("time", "step", "y", "x")
    assert list(features["step"].values) == [0, 6, 12] and features["step"].attrs["units"] == "day"
    assert all(
        features[name].attrs.get("units") and features[name].encoding["grid_mapping"] for name in features.data_vars
    )
    assert features["x"].attrs["standard_name"] == "projection_x_coordinate"
    declared = json.loads(features.attrs["declaration"])
    assert {"ground", "optical", "pass1"} <= set(declared["made_from"]["items"])


def test_a_model_estimates_a_dataset_as_the_map_does(features, model, first):
    estimate = model.predict(features)
    tree = vadose.open_map(first)
    assert list(tree.children) == ["utm32n"]
    mapped = tree["utm32n"].to_dataset()
    assert {"soil_moisture", "soil_moisture_std", "quality", "age_sentinel1"} <= set(mapped)
    assert set(mapped.data_vars) == set(estimate.data_vars)
    for axis in ("time", "y", "x"):
        np.testing.assert_array_equal(estimate[axis].values, mapped[axis].values)
    for name in mapped.data_vars:
        np.testing.assert_allclose(estimate[name].values, mapped[name].values, atol=1e-4, err_msg=str(name))
    np.testing.assert_array_equal(estimate["quality"].values, mapped["quality"].values)
    inside = estimate["quality"].values != NODATA
    assert np.isfinite(estimate["soil_moisture"].values[inside]).any() and not inside.all()
    assert np.isnan(estimate["soil_moisture"].values[~inside]).all()


def test_estimates_are_cf_with_flags(features, model):
    estimate = model.predict(features)
    quality = estimate["quality"].attrs
    assert quality["flag_meanings"].split() == [flag.name.lower() for flag in Quality]
    assert list(quality["flag_masks"]) == [flag.value for flag in Quality]
    assert estimate["soil_moisture"].attrs["units"] == estimate["soil_moisture_std"].attrs["units"] == "m3 m-3"
    assert estimate.rio.crs.to_epsg() == small_map.EPSG and estimate.attrs["Conventions"].startswith("CF-")
    for axis in ("x", "y"):
        attrs = estimate[axis].attrs
        assert (attrs["standard_name"], attrs["axis"]) == (f"projection_{axis}_coordinate", axis.upper())


def test_features_of_a_file_give_the_same_estimates(features, model, tmp_path):
    features.to_netcdf(tmp_path / "features.nc")
    with xr.open_dataset(tmp_path / "features.nc", decode_coords="all") as held:
        xr.testing.assert_identical(model.predict(held)["soil_moisture"], model.predict(features)["soil_moisture"])
        one = model.predict(held.isel(time=1))
    xr.testing.assert_equal(one.drop_vars("time"), model.predict(features).isel(time=1).drop_vars("time"))


def test_features_are_cut_into_the_tiles_they_were_put_together_from(features, model):
    spec = model.inputs.features
    whole = tile_of(features)
    cubes = {(number, tile.west, tile.north): cube for number, tile, cube in cubes_of(features, spec, 2)}
    assert len(cubes) == len(TIMES) * -(-whole.rows // 2) * -(-whole.columns // 2)
    (_, _, one), *_ = list(cubes_of(features, spec, 99))
    again = to_dataset([one], spec.history.step_days)
    for name in again.data_vars:
        np.testing.assert_array_equal(again[name].values[0], features[name].values[0])
    cube = cubes[0, whole.west + 2, whole.north - 2]
    np.testing.assert_array_equal(cube.cells["vv"].values, features["vv"].values[0, 2:4, 2:4])


FAULTS = {
    "no pixels": (lambda d: d.drop_vars("vv_10m"), "lacks vv_10m"),
    "other units": (lambda d: d.assign(vv=d["vv"].assign_attrs(units="dB")), "units are 'dB'"),
    "no CRS": (lambda d: d.drop_vars("spatial_ref"), "no readable `spatial_ref`"),
    "another grid": (lambda d: d.assign_coords(x=d["x"] + 10), "axis x is not that"),
    "half of the pixels": (lambda d: d.isel(x_10m=slice(0, -32)), "axis x_10m is not that"),
    "no halo": (lambda d: d.isel(x_10m=slice(64, -64), y_10m=slice(64, -64)), "extend 0 cells"),
    "few steps": (lambda d: d.isel(step=slice(0, 2)), "2 steps"),
}


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_features_that_do_not_serve_are_refused(fault, features, model):
    change, words = FAULTS[fault]
    with pytest.raises(vadose.VadoseError, match=words):
        model.predict(change(features))


def test_predictors_by_name_and_all_of_them_are_loaded(archive):
    some = archive.load(small_map.AREA, "2021-06-10", ["vv", "elevation"])
    assert {"vv", "elevation", "sentinel1_age"} <= set(some) and "vh" not in some and "vv_10m" not in some
    everything = archive.load(small_map.AREA, "2021-06-10")
    assert PREDICTORS.keys() - {"organic_carbon", "smap_usda"} <= set(everything.data_vars)
    assert np.isnan(everything["smap"]).all(), "the archive has none"
    with pytest.raises(vadose.VadoseError, match="rain"):
        archive.load(small_map.AREA, "2021-06-10", ["rain"])
    with pytest.raises(vadose.VadoseError, match="32632, 32633"):
        archive.load((11.9, 55.0, 12.1, 55.1), "2021-06-10")
    with pytest.raises(vadose.VadoseError, match="GiB"):
        archive.load((6.1, 45.0, 11.9, 55.0), slice("2021-01-01", "2021-12-31"), ["vv"])
    with pytest.raises(vadose.NoDataError, match="sentinel-1-rtc") as nothing:
        archive.load((8.1, 45.0, 8.2, 45.1), "2021-06-10", ["vv"])
    assert "sentinel2" not in str(nothing.value), "only sources that were asked for are named"


def test_what_was_published_later_is_not_loaded(archive):
    late, early = (
        archive.load(small_map.AREA, "2021-06-10", ["vv"], as_of=day) for day in ("2021-07-01", "2021-06-05")
    )
    assert late["sentinel1_age"].max() < 2 < early["sentinel1_age"].min()


def test_a_map_is_the_one_of_the_command(ground, first, tmp_path):
    arguments = [
        "map",
        ground / "run",
        ground / "archive",
        "--area",
        small_map.AREA,
        "--no-pictures",
        "--out",
        tmp_path / "map",
    ]
    one = vadose.make_map(
        str(ground / "run"), str(ground / "archive"), BOX, "2021-06-10", str(tmp_path / "api"), pictures=False
    )
    ran = CliRunner().invoke(app, [*map(str, arguments), "--date", "2021-06-10"])
    assert ran.exit_code == 0, ran.output
    for path in one:
        with rasterio.open(path) as ours, rasterio.open(tmp_path / "map" / path.name) as theirs:
            np.testing.assert_array_equal(ours.read(), theirs.read())
            assert ours.tags()["declaration"] == theirs.tags()["declaration"]
    plans = [json.loads((folder / "plan.json").read_text()) for folder in (tmp_path / "api", tmp_path / "map")]
    assert plans[0] == plans[1], "one request, however it is asked"
    cost = vadose.estimate_map_cost(ground / "run", ground / "archive", BOX, "2021-06-10", tmp_path / "map")
    assert cost.left == 0


def test_every_file_of_a_map_opens_alike(first):
    whole = vadose.open_map(str(first))["utm32n"]
    for suffix in ("zarr", "nc"):
        (path,) = first.glob(f"soil_moisture_*.{suffix}")
        held = vadose.open_map(path)["utm32n"]
        for name in whole.data_vars:
            np.testing.assert_array_equal(held[name].values, whole[name].values)
    path = max(path for path in first.glob("*.tif") if not path.stem.endswith(("_quality", "_age")))
    np.testing.assert_array_equal(vadose.open_map(path)["utm32n"]["quality"].values[0], whole["quality"].values[1])
    with pytest.raises(vadose.VadoseError, match="folder"):
        vadose.open_map(str(first / "tiles"))


def test_series_of_a_map_are_those_of_its_cells(first, tmp_path):
    lon, lat = (3 * BOX[0] + BOX[2]) / 4, (3 * BOX[1] + BOX[3]) / 4
    table = vadose.extract_series(str(first), str(tmp_path / "series.parquet"), locations=[(lon, lat)])
    assert list(table["time"]) == list(vadose.open_map(first)["utm32n"]["time"].values)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "series.parquet"), table)
    frame = vadose.extract_series(
        first, tmp_path / "named.csv", points=pd.DataFrame({"lon": [lon], "lat": [lat], "place": ["field"]})
    )
    assert list(frame["place"]) == ["field", "field"]
    np.testing.assert_array_equal(frame["soil_moisture"], table["soil_moisture"])


BOX_SHAPE = shapely.box(*BOX)
AREAS = {
    "text": small_map.AREA,
    "tuple": BOX,
    "array": np.array(BOX),
    "shape": BOX_SHAPE,
    "GeoJSON": shapely.geometry.mapping(BOX_SHAPE),
    "GeoDataFrame": geopandas.GeoDataFrame(geometry=[BOX_SHAPE], crs=4326),
    "GeoSeries": geopandas.GeoSeries([BOX_SHAPE], crs=4326),
    "of the grid": vadose.AreaOfInterest.from_bbox(*BOX),
}


@pytest.mark.parametrize("kind", AREAS)
def test_an_area_may_be_given_in_many_ways(kind):
    assert as_area(AREAS[kind]).geometry.symmetric_difference(BOX_SHAPE).area < 1e-9
    held = area_request(AREAS[kind])
    assert held == small_map.AREA if kind in ("text", "tuple", "array") else isinstance(held, vadose.AreaOfInterest)


def test_an_area_of_a_file_and_of_another_projection(tmp_path):
    projected = geopandas.GeoDataFrame(geometry=[BOX_SHAPE], crs=4326).to_crs(small_map.EPSG)
    projected.to_file(tmp_path / "area.gpkg")
    for area in (projected, tmp_path / "area.gpkg", str(tmp_path / "area.gpkg")):
        assert as_area(area).geometry.symmetric_difference(BOX_SHAPE).area < 1e-6


@pytest.mark.parametrize(
    "area", [(1, 2, 3), "Denmark", 7, geopandas.GeoSeries([BOX_SHAPE]), shapely.Point(9, 55), object()]
)
def test_an_area_that_is_none_is_refused(area):
    with pytest.raises(vadose.VadoseError):
        as_area(area)


MOMENT = "2021-06-10T18:00:00"
ZONE = dt.timezone(dt.timedelta(hours=2))


@pytest.mark.parametrize(
    ("time", "text"),
    [
        ("2021-06-10", "2021-06-10"),
        (dt.date(2021, 6, 10), "2021-06-10"),
        (np.datetime64("2021-06-10"), "2021-06-10"),
        (dt.datetime(2021, 6, 10, 18), MOMENT),
        (dt.datetime(2021, 6, 10, 20, tzinfo=ZONE), MOMENT),
        (pd.Timestamp(MOMENT), MOMENT),
        (np.datetime64(MOMENT), MOMENT),
        (slice("2021-06-01", "2021-06-10"), "2021-06-01/2021-06-10"),
        (slice(dt.date(2021, 6, 1), np.datetime64("2021-06-10")), "2021-06-01/2021-06-10"),
    ],
)
def test_a_time_may_be_given_in_many_ways(time, text):
    assert time_request(time) == (text, None)


def test_intervals_and_lists_of_times():
    assert time_request(slice("2021-06-01", "2021-06-10", 3)) == ("2021-06-01/2021-06-10", "3")
    assert time_request(slice("2021-06-01", "2021-06-10", "pass")) == ("2021-06-01/2021-06-10", "pass")
    assert time_request("2021-06-01/2021-06-10", 2) == ("2021-06-01/2021-06-10", "2")
    asked = pd.DatetimeIndex(["2021-06-12", "2021-06-10", "2021-06-12"])
    days = ["2021-06-10T00:00", "2021-06-12T00:00"]
    for several in (asked, asked.to_numpy(), list(asked), list(asked.astype(str) + "T00:00")):
        times, _ = time_request(several)
        np.testing.assert_array_equal(times, np.array(days, "datetime64[ns]"))


@pytest.mark.parametrize("time", [7, None, [], [None], "soon", slice("2021-06-01", None), np.datetime64("NaT")])
def test_a_time_that_is_none_is_refused(time, archive):
    with pytest.raises(vadose.VadoseError):
        archive.load(small_map.AREA, time, ["vv"])


def test_passes_may_be_loaded(archive):
    held = archive.load(small_map.AREA, slice("2021-06-01", "2021-06-30", "pass"), ["vv"])
    np.testing.assert_array_equal(
        held["time"].values, np.array([text[:-1] for text in small_map.PASSES], "datetime64[ns]")
    )


def test_a_model_says_what_it_reads(model, ground):
    text, html = repr(model), model._repr_html_()
    for words in (
        "Model 'small' (trained on a simulated Earth)",
        str(ground / "run"),
        "networks        2",
        "vv, vh, elevation",
    ):
        assert words in text
    assert "<table>" in html and "vv, vh, elevation" in html
    assert vadose.load_model(model) is model
    with pytest.raises(vadose.VadoseError, match="vadose train"):
        vadose.load_model(str(ground / "archive"))


def test_quality_flags_are_shown_by_name():
    assert repr(Quality.STALE) == f"<Quality.STALE: {Quality.STALE.value}>" and str(Quality.STALE) == "256"
    assert f"{Quality.STALE}" == "256" and "STALE = 256" in repr(Quality)


@pytest.mark.parametrize("data", [3, None, [1, 2]])
def test_a_model_refuses_what_is_neither_features_nor_samples(data, model):
    with pytest.raises(vadose.VadoseError, match=type(data).__name__):
        model.predict(data)


def test_commands_call_the_api_alone():
    allowed = ("vadose.cli", "vadose.errors", "vadose.io", "vadose.report.text", "vadose.products.described")
    for path in (Path(vadose.__file__).parent / "cli").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("vadose"):
                assert node.module == "vadose" or node.module.startswith(allowed), f"{path.name}: {node.module}"
