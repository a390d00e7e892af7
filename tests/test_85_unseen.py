"""Runs of several folds: which networks may speak of a sensor, what a half-trained run is good for, who is judged."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import vadose
from vadose.dataset import Samples, SampleStore, SampleWriter, SpatialGroups
from vadose.errors import VadoseError
from vadose.evaluation import read
from vadose.experiment import Experiment
from vadose.experiment.build_samples import _around, _regular
from vadose.experiment.predict import predict_store
from vadose.experiment.run import Run
from vadose.experiment.train import train
from vadose.fusion import InputSpec
from vadose.grid import Period
from vadose.inference import UNCALIBRATED, estimate_points
from vadose.inference.held_out import Member, estimate_held_out
from vadose.models import Product
from vadose.training import load, origin

SENSORS, MOMENTS = 12, 8
CELLS = ("smap", "sand")
KEYS = ["network", "station", "sensor", "time"]


def quiet(*_: object) -> None:
    pass


def write_store(path: Path, change: Callable[[pd.DataFrame], pd.DataFrame] = lambda index: index) -> SampleStore:
    """Simulated samples of 12 sensors, a degree apart; soil moisture follows smap."""
    rng = np.random.default_rng(5)
    sensor = np.repeat(np.arange(SENSORS), MOMENTS)
    time = pd.Timestamp("2021-06-01") + pd.to_timedelta(np.tile(np.arange(MOMENTS), SENSORS), "D")
    table = pd.DataFrame({"network": "SIMULATED", "station": [f"S{n:02d}" for n in sensor], "sensor": "a"}).assign(
        lat=40.5 + sensor, lon=10.5, time=time, smap=rng.uniform(0.1, 0.4, len(sensor)), sand=rng.random(12)[sensor]
    )
    table["soil_moisture_in_situ"] = 0.05 + 0.7 * table["smap"] + rng.normal(0, 0.01, len(sensor))
    table = change(table)
    cells = table[list(CELLS)].to_numpy(np.float32)
    with SampleWriter.open(path, InputSpec(cells=CELLS), {}, simulated=True) as writer:
        writer.append(Samples(table.drop(columns=list(CELLS)), cells, np.empty((len(table), 0, 0), np.float32)))
    return SampleStore.open(path)


def experiment(**changes: object) -> Experiment:
    content = {
        "name": "unseen",
        "simulated": True,
        "samples": {"table": "table.csv", "columns": "mapping.yaml"},
        "needs": {"cells": CELLS},
        "split": {"grouping": {"by": "place"}, "folds": 3, "validation_fraction": 0.3},
        "network": {"cell_features": 4, "gru_size": 4, "hidden_size": 8},
        "ensemble": [{"size": 2}],
        "schedule": {"epochs": 2, "batch_size": 16, "per_sensor": 4},
        "baselines": ("smap", "smap_gldas"),
        "min_samples": 5,
    }
    return Experiment.model_validate(content | changes)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("unseen") / "run"
    train(experiment(), write_store(folder / "samples"), Run(folder), quiet)
    return Run(folder)


def by_key(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values(KEYS, ignore_index=True)


def test_a_checkpoint_names_the_sensors_that_it_learned_from(run):
    stations = {f"S{number:02d}" for number in range(SENSORS)}
    for fold in range(3):
        held_out = {*stations}
        for member in range(2):
            learned = origin(run.checkpoint(fold, "network", member))["learned_from"]
            held_out &= stations - {sensor["station"] for sensor in learned}
        assert len(held_out) == 4
        assert {"network", "station", "sensor", "lat", "lon"} == set(learned[0])


def test_sensors_of_the_run_are_estimated_by_the_networks_that_never_saw_them(run, tmp_path):
    told: list[tuple[int, int]] = []
    table = predict_store(run.folder, run.store, tmp_path / "out.parquet", lambda *done: told.append(done))
    held_out = by_key(pd.read_parquet(run.folder / "predictions" / "network.parquet"))
    assert table["seen_in_training"].dtype == bool and not table["seen_in_training"].any()
    assert not held_out["seen_in_training"].any()
    pd.testing.assert_frame_equal(table[KEYS], SampleStore.open(run.store).index[KEYS])
    np.testing.assert_allclose(by_key(table)["soil_moisture"], held_out["soil_moisture"], atol=1e-6)
    everyone = estimate_points(run.members(), SampleStore.open(run.store))
    assert np.abs(everyone["soil_moisture"] - table["soil_moisture"]).max() > 1e-3, (
        "networks that learned from them say otherwise"
    )
    assert [done for done, _ in told] == sorted(done for done, _ in told) and told[-1] == (96, 96)


def test_the_spread_of_a_store_is_calibrated_by_all_that_was_held_out(run, tmp_path):
    calibrated = predict_store(run.folder, run.store, tmp_path / "out.parquet", quiet)
    calibration = run.calibration()
    assert calibration.sensors == SENSORS and calibration.whole != 1
    run.write_calibration(UNCALIBRATED)
    stated = predict_store(run.folder, run.store, tmp_path / "stated.parquet", quiet)
    run.write_calibration(calibration)
    np.testing.assert_allclose(
        calibrated["soil_moisture_std"], calibration.whole * stated["soil_moisture_std"], rtol=1e-6
    )
    (run.folder / "calibration.json").write_text("{")
    with pytest.raises(VadoseError, match=r"calibration\.json"):
        run.calibration()
    run.write_calibration(calibration)


def test_where_every_network_has_seen_a_sensor_the_table_and_the_scores_say_so(tmp_path):
    plan = {"grouping": {"by": "place"}, "test_fraction": 0.34, "validation_fraction": 0.3}
    folder = tmp_path / "run"
    store = write_store(folder / "samples")
    train(experiment(split=plan, ensemble=[{"size": 1}], baselines=()), store, Run(folder), quiet)
    table = predict_store(folder, store.path, tmp_path / "all.parquet", quiet)
    judged = set(pd.read_parquet(folder / "predictions" / "network.parquet")["station"])
    assert 0 < len(judged) < SENSORS
    assert (table["seen_in_training"] == ~table["station"].isin(judged)).all()
    pd.testing.assert_frame_equal(
        table.drop(columns="seen_in_training"),
        estimate_points(Run(folder).members(), store, calibration=Run(folder).calibration()),
        atol=1e-6,
    )
    seen = SENSORS - len(judged)
    said = f"all: {seen * MOMENTS} of 96 samples, {seen} of 12 sensors, seen in training; scores of these are not of"
    assert said in str(vadose.evaluate([tmp_path / "all.parquet"], out=tmp_path / "scores", min_samples=5))
    assert said in (tmp_path / "scores" / "scorecard.md").read_text()
    assert said in json.loads((tmp_path / "scores" / "scorecard.json").read_text())["made_from"]["notes"][0]


def test_scores_of_tables_that_do_not_tell_claim_nothing(run, tmp_path):
    predictions = run.folder / "predictions" / "network.parquet"
    assert "network: 0 of 96 samples, 0 of 12 sensors, seen in training." in str(
        vadose.evaluate([predictions], min_samples=5)
    )
    table = read(predictions)
    table.drop(columns="seen_in_training").to_csv(tmp_path / "silent.csv", index=False)
    assert "seen in training" not in str(vadose.evaluate([tmp_path / "silent.csv"], min_samples=5))
    table.to_csv(tmp_path / "told.csv", index=False)
    assert "told: 0 of 96 samples" in str(vadose.evaluate([tmp_path / "told.csv"], min_samples=5))
    table.assign(seen_in_training="perhaps").to_csv(tmp_path / "unclear.csv", index=False)
    with pytest.raises(VadoseError) as refused:
        vadose.evaluate([tmp_path / "unclear.csv"], out=tmp_path / "scores", min_samples=5)
    assert "column seen_in_training" in refused.value.context and "True or False" in refused.value.hint
    assert not (tmp_path / "scores").exists()


def sensor(network: str, station: str, lat: float, lon: float) -> pd.DataFrame:
    return pd.DataFrame([{"network": network, "station": station, "sensor": "a", "lat": lat, "lon": lon}])


@pytest.mark.parametrize(
    ("grouping", "asked", "seen"),
    [
        (SpatialGroups(by="place"), sensor("A", "1", 80.0, 80.0), True),
        (SpatialGroups(by="place"), sensor("B", "2", 40.5, 10.5), True),
        (SpatialGroups(by="place"), sensor("A", "2", 40.6, 10.5), False),
        (SpatialGroups(by="place", buffer_km=12), sensor("B", "2", 40.6, 10.5), True),
        (SpatialGroups(by="place", buffer_km=11), sensor("B", "2", 40.6, 10.5), False),
        (SpatialGroups(by="block"), sensor("B", "2", 40.9, 10.1), True),
        (SpatialGroups(by="block"), sensor("B", "2", 41.1, 10.5), False),
        (SpatialGroups(by="block", block_degrees=2), sensor("B", "2", 41.1, 10.5), True),
        (SpatialGroups(by="network"), sensor("A", "2", 80.0, 80.0), True),
        (SpatialGroups(by="network"), sensor("B", "2", 40.6, 10.5), False),
    ],
)
def test_what_a_split_keeps_together_is_seen_together(grouping, asked, seen):
    learned = pd.concat([sensor("A", "1", 40.5, 10.5), sensor("C", "3", -40.0, 0.0)])
    both = pd.concat([sensor("Z", "9", -70.0, 50.0), asked])
    assert Member(Product("smap", 0.1), learned).trained_on(both, grouping).tolist() == [False, seen]


def test_each_sensor_hears_only_the_members_that_do_not_know_it(tmp_path):
    store = write_store(tmp_path / "store")
    sand = Product("sand", 0.2)
    members = [
        Member(Product("smap", 0.1), sensor("SIMULATED", "S00", 0.0, 0.0)),
        Member(sand, pd.concat([sensor("SIMULATED", name, 0.0, 0.0) for name in ("S00", "S01")])),
    ]
    with pytest.raises(VadoseError, match="lacks cells clay"):
        estimate_held_out(
            [Member(Product("clay", 0.1), members[0].learned_from)],
            store,
            SpatialGroups(by="place"),
            quiet,
            UNCALIBRATED,
        )
    table = estimate_held_out(members[:1], store, SpatialGroups(by="place"), quiet, UNCALIBRATED)
    assert (table["seen_in_training"] == (table["station"] == "S00")).all()
    two = [
        Member(Product("smap", spread), member.learned_from) for member, spread in zip(members, (0.1, 0.3), strict=True)
    ]
    spreads = (
        estimate_held_out(two, store, SpatialGroups(by="place"), quiet, UNCALIBRATED)
        .groupby("station")["soil_moisture_std"]
        .unique()
    )
    assert spreads["S00"] == pytest.approx([np.sqrt((0.1**2 + 0.3**2) / 2)]), "known to both, so both speak"
    assert spreads["S01"] == pytest.approx([0.1])
    assert spreads["S02"] == spreads["S00"]


def test_a_half_trained_run_is_refused_until_it_is_finished(run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run.folder, folder)
    half = Run(folder)
    shutil.rmtree(half.checkpoint(2, "network", 1))
    before = sorted(tmp_path.rglob("*"))
    for ask in (half.members, lambda: predict_store(folder, half.store, tmp_path / "out.parquet", quiet)):
        with pytest.raises(VadoseError) as refused:
            ask()
        assert str(folder) in refused.value.context
        assert "5 of 6 are trained" in refused.value.problem
        assert "vadose train" in refused.value.hint and "--resume" in refused.value.hint
    assert sorted(tmp_path.rglob("*")) == before
    train(experiment(), SampleStore.open(half.store), half, quiet)
    assert len(half.members()) == 6
    last = half.checkpoint(2, "network", 1) / "weights.safetensors"
    assert last.read_bytes() == (run.checkpoint(2, "network", 1) / "weights.safetensors").read_bytes()


def test_a_rival_without_all_its_predictors_is_left_out_and_the_scorecard_says_so(run):
    assert experiment().baseline_needs("smap_gldas") is None
    assert experiment(needs={"cells": ("smap", "gldas")}).baseline_needs("smap_gldas").cells == ("smap", "gldas")
    assert experiment().baseline_needs("smap").cells == ("smap",)
    assert not list(run.folder.glob("fold-*/smap_gldas-*"))
    assert sorted(path.stem for path in (run.folder / "predictions").iterdir()) == ["network", "smap", "smap_rescaled"]
    said = "Not evaluated, as the samples lack some of their predictors: smap_gldas."
    assert said in (run.folder / "scorecard.md").read_text()


def test_a_predictor_that_a_fold_never_observed_is_refused_before_anything_is_fitted(tmp_path):
    def only_at_one(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(sand=table["sand"].where(table["station"] == "S07"))

    store = write_store(tmp_path / "store", only_at_one)
    with pytest.raises(VadoseError) as refused:
        train(experiment(), store, Run(tmp_path / "run"), quiet)
    assert "sand, smap in each of 3 folds" in refused.value.context
    assert "Never observed in training: sand in fold" in refused.value.problem and "smap" not in refused.value.problem
    assert "Leave these out" in refused.value.hint
    assert not (tmp_path / "run").exists()


def test_a_checkpoint_that_does_not_tell_what_it_learned_from_is_refused(run, tmp_path):
    folder = run.checkpoint(0, "smap", 0)
    assert Member.load(folder).model.needs == load(folder).needs
    shutil.copytree(folder, tmp_path / "edited")
    path = tmp_path / "edited" / "checkpoint.json"
    path.write_text(path.read_text().replace("S00", "S99").replace("S01", "S98").replace("S02", "S97"))
    with pytest.raises(VadoseError, match="does not match its checksum"):
        Member.load(tmp_path / "edited")


@pytest.mark.parametrize("days", [0.25, 0.4, 1.0, 3.0, 10.0])
def test_moments_of_a_period_lie_in_it(days):
    period = Period.parse("2021-06-01/2021-06-10")
    times = _regular(period, days)
    assert times[0] == np.datetime64("2021-06-01T12:00")
    assert all(time in period for time in times)
    assert np.allclose(np.diff(times) / np.timedelta64(1, "D"), days)
    assert times[-1] + np.timedelta64(round(days * 86400), "s") >= period.end


def test_readings_within_the_window_of_a_moment_are_read_on_both_sides_of_the_period():
    period = Period.parse("2021-06-01/2021-06-01")
    near = _around(period, 45)
    assert np.datetime64("2021-06-02T00:44") in near and np.datetime64("2021-05-31T23:15") in near
    assert np.datetime64("2021-06-02T00:46") not in near and np.datetime64("2021-05-31T23:14") not in near
    assert _around(period, 0) == period
