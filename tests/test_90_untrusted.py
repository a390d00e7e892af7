"""Files that name other files, addresses or code: neither read nor asked nor run, told by name."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import geopandas
import h5py
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
import xarray as xr

from vadose.errors import VadoseError
from vadose.mapping.area_files import read_area
from vadose.mapping.points import read_polygons
from vadose.maps.read import read_map
from vadose.products import Product, gathered
from vadose.sources.granules import reading

SECRET = 0.4242
DAYS = pd.date_range("2021-06-01", periods=3, freq="D")
LAT, LON = np.arange(40.25, 43, 0.5), np.arange(8.25, 11, 0.5)


class Net:
    """A server that records who asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_error(404)

            do_HEAD = do_POST = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def net() -> Iterator[Net]:
    net = Net()
    yield net
    net.server.shutdown()
    net.server.server_close()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """What must not be read, in every form that the baits name."""
    folder = tmp_path / "secret"
    folder.mkdir()
    grid = np.full((len(DAYS), LAT.size, LON.size), SECRET, np.float32)
    (folder / "raw.bin").write_bytes(grid.tobytes())
    with h5py.File(folder / "h.h5", "w") as file:
        file["sm"] = grid
    profile = {"driver": "GTiff", "height": 6, "width": 6, "count": 1, "dtype": "float32", "crs": "EPSG:4326"}
    placed = {"transform": rasterio.transform.from_origin(8, 43, 0.5, 0.5)}
    with rasterio.open(folder / "t.tif", "w", **profile, **placed) as file:
        file.write(grid[0], 1)
    box = geopandas.GeoDataFrame({"name": ["s"]}, geometry=[shapely.box(8, 40, 9, 41)], crs=4326)
    box.to_file(folder / "box.gpkg")
    return folder


def sensors(folder: Path) -> Path:
    rows = [("NET", "a", "s", 41.3, 9.4, day + pd.Timedelta("1h"), 0.2, 0.15) for day in DAYS]
    columns = ["network", "station", "sensor", "lat", "lon", "time", "soil_moisture", "soil_moisture_in_situ"]
    pd.DataFrame(rows, columns=columns).to_parquet(folder / "sensors.parquet")
    return folder / "sensors.parquet"


def sampled(path: Path) -> pd.DataFrame:
    return gathered([Product(name="grid", path=path, units="m3 m-3")], sensors(path.parent)).tables["grid"]


def axes(file: h5py.File) -> None:
    for name, values, attrs in (
        ("time", np.arange(len(DAYS)), {"units": "days since 2021-06-01", "standard_name": "time"}),
        ("lat", LAT, {"units": "degrees_north", "standard_name": "latitude"}),
        ("lon", LON, {"units": "degrees_east", "standard_name": "longitude"}),
    ):
        file[name] = values
        file[name].attrs.update(attrs)
        file[name].make_scale(name)


def label(dataset: h5py.Dataset) -> None:
    for number, name in enumerate(("time", "lat", "lon")):
        dataset.dims[number].attach_scale(dataset.file[name])


SHAPE = (len(DAYS), LAT.size, LON.size)


def linked(file: h5py.File, secret: Path) -> None:
    file["sm"] = h5py.ExternalLink(str(secret / "h.h5"), "/sm")


def virtual(file: h5py.File, secret: Path) -> None:
    layout = h5py.VirtualLayout(SHAPE, np.float32)
    layout[:] = h5py.VirtualSource(str(secret / "h.h5"), "sm", SHAPE)
    label(file.create_virtual_dataset("sm", layout))


def external(file: h5py.File, secret: Path) -> None:
    where = [(str(secret / "raw.bin"), 0, h5py.h5f.UNLIMITED)]
    label(file.create_dataset("sm", SHAPE, np.float32, external=where))


def deep(file: h5py.File, secret: Path) -> None:
    label(file.create_dataset("sm", data=np.full(SHAPE, 0.1, np.float32)))
    file["g/h/i"] = h5py.ExternalLink(str(secret / "h.h5"), "/sm")


@pytest.mark.parametrize("bait", [linked, virtual, external, deep])
def test_hdf5_data_of_other_files_are_not_read(bait, tmp_path: Path, secret: Path) -> None:
    with h5py.File(tmp_path / "p.nc", "w") as file:
        axes(file)
        bait(file, secret)
    with pytest.raises(VadoseError, match=r"another file|other files"):
        sampled(tmp_path / "p.nc")
    with pytest.raises(VadoseError, match=r"another file|other files"), reading(tmp_path / "p.nc", "smap"):
        pass


def test_a_link_in_circles_within_a_file_ends(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "p.h5", "w") as file:
        axes(file)
        label(file.create_dataset("sm", data=np.full(SHAPE, 0.1, np.float32)))
        file["circle"] = h5py.SoftLink("/circle")
        file["group/up"] = file["/"]
    with reading(tmp_path / "p.h5", "smap") as file:
        assert file["sm"].shape == SHAPE
    # The same file with its own data alone is a product.
    with h5py.File(tmp_path / "p.h5", "r+") as file:
        del file["circle"], file["group"]
    assert np.allclose(sampled(tmp_path / "p.h5")["soil_moisture"], 0.1)


def vrt(secret: Path, net: Net) -> str:
    source = (
        f"<SimpleSource><SourceFilename>{secret / 't.tif'}</SourceFilename><SourceBand>1</SourceBand></SimpleSource>"
    )
    place = "<SRS>EPSG:4326</SRS><GeoTransform>8, 0.5, 0, 43, 0, -0.5</GeoTransform>"
    band = f'<VRTRasterBand dataType="Float32" band="1">{source}</VRTRasterBand>'
    return f'<VRTDataset rasterXSize="6" rasterYSize="6">{place}{band}</VRTDataset>'


def vrt_of_net(secret: Path, net: Net) -> str:
    return vrt(secret, net).replace(str(secret / "t.tif"), f"/vsicurl/{net.address}/x.tif")


def vrt_of_bytes(secret: Path, net: Net) -> str:
    kind = '<VRTRasterBand dataType="Float32" band="1" subClass="VRTRawRasterBand">'
    raw = f'{kind}<SourceFilename relativetoVRT="0">{secret / "raw.bin"}</SourceFilename></VRTRasterBand>'
    return vrt(secret, net).split("<VRTRasterBand")[0] + raw + "</VRTDataset>"


def wms(secret: Path, net: Net) -> str:
    service = f'<Service name="TMS"><ServerUrl>{net.address}/${{z}}/${{x}}/${{y}}.png</ServerUrl></Service>'
    corners = {"UpperLeftX": -180, "UpperLeftY": 90, "LowerRightX": 180, "LowerRightY": -90}
    numbers = corners | {"TileLevel": 1, "TileCountX": 1, "TileCountY": 1}
    window = "".join(f"<{name}>{number}</{name}>" for name, number in numbers.items())
    return f"<GDAL_WMS>{service}<DataWindow>{window}</DataWindow><Projection>EPSG:4326</Projection></GDAL_WMS>"


@pytest.mark.parametrize("bait", [vrt, vrt_of_net, vrt_of_bytes, wms])
def test_a_geotiff_is_a_geotiff(bait, tmp_path: Path, secret: Path, net: Net) -> None:
    path = tmp_path / "moisture_20210601.tif"
    path.write_text(bait(secret, net))
    with pytest.raises(VadoseError, match="cannot be read"):
        sampled(path)
    with pytest.raises(VadoseError):
        read_map(path)
    assert net.asked == []


def ogr_vrt(source: str) -> str:
    layer = f'<OGRVRTLayer name="box"><SrcDataSource>{source}</SrcDataSource></OGRVRTLayer>'
    return f"<OGRVRTDataSource>{layer}</OGRVRTDataSource>"


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".fgb", ".zip", ".parquet", ".geojson", ".json", ".SHP"])
@pytest.mark.parametrize("where", ["secret", "net"])
def test_a_file_of_polygons_is_what_its_name_says(
    suffix: str, where: str, tmp_path: Path, secret: Path, net: Net
) -> None:
    source = str(secret / "box.gpkg") if where == "secret" else f"/vsicurl/{net.address}/box.gpkg"
    for lead in (b"", b"fgb\x03fgb\x01"):
        (tmp_path / f"area{suffix}").write_bytes(lead + ogr_vrt(source).encode())
        for read in (
            lambda: read_area(str(tmp_path / f"area{suffix}")),
            lambda: read_polygons(tmp_path / f"area{suffix}"),
        ):
            with pytest.raises(VadoseError):
                read()
    assert net.asked == []


@pytest.mark.parametrize("crs", ["link", "name", "urn"])
def test_a_crs_by_a_link_is_not_fetched(crs: str, tmp_path: Path, net: Net) -> None:
    stated = {"type": "link", "properties": {"href": f"{net.address}/crs", "type": "proj4"}}
    if crs != "link":
        name = f"{net.address}/crs" if crs == "name" else f"urn:ogc:def:crs:{net.address}"
        stated = {"type": "name", "properties": {"name": name}}
    geometry = json.loads(shapely.to_geojson(shapely.box(8, 40, 9, 41)))
    content = {"type": "FeatureCollection", "crs": stated, "features": [{"type": "Feature", "geometry": geometry}]}
    (tmp_path / "area.geojson").write_text(json.dumps(content))
    with pytest.raises(VadoseError, match="CRS"):
        read_area(str(tmp_path / "area.geojson"))
    assert net.asked == []


@pytest.mark.parametrize(
    "name", ["a.gpkg", "a.shp", "a.fgb", "a.parquet", "a.zip", "a.geojson", "crs.geojson", "A.GPKG"]
)
def test_honest_files_of_polygons_are_read(name: str, tmp_path: Path) -> None:
    box = shapely.box(440000, 4600000, 450000, 4612000)
    table = geopandas.GeoDataFrame({"name": ["field"]}, geometry=[box], crs=32630)
    path = tmp_path / name
    if path.suffix == ".parquet":
        table.to_parquet(path)
    elif path.suffix == ".zip":
        table.to_file(tmp_path / "a.shp.zip", driver="ESRI Shapefile")
        (tmp_path / "a.shp.zip").rename(path)
    elif name == "a.geojson":
        table.to_crs(4326).to_file(path, driver="GeoJSON", RFC7946="YES")
    elif name == "crs.geojson":
        table.to_file(path, driver="GeoJSON")
        assert '"crs"' in path.read_text()
    else:
        table.to_file(
            path, driver={".gpkg": "GPKG", ".shp": "ESRI Shapefile", ".fgb": "FlatGeobuf"}[path.suffix.lower()]
        )
    expected = shapely.segmentize(box, 1000)
    there = geopandas.GeoSeries([expected], crs=32630).to_crs(4326).iloc[0]
    area = read_area(str(path)).geometry
    assert shapely.hausdorff_distance(area, there) < 2e-4
    assert set(read_polygons(path)) == {"field"}


def test_a_zarr_store_runs_no_code(tmp_path: Path) -> None:
    path = tmp_path / "p.zarr"
    sm = xr.DataArray(
        np.full(SHAPE, 0.1, np.float32),
        {"time": DAYS, "lat": ("lat", LAT, {"units": "degrees_north"}), "lon": ("lon", LON, {"units": "degrees_east"})},
        ("time", "lat", "lon"),
        name="sm",
    )
    sm.to_dataset().to_zarr(path, zarr_format=2, consolidated=False)
    assert np.allclose(sampled(path)["soil_moisture"], 0.1)
    ran = tmp_path / "ran"
    chunk = b"cposix\nsystem\n(S'touch %s'\ntR." % os.fsencode(ran)
    described = json.loads((path / "sm" / ".zarray").read_text())
    filters = [{"id": "vlen-utf8"}, {"id": "pickle", "protocol": 5}]
    hostile = described | {"dtype": "|O", "fill_value": "", "filters": filters, "compressor": None}
    (path / "sm" / ".zarray").write_text(json.dumps(hostile))
    for part in (path / "sm").iterdir():
        if part.name[0] != ".":
            part.write_bytes(chunk)
    with pytest.raises(VadoseError, match="pickle"):
        sampled(path)
    assert not ran.exists()


BESIDE = """
import sys
from pathlib import Path
from vadose.io.gdal import shut_gdal
shut_gdal()
import rasterio, xarray, rioxarray
path = sys.argv[1]
with rasterio.open(Path(path), driver="GTiff") as file:
    file.read(1), file.read(1, masked=True), file.dataset_mask(), file.overviews(1), file.tags(), file.tags(1)
    file.read(1, out_shape=(3, 3))
with xarray.open_dataset(Path(path), engine="rasterio", mask_and_scale=True, open_kwargs={"driver": "GTiff"}) as grid:
    print(float(grid["band_data"].max()))
try:
    rasterio.open("/vsicurl/" + sys.argv[2] + "/x.tif", driver="GTiff")
except rasterio.errors.RasterioIOError:
    print("shut")
"""


def test_what_lies_beside_a_geotiff_names_no_other_file(tmp_path: Path, secret: Path, net: Net) -> None:
    path = tmp_path / "m.tif"
    profile = {"driver": "GTiff", "height": 6, "width": 6, "count": 1, "dtype": "float32", "crs": "EPSG:4326"}
    with rasterio.open(path, "w", **profile, transform=rasterio.transform.from_origin(8, 43, 0.5, 0.5)) as file:
        file.write(np.full((6, 6), 0.1, np.float32), 1)
    for suffix in (".ovr", ".msk"):
        Path(f"{path}{suffix}").write_text(vrt_of_net(secret, net))
    overviews = f'<MDI key="OVERVIEW_FILE">/vsicurl/{net.address}/o.tif</MDI>'
    Path(f"{path}.aux.xml").write_text(f'<PAMDataset><Metadata domain="OVERVIEWS">{overviews}</Metadata></PAMDataset>')
    asked = [sys.executable, "-c", BESIDE, str(path), net.address]
    told = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert told.stdout.split() == ["0.10000000149011612", "shut"], told.stderr
    assert net.asked == []
