"""Units of published numbers found again where they overlap products of a simulated world."""

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from published_writer import example, framed
from vadose.batchu2022 import IMAGES, shards, units
from vadose.batchu2022.calibration import ASSUMED_RANGES, FEATURE_OF, PIXELS, units_of
from vadose.batchu2022.calibration_pairs import pairs_of
from vadose.batchu2022.crop import pixel_in_cell
from vadose.errors import VadoseError
from vadose.fusion import InputSpec, TemporalPolicy, build_features
from vadose.grid import AreaOfInterest, Period, tile_around
from vadose.registry import PREDICTORS
from vadose.sources import Source, open_sources

LINES = {
    **{"vv": (0.11, -28.0), "vh": (0.13, -36.0), "incidence_angle": (0.08, 29.0)},
    **dict.fromkeys(("B02", "B03", "B04", "B08", "B11", "B12"), (0.0024, -0.01)),
    **dict.fromkeys(("sand", "silt", "clay"), (0.0035, 0.02)),
    "bulk_density": (7.5, 150.0),
    **dict.fromkeys(("smap", "gldas"), (0.0022, 0.01)),
}
"""The lines by which the shards of this test are published."""
NAME = "sim-00000-of-00002.tfrecord.gz"


@dataclass(frozen=True)
class Published:
    """A simulated world and shards of its products."""

    archive: Path
    folder: Path
    sensors: int


def numbers_of(name: str, values: np.ndarray) -> np.ndarray:
    """Values as they are published: whole numbers of 1 to 255, and 0 for missing."""
    scale, offset = LINES[name]
    with np.errstate(divide="ignore", invalid="ignore"):
        level = 10 * np.log10(values) if PREDICTORS[name].decibel else values
    numbers = np.clip(np.round((level - offset) / scale), 1, 255)
    return np.where(np.isfinite(level), numbers, 0).astype(np.int64)


def nearest(source: Source, lon: float, lat: float, time: np.datetime64) -> tuple[np.datetime64, TemporalPolicy]:
    """Just after the pass that is nearest to a moment, and a window that holds no other."""
    days = Period(time - np.timedelta64(30, "D"), time + np.timedelta64(30, "D"))
    held = source.open(AreaOfInterest.from_tile(tile_around(lon, lat, 8)), days)
    times = [one for dataset in held if "time" in dataset.dims for one in dataset["time"].values]
    if not times:
        return time, TemporalPolicy()
    return min(times, key=lambda one: abs(one - time)) + np.timedelta64(9, "m"), TemporalPolicy({source.name: 0.02})


def images_of(sources: tuple[Source, ...], lon: float, lat: float, time: np.datetime64) -> dict[str, object]:
    """Published images and numbers of a place, centred on it, each of the pass that is nearest to a moment."""
    tile = tile_around(lon, lat, 8)
    row, column = pixel_in_cell(lon, lat)
    found: dict[str, object] = {}
    for name in PIXELS:
        (source,) = (one for one in sources if name in {variable.name for variable in one.variables})
        when, of_one_pass = nearest(source, lon, lat, time)
        pixels = build_features([source], tile, when, InputSpec(pixels=(name,), halo=8), of_one_pass).pixels
        values = pixels[name].values[row : row + 512, column : column + 512]
        feature = FEATURE_OF[name]
        found[feature] = np.nan_to_num(values).astype(np.int64) if name == "elevation" else numbers_of(name, values)
    coarse = [name for name in ASSUMED_RANGES if name not in PIXELS]
    wide = tile_around(lon, lat, 0)
    wide = type(wide)(wide.epsg, wide.west - 8, wide.north + 8, 17, 17)
    for name in coarse:
        feature = FEATURE_OF[name]
        (source,) = (one for one in sources if name in {variable.name for variable in one.variables})
        when, of_one_pass = nearest(source, lon, lat, time)
        cells = build_features([source], wide, when, InputSpec(cells=(name,)), of_one_pass).cells
        numbers = numbers_of(name, cells[name].values)
        fine = np.kron(numbers, np.ones((32, 32), np.int64))[row : row + 512, column : column + 512]
        found[feature] = fine if feature in IMAGES else int(numbers[8, 8])
    return found


@pytest.fixture(scope="module")
def published(tiny_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Published:
    folder = tmp_path_factory.mktemp("overlap")
    (folder / "world").symlink_to(tiny_world)
    return write_published(folder)


def write_published(folder: Path, most: int = 3, per_sensor: int = 1) -> Published:
    """Shards of a world in a folder: the first sensors of its archive, labelled as simulated."""
    from vadose.insitu import Ismn

    sources = open_sources(folder / "world")
    sensors = Ismn(next(iter(sorted((folder / "world").glob("ismn*"))))).sensors(deepest_m=0.05)
    places = {(float(np.float32(one.lon)), float(np.float32(one.lat))): one for one in sensors}  # as they are published
    records = []
    for (lon, lat), sensor in list(places.items())[:: max(len(places) // most, 1)][:most]:
        area = AreaOfInterest.from_tile(tile_around(lon, lat, 0))
        radar = next(source for source in sources if source.name == "sentinel1")
        found = radar.open(area, Period.parse("2021-12-01/2022-03-15"))
        times = sorted({time for dataset in found for time in dataset["time"].values})[2 :: max(len(found) // 12, 1)]
        for number, time in enumerate(times[:per_sensor]):
            moment = time.astype("datetime64[ns]") + np.timedelta64(20, "m")
            told = {
                "sensor_id": f"{sensor.network}__{sensor.station}__{sensor.instrument}",
                "timestamp": float(moment.astype("datetime64[ms]").astype(np.int64)),
                "center_lat": lat,
                "center_long": lon,
                "sm_0_5": 0.1 + 0.05 * number,
            }
            records.append(example(told | images_of(sources, lon, lat, moment)))
    (folder / "shards").mkdir()
    (folder / "shards" / NAME).write_bytes(gzip.compress(b"".join(map(framed, records)), 1, mtime=0))
    return Published(folder / "world", folder / "shards", min(most, len(places)))


@pytest.fixture(scope="module")
def fitted(published: Published) -> tuple[dict[str, units.UnitFit], dict[str, str]]:
    pairs = pairs_of(shards(published.folder), open_sources(published.archive), 50)
    assert pairs.examples == published.sensors
    return pairs.fits()


@pytest.mark.parametrize("name", [name for name in ASSUMED_RANGES if name in PIXELS and name != "incidence_angle"])
def test_the_line_of_pixels_is_found_again(name: str, fitted: tuple) -> None:
    scale, offset = LINES[name]
    found = fitted[0][FEATURE_OF[name]]
    middle = 128.0
    assert found.units == units_of(name)
    assert found.scale == pytest.approx(scale, rel=0.02)
    assert found.scale * middle + found.offset == pytest.approx(scale * middle + offset, abs=scale)
    assert found.residual_steps < 0.5
    assert found.count >= 100


def test_the_line_of_the_angle_holds_where_it_was_fitted(published: Published, fitted: tuple) -> None:
    """Over one scene the angle spans few published steps, so its slope alone is not well known."""
    numbers, values = pairs_of(shards(published.folder), open_sources(published.archive), 50).of("sentinel_1_angle")
    scale, offset = LINES["incidence_angle"]
    assert np.abs(values - scale * numbers - offset).max() < 0.6 * scale
    found = fitted[0]["sentinel_1_angle"]
    assert found.scale * numbers + found.offset == pytest.approx(scale * numbers + offset, abs=scale)
    assert found.residual_steps < 0.5


@pytest.mark.parametrize("name", ["sand", "silt", "clay", "bulk_density"])
def test_the_line_of_the_soil_is_found_again(name: str, fitted: tuple) -> None:
    found = fitted[0][FEATURE_OF[name]]
    assert found.scale == pytest.approx(LINES[name][0], rel=0.05)
    assert found.residual_steps < 3


def test_what_has_too_few_pairs_is_told_and_not_fitted(fitted: tuple) -> None:
    fits, lacking = fitted
    assert {"smap_sm", "gldas_sm"} <= set(lacking)
    assert "pairs, of at least 100" in lacking["gldas_sm"]
    assert not set(fits) & set(lacking)
    assert set(fits) | set(lacking) == {FEATURE_OF[name] for name in ASSUMED_RANGES}


def test_scalars_are_paired_with_the_cell_of_the_sensor(published: Published) -> None:
    pairs = pairs_of(shards(published.folder), open_sources(published.archive), 50)
    numbers, values = pairs.of("gldas_sm")
    assert len(numbers) == published.sensors
    scale, offset = LINES["gldas"]
    assert values == pytest.approx(numbers * scale + offset, abs=scale)


def test_no_more_examples_are_paired_than_asked(published: Published) -> None:
    assert pairs_of(shards(published.folder), open_sources(published.archive), 1).examples == 1


def test_without_any_overlap_nothing_is_fitted(published: Published, tmp_path: Path) -> None:
    from vadose.batchu2022.commands import fit_units

    (tmp_path / "archive").mkdir()
    with pytest.raises(VadoseError, match="no feature has enough pairs"):
        fit_units(published.folder, tmp_path / "archive", tmp_path / "units.json", 5, lambda *_: None)
    assert not (tmp_path / "units.json").exists()


def test_fits_are_written_and_told(published: Published, fitted: tuple, tmp_path: Path) -> None:
    from vadose.batchu2022.commands import fit_units

    told = fit_units(published.folder, published.archive, tmp_path / "units.json", 50, lambda *_: None)
    assert units.read(tmp_path / "units.json") == fitted[0] == told.fits
    assert "1 shards of the set are missing" in str(told)
    assert "smap_sm: not fitted, 3 pairs" in str(told)
