"""Wrong tables are refused with what was found and what to do, and nothing is written."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vadose.dataset.table_columns import TableMapping
from vadose.dataset.tables import import_table
from vadose.errors import VadoseError

MAPPING = {
    "network": {"column": "net"},
    "station": {"column": "station"},
    "lat": {"column": "lat"},
    "lon": {"column": "lon"},
    "time": {"column": "date"},
    "label": {"column": "sm"},
    "predictors": {
        "vv": {"column": "VV_dB", "units": "dB"},
        "B04": {"column": "B4", "units": "DN", "offset": -1000},
        "smap_usda": {"column": "ssm", "units": "mm", "depth_mm": 50, "missing": [-9999]},
    },
    "history": {"steps": 3, "step_days": 10},
}


def simulated_table(stations: int = 2, times: int = 60) -> pd.DataFrame:
    random = np.random.default_rng(1)
    count = stations * times
    return pd.DataFrame(
        {
            "net": "NA",
            "station": np.repeat([f"00{number}" for number in range(stations)], times),
            "lat": np.repeat(np.linspace(40, 41, stations), times),
            "lon": np.repeat(np.linspace(-100, -99, stations), times),
            "date": np.tile(pd.date_range("2020-01-01", periods=times, freq="5D").strftime("%Y-%m-%d"), stations),
            "VV_dB": random.uniform(-20, -5, count),
            "B4": random.uniform(1200, 4000, count).round(),
            "ssm": random.uniform(2, 25, count),
            "sm": random.uniform(0.05, 0.45, count),
            "unused": "x",
        }
    )


def _predictor(name: str, **keys: object) -> dict:
    return MAPPING | {"predictors": {**MAPPING["predictors"], name: keys}}


BAD_TABLES = {
    "missing column": (
        simulated_table().rename(columns={"VV_dB": "vv_db"}),
        MAPPING,
        "column 'VV_dB' (did you mean 'vv_db'?)",
        "Its columns are net, station, lat, lon, date, vv_db",
        "Name one of these",
    ),
    "text among numbers": (
        simulated_table().astype({"ssm": object}).replace({"ssm": {simulated_table()["ssm"][7]: "wet"}}),
        MAPPING,
        "column 'ssm' as numbers",
        "Row 8 has 'wet'; 1 of 120",
        "Correct these rows",
    ),
    "decimal comma": (
        simulated_table().assign(sm="0,25"),
        MAPPING,
        "column 'sm' as numbers",
        "Row 1 has '0,25'; 120 of 120",
        "Correct these rows",
    ),
    "no time": (
        simulated_table().assign(date="yesterday"),
        MAPPING,
        "column 'date' as a time",
        "Row 1 has 'yesterday'",
        "Correct these rows",
    ),
    "seconds as times": (
        simulated_table().assign(date=1577836800),
        MAPPING,
        "column 'date' as a time (ISO 8601)",
        "Row 1 has '1577836800'",
        "Correct these rows",
    ),
    "no station": (
        simulated_table().assign(station=["", *["001"] * 119]),
        MAPPING,
        "column 'station' as a name",
        "Row 1 has ''",
        "Correct these rows",
    ),
    "latitude": (
        simulated_table().assign(lat=[40.0] * 119 + [91.0]),
        MAPPING,
        "column 'lat' as degrees within -90..90",
        "Row 120 has '91.0'",
        "Correct these rows",
    ),
    "longitude missing": (
        simulated_table().assign(lon=[np.nan] + [10.0] * 119),
        MAPPING,
        "column 'lon' as degrees within -180..180",
        "Row 1 has 'nan'",
        "Correct these rows",
    ),
    "repeated": (
        pd.concat([simulated_table(), simulated_table().iloc[[3]]]),
        MAPPING,
        "one row per sensor and time",
        "Row 121 repeats NA 000 000 at 2020-01-16",
        "map the column that distinguishes them as the sensor",
    ),
    "label in percent": (
        simulated_table().assign(sm=lambda t: t["sm"] * 100),
        MAPPING,
        "column 'sm' as soil_moisture in m3 m-3",
        "120 of 120 values are outside 0..1 m3 m-3",
        "units in the mapping (1, %, mm, kg m-2; mm and kg m-2 with depth_mm)",
    ),
    "decibel as power": (
        simulated_table(),
        _predictor("vv", column="VV_dB"),
        "column 'VV_dB' as vv in 1",
        "values are outside 0..100 1: as read they are -1",
        "units in the mapping (dB)",
    ),
    "undeclared fill": (
        simulated_table().assign(ssm=lambda t: t["ssm"].where(t.index % 10 > 0, -9999)),
        MAPPING | {"predictors": {"smap_usda": {"column": "ssm", "units": "mm", "depth_mm": 50}}},
        "column 'ssm' as smap_usda in mm",
        "12 of 120 values are outside",
        "the numbers of missing values",
    ),
    "labels all missing": (
        simulated_table().assign(sm=np.nan),
        MAPPING,
        "labelled rows",
        "None of its 120 rows has a value in 'sm'",
        "leave the label out of the mapping",
    ),
    "empty": (simulated_table().iloc[:0], MAPPING, "table.csv", "It has no rows", "Give a table with rows"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_a_wrong_table_is_refused_and_nothing_is_written(tmp_path: Path, case: str) -> None:
    table, mapping, asked, found, remedy = BAD_TABLES[case]
    with pytest.raises(VadoseError) as refused:
        table.to_csv(tmp_path / "table.csv", index=False)
        import_table(tmp_path / "table.csv", TableMapping.model_validate(mapping), tmp_path / "store")
    assert asked in refused.value.context
    assert found in refused.value.problem
    assert remedy in refused.value.hint
    assert [entry.name for entry in tmp_path.iterdir()] == ["table.csv"]


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("absent.csv", None, "cannot be read"),
        ("table.xlsx", b"x", "suffix is none of .csv"),
        ("table.csv", b"", "cannot be read"),
        ("table.csv.gz", gzip.compress(b"a,b\n" * 9999, mtime=0)[:-20], "cannot be read"),
        ("table.csv.gz", b"no gzip", "cannot be read"),
        ("table.parquet", b"PAR1 no parquet", "cannot be read"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, name: str, content: bytes | None, found: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(VadoseError) as refused:
        import_table(tmp_path / name, TableMapping.model_validate(MAPPING), tmp_path / "store")
    assert name in refused.value.context
    assert found in refused.value.problem
    assert not (tmp_path / "store").exists()
