"""Simulated published shards through the command line: a store, a run on it, and what such a run may not do."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from published_writer import example, write_shard
from test_40_published_store import NAME, simulated
from test_85_cli import AREA, DATE, Told, refused, write_archive
from vadose.batchu2022 import UnitFit
from vadose.batchu2022.calibration import ASSUMED_RANGES, FEATURE_OF, lines, units_of
from vadose.batchu2022.units import write
from vadose.cli.main import main
from vadose.dataset import SampleStore
from vadose.dataset.calibrations import RESIDUAL_STEPS, require_physical
from vadose.errors import VadoseError
from vadose.experiment import read_experiment
from vadose.experiment.build_samples import build_samples, store_of
from vadose.experiment.run import Run
from vadose.export.card import model_card
from vadose.training import origin

EXPERIMENT = {
    "name": "published",
    "simulated": True,
    "samples": {"store": "nominal"},
    "needs": {"pixels": ["vv", "elevation"], "cells": ["sand", "smap"]},
    "split": {"grouping": {"by": "place"}, "test_fraction": 0.34, "validation_fraction": 0.3},
    "network": {
        "encoder": {"width": 4, "max_width": 8, "blocks": [2, 1, 1, 1]},
        "cell_features": 4,
        "gru_size": 4,
        "hidden_size": 8,
    },
    "schedule": {"epochs": 1, "batch_size": 8, "per_sensor": 2},
    "baselines": ["smap"],
    "min_samples": 3,
}


@pytest.fixture(scope="module")
def vadose() -> Callable[..., Told]:
    """Runs the entry point in this process."""

    def run(*arguments: object) -> Told:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["vadose", *map(str, arguments)])
            import contextlib
            import io

            out, err = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
                main()
        return Told(ended.value.code or 0, out.getvalue(), err.getvalue())

    return run


def fits(residual_steps: float = 0.5) -> dict[str, UnitFit]:
    """A fit of every feature, as from an archive."""
    return {
        FEATURE_OF[name]: UnitFit(
            FEATURE_OF[name],
            units_of(name),
            (high - low) / 300,
            low + 1e-3,
            residual_steps * (high - low) / 300,
            0.9,
            500,
        )
        for name, (low, high) in ASSUMED_RANGES.items()
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, vadose: Callable[..., Told]) -> Path:
    """Shards of simulated sensors, their stores with nominal and with fitted lines, a run on each, an archive."""
    folder = tmp_path_factory.mktemp("published")
    (folder / "shards").mkdir()
    for shard in (0, 1):
        ones = [
            simulated(3 * place + visit, f"S{place}", center_lat=55.0 + place / 5, center_long=9.2)
            for place in range(3 * shard, 3 * shard + 3)
            for visit in range(3)
        ]
        write_shard(folder / "shards" / NAME.format(shard), map(example, ones))
    write(folder / "units.json", fits(), {"simulated": True})
    for name, options in (("nominal", ()), ("fitted", ("--units", folder / "units.json"))):
        told = vadose(
            "samples",
            "import-batchu2022",
            folder / "shards",
            "--out",
            folder / name,
            "--simulated",
            "--workers",
            1,
            *options,
        )
        assert told.status == 0, told
        (folder / f"{name}.txt").write_text(told.out)
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(EXPERIMENT | {"samples": {"store": name}}))
        told = vadose("train", folder / f"{name}.yaml", "--out", folder / f"run-{name}", "--workers", 1)
        assert told.status == 0, told.err
    write_archive(folder / "archive")
    return folder


def test_the_import_tells_what_came_of_it(made: Path) -> None:
    told = (made / "nominal.txt").read_text()
    assert "18 samples in" in told
    assert "2 shards of the set are missing" in told
    assert "published 0-255 units with an assumed range" in told
    assert "calibrated against products" in (made / "fitted.txt").read_text()


def test_a_store_is_trained_on_where_it_lies_and_the_run_tells_its_units(made: Path) -> None:
    run = Run(made / "run-nominal")
    assert not run.store.exists()
    assert origin(run.networks()[0])["calibrations"] == dict(SampleStore.open(made / "nominal").calibrations)
    notes = json.loads((run.folder / "scorecard.json").read_text())["made_from"]["notes"]
    assert any("elevation" not in note and "published 0-255 units with an assumed range" in note for note in notes)
    assert "published 0-255 units with an assumed range" in model_card(run, run.members(), {})
    judged = pd.read_parquet(run.folder / "predictions" / "network.parquet")
    assert judged["soil_moisture"].between(0, 1).all()


def test_a_map_by_nominal_lines_is_refused(made: Path, vadose: Callable[..., Told], tmp_path: Path) -> None:
    where = ("--area", AREA, "--date", DATE, "--out", tmp_path / "map")
    told = vadose("map", made / "run-nominal", made / "archive", *where)
    refused(told, "sentinel_1_VV (no fit)", "smap_sm (no fit)", "vadose samples fit-units")
    assert "VH" not in told.err, "which the run does not read"
    assert not (tmp_path / "map").exists()


def test_a_map_by_fitted_lines_is_made(made: Path, vadose: Callable[..., Told], tmp_path: Path) -> None:
    where = ("--area", AREA, "--date", DATE, "--out", tmp_path / "map")
    told = vadose("map", made / "run-fitted", made / "archive", *where)
    assert told.status == 0, told.err
    assert list((tmp_path / "map").glob("*.tif"))


def test_a_fit_with_a_large_residual_does_not_serve(made: Path) -> None:
    require_physical(lines(fits(RESIDUAL_STEPS - 0.1)), ["vv", "elevation", "smap"])
    with pytest.raises(VadoseError, match="residual of 5 steps"):
        require_physical(lines(fits(5)), ["vv"])
    require_physical(Run(made / "run-fitted").input_calibrations(), ["vv", "elevation"])
    require_physical({}, ["vv"])


def test_estimates_of_samples_in_other_units_are_refused(
    made: Path, vadose: Callable[..., Told], tmp_path: Path
) -> None:
    out = ("--out", tmp_path / "estimates.parquet")
    refused(vadose("estimate", made / "run-nominal", made / "fitted", *out), "sand, smap, vv", "in other units")
    refused(vadose("estimate", made / "run-fitted", made / "nominal", *out), "in other units")
    assert not list(tmp_path.iterdir())
    assert vadose("estimate", made / "run-nominal", made / "nominal", *out).status == 0
    assert len(pd.read_parquet(tmp_path / "estimates.parquet")) == 18


def test_samples_of_products_need_a_run_by_fitted_lines(
    made: Path, vadose: Callable[..., Told], tmp_path: Path
) -> None:
    physical = tmp_path / "physical"
    copy_as_of_products(made / "fitted", physical)
    out = ("--out", tmp_path / "estimates.parquet")
    refused(vadose("estimate", made / "run-nominal", physical, *out), "no fit", "vadose samples fit-units")
    assert vadose("estimate", made / "run-fitted", physical, *out).status == 0


def copy_as_of_products(store: Path, path: Path) -> None:
    """A store of the same samples that tells nothing of published units."""
    import shutil

    shutil.copytree(store, path)
    told = json.loads((path / "declaration.json").read_text())
    del told["made_from"]["calibrations"]
    (path / "declaration.json").write_text(json.dumps(told))


def test_a_named_store_must_be_what_the_experiment_says(made: Path, tmp_path: Path) -> None:
    experiment = read_experiment(made / "nominal.yaml")
    assert store_of(experiment, tmp_path / "none").path == made / "nominal"
    with pytest.raises(VadoseError, match="Others are given"):
        store_of(experiment, made / "fitted")
    with pytest.raises(VadoseError, match="They are simulated"):
        store_of(experiment.model_copy(update={"simulated": False}), tmp_path / "none")
    with pytest.raises(VadoseError, match="already"):
        build_samples(experiment, tmp_path / "store")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_imported_or_fitted_is_refused(made: Path, vadose: Callable[..., Told], tmp_path: Path) -> None:
    out = ("--out", tmp_path / "made")
    refused(vadose("samples", "import-batchu2022", tmp_path, *out), "tfrecord.gz")
    refused(
        vadose("samples", "import-batchu2022", made / "shards", *out, "--units", made / "nominal.yaml"),
        "cannot be read",
    )
    refused(vadose("samples", "import-batchu2022", made / "shards", *out, "--ismn", tmp_path / "none"), "none")
    told = vadose("samples", "fit-units", made / "shards", made / "archive", *out)
    assert told.status == 2, "one pass of one day, years after the shards"
    assert "vadose" not in told.out
    assert not (tmp_path / "made").exists()


def test_a_line_is_what_it_was_fitted_to() -> None:
    (line,) = [one for name, one in lines(fits()).items() if name == "vv"]
    assert line.values([100])[0] == pytest.approx(10 ** ((100 * 0.1 - 30 + 1e-3) / 10), rel=1e-5)
    assert np.isnan(line.values([0, np.nan])).all()
    assert replace(line, method="assumed").predictor == "vv"
