"""Standards: STAC API, OGC API EDR and Tiles, CoverageJSON, by the validators and clients of others."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import covjson_pydantic.coverage
import edr_pydantic.collections
import numpy as np
import pystac
import pystac_client
import pytest
from pystac.validation.stac_validator import JsonSchemaSTACValidator
from rio_cogeo.cogeo import cog_validate
from stac_pydantic.api import Collection, Conformance, Item, ItemCollection, LandingPage
from titiler.core.models.OGC import TileSet, TileSetList

import served_maps
from served_maps import NOTICE, TIMES, Client
from vadose.maps.opening import open_maps

MAP = "collections/border-country"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return served_maps.write(tmp_path_factory.mktemp("standards") / "map")


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[Client]:
    with served_maps.server(folder) as started:
        yield started


def test_stac_answers_are_valid(client):
    LandingPage.model_validate(client.get("").json)
    Conformance.model_validate(client.get("conformance").json)
    Collection.model_validate(client.get(MAP).json)
    found = client.get("search?limit=100").json
    ItemCollection.model_validate(found)
    assert found["numberMatched"] == len(found["features"]) == 2 * len(TIMES)
    for feature in found["features"]:
        Item.model_validate(feature)
        assert JsonSchemaSTACValidator().validate_core(feature, pystac.STACObjectType.ITEM, "1.1.0")
    assert JsonSchemaSTACValidator().validate_core(client.get(MAP).json, pystac.STACObjectType.COLLECTION, "1.1.0")


def test_a_stac_client_finds_the_items_of_a_time_and_place_page_by_page(client):
    catalogue = pystac_client.Client.open(client.address)
    assert [one.id for one in catalogue.get_collections()] == ["border-country"]
    search = catalogue.search(collections=["border-country"], limit=2)
    assert len(list(search.items())) == 2 * len(TIMES)
    search = catalogue.search(datetime="2021-06-01/2021-06-10", bbox=[12.1, 47.5, 12.2, 47.6], limit=5)
    (found,) = search.items()
    assert found.id == "soil_moisture_20210605T171000_32633"
    assert {"soil_moisture", "quality", "age"} <= set(found.assets)
    none = catalogue.search(bbox=[40, 0, 41, 1], method="GET")
    assert list(none.items()) == []


def test_a_page_of_items_names_itself_and_the_next(client):
    address = f"{client.address}{MAP}/items"
    first = client.get(f"{MAP}/items?limit=2&datetime=2020-01-01T00:00:00Z/..").json
    links = {link["rel"]: link["href"] for link in first["links"]}
    assert links["self"] == f"{address}?limit=2&datetime=2020-01-01T00%3A00%3A00Z%2F.."
    assert links["collection"] == f"{client.address}{MAP}" and links["root"] == client.address
    again, second = (client.get(links[rel].removeprefix(client.address)).json for rel in ("self", "next"))
    assert again == first and second["features"] and second["features"] != first["features"]
    posted = client.get("search", body=b'{"limit": 2}').json
    (own,) = (link for link in posted["links"] if link["rel"] == "self")
    assert own["method"] == "POST" and own["body"] == {"limit": 2} and own["href"].endswith("/search")


def test_edr_and_coverages_are_valid(client):
    stated = client.get(MAP).json
    own_of_stac = {"type", "stac_version", "stac_extensions", "license", "vadose:notice"}
    edr = json.dumps({key: value for key, value in stated.items() if key not in own_of_stac})
    edr_pydantic.collections.Collection.model_validate_json(edr)
    wkt = quote("POLYGON((12 47.55,12.05 47.55,12.05 47.6,12 47.6,12 47.55))")
    kinds = {
        f"{MAP}/position?coords=POINT(12.02%2047.58)": "PointSeries",
        f"{MAP}/area?coords={wkt}": "PolygonSeries",
        f"{MAP}/cube?bbox=12.02,47.55,12.04,47.57": "Grid",
    }
    for path, kind in kinds.items():
        answer = client.get(path)
        assert answer.headers["content-type"] == "application/prs.coverage+json"
        coverage = covjson_pydantic.coverage.Coverage.model_validate(answer.json)
        assert coverage.domain.domainType.value == kind
        assert answer.json["vadose:notice"] == NOTICE


def test_tile_sets_and_tilejson_are_those_of_ogc_and_lead_to_tiles(client):
    layer = f"{MAP}/layers/soil_moisture"
    TileSetList.model_validate(client.get(f"{layer}/tiles").json)
    tiles = TileSet.model_validate(client.get(f"{layer}/tiles/WebMercatorQuad").json)
    assert tiles.tileMatrixSetLimits
    held = client.get(f"{layer}/WebMercatorQuad/tilejson.json?datetime=2020-06-10T05:30:00Z").json
    assert held["minzoom"] == 0 and held["bounds"][0] == pytest.approx(11.776, abs=0.01)
    assert "datetime=2020-06-10T05" in held["tiles"][0]
    address = held["tiles"][0].replace("{z}", "9").replace("{x}", "272").replace("{y}", "178")
    answer = client.get(address.removeprefix(client.address))
    assert answer.status == 200 and answer.headers["content-type"] == "image/png"
    assert client.get("tileMatrixSets/WebMercatorQuad").status == 200


def test_clips_are_cloud_optimized(client, tmp_path):
    answer = client.get(f"{MAP}/cube?bbox=11.8,47.53,11.95,47.69&datetime=2021-06-12T05:30:00Z&f=COG")
    file = tmp_path / "clip.tif"
    file.write_bytes(answer.body)
    valid, errors, _ = cog_validate(file)
    assert valid, errors


def test_gdal_reads_the_tiles_as_qgis_does(client, tmp_path):
    """QGIS's XYZ layers are GDAL's: a picture over the map has its colours."""
    template = f"{client.address}{MAP}/layers/soil_moisture/tiles/WebMercatorQuad/${{z}}/${{x}}/${{y}}"
    service = (
        f'<GDAL_WMS><Service name="TMS"><ServerUrl>{template}</ServerUrl></Service><DataWindow>'
        "<UpperLeftX>-20037508.34</UpperLeftX><UpperLeftY>20037508.34</UpperLeftY>"
        "<LowerRightX>20037508.34</LowerRightX><LowerRightY>-20037508.34</LowerRightY>"
        "<TileLevel>12</TileLevel><YOrigin>top</YOrigin></DataWindow><Projection>EPSG:3857</Projection>"
        "<BlockSizeX>256</BlockSizeX><BlockSizeY>256</BlockSizeY><BandsCount>4</BandsCount></GDAL_WMS>"
    )
    x, y = _mercator(11.9, 47.6)
    read = (
        "row, column = raster.index(X, Y)\n"
        "    values = raster.read(4, window=rasterio.windows.Window(column - 8, row - 8, 16, 16))"
    )
    values = _read_by_gdal(service, read.replace("X, Y", f"{x}, {y}"), tmp_path)
    assert values.shape == (16, 16) and (values == 255).all()


def _read_by_gdal(name: str, read: str, folder: Path) -> np.ndarray:
    """Read by GDAL in a process of its own, as other programs do: tests of commands shut that of this process."""
    out = folder / "values.npy"
    script = (
        "import sys, numpy, rasterio, rasterio.windows\n"
        "with rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN='EMPTY_DIR'), rasterio.open(sys.argv[1]) as raster:\n"
        f"    {read}\n"
        "numpy.save(sys.argv[2], values)"
    )
    shut = ("GDAL_SKIP", "CPL_VSIL_CURL_ALLOWED_FILENAME")
    free = {key: value for key, value in os.environ.items() if key not in shut}
    asked = [sys.executable, "-c", script, name, str(out)]
    told = subprocess.run(asked, env=free, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    return np.load(out)


def _mercator(lon: float, lat: float) -> tuple[float, float]:
    from vadose.grid import from_lonlat

    x, y = from_lonlat(3857).transform(lon, lat)
    return float(x), float(y)


def test_a_file_of_an_item_is_read_by_gdal_over_http(client, folder, tmp_path):
    item = client.get("search?ids=soil_moisture_20210612T053000_32632").json["features"][0]
    values = _read_by_gdal(item["assets"]["soil_moisture"]["href"], "values = raster.read(1)", tmp_path)
    expected = open_maps(folder)[32632]["soil_moisture"].isel(time=-1).values
    np.testing.assert_array_equal(values, expected)


def test_the_reference_page_names_every_address_and_has_no_script(client):
    page, openapi = client.get("docs").body.decode(), client.get("openapi.json").json
    assert "<script" not in page and openapi["openapi"].startswith("3.")
    for path in openapi["paths"]:
        assert path.replace("{", "{") in page
    assert {
        "/collections/{collection}/position",
        "/collections/{collection}/area",
        "/collections/{collection}/cube",
        "/search",
    } <= set(openapi["paths"])
