"""The models that come with vadose: named, described, small, of use with another SMAP product on another continent."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import vadose
from vadose.api.samples import import_table
from vadose.evaluation import per_sensor
from vadose.experiment.located import RELEASED, released_names
from vadose.experiment.run import Run
from vadose.grid import distances_km
from vadose.inference.held_out import LEARNED_FROM
from vadose.studies.demo import MODEL, WORLDS
from vadose.training import origin

SMALLEST = 20


def test_there_is_a_released_model():
    assert "conus-10day" in released_names()
    assert released_names() == tuple(vadose.released_models()["name"])


@pytest.mark.parametrize("name", released_names())
def test_a_released_model_is_small_described_and_without_readings(name):
    files = [path for path in (RELEASED / name).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 8e6
    assert {path.suffix for path in files} == {".json", ".parquet", ".md", ".safetensors"}
    tables = [pd.read_parquet(path) for path in files if path.suffix == ".parquet"]
    assert not any("soil_moisture" in column for table in tables for column in table)
    model = vadose.load_model(name)
    for heading in ("## Model", "## Inputs and outputs", "## Data", "## Scores", "## Limits", "## Licence"):
        assert heading in model.card
    listed = vadose.released_models().set_index("name").loc[name]
    assert 0 < listed["r"] < 1 and 0 < listed["ubrmse"] < listed["rmse"] and listed["places"] >= 10
    assert not any(b'"/' in path.read_bytes() for path in files if path.suffix == ".json"), "no path of a machine"


def test_no_released_model_reads_what_does_not_hold_on_other_continents():
    for name in released_names():
        if vadose.load_model(name).experiment.simulated:
            continue
        spec = vadose.load_model(name).inputs.features
        assert spec.own_record.variables, "soil moisture products enter relative to the place's own record"
        assert not {"latitude", "longitude"} & spec.names
        assert not vadose.load_model(name).experiment.network.season


@pytest.fixture(scope="module")
def oznet(real: Path, tmp_path_factory: pytest.TempPathFactory):
    """18 sensors of another continent, with another SMAP product: no radar, no reflectance, no soil map."""
    folder = tmp_path_factory.mktemp("oznet")
    columns = {"network": {"value": "OZNET"}, "time": {"column": "window_end_utc"}}
    columns |= {name: {"column": name} for name in ("station", "lat", "lon")} | {"label": {"column": "sm_m3m3"}}
    columns["label"]["optional"] = True
    columns["predictors"] = {
        "elevation": {"column": "elevation_m"},
        "smap": {"column": "smap_l3_36km_m3m3", "optional": True, "product": "SPL3SMP"},
    }
    columns["history"] = {"steps": 36, "step_days": 10, "sparse_m": 160, "variables": ["smap"]}
    (folder / "columns.yaml").write_text(yaml.safe_dump(columns))
    table = real / "points" / "australia_oznet_smap_era5_3day.csv.gz"
    return import_table(table, folder / "columns.yaml", folder / "store")


def test_another_smap_product_on_another_continent_is_read(oznet):
    table = vadose.load_model("conus-10day").predict(oznet)
    smap = oznet.cells(("smap",), oznet.rows)[:, 0]
    known = (
        np.isfinite(table["soil_moisture"])
        & np.isfinite(smap)
        & ((table["absent"] & int(vadose.Quality.missing("smap"))) == 0)
    )
    ours = per_sensor(table[known].reset_index(drop=True), SMALLEST)
    raw = per_sensor(table.assign(soil_moisture=smap)[known].reset_index(drop=True), SMALLEST)
    assert len(ours) >= 15 and not table["seen_in_training"].any()
    assert ours["ubrmse"].mean() < raw["ubrmse"].mean() - 0.005
    assert ours["r"].mean() > raw["r"].mean() - 0.02
    assert abs(ours["bias"].mean()) < 0.12, "the level does not travel: the card says so"


def test_the_world_of_the_demonstration_has_no_place_of_its_model():
    learned = pd.concat([pd.DataFrame(origin(path)[LEARNED_FROM]) for path in Run(Path(MODEL)).networks()])
    assert len(learned["network"].unique()) > 90
    for world in WORLDS.values():
        places = np.array([(region.lat, region.lon) for region in world.regions])
        assert distances_km(places, learned[["lat", "lon"]].to_numpy()).min() > 100
        assert not set(learned["network"]) & {f"SIM-{region.name}" for region in world.regions}
