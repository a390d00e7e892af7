"""Archives as they come: hostile zip files are refused, static variables and thermometers are found."""

import stat
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ismn.interface import ISMN_Interface
from typer.testing import CliRunner

from test_20_sources_ismn import ROWS, stm, zipped
from vadose.cli.main import app
from vadose.errors import VadoseError
from vadose.insitu.archive import ArchiveReader
from vadose.insitu.flags import FROZEN, MEANINGS, accepted, explained
from vadose.insitu.index import IsmnIndex
from vadose.insitu.ismn import Ismn
from vadose.insitu.static_variables import CLASS_COLUMNS, SOIL, read_static

GOOD = "NET/Hill-1/NET_NET_Hill-1_sm_0.050000_0.050000_Probe-A_20190101_20190131.stm"


def archive_with(tmp_path: Path, name: str, content: bytes = b"x", mode: int = 0) -> Path:
    path = zipped(stm(tmp_path / "data").parents[2], tmp_path / "data.zip")
    entry = zipfile.ZipInfo(name)
    entry.external_attr = mode << 16
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return path


@pytest.mark.parametrize(
    ("name", "content", "mode", "found"),
    [
        ("../readings.stm", b"x", 0, "Its path leads out of the archive"),
        ("NET/../../readings.txt", b"x", 0, "Its path leads out of the archive"),
        ("/etc/readings", b"x", 0, "Its path leads out of the archive"),
        ("C:/readings.stm", b"x", 0, "Its path leads out of the archive"),
        ("C:readings.stm", b"x", 0, "Its path leads out of the archive"),
        ("NET\\..\\..\\readings.stm", b"x", 0, "Its path leads out of the archive"),
        ("\\\\host\\share\\readings.stm", b"x", 0, "Its path leads out of the archive"),
        ("NET/link.stm", b"/etc/passwd", stat.S_IFLNK | 0o777, "It is a link, not a file"),
        ("NET/bomb.stm", bytes(12 * 2**20), 0, "Its stated size is 12582912 bytes, packed into"),
        (GOOD, b"x", 0, "Its path is repeated"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_hostile_archive_is_refused_whole(tmp_path: Path, name: str, content: bytes, mode: int, found: str) -> None:
    path = archive_with(tmp_path, name, content, mode)
    before = sorted(tmp_path.rglob("*"))
    for skip in (False, True):
        with pytest.raises(VadoseError) as told:
            Ismn(path, skip_malformed=skip).sensors()
        assert found in told.value.problem
        assert "Nothing of the archive was read; download it again from ISMN" in told.value.hint
    assert sorted(tmp_path.rglob("*")) == before


def test_a_size_that_is_declared_falsely_is_found(tmp_path: Path) -> None:
    path = zipped(stm(tmp_path / "data").parents[2], tmp_path / "data.zip")
    packed = path.read_bytes()
    size = len((tmp_path / "data" / GOOD).read_bytes()).to_bytes(4, "little")
    assert packed.count(size) >= 2
    path.write_bytes(packed.replace(size, (5).to_bytes(4, "little")))
    with pytest.raises(VadoseError, match=r"Hill-1.*It cannot be read"):
        Ismn(path).sensors()


def test_other_files_in_an_archive_are_let_be(tmp_path: Path) -> None:
    path = archive_with(tmp_path, "Metadata.xml", b"<x/>" * 10)
    assert len(Ismn(path).sensors()) == 1


@pytest.mark.parametrize("packed", [False, True])
def test_the_digest_tells_archives_apart(tmp_path: Path, packed: bool) -> None:
    def digest() -> str:
        return ArchiveReader(zipped(tmp_path / "data", tmp_path / "data.zip") if packed else tmp_path / "data").digest

    stm(tmp_path / "data")
    first = digest()
    assert digest() == first
    stm(tmp_path / "data", rows=ROWS[:3])
    assert digest() != first


@pytest.mark.parametrize(
    "archive", ["ismn/zip_archives/header/Data_seperate_files_header_20170810_20180809.zip", "ismn_uscrn.zip"]
)
def test_static_variables_are_those_of_the_ismn_package(real: Path, archive: str, tmp_path: Path, capfd) -> None:
    theirs = ISMN_Interface(real / archive, meta_path=tmp_path, temp_root=tmp_path, parallel=False).metadata
    files = ArchiveReader(real / archive)
    held = IsmnIndex.of(files, skip_malformed=False)
    compared = 0
    for _, row in theirs.iterrows():
        key = tuple(row[name, "val"] for name in ("network", "station", "instrument"))
        depth = row["instrument", "depth_from"]
        (one,) = (
            series
            for sensor, series in held.series.items()
            if (sensor.network, sensor.station, sensor.instrument) == key and abs(sensor.depth_from_m - depth) < 1e-3
        )
        static = read_static(one.static, files.read(one.static))
        found = static.at(one.sensor.depth_from_m, one.sensor.depth_to_m)
        assert set(found) == set(CLASS_COLUMNS) | set(SOIL)
        for name in (*SOIL, "lc_2000", "lc_2005", "lc_2010"):
            assert float(found[name]) == row[name, "val"], (key, name)
            compared += 1
        assert found["climate_KG"] == row["climate_KG", "val"]
    assert compared == 8 * len(held.series)


def test_static_variables_of_the_nearest_layer_and_of_a_table_without_header() -> None:
    rows = [
        'clay fraction;% weight;0.00;0.30;20;;HWSD;;;;30";;;',
        'clay fraction;% weight;0.30;1.00;40;;HWSD;;;;30";;;',
        "land cover classification;;;;130;Grassland;CCI_landcover_2010;;;;;;;",
        "climate classification;;;;Cfa;;insitu;;;;;;;",
    ]
    static = read_static("table", "\n".join(rows).encode())
    assert [static.at(*depths)["clay_fraction"] for depths in [(0.05, 0.05), (0.2, 0.5), (0.5, 0.5), (2, 2)]] == [
        20,
        40,
        40,
        40,
    ]
    assert static.at(0, 0.05) | {"lc_2010": "130", "climate_insitu": "Cfa", "sand_fraction": None} == static.at(0, 0.05)
    with pytest.raises(VadoseError, match=r"ismn: table\. It is not a table of static variables"):
        read_static("table", b"clay fraction;% weight;top;0.30;20;;HWSD;")


def warmth(root: Path, rows, depth: str = "0.050000", instrument: str = "Probe-A", station: str = "Hill-1") -> Path:
    return stm(root, variable="ts", depths=(depth, depth), instrument=instrument, rows=rows, station=station)


def test_the_temperature_is_that_of_the_thermometer_beside_the_sensor(tmp_path: Path) -> None:
    stm(tmp_path)
    warmth(tmp_path, [("2019/01/01 00:00", "8.0", "G")], depth="0.100000")
    warmth(tmp_path, [("2019/01/01 00:00", "7.0", "G")], instrument="Other")
    warmth(tmp_path, [("2019/01/01 00:00", "6.0", "G")], station="Hill-12")
    rows = [
        ("2019/01/01 00:20", "-1.5", "G"),
        ("2019/01/01 01:10", "99.0", "G"),
        ("2019/01/01 01:20", "3.0", "C02"),
        ("2019/01/01 02:30", "-9999", "M"),
        ("2019/01/01 02:50", "4.0", "D01"),
    ]
    warmth(tmp_path, rows)
    source = Ismn(tmp_path)
    found = source.read(source.sensors()[0])["soil_temperature"]
    np.testing.assert_array_equal(found, [-1.5, -1.5, 4.0, np.nan])


def test_a_thermometer_far_above_or_below_is_not_beside(tmp_path: Path) -> None:
    stm(tmp_path)
    warmth(tmp_path, [("2019/01/01 00:00", "8.0", "G")], depth="0.110000")
    source = Ismn(tmp_path)
    assert source.read(source.sensors()[0])["soil_temperature"].isna().all()


def test_a_damaged_thermometer_refuses_its_sensor_or_is_skipped(tmp_path: Path) -> None:
    stm(tmp_path)
    path = warmth(tmp_path, [("2019/01/01 00:00", "warm", "G")])
    source = Ismn(tmp_path)
    with pytest.raises(VadoseError, match="warm"):
        source.read(source.sensors()[0])
    found = Ismn(tmp_path, skip_malformed=True).read(source.sensors()[0])
    assert found["soil_temperature"].isna().all()
    assert found["soil_moisture"].notna().sum() == 3
    assert "_ts_" in path.name


def test_flags_are_explained_and_chosen() -> None:
    assert {f"C0{n}" for n in range(1, 4)} | {f"D{n:02}" for n in range(1, 11)} | {"G", "M", "U"} == set(MEANINGS)
    assert explained("D06,C03").startswith("above the saturation")
    assert explained("D06,C03").endswith("; spike")
    assert explained("X9") == "X9: unknown to ISMN"
    assert all("temperature" in MEANINGS[flag] for flag in FROZEN)
    assert accepted("G", ["G"])
    assert not accepted("D06,C03", ["G", "C03"])
    assert accepted("D06,C03", ["G", "C03,D06"])
    assert accepted("D06, C03", ["C03", "D06"])
    assert not accepted("C03", ["C03,D06"])
    assert not accepted("", ["G"])


@pytest.mark.parametrize("packed", [False, True])
def test_a_source_can_be_handed_to_another_process(tmp_path: Path, packed: bool) -> None:
    import pickle

    stm(tmp_path / "data")
    source = Ismn(zipped(tmp_path / "data", tmp_path / "data.zip") if packed else tmp_path / "data")
    (sensor,) = source.sensors()
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(source)).read(sensor), source.read(sensor))


def test_an_encrypted_archive_is_refused_whole(tmp_path: Path) -> None:
    """The flag that a zip program sets with a password, in the list of files and before each of them."""
    path = tmp_path / "ismn.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("NET/A/NET_NET_A_sm_0.050000_0.050000_Probe_20200101_20200131.stm", "encrypted bytes")
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(VadoseError, match=r"It is encrypted\. .*password"):
        Ismn(path).sensors()
    told = CliRunner().invoke(app, ["samples", "convert-ismn", str(path), "--out", str(tmp_path / "tables")])
    assert isinstance(told.exception, VadoseError)
    assert not (tmp_path / "tables").exists()
