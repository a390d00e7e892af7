"""Granules are found by asking CMR, whatever it answers; an empty answer is told from an outage."""

import itertools
import json
import random

import numpy as np
import pytest

from vadose.catalogues.absence import KNOWN_GAPS, AbsenceKind, explain_absence
from vadose.catalogues.cmr import search_granules
from vadose.catalogues.http import HttpClient, Reply, Unavailable
from vadose.errors import VadoseError
from vadose.grid import AreaOfInterest, Period

ENDPOINT = "https://cmr.earthdata.nasa.gov/search"
ARCHIVE = "data.nsidc.earthdatacloud.nasa.gov"
HOSTS = frozenset({"cmr.earthdata.nasa.gov", ARCHIVE, "data.gesdisc.earthdata.nasa.gov"})
PERIOD = Period.parse("2020-06-01/2020-06-10")


def record(name, day="2020-06-01", **changes):
    """A record as NSIDC gives them, in the form UMM-G 1.6."""
    stem = name.removesuffix(".h5")
    base = f"https://{ARCHIVE}/nsidc-cumulus-prod-protected/SMAP/SPL3SMP/009/2020/06"
    umm = {
        "GranuleUR": name,
        "TemporalExtent": {
            "RangeDateTime": {
                "BeginningDateTime": f"{day}T00:00:00.000Z",
                "EndingDateTime": f"{day}T23:59:59.999Z",
            }
        },
        "ProviderDates": [
            {"Date": "2023-09-01T10:00:00.000Z", "Type": "Insert"},
            {"Date": "2023-09-02T10:00:00.000Z", "Type": "Update"},
        ],
        "DataGranule": {
            "ArchiveAndDistributionInformation": [
                {
                    "Name": name,
                    "Size": 29.5,
                    "SizeUnit": "MB",
                    "SizeInBytes": 30_900_000,
                    "Checksum": {"Algorithm": "MD5", "Value": "9E107D9D372BB6826BD81D3542A419D6"},
                },
                {"Name": f"{stem}.iso.xml", "SizeInBytes": 20_000},
            ]
        },
        "RelatedUrls": [
            {"URL": f"{base}/{stem}.iso.xml", "Type": "EXTENDED METADATA"},
            {"URL": f"s3://nsidc-cumulus-prod-protected/SMAP/SPL3SMP/009/{name}", "Type": "GET DATA"},
            {"URL": f"s3://nsidc/{name}", "Type": "GET DATA VIA DIRECT ACCESS"},
            {"URL": f"{base}/{name}", "Type": "GET DATA"},
            {"URL": f"{base}/{stem}.qa", "Type": "GET DATA"},
            {"URL": f"https://opendap.earthdata.nasa.gov/{name}", "Type": "USE SERVICE API", "Subtype": "OPENDAP DATA"},
            {"URL": f"{base}/{stem}.png", "Type": "GET RELATED VISUALIZATION"},
            {"URL": f"https://{ARCHIVE}/s3credentials", "Type": "VIEW RELATED INFORMATION"},
        ],
        **changes,
    }
    meta = {"concept-id": f"G{abs(hash(name)) % 10**9}-NSIDC_CPRD", "revision-id": 3}
    return {"meta": {**meta, "revision-date": "2023-09-03T10:00:00.123Z"}, "umm": umm}


def link(url, **changes):
    return {"RelatedUrls": [{"URL": url, "Type": "GET DATA", **changes}]}


def named(revision, day="20200601", release="19240"):
    return f"SMAP_L3_SM_P_{day}_R{release}_{revision}.h5"


class Catalogue(HttpClient):
    """A client whose catalogue answers what it is given, page by page."""

    def __init__(self, *pages, hits=None, headers=None):
        super().__init__(HOSTS)
        self.pages, self.hits, self.extra, self.asked = pages, hits, headers or {}, []

    def get(self, url, headers=None, _largest=0):
        self.require_allowed(url)
        self.asked.append((url, headers))
        page = int(json.loads(headers.get("CMR-Search-After", "[0]"))[0])
        content = self.pages[page] if page < len(self.pages) else []
        following = {"cmr-search-after": json.dumps([page + 1])} if content else {}
        hits = sum(len(one) for one in self.pages) if self.hits is None else self.hits
        body = json.dumps({"hits": hits, "took": 3, "items": content}).encode()
        return Reply(200, {**following, **self.extra}, body, url)


def search(client, period=PERIOD, area=None, **changes):
    return search_granules(client, **{"endpoint": ENDPOINT, "short_name": "SPL3SMP", "version": "009"} | changes,
                           period=period, area=area)  # fmt: skip


def test_the_file_is_the_download_of_the_archive_with_its_size_checksum_and_times() -> None:
    found = search(Catalogue([record(named("001"))]))
    (granule,) = found.granules
    assert not found.left_out
    assert granule.name == "SMAP_L3_SM_P_20200601_R19240_001.h5"
    assert granule.url.startswith(f"https://{ARCHIVE}/")
    assert granule.url.endswith(granule.name)
    assert (granule.size, granule.checksum) == (30_900_000, ("MD5", "9e107d9d372bb6826bd81d3542a419d6"))
    assert (granule.start, granule.end) == (np.datetime64("2020-06-01"), np.datetime64("2020-06-01T23:59:59.999"))
    assert granule.updated == np.datetime64("2023-09-03T10:00:00.123")
    assert granule.published == np.datetime64("2023-09-01T10:00:00")
    assert granule.start.dtype == granule.updated.dtype == "datetime64[ns]"
    assert granule.revision == 3


def test_collection_period_and_box_are_asked_for() -> None:
    client = Catalogue([])
    area = AreaOfInterest.from_bbox(179, -20, -179, -10)
    assert search(client, area=area).granules == ()
    ((url, headers),) = client.asked
    assert url.startswith(f"{ENDPOINT}/granules.umm_json?short_name=SPL3SMP&version=009&temporal=2020-06-01T00%3A00")
    assert "2020-06-10T23%3A59%3A59.999Z" in url
    assert "bounding_box=179.000000%2C-20.000000%2C-179.000000%2C-10.000000" in url
    assert "CMR-Search-After" not in headers


@pytest.mark.parametrize("sizes", [[1000, 1000, 412], [7, 5]])
def test_all_pages_are_read_in_any_order_of_answers(sizes) -> None:
    days = np.datetime_as_string(np.arange("2015-04-01", "2022-01-01", dtype="datetime64[D]"))[: sum(sizes)]
    records = [record(named("001", day.replace("-", "")), day) for day in days]
    every = Period.parse("2015-04-01/2021-12-31")
    results = []
    for seed in (1, 2):
        random.Random(seed).shuffle(records)
        rest = iter(records)
        client = Catalogue(*(list(itertools.islice(rest, size)) for size in sizes))
        results.append(search(client, every))
        assert len(client.asked) == len(sizes) + 1
    assert results[0] == results[1]
    assert len(results[0].granules) == sum(sizes)


@pytest.mark.parametrize("order", list(itertools.permutations(["001", "003", "002"])))
def test_of_several_revisions_of_a_day_the_highest_counts(order) -> None:
    records = [record(named(revision)) for revision in order] + [record(named("009", release="19230"))]
    found = search(Catalogue(records, [record(named("001", "20200602"), "2020-06-02")]))
    assert [one.name for one in found.granules] == [named("003"), named("001", "20200602")]


def test_of_two_records_of_one_file_the_later_counts() -> None:
    old, new = record(named("001")), record(named("001"))
    new["meta"] |= {"revision-date": "2024-01-01T00:00:00Z", "revision-id": 9}
    for records in ([old, new], [new, old]):
        assert [one.revision for one in search(Catalogue(records)).granules] == [9]


def test_granules_beside_the_period_are_not_taken() -> None:
    records = [record(named("001", "20200611"), "2020-06-11"), record(named("001", "20200531"), "2020-05-31")]
    assert search(Catalogue(records)).granules == ()


ODD = {
    "no data link": {"RelatedUrls": [{"URL": f"https://{ARCHIVE}/x.png", "Type": "GET RELATED VISUALIZATION"}]},
    "no links": {"RelatedUrls": []},
    "another host": link("https://evil.example/SMAP_L3_SM_P_20200601_R19240_001.h5"),
    "no TLS": link(f"http://{ARCHIVE}/SMAP_L3_SM_P_20200601_R19240_001.h5"),
    "a local file": link("file:///etc/passwd.h5"),
    "a user": link(f"https://{ARCHIVE}@evil.example/a.h5"),
    "a path": link(f"https://{ARCHIVE}/x/..%2F..%2Fetc%2Fa.h5"),
    "hidden": link(f"https://{ARCHIVE}/x/.a.h5"),
    "a control character": link(f"https://{ARCHIVE}/x/a%0Ab.h5"),
    "another format": link(f"https://{ARCHIVE}/x/a.tif"),
    "a service": link(f"https://{ARCHIVE}/x/a.h5", Subtype="OPENDAP DATA"),
    "two files": {"RelatedUrls": [{"URL": f"https://{ARCHIVE}/{n}.h5", "Type": "GET DATA"} for n in "ab"]},
    "no times": {"TemporalExtent": {}},
    "no such time": {"TemporalExtent": {"SingleDateTime": "2020-13-45T00:00:00Z"}},
    "backward": {
        "TemporalExtent": {
            "RangeDateTime": {
                "BeginningDateTime": "2020-06-02T00:00:00Z",
                "EndingDateTime": "2020-06-01T00:00:00Z",
            }
        }
    },
    "other types": {"RelatedUrls": "https", "TemporalExtent": 3},
    "a list": {"DataGranule": [1, 2]},
}


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_granule_is_left_out_by_name_and_the_others_stay(kind) -> None:
    good, odd = record(named("001")), record(named("001", "20200602"), "2020-06-02", **ODD[kind])
    found = search(Catalogue([odd, good]))
    assert [one.name for one in found.granules] == [named("001")]
    ((name, source),) = [(one.name, one.source) for one in found.left_out]
    assert (name, source) == (named("001", "20200602"), "SPL3SMP")


@pytest.mark.parametrize("content", [{"meta": {}}, {"umm": []}, {"meta": None, "umm": None}])
def test_a_record_without_its_parts_is_left_out(content) -> None:
    found = search(Catalogue([content, record(named("001"))]))
    assert len(found.granules) == len(found.left_out) == 1


def test_gldas_has_two_collections_and_names_without_revision() -> None:
    host = "https://data.gesdisc.earthdata.nasa.gov/data/GLDAS/GLDAS_NOAH025_3H_EP.2.1/2020/153"
    names = [f"GLDAS_NOAH025_3H_EP.A20200601.{hour:02}00.021.nc4" for hour in range(0, 24, 3)]
    client = Catalogue([record(name, **link(f"{host}/{name}")) for name in reversed(names)])
    found = search(client, short_name="GLDAS_NOAH025_3H_EP", version="2.1")
    assert [one.name for one in found.granules] == names
    assert "short_name=GLDAS_NOAH025_3H_EP&version=2.1" in client.asked[0][0]


class Repeating(Catalogue):
    """A catalogue whose pages lead back to the first one."""

    def get(self, url, _headers=None, _largest=0):
        reply = super().get(url, {})
        return Reply(200, {"cmr-search-after": "[0]"}, reply.body, url)


def answering(content):
    class Odd(Catalogue):
        def get(self, url, _headers=None, _largest=0):
            return Reply(200, {}, content, url)

    return Odd()


@pytest.mark.parametrize(
    "client",
    [
        Repeating([record(named("001"))]),
        Catalogue([record(named("001"))], headers={"cmr-timed-out": "true"}),
        Catalogue([record(named("001"))], hits=2),
        answering(b"<html>down for maintenance</html>"),
        answering(b"[]"),
        answering(b'{"errors": ["no"]}'),
        answering(b'{"hits": 1e999, "items": []}'),
    ],
)
def test_an_answer_that_is_incomplete_or_endless_is_refused_not_taken_as_empty(client) -> None:
    with pytest.raises(VadoseError):
        search(client)


def test_an_incomplete_answer_counts_as_an_outage() -> None:
    with pytest.raises(Unavailable, match="1 of 2 granules"):
        search(Catalogue([record(named("001"))], hits=2))


NOW = np.datetime64("2026-01-10T12:00")


@pytest.mark.parametrize(
    ("source", "period", "kind"),
    [
        ("smap", "2019-06-25/2019-07-10", AbsenceKind.KNOWN_GAP),
        ("smap", "2019-06-19", AbsenceKind.KNOWN_GAP),
        ("smap", "2019-07-23", AbsenceKind.KNOWN_GAP),
        ("smap", "2019-07-24", AbsenceKind.EMPTY),
        ("smap", "2019-06-18/2019-06-20", AbsenceKind.EMPTY),
        ("smap", "2019-07-20/2019-07-26", AbsenceKind.EMPTY),
        ("smap_surface", "2022-08-20", AbsenceKind.KNOWN_GAP),
        ("smap", "2022-09-21", AbsenceKind.EMPTY),
        ("smap", "2026-01-09", AbsenceKind.LATE),
        ("smap", "2026-01-07/2026-01-10", AbsenceKind.EMPTY),
        ("smap", "2027-01-01", AbsenceKind.LATE),
        ("gldas", "2022-08-20", AbsenceKind.EMPTY),
        ("sentinel1", "2022-03-01/2022-03-12", AbsenceKind.KNOWN_GAP),
        ("sentinel1", "2021-12-01/2021-12-12", AbsenceKind.EMPTY),
        ("sentinel2", "2022-03-01/2022-03-12", AbsenceKind.EMPTY),
    ],
)
def test_an_empty_answer_is_explained(source, period, kind) -> None:
    absence = explain_absence(source, Period.parse(period), NOW, 50 / 24)
    assert absence.kind == kind
    assert absence.reason.startswith(f"{source}: ")


def test_what_would_be_observed_after_a_gap_but_is_not_published_is_late() -> None:
    gap = KNOWN_GAPS[0].period
    now = gap.end + np.timedelta64(12, "h")
    period = Period(gap.start, gap.end + np.timedelta64(1, "D"))
    assert explain_absence("smap", period, now, 50 / 24).kind == AbsenceKind.LATE
