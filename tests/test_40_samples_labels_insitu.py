"""In-situ tables made of ISMN archives, and labels made of both: real archives, and ones written here."""

import csv
import json
import os
import signal
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.dataset as ds
import pytest
from ismn.interface import ISMN_Interface
from pydantic import ValidationError

from test_20_sources_ismn import REAL, ROWS, stm, texts, zipped
from vadose.dataset.labels import LabelRule, at_top, clean
from vadose.errors import NoDataError, VadoseError
from vadose.insitu.conversion import archive_to_parquet
from vadose.insitu.ismn import Ismn

USCRN = "ismn_uscrn.zip"
PACKED = [archive for archive in REAL if archive.endswith(".zip")]


def declared(folder: Path) -> dict:
    return json.loads((folder / "insitu.json").read_text())


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def flags_of(text: str) -> Counter[str]:
    """Flags of a file by splitting each line, in either layout."""
    rows = [line.split() for line in text.splitlines() if line.strip()]
    ceop = rows[0][0][:4].isdigit()
    return Counter(row[13] for row in rows) if ceop else Counter(row[3] for row in rows[1:])


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Makes the tables of an archive, once."""
    made = tmp_path_factory.mktemp("tables")

    def make(archive: Path) -> Path:
        out = made / "-".join(archive.parts[-3:])
        if not out.exists():
            archive_to_parquet(archive, out)
        return out

    return make


def small_archive(root: Path) -> Path:
    stm(root, "NET-1", "Hill-1")
    stm(root, "ONE", "Hill-1", depths=("0.050000", "0.100000"))
    stm(root, "ONE", "Hill-1", variable="ts", rows=(("2019/01/01 00:00", "-1.0", "G"),))
    stm(root, "ONE", "Hill-12", rows=(ROWS[3], ROWS[0], ROWS[0], ("2019/01/01 00:00", "0.5", "G"), ROWS[1]))
    percent = {"0.2140": "21.4", "0.4321": "43.21"}
    stm(root, "TWO", "Dale", rows=tuple((time, percent.get(value, value), flag) for time, value, flag in ROWS))
    return root


@pytest.mark.parametrize("archive", REAL)
def test_counts_of_real_archives_are_those_of_the_text(real: Path, archive: str, tables) -> None:
    told = declared(tables(real / archive))
    flags, stations, depths = Counter(), Counter(), Counter()
    for name, text in texts(real / archive).items():
        held = flags_of(text)
        flags.update(held)
        network, _, station, _, top, bottom = name.split("_")[:6]
        stations[f"{network}/{station}"] += held.total()
        depths[f"{float(top):g}-{float(bottom):g} m"] += held.total()
    assert told["readings_by_flag"] == dict(flags)
    assert {name: group["readings"] for name, group in told["by_station"].items()} == dict(stations)
    assert {name: group["readings"] for name, group in told["by_depth"].items()} == dict(depths)
    assert told["readings"] == flags.total()
    assert (
        told["sensors"] == len(texts(real / archive)) == sum(group["sensors"] for group in told["by_station"].values())
    )
    assert told["unreadable"] == []
    assert set(told["flags"]) == set(flags)


@pytest.mark.parametrize("archive", PACKED[:2] + PACKED[3:])
def test_counts_of_real_archives_are_those_of_the_ismn_package(
    real: Path, archive: str, tables, tmp_path: Path, capfd
) -> None:
    theirs = ISMN_Interface(real / archive, meta_path=tmp_path, temp_root=tmp_path, parallel=False)
    told = declared(tables(real / archive))
    flags, good, depths = Counter(), Counter(), Counter()
    for network in theirs.collection.iter_networks():
        for station in network.iter_stations():
            for sensor in station.iter_sensors():
                held = sensor.read_data()["soil_moisture_flag"].value_counts()
                flags.update(held.to_dict())
                good[f"{network.name}/{station.name}"] += int(held.get("G", 0))
                depths[round(sensor.depth.start, 2), round(sensor.depth.end, 2)] += int(held.sum())
    assert told["readings_by_flag"] == dict(flags)
    assert {name: group["good"] for name, group in told["by_station"].items()} == dict(good)
    ours = Counter()
    for name, group in told["by_depth"].items():
        top, bottom = name.removesuffix(" m").split("-")
        ours[round(float(top), 2), round(float(bottom), 2)] += group["readings"]
    assert ours == depths


@pytest.mark.parametrize("archive", [REAL[0], *PACKED[1:]])
def test_tables_are_read_as_the_archive_is(real: Path, archive: str, tables) -> None:
    ours, theirs = Ismn(tables(real / archive)), Ismn(real / archive)
    assert ours.sensors() == theirs.sensors()
    for sensor in theirs.sensors()[::5]:
        pd.testing.assert_frame_equal(ours.read(sensor), theirs.read(sensor), check_categorical=False)


def test_ten_day_means_of_a_real_archive_are_the_labels_of_the_real_table(real: Path, tables) -> None:
    source = Ismn(tables(real / USCRN))
    table = pd.read_csv(real / "points" / "conus_10day.csv.gz", parse_dates=["period_start"])
    first = table["period_start"].min()
    labels = [
        clean(source.read(sensor), LabelRule())[0].assign(network=sensor.network, station=sensor.station)
        for sensor in source.sensors()
        if at_top(sensor.depth_from_m, sensor.depth_to_m)
    ]
    hourly = pd.concat(labels).groupby(["network", "station", "time"], as_index=False)["soil_moisture_in_situ"].mean()
    hourly["period_start"] = (hourly["time"] - first) // pd.Timedelta("10D") * pd.Timedelta("10D") + first
    keys = ["network", "station", "period_start"]
    ours = hourly.groupby(keys)["soil_moisture_in_situ"].agg(["mean", "size"]).reset_index()
    assert len(ours.groupby(keys[:2])) == 49
    both = table.merge(ours, on=keys, how="left")
    both = both[both["network"].isin(ours["network"]) & (both["good_hours"] > 0)]
    assert both["mean"].notna().all()
    assert (both["size"] == both["good_hours"]).all()
    apart = (both["mean"] - both["soil_moisture_m3m3"]).abs()
    assert both["mean"].corr(both["soil_moisture_m3m3"]) > 0.999
    assert apart.median() < 0.002
    assert apart.max() < 1e-5


def test_the_tables_open_without_vadose(tmp_path: Path) -> None:
    archive_to_parquet(small_archive(tmp_path / "data"), tmp_path / "tables")
    readings = ds.dataset(tmp_path / "tables" / "readings", partitioning="hive").to_table().to_pandas()
    sensors = pd.read_parquet(tmp_path / "tables" / "sensors.parquet")
    both = readings.merge(sensors, on="sensor", suffixes=("", "_of_sensor"))
    assert len(both) == len(readings) == 4 + 4 + 5 + 4
    assert (both["network"] == both["network_of_sensor"]).all()
    assert (both["station"] == both["station_of_sensor"]).all()
    assert set(both["network"]) == {"NET-1", "ONE", "TWO"}
    frozen = both[both["soil_temperature"] <= 0]
    assert set(frozen["station"]) == {"Hill-1"}
    assert set(frozen["network"]) == {"ONE"}


def test_what_is_doubtful_is_counted_and_kept(tmp_path: Path) -> None:
    archive_to_parquet(small_archive(tmp_path / "data"), tmp_path / "tables")
    told = declared(tmp_path / "tables")
    assert told["doubtful_readings"] == {
        "out_of_order": 4,
        "repeated": 1,
        "conflicting": 2,
        "missing": 3,
        "outside_range": 2,
    }
    (doubtful,) = told["doubtful_units"]
    assert doubtful["station"] == "TWO/Dale"
    assert doubtful["median"] == pytest.approx(21.4)
    assert told["flags"]["D03,D05"].endswith("; rise of soil moisture without rain, by GLDAS")
    source = Ismn(tmp_path / "tables")
    (hill,) = (sensor for sensor in source.sensors() if sensor.station == "Hill-12")
    labels, dropped = clean(source.read(hill), LabelRule(flags=("G", "U")))
    assert labels["soil_moisture_in_situ"].tolist() == [0.4321]
    assert dict(dropped.counts)["conflicting readings at one time"] == 3


def test_static_variables_stand_with_the_sensors(real: Path, tables) -> None:
    sensors = pd.read_parquet(tables(real / USCRN) / "sensors.parquet").set_index("station")
    with zipfile.ZipFile(real / USCRN) as packed:
        text = packed.read("USCRN/Austin-33-NW/USCRN_USCRN_Austin-33-NW_static_variables.csv").decode()
    rows = list(csv.reader(text.splitlines(), delimiter=";", quoting=csv.QUOTE_NONE))
    clay = next(float(row[4]) for row in rows if row[0] == "clay fraction" and row[3] == "0.30")
    climate = next(row[4] for row in rows if row[6] == "koeppen_geiger_2007")
    austin = sensors.loc["Austin-33-NW"]
    assert (austin["clay_fraction"], austin["climate_KG"]) == (clay, climate)
    assert sensors["lc_2010"].notna().all()


def test_files_that_cannot_be_read_are_left_out_and_listed(tmp_path: Path) -> None:
    root = small_archive(tmp_path / "data")
    bad = stm(root, "ONE", "Bad", rows=(*ROWS, ("2019/01/03 00:00", "wet", "G")))
    misnamed = stm(root, "ONE", "Worse")
    misnamed.rename(misnamed.with_name("readings.stm"))
    stm(root, "LOST", "All", rows=())
    stm(root, "TWO", "Dale", variable="ts", rows=(("2019/01/01 00:00", "mild", "G"),))
    (root / "TWO" / "Dale" / "TWO_TWO_Dale_static_variables.csv").write_text("clay fraction;%;a;b;c;;HWSD;\n")
    report = archive_to_parquet(root, tmp_path / "tables")
    reasons = {Path(item["file"]).name: item["reason"] for item in declared(tmp_path / "tables")["unreadable"]}
    assert len(reasons) == len(report.unreadable) == 5
    assert "'2019/01/03 00:00 wet G O'" in reasons[bad.name + "."]
    assert "Its name is not one of ISMN's" in reasons["readings.stm."]
    assert "There is no reading in it." in reasons.values()
    assert "'2019/01/01 00:00 mild G O'" in " ".join(reasons.values())
    assert "It is not a table of static variables" in " ".join(reasons.values())
    assert str(report).endswith("; 5 files could not be read")
    assert {sensor.station for sensor in Ismn(tmp_path / "tables").sensors()} == {"Hill-1", "Hill-12", "Dale"}


def test_several_processes_give_the_same_bytes(tmp_path: Path) -> None:
    archive = zipped(small_archive(tmp_path / "data"), tmp_path / "data.zip")
    steps: list[tuple[int, int, str]] = []
    archive_to_parquet(archive, tmp_path / "one", report=lambda *step: steps.append(step))
    archive_to_parquet(archive, tmp_path / "two", workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert steps[-1][:2] == (4, 4)
    assert [done for done, _, _ in steps] == sorted(done for done, _, _ in steps)
    assert {path.name for path in tmp_path.iterdir()} == {"data", "data.zip", "one", "two"}


class Stopped(Exception):
    pass


@pytest.mark.parametrize("stop", range(4))
def test_a_run_that_was_stopped_goes_on_and_reads_no_network_twice(tmp_path: Path, stop: int) -> None:
    root = small_archive(tmp_path / "data")
    archive_to_parquet(root, tmp_path / "whole")

    def stopping(done: int, total: int, name: str) -> None:
        if done > stop:
            raise Stopped

    with pytest.raises(Stopped):
        archive_to_parquet(root, tmp_path / "tables", report=stopping)
    assert not (tmp_path / "tables").exists()
    networks = tmp_path / "tables.building" / "readings"
    finished = (
        {path: path.stat().st_mtime_ns for path in networks.rglob("readings.parquet")} if networks.exists() else {}
    )
    archive_to_parquet(root, tmp_path / "tables")
    assert contents(tmp_path / "tables") == contents(tmp_path / "whole")
    again = {path: (tmp_path / "tables" / path.relative_to(networks.parent)).stat().st_mtime_ns for path in finished}
    assert again == finished
    assert not (tmp_path / "tables.building").exists()


def test_a_killed_run_goes_on_and_gives_the_same_bytes(real: Path, tables, tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from vadose.insitu.conversion import archive_to_parquet as go"
    code += "; go(Path(sys.argv[1]), Path(sys.argv[2]), report=lambda *step: print(*step, flush=True))"
    arguments = [sys.executable, "-c", code, str(real / USCRN), str(tmp_path / "tables")]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as run:
        for line in run.stdout:
            if line.startswith("30 "):
                os.kill(run.pid, signal.SIGKILL)
                break
    assert run.returncode == -signal.SIGKILL
    assert (tmp_path / "tables.building").exists()
    archive_to_parquet(real / USCRN, tmp_path / "tables")
    assert contents(tmp_path / "tables") == contents(tables(real / USCRN))


def test_tables_that_are_there_or_of_another_archive_are_not_touched(tmp_path: Path) -> None:
    root = small_archive(tmp_path / "data")
    archive_to_parquet(root, tmp_path / "tables")
    before = contents(tmp_path / "tables")
    with pytest.raises(
        VadoseError, match=r"in-situ tables at .*\. Something exists there already\. Remove it, or name another"
    ):
        archive_to_parquet(root, tmp_path / "tables")
    assert contents(tmp_path / "tables") == before

    def stopping(done: int, total: int, name: str) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        archive_to_parquet(root, tmp_path / "other", report=stopping)
    stm(root, "NEW", "Late")
    with pytest.raises(
        VadoseError, match=r"other\.building contains unfinished ones of another archive\. Finish those with"
    ):
        archive_to_parquet(root, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_an_archive_of_which_nothing_can_be_read_leaves_nothing(real: Path, tmp_path: Path) -> None:
    stm(tmp_path / "data", rows=())
    with pytest.raises(VadoseError, match=r"No sensor of soil moisture can be read; 1 files are malformed"):
        archive_to_parquet(tmp_path / "data", tmp_path / "tables")
    with pytest.raises(VadoseError, match="neither a folder nor a complete zip file"):
        archive_to_parquet(real / "ismn" / "malformed" / "mal_formed_file.txt", tmp_path / "tables")
    with pytest.raises(VadoseError, match="There is no such file or folder"):
        archive_to_parquet(tmp_path / "absent", tmp_path / "tables")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_damaged_tables_are_refused(tmp_path: Path) -> None:
    archive_to_parquet(small_archive(tmp_path / "data"), tmp_path / "tables")
    sensor = Ismn(tmp_path / "tables").sensors()[0]
    (file,) = (tmp_path / "tables" / "readings" / f"network={sensor.network}").glob("readings.parquet")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(VadoseError, match=r"readings\.parquet\. It cannot be read.*Make the tables again"):
        Ismn(tmp_path / "tables").read(sensor)
    (tmp_path / "tables" / "sensors.parquet").write_bytes(b"")
    with pytest.raises(VadoseError, match=r"sensors\.parquet\. It cannot be read") as told:
        Ismn(tmp_path / "tables").sensors()
    assert not isinstance(told.value, NoDataError)


def readings(temperatures: list[float], flags: str = "GGGG") -> pd.DataFrame:
    times = pd.date_range("2020-01-01", periods=len(temperatures), freq="h")
    return pd.DataFrame({"soil_moisture": 0.2, "flag": list(flags), "soil_temperature": temperatures}, index=times)


def test_readings_of_frozen_soil_are_no_labels_unless_asked() -> None:
    table = readings([-0.1, 0.0, 0.1, np.nan])
    labels, dropped = clean(table, LabelRule())
    assert labels["time"].tolist() == table.index[2:].tolist()
    assert dict(dropped.counts) == {"frozen: soil temperature of 0 degrees Celsius or less": 2}
    labels, dropped = clean(table, LabelRule(drop_frozen=False))
    assert (len(labels), dropped.total) == (4, 0)
    labels, _ = clean(table.drop(columns="soil_temperature"), LabelRule())
    assert len(labels) == 4


def test_combinations_of_flags_are_accepted_by_name() -> None:
    table = pd.DataFrame(
        {"soil_moisture": 0.2, "flag": pd.Categorical(["D06,C03", "C03", "D06", "G"])},
        index=pd.date_range("2020-01-01", periods=4, freq="h"),
    )
    labels, dropped = clean(table, LabelRule(flags=("G", "C03,D06")))
    assert labels["flag"].tolist() == ["D06,C03", "G"]
    assert dict(dropped.counts) == {"flag C03": 1, "flag D06": 1}
    with pytest.raises(ValidationError, match="'good': not a flag of ISMN; those are C01, C02"):
        LabelRule(flags=("good",))
