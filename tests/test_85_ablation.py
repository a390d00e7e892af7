"""The same training without each of its parts."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from vadose.errors import VadoseError
from vadose.experiment import Experiment, read_experiment
from vadose.experiment.ablation import ablate, rows_of
from vadose.experiment.config import EnsemblePart
from vadose.experiment.coverage_filter import coverage_filter, note_of

SENSORS, MOMENTS = 16, 14
MAPPING = {
    "network": {"column": "network"},
    "station": {"column": "station"},
    "lat": {"column": "lat"},
    "lon": {"column": "lon"},
    "time": {"column": "time"},
    "label": {"column": "moisture"},
    "predictors": {"smap": {"column": "smap"}, "sand": {"column": "sand", "units": "%"}},
    "history": {"steps": 3, "step_days": 10, "variables": ["smap"]},
    "simulated": True,
}
CONFIG = {
    "name": "little",
    "simulated": True,
    "samples": {"table": "points.csv", "columns": "mapping.yaml"},
    "needs": {"cells": ["smap", "sand"], "history": {"variables": ["smap"], "steps": 3, "step_days": 10}},
    "split": {"grouping": {"by": "place"}, "folds": 2, "validation_fraction": 0.3},
    "network": {"hidden_size": 8},
    "schedule": {"epochs": 2, "batch_size": 64, "patience": None, "per_sensor": 4},
    "baselines": ["smap"],
    "min_samples": 5,
}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ablation")
    rng = np.random.default_rng(1)
    sensor = np.repeat(np.arange(SENSORS), MOMENTS)
    smap, sand = rng.uniform(0.05, 0.4, sensor.size), rng.uniform(10, 80, SENSORS)[sensor]
    time = pd.Timestamp("2021-01-01") + pd.to_timedelta(np.tile(np.arange(MOMENTS) * 10, SENSORS), "D")
    table = pd.DataFrame({"network": "n", "station": sensor, "lat": 40 + sensor, "lon": 2.0 * sensor, "time": time})
    moisture = 0.05 + 0.6 * smap + 0.001 * sand + rng.normal(0, 0.01, sensor.size)
    table.assign(smap=smap, sand=sand, moisture=moisture).to_csv(folder / "points.csv", index=False)
    (folder / "mapping.yaml").write_text(yaml.safe_dump(MAPPING))
    (folder / "little.yaml").write_text(yaml.safe_dump(CONFIG))
    return folder / "little.yaml"


@pytest.fixture(scope="module")
def done(config: Path) -> Path:
    folder = config.parent / "ablation"
    ablate(read_experiment(config), folder, False, quiet, quiet, only=("without_history", "without_smap"))
    return folder


def quiet(*_: object) -> None:
    pass


def everything() -> Experiment:
    sources = ["vv", "vh", "incidence_angle", "B04", "B08", "B11", "B12"]
    needs = {
        "pixels": [*sources, "elevation"],
        "cells": ["sand", "smap", "gldas"],
        "history": {"variables": ["smap", "vv"], "steps": 3, "step_days": 10},
    }
    return Experiment.model_validate(CONFIG | {"needs": needs})


def test_the_rows_of_an_experiment_with_all_sources():
    rows = {row.name: row for row in rows_of(everything())}
    assert [*rows] == [
        "full",
        *("paper_coarse", "paper_s1_dem", "paper_s2", "paper_soil", "paper_all"),
        *(f"without_{source}" for source in ("sentinel1", "sentinel2", "dem", "soilgrids", "smap", "gldas")),
        *("without_history", "without_dropout", "without_chips"),
    ]
    needs = {name: row.experiment.needs for name, row in rows.items()}
    assert needs["paper_s1_dem"].names == {"vv", "vh", "incidence_angle", "elevation"}
    assert not needs["paper_all"].history.variables and needs["paper_all"].pixels
    assert needs["without_smap"].names == needs["full"].names - {"smap"}
    assert needs["without_smap"].history.variables == ("vv",)
    assert not needs["without_chips"].pixels and needs["without_chips"].names == needs["full"].names
    assert rows["without_dropout"].experiment.schedule.source_dropout == 0
    assert rows["without_history"].run == rows["paper_all"].run, "they read the same, and are trained once"
    assert all(row.experiment.split == rows["full"].experiment.split for row in rows.values())
    assert all(row.experiment.schedule.seed == rows["full"].experiment.schedule.seed for row in rows.values())


def test_sources_that_are_not_there_have_no_rows(config):
    names = [row.name for row in rows_of(read_experiment(config))]
    assert names == [
        *("full", "paper_coarse", "paper_soil", "paper_all"),
        *("without_soilgrids", "without_smap", "without_history", "without_dropout"),
    ]
    with pytest.raises(VadoseError, match="without_gldas"):
        rows_of(read_experiment(config), ["without_gldas"])


def test_the_table_has_every_row_with_its_paired_difference(done):
    content = json.loads((done / "ablation.json").read_text())
    records = {record["name"]: record for record in content["rows"]}
    assert [*records] == ["full", "without_smap", "without_history"]
    assert {record["samples"] for record in records.values()} == {SENSORS * MOMENTS}
    for record in records.values():
        assert record["r_low"] <= record["r"] <= record["r_high"]
        if record["name"] != "full":
            assert record["rmse_difference"] == pytest.approx(record["rmse"] - records["full"]["rmse"], abs=1e-9)
            assert record["rmse_difference_low"] <= record["rmse_difference"] <= record["rmse_difference_high"]
    assert "r_difference" not in records["full"]
    page = (done / "ablation.md").read_text()
    assert "SIMULATED" in page and "| without SMAP |" in page and "| without history |" in page
    assert (done / "ablation.png").stat().st_size > 10_000


def test_what_is_finished_is_not_trained_again_and_what_is_lacking_is(config, done):
    lacking = done / "rows" / "paper_all" / "scorecard.json"  # reads the same as the row without history
    lacking.unlink()
    before = (done / "ablation.json").read_bytes()
    epochs: list[str] = []
    with pytest.raises(VadoseError, match="--resume"):
        ablate(read_experiment(config), done, False, quiet, quiet, only=("without_history", "without_smap"))
    ablate(
        read_experiment(config), done, True, quiet, lambda what, _: epochs.append(what),
        only=("without_history", "without_smap", "without_dropout"),
    )  # fmt: skip
    assert {what.split(",")[0] for what in epochs if "fold" in what} == {"without_dropout"}
    assert lacking.exists()
    ablate(read_experiment(config), done, True, quiet, quiet, only=("without_history", "without_smap"))
    assert (done / "ablation.json").read_bytes() == before


def test_an_ablation_of_another_experiment_is_not_mixed_in(config, done):
    other = read_experiment(config).model_copy(update={"ensemble": (EnsemblePart(size=2),)})
    with pytest.raises(VadoseError, match="ensemble"):
        ablate(other, done, True, quiet, quiet, only=("without_smap",))


def test_a_sparse_rival_takes_no_samples_from_the_others(done):
    network = pd.read_parquet(done / "rows" / "full" / "predictions" / "network.parquet")
    thin = network.assign(soil_moisture=network["soil_moisture"].where(np.arange(len(network)) % MOMENTS < 8))
    dense, sparse = coverage_filter({"network": network, "thin": thin, "same": network})
    assert [*dense] == ["network", "same"] and [*sparse] == ["thin"]
    note = note_of("thin", thin, "network", network, 5)
    assert f"{SENSORS * 8} samples" in note and f"{SENSORS} sensors" in note and note.count("ubRMSE") == 2
    nothing = network.assign(soil_moisture=np.float32(np.nan))
    assert "none of them can be scored" in note_of("thin", nothing, "network", network, 5)
