"""What is in no score: every sensor and every sample, with the reason."""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

import vadose
from vadose.evaluation.scores import score
from vadose.simulation.ismn_files import Series, Soil, Station, write_station


def table(sensors: int = 8, days: int = 30, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    truth = np.random.default_rng(9).uniform(0.1, 0.4, sensors * days)
    return pd.DataFrame(
        {
            "network": "NET",
            "station": np.repeat([f"s{number}" for number in range(sensors)], days),
            "sensor": "x",
            "lat": np.repeat(30.5 + 2 * np.arange(sensors), days),
            "lon": 5.5,
            "time": np.tile(pd.date_range("2021-06-01", periods=days, freq="D"), sensors),
            "soil_moisture": truth + rng.normal(0, 0.04, truth.size),
            "soil_moisture_in_situ": truth,
        }
    )


def test_every_sample_in_no_score_has_its_reason_and_no_other_is_listed():
    one, two = table(), table(seed=1)
    one.loc[0, "soil_moisture"] = np.nan
    one.loc[[1, 2], "soil_moisture_in_situ"] = np.nan
    two.loc[[1, 2], "soil_moisture_in_situ"] = np.nan
    two.loc[3, "soil_moisture"] = np.nan
    two = two.drop(index=4)
    few = (one["station"] == "s7") & (one["time"] >= "2021-06-11")
    one, two = one[~few], two[two["station"] != "s6"]
    scores = score({"one": one.sample(frac=1, random_state=3), "two": two})
    found = {name: rows.drop(columns="product") for name, rows in scores.left_out.groupby("product", observed=True)}
    counts = {name: rows["reason"].value_counts().loc[lambda n: n > 0].to_dict() for name, rows in found.items()}
    assert counts == {
        "one": {
            "no estimate": 1,
            "no reading": 2,
            "no estimate of two": 2 + 30,
            "sensor left out: 10 samples, 20 needed": 10,
        },
        "two": {
            "no estimate": 1,
            "no reading": 2,
            "no estimate of one": 1 + 20,
            "sensor left out: 10 samples, 20 needed": 10,
        },
    }
    for product in scores.products:
        assert len(found[product.name]) == product.rows["rows"] - product.rows["scored"]
        keys = set(map(tuple, found[product.name][["station", "time"]].to_numpy()))
        assert len(keys) == len(found[product.name])
    day = found["one"].set_index(["station", "time"]).loc[("s0", pd.Timestamp("2021-06-04"))]
    assert day["reason"] == "no estimate of two"


def test_nothing_left_out_is_no_row():
    assert score({"one": table()}).left_out.empty
    assert score({"one": table(), "two": table(seed=1)}).left_out.empty


def test_of_one_product_and_of_equal_samples_only_what_is_left_out_is_listed():
    one = table()
    one.loc[0, "soil_moisture"], one.loc[1, "soil_moisture_in_situ"] = np.nan, np.nan
    few = one[(one["station"] != "s7") | (one["time"] < "2021-06-11")]
    alone = score({"one": few}).left_out["reason"].value_counts().to_dict()
    assert alone == {"sensor left out: 10 samples, 20 needed": 10, "no estimate": 1, "no reading": 1}
    both = score({"one": few.iloc[2:], "two": few.iloc[2:].assign(soil_moisture=0.2)}).left_out
    assert both["reason"].astype(str).tolist() == ["sensor left out: 10 samples, 20 needed"] * 20


def archive(folder: Path) -> Path:
    """Sensors: three that are scored, and one each that is deep, elsewhere, of another time, flagged, and malformed."""
    days = pd.date_range("2021-06-01", periods=30, freq="D")
    rng = np.random.default_rng(3)
    for name, lat, depth, first, flag in [
        *((f"good{number}", 40.5 + number, 0.05, 0, "G") for number in range(3)),
        ("deep", 40.5, 0.2, 0, "G"),
        ("far", 10.5, 0.05, 0, "G"),
        ("later", 40.5, 0.05, 400, "G"),
        ("flagged", 40.5, 0.05, 0, "D01"),
        ("broken", 40.5, 0.05, 0, "G"),
        ("dry", 44.95, 0.05, 0, "G"),
    ]:
        station = Station("SIM", name, -100.0, lat, 300.0, Soil(0.45, 0.2, 0.4, 1.0), (130, "Grassland"), "Dfb")
        times = days + pd.Timedelta(first, "D")
        readings = Series("sm", (depth, depth), "Probe", times, rng.uniform(0.1, 0.4, 30), np.full(30, flag))
        write_station(station, [readings], folder)
    (broken,) = (folder / "SIM" / "broken").glob("*.stm")
    broken.write_text(broken.read_text().replace("2021/06/03", "2021/66/03"))
    return folder


def test_every_sensor_of_an_archive_without_samples_has_its_reason(tmp_path: Path) -> None:
    lat, lon = np.arange(39.95, 45.1, 0.1), np.arange(-101.05, -98, 0.1)
    values = np.random.default_rng(5).uniform(0.1, 0.4, (30, len(lat), len(lon)))
    values[:, lat > 44.8] = np.nan
    times = pd.date_range("2021-06-01", periods=30, freq="D")
    grid = xr.DataArray(values, {"time": times, "lat": lat, "lon": lon}, name="sm", attrs={"units": "m3 m-3"})
    card = vadose.evaluate({"grid": grid.to_dataset()}, sensors=archive(tmp_path / "ismn"), out=tmp_path / "card")
    assert sorted(card.sensors["station"]) == ["good0", "good1", "good2"]
    reasons = card.left_out.set_index("station")["reason"].to_dict()
    assert {name: reasons[name] for name in ("deep", "far", "later", "dry")} == {
        "deep": "0.2 to 0.2 m, not within 0 to 0.05 m",
        "far": "outside the product",
        "later": "no reading in the period of the product",
        "dry": "no value of the product",
    }
    assert reasons["flagged"] == "no accepted reading within 12 h of a value; not accepted: 30 x flag D01"
    assert reasons["broken"].startswith("unreadable: ")
    assert len(reasons) == 6 and card.left_out["time"].isna().all()
    written = pd.read_parquet(tmp_path / "card" / "scorecard_left_out.parquet")
    pd.testing.assert_frame_equal(written, card.left_out, check_dtype=False)
    for kind in ("md", "html"):
        assert "SIM/far/Probe_0.05_0.05 (outside the product)" in (tmp_path / "card" / f"scorecard.{kind}").read_text()
