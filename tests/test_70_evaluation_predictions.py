"""Tables of predictions: brought to one form, or refused with what to do."""

import numpy as np
import pandas as pd
import pytest

from vadose.errors import VadoseError
from vadose.evaluation import check, read


def table(rows: int = 6) -> pd.DataFrame:
    """Two sensors, a few days each."""
    half = rows // 2
    return pd.DataFrame(
        {
            "network": "NET",
            "station": ["a"] * half + ["b"] * (rows - half),
            "sensor": "s1",
            "lat": 40.5,
            "lon": -100.25,
            "time": pd.date_range("2020-01-01", periods=rows, freq="D"),
            "soil_moisture": np.linspace(0.1, 0.3, rows),
            "soil_moisture_std": 0.05,
            "quality": np.uint32(2),
            "soil_moisture_in_situ": np.linspace(0.12, 0.28, rows),
        }
    )


def test_the_one_form():
    checked = check(table())
    assert list(checked.columns) == [
        *(
            "network",
            "station",
            "sensor",
            "lat",
            "lon",
            "time",
            "soil_moisture",
            "soil_moisture_std",
            "quality",
            "soil_moisture_in_situ",
        )
    ]
    assert checked["time"].dtype == "datetime64[ns]"
    assert checked["quality"].dtype == "uint32"
    assert (
        checked.dtypes[["lat", "lon", "soil_moisture", "soil_moisture_std", "soil_moisture_in_situ"]] == "float64"
    ).all()
    pd.testing.assert_frame_equal(check(checked), checked)


def test_optional_columns_are_added_and_others_are_kept():
    checked = check(
        table().drop(columns=["soil_moisture_std", "quality", "soil_moisture_in_situ"]).assign(climate="Dfb")
    )
    assert checked["soil_moisture_std"].isna().all()
    assert checked["soil_moisture_in_situ"].isna().all()
    assert (checked["quality"] == 0).all()
    assert checked.columns[-1] == "climate"


def test_unsorted_rows_are_sorted():
    frame = table(20)
    mixed = frame.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(check(mixed), check(frame))


def test_time_zones_become_utc():
    frame = table()
    abroad = frame.assign(time=frame["time"].dt.tz_localize("UTC").dt.tz_convert("America/Chicago"))
    pd.testing.assert_frame_equal(check(abroad), check(frame))


def test_coarser_times_and_numbers_and_categories_are_the_same_table():
    frame = table()
    other = frame.assign(
        time=frame["time"].astype("datetime64[s]"),
        network=frame["network"].astype("category"),
        station=frame["station"].astype(object),
        quality=frame["quality"].astype("int64"),
    )
    pd.testing.assert_frame_equal(check(other), check(frame))


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".csv.gz"])
def test_read_gives_what_was_written(tmp_path, suffix):
    path, frame = tmp_path / f"predictions{suffix}", table().assign(station="0042")
    frame.to_parquet(path) if suffix == ".parquet" else frame.to_csv(path, index=False)
    pd.testing.assert_frame_equal(read(path), check(frame), check_exact=False, rtol=1e-12)


BAD = {
    "empty": (lambda f: f.iloc[:0], "no rows", "at least one"),
    "no columns": (lambda f: f[[]], "lacks network", "Name the columns"),
    "columns of version 0.1": (
        lambda f: f.rename(
            columns={"soil_moisture": "mean", "soil_moisture_std": "spread", "soil_moisture_in_situ": "soil_moisture"}
        ),
        "called 'mean'",
        "Rename mean to soil_moisture",
    ),
    "missing column": (lambda f: f.drop(columns="sensor"), "lacks sensor", "Name the columns"),
    "text estimate": (lambda f: f.assign(soil_moisture="wet"), "type is", "Give numbers"),
    "true estimate": (lambda f: f.assign(soil_moisture=True), "type is bool", "Give numbers"),
    "number station": (lambda f: f.assign(station=7), "type is int64", "Give text"),
    "no station": (lambda f: f.assign(station=[None, *["a"] * 5]), "1 rows without a value", "Give text"),
    "text time": (lambda f: f.assign(time="2020-01-01"), "type is", "a time in every row"),
    "no time": (lambda f: f.assign(time=f["time"].where(f["time"] > f["time"].min())), "1 rows", "a time in every row"),
    "float quality": (lambda f: f.assign(quality=0.5), "type is float64", "whole numbers"),
    "large quality": (lambda f: f.assign(quality=2**32), "type is int64", "0..4294967295"),
    "no place": (lambda f: f.assign(lat=np.nan), "6 rows are outside the grid", "Give degrees"),
    "swapped place": (lambda f: f.assign(lat=f["lon"], lon=f["lat"]), "outside the grid", "Give degrees"),
    "infinite": (lambda f: f.assign(soil_moisture=np.inf), "6 values are infinite", "Write NaN"),
    "percent": (
        lambda f: f.assign(soil_moisture_in_situ=f["soil_moisture_in_situ"] * 100),
        "is 28, so",
        "Divide % by 100",
    ),
    "millimetres": (lambda f: f.assign(soil_moisture=f["soil_moisture"] * 50), "is 15, so", "depth of the layer"),
    "fill value": (lambda f: f.assign(soil_moisture=-9999.0), "-9999", "Write NaN"),
    "negative spread": (lambda f: f.assign(soil_moisture_std=-0.1), "smallest value is -0.1", "Write NaN"),
    "twice": (lambda f: pd.concat([f, f.iloc[2:4]]), "2 samples are repeated", "Keep one row"),
}


@pytest.mark.parametrize("spoil", BAD.values(), ids=BAD)
def test_bad_tables_are_refused_with_the_remedy(spoil):
    change, found, remedy = spoil
    with pytest.raises(VadoseError) as caught:
        check(change(table()), "predictions 'smap'")
    assert caught.value.context.startswith("predictions 'smap'")
    assert found in caught.value.problem
    assert remedy in caught.value.hint


def test_one_name_at_several_places_at_one_time_is_several_sensors():
    frame = table().assign(
        station="NA", time=[*pd.date_range("2020-01-01", periods=3)] * 2, lat=[40.0] * 3 + [41.0] * 3
    )
    assert check(frame)["sensor"].unique().tolist() == [
        "s1 at 40.00000 N -100.25000 E",
        "s1 at 41.00000 N -100.25000 E",
    ]
    apart_in_time = frame.assign(time=pd.date_range("2020-01-01", periods=6))
    assert check(apart_in_time)["sensor"].unique().tolist() == ["s1"]
    with pytest.raises(VadoseError, match="2 samples are repeated"):
        check(pd.concat([frame, frame.iloc[2:4]]))


def test_duplicates_name_the_first_of_them():
    frame = table()
    with pytest.raises(VadoseError, match="NET/b/s1 2020-01-05"):
        check(pd.concat([frame, frame.iloc[[4]]]).sample(frac=1, random_state=2))


def test_read_refuses_what_is_no_table(tmp_path):
    with pytest.raises(VadoseError, match="no such file"):
        read(tmp_path / "absent.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 but not")
    with pytest.raises(VadoseError, match="cannot be read as a table"):
        read(tmp_path / "broken.parquet")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(VadoseError, match="cannot be read as a table"):
        read(tmp_path / "empty.csv")
