"""Tables as people have them: constant, two samples, nothing, twice, of other zones, orders and units, huge, tiny."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulated_series import simulated
from vadose.errors import VadoseError
from vadose.evaluation import Bootstrap, Tally, per_sensor, score, spatial, summary, temporal_bootstrap
from vadose.evaluation.anomaly import anomalies, climatological_anomalies
from vadose.evaluation.metric import CONSTANT
from vadose.evaluation.sensors import SCORES, SKILL
from vadose.evaluation.statistic import group_ranks

FEW = Bootstrap(draws=50)
TABLE = simulated(0.8, 0.6, samples=60, sensors=12, seed=21)["product 0"].assign(soil_moisture_std=0.02)
CORRELATIONS = ["r", "spearman", "anomaly_r", "anomaly_r_climatology", "n_effective"]

DOORS = {
    "per_sensor": per_sensor,
    "tally": Tally.of,
    "spatial": spatial,
    "in_time": lambda table: temporal_bootstrap({"one": table}, bootstrap=FEW),
    "score": lambda table: score({"one": table}, bootstrap=FEW),
}
FAULTY = {
    "per cent": lambda f: f.assign(soil_moisture=f["soil_moisture"] * 100),
    "label in per cent": lambda f: f.assign(soil_moisture_in_situ=f["soil_moisture_in_situ"] * 100),
    "millimetres": lambda f: f.assign(soil_moisture=f["soil_moisture"] * 50),
    "twice": lambda f: pd.concat([f, f.iloc[:3]]),
    "infinite": lambda f: f.assign(soil_moisture=np.inf),
    "huge": lambda f: f.assign(soil_moisture_in_situ=f["soil_moisture_in_situ"] * 1e300),
    "fill": lambda f: f.assign(soil_moisture=-9999.0),
    "text": lambda f: f.assign(soil_moisture="wet"),
    "no row": lambda f: f.iloc[:0],
}


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
@pytest.mark.parametrize("spoil", FAULTY.values(), ids=FAULTY)
def test_every_door_refuses_faulty_tables(door, spoil):
    with pytest.raises(VadoseError) as caught:
        door(spoil(TABLE))
    assert caught.value.hint


@pytest.mark.parametrize("door", [DOORS["per_sensor"], DOORS["spatial"], DOORS["in_time"]])
def test_order_and_time_zone_do_not_matter(door):
    abroad = TABLE.assign(time=TABLE["time"].dt.tz_localize("UTC").dt.tz_convert("Asia/Kathmandu"))
    for other in (TABLE.sample(frac=1, random_state=4), abroad.iloc[::-1]):
        expected, found = door(TABLE), door(other)
        for frame in ("dates", "means"):
            if hasattr(expected, frame):
                pd.testing.assert_frame_equal(getattr(found, frame), getattr(expected, frame))
        if isinstance(expected, pd.DataFrame):
            pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize("column", ["soil_moisture", "soil_moisture_in_situ"])
@pytest.mark.parametrize("value", [0.0, 0.1, 1e-9, 1.0])
def test_a_constant_series_has_no_correlation_of_any_kind(column, value):
    table = TABLE.assign(**{column: value})
    scores = per_sensor(table)
    assert scores[CORRELATIONS].isna().all(axis=None)
    assert scores[["rmse", "ubrmse", "bias"]].notna().all(axis=None)
    found = temporal_bootstrap({"one": table}, bootstrap=FEW).sensors["one"]
    assert found[["r", "r_low", "r_high"]].isna().all(axis=None)
    assert found[["rmse", "rmse_low", "rmse_high"]].notna().all(axis=None)
    assert np.isnan(spatial(table).r.value)


def test_two_and_three_samples():
    for size in (2, 3):
        table = TABLE[TABLE["time"] < TABLE["time"].min() + pd.Timedelta(size, "D")]
        scores = per_sensor(table, min_samples=2)
        assert (scores["n"] == size).all()
        assert scores["r"].abs().le(1).all()
        found = temporal_bootstrap({"one": table}, min_samples=2, bootstrap=FEW).sensors["one"]
        assert (found["block"] == 1).all()
        np.testing.assert_allclose(found["r"], scores["r"])


def test_all_missing_has_sensors_and_no_scores():
    for column in ("soil_moisture", "soil_moisture_in_situ"):
        scores = per_sensor(TABLE.assign(**{column: np.nan}))
        assert len(scores) == 12
        assert scores[SCORES].isna().all(axis=None)
        assert spatial(TABLE.assign(**{column: np.nan})).dates.empty
        with pytest.raises(VadoseError, match=r"0 samples have an estimate|none of these has a label"):
            temporal_bootstrap({"one": TABLE.assign(**{column: np.nan})})


def test_one_missing_sensor_leaves_the_others_as_they_are():
    holes = TABLE.assign(soil_moisture=TABLE["soil_moisture"].where(TABLE["station"] != "s0003"))
    whole, found = per_sensor(TABLE), per_sensor(holes)
    others = whole["station"] != "s0003"
    pd.testing.assert_frame_equal(found[others], whole[others])
    assert found.loc[3, "left_out"] == "0 samples, 20 needed"


def test_tiny_values_keep_their_correlations():
    tiny = TABLE.assign(
        soil_moisture=TABLE["soil_moisture"] * 1e-150, soil_moisture_in_situ=TABLE["soil_moisture_in_situ"] * 1e-150
    )
    found, whole = per_sensor(tiny), per_sensor(TABLE)
    np.testing.assert_allclose(found["r"], whole["r"], rtol=1e-9)
    np.testing.assert_allclose(found["spearman"], whole["spearman"], rtol=1e-9)
    np.testing.assert_allclose(found["bias"], whole["bias"] * 1e-150, rtol=1e-9)


def test_series_without_short_term_anomalies_have_none():
    """A sample a month has no other within the window: what is left is rounding, which must not correlate."""
    monthly = TABLE.assign(time=TABLE["time"].min() + (TABLE["time"] - TABLE["time"].min()) * 40)
    scores = per_sensor(monthly)
    assert scores["anomaly_r"].isna().all()
    assert scores["r"].notna().all()
    assert summary(scores).loc["anomaly_r", "sensors"] == 0


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), max_size=40))
def test_ranks_are_those_of_each_group(pairs):
    pairs = sorted(pairs, key=lambda pair: pair[0])
    group, values = np.array([g for g, _ in pairs], np.intp), np.array([v for _, v in pairs], float)
    expected = pd.Series(values).groupby(group).rank(method="average") if pairs else []
    np.testing.assert_array_equal(group_ranks(values, group), expected)


@given(st.integers(1, 50), st.integers(0, 1000), st.floats(0.5, 400))
def test_anomalies_of_any_times_are_finite_and_take_a_constant_away(size, seed, days):
    rng = np.random.default_rng(seed)
    time = np.datetime64("1999-12-30", "ns") + np.sort((rng.random(size) * days * 86_400e9).astype("timedelta64[ns]"))
    one, values = np.zeros(size, np.intp), rng.random(size)
    for of in (anomalies, climatological_anomalies):
        own, moved = of((values, values + 0.5), time, one)
        np.testing.assert_allclose(own, moved, atol=1e-12)
        assert np.isfinite(own).all()
        assert np.abs(of((np.full(size, 0.3),), time, one)[0]).max() <= CONSTANT


def test_no_door_warns():
    odd = pd.concat(
        [TABLE, TABLE.iloc[:1].assign(station="lonely"), TABLE.iloc[:30].assign(station="flat", soil_moisture=0.1)]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for door in DOORS.values():
            door(odd)
    assert set(SKILL) <= set(per_sensor(odd))
