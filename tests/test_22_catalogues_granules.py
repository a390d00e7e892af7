"""Of a remote granule only what is read is fetched, and read as from the whole granule; a hostile one is refused."""

import shutil
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from catalogue_servers import CmrServer, DataArchive, LoginServer, Users, faults, records_of
from vadose.catalogues import granules
from vadose.catalogues.cache import BlockCache
from vadose.catalogues.cmr import search_granules
from vadose.catalogues.earthdata import EarthdataSigner
from vadose.catalogues.granules import copy_granule
from vadose.catalogues.http import HttpClient, Limits, Reply, Unavailable
from vadose.catalogues.remote import Changed, RemoteFile
from vadose.errors import VadoseError
from vadose.grid import AreaOfInterest, Period
from vadose.registry import SPECS
from vadose.sources.gldas import Gldas
from vadose.sources.smap import Smap, smap_surface

AM, PM = "Soil_Moisture_Retrieval_Data_AM", "Soil_Moisture_Retrieval_Data_PM"
SMAP, GLDAS = SPECS["smap"].granules.datasets, SPECS["gldas"].granules.datasets
EVERYWHERE = AreaOfInterest.from_bbox(-180, -60, 180, 84)


class Archive(HttpClient):
    """A client whose data archive holds one file."""

    def __init__(self, content: bytes) -> None:
        super().__init__(frozenset({"archive.example"}))
        self.content, self.etag, self.ranges, self.fails_after = content, '"1"', [], 10**9

    def get(self, url, headers=None, _largest=0):
        self.require_allowed(url)
        if len(self.ranges) >= self.fails_after:
            raise Unavailable("catalogues: the archive", "No answer", "Repeat")
        start, last = (int(part) for part in headers["Range"].removeprefix("bytes=").split("-"))
        part = self.content[start : last + 1]
        self.ranges.append((start, start + len(part)))
        told = f"bytes {start}-{start + len(part) - 1}/{len(self.content)}"
        return Reply(206, {"content-range": told, "etag": self.etag}, part, url)

    @property
    def received(self) -> int:
        return sum(stop - start for start, stop in self.ranges)


def copied(path: Path, out: Path, datasets, archive: Archive | None = None) -> Archive:
    archive = archive or Archive(path.read_bytes())
    cache = BlockCache(out.parent / "cache")
    copy_granule(RemoteFile(archive, f"https://archive.example/{path.name}", cache), out, datasets)
    return archive


def values(source, period: Period, area: AreaOfInterest = EVERYWHERE) -> list[xr.Dataset]:
    return [dataset.compute() for dataset in source.open(area, period)]


def seen(paths: Iterable[Path]) -> AreaOfInterest:
    """Where granules of SMAP hold values."""
    found = []
    for path in paths:
        with h5py.File(path) as file:
            sides = [file[AM][name][()] for name in ("longitude", "latitude")]
        found.append([side[side > -9000] for side in sides])
    lon, lat = (np.concatenate(sides) for sides in zip(*found, strict=True))
    return AreaOfInterest.from_bbox(lon.min() - 1, lat.min() - 1, lon.max() + 1, lat.max() + 1)


@pytest.fixture(scope="module")
def archives(tiny_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """A simulated archive's granules, whole and as they are copied."""
    whole, parts = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("parts")
    for source in ("smap", "gldas"):
        found = sorted((tiny_world / source).rglob("*.h5")) + sorted((tiny_world / source).rglob("*.nc4"))
        for path in found[:4]:
            shutil.copy(path, whole / path.name)
            copied(path, parts / path.name, SPECS[source].granules.datasets)
    yield whole, parts


@pytest.mark.parametrize(
    "open_source",
    [
        Smap,
        lambda folder: Smap(folder, quality="retrieved"),
        lambda folder: Smap(folder, grid="36km"),
        smap_surface,
        Gldas,
    ],
    ids=["smap", "retrieved", "36km", "surface", "gldas"],
)
def test_a_copy_is_read_as_the_whole_granule(archives, open_source) -> None:
    every = Period.parse("2000-01-01/2040-01-01")
    area = seen(archives[0].glob("SMAP*"))
    whole, part = (values(open_source(folder), every, area) for folder in archives)
    assert len(whole) == len(part) > 0
    for one, other in zip(whole, part, strict=True):
        assert int(one[next(iter(one.data_vars))].notnull().sum()) > 0
        xr.testing.assert_identical(one, other)


def test_a_real_granule_of_gldas_is_read_alike_by_both_libraries(real: Path, tmp_path: Path) -> None:
    for path in sorted((real / "gldas").glob("*.nc4")):
        archive = copied(path, tmp_path / path.name, GLDAS)
        assert len(archive.ranges) <= 5
        with xr.open_dataset(path, engine="netcdf4") as whole, xr.open_dataset(tmp_path / path.name) as part:
            assert set(part.variables) == {"SoilMoi0_10cm_inst", "time", "lat", "lon"}
            for name in part.variables:
                xr.testing.assert_identical(part[name].variable, whole[name].variable)
            assert part.attrs == whole.attrs
            assert part["SoilMoi0_10cm_inst"].dims == ("time", "lat", "lon")
    period = Period.parse("2016-01-01")
    xr.testing.assert_identical(values(Gldas(real / "gldas"), period)[0], values(Gldas(tmp_path), period)[0])


def described(file: h5py.File, path: str) -> tuple:
    one = file[path]
    properties = one.id.get_create_plist()
    filters = [properties.get_filter(n) for n in range(properties.get_nfilters())]
    attributes = {name: (one.attrs.get_id(name).dtype, one.attrs[name]) for name in one.attrs}
    return one.shape, one.maxshape, one.dtype, one.chunks, one.fillvalue, filters, str(attributes)


def test_shapes_types_chunks_filters_and_attributes_stay(tmp_path: Path) -> None:
    path, rng = tmp_path / "g.h5", np.random.default_rng(1)
    with h5py.File(path, "w") as file:
        file.attrs["title"] = "text of any length"
        group = file.create_group("deep/er")
        group.attrs["note"] = np.bytes_("a group")
        for name, options in {
            "chunked": {"chunks": (7, 5), "compression": "gzip", "shuffle": True, "fletcher32": True},
            "plain_chunks": {"chunks": (7, 5), "maxshape": (None, 23)},
            "contiguous": {},
        }.items():
            made = group.create_dataset(name, (31, 23), ">f4", fillvalue=-9999.0, **options)
            made[3:20] = rng.random((17, 23))
            made.attrs["units"] = np.bytes_("m3 m-3")
            made.attrs["flags"] = np.array([1, 2, 4], ">u2")
            made.attrs["names"] = ["one", "eleven"]
            made.attrs["empty"] = h5py.Empty("f4")
            made.attrs["pair"] = np.zeros(2, [("a", "i4"), ("b", "f8")])
        group.create_dataset("never_written", (4, 4), "u2", chunks=(2, 2), fillvalue=65534)
        group.create_dataset("text", data=np.array([b"abc", b"de"]))
        group["scalar"] = 3.5
        group.create_dataset("unwanted", data=rng.random((100, 100)))
        partly = group.create_dataset("raw_edge", (4, 6), "i2", chunks=(2, 6), compression="gzip", shuffle=True)
        partly[2:] = 7
        partly.id.write_direct_chunk((0, 0), np.arange(12, dtype="i2").tobytes(), 0b11)
        layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        layout.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple((3,))
        compact = h5py.h5d.create(group.id, b"compact", h5py.h5t.STD_I16BE, space, layout)
        compact.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array([5, 6, 7], ">i2"))
        wanted = [f"deep/er/{name}" for name in group if name != "unwanted"]
    copied(path, tmp_path / "out.h5", [(name,) for name in [*wanted, "absent", "deep/absent/er"]])
    with h5py.File(path) as whole, h5py.File(tmp_path / "out.h5") as part:
        assert [f"deep/er/{name}" for name in part["deep/er"]] == sorted(wanted)
        assert dict(part.attrs) == dict(whole.attrs)
        assert dict(part["deep/er"].attrs) == dict(whole["deep/er"].attrs)
        for name in wanted:
            assert described(part, name) == described(whole, name)
            np.testing.assert_array_equal(part[name][()], whole[name][()])


def test_dimension_scales_stay_where_they_are_copied(tmp_path: Path) -> None:
    path = tmp_path / "g.nc"
    xr.Dataset(
        {"sm": (("time", "lat", "lon"), np.arange(12.0).reshape(1, 3, 4)), "other": (("lat", "band"), np.ones((3, 2)))},
        {"time": [0.0], "lat": [1.0, 2.0, 3.0], "lon": [1.0, 2.0, 3.0, 4.0]},
    ).to_netcdf(path)
    copied(path, tmp_path / "out.nc", [("sm",), ("lat",), ("lon",), ("time",)])
    with xr.open_dataset(path) as whole, xr.open_dataset(tmp_path / "out.nc") as part:
        xr.testing.assert_identical(part, whole[["sm"]])
    copied(path, tmp_path / "fewer.nc", [("sm",), ("lat",)])
    with h5py.File(tmp_path / "fewer.nc") as part:
        assert [[scale.name for scale in dim.values()] for dim in part["sm"].dims] == [[], ["/lat"], []]


def test_of_several_names_the_first_that_is_there_is_copied(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "g.h5", "w") as file:
        file["b"], file["c"] = [1], [2]
    copied(tmp_path / "g.h5", tmp_path / "out.h5", [("a", "b", "c")])
    with h5py.File(tmp_path / "out.h5") as part:
        assert list(part) == ["b"]


def test_the_same_granule_gives_the_same_bytes(tmp_path: Path, archives) -> None:
    path = next(archives[0].glob("SMAP*"))
    for name in ("a", "b"):
        copied(path, tmp_path / name, SMAP)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_second_copy_is_taken_from_the_cache(tmp_path: Path, archives) -> None:
    path = next(archives[0].glob("SMAP*"))
    first = copied(path, tmp_path / "a", SMAP)
    second = copied(path, tmp_path / "b", SMAP)
    assert len(first.ranges) > len(second.ranges) == 1


def full_size(path: Path, shape: tuple[int, int], parts: int, variables: int, attributes_last: bool) -> Path:
    """A granule as large as a real one: four groups, one variable after the other, all chunks of random bytes."""
    rng = np.random.default_rng(2)
    fields = [f"field_{n:02}" for n in range(variables // 4 - 4)]
    chunk = tuple(-(-size // parts) for size in shape)
    with h5py.File(path, "w") as file:
        for name, suffix in ((AM, ""), (f"{AM[:-2]}Polar_AM", ""), (PM, "_pm"), (f"{AM[:-2]}Polar_PM", "_pm")):
            group = file.create_group(name)
            kinds = {"soil_moisture": "f4", "retrieval_qual_flag": "u2", "surface_flag": "u2", "tb_time_seconds": "f8"}
            for field in rng.permutation([*fields, *kinds]):
                kind = kinds.get(str(field), "f4")
                made = group.create_dataset(
                    f"{field}{suffix}", shape, kind, chunks=chunk, compression="gzip", shuffle=True, fillvalue=0
                )
                if not attributes_last:
                    made.attrs["long_name"] = np.bytes_("Description of a variable. " * 10)
                size = np.prod(chunk) * np.dtype(kind).itemsize
                stored = rng.bytes(max(size // 60, 64))  # as well packed as a real one, of which most is empty
                for row in range(0, shape[0], chunk[0]):
                    for column in range(0, shape[1], chunk[1]):
                        made.id.write_direct_chunk((row, column), stored)
                if attributes_last:
                    made.attrs["long_name"] = np.bytes_("Description of a variable. " * 10)
    return path


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A granule whose parts lie far from each other."""
    return full_size(tmp_path_factory.mktemp("large") / "SMAP.h5", (1624, 3856), 4, 40, attributes_last=True)


@pytest.mark.parametrize("parts", [4, 8])
@pytest.mark.parametrize("attributes_last", [False, True])
def test_a_granule_of_full_size_costs_few_requests_and_bytes(
    parts, attributes_last, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(granules, "_check", lambda *_: None)  # random bytes stand for the chunks
    path = full_size(tmp_path / "SMAP.h5", (1624, 3856), parts, 204, attributes_last)
    archive = copied(path, tmp_path / "out.h5", SMAP)
    with h5py.File(tmp_path / "out.h5") as part:
        needed = sum(one.id.get_storage_size() for group in part.values() for one in group.values())
        assert Counter(len(group) for group in part.values()) == {4: 2}
    assert path.stat().st_size > 65e6
    assert len(archive.ranges) <= 30
    assert archive.received < min(needed + 0.7e6, 4e6)


def bait(name):
    def decorate(make):
        BAITS[name] = make
        return make

    return decorate


BAITS: dict = {}
SHAPE = (406, 964)


@bait("a link to another file")
def _(file, secret):
    file[f"{AM}/soil_moisture"] = h5py.ExternalLink(str(secret), "/x")


@bait("a group in another file")
def _(file, secret):
    file[AM] = h5py.ExternalLink(str(secret), "/")


@bait("a link to another object")
def _(file, _secret):
    file["x"] = np.zeros(SHAPE)
    file[f"{AM}/soil_moisture"] = h5py.SoftLink("/x")


@bait("a link in a circle")
def _(file, _secret):
    file[f"{AM}/soil_moisture"] = h5py.SoftLink(f"/{AM}/soil_moisture")


@bait("a virtual dataset")
def _(file, secret):
    layout = h5py.VirtualLayout(SHAPE, np.float32)
    layout[:] = h5py.VirtualSource(str(secret), "x", SHAPE)
    file.create_group(AM).create_virtual_dataset("soil_moisture", layout)


@bait("external storage")
def _(file, secret):
    file.create_dataset(f"{AM}/soil_moisture", SHAPE, "f4", external=[(str(secret), 0, h5py.h5f.UNLIMITED)])


@bait("a group for a dataset")
def _(file, _secret):
    file.create_group(f"{AM}/soil_moisture")


@bait("values of any length")
def _(file, _secret):
    file.create_dataset(f"{AM}/soil_moisture", SHAPE[:1], h5py.string_dtype())


@bait("references")
def _(file, _secret):
    file.create_dataset(f"{AM}/soil_moisture", SHAPE[:1], h5py.ref_dtype)


@bait("more values than a granule has")
def _(file, _secret):
    file.create_dataset(f"{AM}/soil_moisture", (10**6, 10**6), "f4", chunks=(100, 100))


@bait("chunks larger than a granule")
def _(file, _secret):
    file.create_dataset(f"{AM}/soil_moisture", (4, 4), "f4", chunks=(20_000, 20_000), maxshape=(None, None))


@bait("an unknown filter")
def _(file, _secret):
    file.create_dataset(f"{AM}/soil_moisture", data=np.zeros(SHAPE), compression="lzf")


@bait("many attributes")
def _(file, _secret):
    made = file.create_dataset(f"{AM}/soil_moisture", data=np.zeros(SHAPE))
    for n in range(300):
        made.attrs[f"a{n}"] = n


@bait("a large attribute")
def _(file, _secret):
    file.create_dataset(f"{AM}/soil_moisture", data=np.zeros(SHAPE))
    file.attrs["text"] = np.zeros(80_000, "u1")


@bait("a chunk of other bytes")
def _(file, _secret):
    made = file.create_dataset(f"{AM}/soil_moisture", SHAPE, "f4", chunks=SHAPE, compression="gzip")
    made.id.write_direct_chunk((0, 0), b"<html>service unavailable</html>")


@bait("a chunk that unpacks to gigabytes")
def _(file, _secret):
    import zlib

    made = file.create_dataset(f"{AM}/soil_moisture", (10, 10), "f4", chunks=(10, 10), compression="gzip")
    made.id.write_direct_chunk((0, 0), zlib.compress(bytes(64 << 20), 9))


@bait("nothing that is read")
def _(file, _secret):
    file[f"{AM}/latitude"] = np.zeros(SHAPE)


@pytest.mark.parametrize("name", BAITS)
def test_a_hostile_granule_is_refused_before_it_is_followed(name, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(granules, "LARGEST_ATTRIBUTE", 1 << 16)
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["x"] = np.full(SHAPE, 0.777, np.float32)
        file["soil_moisture"] = np.full(SHAPE, 0.777, np.float32)
    with h5py.File(tmp_path / "SMAP.h5", "w", libver="latest") as file:
        BAITS[name](file, secret)
    (tmp_path / "out").mkdir()
    with pytest.raises(VadoseError, match=r"SMAP\.h5"):
        copied(tmp_path / "SMAP.h5", tmp_path / "out" / "out.h5", SMAP)
    assert [entry.name for entry in (tmp_path / "out").iterdir()] in ([], ["cache"])


def test_links_that_are_not_read_do_no_harm(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "SMAP.h5", "w") as file:
        file[f"{AM}/soil_moisture"] = np.ones(SHAPE)
        file[f"{AM}/up"] = file["/"]
        file["elsewhere"] = h5py.ExternalLink("/etc/passwd", "/")
    copied(tmp_path / "SMAP.h5", tmp_path / "out.h5", SMAP)
    with h5py.File(tmp_path / "out.h5") as part:
        assert list(part) == [AM]
        assert list(part[AM]) == ["soil_moisture"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:5000],
        lambda _: b"<!DOCTYPE html><html><title>Earthdata Login</title></html>",
        lambda _: b"x",
        lambda _: b"CDF\x01" + bytes(100),
        lambda content: content[:8] + bytes(len(content) - 8),
        lambda content: content[:600] + b"\xff" * 4000 + content[4600:],
    ],
    ids=["half", "header", "page", "byte", "classic", "zeros", "overwritten"],
)
def test_a_damaged_granule_is_refused(damage, archives, tmp_path: Path) -> None:
    path = next(archives[0].glob("SMAP*"))
    with pytest.raises(VadoseError, match="SMAP"):
        copied(path, tmp_path / "out.h5", SMAP, Archive(damage(path.read_bytes())))
    assert not (tmp_path / "out.h5").exists()


def test_headers_without_end_are_not_read(archives, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(granules, "MOST_METADATA", 10_000)
    with pytest.raises(VadoseError, match=r"more than 10,000 bytes"):
        copied(next(archives[0].glob("SMAP*")), tmp_path / "out.h5", SMAP)


@pytest.mark.parametrize("after", [0, 1, 2, 4, 9, 15])
def test_an_outage_while_reading_is_told_as_such(after, large: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(granules, "_check", lambda *_: None)
    archive = Archive(large.read_bytes())
    archive.fails_after = after
    with pytest.raises(Unavailable):
        copied(large, tmp_path / "out.h5", SMAP, archive)
    assert not (tmp_path / "out.h5").exists()
    archive.fails_after = 10**9
    copied(large, tmp_path / "out.h5", SMAP, archive)
    assert len(archive.ranges) == len(set(archive.ranges)) + (after > 0)  # the header alone is asked for again


class Replaced(Archive):
    """A file that is replaced after some requests."""

    after = 0

    def get(self, url, headers=None, largest=0):
        self.etag = '"1"' if len(self.ranges) < self.after else '"2"'
        return super().get(url, headers, largest)


@pytest.mark.parametrize("after", [1, 2, 9, 15])
def test_a_granule_that_is_replaced_meanwhile_is_not_mixed(after, large: Path, tmp_path: Path) -> None:
    archive = Replaced(large.read_bytes())
    archive.after = after
    with pytest.raises(Changed):
        copied(large, tmp_path / "out.h5", SMAP, archive)


class Meeting(Archive):
    """An archive that answers the same requests of two copies at the same time, or none."""

    def __init__(self, content: bytes, barrier: threading.Barrier) -> None:
        super().__init__(content)
        self.barrier = barrier

    def get(self, url, headers=None, largest=0):
        if len(self.ranges) < 4:  # later ones are asked for at once
            self.barrier.wait()
        return super().get(url, headers, largest)


def test_a_granule_that_waits_for_its_archive_keeps_no_other_one_waiting(
    large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(granules, "_check", lambda *_: None)
    content, barrier = large.read_bytes(), threading.Barrier(2, timeout=20)

    def copy(name: str) -> int:
        (tmp_path / name).mkdir()
        copied(large, tmp_path / name / "out.h5", SMAP, Meeting(content, barrier))
        return (tmp_path / name / "out.h5").stat().st_size

    with ThreadPoolExecutor(2) as pool:
        assert len(set(pool.map(copy, "ab"))) == 1


def test_a_full_disk_is_no_damage_of_the_granule(archives, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(granules, "_fill", full)
    with pytest.raises(OSError, match="No space left"):
        copied(next(archives[0].glob("SMAP*")), tmp_path / "out.h5", SMAP)
    assert not (tmp_path / "out.h5").exists()


def host(server) -> str:
    return server.url.partition("//")[2]


@pytest.mark.parametrize("storage", [False, True], ids=["archive", "cloud"])
def test_granules_are_searched_and_copied_over_the_protocols_of_nasa(archives, tmp_path: Path, storage: bool) -> None:
    whole = archives[0]
    with (
        LoginServer(Users(passwords={"user": "pass:word"})) as login,
        DataArchive(lambda: list(whole.iterdir()), login, storage=storage) as archive,
        CmrServer(records_of(whole.iterdir(), archive.url), page_limit=2, seed=5) as cmr,
    ):
        account = {"EARTHDATA_USERNAME": "user", "EARTHDATA_PASSWORD": "pass:word"}
        client = HttpClient(
            frozenset(host(server) for server in (cmr, archive, archive.store)),
            {host(archive): EarthdataSigner(login.url, account)},
            Limits(backoff_s=0.0),
            pause=lambda _: None,
        )
        archive.fail(faults.down(), times=2)
        found = [
            search_granules(client, cmr.endpoint, *collection, Period.parse("2000-01-01/2040-01-01"))
            for collection in (("SPL3SMP", "009"), ("SPL3SMP_E", "006"), ("GLDAS_NOAH025_3H", "2.1"))
        ]
        names = [granule.name for one in found for granule in one.granules]
        assert sorted(names) == sorted(entry.name for entry in whole.iterdir())
        assert not any(one.left_out for one in found)
        for granule in (one for search in found for one in search.granules):
            assert abs(granule.size - (whole / granule.name).stat().st_size) < 1000
            source = "gldas" if granule.name.startswith("GLDAS") else "smap"
            remote = RemoteFile(client, granule.url, BlockCache(tmp_path / "cache"))
            copy_granule(remote, tmp_path / granule.name, SPECS[source].granules.datasets)
            assert (tmp_path / granule.name).read_bytes() == (archives[1] / granule.name).read_bytes()
        assert sum(request.path.endswith("find_or_create_token") for request in login.seen()) == 1
        assert all("authorization" not in request.headers for request in (*cmr.seen(), *archive.store.seen()))
        assert bool(archive.store.seen()) == storage
