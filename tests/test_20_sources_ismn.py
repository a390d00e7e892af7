"""ISMN archives: real ones against a plain reading of their text, and ones written here with every peculiarity."""

import re
import shutil
import unicodedata
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ismn.interface import ISMN_Interface

from vadose.errors import NoDataError, VadoseError
from vadose.grid import AreaOfInterest, Period
from vadose.insitu.headers import Sensor
from vadose.insitu.ismn import Ismn

REAL = [
    "ismn/format_ceop_sep",
    "ismn/format_header_values",
    "ismn/zip_archives/ceop/Data_seperate_files_20170810_20180809.zip",
    "ismn/zip_archives/header/Data_seperate_files_header_20170810_20180809.zip",
    "ismn/zip_archives/format_header_values/Data_SMOSMANIA.zip",
    "ismn/zip_archives/multinetwork/header_values/Data_header_values.zip",
    "ismn_uscrn.zip",
]
ROWS = (
    ("2019/01/01 00:00", "0.2140", "G"),
    ("2019/01/01 01:00", "0.0000", "D03,D05"),
    ("2019/01/01 02:00", "-9999.0000", "M"),
    ("2019/01/02 00:00", "0.4321", "U"),
)


def stm(
    root: Path,
    network: str = "NET",
    station: str = "Hill-1",
    instrument: str = "Probe-A",
    variable: str = "sm",
    depths: tuple[str, str] = ("0.050000", "0.050000"),
    layout: str = "header",
    rows: tuple[tuple[str, str, str], ...] = ROWS,
    place: str | None = None,
    end: str = "\n",
) -> Path:
    """A data file as ISMN writes it; `place` is what its lines say of the sensor."""
    folder = root / network / station
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{network}_{network}_{station}_{variable}_{depths[0]}_{depths[1]}_{instrument}_20190101_20190131.stm"
    place = place or f"{network}  {network}  {station}  43.15000  -2.95670  112.00  {depths[0][:4]}  {depths[1][:4]}"
    if layout == "header":
        lines = [f"{place} {instrument.replace('-', ' ')}", *(f"{time} {value} {flag} O" for time, value, flag in rows)]
    else:
        lines = [f"{time} {time} {place} {value} {flag} O" for time, value, flag in rows]
    (folder / name).write_text(end.join(lines) + end, newline="")
    return folder / name


def zipped(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.stm")):
            archive.write(file, file.relative_to(folder))
    return path


def texts(archive: Path) -> dict[str, str]:
    """The text of each soil moisture file by its name."""
    if archive.is_dir():
        found = {path.name: path.read_bytes() for path in archive.rglob("*.stm")}
    else:
        with zipfile.ZipFile(archive) as packed:
            found = {Path(name).name: packed.read(name) for name in packed.namelist() if name.endswith(".stm")}
    return {name: content.decode() for name, content in found.items() if "_sm_" in name}


def plainly(text: str) -> list[tuple[np.datetime64, float, str]]:
    """Readings by splitting each line, in either layout."""
    rows = [line.split() for line in text.splitlines() if line.strip()]
    if not re.fullmatch(r"\d{4}/\d\d/\d\d", rows[0][0]):
        rows = [row[:2] + row[:2] + 8 * [""] + row[2:] for row in rows[1:]]
    return [(np.datetime64(f"{row[0].replace('/', '-')}T{row[1]}", "ns"), float(row[12]), row[13]) for row in rows]


def file_of(sensor: Sensor, names: list[str]) -> str:
    depths = f"{sensor.depth_from_m:.6f}_{sensor.depth_to_m:.6f}"
    start = f"{sensor.network}_{sensor.network}_{sensor.station}_sm_{depths}_{sensor.instrument}_"
    (name,) = (name for name in names if name.startswith(start) and re.fullmatch(r"\d+_\d+\.stm", name[len(start) :]))
    return name


@pytest.mark.parametrize("archive", REAL)
def test_real_readings_are_those_of_the_text(real: Path, archive: str) -> None:
    source = Ismn(real / archive)
    contents = texts(real / archive)
    sensors = source.sensors()
    assert sorted(file_of(sensor, list(contents)) for sensor in sensors) == sorted(contents)
    for sensor in sensors[:: max(len(sensors) // 6, 1)]:
        plain = plainly(contents[file_of(sensor, list(contents))])
        found = source.read(sensor)
        times, values, flags = (list(column) for column in zip(*plain, strict=True))
        assert Counter(found["flag"]) == Counter(flags)
        assert list(found["flag"]) == flags
        np.testing.assert_array_equal(found.index.to_numpy(), np.array(times))
        expected = np.array(values)
        np.testing.assert_array_equal(found["soil_moisture"], np.where(expected == -9999, np.nan, expected))


@pytest.mark.parametrize("archive", REAL[2:4] + REAL[5:])
def test_real_sensors_are_those_of_the_ismn_package(real: Path, archive: str, tmp_path: Path, capsys) -> None:
    theirs = ISMN_Interface(real / archive, meta_path=tmp_path, temp_root=tmp_path).metadata
    capsys.readouterr()
    names = ("network", "station", "instrument", "latitude", "longitude", "elevation")
    identities = zip(*(theirs[name, "val"] for name in names), strict=True)
    expected = dict(zip(identities, theirs["instrument", "depth_from"], strict=True))
    sensors = Ismn(real / archive).sensors()
    found = {(s.network, s.station, s.instrument, s.lat, s.lon, s.elevation_m): s.depth_from_m for s in sensors}
    assert len(sensors) == len(theirs)
    assert found == pytest.approx(expected, abs=0.001)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("layout", ["header", "ceop"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_readings_are_read_from_either_layout_packed_or_not(tmp_path: Path, packed, layout, end) -> None:
    stm(tmp_path / "data", layout=layout, end=end)
    source = Ismn(zipped(tmp_path / "data", tmp_path / "data.zip") if packed else tmp_path / "data")
    (sensor,) = source.sensors()
    assert sensor == Sensor("NET", "Hill-1", "Probe-A", 43.15, -2.9567, 112.0, 0.05, 0.05)
    assert sensor.id == "NET/Hill-1/Probe-A_0.05_0.05"
    found = source.read(sensor)
    np.testing.assert_array_equal(found["soil_moisture"], [0.214, 0.0, np.nan, 0.4321])
    assert list(found["flag"]) == ["G", "D03,D05", "M", "U"]
    assert found["soil_moisture"].dtype == np.float64
    assert found.index.dtype == "datetime64[ns]"
    assert found.index.name == "time"
    assert found.index[1] == pd.Timestamp("2019-01-01T01:00")


def test_nothing_is_said_and_nothing_is_written(tmp_path: Path, capfd, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    stm(tmp_path / "data")
    archive = zipped(tmp_path / "data", tmp_path / "data.zip")
    before = sorted(tmp_path.rglob("*"))
    for path in (tmp_path / "data", archive):
        source = Ismn(path)
        source.read(source.sensors()[0])
    assert sorted(tmp_path.rglob("*")) == before
    assert capfd.readouterr() == ("", "")


def test_names_are_kept_apart_and_whole(tmp_path: Path) -> None:
    stm(tmp_path, "UDC_SMOS", "Acker-1")
    stm(tmp_path, "UDC_SMOS", "Acker-12")
    stm(tmp_path, "UDC_SMOS", "Acker-1", instrument="Probe_B_II")
    stm(tmp_path, "UDC_SMOS", "Acker-1", depths=("0.050000", "0.150000"))
    stm(tmp_path, "NET", "MapleCity", place="NET NET Maple_City 36.0 -97.0 300.0 0.05 0.05")
    stm(tmp_path, "NET", "Old-Farm", place="NET NET Old Farm 36.0 -97.0 300.0 0.05 0.05")
    stm(tmp_path, "NET", "Deep", depths=("0.050800", "0.050800"))
    stm(tmp_path, "NET", "Deep", variable="ts")
    found = {(s.network, s.station, s.instrument, s.depth_from_m, s.depth_to_m) for s in Ismn(tmp_path).sensors()}
    assert found == {
        ("UDC_SMOS", "Acker-1", "Probe-A", 0.05, 0.05),
        ("UDC_SMOS", "Acker-12", "Probe-A", 0.05, 0.05),
        ("UDC_SMOS", "Acker-1", "Probe_B_II", 0.05, 0.05),
        ("UDC_SMOS", "Acker-1", "Probe-A", 0.05, 0.15),
        ("NET", "MapleCity", "Probe-A", 0.05, 0.05),
        ("NET", "Old-Farm", "Probe-A", 0.05, 0.05),
        ("NET", "Deep", "Probe-A", 0.0508, 0.0508),
    }


def test_readings_out_of_order_are_sorted_and_repeated_times_stay(tmp_path: Path) -> None:
    rows = (ROWS[3], ROWS[0], ("2019/01/01 00:00", "0.3000", "G"), ROWS[1])
    stm(tmp_path, rows=rows)
    source = Ismn(tmp_path)
    found = source.read(source.sensors()[0])
    assert list(found["soil_moisture"]) == [0.214, 0.3, 0.0, 0.4321]
    assert found.index.is_monotonic_increasing


def test_two_files_of_one_sensor_are_one_series(tmp_path: Path) -> None:
    stm(tmp_path / "first", rows=ROWS[:3])
    stm(tmp_path / "second", rows=ROWS[1:])
    source = Ismn(tmp_path)
    (sensor,) = source.sensors()
    assert list(source.read(sensor)["flag"]) == ["G", "D03,D05", "M", "U"]


def test_sensors_can_be_chosen_by_area_and_depth(tmp_path: Path) -> None:
    stm(tmp_path, station="Shallow")
    stm(tmp_path, station="Deep", depths=("0.200000", "0.200000"))
    stm(tmp_path, station="Far", place="NET NET Far 10.0 20.0 5.0 0.05 0.05")
    basque = AreaOfInterest.from_bbox(-3, 43, -2, 44, "basque")
    found = {sensor.station for sensor in Ismn(tmp_path).sensors(basque, deepest_m=0.1)}
    assert found == {"Shallow"}
    with pytest.raises(NoDataError, match=r"sensors in 'basque' down to 0.01 m of .* Found 3 sensors elsewhere\. Give"):
        Ismn(tmp_path).sensors(basque, deepest_m=0.01)


def test_readings_can_be_chosen_by_period(tmp_path: Path) -> None:
    stm(tmp_path)
    source = Ismn(tmp_path)
    (sensor,) = source.sensors()
    assert len(source.read(sensor, Period.parse("2019-01-01"))) == 3
    with pytest.raises(NoDataError, match=r"for 2020-01-01\.\.2020-01-01\. Found 2019-01-01\.\.2019-01-02\. Give a"):
        source.read(sensor, Period.parse("2020-01-01"))


def test_a_sensor_of_another_archive_is_refused(tmp_path: Path) -> None:
    stm(tmp_path)
    other = Sensor("NET", "Hill", "Probe-A", 43.15, -2.9567, 112.0, 0.05, 0.05)
    with pytest.raises(VadoseError, match=r"NET/Hill/Probe-A_0.05_0.05 .*Found 1 sensors, but not this one\. Give one"):
        Ismn(tmp_path).read(other)


LATIN = {
    "a name in its header": lambda text, _: text.replace(b"Probe A", b"Probe A 20\xb0"),
    "the last column of its first reading": lambda text, end: text.replace(b" O" + end, b" \xe5pen \xb0C" + end, 1),
    "a byte in the last column of every reading": lambda text, end: text.replace(b" O" + end, b" \x85\xa0O" + end),
    "a mark of its byte order": lambda text, _: b"\xef\xbb\xbf" + text,
    "blank lines before it": lambda text, end: end + end + text,
    "letters of UTF-8": lambda text, end: text.replace(b" O" + end, " Å°".encode() + end),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("layout", ["header", "ceop"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("spoilt", LATIN)
def test_no_letter_beyond_ascii_makes_a_file_malformed(tmp_path: Path, packed, layout, end, spoilt) -> None:
    path = stm(tmp_path / "data", layout=layout, end=end)
    sound = Ismn(tmp_path / "data")
    expected = sound.read(sound.sensors()[0])
    path.write_bytes(LATIN[spoilt](path.read_bytes(), end.encode()))
    source = Ismn(zipped(tmp_path / "data", tmp_path / "data.zip") if packed else tmp_path / "data")
    pd.testing.assert_frame_equal(source.read(source.sensors()[0]), expected)


@pytest.mark.parametrize("layout", ["header", "ceop"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_station_beyond_ascii_is_read_in_either_encoding(tmp_path: Path, layout, encoding, form) -> None:
    path = stm(tmp_path / "data", station="Høyås", layout=layout)
    path.write_bytes(path.read_text().encode(encoding))
    named = path.rename(path.with_name(unicodedata.normalize(form, path.name)))
    source = Ismn(tmp_path / "data")
    (sensor,) = source.sensors()
    assert sensor.station in named.name and len(source.read(sensor)) == len(ROWS)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_encodings_of_wide_letters_are_refused_by_name(tmp_path: Path, encoding: str) -> None:
    path = stm(tmp_path / "data")
    path.write_bytes(path.read_text().encode(encoding))
    with pytest.raises(VadoseError, match="UTF-16"):
        Ismn(tmp_path / "data").sensors()


BAD_FILES = {
    "no layout": (
        lambda path: path.write_text("no good data here"),
        "first line has neither of ISMN's layouts: 'no g",
    ),
    "empty": (lambda path: path.write_text(""), "neither of ISMN's layouts"),
    "binary": (lambda path: path.write_bytes(b"\xff\xfe\x00\x01"), "cannot be read as text"),
    "another station": (
        lambda path: path.write_text(path.read_text().replace("Hill-1", "Hill-2")),
        "gives NET Hill-2 at 43.15 N -2.9567 E, 0.05 to 0.05 m, which contradicts its name",
    ),
    "another depth": (
        lambda path: path.write_text(path.read_text().replace("0.05", "0.50")),
        "0.5 to 0.5 m, which contradicts",
    ),
    "nowhere": (lambda path: path.write_text(path.read_text().replace("43.15000", "143.15")), "or is not on the Earth"),
    "misnamed": (lambda path: path.rename(path.with_name("readings.stm")), "Its name is not one of ISMN's"),
}


@pytest.mark.parametrize("damage", BAD_FILES)
def test_a_malformed_file_is_named_and_refuses_the_archive_or_is_skipped_and_listed(tmp_path: Path, damage) -> None:
    change, found = BAD_FILES[damage]
    stm(tmp_path / "data", station="Good")
    change(stm(tmp_path / "data"))
    before = sorted(tmp_path.rglob("*"))
    for archive in (tmp_path / "data", zipped(tmp_path / "data", tmp_path.with_suffix(".zip"))):
        with pytest.raises(VadoseError, match=re.escape(found)) as told:
            Ismn(archive).sensors()
        assert re.match(r"ismn: NET/Hill-1/.+\.stm\.", told.value.context)
        assert "ask to skip malformed files" in told.value.hint
        source = Ismn(archive, skip_malformed=True)
        assert [sensor.station for sensor in source.sensors()] == ["Good"]
        assert [str(refusal) for refusal in source.malformed] == [str(told.value)]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "rows",
    [
        (*ROWS, ("2019/01/03 00:00", "wet", "G")),
        (*ROWS, ("2019/01/03 00:00", "0.1", "")),
        (*ROWS, ("2019/13/03 00:00", "0.1", "G")),
        (*ROWS, ("2019/01/03", "", "")),
        (),
    ],
)
def test_damaged_readings_are_refused_when_they_are_read(tmp_path: Path, rows) -> None:
    path = stm(tmp_path, rows=rows)
    text = path.read_text().replace("  O", "") if rows else path.read_text()
    path.write_text(text.replace("2019/01/03   O", "2019/01/03"))
    source = Ismn(tmp_path)
    (sensor,) = source.sensors()
    with pytest.raises(VadoseError, match=r"reading") as told:
        source.read(sensor)
    assert path.name in told.value.context
    assert not isinstance(told.value, NoDataError)


def test_the_real_malformed_file_is_refused_wherever_it_stands(real: Path, tmp_path: Path) -> None:
    bad = real / "ismn" / "malformed" / "mal_formed_file.txt"
    with pytest.raises(
        VadoseError, match=r"mal_formed_file\.txt\. It is neither a folder nor a complete zip file\. Give what"
    ):
        Ismn(bad).sensors()
    with pytest.raises(NoDataError, match=r"malformed\. Found no file named .*\. Give a folder or a zip file"):
        Ismn(bad.parent).sensors()
    shutil.copy(bad, stm(tmp_path))
    with pytest.raises(VadoseError, match=r"Hill-1.*\.stm\. Its first line has neither .*'no good data here'"):
        Ismn(tmp_path).sensors()


def test_an_archive_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(VadoseError, match=r"absent\. There is no such file or folder\. Give what was downloaded"):
        Ismn(tmp_path / "absent").sensors()
    stm(tmp_path / "data")
    archive = zipped(tmp_path / "data", tmp_path / "data.zip")
    archive.write_bytes(archive.read_bytes()[:-40])
    with pytest.raises(VadoseError, match=r"data\.zip\. It is neither a folder nor a complete zip file"):
        Ismn(archive).sensors()


@pytest.mark.parametrize("name", ["../out", "/etc"])
def test_a_path_that_leads_out_of_the_archive_is_refused(tmp_path: Path, name: str) -> None:
    path = stm(tmp_path / "data")
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        archive.write(path, "placeholder")
        archive.filelist[0].filename = f"{name}/{path.name}"
    with pytest.raises(VadoseError, match="Its path leads out of the archive"):
        Ismn(tmp_path / "data.zip").sensors()


@pytest.mark.parametrize("layout", ["header", "ceop"])
@pytest.mark.parametrize("words", ["Station 12", "Site 1 2", "1.01", "A -3", "12", "Old Mill 4"])
def test_a_station_whose_name_ends_with_a_number_is_no_position(words, layout, tmp_path):
    place = f"NET  NET  {words}  43.15000  -2.95670  112.00  0.05  0.05"
    stm(tmp_path, station=words.replace(" ", "-"), place=place, layout=layout)
    (sensor,) = Ismn(tmp_path).sensors()
    assert (sensor.lat, sensor.lon, sensor.elevation_m) == (43.15, -2.9567, 112.0)
    assert (sensor.station, sensor.depth_from_m) == (words.replace(" ", "-"), 0.05)
    assert Ismn(tmp_path).read(sensor)["soil_moisture"].dropna().tolist() == [0.214, 0.0, 0.4321]
