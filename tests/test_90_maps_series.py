"""Series at points and over polygons: the cells that hold them, from whatever file the maps lie in."""

from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr

from vadose.errors import VadoseError
from vadose.grid import AreaOfInterest, Tile, cell_centres
from vadose.mapping.points import read_points, read_polygons, series_of
from vadose.maps import NODATA, at_points, cubes, map_dataset, over_polygons, write_map
from vadose.maps.opening import open_maps

EAST, WEST = Tile(32633, 936, 16500, 12, 10), Tile(32632, 2148, 16500, 12, 10)
"""On either side of the border of two zones, 12 degrees east."""
MOMENTS = tuple(np.array(["2021-06-10T23:59:59", "2021-06-12T05:30:00"], "datetime64[ns]"))


def painted(tile: Tile, number: int) -> xr.Dataset:
    """Longitude plus the number of the moment as moisture, latitude as spread; the last row outside."""
    lon, lat = cell_centres(tile)
    quality = np.tile(np.array([1, 64]), (tile.rows, tile.columns // 2))
    quality[-1] = NODATA
    known = quality != NODATA
    mean, spread = (np.where(known, values, np.nan) for values in (lon + number, lat))
    return map_dataset(tile.cells, mean, spread, quality, {"smap": np.where(known, number + 0.5, np.nan)})


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same maps in each form."""
    folder = tmp_path_factory.mktemp("maps")
    every = [[painted(tile, number) for tile in (WEST, EAST)] for number in range(2)]
    for form in ("zarr", "netcdf"):
        with cubes(folder / form, MOMENTS, form, {}, "SIMULATED") as whole:
            for moment, zones in zip(MOMENTS, every, strict=True):
                whole.put(moment, zones)
    for moment, zones in zip(MOMENTS, every, strict=True):
        write_map(folder / "cog", zones, time=moment, made_from={}, notice="SIMULATED")
    return {form: folder / form for form in ("zarr", "netcdf", "cog")}


@pytest.mark.parametrize("form", ["zarr", "netcdf", "cog"])
@pytest.mark.parametrize("tile", [WEST, EAST], ids=["west", "east"])
def test_a_point_has_the_series_of_the_cell_that_holds_it(form, tile, maps):
    lon, lat = cell_centres(tile)
    places = pd.DataFrame({"place": ["a", "b"], "lon": [lon[2, 3] + 0.001, lon[0, 0]], "lat": [lat[2, 3], lat[0, 0]]})
    table = at_points(open_maps(maps[form]), places)
    assert table["place"].tolist() == ["a", "a", "b", "b"]
    assert (table["time"].to_numpy("datetime64[s]") == np.tile(np.array(MOMENTS).astype("datetime64[s]"), 2)).all()
    expected = [lon[2, 3], lon[2, 3] + 1, lon[0, 0], lon[0, 0] + 1]
    np.testing.assert_allclose(table["soil_moisture"], expected, atol=1e-5)
    np.testing.assert_allclose(table["soil_moisture_std"], np.repeat([lat[2, 3], lat[0, 0]], 2), atol=1e-4)
    assert table["quality"].tolist() == [64, 64, 1, 1]
    assert table["age_smap"].tolist() == [0.5, 1.5, 0.5, 1.5]


def test_a_point_outside_is_blank_and_points_that_are_all_outside_are_refused(maps):
    lon, lat = cell_centres(WEST)
    zones = open_maps(maps["zarr"])
    places = pd.DataFrame(
        {"place": ["in", "edge", "far"], "lon": [lon[0, 0], lon[-1, 0], 40.0], "lat": [lat[0, 0], lat[-1, 0], 1.0]}
    )
    table = at_points(zones, places).set_index("place")
    assert table.loc["in", "soil_moisture"].notna().all()
    for name in ("edge", "far"):
        assert table.loc[name, "soil_moisture"].isna().all() and (table.loc[name, "quality"] == NODATA).all()
    with pytest.raises(VadoseError, match="None of them is within the maps, which are in EPSG:32632, 32633"):
        at_points(zones, places[places["place"] != "in"])


def test_a_polygon_across_zones_has_the_mean_of_its_cells(maps):
    zones = open_maps(maps["zarr"])
    parts = [np.stack(cell_centres(tile)) for tile in (WEST, EAST)]
    held = [shapely.contains_xy(box(), *part) for part in parts]
    counted = [where & (np.arange(10) < 9)[:, np.newaxis] for where in held]
    lon = np.concatenate([part[0][where] for part, where in zip(parts, counted, strict=True)])
    assert all(where.sum() > 5 for where in counted)
    table = over_polygons(zones, {"both": box()})
    np.testing.assert_allclose(table["soil_moisture"], [lon.mean(), lon.mean() + 1], atol=1e-5)
    assert table["cells"].tolist() == [len(lon)] * 2
    assert table["quality"].tolist() == [65, 65]
    assert table["age_smap"].tolist() == [0.5, 1.5]
    with pytest.raises(VadoseError, match=r"the polygon 'tiny'.*no cell centre"):
        over_polygons(zones, {"both": box(), "tiny": box().centroid.buffer(1e-6)})


def box() -> shapely.Polygon:
    lon, lat = np.concatenate([np.stack(cell_centres(tile)).reshape(2, -1) for tile in (WEST, EAST)], axis=1)
    return shapely.box(np.quantile(lon, 0.2), lat.min() - 0.01, np.quantile(lon, 0.8), np.quantile(lat, 0.9))


@pytest.mark.parametrize("suffix", ["csv", "parquet", "nc"])
def test_series_are_written_as_asked(suffix, maps, tmp_path):
    lon, lat = cell_centres(WEST)
    (tmp_path / "points.csv").write_text(f"place,lat,lon\nfarm,{lat[1, 1]},{lon[1, 1]}\nfar,1.0,40.0\n")
    out = tmp_path / f"series.{suffix}"
    at = f"{lon[2, 2]},{lat[2, 2]}"
    table = series_of(maps["cog"], out, [at], tmp_path / "points.csv")
    assert table["place"].unique().tolist() == [at, "farm", "far"]
    if suffix == "nc":
        with xr.open_dataset(out) as opened:
            assert opened.attrs["featureType"] == "timeSeries" and opened.attrs["comment"] == "SIMULATED"
            assert opened["soil_moisture"].sel(place="farm").values == pytest.approx([lon[1, 1], lon[1, 1] + 1])
            assert opened["lon"].sel(place="farm").item() == pytest.approx(lon[1, 1])
        return
    read = pd.read_csv(out, parse_dates=["time"]) if suffix == "csv" else pd.read_parquet(out)
    assert read["soil_moisture"].to_numpy() == pytest.approx(table["soil_moisture"].to_numpy(), nan_ok=True, rel=1e-5)
    assert read["quality"].tolist() == table["quality"].tolist()


def test_polygons_are_named_by_their_column_and_read_in_any_projection(maps, tmp_path):
    layer = geopandas.GeoDataFrame({"name": ["both"]}, geometry=[box()], crs=4326).to_crs(3035)
    layer.to_file(tmp_path / "fields.gpkg")
    table = series_of(maps["netcdf"], tmp_path / "series.csv", polygons=tmp_path / "fields.gpkg")
    expected = over_polygons(open_maps(maps["netcdf"]), {"both": box()})
    assert abs(int(table["cells"].iloc[0]) - int(expected["cells"].iloc[0])) <= 2
    assert table["place"].tolist() == ["both", "both"]
    twice = pd.concat([layer, layer])
    geopandas.GeoDataFrame(twice, crs=3035).to_file(tmp_path / "twice.gpkg")
    with pytest.raises(VadoseError, match="two have the same name"):
        read_polygons(tmp_path / "twice.gpkg")


def test_places_that_are_none_are_refused(maps, tmp_path):
    out = tmp_path / "series.csv"
    lon, lat = cell_centres(WEST)
    (tmp_path / "points.csv").write_text("x,y\n1,2\n")
    for ask, words in (
        (lambda: series_of(maps["cog"], out), "There are none"),
        (lambda: series_of(maps["cog"], out, ["12,48"], polygons=tmp_path / "a.gpkg"), "both points and polygons"),
        (lambda: series_of(maps["cog"], out, ["here"]), "not two numbers"),
        (lambda: read_points(tmp_path / "points.csv"), "columns lon and lat"),
        (lambda: series_of(tmp_path, out, ["12,48"]), "Give the folder that 'vadose map' wrote"),
        (lambda: series_of(maps["cog"], tmp_path / "a.xls", [f"{lon[0, 0]},{lat[0, 0]}"]), ".csv, .parquet, .nc"),
    ):
        with pytest.raises(VadoseError, match=words):
            ask()
    assert not out.exists()


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".nc"])
@pytest.mark.parametrize("ways", [("at", "at"), ("at", "points"), ("points", "points")])
def test_a_place_named_twice_is_two_rows_a_time_or_refused_where_a_place_has_one(suffix, ways, maps, tmp_path):
    lon, lat = cell_centres(WEST)
    at = f"{lon[0, 0]},{lat[0, 0]}"
    (tmp_path / "points.csv").write_text("place,lon,lat\n" + f'"{at}",{at}\n' * ways.count("points"))
    points = tmp_path / "points.csv" if "points" in ways else None
    out = tmp_path / f"series{suffix}"
    if suffix == ".nc":
        with pytest.raises(VadoseError, match=r"The place '.*' is repeated"):
            series_of(maps["cog"], out, [at] * ways.count("at"), points)
        assert not out.exists()
        return
    assert len(series_of(maps["cog"], out, [at] * ways.count("at"), points)) == 2 * len(MOMENTS)


def test_a_cube_of_something_else_is_refused(tmp_path):
    xr.Dataset({"rain": ("x", [1.0])}).to_netcdf(tmp_path / "soil_moisture_1.nc")
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "soil_moisture_1.nc").write_bytes(b"torn")
    for folder, words in ((tmp_path, "contains no map"), (tmp_path / "torn", "neither NetCDF nor HDF5")):
        with pytest.raises(VadoseError, match=words):
            open_maps(folder)


def test_an_area_is_whole_in_its_series(maps):
    area = AreaOfInterest.from_tile(WEST)
    table = over_polygons(open_maps(maps["zarr"]), {"all": area.geometry})
    assert (table["cells"] >= 9 * 12).all()
