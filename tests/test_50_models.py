"""Inputs to estimates."""

from dataclasses import replace

import lightgbm
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from torch.utils.flop_counter import FlopCounterMode

from vadose.dataset import ScalingStats
from vadose.fusion import HistorySpec, InputSpec
from vadose.models import ENCODERS, Batch, EncoderShape, FusionNetwork, NetworkShape, Product, Trees
from vadose.models.baselines import table_of
from vadose.models.derived_variables import read
from vadose.models.encoder import Encoder
from vadose.models.feature_columns import Column, Kind
from vadose.models.feature_extractor import FeatureExtractor, cell_means
from vadose.models.heads import noise_of
from vadose.models.history_filters import HistoryFilters
from vadose.models.pixel_scaler import PixelScaler
from vadose.models.spectral_indices import derived_variables

PIXELS = ("vv", "vh", "incidence_angle", "B04", "elevation")
CELLS = ("sand", "smap")
NEEDS = InputSpec(PIXELS, CELLS, HistorySpec(("smap", "gldas"), 6, 1.0), 4)
SHAPE = NetworkShape(EncoderShape(width=8, max_width=32), 8, 8, 16)
NAMES = (*PIXELS, *CELLS, "gldas", "soil_moisture")
SCALING = ScalingStats(dict.fromkeys(NAMES, 0.2), dict.fromkeys(NAMES, 0.1))


def network(needs: InputSpec = NEEDS, seed: int = 0) -> FusionNetwork:
    torch.manual_seed(seed)
    made = FusionNetwork(needs, SHAPE, SCALING)
    with torch.no_grad():
        for _ in range(3):
            made.train()(batch(rows=1, columns=2, seed=seed))
        made.head.weight *= 30
    return made.eval()


def batch(rows: int, columns: int, seed: int = 0, needs: InputSpec = NEEDS) -> Batch:
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
            assert np.abs(chip.std[:, 0, 0] - tile.std[:, row, column]).max() < 1e-5
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
    assert np.isfinite(estimate.mean).all() and (estimate.std >= 0.005).all()
    assert ((estimate.mean >= 0) & (estimate.mean <= 1)).all()


def test_what_is_missing_is_told_apart_from_what_is_average():
    scaled = PixelScaler(("sand",), ScalingStats({"sand": 0.3}, {"sand": 0.1}), axis=-3)
    values = scaled(torch.tensor([0.3, torch.nan]).reshape(2, 1, 1, 1))
    assert values[:, 0, 0, 0].tolist() == [0.0, 0.0]
    assert values[:, 1, 0, 0].tolist() == [1.0, 0.0]


def test_backscatter_is_read_in_decibel_and_its_zero_is_missing():
    scaled = PixelScaler(("vv",), ScalingStats({"vv": -10.0}, {"vv": 5.0}), axis=-3)
    values = scaled(torch.tensor([0.1, 1.0, 0.0, -1.0]).reshape(4, 1, 1, 1))
    assert values[:, 0, 0, 0].tolist() == pytest.approx([0.0, 2.0, 0.0, 0.0])
    assert values[:, 1, 0, 0].tolist() == [1.0, 1.0, 0.0, 0.0]


def test_scaling_leaves_its_input_as_it_was():
    values = torch.rand((2, 1, 3, 3))
    kept = values.clone()
    PixelScaler(("vv",), ScalingStats({"vv": 0.0}, {"vv": 1.0}), axis=-3)(values)
    assert torch.equal(values, kept)


@pytest.mark.parametrize(
    "needs", [InputSpec(cells=CELLS), InputSpec(cells=CELLS, history=NEEDS.history), InputSpec(history=NEEDS.history)]
)
def test_a_network_without_pixels_has_no_encoder(needs):
    made = FusionNetwork(needs, SHAPE, SCALING)
    assert not hasattr(made, "encoder")
    assert made.estimate(batch(2, 2, needs=needs)).mean.shape == (2, 2, 2) or not needs.cells


def test_an_encoder_that_would_tear_cells_is_refused():
    with pytest.raises(ValidationError, match="keep cells aligned"):
        EncoderShape(blocks=(1, 1, 1, 1))
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        EncoderShape(blocks=(2, 1, 1, 0))
    assert EncoderShape(blocks=(2, 1, 1, 2)).halo == 3


def test_what_is_usual_at_a_place_reaches_the_level_and_what_moves_does_not():
    made, given_batch = network(), batch(1, 1)
    with torch.no_grad():
        made.level.weight.fill_(1.0)
    before = made.parts(given_batch)
    given_batch.pixels[:, 0] += 1.0
    moved = made.parts(given_batch)
    assert torch.equal(before.static, moved.static) and not torch.equal(before.dynamic, moved.dynamic)
    given_batch.cells[:, 0] += 0.3
    assert not torch.equal(before.static, made.parts(given_batch).static)
    mean, _ = made(given_batch)
    parts = made.parts(given_batch)
    assert torch.allclose(mean, parts.static + parts.dynamic)


def test_the_season_is_read_where_it_is_known():
    made, given_batch = network(), batch(1, 1)
    unknown = made.estimate(given_batch).mean
    winter, summer = (
        made.estimate(replace(given_batch, day_of_year=torch.full((2,), day))).mean for day in (15.0, 197.0)
    )
    assert np.isfinite(unknown).all() and np.abs(winter - summer).min() > 1e-6
    without = FusionNetwork(NEEDS, replace(SHAPE, season=False), SCALING)
    assert not {Kind.SINE, Kind.COSINE} & {column.kind for column in without.columns}


def test_the_day_of_the_year_is_that_of_the_samples():
    times = np.array(["2021-01-01T06:00", "2020-12-31T23:59", "2021-07-19"], "datetime64[ns]")
    read = Batch.of_samples(None, np.zeros((3, 1), np.float32), np.zeros((3, 0, 0), np.float32), times)
    assert read.day_of_year.tolist() == [1.0, 366.0, 200.0]


def test_the_past_is_filtered_over_what_was_observed():
    steps = torch.tensor([0.4, torch.nan, 0.1, 0.3]).reshape(1, 4, 1, 1)
    series = HistoryFilters(steps, 10.0)
    weights = np.exp(-np.array([0, 2, 3]) * 10 / 20)
    assert float(series.filtered(20.0)) == pytest.approx((weights * [0.4, 0.1, 0.3]).sum() / weights.sum())
    assert float(series.mean) == pytest.approx(0.8 / 3)
    assert float(series.std) == pytest.approx(np.std([0.4, 0.1, 0.3]))
    assert (float(series.lowest), float(series.highest)) == pytest.approx((0.1, 0.4))
    assert float(series.before(2)) == pytest.approx(0.1)
    assert np.isnan(float(series.before(1))) and np.isnan(float(series.before(9)))
    nothing = HistoryFilters(torch.full((1, 4, 1, 1), torch.nan), 10.0)
    told = (nothing.mean, nothing.std, nothing.lowest, nothing.highest, nothing.filtered(5.0))
    assert all(torch.isnan(part).all() for part in told)


def test_indices_are_formed_where_both_of_their_parts_are_needed():
    assert derived_variables(("vv", "vh", "B04", "B08", "B11")) == ("vv", "vh", "B11", "cross_ratio", "ndvi", "ndmi")
    assert derived_variables(("B08", "vh")) == ("B08", "vh")
    values = {"B08": 0.3, "B04": 0.1, "B11": 0.2, "B12": 0.1, "vv": 0.1, "vh": 0.01}
    found = read({name: torch.tensor([value]) for name, value in values.items()})
    expected = {"ndvi": 0.5, "ndmi": 0.2, "swir_ratio": np.log(0.5), "cross_ratio": -10.0, "vv": -10.0}
    assert {name: float(found[name]) for name in expected} == pytest.approx(expected)
    assert torch.isnan(read({"B08": torch.tensor([torch.nan]), "B04": torch.tensor([0.1])})["ndvi"]).all()


def test_the_cell_of_a_pixel_variable_is_the_mean_of_what_was_observed_within_the_halo():
    pixels = torch.zeros(1, 1, 96, 128)
    pixels[..., 32:64, 32:64] = 2.0
    pixels[..., 32:48, 32:64] = torch.nan
    pixels[..., 32:64, 64:96] = 5.0
    pixels[..., :32, :] = 100.0
    assert cell_means(pixels, 1).tolist() == [[[[2.0, 5.0]]]]


def test_columns_have_unit_spread_over_what_they_were_fitted_on():
    made, parts = network(), [batch(2, 3, seed) for seed in range(20)]
    made.fit_columns(lambda: parts)
    raw = torch.cat([FeatureExtractor.of(part, NEEDS).columns(made.columns) for part in parts])
    scaled, there = made.standard(raw)
    varying = [i for i, column in enumerate(made.columns) if column.quantity != "season"]
    assert scaled[:, varying].mean(dim=(0, 2, 3)).abs().max() < 0.02
    assert (scaled[:, varying].std(dim=(0, 2, 3)) - 1).abs().max() < 0.02
    assert there[:, varying].min() == 1 and torch.isfinite(made.standard.std).all()


def test_noise_on_what_lasts_is_one_for_a_sensor():
    columns = (Column("sand", Kind.STATIC), Column("smap", Kind.MEAN), Column("smap", Kind.NOW))
    torch.manual_seed(0)
    sensor = torch.tensor([7, 7, 3, 3])
    shaken = noise_of(columns, 0.2, 0.3, 1.0)(torch.zeros(4, 3, 1, 1), sensor)[..., 0, 0]
    assert torch.equal(shaken[0, :2], shaken[1, :2]) and torch.equal(shaken[2, :2], shaken[3, :2])
    assert len(set(shaken[:, 2].tolist())) == 4 and not torch.equal(shaken[0, :2], shaken[2, :2])
    many = noise_of(columns, 0.2, 0.3, 1.0)(torch.zeros(4000, 3, 1, 1), None)[..., 0, 0]
    assert many.std(dim=0).tolist() == pytest.approx([1.0, 0.3, 0.2], rel=0.1)


def test_a_product_is_taken_at_its_word():
    values = torch.tensor([0.2, torch.nan]).reshape(2, 1, 1, 1)
    estimate = Product("smap", 0.05).estimate(Batch(torch.zeros(2, 0, 0, 0), values, torch.zeros(2, 0, 0, 1, 1)))
    assert estimate.mean[0, 0, 0] == pytest.approx(0.2) and estimate.std[0, 0, 0] == pytest.approx(0.05)
    assert np.isnan(estimate.mean[1]) and np.isnan(estimate.std[1])


def test_trees_read_one_row_a_cell():
    needs = InputSpec(cells=("vv", "sand"), history=HistorySpec(("vv",), 2, 1.0))
    cells = torch.tensor([[0.1, 0.4], [0.01, 0.5]]).reshape(2, 2, 1, 1).repeat(1, 1, 1, 3)
    history = torch.tensor([[1.0, torch.nan], [0.0, 0.1]]).reshape(2, 2, 1, 1, 1).repeat(1, 1, 1, 1, 3)
    rows = table_of(Batch(torch.zeros(2, 0, 0, 0), cells, history), needs)
    assert rows.shape == (6, 4)
    assert np.allclose(rows[0], [-10, 0.4, 0, np.nan], equal_nan=True)
    assert np.allclose(rows[3], [-20, 0.5, np.nan, -10], equal_nan=True)


def test_trees_estimate_what_they_learned():
    rng = np.random.default_rng(0)
    needs = InputSpec(cells=("sand", "smap"))
    values = rng.random((400, 2)).astype(np.float32)
    data = lightgbm.Dataset(values, values[:, 1] * 0.4)
    booster = lightgbm.train({"verbosity": -1, "num_threads": 1}, data, 50)
    cells = torch.from_numpy(values).reshape(400, 2, 1, 1)
    estimate = Trees(needs, booster, 0.02).estimate(
        Batch(torch.zeros(400, 0, 0, 0), cells, torch.zeros(400, 0, 0, 1, 1))
    )
    assert np.corrcoef(estimate.mean.ravel(), values[:, 1])[0, 1] > 0.99
    assert np.allclose(estimate.std, 0.02)


def test_needs_name_every_difference():
    held = replace(NEEDS, pixels=("vv",), history=HistorySpec(("smap",), 3, 2.0), halo=2)
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


@pytest.mark.parametrize(("name", "billions"), [("standard", 0.15), ("small", 0.01), ("paper_size", 12.0)])
def test_an_encoder_costs_what_is_said_of_it(name: str, billions: float) -> None:
    side = (1 + 2 * ENCODERS[name].halo) * 32
    with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.no_grad():
        assert Encoder(20, ENCODERS[name]).eval()(torch.zeros(1, 20, side, side)).shape[-2:] == (1, 1)
    assert counter.get_total_flops() / 1e9 == pytest.approx(billions, rel=0.15)


def test_an_encoder_has_a_name_in_a_configuration() -> None:
    shape = TypeAdapter(NetworkShape).validate_python({"encoder": "small"})
    assert shape.encoder == ENCODERS["small"]
    with pytest.raises(ValidationError, match="known are standard, small, paper_size"):
        TypeAdapter(NetworkShape).validate_python({"encoder": "tiny"})
