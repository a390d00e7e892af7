"""From samples to fitted models, and models on disk."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.stats import norm

from small_training import MOMENTS, NEEDS, SCHEDULE, SHAPE, SmallLessons, small_network, write_store
from vadose.dataset import SampleStore, ScalingStats
from vadose.errors import VadoseError
from vadose.fusion import HistorySpec, InputSpec
from vadose.inference import estimate_points
from vadose.models import Batch, FusionNetwork, Model
from vadose.models.shape import NetworkOutput
from vadose.training import (
    ComputeConfig,
    TrainingConfig,
    TrainingRows,
    fit_network,
    fit_product,
    fit_trees,
    load,
    origin,
    save,
)
from vadose.training.checkpoint import DESCRIPTION, WEIGHTS, signed
from vadose.training.loop import fit
from vadose.training.objective import (
    Groups,
    Labels,
    LossWeights,
    Surroundings,
    negative_log_likelihood,
    objective,
)
from vadose.training.source_dropout import drop_sources


class Interrupted(Exception):
    pass


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> SampleStore:
    return write_store(tmp_path_factory.mktemp("training") / "store")


@pytest.fixture(scope="module")
def places(store: SampleStore) -> TrainingRows:
    rows = store.rows
    return TrainingRows(store, rows[: 20 * MOMENTS], rows[20 * MOMENTS : 25 * MOMENTS])


@pytest.fixture(scope="module")
def fitted(places: TrainingRows, tmp_path_factory: pytest.TempPathFactory) -> tuple[FusionNetwork, ScalingStats]:
    state = tmp_path_factory.mktemp("fitted") / "state"
    network, scaling, _ = fit_network(places, NEEDS, SHAPE, SCHEDULE, state)
    return network, scaling


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_simulated_relation_is_learned(store, fitted):
    unseen = store.rows[25 * MOMENTS :]
    estimates = estimate_points([fitted[0]], store, unseen)
    error = estimates["soil_moisture"] - estimates["soil_moisture_in_situ"]
    assert np.corrcoef(estimates["soil_moisture"], estimates["soil_moisture_in_situ"])[0, 1] > 0.95
    assert np.sqrt((error**2).mean()) < 0.35 * estimates["soil_moisture_in_situ"].std()
    assert 0.4 < np.sqrt((error**2 / estimates["soil_moisture_std"] ** 2).mean()) < 2.5


def test_an_interrupted_training_ends_with_the_same_weights(places, fitted, tmp_path):
    def interrupt(row: dict[str, float]) -> None:
        if row["epoch"] == 4:
            raise Interrupted

    state = tmp_path / "state"
    with pytest.raises(Interrupted):
        fit_network(places, NEEDS, SHAPE, SCHEDULE, state, interrupt)
    told: list[float] = []
    network, _, progress = fit_network(places, NEEDS, SHAPE, SCHEDULE, state, lambda row: told.append(row["epoch"]))
    assert told == list(range(5, 12))
    assert [row["epoch"] for row in progress.journal] == list(range(12))
    whole = fitted[0].state_dict()
    assert all(torch.equal(value, whole[name]) for name, value in network.state_dict().items())


def test_another_seed_is_another_network(places, fitted, tmp_path):
    other = TrainingConfig(epochs=1, batch_size=64, seed=1)
    network, *_ = fit_network(places, NEEDS, SHAPE, other, tmp_path / "state")
    assert not torch.equal(network.head.weight, fitted[0].head.weight)


def test_training_stops_early_and_ends_with_its_best_weights(tmp_path):
    schedule = TrainingConfig(epochs=200, batch_size=32, learning_rate=3e-2, patience=5, source_dropout=0.0)
    network, seen = small_network(), []

    def remember(row: dict[str, float]) -> None:
        seen.append((row["loss"], {name: value.clone() for name, value in network.state_dict().items()}))

    progress = fit(network, SmallLessons(), schedule, tmp_path / "state", remember)
    losses = [loss for loss, _ in seen]
    assert len(seen) < 200
    assert progress.best_epoch == int(np.argmin(losses)) == len(seen) - 1 - 5
    assert all(torch.equal(value, seen[progress.best_epoch][1][name]) for name, value in network.state_dict().items())


def test_a_state_that_cannot_be_read_is_refused_and_kept(tmp_path):
    state = tmp_path / "state"
    fit(small_network(), SmallLessons(), TrainingConfig(epochs=1), state)
    state.write_bytes(state.read_bytes()[:500])
    before = contents(tmp_path)
    with pytest.raises(VadoseError) as refused:
        fit(small_network(), SmallLessons(), TrainingConfig(epochs=2), state)
    assert str(state) in refused.value.context
    assert "cannot be read" in refused.value.problem
    assert "Remove" in refused.value.hint
    assert contents(tmp_path) == before


def test_a_training_that_never_validates_is_refused(tmp_path):
    network = small_network()
    with torch.no_grad():
        network.head.bias.fill_(torch.nan)
    with pytest.raises(VadoseError, match="never finite"):
        fit(network, SmallLessons(), TrainingConfig(epochs=2), tmp_path / "state")


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"batch_size": 0}, {"patience": 0}, {"source_dropout": 1.5}])
def test_a_schedule_that_cannot_train_is_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        TrainingConfig(**wrong)


def test_training_needs_samples_to_fit_and_others_to_validate(store):
    nothing = store.rows[:0]
    for training, validation in ((store.rows, nothing), (nothing, store.rows)):
        with pytest.raises(VadoseError, match=r"to fit and .* of other sensors"):
            TrainingRows(store, training, validation)


def test_sources_are_dropped_whole_and_one_always_stays():
    needs = InputSpec(("vv", "vh", "B04"), ("vv", "smap", "sand", "clay"), HistorySpec(("smap", "gldas"), 3, 1.0), 0)
    samples = 200
    batch = Batch(torch.ones(samples, 3, 32, 32), torch.ones(samples, 4, 1, 1), torch.ones(samples, 3, 2, 1, 1))
    dropped = drop_sources(batch, needs, 0.6, torch.Generator().manual_seed(1))
    seen = torch.isfinite
    assert all(bool(torch.isfinite(part).all()) for part in (batch.pixels, batch.cells, batch.history))
    radar, optical = seen(dropped.pixels[:, :2]).flatten(1), seen(dropped.pixels[:, 2]).flatten(1)
    smap, soil = seen(dropped.cells[:, 1]).flatten(1), seen(dropped.cells[:, 2:]).flatten(1)
    radar = torch.cat([radar, seen(dropped.cells[:, 0]).flatten(1)], dim=1)
    smap = torch.cat([smap, seen(dropped.history[:, :, 0]).flatten(1)], dim=1)
    groups = (radar, optical, smap, soil, seen(dropped.history[:, :, 1]).flatten(1))
    there = torch.stack([group.any(dim=1) for group in groups], dim=1)
    for group in groups:
        assert torch.equal(group.any(dim=1), group.all(dim=1))
    assert there.any(dim=1).all()
    lost = 1 - there.float().mean(dim=0)
    assert ((lost > 0.35) & (lost < 0.6)).all(), "0.6 of the four fifths that may be lost"
    unharmed = drop_sources(batch, needs, 0.0, torch.Generator())
    assert torch.isfinite(unharmed.pixels).all() and torch.isfinite(unharmed.cells).all()


@given(seed=st.integers(0, 9999), there=st.floats(0, 1), probability=st.floats(0, 1), samples=st.integers(1, 40))
def test_no_sample_loses_all_that_it_observed(seed, there, probability, samples):
    needs = InputSpec(("vv", "B04"), ("smap", "sand", "clay"), HistorySpec(("smap", "gldas"), 2, 1.0), 0)
    generator = torch.Generator().manual_seed(seed)

    def part(*shape: int) -> torch.Tensor:
        values = torch.rand(samples, *shape, generator=generator) + 0.1
        return values.masked_fill(torch.rand(values.shape, generator=generator) >= there, torch.nan)

    batch = Batch(part(2, 2, 2), part(3, 1, 1), part(2, 2, 1, 1))
    batch.pixels[:, 0] = batch.pixels[:, 0].nan_to_num(0.0)
    dropped = drop_sources(batch, needs, probability, torch.Generator().manual_seed(seed))
    before, after = (anything(some, needs) for some in (batch, dropped))
    assert torch.equal(before, after)
    again = drop_sources(batch, needs, probability, torch.Generator().manual_seed(seed))
    for one, other, whole in zip(parts_of(dropped), parts_of(again), parts_of(batch), strict=True):
        assert torch.equal(one.isnan(), other.isnan())
        assert torch.equal(one[one.isfinite()], whole[one.isfinite()])


def parts_of(batch: Batch) -> tuple[torch.Tensor, ...]:
    return batch.pixels, batch.cells, batch.history


def anything(batch: Batch, needs: InputSpec) -> torch.Tensor:
    """Whether a network sees anything of a sample; power of 0 is missing to it."""
    pixels = batch.pixels.isfinite()
    pixels[:, needs.pixels.index("vv")] &= batch.pixels[:, needs.pixels.index("vv")] > 0
    return torch.cat([pixels.flatten(1), *(part.isfinite().flatten(1) for part in parts_of(batch)[1:])], dim=1).any(
        dim=1
    )


def test_the_likelihood_is_that_of_a_normal_distribution():
    rng = np.random.default_rng(0)
    mean, spread, label = rng.random(50), rng.uniform(0.01, 0.2, 50), rng.random(50)
    expected = -norm.logpdf(label, mean, spread).mean()
    assert float(negative_log_likelihood(*map(torch.tensor, (mean, spread, label)))) == pytest.approx(expected)


def three_sensors(requires_grad: bool = False) -> tuple[NetworkOutput, Labels]:
    rng = np.random.default_rng(1)
    sensor = np.repeat([7, 3, 11], 5)
    label = rng.uniform(0.05, 0.4, 15)
    level = np.array([0.3, 0.15, 0.2]).repeat(5)
    swing = label - label.mean() + rng.normal(0, 0.03, 15)
    values = (level, swing, rng.uniform(0.02, 0.1, 15))
    parts = NetworkOutput(*(torch.tensor(value, requires_grad=requires_grad) for value in values))
    weight, day = torch.tensor(np.repeat([1.0, 0.5, 0.5], 5)), torch.tensor(np.tile(10.0 * np.arange(5), 3))
    return parts, Labels(torch.tensor(label), torch.tensor(sensor), weight, day, torch.arange(len(label)))


@pytest.mark.parametrize("weights", [LossWeights(), LossWeights(0.0, 1.0, 0.0), LossWeights(0.5, 0.0, 1.0)])
def test_the_objective_weighs_time_place_and_spread_apart(weights):
    parts, truth = three_sensors()
    level, swing, spread, label = (
        value.numpy() / 0.1 for value in (parts.static, parts.dynamic, parts.std, truth.label)
    )
    frame = pd.DataFrame({"error": level + swing - label, "mean": level + swing, "label": label})
    groups = frame.groupby(truth.sensor.numpy(), sort=True)
    bias = groups["error"].mean()
    r = groups.apply(lambda one: np.corrcoef(one["mean"], one["label"])[0, 1])
    moving = np.sqrt(groups["error"].var(ddof=0) + 0.01) + weights.correlation * (1 - r) + weights.bias * bias**2
    usual = np.average(np.sqrt(bias**2 + 0.25), weights=[0.5, 1.0, 0.5])
    expected = moving.mean() + usual - weights.spread * norm.logpdf(label, level + swing, spread).mean()
    assert float(objective(parts, truth, torch.tensor(0.1), weights)) == pytest.approx(expected, rel=1e-4)


def test_anomalies_are_departures_from_the_35_days_around_a_sample_of_the_same_sensor():
    rng = np.random.default_rng(0)
    sensor, day = torch.tensor(rng.integers(0, 4, 200)), torch.tensor(rng.uniform(18_000, 18_400, 200))
    values = torch.tensor(rng.normal(size=200))
    near = (sensor[:, None] == sensor) & ((day[:, None] - day).abs() <= 17.5)
    expected = (near * values).sum(dim=1) / near.sum(dim=1)
    assert torch.allclose(Surroundings(sensor, day).mean(values), expected)


def test_the_anomaly_term_adds_one_less_the_correlation_of_anomalies():
    parts, truth = three_sensors()
    plain, more = (float(objective(parts, truth, torch.tensor(0.1), LossWeights(anomaly=one))) for one in (0.0, 2.0))
    around, by = Surroundings(truth.sensor, truth.day), Groups(truth.sensor)
    estimate, label = parts.static + parts.dynamic, truth.label
    r = by.correlation(*((values - around.mean(values)) / 0.1 for values in (estimate, label)))
    assert more - plain == pytest.approx(2.0 * float((1 - r).mean()), rel=1e-4)


def test_the_space_term_adds_one_less_the_correlation_over_a_network_at_one_time():
    parts, truth = three_sensors()
    scene = torch.tensor([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3])
    of_scenes = replace(truth, scene=scene)
    plain, more = (float(objective(parts, of_scenes, torch.tensor(0.1), LossWeights(space=one))) for one in (0.0, 2.0))
    estimate, label = (values.numpy() for values in (parts.static + parts.dynamic, truth.label))
    r = [np.corrcoef(estimate[scene == number], label[scene == number])[0, 1] for number in (0, 1)]
    assert more - plain == pytest.approx(2.0 * (1 - np.mean(r)), rel=1e-3), "a scene of four is not judged"
    alone = replace(truth, scene=torch.arange(15))
    assert float(objective(parts, alone, torch.tensor(0.1), LossWeights(space=2.0))) == pytest.approx(plain, rel=1e-6)


def test_both_heads_learn_what_is_wetter_in_space():
    parts, truth = three_sensors(requires_grad=True)
    scenes = replace(truth, scene=torch.arange(15) % 3)
    plain = three_sensors(requires_grad=True)[0]
    objective(plain, scenes, torch.tensor(0.1), LossWeights()).backward()
    objective(parts, scenes, torch.tensor(0.1), LossWeights(space=1.0)).backward()
    for head in ("static", "dynamic"):
        assert (getattr(parts, head).grad - getattr(plain, head).grad).abs().max() > 1e-3


def test_micro_batches_which_divide_networks_are_refused_with_a_weight_in_space(tmp_path):
    store = write_store(tmp_path / "store")
    places = TrainingRows(store, store.rows[:500], store.rows[500:])
    schedule = replace(SCHEDULE, weights=LossWeights(space=1.0))
    with pytest.raises(VadoseError, match="whole networks"):
        fit_network(places, NEEDS, SHAPE, schedule, tmp_path / "state", machine=ComputeConfig(accumulate=2))


def test_the_level_learns_the_bias_of_a_sensor_and_the_swing_what_moves():
    parts, truth = three_sensors(requires_grad=True)
    objective(parts, truth, torch.tensor(0.1), LossWeights(bias=0.0)).backward()
    for sensor in (7, 3, 11):
        own = truth.sensor == sensor
        assert parts.dynamic.grad[own].sum().abs() < 1e-9 < parts.dynamic.grad[own].abs().max()
        assert float(parts.static.grad[own].std()) == pytest.approx(0) and parts.static.grad[own].abs().min() > 1e-6
    told = three_sensors(requires_grad=True)[0]
    objective(told, truth, torch.tensor(0.1), LossWeights(bias=1.0)).backward()
    assert torch.equal(told.static.grad, parts.static.grad)
    assert told.dynamic.grad[truth.sensor == 7].sum().abs() > 1e-3


def test_the_spread_is_fitted_without_moving_the_mean():
    def gradients(weight: float) -> NetworkOutput:
        parts, truth = three_sensors(requires_grad=True)
        objective(parts, truth, torch.tensor(0.1), LossWeights(spread=weight)).backward()
        return parts

    one, other = gradients(0.1), gradients(5.0)
    assert torch.equal(one.dynamic.grad, other.dynamic.grad) and torch.equal(one.static.grad, other.static.grad)
    assert torch.allclose(50 * one.std.grad, other.std.grad) and one.std.grad.abs().min() > 0


def test_a_sensor_that_never_changes_is_learned_without_a_correlation():
    parts, truth = three_sensors(requires_grad=True)
    still = replace(truth, label=torch.full_like(truth.label, 0.2))
    loss = objective(parts, still, torch.tensor(0.1), LossWeights(anomaly=1.0))
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(parts.dynamic.grad).all()


def test_without_patience_every_sample_is_learned_and_the_last_weights_stay(places, tmp_path):
    schedule = TrainingConfig(epochs=3, batch_size=480, learning_rate=1e-2, patience=None, per_sensor=MOMENTS)
    seen: list[float] = []
    network, _, progress = fit_network(
        places, NEEDS, SHAPE, schedule, tmp_path / "state", lambda r: seen.append(r["loss"])
    )
    assert progress.best_epoch == 2 and len(seen) == 3
    kept = torch.load(tmp_path / "state", weights_only=True)["network"]
    assert all(torch.equal(value, kept[name]) for name, value in network.state_dict().items())
    patient = TrainingConfig(epochs=3, batch_size=480, learning_rate=1e-2, patience=3, per_sensor=MOMENTS)
    other, *_ = fit_network(places, NEEDS, SHAPE, patient, tmp_path / "other")
    assert not torch.equal(network.standard.mean, other.standard.mean), "fitted on the validation places as well"


def test_what_a_sensor_loses_it_loses_in_all_its_samples():
    needs = InputSpec(cells=("vv", "smap", "sand", "B04"))
    sensor = torch.arange(200) // 20
    batch = Batch(torch.zeros(200, 0, 0, 0), torch.ones(200, 4, 1, 1), torch.zeros(200, 0, 0, 1, 1))
    there = (
        drop_sources(batch, needs, 0.5, torch.Generator().manual_seed(0), sensor).cells.isfinite().reshape(10, 20, 4)
    )
    assert (there == there[:, :1]).all() and 0.2 < float((~there).float().mean()) < 0.6


@pytest.fixture(params=["network", "product", "trees"])
def model(request: pytest.FixtureRequest, places: TrainingRows, fitted: tuple[FusionNetwork, ScalingStats]) -> Model:
    if request.param == "network":
        return fitted[0]
    return fit_product(places, "smap") if request.param == "product" else fit_trees(places, NEEDS, seed=0)[0]


def test_a_model_on_disk_is_the_same_model(model, store, fitted, tmp_path):
    save(model, tmp_path / "checkpoint", {"experiment": "simulated"}, fitted[1])
    loaded = load(tmp_path / "checkpoint")
    assert loaded.needs == model.needs
    before, after = (estimate_points([one], store) for one in (model, loaded))
    pd.testing.assert_frame_equal(before, after, rtol=1e-6, atol=1e-7)
    described = json.loads((tmp_path / "checkpoint" / DESCRIPTION).read_text())
    assert described["kind"] == "checkpoint"
    assert described["made_from"] == {"experiment": "simulated"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint"]


def test_the_spread_of_a_product_is_that_of_its_error(places, store):
    product = fit_product(places, "smap")
    error = store.cells(("smap",), places.training)[:, 0] - store.labels(places.training)
    assert product.spread == pytest.approx(float(np.std(error)), rel=1e-5)


def cut(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes()[:-100])


def describe(folder: Path, change: Callable[[dict], object]) -> None:
    """Change a description and sign it anew, as one who means it would."""
    content = json.loads((folder / DESCRIPTION).read_text())
    change(content)
    (folder / DESCRIPTION).write_text(json.dumps(signed(content)))


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: cut(folder, WEIGHTS),
        lambda folder: cut(folder, DESCRIPTION),
        lambda folder: (folder / WEIGHTS).unlink(),
        lambda folder: (folder / DESCRIPTION).unlink(),
        lambda folder: (folder / DESCRIPTION).write_text("[]"),
        lambda folder: describe(folder, lambda content: content.pop("model")),
        lambda folder: describe(folder, lambda content: content["model"].update(kind="oracle")),
        lambda folder: describe(folder, lambda content: content["model"].update(sha256="0" * 64)),
        lambda folder: describe(folder, lambda content: content["model"].pop("shape")),
        lambda folder: describe(folder, lambda content: content["model"]["shape"].update(hidden_size=17)),
        lambda folder: describe(folder, lambda content: content["model"]["needs"].update(cells=["smap"])),
        lambda folder: describe(folder, lambda content: content["model"]["scaling"]["mean"].pop("smap")),
    ],
)
def test_a_harmed_checkpoint_is_refused(fitted, tmp_path, harm):
    folder = tmp_path / "checkpoint"
    save(*fitted[:1], folder, {}, fitted[1])
    harm(folder)
    before = contents(tmp_path)
    with pytest.raises(VadoseError) as refused:
        load(folder)
    assert refused.value.context == f"checkpoint: {folder}."
    assert "It cannot be read" in refused.value.problem
    assert "Train again" in refused.value.hint
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["made_from"].update(fold=1),
        lambda content: content["model"]["scaling"]["mean"].update(smap=0.2),
        lambda content: content["model"]["shape"].update(noise=0.0),
        lambda content: content.update(vadose_version="9"),
        lambda content: content.update(note="mine"),
        lambda content: content.update(sha256="0" * 64),
        lambda content: content.pop("sha256"),
    ],
)
def test_an_edited_description_is_refused(fitted, tmp_path, change):
    folder = tmp_path / "checkpoint"
    save(fitted[0], folder, {"fold": 0}, fitted[1])
    assert origin(folder) == {"fold": 0}
    content = json.loads((folder / DESCRIPTION).read_text())
    (folder / DESCRIPTION).write_text(json.dumps(content, sort_keys=True))
    load(folder)
    change(content)
    (folder / DESCRIPTION).write_text(json.dumps(content))
    for read in (load, origin):
        with pytest.raises(VadoseError) as refused:
            read(folder)
        assert refused.value.context == f"checkpoint: {folder}."
        assert f"{DESCRIPTION} does not match its checksum" in refused.value.problem
        assert "Train again" in refused.value.hint


def test_a_missing_checkpoint_is_refused(tmp_path):
    with pytest.raises(VadoseError, match="No such file"):
        load(tmp_path / "nowhere")
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_that_wants_other_predictors_names_each(fitted, tmp_path):
    other = write_store(
        tmp_path / "other", InputSpec(cells=("sand",), history=HistorySpec(("smap",), 2, 2.0)), labels=False
    )
    before = contents(tmp_path)
    with pytest.raises(VadoseError) as refused:
        estimate_points([fitted[0]], other)
    for words in ("cells smap", "history of 3 steps, held 2", "steps of 1 days, held 2"):
        assert words in refused.value.problem
    assert str(other.path) in refused.value.context
    assert "Build the store" in refused.value.hint
    assert contents(tmp_path) == before
