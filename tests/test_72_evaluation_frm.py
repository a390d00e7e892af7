"""FRM classes, dense sites and irrigated fields of an ISMN archive: read from its tables, scored apart."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from ismn.custom import CustomSensorMetadataCsv
from ismn.interface import ISMN_Interface

import vadose
from vadose.errors import VadoseError
from vadose.insitu.conversion import archive_to_parquet
from vadose.insitu.ismn import Ismn
from vadose.report.headline import console_summary
from vadose.simulation.ismn_files import Series, Soil, Station, write_station

DAYS = pd.date_range("2021-06-01", periods=30, freq="D")
SITE = [(40.0 + 0.02 * number, -100.0) for number in range(5)]
LONE = [(30.5, -90.5), (45.5, -110.5), (35.5, -95.5)]
COVERS = [(20, "irrigated"), (10, "rainfed"), (130, "grassland")]
CLASSES = ["very representative", "representative", "not representative", "undeducible", "", "representative"]
HEADER = "frm_class;frm_snr;frm_nobs;depth_from;depth_to;variable;network;station;instrument"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight stations without FRM classes: a dense site and three lone stations."""
    folder = tmp_path_factory.mktemp("ismn")
    rng = np.random.default_rng(3)
    for number, (lat, lon) in enumerate([*SITE, *LONE]):
        soil, cover = Soil(0.45, 0.2, 0.4, 1.0), COVERS[number % 3]
        station = Station("SIM", f"s{number}", lon, lat, 300.0, soil, cover, "Dfb")
        readings = Series("sm", (0.05, 0.05), "Probe", DAYS, rng.uniform(0.1, 0.4, 30), np.full(30, "G"))
        write_station(station, [readings], folder)
    return folder


def table(classes: list[str] = CLASSES) -> str:
    rows = [
        f"{name};1.5;200;0.05;0.05;soil_moisture;SIM;s{number};Probe" for number, name in enumerate(classes) if name
    ]
    return "\n".join([HEADER, *rows]) + "\n"


def with_table(archive: Path, path: Path, content: str) -> Path:
    shutil.copytree(archive, path)
    (path / "preprocessing").mkdir()
    (path / "preprocessing" / "frm_classification.csv").write_text(content)
    return path


def by_the_ismn_package(archive: Path, path: Path) -> Path:
    """An archive to which the ismn package has added the classes, as QA4SM does."""
    shutil.copytree(archive, path)
    (path.parent / "frm.csv").write_text(table())
    reader = CustomSensorMetadataCsv(str(path.parent / "frm.csv"), fill_values={"frm_class": "undeducible"})
    ISMN_Interface(path, custom_meta_reader=[reader], parallel=False)
    return path


def packed(archive: Path, path: Path) -> Path:
    return Path(shutil.make_archive(str(path.with_suffix("")), "zip", archive))


def classes(archive: Path) -> dict[str, str]:
    held = Ismn(archive)
    return {sensor.station: held.classes(sensor).get("frm_class", "") for sensor in held.sensors()}


def test_classes_are_read_wherever_an_archive_has_them(archive: Path, tmp_path: Path) -> None:
    expected = {f"s{number}": name for number, name in enumerate([*CLASSES, "", ""])}
    folder = with_table(archive, tmp_path / "folder", table())
    assert classes(folder) == expected
    assert classes(packed(folder, tmp_path / "packed.zip")) == expected
    archive_to_parquet(folder, tmp_path / "tables")
    assert classes(tmp_path / "tables") == expected
    undeducible = {station: name or "undeducible" for station, name in expected.items()}
    assert classes(by_the_ismn_package(archive, tmp_path / "kept" / "ismn")) == undeducible
    assert set(classes(archive).values()) == {""}
    assert Ismn(folder).classes(Ismn(folder).sensors()[0])["lc_2010"] == "20"


def test_a_class_is_of_its_own_depth_and_variable(archive: Path, tmp_path: Path) -> None:
    others = table(["representative"]).replace("0.05;0.05", "0.1;0.1") + "\n".join(
        table(["", "representative"]).replace("soil_moisture", "soil_temperature").splitlines()[1:]
    )
    assert set(classes(with_table(archive, tmp_path / "others", others)).values()) == {""}


@pytest.mark.parametrize("content", ["frm_class;network\nrepresentative;SIM\n", table().replace("0.05", "top")])
def test_a_table_that_is_none_is_named(archive: Path, tmp_path: Path, content: str) -> None:
    broken = with_table(archive, tmp_path / "broken", content)
    with pytest.raises(VadoseError, match=r"frm_classification\.csv.*not a table of FRM classes"):
        Ismn(broken).sensors()
    (fault,) = Ismn(broken, skip_malformed=True).malformed
    assert "frm_classification.csv" in str(fault)


def test_tables_made_before_there_were_classes_are_read(archive: Path, tmp_path: Path) -> None:
    archive_to_parquet(archive, tmp_path / "tables")
    sensors = tmp_path / "tables" / "sensors.parquet"
    pd.read_parquet(sensors).drop(columns="frm_class").to_parquet(sensors)
    assert set(classes(tmp_path / "tables").values()) == {""}


def product() -> xr.Dataset:
    lat, lon = np.arange(29.05, 47, 0.1), np.arange(-112.05, -88, 0.1)
    rng = np.random.default_rng(5)
    values = rng.uniform(0.1, 0.4, (len(DAYS), len(lat), len(lon))).astype("f4")
    held = xr.DataArray(values, {"time": DAYS, "lat": lat, "lon": lon}, name="sm", attrs={"units": "m3 m-3"})
    return held.to_dataset()


def test_representative_sensors_have_a_row_and_sites_and_fields_their_strata(archive: Path, tmp_path: Path) -> None:
    found = with_table(archive, tmp_path / "ismn", table())
    card = vadose.evaluate({"grid": product(), "other": product() + 0.01}, sensors=found, out=tmp_path / "card")
    sensors = card.sensors[card.sensors["product"] == "grid"].set_index("station")
    own = sensors.loc[["s0", "s1", "s5"]]
    row = card.representative.iloc[0]
    assert card.representative["product"].tolist() == ["grid", "other"]
    assert (row["sensors"], row["samples"], row["places"]) == (3, 90, 2)
    assert row["r"] == pytest.approx(own["r"].mean(), abs=1e-12)
    assert row["rmse_over_places"] == pytest.approx(own["rmse"].groupby(own["lat"].round()).mean().mean(), abs=1e-12)
    figures = json.loads((tmp_path / "card" / "scorecard.json").read_text())
    assert figures["headline_representative"][0]["sensors"] == 3 and len(figures["headline"]) == 3
    texts = [str(card), card._repr_html_(), console_summary(tmp_path / "card")]
    texts += [(tmp_path / "card" / f"scorecard.{kind}").read_text() for kind in ("md", "html")]
    assert all("3 FRM-representative sensors" in text for text in texts)
    counts = {(row["stratum"], row["class"]): row["sensors"] for row in figures["strata"] if row["product"] == "grid"}
    assert counts["FRM class (ISMN)", "very representative"] == 1
    assert counts["FRM class (ISMN)", "representative"] == 2
    assert counts["site, stations within 18 km", "dense site, 5 stations or more"] == 5
    assert counts["site, stations within 18 km", "lone station"] == 3
    assert counts["irrigation (ESA CCI land cover)", "irrigated cropland"] == 3
    assert counts["irrigation (ESA CCI land cover)", "rainfed cropland"] == 3


def test_without_classes_or_with_one_for_all_there_is_no_such_row(archive: Path, tmp_path: Path) -> None:
    for number, content in enumerate([HEADER + "\n", table(["representative"] * 8)]):
        found = with_table(archive, tmp_path / str(number), content)
        card = vadose.evaluate({"grid": product()}, sensors=found)
        assert card.representative.empty and "FRM-representative" not in str(card)
