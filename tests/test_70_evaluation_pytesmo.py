"""Scores are those of pytesmo, on simulated series and on real stations."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytesmo.metrics as theirs
import pytest
from pytesmo.scaling import get_scaling_function
from pytesmo.time_series.anomaly import calc_anomaly, calc_climatology

from simulated_series import simulated
from vadose.evaluation import SCALINGS, per_sensor, rescale, triple_collocation
from vadose.evaluation.anomaly import climatological_anomalies

CLOSE = 1e-6


def with_gaps() -> pd.DataFrame:
    """Simulated series of three years with a season, days missing, values rounded so that some are equal."""
    table = simulated(0.7, 0.9, samples=1100, sensors=6, seed=8)["product 0"]
    season = 0.08 * np.sin(2 * np.pi * table["time"].dt.day_of_year / 365.25)
    table = table.assign(
        soil_moisture=(table["soil_moisture"] + season).round(3),
        soil_moisture_in_situ=(table["soil_moisture_in_situ"] + season).round(3),
    )
    return table[np.random.default_rng(1).random(len(table)) > 0.3]


def real_smap(folder: Path) -> pd.DataFrame:
    """SMAP and the label of the 84 stations."""
    table = pd.read_csv(folder / "points" / "conus_10day.csv.gz", parse_dates=["period_start"])
    table = table.rename(columns={"period_start": "time", "soil_moisture_m3m3": "soil_moisture_in_situ"})
    table = table.assign(sensor="5cm", soil_moisture=table["smap_usda_ssm_mm"] / 50)
    keep = ["network", "station", "sensor", "lat", "lon", "time", "soil_moisture", "soil_moisture_in_situ"]
    return table[keep].dropna().sort_values(["network", "station", "time"], ignore_index=True)


def series(table: pd.DataFrame) -> Iterator[tuple[str, pd.Series, pd.Series]]:
    for station, rows in table.groupby("station"):
        values = (rows[name].to_numpy() for name in ("soil_moisture", "soil_moisture_in_situ"))
        yield station, *(pd.Series(own, pd.DatetimeIndex(rows["time"])) for own in values)


def agrees(table: pd.DataFrame) -> int:
    """Number of sensors of which every score is pytesmo's."""
    scores, number = per_sensor(table).set_index("station"), 0
    for station, p, t in series(table):
        row = scores.loc[station]
        x, y = p.to_numpy(), t.to_numpy()
        r, ratio = theirs.pearson_r(x, y), (theirs.bias(x, y) + y.mean()) / y.mean()
        expected = {
            "r": r,
            "spearman": theirs.spearman_r(x, y),
            "kendall": theirs.kendall_tau(x, y),
            "mse_corr": theirs.mse_corr(x, y),
            "mse_bias": theirs.mse_bias(x, y),
            "mse_var": theirs.mse_var(x, y),
            "bias": theirs.bias(x, y),
            "mse": theirs.msd(x, y),
            "rmse": theirs.rmsd(x, y),
            "ubrmse": theirs.ubrmsd(x, y),
            "anomaly_r": theirs.pearson_r(*(calc_anomaly(s, window_size=35).to_numpy() for s in (p, t))),
            "anomaly_r_climatology": theirs.pearson_r(*(_climatological(s).to_numpy() for s in (p, t))),
            "kge": 1 - np.sqrt((r - 1) ** 2 + (x.std() / y.std() - 1) ** 2 + (ratio - 1) ** 2),
        }
        for name, value in expected.items():
            assert row[name] == pytest.approx(value, abs=CLOSE), (station, name)
        number += 1
    return number


def _climatological(values: pd.Series) -> pd.Series:
    return calc_anomaly(values, climatology=calc_climatology(values), respect_leap_years=False)


def test_scores_of_simulated_series():
    assert agrees(with_gaps()) == 6


@pytest.mark.real
def test_scores_of_real_stations(real: Path):
    assert agrees(real_smap(real)) == 84


def test_climatological_anomalies_value_by_value():
    table = with_gaps()
    for _, p, t in series(table):
        found = climatological_anomalies((p.to_numpy(), t.to_numpy()), p.index.to_numpy(), np.zeros(len(p), np.intp))
        for own, values in zip(found, (p, t), strict=True):
            np.testing.assert_allclose(own, _climatological(values), atol=1e-9)


WAYS = {"mean-std": "mean_std", "min-max": "min_max", "linear": "linreg", "cdf": "cdf_match"}


def rescaled_as(table: pd.DataFrame, way: str) -> int:
    """Number of sensors of which every estimate is pytesmo's."""
    found, number = rescale(table, way).set_index("station"), 0
    for station, p, t in series(table):
        if way == "linear" and theirs.pearson_r(p.to_numpy(), t.to_numpy()) <= 0:
            continue  # pytesmo adds the intercept of the falling line to the rising one
        expected = get_scaling_function(WAYS[way])(p.to_numpy(), t.to_numpy())
        np.testing.assert_allclose(found.loc[station, "soil_moisture"], expected, atol=CLOSE)
        number += 1
    return number


@pytest.mark.filterwarnings("ignore:The bins have been resized")
@pytest.mark.parametrize("way", SCALINGS)
@pytest.mark.parametrize("samples", [1100, 120, 30])
def test_rescaled_estimates(way, samples):
    table = with_gaps().groupby("station").head(samples)
    assert rescaled_as(table, way) == 6


@pytest.mark.parametrize("way", SCALINGS)
@pytest.mark.parametrize("samples", [30, 39, 40, 120])
def test_rescaling_never_turns_an_estimate_round(way, samples):
    table = with_gaps().groupby("station").head(samples)
    falling = table.assign(soil_moisture=0.5 - table["soil_moisture"])
    before, after = per_sensor(falling), per_sensor(rescale(falling, way))
    assert (before["r"] < -0.3).all()
    assert (after["r"] < 0).all()
    if way != "cdf" or samples < 40:  # a line: R is unchanged
        assert after["r"].to_numpy() == pytest.approx(before["r"].to_numpy(), abs=1e-9)


@pytest.mark.real
@pytest.mark.filterwarnings("ignore:The bins have been resized")
@pytest.mark.parametrize("way", SCALINGS)
def test_rescaled_estimates_of_real_stations(real: Path, way):
    assert rescaled_as(real_smap(real), way) >= 80


def collocated(tables: dict[str, pd.DataFrame], least: int) -> int:
    """Number of sensors of which every figure is pytesmo's."""
    found = triple_collocation(tables, min_samples=least)
    found, number = found[found["left_out"] == ""], 0
    whole = [table.set_index(["station", "time"])["soil_moisture"] for table in tables.values()]
    for station, rows in found.groupby("station"):
        common = pd.concat([values.loc[station] for values in whole], axis=1, join="inner").dropna().to_numpy().T
        snr, error, beta = theirs.tcol_metrics(*common)
        np.testing.assert_allclose(rows["snr_db"], snr, atol=CLOSE)
        np.testing.assert_allclose(rows["error_std"], error, atol=CLOSE)
        np.testing.assert_allclose(rows["beta"], beta, atol=CLOSE)
        np.testing.assert_allclose(rows["r"] ** 2, 1 / (1 + 10 ** (-snr / 10)), atol=CLOSE)
        assert rows["n"].eq(common.shape[1]).all()
        number += 1
    return number


def test_triple_collocation_of_simulated_series():
    assert collocated(simulated(0.8, 0.8, samples=400, sensors=4, products=3, seed=2), 100) == 4


@pytest.mark.real
def test_triple_collocation_of_smap_and_two_sensors_of_one_place(real: Path):
    table = real_smap(real)
    counts = table["station"].value_counts()
    txson = [s for s in table.loc[table["network"] == "TxSON", "station"].unique() if counts[s] > 90]
    at = table[table["station"] == txson[0]].assign(place="one")
    tables = {"SMAP": at}
    for other in txson[1:3]:
        readings = table[table["station"] == other].set_index("time")["soil_moisture_in_situ"]
        tables[other] = at.assign(soil_moisture=at["time"].map(readings))
    assert collocated(tables, 60) == 1
