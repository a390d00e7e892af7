"""From models and inputs to estimates: one road for points and tiles, and what each had to go by."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

import real_archive
from vadose.dataset import Samples, SampleStore, SampleWriter, ScalingStats
from vadose.errors import VadoseError
from vadose.fusion import FeatureCube, HistorySpec, InputSpec, TemporalPolicy, build_features
from vadose.grid import AreaOfInterest, Tile, cell_centres, tile_around
from vadose.inference import UNCALIBRATED, combine, empty_estimate, estimate_points, estimate_tile, mask_flags
from vadose.inference.quality import missing_source_flags, presence
from vadose.mapping.make import timestamp_of
from vadose.mapping.tasks import WorkerContext, estimate_times
from vadose.models import Batch, EncoderShape, Estimate, FusionNetwork, NetworkShape, Product, sources_of
from vadose.registry import (
    PREDICTORS,
    SOURCES,
    Quality,
    source_of,
)
from vadose.sources import open_sources
from vadose.variables import BANDS

PIXELS = ("vv", "vh", "incidence_angle", "B04", "B08", "elevation")
CELLS = ("sand", "clay", "smap", "gldas")
NEEDS = InputSpec(PIXELS, CELLS, HistorySpec(("smap", "gldas"), 6, 1.0), 2)
SHAPE = NetworkShape(EncoderShape(width=8, blocks=(2, 1, 1, 1), max_width=16), 8, 8, 16)
TILE = Tile(32632, 1600, 19200, 3, 2, 2)
NEEDED = tuple(sources_of(NEEDS))
NOON = np.datetime64("2021-06-10T12:00", "ns")


def typical(name: str) -> float:
    low, high = PREDICTORS[name].valid_range
    return 0.1 if name in ("vv", "vh") else min(0.3 * (low + high), 300.0)


def network(needs: InputSpec = NEEDS, seed: int = 0) -> FusionNetwork:
    """A network of fixed, untrained weights whose estimates differ well from cell to cell."""
    names = (*needs.names, "soil_moisture")
    mean = {name: -10.0 if name in ("vv", "vh") else 0.25 for name in names}
    std = {name: 5.0 if name in ("vv", "vh") else 0.1 for name in names}
    for name, centre, width in (("elevation", 250.0, 100.0), ("incidence_angle", 39.0, 5.0)):
        mean[name], std[name] = centre, width
    torch.manual_seed(seed)
    made = FusionNetwork(needs, SHAPE, ScalingStats(mean, std))
    with torch.no_grad():
        made.head.weight *= 60
    return made.eval()


def inputs(missing: tuple[str, ...] = (), tile: Tile = TILE, steps_seen: int = 6) -> FeatureCube:
    """Random inputs of a tile, without those of some sources; of the history only the first steps."""
    rng = np.random.default_rng(7)
    lost = {variable.name for source in missing for variable in SOURCES[source]}

    def layer(name: str, shape: tuple[int, ...]) -> np.ndarray:
        values = (typical(name) * rng.uniform(0.5, 1.5, shape)).astype(np.float32)
        return np.full(shape, np.float32(np.nan)) if name in lost else values

    fine, coarse = tuple(tile.pixels.shape), tuple(tile.cells.shape)
    history = {name: layer(name, (NEEDS.history.steps, *coarse)) for name in NEEDS.history.variables}
    for values in history.values():
        values[steps_seen:] = np.nan
    return FeatureCube(
        tile,
        NOON,
        _dataset({name: layer(name, fine) for name in PIXELS}, ("y", "x")),
        _dataset({name: layer(name, coarse) for name in CELLS}, ("y", "x")),
        _dataset(history, ("step", "y", "x")),
    )


def _dataset(values: dict[str, np.ndarray], dims: tuple[str, ...]) -> xr.Dataset:
    return xr.Dataset({name: (dims, array) for name, array in values.items()})


MOISTURE = InputSpec(cells=("smap",))


@dataclass(frozen=True)
class Fixed:
    """A model that always says the same."""

    mean: float
    std: float
    needs: InputSpec = MOISTURE

    def estimate(self, batch: Batch) -> Estimate:
        shape = (len(batch.cells), *batch.cells.shape[2:])
        return Estimate(np.full(shape, self.mean, np.float32), np.full(shape, self.std, np.float32))


def one_cell() -> Batch:
    return Batch(torch.zeros(1, 0, 0, 0), torch.ones(1, 1, 1, 1), torch.zeros(1, 0, 0, 1, 1))


def test_members_speak_as_one():
    members = [Fixed(0.1, 0.02), Fixed(0.2, 0.04), Fixed(0.4, 0.06)]
    said = combine(members, one_cell())
    means, spreads = np.array([0.1, 0.2, 0.4]), np.array([0.02, 0.04, 0.06])
    second_moment = (spreads**2 + means**2).mean()
    assert said.mean[0, 0, 0] == pytest.approx(means.mean())
    assert said.std[0, 0, 0] == pytest.approx(np.sqrt(second_moment - means.mean() ** 2))
    alone = combine(members[:1], one_cell())
    assert (alone.mean[0, 0, 0], alone.std[0, 0, 0]) == pytest.approx((0.1, 0.02))


def test_members_that_disagree_are_less_sure():
    agreed, torn = (combine([Fixed(0.2, 0.03), Fixed(other, 0.03)], one_cell()) for other in (0.2, 0.3))
    assert agreed.std[0, 0, 0] == pytest.approx(0.03)
    assert torn.std[0, 0, 0] == pytest.approx(np.hypot(0.03, 0.05))


def test_nothing_is_flagged_where_every_source_spoke():
    estimate = estimate_tile([network()], inputs())
    assert (estimate.quality == 0).all()
    assert np.isfinite(estimate.mean).all() and np.isfinite(estimate.std).all()
    assert estimate.mean.shape == estimate.std.shape == (2, 3)
    assert np.ptp(estimate.mean) > 1e-3


@pytest.mark.parametrize("source", NEEDED)
def test_a_source_that_is_missing_is_flagged_and_no_other(source):
    estimate = estimate_tile([network()], inputs(missing=(source,)))
    assert (estimate.quality == int(Quality.missing(source))).all()
    assert np.isfinite(estimate.mean).all()


def test_a_source_that_is_missing_in_one_cell_is_flagged_there_alone():
    given = inputs()
    given.cells["sand"].values[1, 2] = given.cells["clay"].values[1, 2] = np.nan
    for name in ("vv", "vh", "incidence_angle"):
        given.pixels[name].values[64:96, 96:128] = np.nan
    expected = np.zeros((2, 3), int)
    expected[1, 2], expected[0, 1] = Quality.SOILGRIDS_MISSING, Quality.SENTINEL1_MISSING
    assert np.array_equal(estimate_tile([network()], given).quality, expected)


def test_a_source_is_missing_by_the_moment_and_present_by_its_history():
    needs = InputSpec(cells=("smap", "sand"), history=HistorySpec(("smap",), 4, 1.0))
    now, past = torch.tensor([[0.3, 0.4], [np.nan, 0.4]]), torch.tensor([[[np.nan]], [[0.2]]])
    batch = Batch(torch.empty(2, 0, 0, 0), now[..., None, None].float(), past.repeat(1, 4, 1)[..., None, None].float())
    flags, seen = missing_source_flags(batch, needs)[:, 0, 0], presence(batch, needs)
    assert flags.tolist() == [int(Quality.HISTORY_SHORT), int(Quality.SMAP_MISSING)]
    assert seen["smap"].all()
    alone = InputSpec(cells=("sand",), history=needs.history)
    flags = missing_source_flags(Batch(batch.pixels, batch.cells[:, 1:], batch.history), alone)[:, 0, 0]
    assert flags.tolist() == [int(Quality.SMAP_MISSING | Quality.HISTORY_SHORT), 0]


def test_what_is_far_from_all_that_was_learned_is_flagged_in_its_cell_alone():
    given = inputs()
    given.cells["smap"].values[1, 1] = 0.25 + 0.1 * 6.5
    expected = np.zeros((2, 3), int)
    expected[1, 1] = Quality.OUT_OF_DOMAIN
    assert np.array_equal(estimate_tile([network(), network(seed=1)], given).quality, expected)
    given.cells["smap"].values[1, 1] = 0.25 + 0.1 * 5.5
    assert not estimate_tile([network()], given).quality.any()


@pytest.mark.parametrize(("steps", "short"), [(6, False), (3, False), (2, True), (0, True)])
def test_a_history_is_short_when_fewer_than_half_of_its_steps_are_known(steps, short):
    quality = estimate_tile([network()], inputs(steps_seen=steps)).quality
    assert (quality == (Quality.HISTORY_SHORT if short else 0)).all()


def test_without_any_source_there_is_no_estimate():
    estimate = estimate_tile([network()], inputs(missing=NEEDED))
    assert np.isnan(estimate.mean).all() and np.isnan(estimate.std).all()
    assert (estimate.quality == sum(map(Quality.missing, NEEDED)) | Quality.HISTORY_SHORT).all()
    nothing = empty_estimate(TILE, NEEDS)
    assert np.array_equal(nothing.quality, estimate.quality)
    assert np.isnan(nothing.mean).all() and np.isnan(nothing.std).all()


def test_conditions_are_flagged_from_their_shares_on_and_nothing_where_nothing_tells():
    given = inputs()
    shares = {"built_up": [0.24, 0.26, np.nan], "open_water": [0.04, 0.06, np.nan], "frozen": [0.0, 1.0, np.nan]}
    told = FeatureCube(
        TILE, NOON, xr.Dataset(), _dataset({name: np.array([row] * 2) for name, row in shares.items()}, ("y", "x")),
        xr.Dataset(),
    )  # fmt: skip
    flags = mask_flags(told)
    every = int(Quality.URBAN | Quality.WATER | Quality.FROZEN)
    assert flags.tolist() == [[0, every, 0]] * 2
    flagged = estimate_tile([network()], given).flagged(flags)
    assert flagged.quality.tolist() == flags.tolist()
    assert np.array_equal(flagged.mean, estimate_tile([network()], given).mean)


def test_only_what_a_model_needs_can_be_missing():
    assert (empty_estimate(TILE, InputSpec(cells=("sand",))).quality == Quality.SOILGRIDS_MISSING).all()
    estimate = estimate_tile([Product("smap", 0.05)], inputs(missing=("sentinel1", "gldas")))
    assert (estimate.quality == 0).all()
    assert np.allclose(estimate.mean, inputs(missing=("sentinel1", "gldas")).cells["smap"])


def chip(whole: FeatureCube, row: int, column: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a store holds of one cell of a tile."""
    side = (1 + 2 * NEEDS.halo) * 32
    y, x = slice(32 * row, 32 * row + side), slice(32 * column, 32 * column + side)
    pixels = np.stack([whole.pixels[name].values[y, x] for name in NEEDS.pixels])
    cells = np.stack([whole.cells[name].values[row, column] for name in NEEDS.cells])
    history = np.stack([whole.history[name].values[:, row, column] for name in NEEDS.history.variables], axis=1)
    return pixels, cells, history


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("missing", [(), ("sentinel2", "smap")])
def test_points_and_tiles_go_one_road(missing, labelled, tmp_path):
    whole, models = inputs(missing), [network(seed=0), network(seed=1)]
    places = [(row, column) for row in range(2) for column in range(3)]
    pixels, cells, history = (np.stack(parts) for parts in zip(*(chip(whole, *at) for at in places), strict=True))
    index = pd.DataFrame({"network": "SIMULATED", "station": [str(at) for at in places], "sensor": "a"}).assign(
        lat=np.arange(6.0), lon=0.0, time=pd.Timestamp("2021-06-10T12:00")
    )
    if labelled:
        index["soil_moisture_in_situ"] = np.linspace(0.1, 0.3, 6)
    with SampleWriter.open(tmp_path / "store", NEEDS, {}, simulated=True) as writer:
        writer.append(Samples(index, cells, history, pixels))
    tile, told = estimate_tile(models, whole), []
    points = estimate_points(
        models, SampleStore.open(tmp_path / "store"), np.array([5, 0, 3]), 2, lambda *done: told.append(done)
    )
    assert points["station"].tolist() == [str(places[at]) for at in (5, 0, 3)]
    for name, layer in (("soil_moisture", "mean"), ("soil_moisture_std", "std"), ("quality", "quality")):
        expected = getattr(tile, layer).ravel()[[5, 0, 3]]
        assert np.abs(points[name].to_numpy(float) - expected).max() < 1e-4
    columns = [
        "network",
        "station",
        "sensor",
        "lat",
        "lon",
        "time",
        "soil_moisture_in_situ",
        "soil_moisture",
        "soil_moisture_std",
        "quality",
        "absent",
    ]
    assert [name for name in columns if name in points] == list(points)
    assert points["quality"].dtype == np.uint32 and points["soil_moisture"].dtype == np.float32
    known = points.get("soil_moisture_in_situ")
    assert np.allclose(known, np.linspace(0.1, 0.3, 6)[[5, 0, 3]]) if labelled else known is None or known.isna().all()
    assert told == [(2, 3), (3, 3)]


def test_no_samples_are_refused(tmp_path):
    index = pd.DataFrame({"network": ["A"], "station": "a", "sensor": "a", "lat": 0.0, "lon": 0.0})
    index["time"] = pd.Timestamp("2021-01-01")
    with SampleWriter.open(tmp_path / "store", InputSpec(cells=("smap",)), {}) as writer:
        writer.append(Samples(index, np.ones((1, 1), np.float32), np.ones((1, 0, 0), np.float32)))
    with pytest.raises(VadoseError, match="There are none"):
        estimate_points([Fixed(0.1, 0.1)], SampleStore.open(tmp_path / "store"), np.empty(0, np.intp))


@pytest.fixture(scope="module")
def denmark(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    archive = tmp_path_factory.mktemp("denmark") / "archive"
    real_archive.build(real / "scenes" / "denmark", archive)
    return archive


REAL_NEEDS = InputSpec(("vv", "vh", *(band.name for band in BANDS), "elevation"), (), HistorySpec(), 2)
REAL_TIME = np.datetime64("2017-10-31T00:00", "ns")
REAL_AREA = AreaOfInterest.from_bbox(9.815, 57.212, 9.875, 57.242)


def flags_of(needs: InputSpec) -> set[Quality]:
    return {Quality.missing(source_of(name)) for name in needs.names}


def tools(archive: Path, model: FusionNetwork) -> WorkerContext:
    return WorkerContext("real", (model,), open_sources(archive), (), TemporalPolicy(), UNCALIBRATED)


def mosaic_of(archive: Path, model: FusionNetwork, size: int) -> dict[tuple[float, float], tuple[float, float, int]]:
    """Mean, spread and quality of every cell by its centre, estimated in tiles of a size."""
    context, found = tools(archive, model), {}
    for tile in REAL_AREA.tiles(size, REAL_NEEDS.halo):
        (estimate,) = estimate_times(context, tile, (REAL_TIME,)).estimates
        held = REAL_AREA.contains_cells(estimate.tile)
        x, y = np.meshgrid(*(estimate.tile.cells.coords[axis].values for axis in ("x", "y")))
        layers = (layer[held].tolist() for layer in (x, y, estimate.mean, estimate.std, estimate.quality))
        found |= {(east, north): tuple(values) for east, north, *values in zip(*layers, strict=True)}
    return found


def test_real_tilings_agree_in_every_cell(denmark):
    model = network(REAL_NEEDS)
    whole, *others = (mosaic_of(denmark, model, size) for size in (32, 3, 2))
    values = np.array(list(whole.values()))
    seen = np.isfinite(values[:, 0])
    assert seen.sum() == 64, "the scene of 7 x 7 cells does not begin at a cell's corner and touches 8 x 8"
    assert np.array_equal(seen, values[:, 2] != sum(flags_of(REAL_NEEDS)))
    assert np.ptp(values[seen, 0]) > 1e-2
    for tiled in others:
        assert tiled.keys() == whole.keys()
        there = np.array([tiled[cell] for cell in whole])
        assert np.array_equal(np.isfinite(there[:, 0]), seen)
        assert np.nanmax(np.abs(there - values)) < 1e-4


def test_a_chip_and_a_tile_of_real_ground_agree(denmark):
    model, sources = network(REAL_NEEDS), open_sources(denmark)
    tile = max(REAL_AREA.tiles(32, REAL_NEEDS.halo), key=lambda one: one.rows * one.columns)
    whole = estimate_tile([model], build_features(sources, tile, REAL_TIME, REAL_NEEDS))
    lon, lat = cell_centres(tile)
    seen = np.argwhere(np.isfinite(whole.mean))
    for row, column in (seen[0], seen[len(seen) // 2], seen[-1], (0, 0)):
        around = tile_around(lon[row, column], lat[row, column], REAL_NEEDS.halo)
        alone = estimate_tile([model], build_features(sources, around, REAL_TIME, REAL_NEEDS))
        assert alone.mean[0, 0] == pytest.approx(whole.mean[row, column], abs=1e-4, nan_ok=True)
        assert alone.quality[0, 0] == whole.quality[row, column]


def test_ground_that_no_source_covers_is_blank_beside_ground_that_one_covers(denmark):
    far = AreaOfInterest.from_bbox(12.0, 57.22, 12.02, 57.23).tiles(4, REAL_NEEDS.halo)
    near = REAL_AREA.tiles(4, REAL_NEEDS.halo)
    nowhere, there = (
        estimate_times(tools(denmark, network(REAL_NEEDS)), tile, (REAL_TIME,)) for tile in (far[0], near[0])
    )
    assert np.isnan(nowhere.estimates[0].mean).all() and nowhere.items == ((),)
    assert (nowhere.estimates[0].quality & Quality.SENTINEL1_MISSING).all()
    assert np.isnan(nowhere.estimates[0].ages["sentinel1"]).all()
    assert there.items[0]


@pytest.mark.parametrize("date", ["", " ", "2021", "2021-06", "NaT", "10 June 2021"])
def test_a_date_without_its_day_is_refused(date):
    with pytest.raises(VadoseError) as refused:
        timestamp_of(date)
    assert f"'{date}'" in refused.value.context and "with a day" in refused.value.problem
    assert "2021-06-10" in refused.value.hint


def test_a_day_means_its_last_moment():
    assert timestamp_of("2021-06-10") == np.datetime64("2021-06-10T23:59:59")
    assert timestamp_of("2021-06-10T18:00") == np.datetime64("2021-06-10T18:00")
