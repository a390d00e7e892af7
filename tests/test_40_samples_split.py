"""Splits: every row in one fold, neighbours together, the same for a seed, and a proof that finds what is torn."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vadose.dataset import SampleStore
from vadose.dataset.leakage import check_leakage
from vadose.dataset.spatial_groups import SpatialGroups, pairs_within
from vadose.dataset.split import holdout, kfold, validation_split
from vadose.dataset.table_columns import TableMapping
from vadose.dataset.tables import import_table
from vadose.errors import VadoseError
from vadose.grid import distances_km

CONUS = Path(__file__).parents[1] / "configs" / "tables" / "conus_10day.yaml"


def index_of(*sensors: tuple[str, float, float, int]) -> pd.DataFrame:
    """One row a day for each (name "NETWORK station", lat, lon, rows)."""
    tables = []
    for name, lat, lon, rows in sensors:
        network, station = name.split()
        days = pd.date_range("2019-12-30", periods=rows, freq="1D")
        own = {"network": network, "station": station, "sensor": station, "lat": lat, "lon": lon, "time": days}
        tables.append(pd.DataFrame(own))
    return pd.concat(tables, ignore_index=True)


SENSORS = st.lists(
    st.tuples(st.integers(0, 3), st.floats(-80, 80), st.floats(-180, 180), st.integers(1, 9)), min_size=2, max_size=25
)
NEARBY = st.lists(
    st.tuples(st.integers(0, 3), st.floats(40, 41), st.floats(-180, -179), st.integers(1, 9)), min_size=2, max_size=25
)


def drawn(sensors: list[tuple[int, float, float, int]]) -> pd.DataFrame:
    return index_of(*((f"N{n} s{place}", lat, lon, rows) for place, (n, lat, lon, rows) in enumerate(sensors)))


def apart_km(index: pd.DataFrame, one: np.ndarray, other: np.ndarray) -> float:
    """Least distance of the sensors of two sets of rows, by the spherical law of cosines."""
    a, b = (np.radians(index.iloc[rows][["lat", "lon"]].drop_duplicates().to_numpy()) for rows in (one, other))
    cosine = np.sin(a[:, None, 0]) * np.sin(b[:, 0]) + np.cos(a[:, None, 0]) * np.cos(b[:, 0]) * np.cos(
        a[:, None, 1] - b[:, 1]
    )
    return float(6371.0088 * np.arccos(cosine.clip(-1, 1)).min())


@given(
    sensors=SENSORS | NEARBY,
    by=st.sampled_from(["place", "block", "network"]),
    buffer_km=st.sampled_from([0.0, 5.0, 30.0]),
    folds=st.integers(2, 4),
    seed=st.integers(0, 99),
)
def test_folds_hold_every_row_once_and_are_farther_apart_than_the_buffer(
    sensors: list, by: str, buffer_km: float, folds: int, seed: int
) -> None:
    index = drawn(sensors)
    grouping = SpatialGroups(by=by, buffer_km=buffer_km)
    groups = grouping.of(index)
    assume(groups.max() + 1 >= folds)
    split = kfold(index, grouping, folds, seed)
    assert np.array_equal(np.sort(np.concatenate(split.folds)), np.arange(len(index)))
    assert all(len(fold) for fold in split.folds)
    check_leakage(index, split.folds, buffer_km)
    for number in range(folds):
        fold = split.fold(number)
        assert not set(fold.train) & set(fold.test)
        assert apart_km(index, fold.train, fold.test) >= buffer_km - 1e-3
    sizes = [len(fold) for fold in split.folds]
    assert max(sizes) - min(sizes) <= np.bincount(groups).max()
    again = kfold(index, grouping, folds, seed)
    assert all(np.array_equal(a, b) for a, b in zip(split.folds, again.folds, strict=True))


@given(sensors=SENSORS | NEARBY, by=st.sampled_from(["place", "block", "network", "year"]), seed=st.integers(0, 99))
def test_groups_do_not_depend_on_the_order_of_the_samples(sensors: list, by: str, seed: int) -> None:
    index = drawn(sensors)
    grouping = SpatialGroups(by=by, buffer_km=10)
    order = np.random.default_rng(seed).permutation(len(index))
    np.testing.assert_array_equal(grouping.of(index)[order], grouping.of(index.iloc[order].reset_index(drop=True)))


@given(sensors=SENSORS | NEARBY, fraction=st.floats(0.05, 0.9), seed=st.integers(0, 99))
def test_a_holdout_and_its_inner_part_are_whole_places(sensors: list, fraction: float, seed: int) -> None:
    index = drawn(sensors)
    grouping = SpatialGroups(by="place", buffer_km=1)
    assume(grouping.of(index).max() >= 2)
    fold = holdout(index, grouping, fraction, seed)
    assume(grouping.of(index.iloc[fold.train]).max() >= 1)
    whole = validation_split(index, fold, grouping, 0.3, seed)
    parts = (whole.train, whole.validation, whole.test)
    assert all(len(part) for part in parts)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(index)))
    assert np.array_equal(whole.test, fold.test)
    check_leakage(index, parts, 1)
    smallest = np.bincount(grouping.of(index)).min()
    assert len(fold.test) <= max(fraction * len(index), smallest)


def test_sensors_joined_one_to_the_next_share_a_fold() -> None:
    index = index_of(("A a", 40.0, 0.0, 2), ("A b", 40.0, 0.1, 2), ("B c", 40.0, 0.2, 2), ("A d", 40.0, 2.0, 2))
    groups = SpatialGroups(by="place", buffer_km=9).of(index)
    assert groups.tolist() == [0] * 6 + [1] * 2
    assert len(set(SpatialGroups(by="place", buffer_km=8).of(index))) == 4
    assert SpatialGroups(by="network", buffer_km=9).of(index).tolist() == [0] * 8


def test_the_antimeridian_and_the_pole_divide_nothing() -> None:
    dateline = index_of(("A a", 10.0, 179.99, 1), ("A b", 10.0, -179.99, 1))
    assert len(set(SpatialGroups(by="place", buffer_km=3).of(dateline))) == 1
    pole = index_of(("A a", 89.99, 0.0, 1), ("A b", 89.99, 180.0, 1))
    assert len(set(SpatialGroups(by="place", buffer_km=3).of(pole))) == 1
    same = index_of(("A a", 10.0, 180.0, 1), ("A b", 10.0, -180.0, 1))
    assert len(set(SpatialGroups(by="block").of(same))) == 1


def test_blocks_are_of_the_size_asked() -> None:
    index = index_of(("A a", 40.2, -0.5, 1), ("A b", 40.9, -0.1, 1), ("A c", 41.1, -0.5, 1), ("A d", 40.5, 0.5, 1))
    assert [len(set(SpatialGroups(block_degrees=size).of(index))) for size in (1.0, 2.0, 0.1)] == [3, 2, 4]
    assert SpatialGroups().of(index)[0] == SpatialGroups().of(index)[1]


def test_a_sensor_that_was_moved_stays_in_one_group() -> None:
    index = index_of(("A a", 40.0, 0.0, 2), ("A a", 50.0, 10.0, 2), ("A b", 60.0, 0.0, 2))
    assert SpatialGroups(by="place").of(index).tolist() == [0, 0, 0, 0, 1, 1]


def test_years_divide_time_not_places() -> None:
    index = index_of(("A a", 40.0, 0.0, 5), ("A b", 50.0, 0.0, 5))
    assert SpatialGroups(by="year").of(index).tolist() == [0, 0, 1, 1, 1] * 2


def test_the_seed_changes_the_folds() -> None:
    index = index_of(*((f"A s{n}", n, 0.0, 4) for n in range(20)))
    one, other = (kfold(index, SpatialGroups(by="place"), 4, seed).folds[0].tolist() for seed in (0, 1))
    assert one != other


def test_torn_neighbours_are_named() -> None:
    index = index_of(("A a", 40.0, 0.0, 2), ("B b", 40.0, 0.1, 2), ("C c", 60.0, 0.0, 2))
    parts = (np.array([0, 1, 4, 5]), np.array([2, 3]))
    check_leakage(index, parts)
    check_leakage(index, parts, 8.5)
    with pytest.raises(VadoseError) as refused:
        check_leakage(index, parts, 8.6)
    assert "more than 8.6 km apart" in refused.value.context
    assert "A a a in part 0 and B b b in part 1 are 8.518 km apart" in refused.value.problem
    assert "buffer_km" in refused.value.hint
    with pytest.raises(VadoseError, match=r"A a a in part 0 and A a a in part 1 are 0\.000 km apart"):
        check_leakage(index, (np.array([0]), np.array([1])))


def test_what_cannot_be_split_is_refused() -> None:
    index = index_of(("A a", 40.0, 0.0, 2), ("A b", 50.0, 0.0, 2))
    with pytest.raises(VadoseError, match=r"3 folds by place.*4 samples make 2 groups.*Ask for 2 to 2 folds"):
        kfold(index, SpatialGroups(by="place"), 3, 0)
    with pytest.raises(VadoseError, match=r"2 folds by network.*1 groups.*Group otherwise"):
        kfold(index, SpatialGroups(by="network"), 2, 0)
    with pytest.raises(VadoseError, match="samples make 1 groups"):
        holdout(index, SpatialGroups(by="network"), 0.5, 0)
    with pytest.raises(VadoseError, match="Give a fraction between 0 and 1"):
        holdout(index, SpatialGroups(by="place"), 1.0, 0)


@given(st.floats(-90, 90), st.floats(-180, 180), st.floats(-90, 90), st.floats(-180, 180), st.floats(0, 20015))
def test_pairs_are_those_within_the_haversine_distance(
    lat: float, lon: float, other_lat: float, other_lon: float, distance: float
) -> None:
    lats, lons = np.array([lat, other_lat]), np.array([lon, other_lon])
    apart = distances_km([(lat, lon)], [(other_lat, other_lon)]).item()
    assume(abs(apart - distance) > 0.1)
    assert (len(pairs_within(lats, lons, distance)) == 1) == (apart < distance)


def test_known_distance() -> None:
    assert distances_km([(0.0, 0.0)], [(0.0, 1.0)]).item() == pytest.approx(111.195, abs=1e-3)
    assert distances_km([(48.2082, 16.3738)], [(52.52, 13.405)]).item() == pytest.approx(524, abs=1)


@pytest.mark.real
def test_the_real_table_splits_by_block_with_its_dense_network_whole(real: Path, tmp_path: Path) -> None:
    import_table(real / "points" / "conus_10day.csv.gz", TableMapping.read(CONUS), tmp_path / "store")
    index = SampleStore.open(tmp_path / "store").index
    split = kfold(index, SpatialGroups(by="block"), 3, 0)
    check_leakage(index, split.folds)
    fold_of = np.empty(len(index), int)
    for number, rows in enumerate(split.folds):
        fold_of[rows] = number
    assert len(set(fold_of[index["network"] == "TxSON"])) == 1
    assert index.assign(fold=fold_of).groupby(["network", "station"])["fold"].nunique().max() == 1
    with pytest.raises(VadoseError, match="too near"):
        check_leakage(index, kfold(index, SpatialGroups(by="year"), 3, 0).folds)
