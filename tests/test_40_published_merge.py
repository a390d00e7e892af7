"""Labels of published examples from an ISMN archive: whole names, depth intervals, flags, times, and every reason."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from published_writer import example, write_shard
from vadose.batchu2022 import LabelMatcher, PublishedBatch, published_batches
from vadose.batchu2022.station_match import SensorId, Unmatched, matching
from vadose.dataset.labels import LabelRule
from vadose.errors import VadoseError
from vadose.insitu.conversion import archive_to_parquet
from vadose.insitu.headers import Sensor
from vadose.insitu.ismn import Ismn
from vadose.products import labelled
from vadose.products.series import Sampled
from vadose.variables import IDENTITY

LAT, LON = 43.15, -2.9567
NOON = pd.Timestamp("2019-01-01 12:00")
HOURLY = tuple((f"2019/01/01 {hour:02d}:00", f"{0.1 + hour / 100:.4f}", "G") for hour in range(24))


def stm(
    root: Path,
    station: str,
    depths: tuple[str, str] = ("0.050000", "0.050000"),
    rows: tuple[tuple[str, str, str], ...] = HOURLY,
    network: str = "NET",
    instrument: str = "Probe",
) -> None:
    """A data file as ISMN writes it, header and values."""
    folder = root / network / station
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{network}_{network}_{station}_sm_{depths[0]}_{depths[1]}_{instrument}_20190101_20190131.stm"
    first = f"{network} {network} {station} {LAT} {LON} 112.00 {depths[0][:4]} {depths[1][:4]} {instrument}"
    (folder / name).write_text("\n".join([first, *(f"{time} {value} {flag} O" for time, value, flag in rows)]) + "\n")


def published(sensor_id: str, time: pd.Timestamp = NOON, lat: float = LAT, **labels: float) -> dict[str, object]:
    stamp = float(time.value // 10**6)
    return {"sensor_id": sensor_id, "timestamp": stamp, "center_lat": lat, "center_long": LON} | labels


def merged(root: Path, tmp_path: Path, *features: dict[str, object]) -> pd.DataFrame:
    """The index of the examples as `published_batches` gives it, labelled from the archive."""
    path = write_shard(tmp_path / "data-00000-of-00001.tfrecord.gz", [example(one) for one in features])
    stream = published_batches([path], (), (), labels=LabelMatcher(Ismn(root)).labels)
    batches = [one.index for one in stream if isinstance(one, PublishedBatch)]
    return pd.concat(batches, ignore_index=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "ismn"


def test_a_reading_becomes_the_label_with_all_that_is_known_of_it(root: Path, tmp_path: Path) -> None:
    stm(root, "Hill-1")
    row = merged(root, tmp_path, published("NET__Hill-1__Probe")).iloc[0]
    assert row["soil_moisture_in_situ"] == 0.22
    assert (row["flag"], row["label_from"], row["reason"]) == ("G", "ismn", "")
    assert (row["depth_from_m"], row["depth_to_m"]) == (0.05, 0.05)
    assert abs(row["lag_minutes"]) <= 65.536 / 60


def test_a_station_is_not_taken_for_one_whose_name_begins_alike(root: Path, tmp_path: Path) -> None:
    stm(root, "Hill-10", rows=(("2019/01/01 12:00", "0.9", "G"),))
    stm(root, "Hill-1", rows=(("2019/01/01 12:00", "0.2", "G"),))
    stm(root, "Old_Hill", rows=(("2019/01/01 12:00", "0.8", "G"),))
    ids = ("NET__Hill-1__Probe", "NET__Hill1__Probe", "NET__Hill_10__Probe", "NET__Hill__Probe", "NE__Hill-1__Probe")
    table = merged(root, tmp_path, *map(published, ids))
    assert table["soil_moisture_in_situ"].tolist()[:3] == [0.2, 0.2, 0.9]
    assert table["soil_moisture_in_situ"].isna().tolist()[3:] == [True, True]
    assert table["reason"].tolist()[3:] == [
        "no station of NET named 'Hill' in the archive",
        "no network named 'NE' in the archive",
    ]


def test_a_layer_that_begins_at_5_cm_is_not_the_top_soil(root: Path, tmp_path: Path) -> None:
    stm(root, "Deep", depths=("0.050000", "0.150000"))
    stm(root, "Both", depths=("0.050000", "0.150000"), rows=(("2019/01/01 12:00", "0.9", "G"),))
    stm(root, "Both", depths=("0.000000", "0.050000"), rows=(("2019/01/01 12:00", "0.2", "G"),))
    deep, both = merged(root, tmp_path, published("NET__Deep__Probe"), published("NET__Both__Probe")).itertuples()
    assert deep.reason == "no sensor of NET Deep within 0-0.05 m, only at 0.05-0.15 m"
    assert np.isnan(deep.soil_moisture_in_situ)
    assert (both.soil_moisture_in_situ, both.depth_from_m) == (0.2, 0.0)


def test_only_good_readings_are_labels(root: Path, tmp_path: Path) -> None:
    rows = (
        ("2019/01/01 06:00", "0.3", "D03,D05"),
        ("2019/01/01 09:00", "-9999.0000", "M"),
        ("2019/01/01 12:00", "0.2", "G"),
        ("2019/01/01 15:00", "7.0", "G"),
    )
    stm(root, "Hill-1", rows=rows)
    hours = [published("NET__Hill-1__Probe", NOON.normalize() + pd.Timedelta(hours=hour)) for hour in (6, 9, 12, 15)]
    table = merged(root, tmp_path, *hours)
    assert table["label_from"].tolist() == ["", "", "ismn", ""]
    assert table["reason"].tolist() == [
        "the reading 0.3 has the flag 'D03,D05'",
        "the reading has no value, flag 'M'",
        "",
        "the reading 7 is not plausible, or others at its time differ",
    ]
    assert table["soil_moisture_in_situ"].isna().tolist() == [True, True, False, True]


def test_a_reading_of_zero_is_a_label_and_an_absent_one_is_not(root: Path, tmp_path: Path) -> None:
    stm(root, "Dry", rows=(("2019/01/01 12:00", "0.0000", "G"),))
    table = merged(
        root,
        tmp_path,
        published("NET__Dry__Probe"),
        published("NET__Dry__Probe", sm_0_5=0.0),
        published("NET__Dry__Probe", NOON + pd.Timedelta(days=1)),
    )
    assert table["soil_moisture_in_situ"].tolist()[:2] == [0.0, 0.0]
    assert table["label_from"].tolist() == ["ismn", "sm_0_5", ""]
    assert np.isnan(table["soil_moisture_in_situ"][2])


def test_a_published_label_stays(root: Path, tmp_path: Path) -> None:
    stm(root, "Hill-1")
    table = merged(root, tmp_path, published("NET__Hill-1__Probe", sm_5_5=0.5), published("X__Y__Z", sm_0_5=0.25))
    assert table["soil_moisture_in_situ"].tolist() == [0.5, 0.25]
    assert table["label_from"].tolist() == ["sm_5_5", "sm_0_5"]
    assert (table["reason"] == "").all()


@pytest.mark.parametrize("minute", range(-8, 9))
def test_the_window_is_three_minutes_and_the_rounding_of_the_published_time(
    root: Path, tmp_path: Path, minute: int
) -> None:
    stm(root, "Hill-1", rows=((f"2019/01/01 {NOON + pd.Timedelta(minutes=minute):%H:%M}", "0.2", "G"),))
    row = merged(root, tmp_path, published("NET__Hill-1__Probe")).iloc[0]
    lag = (NOON + pd.Timedelta(minutes=minute) - row["time"]) / pd.Timedelta(minutes=1)
    assert abs((row["time"] - NOON).total_seconds()) <= row["rounding_s"] == 65.536
    within = abs(lag) <= 3 + 65.536 / 60
    assert (row["label_from"] == "ismn") is within
    assert within or row["reason"] == "no reading within 4.09 minutes"
    if abs(minute) <= 3:
        assert within  # whatever was lost in rounding, a reading of the release's window is found


def test_an_example_from_elsewhere_is_not_labelled(root: Path, tmp_path: Path) -> None:
    stm(root, "Hill-1")
    row = merged(root, tmp_path, published("NET__Hill-1__Probe", lat=LAT + 0.05)).iloc[0]
    assert np.isnan(row["soil_moisture_in_situ"])
    assert row["label_from"] == ""
    assert "is more than 1 km from the example" in row["reason"]


def test_no_example_is_dropped_and_each_without_a_label_has_a_reason(root: Path, tmp_path: Path) -> None:
    stm(root, "Hill-1")
    ids = ["NET__Hill-1__Probe", "NET-Hill-1-Probe", "NET____Probe", "A__B__C__D", "NET__Vale__Probe"]
    table = merged(root, tmp_path, *(published(one) for one in ids for _ in range(2)))
    assert table["sensor_id"].tolist() == [one for one in ids for _ in range(2)]
    assert ((table["reason"] == "") == table["soil_moisture_in_situ"].notna()).all()
    assert (table["reason"] == "").sum() == 2
    assert table["reason"][2] == "sensor id 'NET-Hill-1-Probe' is not NETWORK__STATION__SENSOR"


def test_a_sensor_that_cannot_be_read_is_a_reason(root: Path, tmp_path: Path) -> None:
    stm(root, "Hill-1")
    stm(root, "Torn", rows=(("2019/01/01 12:00", "0.x", "G"),))
    good, torn = merged(root, tmp_path, published("NET__Hill-1__Probe"), published("NET__Torn__Probe")).itertuples()
    assert good.label_from == "ismn"
    assert "cannot be read" in torn.reason


def test_an_archive_without_soil_moisture_is_refused(root: Path, tmp_path: Path) -> None:
    root.mkdir()
    with pytest.raises(VadoseError):
        merged(root, tmp_path, published("NET__Hill-1__Probe"))


def sensor(station: str, instrument: str = "Probe", depths: tuple[float, float] = (0.05, 0.05)) -> Sensor:
    return Sensor("NET", station, instrument, LAT, LON, 0.0, *depths)


def test_of_several_sensors_the_named_one_counts_then_the_layer() -> None:
    named = [sensor("A", "Probe-A"), sensor("A", "Probe-B")]
    assert matching(SensorId("NET", "A", "Probe_B"), named, 0.05) == named[1]
    layers = [sensor("A", "X"), sensor("A", "Y", (0.0, 0.05)), sensor("A", "Z", (0.03, 0.03))]
    assert matching(SensorId("NET", "A", "other"), layers, 0.05) == layers[1]
    assert matching(SensorId("NET", "A", "other"), [layers[0], layers[2]], 0.05) == layers[0]


def test_two_sensors_or_stations_that_could_be_meant_are_told_not_guessed() -> None:
    with pytest.raises(Unmatched, match=r"several sensors could be 'Probe': .*Probe-A.*Probe-B"):
        matching(SensorId("NET", "A", "Probe"), [sensor("A", "Probe-A"), sensor("A", "Probe-B")], 0.05)
    with pytest.raises(Unmatched, match="could be A-1 or A_1"):
        matching(SensorId("NET", "A1", "Probe"), [sensor("A-1"), sensor("A_1")], 0.05)
    assert matching(SensorId("NET", "A-1", "Probe"), [sensor("A-1"), sensor("A_1")], 0.05) == sensor("A-1")


def test_real_stations_are_labelled_as_their_readings_say(real: Path, tmp_path: Path) -> None:
    archive = Ismn(real / "ismn_uscrn.zip")
    chosen = archive.sensors(deepest_m=0.05)[0]
    readings = archive.read(chosen)
    times = readings.index[100:160]
    features = [
        published(f"{chosen.network}__{chosen.station}__{chosen.instrument}", time, chosen.lat)
        | {"center_long": chosen.lon}
        for time in times
    ]
    path = write_shard(tmp_path / "data-00000-of-00001.tfrecord.gz", [example(one) for one in features])
    batches = published_batches([path], (), (), size=1000, labels=LabelMatcher(archive).labels)
    table = next(iter(batches)).index
    good = (readings["flag"].iloc[100:160] == "G").to_numpy()
    assert (table["label_from"] == "ismn").tolist() == good.tolist()
    assert np.array_equal(table["soil_moisture_in_situ"][good], readings["soil_moisture"].iloc[100:160][good])
    assert (table["reason"][~good] != "").all()


def test_a_sensor_has_one_identity_by_every_route(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stm(root, "Hill-1")
    asked = [published("NET__Hill1__Probe"), published("NET__Hill1__Probe", sm_5_5=0.5), published("NET__Hill1__Other")]
    matched = merged(root, tmp_path, *asked)[list(IDENTITY)]
    archive_to_parquet(root, tmp_path / "tables")
    noon = np.array([NOON], "datetime64[ns]")
    grid = Sampled.of(np.zeros(1, np.intp), noon, np.array([0.2]), np.zeros(1), "m3 m-3")
    monkeypatch.setattr(labelled, "sampled", lambda *_: grid)
    table, *_ = labelled.at_archive(SimpleNamespace(name="grid", window_hours=1.0), root, LabelRule())
    expected = ("NET", "Hill-1", "Probe_0.05_0.05")
    for held in (Ismn(root), Ismn(tmp_path / "tables")):
        (one,) = held.sensors()
        assert tuple(one.identity.values()) == expected and one.id == "NET/Hill-1/Probe_0.05_0.05"
    assert [tuple(row) for row in table[list(IDENTITY)].to_numpy()] == [expected]
    rows = [tuple(row) for row in matched.to_numpy()]
    assert rows == [expected, expected, ("NET", "Hill1", "Other")], "another instrument is not taken for it"
