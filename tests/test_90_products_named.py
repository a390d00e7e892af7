"""Named products: read by their name alone, as their makers mean them."""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

import vadose
from nisar_writer import MIDDLE, PLACE, painted, pixel, write_granule
from vadose.errors import NoDataError, VadoseError
from vadose.products import Product, Reading, gathered

GRIDS = "science/LSAR/SME2/grids"
PASSES = [f"202608{day:02d}" for day in (1, 7, 13, 19, 25)]


def readings(places=((PLACE[1], PLACE[0]), (PLACE[1] + 0.02, PLACE[0] - 0.03)), times=(MIDDLE,)) -> pd.DataFrame:
    """Readings an hour after each time."""
    parts = [
        pd.DataFrame(
            {
                "network": "NET",
                "station": f"st{number}",
                "sensor": "s",
                "lat": lat,
                "lon": lon,
                "time": pd.DatetimeIndex(times) + pd.Timedelta("1h"),
                "soil_moisture": 0.2,
                "soil_moisture_in_situ": 0.2 + 0.01 * np.arange(len(times)),
            }
        )
        for number, (lat, lon) in enumerate(places)
    ]
    return pd.concat(parts, ignore_index=True)


def at(product: Product, sensors: pd.DataFrame):
    found = gathered([product], sensors)
    return found.tables[product.name], found.notes[0]


def expected(table: pd.DataFrame, base: float = 0.05) -> list[float]:
    places = (pixel(lon, lat) for lat, lon in zip(table["lat"], table["lon"], strict=True))
    return [float(painted(np.array(row), np.array(column), base)) for row, column in places]


@pytest.mark.parametrize(("name", "base"), [("NISAR", 0.05), ("nisar", 0.05), ("NISAR-DSG", 0.15), ("NISAR-TSR", 0.25)])
def test_nisar_is_read_by_its_name(tmp_path, name, base):
    write_granule(tmp_path, half=(60, 90))
    table, note = at(Product.parse(f"{name}={tmp_path}", Reading()), readings())
    assert table["soil_moisture"].tolist() == pytest.approx(expected(table, base))
    assert table["cell_distance_km"].max() < 0.15
    assert "PROVISIONAL: release P05023, product version 0.5.2 (1 granule)" in note


def test_one_file_alone_is_read(tmp_path):
    path = write_granule(tmp_path, half=(60, 90))
    write_granule(tmp_path, half=(60, 90), start="20260801T125218", end="20260801T125253")
    table, note = at(Product.parse(f"NISAR={path}", Reading()), readings())
    assert np.isfinite(table["soil_moisture"]).all() and "(1 granule)" in note


def test_a_candidate_that_no_granule_holds_is_refused(tmp_path):
    write_granule(tmp_path)
    with pytest.raises(NoDataError, match=r"no readable granule of NISAR SME2, physical model inversion.*DSG, TSR"):
        at(Product.parse(f"NISAR-PMI={tmp_path}", Reading()), readings())


def test_maturities_are_not_mixed(tmp_path):
    write_granule(tmp_path, half=(60, 90))
    write_granule(tmp_path, half=(60, 90), start="20260801T125218", end="20260801T125253", crid="X05007")
    sensors = readings(times=(MIDDLE, MIDDLE - np.timedelta64(12, "D")))
    with pytest.raises(VadoseError, match=r"1 BETA and 1 PROVISIONAL granules.*--maturity"):
        at(Product.parse(f"NISAR={tmp_path}", Reading()), sensors)
    for maturity in ("beta", "provisional"):
        table, note = at(Product.parse(f"NISAR={tmp_path}", Reading(maturity=maturity)), sensors)
        assert np.isfinite(table["soil_moisture"]).sum() == 2, "of each sensor the pass of one maturity"
        assert f"{maturity.upper()}: release" in note and "another maturity" in note


def test_a_folder_of_beta_alone_is_read_and_named(tmp_path):
    write_granule(tmp_path, half=(60, 90), crid="X05007")
    _, note = at(Product.parse(f"NISAR={tmp_path}", Reading()), readings())
    assert "BETA: release X05007" in note


def test_flagged_values_are_counted(tmp_path):
    path = write_granule(tmp_path, half=(60, 90))
    with h5py.File(path, "r+") as file:
        flag = file[f"{GRIDS}/retrievalQualityFlag"]
        flag[60, 90] = 1
    product = Product.parse(f"NISAR={tmp_path}", Reading())
    table, note = at(product, readings())
    assert table["soil_moisture"].isna().tolist() == [True, False]
    assert "1 of 2 values at sensors left out: not recommended" in note
    table, note = at(product.model_copy(update={"quality": "retrieved"}), readings())
    assert table["soil_moisture"].notna().all() and "left out" not in note


def test_damaged_granules_are_named_and_the_others_read(tmp_path):
    write_granule(tmp_path, half=(60, 90))
    path = write_granule(tmp_path, half=(60, 90), start="20260801T125218", end="20260801T125253")
    path.write_bytes(path.read_bytes()[:3000])
    (tmp_path / "notes.h5").write_bytes(b"")
    _, note = at(Product.parse(f"NISAR={tmp_path}", Reading()), readings())
    assert "left out, unreadable" in note and path.name in note


def test_sensors_outside_of_all_frames_are_refused(tmp_path):
    write_granule(tmp_path)
    with pytest.raises(NoDataError, match="None is within any of 1 granule"):
        at(Product.parse(f"NISAR={tmp_path}", Reading()), readings(places=((10.0, 10.0),)))


def test_other_files_under_the_name_are_read_as_any_grid(tmp_path):
    import xarray as xr

    lat, lon = np.arange(44.25, 45, 0.1), np.arange(-98.75, -98, 0.1)
    grid = xr.Dataset(
        {"sm": (("time", "lat", "lon"), np.full((1, lat.size, lon.size), 0.3), {"units": "m3 m-3"})},
        {"time": [MIDDLE], "lat": lat, "lon": lon},
    )
    grid.to_netcdf(tmp_path / "mine.nc")
    table, _ = at(Product.parse(f"NISAR={tmp_path / 'mine.nc'}", Reading()), readings())
    assert table["soil_moisture"].tolist() == pytest.approx([0.3, 0.3])


def test_a_yaml_file_names_the_product(tmp_path):
    write_granule(tmp_path / "granules", half=(60, 90))
    (tmp_path / "radar.yaml").write_text("name: radar at L-band\npath: granules\nproduct: nisar-dsg\n")
    product = Product.parse(str(tmp_path / "radar.yaml"), Reading())
    assert product.product == "NISAR-DSG"
    table, _ = at(product, readings())
    assert table["soil_moisture"].tolist() == pytest.approx(expected(table, 0.15))
    (tmp_path / "wrong.yaml").write_text("path: granules\nproduct: sentinel\n")
    with pytest.raises(VadoseError, match="no named product; known are NISAR"):
        Product.parse(str(tmp_path / "wrong.yaml"), Reading())


def test_nisar_is_scored_at_sensors(tmp_path: Path):
    """Five passes at sensors whose readings follow them: the scores are those of the numbers written."""
    for number, day in enumerate(PASSES):
        path = write_granule(tmp_path / "sme2", half=(60, 90), start=f"{day}T125218", end=f"{day}T125253")
        with h5py.File(path, "r+") as file:
            field = file[f"{GRIDS}/soilMoisture"]
            field[...] = field[...] + np.float32(0.01 * number)
    times = [np.datetime64(f"{day[:4]}-{day[4:6]}-{day[6:]}T12:52:35.5", "ns") for day in PASSES]
    readings(times=times).to_parquet(tmp_path / "sensors.parquet")
    card = vadose.evaluate([f"NISAR={tmp_path / 'sme2'}"], sensors=tmp_path / "sensors.parquet", min_samples=5)
    scores = card.sensors.set_index("station")
    assert scores["r"].tolist() == pytest.approx([1.0, 1.0], abs=1e-6)
    assert scores["ubrmse"].tolist() == pytest.approx([0.0, 0.0], abs=1e-6)
    bias = [one - 0.2 for one in expected(readings(times=times[:1]))]
    assert scores["bias"].tolist() == pytest.approx(bias, abs=1e-6)
    assert "NISAR SME2, combined, PROVISIONAL" in str(card)
