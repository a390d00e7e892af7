"""Samples of a simulated Earth whose labels are its truth: the cells of maps, and resumed like other samples."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

import vadose
from vadose.errors import VadoseError
from vadose.experiment import read_experiment
from vadose.fusion import build_features
from vadose.grid import cell_centres, from_lonlat
from vadose.simulation import made
from vadose.sources import open_sources
from vadose.studies.truth import truth_of
from vadose.studies.truth_samples import build_truth_samples, chosen, stratified

EXPERIMENT = {
    "name": "truth",
    "simulated": True,
    "samples": {"archive": "world", "period": "2021-12-01/2022-03-15", "max_samples_per_sensor": 2},
    "needs": {
        "cells": ["vv", "B04", "elevation", "sand", "smap"],
        "history": {"variables": ["smap", "vv"], "steps": 4, "step_days": 5},
    },
    "split": {"grouping": {"by": "network"}, "folds": 2},
}


def quiet(*_: object) -> None:
    pass


def experiment_in(folder: Path, world: Path, **changes: object):
    (folder / "world").symlink_to(world)
    (folder / "truth.yaml").write_text(yaml.safe_dump(EXPERIMENT | changes))
    return read_experiment(folder / "truth.yaml")


@pytest.fixture(scope="module")
def built(tiny_world: Path, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("truth")
    experiment = experiment_in(folder, tiny_world)
    return experiment, vadose.build_truth_samples(experiment, folder / "store", side=2)


def test_every_region_has_its_cells_at_its_passes(built, tiny_world):
    _, store = built
    world, index = made(tiny_world), store.index
    assert store.simulated
    each = index.groupby("network").agg(cells=("station", "nunique"), times=("time", "nunique"), rows=("time", "size"))
    assert set(each.index) == {f"SIM-{region.name}" for region in world.regions}
    assert (each["cells"] == 4).all() and (each["times"] == 2).all() and (each["rows"] == 8).all()
    assert len(index) == 8 * len(world.regions)


def test_labels_are_the_truth_of_the_cell(built, tiny_world):
    _, store = built
    region = made(tiny_world).regions[0]
    own = store.index[store.index["network"] == f"SIM-{region.name}"]
    truth = truth_of(tiny_world, region)
    for row in own.itertuples():
        x, y = from_lonlat(made(tiny_world).ground(region).epsg).transform(row.lon, row.lat)
        at = truth.sel(time=row.time, method="nearest").sel(x=x, y=y, method="nearest")
        assert row.soil_moisture_in_situ == pytest.approx(float(at), abs=1e-6)
        assert abs(float(at["x"]) - x) < 1 and abs(float(at["y"]) - y) < 1


def test_features_are_those_of_a_map(built, tiny_world):
    experiment, store = built
    region = made(tiny_world).regions[-1]
    tile = made(tiny_world).ground(region).with_halo(0)
    rows = np.flatnonzero(store.index["network"] == f"SIM-{region.name}")
    time = store.index["time"].iloc[rows[-1]].to_datetime64()
    found = build_features(open_sources(tiny_world), tile, time, replace(experiment.store_needs, halo=0))
    lon, lat = cell_centres(tile)
    names = ("vv", "B04", "sand", "smap")
    for row in rows[-4:]:
        y, x = np.unravel_index(
            np.hypot(lon - store.index["lon"].iloc[row], lat - store.index["lat"].iloc[row]).argmin(), lon.shape
        )
        expected = [float(found.cells[name].values[y, x]) for name in names]
        np.testing.assert_allclose(store.cells(names, np.array([row]))[0], expected, rtol=1e-6, equal_nan=True)
        past = store.history(experiment.needs.history, np.array([row]))[0]
        steps = np.stack([found.history[name].values[:, y, x] for name in ("smap", "vv")], axis=1)
        np.testing.assert_allclose(past, steps, rtol=1e-6, equal_nan=True)


def test_an_interrupted_build_resumes_with_the_same_store(built, tmp_path, tiny_world):
    class Stop(Exception):
        pass

    def stop(*_: object) -> None:
        raise Stop

    experiment = experiment_in(tmp_path, tiny_world)
    with pytest.raises(Stop):
        build_truth_samples(experiment, tmp_path / "store", 2, stop)
    assert (tmp_path / "store.building").is_dir()
    done: list[int] = []
    build_truth_samples(experiment, tmp_path / "store", 2, lambda number, *_: done.append(number))
    assert done[0] == 2, "the first region is not built again"
    again, store = vadose.open_samples(tmp_path / "store"), built[1]
    assert again.index.equals(store.index)
    names = ("vv", "B04", "smap")
    np.testing.assert_array_equal(again.cells(names, again.rows), store.cells(names, store.rows))


def test_without_a_history_there_are_cells_alone(tmp_path, tiny_world, built):
    needs = {"cells": ["vv", "elevation"]}
    store = vadose.build_truth_samples(experiment_in(tmp_path, tiny_world, needs=needs), tmp_path / "store", side=2)
    assert not store.holds.history.variables
    np.testing.assert_array_equal(store.cells(("vv",), store.rows), built[1].cells(("vv",), built[1].rows))


def test_samples_of_no_simulated_earth_are_refused(tmp_path, tiny_world):
    with pytest.raises(VadoseError, match="no simulated Earth"):
        build_truth_samples(experiment_in(tmp_path, tiny_world, simulated=False), tmp_path / "store", 2, quiet)


@pytest.mark.parametrize(("count", "side"), [(12, 6), (12, 1), (3, 6), (1, 1), (7, 7), (40, 8)])
def test_cells_are_evenly_spaced_within(count, side):
    places = chosen(count, side)
    assert len(places) == min(count, side) and places.min() >= 0 and places.max() < count
    if count > side + 1:
        assert places.min() > 0 and places.max() < count - 1 and np.ptp(np.diff(places)) <= 1 if side > 1 else True


@pytest.mark.parametrize(("count", "most"), [(45, 12), (46, 16), (10, 10), (7, 12), (1, 3)])
def test_times_are_drawn_from_all_parts_of_the_period_and_from_both_orbits(count: int, most: int):
    times = np.datetime64("2021-10-01", "ns") + np.arange(count) * np.timedelta64(6, "D")
    found = stratified(times, most)
    assert len(found) == min(count, most) and (np.diff(found) > np.timedelta64(0)).all()
    number = ((found - times[0]) / np.timedelta64(6, "D")).astype(int)
    assert number[0] <= count / len(found) and number[-1] >= count - count / len(found) - 1
    assert count < 3 or set(number % 2) == {0, 1}
