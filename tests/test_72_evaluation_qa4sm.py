"""Exchange with QA4SM: the same series give the same scores in both, and files go both ways."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from pytesmo.validation_framework.metric_calculators import PairwiseIntercomparisonMetrics
from pytesmo.validation_framework.validation import Validation

import vadose
from simulated_series import simulated
from vadose.errors import VadoseError
from vadose.evaluation.rescaling import SCALINGS as WAYS
from vadose.report.qa4sm import METRICS, SCALINGS, read_qa4sm, write_qa4sm

SENSORS = 5
NAMES = {"product 0": "SMAP L3", "product 1": "land model"}


def tables() -> dict[str, pd.DataFrame]:
    made = simulated(0.7, 0.9, samples=420, sensors=SENSORS, products=2, seed=11)
    return {NAMES[name]: table for name, table in made.items()}


class Series:
    """A dataset of pytesmo's framework: one series per location."""

    def __init__(self, table: pd.DataFrame, column: str, name: str) -> None:
        self.held = {
            number: pd.DataFrame({name: rows[column].to_numpy()}, pd.DatetimeIndex(rows["time"]))
            for number, (_, rows) in enumerate(table.groupby("station"))
        }

    def read(self, number: int, *_: object, **__: object) -> pd.DataFrame:
        return self.held[number]


def by_the_framework(table: pd.DataFrame, scaling: str | None = None) -> pd.DataFrame:
    """Scores of each location by pytesmo's validation framework, as QA4SM runs it."""
    datasets = {
        name: {"class": Series(table, column, "sm"), "columns": ["sm"], "grids_compatible": True}
        for name, column in (("0-ISMN", "soil_moisture_in_situ"), ("1-own", "soil_moisture"))
    }
    calculator = PairwiseIntercomparisonMetrics(calc_kendall=True, analytical_cis=False)
    validation = Validation(
        datasets,
        "0-ISMN",
        {(2, 2): calculator.calc_metrics},
        temporal_ref="0-ISMN",
        scaling=scaling,
        scaling_ref="0-ISMN",
    )
    rows = []
    for number, (station, own) in enumerate(table.groupby("station")):
        place = float(own["lon"].iloc[0]), float(own["lat"].iloc[0])
        (found,) = validation.calc(number, *place, only_with_reference=True).values()
        rows.append(
            {"station": station} | {name: np.asarray(found[name]).ravel()[0] for name in (*METRICS, "RSS", "n_obs")}
        )
    return pd.DataFrame(rows).set_index("station")


@pytest.fixture(scope="module")
def card():
    return vadose.evaluate(tables())


def test_the_framework_and_we_score_the_same_series_alike(card, tmp_path):
    path = write_qa4sm(tmp_path / "result.nc", card.content)
    with xr.open_dataset(path) as written:
        stations = written["station"].values.astype(str)
        for number, (name, table) in enumerate(tables().items(), start=1):
            expected = by_the_framework(table).loc[stations]
            plain = name.replace(" ", "_")
            for metric in (*METRICS, "RSS"):
                own = written[f"{metric}_between_0-ISMN_and_{number}-{plain}"].values[:, 0]
                np.testing.assert_allclose(own, expected[metric], atol=1e-6, err_msg=f"{name} {metric}")
            np.testing.assert_array_equal(written["n_obs"].values[:, 0], expected["n_obs"])


@pytest.mark.parametrize("way", WAYS)
def test_rescaled_series_are_scored_alike_and_named(way, tmp_path):
    card = vadose.evaluate(tables(), scaling=way)
    path = write_qa4sm(tmp_path / "result.nc", card.content)
    table = tables()[NAMES["product 0"]]
    with xr.open_dataset(path) as written:
        assert written.attrs["val_scaling_method"] == SCALINGS[way]
        assert written.attrs[written.attrs["val_scaling_ref"]] == "ISMN"
        expected = by_the_framework(table, SCALINGS[way]).loc[written["station"].values.astype(str)]
        for metric in (*METRICS, "RSS"):
            own = written[f"{metric}_between_0-ISMN_and_1-SMAP_L3"].values[:, 0]
            np.testing.assert_allclose(own, expected[metric], atol=1e-6, err_msg=metric)
    found = read_qa4sm(path)
    assert set(found["scaling"]) == {way} and set(found["scaled_to"]) == {"ISMN"}


def test_a_file_that_does_not_state_its_scaling_is_not_called_unscaled(card, tmp_path):
    path = write_qa4sm(tmp_path / "result.nc", card.content)
    with xr.open_dataset(path) as written:
        silent = written.load().drop_attrs(deep=False)
        other = written.assign_attrs(val_scaling_method="cdf_beta_match", val_scaling_ref="val_dc_dataset1")
    silent.to_netcdf(tmp_path / "silent.nc")
    other.to_netcdf(tmp_path / "other.nc")
    assert read_qa4sm(tmp_path / "silent.nc")[["scaling", "scaled_to"]].drop_duplicates().to_numpy().tolist() == [
        ["not stated", ""]
    ]
    assert set(read_qa4sm(tmp_path / "other.nc")["scaling"]) == {"cdf_beta_match"}
    assert set(read_qa4sm(tmp_path / "other.nc")["scaled_to"]) == {"SMAP_L3"}


def test_a_result_goes_out_and_comes_back(card, tmp_path):
    found = read_qa4sm(write_qa4sm(tmp_path / "result.nc", card.content))
    assert set(found["scaling"]) == {"none"} and set(found["scaled_to"]) == {""}
    assert found["product"].unique().tolist() == [*NAMES.values()] and set(found["window"]) == {"bulk"}
    sensors = card.sensors.set_index(["product", "station"])
    for row in found.to_dict("records"):
        own = sensors.loc[(row["product"], row["station"])]
        for name in ("r", "bias", "rmse", "ubrmse", "kendall", "spearman", "mse_corr", "n", "lat", "lon"):
            assert row[name] == pytest.approx(own[name], abs=1e-9), name
        for name in ("r", "bias", "ubrmse"):
            assert row[f"{name}_low"] == pytest.approx(own[f"{name}_low"], abs=1e-9)
            assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"]


def test_it_is_built_as_qa4sm_builds_it(card, tmp_path):
    """Names, dimensions and attributes by which QA4SM's own reader finds datasets and metrics."""
    with xr.open_dataset(write_qa4sm(tmp_path / "result.nc", card.content)) as written:
        assert written.sizes["loc"] == SENSORS and written["tsw"].values.tolist() == ["bulk"]
        assert written.attrs["val_ref"] == "val_dc_dataset0" and written.attrs["val_dc_dataset0"] == "ISMN"
        assert (
            written.attrs["val_dc_dataset1"] == "SMAP_L3" and written.attrs["val_dc_dataset_pretty_name1"] == "SMAP L3"
        )
        pairs = [name for name in written.variables if "_between_" in str(name)]
        form = r"[A-Za-z_]+_between_0-ISMN_and_[12]-(SMAP_L3|land_model)"
        assert len(pairs) > 30 and all(re.fullmatch(form, name) for name in pairs)
        assert all(written[name].dims == ("loc", "tsw") for name in pairs)
        for metric in ("R", "slopeR", "slopeURMSD", "slopeBIAS", "status", "R_ci_lower", "urmsd_ci_upper"):
            assert f"{metric}_between_0-ISMN_and_1-SMAP_L3" in written


def test_a_result_of_qa4sm_with_windows_and_triples_is_read(tmp_path):
    r = np.array([[0.7, 0.6], [0.8, np.nan]])
    path = tmp_path / "qa4sm.nc"
    xr.Dataset(
        {
            "R_between_0-ISMN_and_1-C3S_combined": (("loc", "tsw"), r),
            "BIAS_between_0-ISMN_and_1-C3S_combined": (("loc", "tsw"), 0.01 * r),
            "BIAS_ci_lower_between_0-ISMN_and_1-C3S_combined": (("loc", "tsw"), 0.01 * r - 0.002),
            "BIAS_ci_upper_between_0-ISMN_and_1-C3S_combined": (("loc", "tsw"), 0.01 * r + 0.003),
            "snr_1-C3S_combined_between_0-ISMN_and_1-C3S_combined_and_2-GLDAS": (("loc", "tsw"), r),
            "n_obs": (("loc", "tsw"), np.array([[100, 30], [90, 4]])),
            "network": ("loc", ["SCAN", "USCRN"]),
        },
        {"lat": ("loc", [40.0, 41.0]), "lon": ("loc", [-100.0, -99.0]), "tsw": ["bulk", "S1"]},
        {"val_ref": "val_dc_dataset0", "val_dc_dataset_pretty_name1": "C3S SM combined"},
    ).to_netcdf(path)
    found = read_qa4sm(path)
    assert found[["product", "window", "network", "n"]].to_numpy().tolist() == [
        ["C3S SM combined", "bulk", "SCAN", 100],
        ["C3S SM combined", "bulk", "USCRN", 90],
        ["C3S SM combined", "S1", "SCAN", 30],
        ["C3S SM combined", "S1", "USCRN", 4],
    ]
    np.testing.assert_allclose(found["bias"], [-0.007, -0.008, -0.006, np.nan])
    np.testing.assert_allclose(found["bias_low"], found["bias"] - 0.003)
    assert "snr" not in found


def test_other_files_are_refused(tmp_path):
    other = tmp_path / "other.nc"
    xr.Dataset({"sm": (("y", "x"), np.zeros((2, 2)))}).to_netcdf(other)
    with pytest.raises(VadoseError, match="no score of a pair"):
        read_qa4sm(other)
    (tmp_path / "broken.nc").write_bytes(other.read_bytes()[:100])
    for name in ("broken.nc", "nowhere.nc"):
        with pytest.raises(VadoseError, match="QA4SM"):
            read_qa4sm(Path(tmp_path / name))
