"""OPERA RTC-S1 at NASA: records of bursts and of their static layers (UMM-G), and the archive of their files."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import rasterio
from rasterio.warp import transform_bounds

from catalogue_servers.cmr import CmrServer
from catalogue_servers.earthdata import DataArchive, LoginServer, Users
from catalogue_servers.granules import Record, stamp
from catalogue_servers.loopback import HOST, start_all, stop_all

BURSTS, STATIC = "OPERA_L2_RTC-S1_V1", "OPERA_L2_RTC-S1-STATIC_V1"


class Opera:
    """Servers of granules in a folder, one folder each: a context manager.

    Attributes:
        folder: `{granule}/{granule}_{layer}.tif`.
        cmr: NASA's catalogue; its records may be changed between requests.
        login: Earthdata Login.
        archive: Data host of the Alaska Satellite Facility.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.login = LoginServer(Users())
        self.archive = OperaArchive(lambda: folder.glob("*/*.tif"), self.login)
        self.cmr = CmrServer(self.records())

    def __enter__(self) -> Self:
        start_all([self.cmr, self.login, self.archive])
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        stop_all([self.cmr, self.login, self.archive])

    def records(self) -> list[Record]:
        """Describe the granules that are in the folder."""
        folders = sorted(path for path in self.folder.iterdir() if path.is_dir())
        return [_record(number, path, self.archive.url) for number, path in enumerate(folders, 3_000_000_000)]

    def settings(self) -> dict[str, Any]:
        """The catalogue in the form of vadose's configuration."""
        hosts = [f"{HOST}:{self.archive.port}"]
        return {
            "title": "opera on loopback",
            "kind": "opera",
            "endpoint": self.cmr.endpoint,
            "hosts": [HOST],
            "credential": {"kind": "earthdata", "endpoint": self.login.url, "hosts": hosts},
            "collections": {"sentinel1": [BURSTS, STATIC]},
        }


class OperaArchive(DataArchive):
    """Data host that serves files by their names alone."""

    def _file(self, path: str) -> Path | None:
        return next((file for file in self.files() if path == f"/{_place(file)}"), None)


def _record(number: int, folder: Path, host: str) -> Record:
    name = folder.name
    static = "-STATIC_" in name
    burst, *times, platform, _, version = name.split("_")[3:]
    begin = datetime.strptime(times[0].rstrip("Z"), "%Y%m%d" if static else "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    made = stamp(begin + timedelta(days=1))
    short_name = STATIC if static else BURSTS
    return {
        "meta": {
            "concept-type": "granule",
            "concept-id": f"G{number}-ASF",
            "revision-id": 1,
            "native-id": name,
            "provider-id": "ASF",
            "revision-date": made,
        },
        "umm": {
            "GranuleUR": name,
            "CollectionReference": {"ShortName": short_name, "Version": "1"},
            "TemporalExtent": _extent(begin, static),
            "SpatialExtent": {"HorizontalSpatialDomain": {"Geometry": {"GPolygons": [_polygon(folder)]}}},
            "RelatedUrls": list(_links(sorted(folder.glob("*.tif")), host)),
            "AdditionalAttributes": [
                {"Name": "ASCENDING_DESCENDING", "Values": ["ASCENDING"]},
                {"Name": "OPERA_BURST_ID", "Values": [burst.replace("-", "_")]},
                {"Name": "POLARIZATION", "Values": ["VV", "VH"]},
                {"Name": "PRODUCT_VERSION", "Values": [version.lstrip("v")]},
            ],
            "Platforms": [{"ShortName": f"Sentinel-1{platform[-1]}"}],
            "ProviderDates": [{"Date": made, "Type": "Insert"}],
        },
    }


def _extent(begin: datetime, static: bool) -> Mapping[str, Any]:
    if static:
        return {"SingleDateTime": stamp(begin)}
    end = stamp(begin + timedelta(seconds=3))
    return {"RangeDateTime": {"BeginningDateTime": stamp(begin), "EndingDateTime": end}}


def _polygon(folder: Path) -> Mapping[str, Any]:
    with rasterio.open(min(folder.glob("*.tif"))) as dataset:
        west, south, east, north = transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds)
    ring = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    return {"Boundary": {"Points": [{"Longitude": lon, "Latitude": lat} for lon, lat in ring]}}


def _links(files: Iterable[Path], host: str) -> Iterable[Record]:
    """Links of a record: the data, and what a client must tell from it."""
    for file in files:
        at = _place(file)
        yield {"URL": f"s3://asf-cumulus-prod-opera-products/{at}", "Type": "GET DATA VIA DIRECT ACCESS"}
        yield {"URL": f"https://datapool.asf.alaska.edu/RTC/OPERA-S1/{file.name}", "Type": "GET DATA"}
        yield {"URL": f"{host}/{at}", "Type": "GET DATA", "Description": f"Download {file.name}"}
        yield {"URL": f"{host}/{at}.md5", "Type": "EXTENDED METADATA"}
    yield {"URL": f"{host}/s3credentials", "Type": "VIEW RELATED INFORMATION"}


def _place(file: Path) -> str:
    kind = "OPERA_L2_RTC-S1-STATIC" if "-STATIC_" in file.name else "OPERA_L2_RTC-S1"
    return f"OPERA/{kind}/{file.parent.name}/{file.name}"
