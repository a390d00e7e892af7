"""Each fault of the paper's released script, and that a store made of shards and an ISMN archive has none of them.

The script takes a station whose name begins alike, sensors of 0.05-0.15 m for the top 5 cm, readings of any flag, and
drops readings of zero as missing.
"""

from pathlib import Path

import pandas as pd
import pytest

from published_writer import example, write_shard
from test_40_published_merge import HOURLY, NOON, published, stm
from vadose.batchu2022 import LabelMatcher, import_shards
from vadose.dataset import SampleStore
from vadose.insitu.ismn import Ismn

NAME = "sim-00000-of-00001.tfrecord.gz"


def imported(folder: Path, *features: dict[str, object]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The index of the store of some examples, and what is listed as unmatched."""
    path = write_shard(folder / NAME, [example(one) for one in (*features, published("SIM__Kept__Probe", sm_0_5=0.25))])
    merge = LabelMatcher(Ismn(folder / "ismn"))
    import_shards([path], folder / "store", merge, halo=0, simulated=True)
    return SampleStore.open(folder / "store").index, pd.read_parquet(folder / "store" / "unmatched.parquet")


def at_noon(value: str, flag: str = "G") -> tuple[tuple[str, str, str], ...]:
    return ((f"{NOON:%Y/%m/%d %H:%M}", value, flag),)


def test_fault_1_a_station_whose_name_begins_alike_gives_no_label(tmp_path: Path) -> None:
    stm(tmp_path / "ismn", "A-12", rows=at_noon("0.9"))
    stm(tmp_path / "ismn", "A-1", rows=at_noon("0.2"))
    index, unmatched = imported(
        tmp_path, published("NET__A-1__Probe"), published("NET__A-12__Probe"), published("NET__A__Probe")
    )
    assert index.set_index("station")["soil_moisture_in_situ"].to_dict() == {"A-1": 0.2, "A-12": 0.9, "Kept": 0.25}
    assert unmatched["reason"].tolist() == ["no station of NET named 'A' in the archive"]


def test_fault_2_a_sensor_at_5_to_15_cm_gives_no_label(tmp_path: Path) -> None:
    stm(tmp_path / "ismn", "Deep", depths=("0.050000", "0.150000"), rows=HOURLY)
    index, unmatched = imported(tmp_path, published("NET__Deep__Probe"))
    assert index["station"].tolist() == ["Kept"]
    assert unmatched["reason"].tolist() == ["no sensor of NET Deep within 0-0.05 m, only at 0.05-0.15 m"]


@pytest.mark.parametrize("flag", ["D03,D05", "C03", "M", "U"])
def test_fault_3_a_reading_with_a_flag_gives_no_label(tmp_path: Path, flag: str) -> None:
    stm(tmp_path / "ismn", "Flagged", rows=at_noon("0.3", flag))
    index, unmatched = imported(tmp_path, published("NET__Flagged__Probe"))
    assert index["station"].tolist() == ["Kept"]
    assert unmatched["reason"].tolist() == [f"the reading 0.3 has the flag '{flag}'"]


def test_fault_4_a_reading_of_zero_is_a_label(tmp_path: Path) -> None:
    stm(tmp_path / "ismn", "Dry", rows=at_noon("0.0000"))
    index, unmatched = imported(tmp_path, published("NET__Dry__Probe"), published("NET__Dust__Probe", sm_0_5=0.0))
    assert index.set_index("station")["soil_moisture_in_situ"].to_dict() == {"Dry": 0.0, "Dust": 0.0, "Kept": 0.25}
    assert unmatched.empty
