"""Any product at sensors: grids of every make are sampled in the right cell, what cannot be told is refused."""

from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS, Transformer

import vadose
from vadose.errors import NoDataError, VadoseError
from vadose.insitu.conversion import archive_to_parquet
from vadose.insitu.ismn import Ismn
from vadose.products import Product, Reading, gathered

DAYS = pd.date_range("2021-06-01", periods=30, freq="D")
LAT, LON = np.arange(40.25, 45, 0.5), np.arange(8.25, 14, 0.5)


def painted(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """A moisture that tells its place: (lat, lon), different in every cell."""
    return 0.05 + 0.01 * (lat[:, np.newaxis] - 40) + 0.03 * (lon[np.newaxis, :] - 8)


def grid(lat: np.ndarray = LAT, lon: np.ndarray = LON, scale: float = 1.0, units: str | None = "m3 m-3") -> xr.Dataset:
    """A product of cells that each have their own level, wetter from day to day."""
    values = painted(lat, np.where(lon > 180, lon - 360, lon)) + 0.002 * np.arange(len(DAYS))[:, None, None]
    attrs = {} if units is None else {"units": units}
    return xr.Dataset(
        {"sm": (("time", "lat", "lon"), scale * values, attrs)},
        {
            "time": DAYS,
            "lat": ("lat", lat, {"standard_name": "latitude", "units": "degrees_north"}),
            "lon": ("lon", lon, {"standard_name": "longitude", "units": "degrees_east"}),
        },
    )


def sensors(places: tuple[tuple[float, float], ...] = ((41.3, 9.4), (44.1, 13.2), (42.74, 10.01))) -> pd.DataFrame:
    """Readings an hour after each layer, a little off."""
    rng = np.random.default_rng(3)
    parts = [
        pd.DataFrame(
            {
                "network": "NET",
                "station": f"st{number}",
                "sensor": "s",
                "lat": lat,
                "lon": lon,
                "time": DAYS + pd.Timedelta("1h"),
                "soil_moisture": 0.2,
                "soil_moisture_in_situ": 0.15 + 0.002 * np.arange(len(DAYS)) + rng.normal(0, 0.01, len(DAYS)),
            }
        )
        for number, (lat, lon) in enumerate(places)
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture
def places(tmp_path: Path) -> Path:
    sensors().to_parquet(tmp_path / "sensors.parquet")
    return tmp_path / "sensors.parquet"


def sampled(dataset: xr.Dataset, places: Path, **reading: object) -> pd.DataFrame:
    path = places.parent / "product.nc"
    dataset.to_netcdf(path)
    return gathered([Product(name="grid", path=path, **reading)], places).tables["grid"]


def expected(table: pd.DataFrame) -> np.ndarray:
    """What the cell of half a degree that holds a place says on the day of the row."""
    lat, lon = (np.floor(table[name] * 2) / 2 + 0.25 for name in ("lat", "lon"))
    day = (table["time"] - DAYS[0]).dt.days
    return (0.05 + 0.01 * (lat - 40) + 0.03 * (lon - 8) + 0.002 * day).to_numpy()


MAKES = {
    "as it is": lambda d: d,
    "south first": lambda d: d.isel(lat=slice(None, None, -1)),
    "axes swapped": lambda d: d.transpose("lon", "time", "lat"),
    "east first": lambda d: d.isel(lon=slice(None, None, -1)),
    "a level of one": lambda d: d.expand_dims("depth"),
    "other names": lambda d: d.rename(lat="north_south", lon="east_west"),
    "names alone": lambda d: d.assign_coords(lat=d.lat.values, lon=d.lon.values),
    "packed": lambda d: d.assign(sm=d.sm.assign_attrs(d.sm.attrs)),
    "times shuffled": lambda d: d.isel(time=np.random.default_rng(0).permutation(len(DAYS))),
}


@pytest.mark.parametrize("make", sorted(MAKES))
def test_every_make_of_a_grid_gives_the_cell_that_holds_the_sensor(make, places):
    table = sampled(MAKES[make](grid()), places)
    np.testing.assert_allclose(table["soil_moisture"], expected(table), atol=1e-6)
    assert (table["cell_distance_km"] < 40).all()


def test_longitudes_from_0_to_360_and_the_seam(places):
    lon = np.arange(0.25, 360, 0.5)
    west = (0.1, 359.9, -0.1, -179.9, 179.9)
    sensors(tuple((42.2, (x + 180) % 360 - 180) for x in west)).to_parquet(places)
    whole = grid(lon=lon)
    whole["sm"] = (("time", "lat", "lon"), np.broadcast_to(lon / 1000, whole.sm.shape).copy(), whole.sm.attrs)
    table = sampled(whole, places)
    found = table.groupby("station")["soil_moisture"].first() * 1000
    np.testing.assert_allclose(found, [0.25, 359.75, 359.75, 180.25, 179.75], atol=1e-4)


@given(st.floats(-179.9, 179.9), st.floats(-59, 59))
def test_no_other_cell_is_nearer(lon, lat):
    from vadose.products.axes import grid_of

    product = grid(np.arange(59.75, -60, -0.5), np.arange(0.25, 360, 0.5))
    column, row, away = grid_of(product.sm, "trial").cells(np.array([lon]), np.array([lat]))
    assert abs(float(product.lat[row[0]]) - lat) <= 0.2500001
    assert abs((float(product.lon[column[0]]) - lon + 180) % 360 - 180) <= 0.2500001
    assert away[0] < 40


def test_a_projected_grid_with_its_mapping(places):
    crs = CRS.from_epsg(6933)
    x, y = np.arange(700_000, 1_400_000, 9_000.0), np.arange(5_300_000, 4_700_000, -9_000.0)
    _, lat = Transformer.from_crs(crs, 4326, always_xy=True).transform(*np.meshgrid(x, y))
    product = xr.Dataset(
        {"sm": (("y", "x"), lat / 100, {"units": "m3 m-3", "grid_mapping": "crs"})},
        {
            "y": ("y", y, {"standard_name": "projection_y_coordinate"}),
            "x": ("x", x, {"standard_name": "projection_x_coordinate"}),
            "crs": ((), 0, crs.to_cf()),
        },
    ).expand_dims(time=DAYS)
    table = sampled(product, places)
    assert abs(table["soil_moisture"] * 100 - table["lat"]).max() < 0.07
    assert (table["cell_distance_km"] < 6.5).all()


def by_latitude(
    crs: CRS, x: np.ndarray, y: np.ndarray, units: str, unit: float = 1.0, kind: str = "projection_{}_coordinate"
) -> xr.Dataset:
    """A product on projected axes in any unit, that tells the latitude of each cell / 100."""
    _, lat = Transformer.from_crs(crs, 4326, always_xy=True).transform(*np.meshgrid(x, y))
    axis = {"x": "longitude", "y": "latitude"} if crs.is_geographic else {"x": "x", "y": "y"}
    return xr.Dataset(
        {"sm": (("y", "x"), lat / 100, {"units": "m3 m-3", "grid_mapping": "crs"})},
        {
            "y": ("y", y / unit, {"standard_name": kind.format(axis["y"]), "units": units}),
            "x": ("x", x / unit, {"standard_name": kind.format(axis["x"]), "units": units}),
            "crs": ((), 0, crs.to_cf()),
        },
    ).expand_dims(time=DAYS)


EASE2_X, EASE2_Y = np.arange(700_000, 1_400_000, 9_000.0), np.arange(5_300_000, 4_700_000, -9_000.0)
GEOS = CRS.from_proj4("+proj=geos +h=35786023 +lon_0=0 +sweep=x +ellps=GRS80")
GEOS_X, GEOS_Y = np.arange(5e5, 1.3e6, 5e3), np.arange(4.8e6, 3.8e6, -5e3)
ROTATED = CRS.from_cf(
    {
        "grid_mapping_name": "rotated_latitude_longitude",
        "grid_north_pole_latitude": 39.25,
        "grid_north_pole_longitude": -162.0,
    }
)
GRIDS = {
    "kilometres": by_latitude(CRS.from_epsg(6933), EASE2_X, EASE2_Y, "km", 1000),
    "feet": by_latitude(CRS.from_epsg(6933), EASE2_X, EASE2_Y, "ft", 0.3048),
    "angles from a satellite": by_latitude(GEOS, GEOS_X, GEOS_Y, "rad", 35786023),
    "a projection under the names of degrees": by_latitude(CRS.from_epsg(6933), EASE2_X, EASE2_Y, "m").rename(
        x="lon", y="lat"
    ),
    "a rotated pole under the names of degrees": by_latitude(
        ROTATED, np.arange(-9, -2, 0.11), np.arange(-10, -3, 0.11), "degrees", kind="grid_{}"
    ).rename(x="lon", y="lat"),
}


@pytest.mark.parametrize("make", sorted(GRIDS))
def test_axes_in_other_units_than_metres_and_degrees(make, places):
    table = sampled(GRIDS[make], places)
    assert abs(table["soil_moisture"] * 100 - table["lat"]).max() < 0.1
    assert (table["cell_distance_km"] < 10).all()


def test_a_place_in_a_gap_of_the_grid_is_outside(places):
    lon = np.r_[np.arange(170.25, 180, 0.5), np.arange(-179.75, -170, 0.5)]
    both = grid(lon=lon)
    both["sm"] = (("time", "lat", "lon"), np.broadcast_to(lon % 360 / 1000, both.sm.shape).copy(), both.sm.attrs)
    sensors(((42.2, 0.1), (42.2, 179.9), (42.2, -179.9), (42.2, 100.0))).to_parquet(places)
    found = sampled(both, places).groupby("station")["soil_moisture"].first() * 1000
    np.testing.assert_allclose(found, [np.nan, 179.75, 180.25, np.nan], atol=1e-4)
    sensors(((40.3, 9.4), (42.7, 9.4), (44.7, 9.4))).to_parquet(places)
    holed = sampled(grid().isel(lat=[0, 1, 8, 9]), places)
    np.testing.assert_array_equal(holed.groupby("station")["soil_moisture"].count(), [30, 0, 30])


def forecasts(hours: tuple[int, ...]) -> xr.Dataset:
    """Forecasts as GRIB gives them: by the time when they started and the time from then."""
    steps = pd.to_timedelta(hours, "h")
    product = grid().expand_dims(step=steps, axis=1)
    product["time"].attrs |= {"standard_name": "forecast_reference_time"}
    product["step"].attrs |= {"standard_name": "forecast_period"}
    valid = DAYS.values[:, np.newaxis] + steps.values
    return product.assign_coords(valid_time=(("time", "step"), valid, {"standard_name": "time"}))


def test_a_forecast_is_of_the_time_for_which_it_holds(places):
    for product, reading in (
        (forecasts((0, 12)), {"select": {"step": "12:00:00"}}),
        (forecasts((12,)), {}),
        (forecasts((12,)).drop_vars("valid_time"), {}),
    ):
        assert sampled(product, places, window_hours=10, **reading)["soil_moisture"].isna().all()
        table = sampled(product, places, window_hours=11, **reading)  # readings are of 01:00
        np.testing.assert_allclose(table["soil_moisture"], expected(table), atol=1e-6)
    alone = forecasts((12,)).isel(step=0, drop=True).drop_vars("valid_time", errors="ignore")
    with pytest.raises(VadoseError, match="when its forecasts started"):
        sampled(alone, places)


def test_files_of_one_time_that_differ_are_refused(places):
    folder = places.parent / "tiles"
    folder.mkdir()
    grid().isel(lon=slice(0, 7)).to_netcdf(folder / "west.nc")
    grid().isel(lon=slice(2, 12)).to_netcdf(folder / "east.nc")
    tiles = gathered([Product(name="tiles", path=folder)], places)
    np.testing.assert_allclose(tiles.tables["tiles"]["soil_moisture"], expected(tiles.tables["tiles"]), atol=1e-6)
    assert "are in two files of one time" in tiles.notes[0]
    (grid() * 0 + 0.04).assign(sm=lambda d: d.sm.assign_attrs(units="m3 m-3")).to_netcdf(folder / "uncertainty.nc")
    with pytest.raises(VadoseError, match=r"different, such as east.nc and uncertainty.nc of 2021-06-01"):
        gathered([Product(name="tiles", path=folder)], places)


def refusal_of(path: Path, places: Path) -> str:
    with pytest.raises(VadoseError) as caught:
        gathered([Product(name="grid", path=path)], places)
    return str(caught.value)


def test_damaged_files_are_refused_by_name(places, tmp_path):
    noise = np.random.default_rng(0)
    packed = {"sm": {"zlib": True, "chunksizes": (1, 10, 12), "fletcher32": True}}
    grid().to_netcdf(tmp_path / "p.nc", encoding=packed)
    whole = bytearray((tmp_path / "p.nc").read_bytes())
    whole[len(whole) // 2 : len(whole) // 2 + 400] = noise.bytes(400)
    (tmp_path / "p.nc").write_bytes(whole)
    assert "p.nc. Its values cannot be read" in refusal_of(tmp_path / "p.nc", places)

    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "crs": "EPSG:4326", "height": 500, "width": 600}
    tif = tmp_path / "p_20210602.tif"
    with rasterio.open(tif, "w", transform=Affine(0.01, 0, 8, 0, -0.01, 45), compress="deflate", **profile) as file:
        file.write(noise.random((1, 500, 600), np.float32) / 3)
    whole = bytearray(tif.read_bytes())
    whole[2000:-2000] = noise.bytes(len(whole) - 4000)
    tif.write_bytes(whole)
    assert "p_20210602.tif. It cannot be read" in refusal_of(tif, places)

    for number in (2, 3):
        store = tmp_path / f"p{number}.zarr"
        grid().to_zarr(store, zarr_format=number)
        chunk = next(path for path in sorted((store / "sm").rglob("*")) if path.is_file() and path.name[0] in "0c")
        chunk.write_bytes(noise.bytes(100))
        assert "Its values cannot be read" in refusal_of(store, places)


@pytest.mark.parametrize("form", ["NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA"])
@pytest.mark.parametrize("unlimited", [(), ("time",)])
def test_a_truncated_classic_file_is_not_read_as_zeros(form, unlimited, places, tmp_path):
    path = tmp_path / "p.nc"
    product = grid().assign(mask=("time", np.zeros(30, np.int8)))
    with netCDF4.Dataset(path, "w", format=form) as file:
        for name, size in product.sizes.items():
            file.createDimension(name, None if name in unlimited else size)
        for name, one in product.assign_coords(time=np.arange(30.0)).variables.items():
            held = file.createVariable(name, one.dtype, one.dims)
            held[:] = one.values
            held.setncatts(one.attrs | ({"units": "days since 2021-06-01"} if name == "time" else {}))
    table = gathered([Product(name="grid", path=path)], places).tables["grid"]
    np.testing.assert_allclose(table["soil_moisture"], expected(table), atol=1e-6)
    whole = path.read_bytes()
    for left in (len(whole) - 64, len(whole) // 2, 200, 20):
        path.write_bytes(whole[:left])
        assert "truncated" in (told := refusal_of(path, places)) or "header is damaged" in told


def test_a_raster_without_a_place_is_refused(places, tmp_path):
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "crs": "EPSG:4326", "height": 60, "width": 60}
    with rasterio.open(tmp_path / "p_20210602.tif", "w", **profile) as file:
        file.write(np.full((1, 60, 60), 0.2, np.float32))
    assert "its transform is missing" in refusal_of(tmp_path / "p_20210602.tif", places)


@pytest.mark.parametrize("number", [2, 3])
def test_a_lost_chunk_of_a_store_is_missing_not_zero(number, places, tmp_path):
    store = tmp_path / "p.zarr"
    encoding = {"sm": {"chunks": (10, 10, 12), "_FillValue": None}}
    grid().to_zarr(store, zarr_format=number, encoding=encoding)
    chunks = [path for path in sorted((store / "sm").rglob("*")) if path.is_file() and path.name[0] in "012"]
    chunks[1].unlink()
    if number == 2:
        assert "1 of its 3 chunks are missing, and it has no fill value" in refusal_of(store, places)
        return
    table = gathered([Product(name="grid", path=store)], places).tables["grid"]
    assert table["soil_moisture"].count() == 60
    there = table["soil_moisture"].notna()
    np.testing.assert_allclose(table["soil_moisture"][there], expected(table)[there], atol=1e-6)


def test_geotiffs_named_by_their_day(places):
    folder = places.parent / "tiffs"
    folder.mkdir()
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "crs": "EPSG:4326", "nodata": -9999.0}
    transform = Affine(0.5, 0, 8, 0, -0.5, 45)
    values = painted(LAT[::-1], LON).astype(np.float32)
    for number, day in enumerate(DAYS):
        size = {"height": len(LAT), "width": len(LON)}
        with rasterio.open(folder / f"sm_{day:%Y%m%d}.tif", "w", transform=transform, **size, **profile) as file:
            file.write(values + np.float32(0.002 * number), 1)
    told = Product(name="cog", path=folder, units="m3 m-3")
    table = gathered([told], places).tables["cog"]
    np.testing.assert_allclose(table["soil_moisture"], expected(table), atol=1e-6)


def test_zarr(places):
    path = places.parent / "product.zarr"
    grid().to_zarr(path)
    table = gathered([Product(name="zarr", path=path)], places).tables["zarr"]
    np.testing.assert_allclose(table["soil_moisture"], expected(table), atol=1e-6)


@pytest.mark.parametrize(
    ("units", "scale", "reading"),
    [
        ("kg m-2", 100.0, {"layer_depth": 0.1}),
        ("mm", 50.0, {"layer_depth": 0.05}),
        ("%", 100.0, {"units": "%"}),
        (None, 1.0, {"units": "m3 m-3"}),
        ("cm3 cm-3", 1.0, {}),
    ],
)
def test_units_become_volume(units, scale, reading, places):
    table = sampled(grid(scale=scale, units=units), places, **reading)
    np.testing.assert_allclose(table["soil_moisture"], expected(table), atol=1e-6)


@pytest.mark.parametrize(
    ("units", "scale", "reading", "words"),
    [
        ("%", 100.0, {}, "may be volumetric per cent or saturation"),
        ("kg m-2", 100.0, {}, "--layer-depth"),
        ("m3 m-3", 100.0, {}, "--units '%'"),
        (None, 1.0, {}, "They are not stated"),
        ("degC", 1.0, {}, "degC"),
        ("m3 m-3", -9999.0, {}, "_FillValue"),
        ("kg m-2", 100.0, {"layer_depth": 0.01}, "impossible for soil moisture"),
        ("%", 100.0, {"units": "saturation"}, "--rescale"),
        ("%", 100.0, {"units": "saturation", "rescale": "porosity"}, "no porosity"),
    ],
)
def test_units_that_are_not_certain_are_refused_with_the_remedy(units, scale, reading, words, places):
    with pytest.raises(VadoseError) as caught:
        sampled(grid(scale=scale, units=units), places, **reading)
    assert words in str(caught.value)


def test_saturation_is_rescaled_and_said_so(places):
    saturation = grid(scale=200.0, units="%")
    told = {"path": places.parent / "product.nc", "units": "saturation"}
    saturation.to_netcdf(told["path"])
    porous = gathered([Product(name="wet", **told, rescale="porosity", porosity=0.4)], places)
    np.testing.assert_allclose(
        porous.tables["wet"]["soil_moisture"], expected(porous.tables["wet"]) * 2 * 0.4, atol=1e-6
    )
    assert "porosity (0.4)" in porous.notes[0]
    own = gathered([Product(name="wet", **told, rescale="sensor")], places)
    label = own.tables["wet"].groupby("station")["soil_moisture_in_situ"]
    low, high = label.transform("min"), label.transform("max")
    np.testing.assert_allclose(
        own.tables["wet"]["soil_moisture"], low + 2 * expected(own.tables["wet"]) * (high - low), atol=1e-6
    )
    assert "bias, RMSE and ubRMSE are not its own" in own.notes[0]


REFUSED = {
    "no projection": (lambda d: d.rename(lat="y", lon="x").assign_coords(y=LAT, x=LON), "grid mapping"),
    "latitude is longitude": (lambda d: d.assign_coords(lat=d.lat.copy(data=LAT + 80)), "swapped"),
    "places of two dimensions": (
        lambda d: (
            d.rename(lat="row", lon="column")
            .drop_vars(["row", "column"])
            .assign_coords(latitude=(("row", "column"), np.zeros((10, 12))))
        ),
        "latitude",
    ),
    "no time": (lambda d: d.isel(time=0, drop=True), "in the name"),
    "two variables": (lambda d: d.assign(other=d.sm), "--variable"),
    "levels": (lambda d: d.expand_dims(depth=2), "depth of 2"),
    "numbers for times": (lambda d: d.assign_coords(time=np.arange(len(DAYS))), "not dates"),
    "axes with gaps": (lambda d: d.assign_coords(lat=d.lat.where(d.lat > 41)), "missing values"),
}


@pytest.mark.parametrize("fault", sorted(REFUSED))
def test_a_grid_that_cannot_be_told_is_refused(fault, places):
    make, words = REFUSED[fault]
    with pytest.raises(VadoseError) as caught:
        sampled(make(grid()), places)
    assert words in str(caught.value)


def test_axes_that_are_swapped_within_range_are_found_out(places):
    swapped = grid().assign_coords(lat=("lat", LAT - 32), lon=("lon", LON + 32))
    with pytest.raises(NoDataError, match="axes are swapped"):
        sampled(swapped, places)


def test_outside_and_too_late_there_is_nothing(places):
    sensors(((41.3, 9.4), (39.9, 9.4), (41.3, 60.0))).to_parquet(places)
    table = sampled(grid(), places)
    assert table.groupby("station")["soil_moisture"].count().tolist() == [30, 0, 0]
    assert table.groupby("station")["cell_distance_km"].count().tolist() == [30, 0, 0]
    assert sampled(grid(), places, window_hours=0.5)["soil_moisture"].isna().all()
    sensors(((80.0, 9.4),)).to_parquet(places)
    with pytest.raises(NoDataError, match="None is within the grid"):
        sampled(grid(), places)


def test_the_nearest_layer_that_has_a_value_is_taken(places):
    holed = grid()
    holed["sm"] = holed.sm.where(holed.time.dt.day % 2 == 1)
    table = sampled(holed, places, window_hours=24)
    day = table["time"].dt.day
    there = day < 30  # the layer before the last reading lies 25 hours away
    assert (table["soil_moisture"].notna() == there).all()
    later = 0.002 * (day % 2 == 0)  # of even days the next layer, 23 hours away
    np.testing.assert_allclose(table["soil_moisture"][there], (expected(table) + later)[there], atol=1e-6)


def test_several_products_are_compared_and_the_page_says_how_they_were_read(places, tmp_path):
    grid(scale=100, units="kg m-2").to_netcdf(tmp_path / "land.nc")
    (tmp_path / "other.yaml").write_text("name: saturated\npath: sat.nc\nunits: saturation\nrescale: sensor\n")
    grid(scale=2).to_netcdf(tmp_path / "sat.nc")
    asked = [str(places), f"land={tmp_path / 'land.nc'}", str(tmp_path / "other.yaml")]
    told = str(vadose.evaluate(asked, out=tmp_path / "out", min_samples=10, reading=Reading(layer_depth=0.1)))
    assert "sensors minus the others" in told and "kg m-2, divided by a layer of 0.1 m" in told
    page = (tmp_path / "out" / "scorecard.html").read_text()
    for words in ("kg m-2, divided by a layer of 0.1 m", "saturated: sat.nc", "least and greatest reading", "km away"):
        assert words in page, words


def test_products_that_cannot_be_told_apart_or_read_are_refused(places, tmp_path):
    grid().to_netcdf(tmp_path / "product.nc")
    (tmp_path / "text.nc").write_text("no grid")
    (tmp_path / "odd.yaml").write_text("name: odd\npath: product.nc\nlayers: 3\n")
    (tmp_path / "empty").mkdir()
    for asked, words in (
        ([str(places), f"sensors={tmp_path / 'product.nc'}"], "the same name"),
        ([str(tmp_path / "product.nc")], "--sensors"),
        ([str(places), str(tmp_path / "text.nc")], "neither NetCDF nor HDF5"),
        ([str(places), str(tmp_path / "nowhere.nc")], "no such file"),
        ([str(places), str(tmp_path / "odd.yaml")], "layers"),
        ([str(places), str(tmp_path / "empty")], "contains no NetCDF"),
    ):
        with pytest.raises(VadoseError) as caught:
            vadose.evaluate(asked, min_samples=10)
        assert words in str(caught.value), words


def test_a_real_archive_and_the_tables_made_of_it_give_the_sensors(real, tmp_path):
    archive = real / "ismn" / "format_header_values"
    sensor = Ismn(archive).sensors(deepest_m=0.051)[0]
    readings = Ismn(archive).read(sensor)
    days = pd.date_range(readings.index[0].normalize(), periods=40, freq="12h")
    lat, lon = (
        np.round(sensor.lat * 4) / 4 + np.arange(-1, 1.1, 0.25),
        np.round(sensor.lon * 4) / 4 + np.arange(-1, 1.1, 0.25),
    )
    values = np.broadcast_to(0.1 + 0.005 * np.arange(40)[:, None, None], (40, 9, 9))
    product = xr.Dataset(
        {"sm": (("time", "lat", "lon"), values, {"units": "m3 m-3"})}, {"time": days, "lat": lat, "lon": lon}
    )
    product.to_netcdf(tmp_path / "product.nc")
    archive_to_parquet(archive, tmp_path / "tables")
    told = Product(name="grid", path=tmp_path / "product.nc", window_hours=1, flags=("U",))
    first, second = (gathered([told], where).tables["grid"] for where in (archive, tmp_path / "tables"))
    pd.testing.assert_frame_equal(first, second)
    assert len(first) > 10 and set(first["station"]) == {sensor.station}
    np.testing.assert_allclose(
        first["soil_moisture"], 0.1 + 0.005 * ((first["time"] - days[0]) / pd.Timedelta("12h")), atol=1e-9
    )
    good = readings[readings["flag"] == "U"]["soil_moisture"]
    same = good.reindex(first["time"])
    np.testing.assert_allclose(first["soil_moisture_in_situ"][same.notna().to_numpy()], same.dropna())
    with pytest.raises(NoDataError, match="none has a reading with flag G"):
        product.assign_coords(time=days + pd.Timedelta("9000D")).to_netcdf(tmp_path / "late.nc")
        gathered([Product(name="grid", path=tmp_path / "late.nc")], archive)


def test_real_gldas_granules_at_the_sensors_of_oznet(real, tmp_path):
    points = pd.read_csv(real / "points" / "oznet_yanco.csv.gz", parse_dates=["date"])
    table = pd.DataFrame(
        {"network": "OZNET", "station": points["station"].astype(str), "sensor": "0-5 cm", "soil_moisture": np.nan}
        | {
            "lat": points["lat"],
            "lon": points["lon"],
            "time": points["date"],
            "soil_moisture_in_situ": points["insitu_sm"],
        }
    )
    table.to_parquet(tmp_path / "oznet.parquet")
    told = Product(name="GLDAS", path=real / "gldas", variable="SoilMoi0_10cm_inst", layer_depth=0.1)
    found = gathered([told], tmp_path / "oznet.parquet").tables["GLDAS"]
    there = found.dropna(subset="soil_moisture")
    assert set(there["time"].dt.strftime("%Y-%m-%d")) == {"2016-01-01", "2016-01-02"}
    assert there["soil_moisture"].between(0.02, 0.5).all() and len(there) > 20
    row = there.iloc[0]
    with xr.open_dataset(real / "gldas" / "GLDAS_NOAH025_3H.A20160101.0300.021.nc4") as granule:
        cell = granule["SoilMoi0_10cm_inst"].sel(lat=row["lat"], lon=row["lon"], method="nearest")
        assert row["soil_moisture"] == pytest.approx(float(cell[0]) / 100, abs=1e-6)


def test_sensors_above_the_ground_or_below_the_top_are_no_reference(tmp_path):
    for from_m, to_m in (("0.050000", "0.050000"), ("-0.050000", "-0.050000"), ("0.050000", "0.100000")):
        name = f"NET_NET_Hill_sm_{from_m}_{to_m}_Probe_20210601_20210630.stm"
        rows = "".join(f"{day:%Y/%m/%d} 01:00 0.2{number:02} G O\n" for number, day in enumerate(DAYS))
        (tmp_path / "ismn").mkdir(exist_ok=True)
        (tmp_path / "ismn" / name).write_text(f"NET NET Hill 41.3 9.4 300 {from_m} {to_m} Probe\n{rows}")
    grid().to_netcdf(tmp_path / "product.nc")
    told = Product(name="grid", path=tmp_path / "product.nc")
    table = gathered([told], tmp_path / "ismn").tables["grid"]
    assert table["sensor"].unique().tolist() == ["Probe_0.05_0.05"] and len(table) == 30
    for file in (tmp_path / "ismn").glob("*_0.050000_0.050000_*"):
        file.unlink()
    with pytest.raises(NoDataError, match="It has 2 sensors, none of them there"):
        gathered([told], tmp_path / "ismn")
