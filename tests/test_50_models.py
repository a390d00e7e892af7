"""Inputs to estimates."""

from dataclasses import replace

import lightgbm
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from vadose.fusion import History, Needs
from vadose.models import Batch, EncoderShape, FusionNetwork, NetworkShape, Product, Trees
from vadose.models.baselines import table_of
from vadose.models.scaled import Scaled
from vadose.samples import Scaling

PIXELS = ("vv", "vh", "incidence_angle", "B04", "elevation")
CELLS = ("sand", "smap")
NEEDS = Needs(PIXELS, CELLS, History(("smap", "gldas"), 6, 1.0), 4)
SHAPE = NetworkShape(EncoderShape(width=8, max_width=32), 8, 8, 16)
NAMES = (*PIXELS, *CELLS, "gldas", "soil_moisture")
SCALING = Scaling(dict.fromkeys(NAMES, 0.2), dict.fromkeys(NAMES, 0.1))


def network(needs: Needs = NEEDS, seed: int = 0) -> FusionNetwork:
    torch.manual_seed(seed)
    made = FusionNetwork(needs, SHAPE, SCALING)
    with torch.no_grad():
        for _ in range(3):
            made.train()(batch(rows=1, columns=2, seed=seed))
        made.head.weight *= 30
    return made.eval()


def batch(rows: int, columns: int, seed: int = 0, needs: Needs = NEEDS) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    height, width = ((size + 2 * needs.halo) * 32 for size in (rows, columns))
    return Batch(
        torch.rand(
            (2, len(needs.pixels), height if needs.pixels else 0, width if needs.pixels else 0), generator=generator
        ),
        torch.rand((2, len(needs.cells), rows, columns), generator=generator),
        torch.rand((2, needs.history.steps, len(needs.history.variables), rows, columns), generator=generator),
    )


def part(whole: Batch, row: int, column: int, rows: int, columns: int, halo: int = 4) -> Batch:
    y, x = (slice(32 * at, 32 * (at + size + 2 * halo)) for at, size in ((row, rows), (column, columns)))
    cells = np.s_[..., row : row + rows, column : column + columns]
    return Batch(whole.pixels[..., y, x].contiguous(), whole.cells[cells], whole.history[cells])


def test_a_cell_has_one_estimate_in_a_chip_and_in_every_tile():
    made, whole = network(), batch(3, 4)
    tile = made.estimate(whole)
    assert tile.mean.shape == (2, 3, 4)
    assert np.ptp(tile.mean) > 1e-2
    for row in range(3):
        for column in range(4):
            chip = made.estimate(part(whole, row, column, 1, 1))
            assert np.abs(chip.mean[:, 0, 0] - tile.mean[:, row, column]).max() < 1e-5
            assert np.abs(chip.spread[:, 0, 0] - tile.spread[:, row, column]).max() < 1e-5
    half = made.estimate(part(whole, 1, 0, 2, 3))
    assert np.abs(half.mean - tile.mean[:, 1:, :3]).max() < 1e-5


def test_a_cell_depends_on_its_halo_and_on_nothing_beyond():
    made, whole = network(), batch(1, 3)
    before = made.estimate(whole).mean
    whole.pixels[..., :, 288:] += 1.0
    after = made.estimate(whole).mean
    assert np.array_equal(before[..., 0], after[..., 0])
    assert np.abs(before[..., 2] - after[..., 2]).min() > 1e-6


def test_pixels_of_the_halo_matter():
    made, whole = network(), batch(1, 1)
    before = made.estimate(whole).mean
    whole.pixels[..., :, :8] += 3.0
    assert np.abs(made.estimate(whole).mean - before).max() > 0


@given(st.sets(st.sampled_from(NAMES[:-1])), st.integers(0, 100))
@settings(max_examples=25, deadline=None)
def test_missing_values_never_reach_the_estimate(lost, seed):
    made, given_batch = network(), batch(1, 1, seed)
    for names, values, axis in (
        (PIXELS, given_batch.pixels, 1),
        (CELLS, given_batch.cells, 1),
        (("smap", "gldas"), given_batch.history, 2),
    ):
        for index, name in enumerate(names):
            if name in lost:
                values.select(axis, index).fill_(torch.nan)
    estimate = made.estimate(given_batch)
    assert np.isfinite(estimate.mean).all() and (estimate.spread >= 0.005).all()
    assert ((estimate.mean >= 0) & (estimate.mean <= 1)).all()


def test_what_is_missing_is_told_apart_from_what_is_average():
    scaled = Scaled(("sand",), Scaling({"sand": 0.3}, {"sand": 0.1}), axis=-3)
    values = scaled(torch.tensor([0.3, torch.nan]).reshape(2, 1, 1, 1))
    assert values[:, 0, 0, 0].tolist() == [0.0, 0.0]
    assert values[:, 1, 0, 0].tolist() == [1.0, 0.0]


def test_backscatter_is_read_in_decibel_and_its_zero_is_missing():
    scaled = Scaled(("vv",), Scaling({"vv": -10.0}, {"vv": 5.0}), axis=-3)
    values = scaled(torch.tensor([0.1, 1.0, 0.0, -1.0]).reshape(4, 1, 1, 1))
    assert values[:, 0, 0, 0].tolist() == pytest.approx([0.0, 2.0, 0.0, 0.0])
    assert values[:, 1, 0, 0].tolist() == [1.0, 1.0, 0.0, 0.0]


def test_scaling_leaves_its_input_as_it_was():
    values = torch.rand((2, 1, 3, 3))
    kept = values.clone()
    Scaled(("vv",), Scaling({"vv": 0.0}, {"vv": 1.0}), axis=-3)(values)
    assert torch.equal(values, kept)


@pytest.mark.parametrize(
    "needs", [Needs(cells=CELLS), Needs(cells=CELLS, history=NEEDS.history), Needs(history=NEEDS.history)]
)
def test_a_network_without_pixels_has_no_encoder(needs):
    made = FusionNetwork(needs, SHAPE, SCALING)
    assert not hasattr(made, "encoder")
    assert made.estimate(batch(2, 2, needs=needs)).mean.shape == (2, 2, 2) or not needs.cells


def test_an_encoder_that_would_tear_cells_is_refused():
    with pytest.raises(ValidationError, match="keep cells aligned"):
        EncoderShape(blocks=(1, 1, 1, 1))
    with pytest.raises(ValidationError, match="Every stage needs a convolution"):
        EncoderShape(blocks=(2, 1, 1, 0))
    assert EncoderShape(blocks=(2, 1, 1, 2)).halo == 3


def test_a_product_is_taken_at_its_word():
    values = torch.tensor([0.2, torch.nan]).reshape(2, 1, 1, 1)
    estimate = Product("smap", 0.05).estimate(Batch(torch.zeros(2, 0, 0, 0), values, torch.zeros(2, 0, 0, 1, 1)))
    assert estimate.mean[0, 0, 0] == pytest.approx(0.2) and estimate.spread[0, 0, 0] == pytest.approx(0.05)
    assert np.isnan(estimate.mean[1]) and np.isnan(estimate.spread[1])


def test_trees_read_one_row_a_cell():
    needs = Needs(cells=("vv", "sand"), history=History(("vv",), 2, 1.0))
    cells = torch.tensor([[0.1, 0.4], [0.01, 0.5]]).reshape(2, 2, 1, 1).repeat(1, 1, 1, 3)
    history = torch.tensor([[1.0, torch.nan], [0.0, 0.1]]).reshape(2, 2, 1, 1, 1).repeat(1, 1, 1, 1, 3)
    rows = table_of(Batch(torch.zeros(2, 0, 0, 0), cells, history), needs)
    assert rows.shape == (6, 4)
    assert np.allclose(rows[0], [-10, 0.4, 0, np.nan], equal_nan=True)
    assert np.allclose(rows[3], [-20, 0.5, np.nan, -10], equal_nan=True)


def test_trees_estimate_what_they_learned():
    rng = np.random.default_rng(0)
    needs = Needs(cells=("sand", "smap"))
    values = rng.random((400, 2)).astype(np.float32)
    data = lightgbm.Dataset(values, values[:, 1] * 0.4)
    booster = lightgbm.train({"verbosity": -1, "num_threads": 1}, data, 50)
    cells = torch.from_numpy(values).reshape(400, 2, 1, 1)
    estimate = Trees(needs, booster, 0.02).estimate(
        Batch(torch.zeros(400, 0, 0, 0), cells, torch.zeros(400, 0, 0, 1, 1))
    )
    assert np.corrcoef(estimate.mean.ravel(), values[:, 1])[0, 1] > 0.99
    assert np.allclose(estimate.spread, 0.02)


def test_needs_name_every_difference():
    held = replace(NEEDS, pixels=("vv",), history=History(("smap",), 3, 2.0), halo=2)
    told = " | ".join(NEEDS.differences(held))
    for words in (
        "pixels vh",
        "history gldas",
        "6 steps, held 3",
        "steps of 1 days, held 2",
        "halo of 4 cells, held 2",
    ):
        assert words in told
    assert not NEEDS.differences(NEEDS)
