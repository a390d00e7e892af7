"""Several products on the same samples."""

import numpy as np
import pandas as pd
import pytest

from vadose.errors import VadoseError
from vadose.evaluation import Bootstrap, differences, matched, own_mean, per_sensor

KEY = ["network", "station", "sensor", "time"]


def product(noise: float, seed: int = 0, stations: int = 12, days: int = 40) -> pd.DataFrame:
    """Estimates of one truth with noise."""
    truth = np.random.default_rng(99).uniform(0.05, 0.45, stations * days)
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "network": "NET",
            "station": np.repeat([f"st{i:02d}" for i in range(stations)], days),
            "sensor": "s1",
            "lat": np.repeat(np.arange(stations) + 0.5, days),
            "lon": 5.5,
            "time": np.tile(pd.date_range("2020-01-01", periods=days, freq="D"), stations),
            "soil_moisture": truth + rng.normal(0, noise, truth.size),
            "soil_moisture_in_situ": truth,
        }
    )


def test_only_samples_that_all_have_are_kept():
    a, b, c = product(0.02), product(0.04), product(0.06)
    b.loc[:4, "soil_moisture"] = np.nan
    c = c.drop(index=range(100, 130)).sample(frac=1, random_state=3)
    tables = matched({"a": a, "b": b, "c": c})
    kept = set(range(len(a))) - set(range(5)) - set(range(100, 130))
    assert [len(table) for table in tables.values()] == [len(kept)] * 3
    pd.testing.assert_frame_equal(tables["a"][KEY], tables["c"][KEY])
    merged = a.merge(c, on=KEY, suffixes=("", "_c")).merge(
        b.dropna(subset="soil_moisture"), on=KEY, suffixes=("", "_b")
    )
    np.testing.assert_array_equal(tables["c"]["soil_moisture"], merged.sort_values(KEY)["soil_moisture_c"])
    np.testing.assert_array_equal(tables["b"]["soil_moisture"], merged.sort_values(KEY)["soil_moisture_b"])


def test_the_same_station_of_another_network_is_another_sample():
    a, b = product(0.02), product(0.02)
    b.loc[b["station"] == "st03", "network"] = "OTHER"
    assert "st03" not in set(matched({"a": a, "b": b})["a"]["station"])


def test_labels_come_from_the_product_that_has_them():
    a, b = product(0.02).drop(columns="soil_moisture_in_situ"), product(0.04)
    b.loc[:9, "soil_moisture_in_situ"] = np.nan
    tables = matched({"a": a, "b": b})
    assert len(tables["a"]) == len(a) - 10
    np.testing.assert_array_equal(tables["a"]["soil_moisture_in_situ"], b["soil_moisture_in_situ"].dropna())


def test_labels_of_the_first_are_kept_where_the_others_have_none():
    a, b = product(0.02), product(0.04).assign(soil_moisture_in_situ=np.nan)
    tables = matched({"a": a, "b": b})
    assert len(tables["b"]) == len(a)
    np.testing.assert_array_equal(tables["b"]["soil_moisture_in_situ"], a["soil_moisture_in_situ"])


def test_two_truths_are_refused():
    b = product(0.02)
    b.loc[17, "soil_moisture_in_situ"] += 0.01
    with pytest.raises(VadoseError, match=r"1 differ.*NET/st00/s1 2020-01-18") as caught:
        matched({"a": product(0.02), "b": b})
    assert "same labels" in caught.value.hint


@pytest.mark.parametrize(
    "other",
    [
        lambda f: f.assign(time=f["time"] + pd.Timedelta("365D")),
        lambda f: f.assign(soil_moisture=np.nan),
        lambda f: f.assign(station="elsewhere").drop_duplicates(KEY),
    ],
    ids=["another year", "no estimate", "another place"],
)
def test_products_without_a_common_sample_are_refused(other):
    with pytest.raises(VadoseError, match="0 samples have an estimate in all") as caught:
        matched({"ours": product(0.02), "theirs": other(product(0.02))})
    assert "'ours' has 480 estimates" in caught.value.problem
    assert "same sensors and times" in caught.value.hint


def test_no_product_and_no_label_are_refused():
    with pytest.raises(VadoseError, match="of no product"):
        matched({})
    with pytest.raises(VadoseError, match="none of these has a label"):
        matched({"a": product(0.02).drop(columns="soil_moisture_in_situ")})


def test_differences_are_paired_and_narrower_than_unpaired_ones():
    rng = np.random.default_rng(4)
    worse = product(0.05, seed=1, stations=40)
    shared = np.repeat(rng.uniform(-0.1, 0.1, 40), 40)
    worse["soil_moisture"] += shared
    better = worse.assign(
        soil_moisture=worse["soil_moisture"]
        - 0.002
        - 0.01 * np.sign(worse["soil_moisture"] - worse["soil_moisture_in_situ"] - shared)
    )
    a, b = per_sensor(better), per_sensor(worse)
    rows = differences(a, b)
    assert rows.loc["ubrmse", "sensors"] == 40
    assert rows.loc["ubrmse", "difference"] == pytest.approx(a["ubrmse"].mean() - b["ubrmse"].mean(), abs=1e-12)
    assert rows.loc["ubrmse", "high"] < 0
    assert rows.loc["bias", "difference"] == pytest.approx((a["bias"] - b["bias"]).mean(), abs=1e-12)
    alone = Bootstrap().mean(a["bias"].to_numpy(), a["lat"].to_numpy(), a["lon"].to_numpy())
    assert rows.loc["bias", "high"] - rows.loc["bias", "low"] < (alone.high - alone.low) / 5


def test_differences_of_sensors_scored_by_both():
    a, b = per_sensor(product(0.02)), per_sensor(product(0.05).drop(index=range(30)))
    assert differences(a, b).loc["r", "sensors"] == 11


def test_own_mean_has_no_bias_and_no_correlation():
    frame = product(0.05)
    frame.loc[:3, "soil_moisture_in_situ"] = np.nan
    scores = per_sensor(own_mean(frame))
    assert scores["bias"].abs().max() < 1e-12
    assert scores["r"].isna().all()
    spread = frame.dropna().groupby("station")["soil_moisture_in_situ"].std(ddof=0).to_numpy()
    np.testing.assert_allclose(scores["rmse"], spread, atol=1e-12)
