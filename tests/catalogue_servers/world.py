"""All catalogues of one simulated archive at once."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from posixpath import normpath
from types import TracebackType
from typing import Any, Self

from catalogue_servers.assets import AssetServer, Container
from catalogue_servers.buckets import BucketServer
from catalogue_servers.cmr import CmrServer
from catalogue_servers.earthdata import DataArchive, LoginServer, Users
from catalogue_servers.files import FileServer
from catalogue_servers.granules import records_of
from catalogue_servers.loopback import HOST, LoopbackServer, start_all, stop_all
from catalogue_servers.mirrors import COLLECTION, at_earth_search
from catalogue_servers.soilgrids import SoilGridsServer
from catalogue_servers.stac import Item, StacServer

CONTAINERS = {
    "sentinel-1-rtc": ("sentinel1euwestrtc", "sentinel1-grd-rtc"),
    "sentinel-1-grd": ("sentinel1euwest", "s1-grd"),
    "sentinel-2-l2a": ("sentinel2l2a01", "sentinel2-l2"),
    "nasadem": ("nasademeuwest", "nasadem-cog"),
    "esa-worldcover": ("ai4edataeuwest", "esa-worldcover"),
}
"""Account and container of each collection at the Planetary Computer."""
FOLDERS = {"sentinel-1-grd": "sentinel-1-rtc"}
"""Folder of the archive that holds a collection's files, where it is not named after it."""
GRANULES = ("smap", "gldas")


class World:
    """Servers of a simulated archive: a context manager.

    The archive is read only; it may grow while it is served: see `refresh`.

    Attributes:
        stac: Planetary Computer's catalogue. As there, an item of `sentinel-1-rtc` has no annotation: its link
            `derived_from` names the item of `sentinel-1-grd` that has it.
        assets: Its files, signed, and its tokens.
        earth_search: Earth Search's catalogue of the Sentinel-2 scenes.
        open_data: Its files.
        cmr: NASA's catalogue.
        archive: NASA's data host.
        login: Earthdata Login.
        soilgrids: ISRIC.
        buckets: Copernicus DEM and WorldCover.
    """

    def __init__(self, archive: Path, token_life: float = 3600.0, page_size: int = 5, seed: int = 0) -> None:
        """Prepare the servers.

        Args:
            archive: Folder of the simulated archive.
            token_life: Validity of a signature of an asset, seconds.
            page_size: Most items of a page of a search.
            seed: Order of the answers of catalogues.
        """
        self.folder = archive
        self._work = tempfile.TemporaryDirectory(prefix="catalogue-servers-")
        work = Path(self._work.name)
        self.assets = AssetServer(
            [
                Container(account, name, archive / FOLDERS.get(collection, collection), collections=(collection,))
                for collection, (account, name) in CONTAINERS.items()
            ],
            token_life,
        )
        self.stac = StacServer(self._items(), page_size, seed)
        self.open_data = FileServer({f"/{COLLECTION}": archive / "sentinel-2-l2a"})
        self.earth_search = StacServer(self._mirrored(), page_size, seed, path="/v1")
        self.login = LoginServer(Users())
        self.archive = DataArchive(self._granules, self.login)
        self.cmr = CmrServer(records_of(self._granules(), self.archive.url), seed=seed)
        self.soilgrids = SoilGridsServer(archive / "soilgrids", work / "soilgrids")
        self.buckets = BucketServer(
            archive.glob("nasadem/*/*.tif"), archive.glob("esa-worldcover/*/*.tif"), work / "buckets"
        )
        self.servers = (
            self.stac,
            self.assets,
            self.earth_search,
            self.open_data,
            self.cmr,
            self.login,
            self.archive,
            self.soilgrids,
            self.buckets,
        )

    @property
    def addresses(self) -> Mapping[str, str]:
        """Where each catalogue begins."""
        return {
            "stac": self.stac.root,
            "sas": f"{self.assets.url}/sas/v1/token",
            "assets": self.assets.url,
            "earth_search": self.earth_search.root,
            "cmr": self.cmr.endpoint,
            "earthdata": self.archive.url,
            "login": self.login.url,
            "soilgrids": self.soilgrids.root,
            "copernicus_dem": self.buckets.dem,
            "worldcover": self.buckets.worldcover,
        }

    def __enter__(self) -> Self:
        start_all(self.servers)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        stop_all(self.servers)
        self._work.cleanup()

    def refresh(self) -> None:
        """Take items and granules that were added to the archive, changed or removed."""
        for server, items in ((self.stac, self._items()), (self.earth_search, self._mirrored())):
            server.items.clear()
            for item in items:
                server.add(item)
        self.cmr.records = records_of(self._granules(), self.archive.url)

    def mend(self) -> None:
        """Drop the planned faults of all servers."""
        for server in self.servers:
            server.mend()

    def reset(self) -> None:
        """Forget the requests that all servers saw."""
        for server in self.servers:
            server.reset()

    def settings(self) -> dict[str, Any]:
        """Catalogues in the form of vadose's configuration, to be written as YAML: those built in, on loopback."""
        radar, optical = {"sentinel1": ["sentinel-1-rtc"]}, {"sentinel2": ["sentinel-2-l2a"]}
        tokens = {"kind": "sas", "endpoint": self.addresses["sas"], "hosts": [_host(self.assets)]}
        login = {"kind": "earthdata", "endpoint": self.login.url, "hosts": [_host(self.archive)]}
        named = {
            "planetary-computer": (
                "stac",
                self.stac.root,
                {**radar, **optical, "dem": ["nasadem"], "worldcover": ["esa-worldcover"]},
                tokens,
            ),
            "earth-search": ("stac", self.earth_search.root, {"sentinel2": [COLLECTION]}, None),
            "copernicus-dem": ("copernicus-dem", self.buckets.dem, {"dem": ["cop-dem-glo-30"]}, None),
            "worldcover": ("worldcover", self.buckets.worldcover, {"worldcover": ["esa-worldcover"]}, None),
            "soilgrids": ("soilgrids", self.soilgrids.root, {"soilgrids": ["soilgrids"]}, None),
            "earthdata": (
                "cmr",
                self.cmr.endpoint,
                {"smap": ["SPL3SMP.009"], "gldas": ["GLDAS_NOAH025_3H.2.1", "GLDAS_NOAH025_3H_EP.2.1"]},
                login,
            ),
        }
        return {
            "catalogues": {
                name: {
                    "title": f"{name} on loopback",
                    "kind": kind,
                    "endpoint": endpoint,
                    "hosts": [HOST],
                    "collections": collections,
                    **({"credential": credential} if credential else {}),
                }
                for name, (kind, endpoint, collections, credential) in named.items()
            }
        }

    def write_items(self, path: Path) -> None:
        """Write the items served, as a GeoJSON feature collection in the order of their collections and ids."""
        items = [self.stac.items[key] for key in sorted(self.stac.items)]
        path.write_text(json.dumps({"type": "FeatureCollection", "features": items}, indent=1))

    def _granules(self) -> list[Path]:
        return sorted(path for name in GRANULES for path in (self.folder / name).glob("*") if path.is_file())

    def _items(self) -> Iterator[Item]:
        for path in sorted(self.folder.glob("*/*/*.json")):
            item = json.loads(path.read_text())
            collection = item.get("collection")
            if collection == "sentinel-1-rtc":
                yield from self._radar(item, path)
            elif collection in CONTAINERS:
                yield {**item, "assets": self._signed(item["assets"], collection, path)}

    def _mirrored(self) -> Iterator[Item]:
        for path in sorted(self.folder.glob("sentinel-2-l2a/*/*.json")):
            address = f"{self.open_data.url}/{COLLECTION}/{path.parent.name}"
            item = at_earth_search(json.loads(path.read_text()), path.parent, address)
            if item:
                yield item

    def _radar(self, item: Item, path: Path) -> Iterator[Item]:
        """Part an item into those of the two collections."""
        raw = "sentinel-1-grd"
        parts: dict[bool, dict[str, Any]] = {True: {}, False: {}}
        for key, asset in item["assets"].items():
            parts[key.startswith("schema-")][key] = asset
        name = item["id"].removesuffix("_rtc")
        link = {
            "rel": "derived_from",
            "href": f"https://planetarycomputer.microsoft.com/api/stac/v1/collections/{raw}/items/{name}",
            "type": "application/json",
            "title": "Sentinel 1 GRD Item",
        }
        links = [*item["links"], *([link] if parts[True] else [])]
        yield {**item, "links": links, "assets": self._signed(parts[False], item["collection"], path)}
        if parts[True]:
            properties = {key: value for key, value in item["properties"].items() if not key.startswith("proj:")}
            assets = self._signed(parts[True], raw, path)
            yield {**item, "id": name, "collection": raw, "properties": properties, "assets": assets}

    def _signed(self, assets: Mapping[str, Any], collection: str, path: Path) -> dict[str, Any]:
        account, container = CONTAINERS[collection]
        folder = self.assets.address(account, container, path.parent.name)
        return {key: {**asset, "href": f"{folder}/{normpath(asset['href'])}"} for key, asset in assets.items()}


def _host(server: LoopbackServer) -> str:
    return f"{HOST}:{server.port}"
