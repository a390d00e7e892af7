"""Tables of text: one rule for times and for names, whoever reads them."""

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from vadose.dataset.column_values import names, read_table, times
from vadose.dataset.table_columns import TableMapping, TimeColumn
from vadose.errors import VadoseError
from vadose.evaluation import read
from vadose.io.csv_tables import read_csv, utc_times
from vadose.mapping.points import read_points, read_polygons

ACCEPTED = {
    "2020-02-01": "2020-02-01T00:00",
    "20200201": "2020-02-01T00:00",
    "2020/02/01 05:00": "2020-02-01T05:00",
    "2020-02-01T05": "2020-02-01T05:00",
    "2020-02-01T05:06:07Z": "2020-02-01T05:06:07",
    "2020-02-01 05:06:07.125": "2020-02-01T05:06:07.125",
    "20200201T050607Z": "2020-02-01T05:06:07",
    "2020-02-01T05:00+01:00": "2020-02-01T04:00",
    "2020-02-01T05:00-0530": "2020-02-01T10:30",
    "2020-02-01T00:30+02": "2020-01-31T22:30",
    " 2020-02-01T05:00 ": "2020-02-01T05:00",
}
REFUSED = {
    "01/02/2020": "where day and month are ambiguous",
    "13/02/2020": "where day and month are ambiguous",
    "1.2.20 05:00": "where day and month are ambiguous",
    "02-01-2020": "where day and month are ambiguous",
    "2020": "a whole month or year",
    "2020-02": "a whole month or year",
    "202002": "a whole month or year",
    "12:00": "",
    "Feb 1 2020": "",
    "1700123123": "",
    "43862": "",
    "2020-02-30": "",
    "2020-02-01T25:00": "",
    "1500-01-01": "",
    "2300-01-01": "",
    "NA": "",
    "": "",
}


@pytest.mark.parametrize("text", ACCEPTED)
def test_times_are_iso_8601_and_utc(text: str) -> None:
    found = utc_times(pd.Series(["2019-07-01T12:00+02:00", text]), "trial")
    assert found.dtype == "datetime64[ns]"
    assert list(found) == [np.datetime64("2019-07-01T10:00", "ns"), np.datetime64(ACCEPTED[text], "ns")]


@pytest.mark.parametrize("text", REFUSED)
def test_other_times_are_refused_by_column_value_and_row(text: str) -> None:
    column = pd.Series(["2020-01-01", text, text], name="when")
    with pytest.raises(VadoseError) as caught:
        utc_times(column, "trial")
    assert "column 'when'" in caught.value.context
    assert f"Row 2 has '{text}'" in caught.value.problem and "2 of 3 rows" in caught.value.problem
    assert REFUSED[text] in caught.value.problem and "ISO 8601" in caught.value.hint


def test_times_that_are_no_text_come_out_alike() -> None:
    local = pd.Series(pd.date_range("2020-01-01", periods=2, freq="D", tz="Europe/Berlin"))
    assert list(utc_times(local, "trial")) == [
        np.datetime64("2019-12-31T23", "ns"),
        np.datetime64("2020-01-01T23", "ns"),
    ]
    days = pd.Series([pd.Timestamp("2020-01-01").date()], dtype=object)
    assert utc_times(days, "trial")[0] == np.datetime64("2020-01-01", "ns")
    for lost in (np.datetime64("NaT"), np.datetime64("1500-01-01", "s"), np.datetime64("9999-01-01", "s")):
        with pytest.raises(VadoseError, match="as a time"):
            utc_times(pd.Series(np.array(["2020-01-01", lost], "datetime64[s]")), "trial")


def test_a_format_of_its_own_is_exact() -> None:
    column = pd.Series(["01/02/2020"], name="date")
    assert utc_times(column, "trial", "%d/%m/%Y")[0] == np.datetime64("2020-02-01", "ns")
    with pytest.raises(VadoseError, match="%m/%Y"):
        utc_times(column, "trial", "%m/%Y")


WORDS = ("NA", "nan", "null", "None", "N/A", "NaN", "001", "1e3", "True", "NULL")


def table(when: str = "2020-01-01T00:00Z") -> pd.DataFrame:
    """A row a station whose name a reader might take for another thing."""
    return pd.DataFrame(
        {"network": "NA", "station": WORDS, "sensor": "null", "lat": 40.0, "lon": 10.0, "time": when}
        | {"soil_moisture": ["0.2", "NA", "nan", "", "null", *["0.3"] * 5], "soil_moisture_in_situ": 0.2}
    )


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_names_that_look_like_nothing_stay_names(tmp_path: Path, suffix: str, mark: str) -> None:
    path = tmp_path / f"predictions{suffix}"
    if suffix == ".parquet":
        table().assign(soil_moisture=pd.to_numeric(table()["soil_moisture"], errors="coerce")).to_parquet(path)
    else:
        text = (mark + table().to_csv(index=False)).encode()
        path.write_bytes(gzip.compress(text) if suffix.endswith("gz") else text)
    found = read(path)
    assert sorted(found["station"]) == sorted(WORDS)
    assert set(found["network"]) == {"NA"} and set(found["sensor"]) == {"null"}
    assert found["soil_moisture"].isna().sum() == 4


def test_a_table_of_predictions_is_refused_by_the_rule(tmp_path: Path) -> None:
    for name, when in (("day", "01/02/2020"), ("month", "2020-02"), ("clock", "12:00")):
        table(when).to_csv(tmp_path / f"{name}.csv", index=False)
        with pytest.raises(VadoseError, match=rf"column 'time'.*Row 1 has '{when}'"):
            read(tmp_path / f"{name}.csv")
    table(when="01/02/2020").assign(soil_moisture=0.2).to_parquet(tmp_path / "text.parquet")
    with pytest.raises(VadoseError, match="column 'time'"):
        read(tmp_path / "text.parquet")
    for absent in ("", "  "):
        table().assign(station=["a", absent, *WORDS[2:]]).to_csv(tmp_path / "blank.csv", index=False)
        with pytest.raises(VadoseError, match="1 rows without a value"):
            read(tmp_path / "blank.csv")


def test_offsets_of_summer_and_winter_are_utc(tmp_path: Path) -> None:
    written = (
        table()
        .head(2)
        .assign(time=["2021-03-28T00:30+01:00", "2021-03-28T03:30+02:00"], soil_moisture=0.2, station="a")
    )
    written.to_csv(tmp_path / "clock.csv", index=False)
    assert list(read(tmp_path / "clock.csv")["time"].dt.strftime("%H:%M")) == ["23:30", "01:30"]


def test_a_table_of_samples_obeys_the_same_rule(tmp_path: Path) -> None:
    mapping = {"network": {"value": "N"}, "station": {"column": "station"}, "lat": {"column": "lat"}}
    mapping |= {
        "lon": {"column": "lon"},
        "time": {"column": "time"},
        "predictors": {"smap": {"column": "soil_moisture"}},
    }
    (tmp_path / "mapping.yaml").write_text(yaml.safe_dump(mapping))
    told = TableMapping.read(tmp_path / "mapping.yaml")
    table("2020-01-01T06:00+02:00").to_csv(tmp_path / "table.csv", index=False)
    content = read_table(tmp_path / "table.csv", told)
    assert list(names(content, told.station)) == list(WORDS)
    assert set(times(content, told.time)) == {np.datetime64("2020-01-01T04:00", "ns")}
    table("01/02/2020").to_csv(tmp_path / "table.csv", index=False)
    with pytest.raises(VadoseError, match="day and month are ambiguous"):
        times(read_table(tmp_path / "table.csv", told), told.time)


def test_places_keep_their_names(tmp_path: Path) -> None:
    (tmp_path / "places.csv").write_text("\ufeffPlace,Lon,Lat\nNA,10,50\n007,11,51\n")
    assert list(read_points(tmp_path / "places.csv")["place"]) == ["NA", "007"]


def test_columns_that_are_not_named_are_numbers_with_words_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("name,value\nNA,NA\nb,1.5\n")
    found = read_csv(tmp_path / "t.csv", {"name"})
    assert list(found["name"]) == ["NA", "b"] and found["value"].isna().tolist() == [True, False]


HEADER = "network,station,sensor,lat,lon,time,soil_moisture\n"
ROWS = "".join(f"NET,{number:03},s,45.1,10.2,2021-06-0{number}T00:00Z,0.2{number}\n" for number in range(1, 6))
ODD_TABLES = {
    "semicolons": ((HEADER + ROWS).replace(",", ";").encode(), "separated by semicolons"),
    "decimal commas": ((HEADER + ROWS).replace(",", ";").replace(".", ",").encode(), "separated by semicolons"),
    "tabs": ((HEADER + ROWS).replace(",", "\t").encode(), "separated by tabs"),
    "utf-16": ((HEADER + ROWS).encode("utf-16"), "UTF-8"),
    "latin-1": ((HEADER + ROWS).replace("NET", "MÜHLE").encode("latin-1"), "UTF-8"),
    "a column twice": (
        (HEADER.replace("\n", ",soil_moisture\n") + ROWS.replace("\n", ",0.9\n")).encode(),
        "Several of its columns are called soil_moisture",
    ),
    "a header alone": (HEADER.encode(), "no rows"),
}


@pytest.mark.parametrize("name", ODD_TABLES)
def test_tables_of_another_make_are_refused_for_what_they_are(name: str, tmp_path: Path) -> None:
    content, words = ODD_TABLES[name]
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(VadoseError) as caught:
        read(tmp_path / "t.csv")
    assert words in str(caught.value)


def test_a_damaged_archive_of_a_table_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress((HEADER + ROWS).encode())
    for content in (whole[:40], whole[:20] + b"x" * 40, b"\x1f\x8bxxxx"):
        (tmp_path / "t.csv.gz").write_bytes(content)
        with pytest.raises(VadoseError, match="cannot be read as a table"):
            read(tmp_path / "t.csv.gz")


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_comma_at_the_end_of_each_row_moves_no_column(mark: str, tmp_path: Path) -> None:
    (tmp_path / "plain.csv").write_text(HEADER + ROWS)
    (tmp_path / "t.csv").write_text(mark + HEADER + ROWS.replace("\n", ",\n"))
    pd.testing.assert_frame_equal(read(tmp_path / "t.csv"), read(tmp_path / "plain.csv"))


@pytest.mark.parametrize(
    "header", ["place,lon,lat,lon", "place,lon,lat,LON", "place,longitude,latitude,x", "a,b,c,lat"]
)
def test_points_whose_coordinates_are_not_two_columns_are_refused(header: str, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(f"{header}\na,10,45,11\n")
    with pytest.raises(VadoseError, match="columns"):
        read_points(tmp_path / "p.csv")


def test_polygons_without_a_name_have_their_number(tmp_path: Path) -> None:
    def feature(west: float, name: object) -> dict:
        ring = [[west, 45], [west + 0.1, 45], [west + 0.1, 45.1], [west, 45]]
        return {
            "type": "Feature",
            "properties": {"id": name},
            "geometry": {"type": "Polygon", "coordinates": [ring]},
        }

    for named, expected in (((7, None), ["7", "1"]), (("north", None), ["north", "1"]), ((None, "a"), ["0", "a"])):
        features = [feature(10 + place, name) for place, name in enumerate(named)]
        (tmp_path / "p.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
        assert list(read_polygons(tmp_path / "p.geojson")) == expected


@pytest.mark.parametrize(("form", "sound"), [("%Y-%m-%d %I:%M", False), ("%Y-%m-%d %I:%M %p", True), ("%Y%m%d", True)])
def test_hours_of_half_a_day_need_their_half(form: str, sound: bool) -> None:
    if sound:
        assert TimeColumn(column="time", format=form).format == form
        return
    with pytest.raises(ValueError, match="without %p"):
        TimeColumn(column="time", format=form)
