"""Scaling: from training rows alone, in decibel where it should be, the same however it is read in."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadose.dataset import Samples, SampleStore, SampleWriter, ScalingStats
from vadose.dataset.scaling import _moments, never_observed, to_network_units
from vadose.errors import VadoseError
from vadose.fusion import HistorySpec, InputSpec

HOLDS = InputSpec(("vh", "B04"), ("vv", "bulk_density", "smap"), HistorySpec(("gldas", "smap"), 4, 1.0), halo=0)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> tuple[SampleStore, Samples]:
    random = np.random.default_rng(3)
    count = 50
    index = pd.DataFrame(
        {"network": "SIMULATED", "station": "a", "sensor": "a", "lat": 0.0, "lon": 0.0}, index=range(count)
    ).assign(time=pd.date_range("2020-01-01", periods=count, freq="1D"))
    cells = np.stack([random.gamma(2, 0.1, count), np.full(count, 1300.1), random.random(count)], axis=1)
    cells[::7, 0] = np.nan
    cells[3, 0] = 0.0
    cells[25:, 2] = np.nan
    samples = Samples(
        index,
        cells.astype(np.float32),
        random.random((count, 4, 2)).astype(np.float32),
        random.gamma(2, 0.1, (count, 2, 32, 32)).astype(np.float32),
    )
    path = tmp_path_factory.mktemp("scaling") / "store"
    with SampleWriter.open(path, HOLDS, {}, simulated=True) as writer:
        writer.append(samples)
    return SampleStore.open(path), samples


def test_mean_and_std_are_those_of_the_training_rows(simulated: tuple[SampleStore, Samples]) -> None:
    store, samples = simulated
    rows = np.array([31, 2, 3, 4, 5, 17, 7])
    scaling = ScalingStats.fit(store, rows, HOLDS)
    vv = samples.cells[rows, 0].astype(np.float64)
    vv = 10 * np.log10(vv[vv > 0])
    assert scaling.mean["vv"] == pytest.approx(vv.mean(), rel=1e-12)
    assert scaling.std["vv"] == pytest.approx(vv.std(), rel=1e-12)
    vh = 10 * np.log10(samples.pixels[rows, 0].astype(np.float64))
    assert scaling.mean["vh"] == pytest.approx(vh.mean(), abs=1e-3), "chips are packed to 0.01 dB"
    assert scaling.std["vh"] == pytest.approx(vh.std(), abs=1e-3)
    for name, values in (
        ("B04", samples.pixels[rows, 1]),
        ("gldas", samples.history[rows][..., 0]),
        ("smap", samples.cells[rows, 2]),
    ):
        exact = {"abs": 1e-5} if name == "B04" else {"rel": 1e-12}
        assert scaling.mean[name] == pytest.approx(np.nanmean(values.astype(np.float64)), **exact)
        assert scaling.std[name] == pytest.approx(np.nanstd(values.astype(np.float64)), **exact)
    assert set(scaling.mean) == {"vv", "vh", "B04", "bulk_density", "smap", "gldas"}


def test_other_rows_change_nothing(simulated: tuple[SampleStore, Samples], tmp_path: Path) -> None:
    store, samples = simulated
    rows = np.arange(20)
    changed = samples.cells.copy()
    changed[20:] = 0.9
    with SampleWriter.open(tmp_path / "store", HOLDS, {}) as writer:
        writer.append(Samples(samples.index, changed, samples.history, samples.pixels))
    assert ScalingStats.fit(SampleStore.open(tmp_path / "store"), rows, HOLDS) == ScalingStats.fit(store, rows, HOLDS)


def test_a_constant_has_unit_std(simulated: tuple[SampleStore, Samples]) -> None:
    scaling = ScalingStats.fit(simulated[0], simulated[0].rows, InputSpec(cells=("bulk_density",)))
    assert scaling.mean["bulk_density"] == pytest.approx(1300.1, rel=1e-6)
    assert scaling.std["bulk_density"] == 1.0


def test_a_variable_never_observed_is_refused(simulated: tuple[SampleStore, Samples]) -> None:
    with pytest.raises(VadoseError) as refused:
        ScalingStats.fit(simulated[0], np.arange(25, 50), HOLDS)
    assert "over 25 training samples" in refused.value.context
    assert "Never observed there: smap." in refused.value.problem
    assert "Leave these out" in refused.value.hint
    with pytest.raises(VadoseError, match="Never observed there"):
        ScalingStats.fit(simulated[0], np.empty(0, np.intp), HOLDS)


def test_what_was_never_observed_is_named(simulated: tuple[SampleStore, Samples]) -> None:
    store, _ = simulated
    assert never_observed(store, store.rows, HOLDS) == []
    assert never_observed(store, np.array([40, 25, 49]), HOLDS) == ["smap"]
    assert never_observed(store, np.array([3]), HOLDS) == ["vv"], "no power at all is no observation"
    assert never_observed(store, np.array([3]), InputSpec(("vh",), ("bulk_density",))) == []
    assert len(never_observed(store, np.empty(0, np.intp), HOLDS)) == 6
    with pytest.raises(VadoseError, match="The store lacks cells elevation"):
        never_observed(store, store.rows, InputSpec(cells=("elevation",)))


def test_needs_that_the_store_does_not_meet_are_refused(simulated: tuple[SampleStore, Samples]) -> None:
    with pytest.raises(VadoseError, match="The store lacks cells elevation"):
        ScalingStats.fit(simulated[0], simulated[0].rows, InputSpec(cells=("elevation",)))


def test_json_brings_back_the_same(simulated: tuple[SampleStore, Samples]) -> None:
    scaling = ScalingStats.fit(simulated[0], np.arange(20), HOLDS)
    assert ScalingStats.from_dict(json.loads(json.dumps(scaling.to_dict()))) == scaling


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({"vv": {"mean": 1.0}}, "KeyError 'std'"),
        ({"vv": {"mean": 1.0, "std": 0.0}}, "positive std of vv"),
        ({"vv": {"mean": float("nan"), "std": 1.0}}, "positive std of vv"),
        ({"vv": {"mean": 1.0, "std": float("inf")}}, "positive std of vv"),
        ({"vv": {"mean": "high", "std": 1.0}}, "ValueError"),
        ({"vv": 3}, "TypeError"),
    ],
)
def test_a_scaling_that_cannot_be_is_refused(content: dict, found: str) -> None:
    with pytest.raises(VadoseError) as refused:
        ScalingStats.from_dict(content)
    assert found in refused.value.problem
    assert "saved with the model" in refused.value.hint


@given(
    seed=st.integers(0, 999),
    sizes=st.lists(st.integers(0, 40), min_size=1, max_size=8),
    centre=st.sampled_from([0.0, 1e-3, 1300.0, 1e4]),
    width=st.sampled_from([1e-3, 1.0, 300.0]),
)
def test_chunks_give_the_moments_of_the_whole(seed: int, sizes: list[int], centre: float, width: float) -> None:
    random = np.random.default_rng(seed)
    chunks = [centre + width * random.standard_normal(size) for size in sizes]
    for chunk in chunks:
        chunk[random.random(chunk.shape) < 0.2] = np.nan
    whole = np.concatenate(chunks)
    whole = whole[np.isfinite(whole)]
    count, mean, squares = _moments(iter(chunks))
    assert count == whole.size
    if count:
        assert mean == pytest.approx(whole.mean(), rel=1e-9, abs=1e-9 * width)
        assert squares == pytest.approx(((whole - whole.mean()) ** 2).sum(), rel=1e-6, abs=1e-12)


def test_only_linear_power_is_read_in_decibel_and_zero_power_is_missing() -> None:
    power = np.array([1.0, 0.1, 0.0, -1.0, np.nan])
    np.testing.assert_allclose(to_network_units("vv", power), [0, -10, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(to_network_units("smap", power), power)
    np.testing.assert_array_equal(to_network_units("smap_age", power), power)
