"""Change detection and climatology: what their numbers mean."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vadose.fusion import HistorySpec, InputSpec
from vadose.grid import distances_km
from vadose.models import Batch, ChangeDetection, Climatology
from vadose.models.change_detection import FEWEST_STEPS, saturation
from vadose.models.climatology import waves

STEPS = 21
LOOKS = InputSpec(history=HistorySpec(("vv", "incidence_angle"), STEPS, 6.0))


def looks(vv_db: np.ndarray, angle: np.ndarray | float = 40.0) -> Batch:
    """One cell whose steps, the latest first, showed this backscatter under this angle."""
    steps = np.stack([10 ** (np.asarray(vv_db) / 10), np.broadcast_to(angle, len(vv_db))], axis=1)
    return Batch.of_samples(None, np.zeros((1, 0), np.float32), steps[np.newaxis].astype(np.float32))


def percent(batch: Batch, slope: float = 0.0) -> float:
    return float(saturation(batch, LOOKS, slope)[0, 0, 0])


def test_the_index_runs_from_the_driest_to_the_wettest_that_the_place_has_shown():
    past = np.linspace(-16.0, -6.0, STEPS)
    assert percent(looks(past)) == 0 and percent(looks(past[::-1].copy())) == 100
    middle = np.concatenate([[-11.0], past[1:]])
    assert percent(looks(middle)) == pytest.approx(50, abs=6)


@given(st.floats(-0.3, 0.0), st.integers(0, 1000))
def test_the_angle_of_a_look_tells_nothing_when_the_slope_is_known(slope, seed):
    rng = np.random.default_rng(seed)
    level, angle = rng.uniform(-16, -6, STEPS), rng.uniform(30, 45, STEPS)
    seen = level + slope * (angle - 40)
    assert percent(looks(seen, angle), slope) == pytest.approx(percent(looks(level)), abs=0.05)


def test_an_old_look_or_a_short_or_a_flat_past_says_nothing():
    past = np.linspace(-16.0, -6.0, STEPS)
    old = past.copy()
    old[:5] = np.nan
    assert np.isnan(percent(looks(old)))
    assert np.isfinite(percent(looks(np.concatenate([np.full(4, np.nan), past[4:]]))))
    short = np.full(STEPS, np.nan)
    short[: FEWEST_STEPS - 1] = past[: FEWEST_STEPS - 1]
    assert np.isnan(percent(looks(short)))
    assert np.isnan(percent(looks(np.full(STEPS, -10.0))))
    model = ChangeDetection(LOOKS, 0.0, 0.1, 0.3, 0.05)
    blank, full = model.estimate(looks(short)), model.estimate(looks(past[::-1].copy()))
    assert np.isnan(blank.mean).all() and np.isnan(blank.std).all()
    assert full.mean.item() == pytest.approx(0.4) and full.std.item() == pytest.approx(0.05)


def climatology(neighbours: int) -> Climatology:
    flat, wavy = (0.1, 0.0, 0.0, 0.0, 0.0), (0.3, 0.1, 0.0, 0.0, 0.0)
    return Climatology(((40.0, -100.0), (50.0, 10.0)), (flat, wavy), neighbours, 0.07)


def at(lat: float, lon: float, day: str) -> Batch:
    empty = np.zeros((1, 0), np.float32), np.zeros((1, 0, 0), np.float32)
    return Batch.of_samples(None, *empty, np.array([day], "datetime64[ns]"), np.array([[lat, lon]]))


def test_the_nearest_places_speak_on_the_day():
    model = climatology(1)
    assert model.estimate(at(41.0, -99.0, "2021-04-01")).mean.item() == pytest.approx(0.1)
    assert model.estimate(at(51.0, 11.0, "2021-04-01")).mean.item() == pytest.approx(0.4, abs=1e-3)
    assert model.estimate(at(51.0, 11.0, "2021-10-01")).mean.item() == pytest.approx(0.2, abs=1e-3)
    both = climatology(2).estimate(at(41.0, -99.0, "2021-04-01")).mean.item()
    assert 0.1 < both < 0.12, "the far place has little weight"


def test_without_place_or_day_it_is_the_mean_of_all():
    nowhere = Batch(torch.zeros(2, 0, 0, 0), torch.zeros(2, 0, 3, 4), torch.zeros(2, 0, 0, 3, 4))
    estimate = climatology(1).estimate(nowhere)
    assert estimate.mean.shape == (2, 3, 4)
    assert np.allclose(estimate.mean, 0.2) and np.allclose(estimate.std, 0.07)


def test_each_cell_of_a_tile_has_its_own_place():
    place = torch.tensor([[40.0, 50.0], [-100.0, 10.0]])[None, :, None, :]
    tile = Batch(
        torch.zeros(1, 0, 0, 0), torch.zeros(1, 0, 1, 2), torch.zeros(1, 0, 0, 1, 2), torch.tensor([91.0]), place
    )
    assert np.allclose(climatology(1).estimate(tile).mean, [[[0.1, 0.4]]], atol=1e-3)


def test_distances_and_waves():
    quarter = distances_km(np.array([[0.0, 0.0]]), np.array([[0.0, 90.0], [90.0, 0.0], [0.0, 0.0]]))
    assert np.allclose(quarter, [[10007.557, 10007.557, 0]], atol=0.01)
    assert np.allclose(waves(np.array([np.nan])), [[1, 0, 0, 0, 0]])
    assert np.allclose(waves(np.array([365.25]))[0], [1, 0, 0, 1, 1])
