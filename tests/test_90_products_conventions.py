"""SMAP, GLDAS, ERA5-Land, ESA CCI and Copernicus products by their names alone."""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from pyproj import Transformer

from test_90_product_groups import granule, hourly
from test_90_products import sensors
from vadose.errors import VadoseError
from vadose.products import Product, Reading, gathered
from vadose.products.conventions import CONVENTIONS
from vadose.simulation.gldas_granule import VARIABLES
from vadose.simulation.gldas_granule import write_granule as write_gldas

DAY = pd.Timestamp("2021-06-01")


def at(text: str, readings: pd.DataFrame, **reading):
    product = Product.parse(text, Reading(**reading))
    found = gathered([product], readings)
    return found.tables[product.name], found.notes[0]


def readings(*hours: float) -> pd.DataFrame:
    table = sensors().groupby("station").head(1)
    return pd.concat([table.assign(time=DAY + pd.Timedelta(hour, "h")) for hour in hours], ignore_index=True)


def field(value):
    lat, lon = np.arange(40.05, 46, 0.1), np.arange(8.05, 14, 0.1)
    values = np.full((lat.size, lon.size), value) if np.isscalar(value) else value
    return xr.DataArray(values, {"lat": lat, "lon": lon}, ("lat", "lon"))


def test_smap_is_read_as_its_source_reads_it(tmp_path):
    granule(tmp_path / "SMAP_L3_SM_P_20210601_R18290_001.h5", 0.2, 0)
    table, note = at(f"SMAP={tmp_path}", pd.read_parquet(hourly(tmp_path / "sensors.parquet")), window_hours=2)
    found = table.groupby(table["time"].dt.hour)["soil_moisture"].first()
    np.testing.assert_allclose(found, [0.26, 0.38], atol=1e-6)
    assert "SPL3SMP, R18290_001 (1 days)" in note and "0.04" in note
    granule(tmp_path / "SMAP_L3_SM_P_20210601_R18290_001.h5", 0.2, 1)
    table, note = at(f"SMAP={tmp_path}", readings(6, 18), window_hours=2)
    assert table["soil_moisture"].isna().all() and "6 of 6 values at sensors left out: not recommended" in note
    table, _ = at(f"SMAP={tmp_path}", readings(6, 18), window_hours=2, quality="retrieved")
    assert table["soil_moisture"].notna().all()


def test_of_two_releases_of_a_day_the_later_is_read(tmp_path):
    granule(tmp_path / "SMAP_L3_SM_P_20210601_R18290_001.h5", 0.1, 0)
    granule(tmp_path / "SMAP_L3_SM_P_20210601_R19240_001.h5", 0.2, 0)
    table, note = at(f"SMAP={tmp_path}", readings(6), window_hours=2)
    np.testing.assert_allclose(table["soil_moisture"], 0.26, atol=1e-6)
    assert "R19240_001 (1 days)" in note and "R18290" not in note


def test_two_smap_products_in_a_folder_are_not_mixed(tmp_path):
    granule(tmp_path / "SMAP_L3_SM_P_20210601_R18290_001.h5", 0.2, 0)
    granule(tmp_path / "SMAP_L3_SM_P_E_20210602_R18290_001.h5", 0.2, 0)
    with pytest.raises(VadoseError, match=r"two products.*SPL3SMP="):
        at(f"SMAP={tmp_path}", readings(6))
    table, note = at(f"SPL3SMP={tmp_path}", readings(6), window_hours=2)
    assert table["soil_moisture"].notna().all() and "SPL3SMP," in note


def test_gldas_is_read_as_its_source_reads_it(tmp_path):
    rows, columns = np.mgrid[380:430, 740:790].reshape(2, -1)
    for stream, water in (("", 23.0), ("_EP", 31.0)):
        layers = {name: np.full(rows.size, water, np.float32) for name in VARIABLES}
        path = tmp_path / f"GLDAS_NOAH025_3H{stream}.A20210601.0600.021.nc4"
        write_gldas(path, DAY + pd.Timedelta(6, "h"), rows, columns, layers)
    table, note = at(f"GLDAS={tmp_path}", readings(7))
    np.testing.assert_allclose(table["soil_moisture"], 0.23, atol=1e-6)
    assert "1 granule, 0 of them early products" in note and "not a measurement" in note


def test_era5_land_is_read_by_its_variable(tmp_path):
    times = pd.date_range(DAY, periods=24, freq="h")
    layers = field(0.2).expand_dims(valid_time=times) + 0.001 * xr.DataArray(np.arange(24), {"valid_time": times})
    attrs = {"units": "m**3 m**-3", "long_name": "Volumetric soil water layer 1"}
    other = {"units": "m**3 m**-3", "long_name": "Volumetric soil water layer 2"}
    dataset = xr.Dataset({"swvl1": layers.assign_attrs(attrs), "swvl2": (layers + 0.1).assign_attrs(other)})
    dataset["valid_time"].attrs["standard_name"] = "time"
    dataset.to_netcdf(tmp_path / "june.nc")
    table, note = at(f"ERA5-Land={tmp_path}", readings(0, 5))
    assert sorted(set(np.round(table["soil_moisture"], 6))) == [0.2, 0.205]
    assert "ERA5-Land, 0 to 7 cm" in note


def test_a_grid_without_its_variable_is_read_as_any_grid(tmp_path):
    layers = field(0.33).expand_dims(time=[DAY]).assign_attrs(units="m3 m-3")
    xr.Dataset({"mine": layers}).to_netcdf(tmp_path / "mine.nc")
    table, _ = at(f"ERA5-Land={tmp_path / 'mine.nc'}", readings(1))
    np.testing.assert_allclose(table["soil_moisture"], 0.33)


@pytest.mark.parametrize(("flag", "kept"), [(0, True), (1, False), (2, False), (16, False)])
def test_cci_keeps_values_without_a_flag(tmp_path, flag, kept):
    moisture = field(0.27).expand_dims(time=[DAY]).assign_attrs(units="m3 m-3")
    flags = (xr.zeros_like(moisture) + flag).astype("i1").assign_attrs(long_name="Flag")
    other = (moisture * 0 + 0.05).assign_attrs(units="m3 m-3")
    dataset = xr.Dataset({"sm": moisture, "flag": flags, "sm_uncertainty": other})
    dataset.to_netcdf(tmp_path / "ESACCI-SOILMOISTURE-L3S-SSMV-COMBINED-20210601000000-fv08.1.nc")
    xr.Dataset({"sm": moisture * 0 + 0.9}).to_netcdf(tmp_path / "my_own_copy.nc")
    table, note = at(f"CCI={tmp_path}", readings(3))
    assert table["soil_moisture"].notna().all() == kept
    assert kept or "3 of 3 values at sensors left out: flag is not 0" in note
    assert at(f"CCI={tmp_path}", readings(3), quality="retrieved")[0]["soil_moisture"].tolist() == pytest.approx(
        [0.27] * 3
    )


def test_copernicus_ssm_is_saturation_at_noon_without_its_masks(tmp_path):
    values = np.full((60, 60), 100, np.uint8)
    values[10:20] = 253
    raw = field(values)
    attrs = {"scale_factor": 0.5, "add_offset": 0.0, "units": "%", "missing_value": np.uint8(255)}
    other = raw.assign_attrs(attrs)
    dataset = xr.Dataset({"ssm": raw.assign_attrs(attrs), "ssm_noise": other})
    dataset.to_netcdf(tmp_path / "c_gls_SSM1km_202106010000_CEURO_S1CSAR_V1.2.1.nc")
    with pytest.raises(VadoseError, match="--rescale"):
        at(f"SSM1km={tmp_path}", readings(20))
    table, note = at(f"SSM1km={tmp_path}", readings(20, 30), rescale="porosity", porosity=0.4)
    day = table[table["time"].dt.day == 1]
    inside = day["lat"].between(41, 42)
    assert inside.any() and day.loc[inside, "soil_moisture"].isna().all(), "253 is a mask, not 126 %"
    np.testing.assert_allclose(day.loc[~inside, "soil_moisture"], 0.2)
    assert table[table["time"].dt.day == 2]["soil_moisture"].isna().all(), "the day's layer stands for its noon"
    assert "outside of 0 to 100, where numbers are masks" in note


def write_sentinel(path: Path, km: int, moisture: float, flag: int) -> None:
    """A granule of SPL2SMAP_S around the sensors; rows without data have no places."""
    step = 9008.055210146 * km / 9
    way = Transformer.from_crs(4326, 6933, always_xy=True)
    (west, south), (east, north) = way.transform(8.5, 40.5), way.transform(14.0, 45.0)
    first_row, first_column = int((7314540.8306386 - north) // step), int((west + 17367530.4451615) // step)
    rows = np.arange(first_row, int((7314540.8306386 - south) // step))
    columns = np.arange(first_column, int((east + 17367530.4451615) // step))
    back = Transformer.from_crs(6933, 4326, always_xy=True)
    lon = back.transform(-17367530.4451615 + (columns + 0.5) * step, np.zeros(columns.size))[0]
    lat = back.transform(np.zeros(rows.size), 7314540.8306386 - (rows + 0.5) * step)[1]
    shape = rows.size, columns.size
    latitude, longitude = np.broadcast_to(lat[:, None], shape).copy(), np.broadcast_to(lon, shape).copy()
    latitude[:3], longitude[:3] = -9999, -9999
    with h5py.File(path, "a") as file:
        group = file.create_group(f"Soil_Moisture_Retrieval_Data_{km}km")
        for name, values, units in (
            ("soil_moisture", np.full(shape, moisture, "f4"), "cm**3/cm**3"),
            ("latitude", latitude.astype("f4"), "degrees_north"),
            ("longitude", longitude.astype("f4"), "degrees_east"),
        ):
            made = group.create_dataset(f"{name}_{km}km", data=values)
            made.attrs.update({"_FillValue": np.float32(-9999), "units": units})
        group.create_dataset(f"retrieval_qual_flag_{km}km", data=np.full(shape, flag, "u2"))


def test_smap_sentinel_is_read_at_both_resolutions_at_the_time_of_smap(tmp_path):
    name = "SMAP_L2_SM_SP_1AIWDV_20210601T050000_20210601T170000_011E43N_R19240_001.h5"
    write_sentinel(tmp_path / name, 1, 0.21, 0)
    write_sentinel(tmp_path / name, 3, 0.24, 8)
    for text, value in (("SPL2SMAP_S", 0.21), ("SPL2SMAP_S-3km", 0.24)):
        table, _ = at(f"{text}={tmp_path}", readings(5, 17), window_hours=2)
        morning = table["time"].dt.hour == 5
        np.testing.assert_allclose(table.loc[morning, "soil_moisture"], value, atol=1e-6)
        assert table.loc[~morning, "soil_moisture"].isna().all()
        assert table["cell_distance_km"].max() < (0.75 if value == 0.21 else 2.2)
    (tmp_path / name).unlink()
    write_sentinel(tmp_path / name, 1, 0.21, 1)
    table, note = at(f"SPL2SMAP_S={tmp_path}", readings(5), window_hours=2)
    assert table["soil_moisture"].isna().all() and "retrieval_qual_flag_1km has bit 0 set" in note


def test_smap_level_4_is_read_in_its_group(tmp_path):
    path = tmp_path / "SMAP_L4_SM_gph_20210601T043000_Vv7032_001.h5"
    with h5py.File(path, "w") as file:
        held = file.create_group("Geophysical_Data")
        for name, value in (("sm_surface", 0.3), ("sm_rootzone", 0.4)):
            made = held.create_dataset(name, (1624, 3856), "f4", fillvalue=value, chunks=(203, 482))
            made.attrs.update({"_FillValue": np.float32(-9999), "units": "m3 m-3"})
    table, note = at(f"SPL4SMGP={tmp_path}", readings(5))
    np.testing.assert_allclose(table["soil_moisture"], 0.3, atol=1e-6)
    assert "Catchment land model" in note and table["cell_distance_km"].max() < 6.4


def test_stated_options_go_before_what_is_built_in(tmp_path):
    granule(tmp_path / "SMAP_L3_SM_P_20210601_R18290_001.h5", 0.2, 0)
    product = Product.parse(f"SMAP={tmp_path}", Reading(variable="soil_moisture_pm"))
    assert product.convention is None
    table = gathered([product.model_copy(update={"window_hours": 2.0})], readings(6, 18)).tables["SMAP"]
    assert table.loc[table["time"].dt.hour == 6, "soil_moisture"].isna().all()


@pytest.mark.real
@pytest.mark.parametrize(("name", "folder"), [("GLDAS", "gldas")])
def test_real_granules_are_read_by_their_name(real: Path, name, folder):
    places = readings(0).assign(time=pd.Timestamp("2016-01-01T02:00"), lat=[48.2, 40.1, -15.3], lon=[11.1, -98.2, 24.4])
    table, note = at(f"{name}={real / folder}", places)
    assert table["soil_moisture"].between(0.02, 0.5).all() and CONVENTIONS[name].title in note


def test_every_named_product_has_a_page():
    folder = Path(__file__).parents[1] / "docs" / "reference" / "named-products"
    pages = "\n".join(path.read_text() for path in folder.glob("*.md") if path.stem != "index")
    index = (folder / "index.md").read_text()
    for name in CONVENTIONS:
        assert f"`{name}`" in index and f"{name}=" in pages, name
    for path in folder.glob("*.md"):
        if path.stem != "index":
            text = path.read_text()
            assert all(f"## {heading}" in text for heading in ("What is read", "Traps", "Licence")), path.name
            assert path.stem in index
