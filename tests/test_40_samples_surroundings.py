"""Land cover and climate in the index: those that an ISMN archive tells, in the year nearest to each sample."""

import csv
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from test_20_sources_ismn import stm
from test_40_samples_collocate import ARCHIVE, NEEDS, TOP, Simulated
from vadose.dataset import SampleStore
from vadose.dataset.collocate import SampleSource, build
from vadose.dataset.station_classes import station_classes
from vadose.errors import VadoseError
from vadose.fusion import FeatureBuilder, InputSpec
from vadose.insitu.conversion import archive_to_parquet
from vadose.insitu.ismn import Ismn
from vadose.simulation.ismn_files import Series, Soil, Station, write_station
from vadose.variables import SMAP

CLASSES = {"lc_2000": "70", "lc_2005": "130", "lc_2010": "190", "climate_KG": "Csa", "climate_KG_2017": "Csb"}
USCRN = "ismn_uscrn.zip"


@given(st.sets(st.sampled_from(["lc_2000", "lc_2005", "lc_2010"])), st.lists(st.integers(1980, 2030), min_size=1))
def test_the_cover_is_that_of_the_nearest_year_that_is_told(names: set[str], years: list[int]) -> None:
    told = {name: CLASSES[name] for name in names}
    found = station_classes(told, np.array([f"{year}-12-31" for year in years], "datetime64[ns]"))
    for year, cover in zip(years, found["land_cover"], strict=True):
        nearest = min(sorted(names), key=lambda name: abs(int(name[3:]) - year), default=None)
        assert cover == told.get(nearest, "")


def test_the_climate_is_that_of_the_map_which_every_archive_has() -> None:
    times = np.array(["2012-06-01", "2013-06-01"], "datetime64[ns]")
    assert station_classes(CLASSES, times)["climate"].tolist() == ["Csa", "Csa"]
    assert station_classes({"climate_KG_2017": "Csb"}, times)["climate"].tolist() == ["Csb", "Csb"]
    assert station_classes({"lc_insitu": "maize"}, times).to_numpy().tolist() == [["", "", ""]] * 2
    assert station_classes({"frm_class": "representative"}, times)["frm_class"].tolist() == ["representative"] * 2


def test_the_index_of_a_store_has_them_and_without_them_has_none(tmp_path: Path) -> None:
    build([TOP], replace(ARCHIVE, classes_of=lambda _: CLASSES), NEEDS, tmp_path / "told")
    build([TOP], ARCHIVE, NEEDS, tmp_path / "untold")
    told, untold = (SampleStore.open(tmp_path / name).index for name in ("told", "untold"))
    assert told[["land_cover", "climate"]].drop_duplicates().to_numpy().tolist() == [["190", "Csa"]]
    assert untold[["land_cover", "climate"]].drop_duplicates().to_numpy().tolist() == [["", ""]]
    columns = told.columns.drop(["land_cover", "climate", "frm_class"])
    pd.testing.assert_frame_equal(told[columns], untold[columns])


def test_a_simulated_archive_tells_them_itself_and_in_its_tables(tmp_path: Path) -> None:
    station = Station("SIM-A", "Hill", 8.5, 46.7, 600.0, Soil(0.45, 0.2, 0.4, 1.0), (130, "Grassland"), "Dfb")
    hours = pd.date_range("2021-06-01", periods=3, freq="h")
    write_station(station, [Series("sm", (0.0, 0.05), "P", hours, np.full(3, 0.2), np.full(3, "G"))], tmp_path / "ismn")
    archive_to_parquet(tmp_path / "ismn", tmp_path / "tables")
    for name in ("ismn", "tables"):
        (sensor,) = Ismn(tmp_path / name).sensors()
        told = Ismn(tmp_path / name).classes(sensor)
        assert told == dict.fromkeys(["lc_2000", "lc_2005", "lc_2010"], "130") | {"climate_KG": "Dfb"}


def test_an_archive_without_classes_tells_none_and_a_malformed_table_is_refused_or_skipped(tmp_path: Path) -> None:
    file = stm(tmp_path / "data")
    (sensor,) = Ismn(tmp_path / "data").sensors()
    assert Ismn(tmp_path / "data").classes(sensor) == {}
    (file.parent / "any_static_variables.csv").write_text("clay fraction;%;a;b;c;;HWSD;\n")
    with pytest.raises(VadoseError, match="It is not a table of static variables"):
        Ismn(tmp_path / "data").classes(sensor)
    assert Ismn(tmp_path / "data", skip_malformed=True).classes(sensor) == {}
    with pytest.raises(VadoseError, match="but not this one"):
        Ismn(tmp_path / "data").classes(replace(sensor, station="other"))


def plain(archive: Path, network: str, station: str) -> dict[tuple[str, str], str]:
    """Classes of a station by quantity and source, read without the package."""
    with zipfile.ZipFile(archive) as packed:
        text = packed.read(f"{network}/{station}/{network}_{network}_{station}_static_variables.csv").decode()
    rows = csv.reader(text.splitlines(), delimiter=";", quoting=csv.QUOTE_NONE)
    return {(row[0], row[6]): row[4] for row in rows}


@pytest.mark.real
def test_real_sensors_have_those_of_their_table_in_the_store(real: Path, tmp_path: Path) -> None:
    ismn = Ismn(real / USCRN)
    sensors = [one for one in ismn.sensors(deepest_m=0.06) if one.network == "USCRN"][:2]
    needs = InputSpec(cells=("smap",))

    def good_times(sensor):
        readings = ismn.read(sensor)
        return readings.index[readings["flag"] == "G"].to_numpy("datetime64[ns]")[::400]

    def assemble(tile, period):
        even = Simulated("smap", (SMAP,), 2000.0, lambda column, _: np.full(column.shape, 0.3), tile, (period.start,))
        return FeatureBuilder.open([even], tile, period, needs)

    build(sensors, SampleSource(ismn.read, good_times, assemble, ismn.classes), needs, tmp_path / "store")
    index = SampleStore.open(tmp_path / "store").index
    assert sorted(index["station"].unique()) == sorted(one.station for one in sensors)
    assert len(index) > 10
    for station, rows in index.groupby("station"):
        told = plain(real / USCRN, "USCRN", str(station))
        assert set(rows["land_cover"]) == {told["land cover classification", "CCI_landcover_2010"]}
        assert set(rows["climate"]) == {told["climate classification", "koeppen_geiger_2007"]}


@pytest.mark.real
@pytest.mark.parametrize("archive", ["ismn/format_ceop_sep", "ismn/format_header_values"])
def test_real_archives_without_static_variables_tell_none(real: Path, archive: str) -> None:
    ismn = Ismn(real / archive)
    assert [ismn.classes(sensor) for sensor in ismn.sensors()] == [{}]


@pytest.mark.real
def test_every_real_sensor_has_a_cover_and_a_climate(real: Path) -> None:
    ismn = Ismn(real / USCRN)
    found = [station_classes(ismn.classes(one), np.array(["2015-01-01"], "datetime64[ns]")) for one in ismn.sensors()]
    told = pd.concat(found)
    assert len(told) == 68 and (told[["land_cover", "climate"]] != "").all(axis=None)
    assert told["land_cover"].astype(int).between(10, 220).all()
