"""Served maps: the values of tiles, series and clips are those of the files."""

import csv
import io
import json
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
import xarray as xr
from morecantile import tms
from numpy.typing import NDArray

import served_maps
from served_maps import EAST, NOTICE, TIMES, WEST, Client
from vadose.errors import VadoseError
from vadose.grid import cell_centres, from_lonlat
from vadose.maps import NODATA, at_points, over_polygons
from vadose.maps.opening import open_maps
from vadose.registry import Quality
from vadose.serving.catalogue import Catalogue, read_served, time_text
from vadose.serving.export import static_config
from vadose.serving.rasters import BlockCache
from vadose.serving.series import MapReader, point_series
from vadose.serving.series_index import NAME, build_series_index, open_series_index

MERCATOR = tms.get("WebMercatorQuad")
LAST = time_text(TIMES[-1])
MAP = "collections/border-country"


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("served")
    return {form: served_maps.write(folder / form, form=form) for form in ("cog", "zarr", "netcdf")}


@pytest.fixture(scope="module")
def client(maps: dict[str, Path]) -> Iterator[Client]:
    with served_maps.server(maps["cog"], maps["zarr"]) as started:
        yield started


def decoded(png: bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return indices and palette (red, green, blue, alpha) of a PNG."""
    with rasterio.MemoryFile(png) as file, file.open(driver="PNG") as raster:
        indices, colours = raster.read(1), raster.colormap(1)
    palette = np.zeros((256, 4), np.uint8)
    for index, colour in colours.items():
        palette[index] = colour
    return indices, palette


def places(count: int, seed: int = 0) -> list[tuple[float, float]]:
    """Return random places within the painted cells, a third of them within a cell of the border of the zones."""
    rng = np.random.default_rng(seed)
    lon, lat = (
        np.concatenate([part.ravel() for part in axis]) for axis in zip(*map(cell_centres, (WEST, EAST)), strict=True)
    )
    held = (lon > 11.80) & (lon < 12.20)
    chosen = rng.choice(np.flatnonzero(held), count)
    pairs = [
        (float(lon[at] + rng.uniform(-0.001, 0.001)), float(lat[at] + rng.uniform(-0.001, 0.001))) for at in chosen
    ]
    border = [(12.0 + float(rng.uniform(-0.002, 0.002)), latitude) for _, latitude in pairs[: count // 3]]
    return pairs[count // 3 :] + border


@pytest.mark.parametrize("name", ["border-country", "border-country-2"])
def test_the_series_of_a_click_is_that_of_the_files(name, client, maps):
    found = places(12)
    table = pd.DataFrame(found, columns=["lon", "lat"]).assign(place=[str(at) for at in range(len(found))])
    expected = at_points(open_maps(maps["cog"]), table).set_index("place")
    compared = 0
    for at, (lon, lat) in enumerate(found):
        own = expected.loc[str(at)]
        answer = client.get(f"collections/{name}/position?f=GeoJSON&coords=POINT({lon}%20{lat})")
        if (own["quality"] == NODATA).all():
            assert answer.status == 404
            continue
        series = answer.json["features"][0]["properties"]
        assert series["datetime"] == [time_text(moment) for moment in own["time"].to_numpy()]
        assert series["quality"] == own["quality"].tolist()
        for layer in ("soil_moisture", "soil_moisture_std", "age_sentinel1", "age_smap"):
            values = np.array(series[layer], float)
            np.testing.assert_allclose(values, own[layer].to_numpy(float), rtol=1e-6)
        half = 1.645 * own["soil_moisture_std"].to_numpy(float)
        mean = own["soil_moisture"].to_numpy(float)
        np.testing.assert_allclose(np.array(series["soil_moisture_low"], float), mean - half, rtol=1e-5)
        np.testing.assert_allclose(np.array(series["soil_moisture_high"], float), mean + half, rtol=1e-5)
        flags = [{flag.name.lower() for flag in Quality if bits & flag} for bits in own["quality"]]
        assert [set(names) for names in series["vadose:flags"]] == flags
        compared += 1
    assert compared >= 8


@pytest.mark.parametrize("name", ["border-country", "border-country-2"])
def test_the_mean_over_a_polygon_is_that_of_vadose_series(name, client, maps):
    polygon = shapely.Polygon([(11.95, 47.56), (12.06, 47.54), (12.08, 47.64), (11.9, 47.66)])
    expected = over_polygons(open_maps(maps["cog"]), {"p": polygon})
    answer = client.get(f"collections/{name}/area?f=CSV&coords={quote(polygon.wkt)}")
    rows = pd.read_csv(io.BytesIO(answer.body))
    assert rows["cells"].tolist() == expected["cells"].tolist() and rows["cells"].min() > 100
    assert rows["quality"].tolist() == expected["quality"].tolist()
    for layer in ("soil_moisture", "soil_moisture_std", "age_sentinel1", "age_smap"):
        np.testing.assert_allclose(rows[layer], expected[layer], rtol=2e-5)
    assert set(rows["notice"]) == {NOTICE}
    posted = client.get(f"collections/{name}/area?f=CSV", json.dumps(shapely.geometry.mapping(polygon)).encode())
    assert posted.body == answer.body


def test_a_mean_says_that_its_interval_is_an_upper_bound(client):
    wkt = quote("POLYGON((12 47.6,12.05 47.6,12.05 47.65,12 47.65,12 47.6))")
    answer = client.get(f"{MAP}/area?coords={wkt}").json
    assert "upper bound" in answer["vadose:interval"] and answer["domain"]["domainType"] == "PolygonSeries"
    assert "vadose:interval" not in client.get(f"{MAP}/position?coords=POINT(12.02%2047.62)").json


@pytest.mark.parametrize("zoom", [9, 11, 13])
@pytest.mark.parametrize("name", ["border-country", "border-country-2"])
def test_the_colours_of_a_tile_decode_to_the_values_of_the_cells(name, zoom, client, maps):
    legend = client.get(f"collections/{name}/layers/soil_moisture/legend").json
    tile = MERCATOR.tile(12.001, 47.62, zoom)
    answer = client.get(f"collections/{name}/layers/soil_moisture/tiles/WebMercatorQuad/{zoom}/{tile.x}/{tile.y}")
    indices, palette = decoded(answer.body)
    bounds = MERCATOR.xy_bounds(tile)
    rng = np.random.default_rng(zoom)
    rows, columns = rng.integers(0, 256, (2, 400))
    x = bounds.left + (columns + 0.5) * (bounds.right - bounds.left) / 256
    y = bounds.top - (rows + 0.5) * (bounds.top - bounds.bottom) / 256
    lon, lat = MERCATOR._to_geographic.transform(x, y)
    zones = open_maps(maps["cog"])
    compared = 0
    for row, column, east, north in zip(rows, columns, lon, lat, strict=True):
        value = _value(zones, east, north)
        alpha = palette[indices[row, column], 3]
        if not np.isfinite(value):
            assert alpha == 0
            continue
        colour = "#" + bytes(palette[indices[row, column], :3].tolist()).hex()
        at = legend["colours"].index(colour)
        assert legend["low"] + at * legend["step"] - 1e-6 <= value <= legend["low"] + (at + 1) * legend["step"] + 1e-6
        compared += 1
    assert compared > 20


def _value(zones: dict[int, xr.Dataset], lon: float, lat: float, layer: str = "soil_moisture") -> float:
    """Return the value of the cell that contains a place, or NaN."""
    zone = zones[32632 if lon < 12 else 32633]
    x, y = from_lonlat(32632 if lon < 12 else 32633).transform(lon, lat)
    near = zone[layer].isel(time=-1).sel(x=x, y=y, method="nearest")
    inside = abs(float(near["x"]) - x) <= 160 and abs(float(near["y"]) - y) <= 160
    return float(near) if inside else float("nan")


def test_flags_have_the_colour_of_their_category_and_hidden_cells_none(client, maps):
    legend = client.get(f"{MAP}/layers/quality/legend").json
    colours = {one["name"]: one["colour"].lower() for one in legend["categories"]}
    assert len(set(colours.values())) == len(colours)
    lon, lat = cell_centres(WEST)
    frozen = float(lon[5, 28]), float(lat[5, 28])
    for layer, hide, expected in (
        ("quality", "", colours["frozen"]),
        ("quality", "urban", colours["frozen"]),
        ("quality", "frozen", None),
        ("soil_moisture", "frozen,water", None),
    ):
        assert _colour(client, frozen, f"{MAP}/layers/{layer}", f"hide={hide}") == expected
    both = float(lon[15, 28]), float(lat[15, 28])
    assert _colour(client, both, f"{MAP}/layers/quality", "flags=out_of_domain") == colours["out_of_domain"]
    assert _colour(client, both, f"{MAP}/layers/soil_moisture", "hide=urban") is not None


def _colour(client: Client, place: tuple[float, float], layer: str, query: str, zoom: int = 14) -> str | None:
    """Return the colour of a pixel; None where it is transparent."""
    tile = MERCATOR.tile(*place, zoom)
    answer = client.get(f"{layer}/tiles/WebMercatorQuad/{zoom}/{tile.x}/{tile.y}?{query}")
    assert answer.status == 200, answer.body
    indices, palette = decoded(answer.body)
    bounds = MERCATOR.xy_bounds(tile)
    x, y = MERCATOR._from_geographic.transform(*place)
    row = int((bounds.top - y) / (bounds.top - bounds.bottom) * 256)
    column = int((x - bounds.left) / (bounds.right - bounds.left) * 256)
    red, green, blue, alpha = palette[indices[row, column]].tolist()
    return "#" + bytes([red, green, blue]).hex() if alpha else None


def test_the_difference_of_two_dates_and_the_anomaly_are_those_of_the_values(client, maps):
    zone = open_maps(maps["cog"])[32632]
    lon, lat = cell_centres(WEST)
    at = (35, 40)
    place = float(lon[at]), float(lat[at])
    values = zone["soil_moisture"].values[:, at[0], at[1]].astype(float)
    legend = client.get(f"{MAP}/layers/difference/legend").json
    first, second = time_text(TIMES[0]), time_text(TIMES[1])
    colour = _colour(client, place, f"{MAP}/layers/difference", f"datetime={second}&minus={first}")
    low = legend["low"] + legend["colours"].index(colour) * legend["step"]
    assert low - 1e-6 <= values[1] - values[0] <= low + legend["step"] + 1e-6
    colour = _colour(client, place, f"{MAP}/layers/anomaly", f"datetime={LAST}")
    low = legend["low"] + legend["colours"].index(colour) * legend["step"]
    assert low - 1e-6 <= values[2] - values.mean() <= low + legend["step"] + 1e-6


def test_anomalies_are_offered_only_with_two_years_of_a_season(tmp_path):
    served_maps.write(tmp_path / "map", times=TIMES[1:])
    with served_maps.server(tmp_path / "map") as client:
        layers = {one["layer"] for one in client.get("viewer/config.json").json["maps"][0]["layers"]}
        assert "anomaly" not in layers and "difference" in layers
        assert client.get(f"{MAP}/layers/anomaly/tiles/WebMercatorQuad/0/0/0").status == 404


@pytest.mark.parametrize("form", ["NetCDF", "COG", "CSV", "CoverageJSON"])
def test_a_clip_holds_the_cells_of_its_box_and_its_provenance(form, client, maps, tmp_path):
    query = f"bbox=11.86,47.6,11.92,47.66&datetime={LAST}&f={form}"
    answer = client.get(f"{MAP}/cube?{query}")
    assert answer.status == 200
    held = open_maps(maps["cog"])[32632].isel(time=-1)
    file = tmp_path / "clip"
    file.write_bytes(answer.body)
    if form == "NetCDF":
        with xr.open_dataset(file, engine="h5netcdf") as clip:
            mean, x, y = clip["soil_moisture"].values[0], clip["x"].values, clip["y"].values
            text, notice = clip.attrs["declaration"], clip.attrs["comment"]
    elif form == "COG":
        with rasterio.open(file) as clip:
            mean, text, notice = clip.read(1), clip.tags()["declaration"], clip.tags()["notice"]
            x, y = (
                np.array([clip.xy(0, column)[0] for column in range(clip.width)]),
                np.array([clip.xy(row, 0)[1] for row in range(clip.height)]),
            )
    elif form == "CSV":
        rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
        some = rows[len(rows) // 2]
        assert float(some["soil_moisture"]) == pytest.approx(
            float(held["soil_moisture"].sel(x=float(some["x"]), y=float(some["y"]))), rel=1e-5
        )
        assert {row["notice"] for row in rows} == {NOTICE} and len(rows) > 200
        return
    else:
        clip = answer.json
        mean = np.array(clip["ranges"]["soil_moisture"]["values"], float).reshape(
            clip["ranges"]["soil_moisture"]["shape"]
        )[0]
        x, y = (np.array(clip["domain"]["axes"][axis]["values"]) for axis in ("x", "y"))
        text, notice = "", clip["vadose:notice"]
    np.testing.assert_allclose(mean, held["soil_moisture"].sel(x=x, y=y).values, rtol=1e-6)
    assert notice == NOTICE
    assert not text or json.loads(text)["made_from"]["clip_of"] == "border-country"
    assert not text or json.loads(text)["made_from"]["map"]["made_from"]["experiment"] == "painted"


def test_many_dates_are_read_from_a_copy_in_the_order_of_time(tmp_path):
    times = served_maps.daily_times(30)
    folder = served_maps.write(tmp_path / "map", times=times, tiles=(WEST,))
    served = read_served(folder)
    assert open_series_index(served) is None
    steps = list[tuple[int, int, str]]()
    build_series_index(served, lambda *step: steps.append(step))
    assert steps[-1][0] == steps[-1][1] and (folder / NAME).is_dir()
    index = open_series_index(served)
    assert index is not None
    found = places(6, seed=4)
    table = pd.DataFrame(found, columns=["lon", "lat"]).assign(place=[str(at) for at in range(len(found))])
    table = table[table["lon"] < 12]
    expected = at_points(open_maps(folder), table).set_index("place")
    opened: list[object] = []
    cache = BlockCache()
    cache.block = lambda *asked: opened.append(asked)  # type: ignore[method-assign]
    for row in table.itertuples():
        own = expected.loc[row.place]
        if (own["quality"] == NODATA).all():
            continue
        got = point_series(MapReader(cache), served, row.lon, row.lat, times)
        np.testing.assert_array_equal(got["soil_moisture"], own["soil_moisture"])
        np.testing.assert_array_equal(got["quality"], own["quality"])
    assert not opened
    build_series_index(served, lambda *_: pytest.fail("It was there"))
    assert len(open_maps(folder)[32632]["time"]) == 30  # the copy is no part of the map


def test_a_map_that_was_made_again_is_served_anew(tmp_path, monkeypatch):
    monkeypatch.setattr("vadose.serving.catalogue._CHECK_SECONDS", 0.0)
    folder = served_maps.write(tmp_path / "map", times=TIMES[:1])
    catalogue = Catalogue([folder])
    before = catalogue["border-country"]
    assert catalogue["border-country"] is before
    served_maps.write(folder, times=TIMES[:2])
    after = catalogue["border-country"]
    assert after.version != before.version and len(after.times) == 2


def test_what_is_no_map_is_refused(tmp_path):
    with pytest.raises(VadoseError, match="It is neither a Zarr store"):
        Catalogue([tmp_path])
    folder = served_maps.write(tmp_path / "map", times=TIMES[:1])
    for file in folder.glob("*_quality.tif"):
        file.unlink()
    with pytest.raises(VadoseError, match="It is no item of a map"):
        Catalogue([folder])


def test_answers_are_kept_by_their_tag_until_the_map_changes(client):
    path = f"{MAP}/layers/soil_moisture/tiles/WebMercatorQuad/9/273/178"
    first = client.get(path)
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "public, max-age=300"
    again = client.get(path, if_none_match=tag)
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    assert client.get(path + "?hide=frozen").headers["etag"] != tag


def test_files_are_compared_beside_the_event_loop(tmp_path, monkeypatch):
    folder = served_maps.write(tmp_path / "map")
    threads = []

    def version(path: Path) -> str:
        threads.append(threading.current_thread().name)
        return "1"

    monkeypatch.setattr("vadose.serving.catalogue._version", version)
    monkeypatch.setattr("vadose.serving.catalogue._CHECK_SECONDS", 0.0)
    with served_maps.server(folder) as client:
        threads.clear()
        assert client.get("collections").headers["etag"] and client.get(MAP).headers["etag"]
    assert threads and not any("loop" in name for name in threads)


def test_an_export_states_its_grids_in_metres(maps):
    (west, east) = static_config(read_served(maps["cog"]))["grids"]
    assert west == {"epsg": 32632, "west": WEST.west * 320, "north": WEST.north * 320, "rows": 60, "columns": 64}
    assert (east["west"], east["north"]) == (EAST.west * 320, EAST.north * 320)


def test_large_answers_are_compressed(client):
    path = f"{MAP}/cube?bbox=11.86,47.6,11.92,47.66&f=CSV"
    packed, plain = client.get(path, accept_encoding="gzip"), client.get(path)
    assert packed.headers["content-encoding"] == "gzip" and len(packed.body) < len(plain.body) / 3
    assert zlib.decompress(packed.body, 31) == plain.body


def test_files_are_served_in_ranges(client, maps):
    item = client.get("search?limit=1").json["features"][0]
    address = item["assets"]["soil_moisture"]["href"].removeprefix(client.address)
    file = next(maps["cog"].glob(f"{item['id']}.tif"))
    assert client.get(address).body == file.read_bytes()
    part = client.get(address, range="bytes=100-199")
    assert (part.status, part.body) == (206, file.read_bytes()[100:200])


def test_the_access_log_has_one_line_of_json_for_each_request(client, caplog):
    """A line is written when all of the answer is sent, so perhaps after its reader has it."""

    def lines() -> list[dict]:
        told = [json.loads(one.getMessage()) for one in list(caplog.records) if one.name == "vadose.serving.access"]
        return [line for line in told if (line["path"], line["query"]) in {("/health", "x=1"), ("/nowhere", "")}]

    with caplog.at_level("INFO", "vadose.serving.access"):
        for number, asked in enumerate(("health?x=1", "nowhere"), 1):
            client.get(asked)
            until = time.monotonic() + 30
            while len(lines()) < number and time.monotonic() < until:
                time.sleep(0.01)
    assert [(line["path"], line["status"]) for line in lines()] == [("/health", 200), ("/nowhere", 404)]
    assert all(line["ms"] >= 0 and line["bytes"] > 0 and line["client"] == "127.0.0.1" for line in lines())


def test_a_png_of_one_colour_and_its_size(client):
    answer = client.get(f"{MAP}/layers/soil_moisture/tiles/WebMercatorQuad/9/0/0?tilesize=512")
    assert struct.unpack(">II", answer.body[16:24]) == (512, 512)
    indices, palette = decoded(answer.body)
    assert (palette[indices, 3] == 0).all()
