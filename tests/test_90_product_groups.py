"""Products in groups and with further dimensions: read in the right cell and time, or refused with the choices."""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from test_90_products import expected, grid, sampled, sensors
from vadose.errors import VadoseError
from vadose.products import Product, gathered


@pytest.fixture
def places(tmp_path: Path) -> Path:
    sensors().to_parquet(tmp_path / "sensors.parquet")
    return tmp_path / "sensors.parquet"


def granule(path: Path, moisture: float, flag: int) -> None:
    """A day of SMAP L3 at 36 km, the same everywhere; acquired at 06:00 and 18:00 UTC."""
    day = (pd.Timestamp("2021-06-01") - pd.Timestamp("2000-01-01T12:00")).total_seconds()
    with h5py.File(path, "w") as file:
        for group, suffix, hour in (("AM", "", 6), ("PM", "_pm", 18)):
            held = file.create_group(f"Soil_Moisture_Retrieval_Data_{group}")
            values = held.create_dataset(
                f"soil_moisture{suffix}", data=np.full((406, 964), moisture + hour / 100, "f4")
            )
            values.attrs.update({"_FillValue": np.float32(-9999), "units": "cm**3/cm**3", "valid_max": np.float32(0.2)})
            held.create_dataset(f"soil_moisture_error{suffix}", data=np.zeros((406, 964), "f4"))
            held.create_dataset(f"retrieval_qual_flag{suffix}", data=np.full((406, 964), flag, "u2"))
            held.create_dataset(f"tb_time_seconds{suffix}", data=np.full((406, 964), day + 3600 * hour))


def hourly(path: Path) -> Path:
    table = sensors().groupby("station").head(1)
    pd.concat([table.assign(time=pd.Timestamp("2021-06-01") + pd.Timedelta(h, "h")) for h in (5, 19)]).to_parquet(path)
    return path


@pytest.mark.parametrize(
    ("variable", "morning", "evening"),
    [
        ("", 0.26, 0.38),
        ("Soil_Moisture_Retrieval_Data_AM/soil_moisture", 0.26, np.nan),
        ("soil_moisture_pm", np.nan, 0.38),
    ],
)
def test_granules_of_smap_are_read_at_the_times_of_their_pixels(tmp_path, variable, morning, evening) -> None:
    granule(tmp_path / "SMAP_L3_SM_P_20210601_R18290_001.h5", 0.2, 0)
    where = hourly(tmp_path / "sensors.parquet")
    told = Product(
        name="SMAP", path=tmp_path / "SMAP_L3_SM_P_20210601_R18290_001.h5", variable=variable, window_hours=2
    )
    table = gathered([told], where).tables["SMAP"]
    found = table.groupby(table["time"].dt.hour)["soil_moisture"].first()
    np.testing.assert_allclose(found, [morning, evening], atol=1e-6)
    assert (table["cell_distance_km"] < 26).all()


def test_what_smap_does_not_recommend_is_left_out_and_said(tmp_path) -> None:
    granule(tmp_path / "SMAP_L3_SM_P_20210601_R18290_001.h5", 0.2, 1)
    where = hourly(tmp_path / "sensors.parquet")
    told = Product(name="SMAP", path=tmp_path / "SMAP_L3_SM_P_20210601_R18290_001.h5", window_hours=2)
    found = gathered([told], where)
    assert found.tables["SMAP"]["soil_moisture"].isna().all() and "retrieval_qual_flag" in found.notes[0]
    kept = gathered([told.model_copy(update={"quality": "retrieved"})], where)
    assert kept.tables["SMAP"]["soil_moisture"].notna().all()
    with pytest.raises(VadoseError, match=r"soil_moisture_error.*Give --variable"):
        gathered([told.model_copy(update={"variable": "sm"})], where)


def layered(name: str, values: list) -> xr.Dataset:
    """The second of three layers is the right one, the others are far off."""
    right = grid()
    return right.assign(sm=xr.concat([right.sm * 0 + 0.9, right.sm, right.sm * 0 + 0.8], pd.Index(values, name=name)))


@pytest.mark.parametrize(
    ("name", "values", "value"),
    [("depth", [0.01, 0.05, 0.6], "0.05"), ("number", [0, 1, 2], "1"), ("layer", ["a", "top", "c"], "top")],
)
def test_one_of_a_dimension_is_chosen_by_name(places, name, values, value) -> None:
    table = sampled(layered(name, values), places, select={name: value})
    np.testing.assert_allclose(table["soil_moisture"], expected(table), atol=1e-6)
    for select, words in (({}, f"--select {name}="), ({name: "77"}, value), ({"other": "1"}, name)):
        with pytest.raises(VadoseError) as caught:
            sampled(layered(name, values), places, select=select)
        assert words in str(caught.value)


def test_the_versions_of_era5_are_merged_the_final_one_first(places) -> None:
    whole = grid()
    final, early = whole.sm.where(whole.time.dt.day < 20), (whole.sm * 0 + 0.9).where(whole.time.dt.day < 3)
    early = early.fillna(whole.sm.where(whole.time.dt.day >= 20))
    both = whole.assign(sm=xr.concat([early, final], pd.Index([5, 1], name="expver")))
    table = sampled(both, places)
    np.testing.assert_allclose(table["soil_moisture"], expected(table), atol=1e-6)
