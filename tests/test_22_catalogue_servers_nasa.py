"""NASA's catalogue and login on loopback do what they say: search, pages, tokens, redirects."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin

import pytest

from catalogue_servers import CmrServer, DataArchive, LoginServer, Users, faults, records_of
from catalogue_servers.plain_http import Answer, basic

DAYS = 9


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("granules")
    for day in range(1, DAYS + 1):
        (folder / f"SMAP_L3_SM_P_2022010{day}_R18290_001.h5").write_bytes(b"smap%d" % day * 100)
        (folder / f"GLDAS_NOAH025_3H.A2022010{day}.0300.021.nc4").write_bytes(b"gldas%d" % day * 100)
    (folder / "notes.txt").write_text("no granule")
    return folder


@pytest.fixture(scope="module")
def servers(folder: Path) -> Iterator[tuple[CmrServer, DataArchive]]:
    def files() -> list[Path]:
        return list(folder.iterdir())

    with (
        LoginServer(Users(passwords={"user": "pass:word"}, tokens={"a-token"})) as login,
        DataArchive(files, login) as archive,
        CmrServer(records_of(files(), archive.url), seed=3) as cmr,
    ):
        yield cmr, archive


@pytest.fixture
def cmr(servers: tuple[CmrServer, DataArchive]) -> CmrServer:
    cmr = servers[0]
    cmr.mend()
    cmr.reset()
    cmr.header_on_last_page = True
    return cmr


@pytest.fixture
def archive(servers: tuple[CmrServer, DataArchive]) -> DataArchive:
    archive = servers[1]
    archive.challenge, archive.storage = True, False
    for server in (archive, archive.login, archive.store):
        server.reset()
    return archive


def asked(cmr: CmrServer, headers: dict[str, str] | None = None, **fields: Any) -> Answer:
    return Answer(f"{cmr.endpoint}/granules.umm_json?{urlencode(fields)}", headers=headers)


def all_records(cmr: CmrServer, **fields: Any) -> list[list[dict[str, Any]]]:
    """Pages of a search."""
    found: list[list[dict[str, Any]]] = []
    after: str | None = None
    while len(found) < 100:
        answer = asked(cmr, {"CMR-Search-After": after} if after else None, **fields)
        assert answer.status == 200
        found.append(answer.json["items"])
        after = answer.headers["CMR-Search-After"]
        if after is None:
            return found
    raise AssertionError("The pages do not end")


@pytest.mark.parametrize("last", [True, False])
def test_pages_are_complete(cmr: CmrServer, last: bool) -> None:
    cmr.header_on_last_page = last
    pages = all_records(cmr, short_name="SPL3SMP", version="009", page_size=4)
    assert [len(page) for page in pages] == ([4, 4, 1, 0] if last else [4, 4, 1])
    names = [record["umm"]["GranuleUR"] for page in pages for record in page]
    assert sorted(names) == [f"SMAP_L3_SM_P_2022010{day}_R18290_001.h5" for day in range(1, DAYS + 1)]
    assert names != sorted(names)
    assert cmr.searches == len(pages)


def test_answers_are_cmr_s(cmr: CmrServer) -> None:
    answer = asked(cmr, short_name="SPL3SMP", page_size=2)
    assert answer.headers["CMR-Hits"] == "9" and answer.json["hits"] == 9
    assert answer.headers["Content-Type"].startswith("application/vnd.nasa.cmr.umm_results+json")
    with_form = Answer(f"{cmr.endpoint}/granules.umm_json", "POST", b"short_name=SPL3SMP&page_size=2")
    assert with_form.json["items"] == answer.json["items"]
    second = asked(cmr, short_name="SPL3SMP", page_size=2, page_num=2).json["items"]
    assert (
        second
        == asked(cmr, {"CMR-Search-After": answer.headers["CMR-Search-After"]}, short_name="SPL3SMP", page_size=2).json[
            "items"
        ]
    )


def test_smap_record(cmr: CmrServer, folder: Path, archive: DataArchive) -> None:
    (record,) = asked(cmr, short_name="SPL3SMP", temporal="2022-01-04T00:00:00Z,2022-01-04T12:00:00Z").json["items"]
    meta, umm = record["meta"], record["umm"]
    name = "SMAP_L3_SM_P_20220104_R18290_001.h5"
    assert meta["concept-id"].startswith("G") and meta["provider-id"] == "NSIDC_CPRD"
    assert umm["GranuleUR"] == name
    assert umm["TemporalExtent"]["RangeDateTime"] == {
        "BeginningDateTime": "2022-01-04T00:00:00.000Z",
        "EndingDateTime": "2022-01-04T23:59:59.999Z",
    }
    (data,) = [link for link in umm["RelatedUrls"] if link["Type"] == "GET DATA"]
    assert data["URL"] == f"{archive.url}/nsidc-cumulus-prod-protected/SMAP/SPL3SMP/009/2022/01/{name}"
    (stored,) = umm["DataGranule"]["ArchiveAndDistributionInformation"]
    content = (folder / name).read_bytes()
    assert stored["SizeInBytes"] == len(content)
    assert stored["Checksum"] == {"Value": hashlib.sha256(content).hexdigest(), "Algorithm": "SHA-256"}
    assert {date["Type"]: date["Date"] for date in umm["ProviderDates"]} == {
        "Insert": "2022-01-07T02:00:00.000Z",
        "Update": "2022-01-07T02:00:00.000Z",
    }
    assert Answer(data["URL"], headers={"Authorization": "Bearer a-token"}).body == content


def test_gldas_record(cmr: CmrServer, archive: DataArchive) -> None:
    fields = {"short_name": "GLDAS_NOAH025_3H", "version": "2.1", "temporal": "2022-01-02T04:00:00Z,"}
    records = asked(cmr, **fields, page_size=100).json["items"]
    assert len(records) == DAYS - 1
    assert len(asked(cmr, **{**fields, "temporal": ",2022-01-02T04:00:00Z"}).json["items"]) == 2
    umm = min((record["umm"] for record in records), key=lambda umm: umm["GranuleUR"])
    name = "GLDAS_NOAH025_3H.A20220102.0300.021.nc4"
    assert umm["GranuleUR"] == f"GLDAS_NOAH025_3H.2.1:{name}"
    assert f"{archive.url}/data/GLDAS/GLDAS_NOAH025_3H.2.1/2022/002/{name}" in [
        link["URL"] for link in umm["RelatedUrls"] if link["Type"] == "GET DATA"
    ]
    assert umm["DataGranule"]["ArchiveAndDistributionInformation"] == [
        {"Name": "Not provided", "Size": 0.001, "SizeUnit": "MB"}
    ]


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ({"short_name": "SPL3SMP", "version": "9"}, 0),
        ({"short_name": "SPL3SMP_E"}, 0),
        ({"short_name": "GLDAS_NOAH025_3H", "bounding_box": "-50,-80,-40,-70"}, 0),
        ({"short_name": "GLDAS_NOAH025_3H", "bounding_box": "170,-50,-170,-40"}, 9),
        ({"short_name": "SPL3SMP", "bounding_box": "-50,-80,-40,-70"}, 9),
        ({"short_name": "SPL3SMP", "temporal": "2022-01-03T23:59:59.999Z,2022-01-05T00:00:00Z"}, 3),
        ({"short_name": "SPL3SMP", "temporal": "2023-01-01T00:00:00Z,2023-02-01T00:00:00Z"}, 0),
        ({"provider": "NSIDC_CPRD"}, 9),
    ],
)
def test_filters(cmr: CmrServer, fields: dict[str, str], count: int) -> None:
    assert len(asked(cmr, **fields, page_size=100).json["items"]) == count


@pytest.mark.parametrize(
    "fields",
    [
        {"short_name": "SPL3SMP", "colour": "red"},
        {"short_name": "SPL3SMP", "page_size": 2001},
        {"short_name": "SPL3SMP", "bounding_box": "0,10,1,5"},
        {"short_name": "SPL3SMP", "temporal": "yesterday,"},
        {"version": "009"},
    ],
)
def test_invalid_searches(cmr: CmrServer, fields: dict[str, Any]) -> None:
    answer = asked(cmr, **fields)
    assert answer.status == 400 and answer.json["errors"]


def test_page_number_and_header_exclude_each_other(cmr: CmrServer) -> None:
    after = asked(cmr, short_name="SPL3SMP", page_size=2).headers["CMR-Search-After"]
    assert asked(cmr, {"CMR-Search-After": after}, short_name="SPL3SMP", page_num=2).status == 400


def test_latency_decides_publication(folder: Path) -> None:
    from datetime import timedelta

    records = records_of(folder.glob("SMAP*"), "http://x", {"SPL3SMP": timedelta(hours=1)})
    assert records[0]["umm"]["ProviderDates"][0]["Date"] == "2022-01-02T01:00:00.000Z"


def test_faults_of_cmr(cmr: CmrServer) -> None:
    cmr.fail(faults.down(2), times=1)
    assert asked(cmr, short_name="SPL3SMP").status == 503
    assert asked(cmr, short_name="SPL3SMP").status == 200


@pytest.fixture
def data(archive: DataArchive) -> str:
    return f"{archive.url}/nsidc-cumulus-prod-protected/SMAP/SPL3SMP/009/2022/01/SMAP_L3_SM_P_20220101_R18290_001.h5"


CONTENT = b"smap1" * 100


def test_bearer_token(data: str) -> None:
    right = {"Authorization": "Bearer a-token", "Range": "bytes=0-4"}
    answer = Answer(data, headers=right)
    assert (answer.status, answer.body) == (206, b"smap1")
    assert Answer(data, headers={"Authorization": "Bearer wrong"}).status == 401
    assert Answer(data.replace("SPL3SMP/009", "SPL3SMP/008"), headers=right).status == 404
    assert Answer(data.replace("20220101", "20220131").replace("2022/01", "2022/01"), headers=right).status == 404


def test_login_dance(data: str, archive: DataArchive) -> None:
    first = Answer(data)
    assert first.status == 302
    authorize = first.headers["Location"]
    assert authorize.startswith(f"{archive.login.url}/oauth/authorize?") and archive.login.url != archive.url
    back = Answer(authorize, headers={"Authorization": basic("user", "pass:word")})
    assert back.status == 302 and back.headers["Location"].startswith(f"{archive.url}/login?code=")
    entered = Answer(back.headers["Location"])
    cookie = entered.headers["Set-Cookie"].partition(";")[0]
    assert entered.status == 302 and urljoin(archive.url, entered.headers["Location"]) == data
    assert Answer(data, headers={"Cookie": cookie}).body == CONTENT
    assert Answer(back.headers["Location"]).status == 401  # a code serves once
    assert Answer(data, headers={"Cookie": "asf-urs=stolen"}).status == 302
    assert not any("authorization" in request.headers for request in archive.requests)


def test_login_without_credentials(data: str, archive: DataArchive) -> None:
    challenged = Answer(Answer(data).headers["Location"])
    assert challenged.status == 401 and challenged.headers["WWW-Authenticate"].startswith("Basic ")
    archive.challenge = False
    page = Answer(Answer(data).headers["Location"])
    assert page.status == 200 and page.headers["Content-Type"].startswith("text/html")
    assert b"Earthdata Login" in page.body


@pytest.mark.parametrize("challenge", [True, False])
def test_login_with_wrong_credentials(data: str, archive: DataArchive, challenge: bool) -> None:
    archive.challenge = challenge
    address = Answer(data).headers["Location"]
    assert Answer(address, headers={"Authorization": basic("user", "wrong")}).status == 401
    assert Answer(address, headers={"Authorization": basic("nobody", "pass:word")}).status == 401


def test_token_for_a_password(data: str, archive: DataArchive) -> None:
    address = f"{archive.login.url}/api/users/find_or_create_token"
    given = Answer(address, "POST", headers={"Authorization": basic("user", "pass:word")}).json
    assert given["token_type"] == "Bearer"
    assert Answer(data, headers={"Authorization": f"Bearer {given['access_token']}"}).body == CONTENT
    assert Answer(address, "POST", headers={"Authorization": basic("user", "wrong")}).status == 401


def test_files_at_a_storage_host(data: str, archive: DataArchive) -> None:
    archive.storage = True
    sent = Answer(data, headers={"Authorization": "Bearer a-token"})
    assert sent.status == 303 and not sent.body
    address = sent.headers["Location"]
    assert address.startswith(f"{archive.store.url}/")
    assert Answer(address, headers={"Range": "bytes=0-4"}).body == b"smap1"
    assert Answer(address, headers={"Authorization": "Bearer a-token"}).status == 400
    assert Answer(address.partition("?")[0]).status == 403


def test_new_granules_are_served(folder: Path, archive: DataArchive) -> None:
    name = "SMAP_L3_SM_P_20220201_R18290_001.h5"
    address = f"{archive.url}/nsidc-cumulus-prod-protected/SMAP/SPL3SMP/009/2022/02/{name}"
    assert Answer(address, headers={"Authorization": "Bearer a-token"}).status == 404
    (folder / name).write_bytes(b"late")
    try:
        assert Answer(address, headers={"Authorization": "Bearer a-token"}).body == b"late"
    finally:
        (folder / name).unlink()


def test_records_are_json(folder: Path) -> None:
    records = records_of(folder.iterdir(), "http://x")
    assert len(records) == 2 * DAYS
    assert json.loads(json.dumps(records)) == records
    assert len({record["meta"]["concept-id"] for record in records}) == len(records)
