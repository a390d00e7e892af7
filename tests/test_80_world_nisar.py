"""Simulated NISAR SME2: its structure, flags and errors, read back by the source."""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from vadose.grid import AreaOfInterest, Period, from_lonlat
from vadose.simulation import nisar
from vadose.simulation.config import REGIONS, WorldConfig
from vadose.simulation.make import _products
from vadose.simulation.points import SimulationPoints
from vadose.simulation.simulator import RegionSimulator
from vadose.sources.nisar import Nisar

PERIOD = "2021-06-01/2021-09-01"
CONFIG = WorldConfig(
    regions=[one.model_copy(update={"side_cells": 10}) for one in REGIONS if one.name in ("STEPPE", "TAIGA")],
    period=PERIOD,
    nisar_days=12,
)
GRIDS = "science/LSAR/SME2/grids"


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    nisar.write_granules([RegionSimulator.random(CONFIG, number) for number in range(2)], folder, CONFIG)
    return folder


def layers(archive: Path, number: int, **how):
    area = AreaOfInterest.from_tile(RegionSimulator.random(CONFIG, number).tile)
    (dataset,) = Nisar(archive, **how).open(area, Period.parse(PERIOD))
    return dataset["nisar"].sortby("time").load()


def test_a_world_has_it_only_where_it_is_asked_for():
    assert "NISAR" not in _products(WorldConfig()) and "NISAR" in _products(CONFIG)
    assert "nisar_days" not in WorldConfig().model_dump(mode="json"), "worlds of before are the same worlds"


def test_a_granule_is_built_as_the_public_dump_of_a_real_one(archive):
    path = min((archive / "nisar").glob("*.h5"))
    assert path.name.startswith("NISAR_L3_PR_SME2_001_") and path.stem.endswith("_P05023_N_F_J_001")
    with h5py.File(path) as file:
        grids, stated = file[GRIDS], file["science/LSAR/identification"]
        assert stated["granuleId"][()].decode() == path.stem and stated["productType"][()] == b"SME2"
        shape = grids["yCoordinates"].size, grids["xCoordinates"].size
        for group in (grids, *(grids[f"algorithmCandidates/{name}"] for name in ("DSG", "PMI", "TSR"))):
            moisture, flag = group["soilMoisture"], group["retrievalQualityFlag"]
            assert moisture.shape == flag.shape == shape
            assert (moisture.dtype, flag.dtype) == (np.float32, np.int16)
            assert moisture.attrs["_FillValue"] == -9999 and moisture.attrs["units"] == b"meter^3/meter^3"
            assert moisture.dims[0][0] == group["yCoordinates"] and moisture.dims[1][0] == group["xCoordinates"]
            assert int(group["projection"][()]) == 6933 == group["projection"].attrs["epsg_code"]
        assert np.allclose(np.diff(grids["xCoordinates"]), 200.179, atol=1e-3)
        assert np.allclose(np.diff(grids["yCoordinates"]), -200.179, atol=1e-3)


def test_it_passes_twice_in_a_cycle(archive):
    times = pd.DatetimeIndex(layers(archive, 0)["time"].values)
    assert len(times) == 2 * round(92 / 12)
    solar = (times.hour + times.minute / 60 + REGIONS[2].lon / 15) % 24
    assert set(np.round(solar).astype(int)) == {6, 18}


def truth(number: int, values):
    region = RegionSimulator.random(CONFIG, number)
    lon, lat = (np.asarray(a) for a in _lonlat(values))
    east, north = from_lonlat(region.tile.epsg).transform(lon, lat)
    seen = region.simulated(SimulationPoints.points(np.ravel(east), np.ravel(north)))
    liquid = seen.series(pd.DatetimeIndex(values["time"].values), "liquid")
    return liquid.reshape(values.shape)


def _lonlat(values):
    from pyproj import Transformer

    x, y = np.meshgrid(values["x"].values, values["y"].values)
    return Transformer.from_crs(6933, 4326, always_xy=True).transform(x, y)


def test_recommended_retrievals_meet_the_goal_and_candidates_are_worse(archive):
    errors = {}
    for retrieval in ("combined", "DSG", "TSR", "PMI"):
        values = layers(archive, 0, retrieval=retrieval)
        difference = (values - truth(0, values)).values
        errors[retrieval] = float(np.sqrt(np.nanmean((difference - np.nanmean(difference, axis=0)) ** 2)))
    assert 0.02 < errors["combined"] < 0.06, "the mission's goal"
    assert errors["combined"] < errors["DSG"] < errors["PMI"]


def test_dense_plants_are_retrieved_but_not_recommended(archive):
    every, good = layers(archive, 1, quality="retrieved"), layers(archive, 1)
    assert np.isfinite(every.values).mean() > np.isfinite(good.values).mean()
    there = np.isfinite(good)
    assert there.any() and (every.where(there) == good).where(there, True).all()


def test_the_same_configuration_gives_the_same_bytes(archive, tmp_path):
    nisar.write_granules([RegionSimulator.random(CONFIG, 0)], tmp_path, CONFIG)
    for again in (tmp_path / "nisar").glob("*.h5"):
        with h5py.File(again) as one, h5py.File(archive / "nisar" / again.name) as other:
            for name in ("soilMoisture", "algorithmCandidates/TSR/soilMoisture", "retrievalQualityFlag"):
                assert np.array_equal(one[f"{GRIDS}/{name}"], other[f"{GRIDS}/{name}"])
