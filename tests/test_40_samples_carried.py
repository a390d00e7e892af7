"""Rows of tables know what an archive would know at their time: the latest look of each source within its window."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadose.dataset import SampleStore
from vadose.dataset.append import append
from vadose.dataset.carry_forward import Observations
from vadose.dataset.table_columns import TableMapping
from vadose.dataset.tables import import_table
from vadose.errors import VadoseError
from vadose.fusion import TemporalPolicy

DAY = np.timedelta64(1, "D")
START = np.datetime64("2021-01-01T00:00", "ns")
NAMES = ("vv", "vh", "incidence_angle", "B04", "sand", "smap")
MAPPING = {
    "network": {"value": "SIMULATED"},
    "station": {"column": "station"},
    "lat": {"column": "lat"},
    "lon": {"column": "lon"},
    "time": {"column": "time"},
    "simulated": True,
}


def table(days: list[float], **columns: list[float]) -> pd.DataFrame:
    time = pd.Timestamp("2021-01-01") + pd.to_timedelta(days, "D")
    return pd.DataFrame({"station": "a", "lat": 50.0, "lon": 9.0, "time": time} | columns)


def imported(folder: Path, content: pd.DataFrame, **changes: object) -> SampleStore:
    names = [name for name in content.columns if name not in ("station", "lat", "lon", "time")]
    mapping = MAPPING | {"predictors": {name: {"column": name} for name in names}} | changes
    content.to_parquet(folder / "table.parquet")
    import_table(folder / "table.parquet", TableMapping.model_validate(mapping), folder / "store")
    return SampleStore.open(folder / "store")


def column(store: SampleStore, name: str) -> list[float | None]:
    return [None if np.isnan(v) else round(float(v), 4) for v in store.cells((name,), store.rows)[:, 0]]


def test_a_look_is_carried_up_to_its_window_with_its_age(tmp_path):
    nan = np.nan
    days = [0, 6, 12, 13, 29, 31]
    radar, optics, coarse = [0.1, nan, nan, nan, 0.3, nan], [0.2, *5 * [nan]], [0.3, *5 * [nan]]
    store = imported(tmp_path, table(days, vv=radar, B04=optics, smap=coarse))
    assert column(store, "vv") == [0.1, 0.1, 0.1, None, 0.3, 0.3]
    assert column(store, "sentinel1_age") == [0, 6, 12, None, 0, 2]
    assert column(store, "B04") == [0.2, 0.2, 0.2, 0.2, 0.2, None]
    assert column(store, "sentinel2_age") == [0, 6, 12, 13, 29, None]
    assert column(store, "smap") == [0.3, None, None, None, None, None], "three days of SMAP"


def test_predictors_of_a_source_come_from_one_look_and_an_angle_alone_is_none(tmp_path):
    nan = np.nan
    content = table([0, 5, 8], vv=[0.1, nan, 0.2], vh=[0.01, nan, nan], incidence_angle=[40.0, 35.0, 36.0])
    store = imported(tmp_path, content)
    assert column(store, "vv") == [0.1, 0.1, 0.2]
    assert column(store, "vh") == [0.01, 0.01, None], "the last look has no vh, and takes none from another"
    assert column(store, "incidence_angle") == [40.0, 40.0, 36.0], "of the pass whose backscatter is given"


def test_the_past_holds_looks_at_their_own_times_and_not_what_was_carried(tmp_path):
    nan = np.nan
    history = {"steps": 3, "step_days": 5, "variables": ["vv"]}
    store = imported(tmp_path, table([0, 5, 10], vv=[0.1, nan, nan]), history=history)
    past = store.history(store.holds.history, store.rows)[2, :, 0]
    assert np.isnan(past[:2]).all() and past[2] == pytest.approx(0.1)


def test_what_never_changes_is_not_carried_and_sensors_do_not_mix(tmp_path):
    content = pd.concat(
        [table([0, 1], vv=[0.1, np.nan], sand=[0.4, np.nan]), table([0, 1], vv=[np.nan, 0.2]).assign(station="b")]
    )
    store = imported(tmp_path, content)
    assert column(store, "vv") == [0.1, 0.1, None, 0.2]
    assert column(store, "sand") == [0.4, None, None, None]


def test_windows_and_latencies_of_the_mapping_hold_for_rows_and_their_past(tmp_path):
    history = {"steps": 3, "step_days": 1, "variables": ["vv"]}
    content = table([0, 1, 2, 3], vv=[0.1, 0.2, 0.3, 0.4])
    windows = {"causal": True, "latency_days": {"sentinel1": 1.5}, "max_age_days": {"sentinel1": 2.5}}
    store = imported(tmp_path, content, windows=windows, history=history)
    assert column(store, "vv") == [None, None, 0.1, 0.2], "a look counts a day and a half after it was taken"
    assert column(store, "sentinel1_age") == [None, None, 2, 2]
    past = store.history(store.holds.history, store.rows)[3, :, 0]
    assert np.isnan(past[:2]).all() and past[2] == pytest.approx(0.2)


@given(
    seed=st.integers(0, 10**6),
    causal=st.booleans(),
    window=st.floats(0.5, 20),
)
def test_no_row_knows_what_comes_later_and_each_look_is_the_latest_in_reach(seed, causal, window):
    rng = np.random.default_rng(seed)
    days = np.sort(rng.choice(60, 15, replace=False))
    values = np.where(rng.random((15, len(NAMES))) < 0.5, rng.uniform(0.1, 0.9, (15, len(NAMES))), np.nan)
    windows = TemporalPolicy(dict.fromkeys(("sentinel1", "sentinel2", "smap"), window), causal)
    times = START + days * DAY
    known, ages = Observations(times, NAMES, values).carried(windows)
    for row, time in enumerate(times):
        until = windows.until("sentinel1", time)
        reach = [k for k in range(15) if times[k] <= until and (time - times[k]) / DAY <= window]
        looks = [k for k in reach if np.isfinite(values[k, :2]).any()]
        expected = values[looks[-1], :3] if looks else np.full(3, np.nan)
        np.testing.assert_array_equal(known[row, :3], expected)
        age = (time - times[looks[-1]]) / DAY if looks else np.nan
        np.testing.assert_allclose(ages["sentinel1"][row], age)
    later = values.copy()
    later[8:] = rng.random(later[8:].shape)
    np.testing.assert_array_equal(Observations(times, NAMES, later).carried(windows)[0][:8], known[:8])


def test_sigma0_becomes_gamma0_where_the_angle_is_known(tmp_path):
    content = table([0, 1, 40], vv=[0.1, 0.2, 0.3], incidence_angle=[30.0, 60.0, np.nan])
    predictors = {
        "vv": {"column": "vv", "product": "Sigma0 ellipsoid"},
        "incidence_angle": {"column": "incidence_angle"},
    }
    store = imported(tmp_path, content, predictors=predictors)
    assert column(store, "vv") == [round(0.1 / np.cos(np.radians(30)), 4), 0.4, None]
    assert store.products["vv"] == "gamma0 ellipsoid"
    assert store.declaration["made_from"]["made_missing"] == {"vv as sigma0 without an incidence angle": 1}
    (tmp_path / "angle").mkdir()
    bare = imported(
        tmp_path / "angle", content[["station", "lat", "lon", "time", "vv"]], predictors={"vv": predictors["vv"]}
    )
    assert column(bare, "vv") == [0.1, 0.2, 0.3] and bare.products["vv"] == "sigma0 ellipsoid"


def test_a_store_says_what_each_predictor_is_and_the_report_what_nobody_said(tmp_path):
    content = table([0], vv=[0.1], B04=[0.1], sand=[0.3], smap=[0.2], gldas=[0.2])
    stated = {"B04": "sentinel-2 l1c", "sand": "SLGA 2.0", "smap": "SPL3SMP_E"}
    predictors = {name: {"column": name} for name in ("vv", "gldas")}
    predictors |= {name: {"column": name, "product": product} for name, product in stated.items()}
    content.to_parquet(tmp_path / "table.parquet")
    mapping = TableMapping.model_validate(MAPPING | {"predictors": predictors})
    report = str(import_table(tmp_path / "table.parquet", mapping, tmp_path / "store"))
    store = SampleStore.open(tmp_path / "store")
    assert store.products == {
        "vv": "not stated",
        "B04": "Sentinel-2 L1C",
        "sand": "SLGA 2.0",
        "smap": "SPL3SMP or SPL3SMP_E",
        "gldas": "GLDAS-2.1 Noah",
    }
    assert "Not stated: the product of vv." in report and "gamma0 RTC" in report


def test_enhanced_smap_under_the_name_of_smap_is_refused_by_its_numbers(tmp_path):
    rng = np.random.default_rng(0)
    millimetres = np.clip(rng.normal(18, 8, 200), 1.59, 25.4)
    content = table(list(range(200)), smap=list(millimetres / 50))
    with pytest.raises(VadoseError) as refused:
        imported(tmp_path, content)
    assert "25.4 mm / 50 mm" in refused.value.problem and "'smap_usda'" in refused.value.hint
    assert not (tmp_path / "store").exists()
    imported(tmp_path, content.assign(smap=rng.uniform(0.02, 0.6, 200)))
    assert len(imported(tmp_path, content.rename(columns={"smap": "smap_usda"}))) == 200


def test_a_table_may_lack_what_is_optional_and_the_report_names_it(tmp_path):
    predictors = {name: {"column": f"{name}_dB", "units": "dB", "optional": True} for name in ("vv", "vh")}
    predictors |= {"sand": {"column": "sand"}}
    mapping = TableMapping.model_validate(
        MAPPING | {"predictors": predictors, "history": {"steps": 2, "step_days": 1, "variables": ["vv", "vh"]}}
    )
    table([0, 1], sand=[0.2, 0.2]).to_csv(tmp_path / "table.csv", index=False)
    report = str(import_table(tmp_path / "table.csv", mapping, tmp_path / "store"))
    assert "The table has no vv ('vv_dB'), vh ('vh_dB'): estimated as missing" in report
    held = SampleStore.open(tmp_path / "store").holds
    assert held.cells == ("sand",) and not held.history.variables
    table([0, 1], vh_dB=[-20.0, -21.0], sand=[0.2, 0.2]).to_csv(tmp_path / "table.csv", index=False)
    import_table(tmp_path / "table.csv", mapping, tmp_path / "store")
    assert SampleStore.open(tmp_path / "store").holds.history.variables == ("vh",)
    table([0, 1], wet=[0.2, 0.2]).to_csv(tmp_path / "table.csv", index=False)
    with pytest.raises(VadoseError, match="column 'sand'"):
        import_table(tmp_path / "table.csv", mapping, tmp_path / "store")


def test_stores_of_different_products_are_not_put_together(tmp_path):
    for level in ("Sentinel-2 L1C", "Sentinel-2 L2A"):
        (tmp_path / level).mkdir()
        imported(tmp_path / level, table([0], B04=[0.1]), predictors={"B04": {"column": "B04", "product": level}})
    with pytest.raises(VadoseError, match="B04 is Sentinel-2 L1C here and Sentinel-2 L2A there"):
        append(tmp_path / "Sentinel-2 L1C" / "store", SampleStore.open(tmp_path / "Sentinel-2 L2A" / "store"))
