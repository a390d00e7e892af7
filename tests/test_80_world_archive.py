"""The simulated archive is what plain readers of the products expect, and is the same for the same seed."""

import hashlib
import json
import shutil
from itertools import count
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
import rasterio.warp
import rioxarray  # noqa: F401  (gives datasets their `.rio`)
import xarray as xr
from pydantic import ValidationError

import vadose.simulation.region
from vadose.errors import VadoseError
from vadose.simulation import WorldConfig, make
from vadose.simulation.ground_maps import write_soils
from vadose.simulation.points import SimulationPoints
from vadose.simulation.simulator import BLOCK_CELLS, RegionSimulator

CONFIG = WorldConfig.preset("tiny").model_copy(
    update={
        "regions": WorldConfig.preset("tiny").regions[:2],
        "period": "2022-01-20/2022-01-28",
        "sentinel2_revisit_days": 4,
    }
)
"""With scenes of Sentinel-2 of both baselines, before and after 25 January 2022."""
SMALL_BLOCKS = 8
"""Cells a side, so that a small region has several blocks."""


def of_several_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("simulator", "region", "truth"):
        monkeypatch.setattr(f"vadose.simulation.{module}.BLOCK_CELLS", SMALL_BLOCKS)


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("simulated") / "world"
    make(CONFIG, folder)
    return folder


def bytes_of(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def items(archive: Path, collection: str) -> list[pystac.Item]:
    return [pystac.Item.from_file(str(path)) for path in sorted((archive / collection).rglob("*.json"))]


def test_the_seed_decides_every_byte_however_many_work_on_it(archive, tmp_path):
    make(CONFIG, tmp_path / "again", workers=2)
    assert bytes_of(tmp_path / "again") == bytes_of(archive)
    make(CONFIG.model_copy(update={"seed": 1, "regions": CONFIG.regions[:1]}), tmp_path / "other")
    here, there = bytes_of(archive), bytes_of(tmp_path / "other")
    assert any(here[name] != there[name] for name in there if name.startswith("truth") and name in here)


def test_a_region_of_several_blocks_is_that_of_one(tmp_path, monkeypatch):
    region = CONFIG.regions[0].model_copy(update={"sensors": 1})
    config = CONFIG.model_copy(update={"regions": (region,), "period": "2022-01-20/2022-01-24"})
    make(config, tmp_path / "one")
    of_several_blocks(monkeypatch)
    make(config, tmp_path / "four")
    assert SMALL_BLOCKS < region.side_cells <= BLOCK_CELLS
    truths = [
        xr.open_zarr(tmp_path / of / "truth" / f"{region.name}.zarr", group="pixels", consolidated=False)
        for of in ("four", "one")
    ]
    moisture = [truth["soil_moisture"].values for truth in truths]
    assert moisture[0].shape[1:] == (80, 80)
    np.testing.assert_allclose(*moisture, atol=1.1e-5)
    (look,) = {path.parent.name for path in (tmp_path / "one" / "sentinel-2-l2a").rglob("*.json")}
    bands = []
    for of in ("four", "one"):
        with rasterio.open(tmp_path / of / "sentinel-2-l2a" / look / "R10m" / "B04_10m.tif") as raster:
            assert raster.shape == (320, 320)
            bands.append(raster.read(1).astype(float))
    assert np.abs(bands[0] - bands[1]).mean() < 40  # the noise of a pixel is 20, and each block's own
    assert (bands[0] > 0).all()


def test_a_broken_off_world_goes_on_and_ends_the_same(archive, tmp_path):
    class Stop(Exception):
        pass

    def stop(done: int, total: int, what: str) -> None:
        if done == 4:
            raise Stop

    with pytest.raises(Stop):
        make(CONFIG, tmp_path / "w", stop)
    kept = next((tmp_path / "w" / "truth").iterdir())
    stamp = kept.stat().st_mtime_ns
    make(CONFIG, tmp_path / "w")
    assert kept.stat().st_mtime_ns == stamp
    assert bytes_of(tmp_path / "w") == bytes_of(archive)


PLACES = ("begin_truth", "write_block", "write_land_cover", "_write_sensors")
"""Of a region's work, after which it is broken off."""


def test_a_region_that_was_broken_off_anywhere_is_made_anew_to_the_same_bytes(tmp_path, monkeypatch):
    """Of several blocks, so that pictures, elevation and cover are painted into files that are there already."""
    region = CONFIG.regions[0].model_copy(update={"sensors": 1})
    config = CONFIG.model_copy(update={"regions": (region,), "period": "2022-01-20/2022-01-24"})
    of_several_blocks(monkeypatch)
    make(config, tmp_path / "whole")
    for name in PLACES:
        original, calls = getattr(vadose.simulation.region, name), count(1)
        last = 2 if name == "write_block" else 1

        def broken(*arguments, original=original, calls=calls, last=last):
            original(*arguments)
            if next(calls) == last:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(vadose.simulation.region, name, broken)
            make(config, tmp_path / "broken")
    assert bytes_of(tmp_path / "broken") != bytes_of(tmp_path / "whole")
    make(config, tmp_path / "broken")
    assert bytes_of(tmp_path / "broken") == bytes_of(tmp_path / "whole")


def test_a_world_is_not_written_through_links(archive, tmp_path):
    shutil.copytree(archive, tmp_path / "world")
    told = json.loads((tmp_path / "world" / "world.json").read_text())
    (tmp_path / "world" / "world.json").write_text(json.dumps(told | {"complete": False, "finished": []}))
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "world" / "README.txt").unlink()
    (tmp_path / "world" / "README.txt").symlink_to(tmp_path / "victim")
    with pytest.raises(VadoseError, match=r"README.txt in it is a link"):
        make(CONFIG, tmp_path / "world")
    assert (tmp_path / "victim").read_text() == "precious"


def test_another_folder_is_refused_untouched(archive, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(VadoseError) as refusal:
        make(CONFIG, tmp_path)
    assert "something else" in refusal.value.problem
    assert "empty" in refusal.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(VadoseError, match="another configuration or seed"):
        make(CONFIG.model_copy(update={"seed": 5}), archive)


def test_configurations_are_closed():
    with pytest.raises(ValidationError, match="wind"):
        WorldConfig.model_validate({"wind": 3})
    with pytest.raises(ValidationError, match="closer than"):
        WorldConfig(regions=(CONFIG.regions[0], CONFIG.regions[0]))
    with pytest.raises(VadoseError, match="tiny, small"):
        WorldConfig.preset("huge")


def test_truth_lies_on_the_cells(archive):
    store = archive / "truth" / f"{CONFIG.regions[0].name}.zarr"
    with xr.open_zarr(store, group="cells", consolidated=False, decode_coords="all") as truth:
        cells = CONFIG.ground(CONFIG.regions[0]).cells
        moisture = truth["soil_moisture"]
        assert moisture.dims == ("time", "y", "x")
        assert moisture.attrs["units"] == "m3 m-3"
        assert truth.rio.crs.to_epsg() == cells.crs.to_epsg()
        assert truth.rio.transform() == cells.affine
        assert np.all((truth["x"] - 160) % 320 == 0)
        assert np.all((truth["y"] - 160) % 320 == 0)
        assert 0 < float(moisture.min()) < float(moisture.max()) < 0.6
        assert "SIMULATED" in truth.attrs["comment"]
        with xr.open_zarr(store, group="pixels", consolidated=False) as fine:
            noon = fine["soil_moisture"].sel(time=moisture["time"][3]).values
            blocks = noon.reshape(10, 8, 10, 8)
            np.testing.assert_allclose(np.nanmean(blocks, axis=(1, 3)), moisture[3], atol=2e-5)
            assert np.nanstd(blocks, axis=(1, 3)).mean() > 0.003
            assert fine["land_cover"].attrs["flag_meanings"].split()[0] == "crops"


@pytest.mark.parametrize("collection", ["sentinel-1-rtc", "sentinel-2-l2a", "nasadem", "esa-worldcover"])
def test_items_say_where_their_rasters_lie(archive, collection):
    found = items(archive, collection)
    assert found
    for item in found:
        assert item.properties["vadose:simulated"] is True
        rasters = {name: asset for name, asset in item.assets.items() if "tiff" in asset.media_type}
        for asset in rasters.values():
            assert not Path(asset.href).is_absolute()
            with rasterio.open(asset.get_absolute_href()) as raster:
                fields = {**item.properties, **asset.extra_fields}
                assert f"EPSG:{raster.crs.to_epsg()}" == fields["proj:code"]  # pystac migrates proj:epsg
                assert list(raster.shape) == fields["proj:shape"]
                assert list(raster.transform)[:6] == pytest.approx(fields["proj:transform"][:6])
                assert "SIMULATED" in raster.tags()["NOTICE"]


def test_items_have_the_fields_of_real_ones(archive, real):
    for collection in ("sentinel-1-rtc", "sentinel-2-l2a", "nasadem"):
        actual = [json.loads(p.read_text()) for p in (real / "stac_items" / "pc" / collection).glob("*.json")]
        known = set().union(*(item["properties"] for item in actual)) | {"vadose:simulated"}
        written = json.loads(next((archive / collection).rglob("*.json")).read_text())
        assert set(written["properties"]) <= known


def test_both_baselines_tell_the_same_reflectance(archive):
    for item in items(archive, "sentinel-2-l2a"):
        offset = 1000 if item.properties["s2:processing_baseline"] >= "04.00" else 0
        assert (offset == 1000) == (item.datetime.date().isoformat() >= "2022-01-25")
        with rasterio.open(item.assets["B04"].get_absolute_href()) as raster:
            reflectance = (raster.read(1).astype(float) - offset) / 10_000
        assert 0 < np.quantile(reflectance, 0.02) < np.quantile(reflectance, 0.98) < 0.9
    assert {item.properties["s2:processing_baseline"] for item in items(archive, "sentinel-2-l2a")} == {
        "03.01",
        "04.00",
    }


def test_soil_maps_open_plainly(archive):
    with rasterio.open(archive / "soilgrids" / "clay_0-5cm_mean.tif") as soil:
        assert soil.nodata == -32768
        assert "Goode" in soil.crs.to_wkt()


def test_a_soil_map_errs_no_more_than_it_should(tmp_path):
    errors = {"sand": [], "clay": []}
    for seed in range(6):
        simulator = RegionSimulator.random(WorldConfig.preset("tiny").model_copy(update={"seed": seed}), 1)
        write_soils([simulator], tmp_path / str(seed))
        terrain = simulator.terrain.at(SimulationPoints.block(simulator.tile).where)
        for name, found in errors.items():
            with rasterio.open(tmp_path / str(seed) / "soilgrids" / f"{name}_0-5cm_mean.tif") as soil:
                zone, box = f"EPSG:{simulator.tile.epsg}", simulator.tile.cells.boundingbox.bbox
                window = soil.window(*rasterio.warp.transform_bounds(zone, soil.crs, *box))
                drawn = soil.read(1, window=window, masked=True).compressed() / 1000
            assert drawn.size > 100
            found.append(np.log(drawn.mean() / getattr(terrain, name).mean()))
    for name, found in errors.items():
        assert 0.02 < np.std(found) < 0.6, name
        assert abs(np.mean(found)) < 0.35, name


def test_the_land_cover_map_shows_the_cover_of_the_truth(archive):
    numbers = {"crops": 40, "grass": 30, "forest": 10, "bare": 60, "urban": 50, "water": 80}
    (item, *others) = items(archive, "esa-worldcover")
    assert len(others) == 1 and item.properties["vadose:simulated"]
    region = next(one for one in CONFIG.regions if item.id.endswith(one.name))
    with rasterio.open(item.assets["map"].get_absolute_href()) as raster:
        assert (raster.crs.to_epsg(), raster.dtypes, raster.nodata) == (4326, ("uint8",), 0)
        assert raster.res == pytest.approx((1 / 12_000, 1 / 12_000))
        store = archive / "truth" / f"{region.name}.zarr"
        truth = xr.open_zarr(store, group="pixels", consolidated=False, decode_coords="all")
        cover = truth["land_cover"]
        rows, columns = np.random.default_rng(0).integers(0, cover.shape[0], (2, 300))
        lon, lat = rasterio.warp.transform(
            truth.rio.crs, 4326, cover["x"].values[columns], cover["y"].values[rows]
        )  # the centres of pixels of 40 m
        shown = [int(value[0]) for value in raster.sample(zip(lon, lat, strict=True))]
        edge = raster.read(1)[:3]
    meanings = cover.attrs["flag_meanings"].split()
    assert shown == [numbers[meanings[int(cover.values[at])]] for at in zip(rows, columns, strict=True)]
    assert not edge.any(), "beyond the region nothing is known"
