"""NASA's Common Metadata Repository: granules of a collection, by time and place."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

import numpy as np

from vadose.catalogues.http import HttpClient, Unavailable, bare
from vadose.errors import VadoseError
from vadose.grid import AreaOfInterest, Period, bbox_of, nanosecond
from vadose.io.files import parse_json
from vadose.sources.granule_names import is_data
from vadose.sources.left_out import LeftOut, Unfit

PAGE_ITEMS = 1000
"""Granules of one answer; CMR allows 2,000."""
MOST_ITEMS = 1_000_000
"""Granules of one search, as CMR has it."""
_LARGEST = 32 << 20
"""Bytes of one answer: a record is a few thousand."""
_REVISION = re.compile(r"(?P<before>.+)_R(?P<release>\d{5})_(?P<revision>\d{3})(?P<after>\.\w+)")
"""Name of a SMAP granule: composite release and revision of a day."""
_UNITS = {"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
_HEX = re.compile(r"[0-9a-fA-F]{16,128}")
_TIME = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?)(Z|[+-]00:?00)?")


@dataclass(frozen=True, order=True)
class RemoteGranule:
    """A granule at a data archive.

    Attributes:
        name: of its file.
        url: https address at the data archive.
        size: bytes, as the catalogue states them, which may be rounded; None where it does not.
        checksum: algorithm and hexadecimal digits, such as ("MD5", "9e10…"), or None.
        start, end: of what it covers, UTC.
        updated: when the catalogue's record was last changed, UTC: a later file under the same name has a later one.
        published: when the record was inserted, UTC, or `updated` where that is not stated.
        concept: identifier of the record.
        revision: number of changes of the record.
    """

    name: str
    url: str
    size: int | None
    checksum: tuple[str, str] | None
    start: np.datetime64
    end: np.datetime64
    updated: np.datetime64
    published: np.datetime64
    concept: str
    revision: int


@dataclass(frozen=True)
class GranuleSearch:
    """What a search found.

    Attributes:
        granules: by name; of several revisions the latest.
        left_out: records that name no file that can be read, with the reasons.
    """

    granules: tuple[RemoteGranule, ...]
    left_out: tuple[LeftOut, ...]


def search_granules(
    client: HttpClient,
    endpoint: str,
    short_name: str,
    version: str,
    period: Period,
    area: AreaOfInterest | None = None,
) -> GranuleSearch:
    """Return the granules of a collection that touch a period and the box around an area.

    The order of the catalogue's answers does not matter.

    Args:
        client: asks the catalogue; its hosts are allowed for granules.
        endpoint: of the search service, such as https://cmr.earthdata.nasa.gov/search.
        short_name, version: of the collection, such as SPL3SMP and 009.
        period: times; a granule counts that covers any part of it.
        area: None for the whole Earth.

    Raises:
        Unavailable: the catalogue's answer is none of CMR, or its pages do not end.
        VadoseError: as `HttpClient.get`.
    """
    found: dict[str, RemoteGranule] = {}
    left_out: set[LeftOut] = set()
    for record in search_records(client, endpoint, short_name, version, period, area):
        try:
            granule = _granule(client, record)
        except VadoseError as reason:
            left_out.add(_left_out(short_name, record, reason))
            continue
        if granule.start < period.end and granule.end >= period.start:
            found[granule.name] = max(granule, found.get(granule.name, granule), key=_age)
    return GranuleSearch(tuple(sorted(_latest(found.values()), key=lambda one: one.name)), tuple(sorted(left_out)))


def search_records(
    client: HttpClient,
    endpoint: str,
    short_name: str,
    version: str,
    period: Period | None,
    area: AreaOfInterest | None = None,
) -> Iterator[Mapping[str, Any]]:
    """Yield the records (UMM-G, with their `meta`) of all pages of a search.

    Args:
        client, endpoint, short_name, area: as in `search_granules`.
        version: empty for any, where the short name has one.
        period: None for any time.

    Raises:
        Unavailable: as in `search_granules`.
        VadoseError: as `HttpClient.get`.
    """
    url = f"{endpoint.rstrip('/')}/granules.umm_json"
    asked = {"short_name": short_name} | ({"version": version} if version else {})
    if period is not None:
        last = period.end - np.timedelta64(1, "ns")
        asked["temporal"] = ",".join(f"{np.datetime_as_string(time, 'ms')}Z" for time in (period.start, last))
    asked["page_size"] = str(PAGE_ITEMS)
    if area is not None:
        asked["bounding_box"] = ",".join(f"{side:.6f}" for side in bbox_of(area.geometry))
    after: str | None = None
    seen: set[str] = set()
    count, hits = 0, 0
    while True:
        headers = {"Accept": "application/json", **({} if after is None else {"CMR-Search-After": after})}
        reply = client.get(f"{url}?{urlencode(asked)}", headers, _LARGEST)
        content = parse_json(reply.body, f"catalogues: {bare(url)}")
        items = content.get("items") if isinstance(content, dict) else None
        if not isinstance(items, list):
            raise _unusable(url, "The answer is none to a search: it has no list of items")
        if reply.headers.get("cmr-timed-out", "false").lower() == "true":
            raise _unusable(url, "The search timed out, its answer is incomplete")
        count, hits = count + len(items), content.get("hits", 0)
        yield from (item for item in items if isinstance(item, dict))
        after = reply.headers.get("cmr-search-after")
        if after is None or not items:
            if isinstance(hits, int) and count < hits:
                raise _unusable(url, f"The answer is incomplete: {count:,} of {hits:,} granules")
            return
        if after in seen or count > MOST_ITEMS:
            raise _unusable(url, f"Its pages do not end: {count:,} granules were sent")
        seen.add(after)


def _granule(client: HttpClient, record: Mapping[str, Any]) -> RemoteGranule:
    """Read a record.

    Raises:
        Unfit: it names no file that can be read, no times, or a field is of another type than UMM-G has it.
    """
    try:
        meta, umm = record["meta"], record["umm"]
        asked = f"catalogues: the granule {umm['GranuleUR']}"
        name, url = _file(client, umm.get("RelatedUrls", []), asked)
        archived = _archived(umm, name)
        start, end = _times(umm.get("TemporalExtent", {}), asked)
        dates = {one["Type"]: _time(one["Date"]) for one in umm.get("ProviderDates", [])}
        updated = _time(meta["revision-date"])
        return RemoteGranule(
            name,
            url,
            _size(archived),
            _checksum(archived),
            start,
            end,
            updated,
            dates.get("Insert", updated),
            str(meta["concept-id"]),
            int(meta["revision-id"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, VadoseError):
            raise
        raise Unfit(
            "another record",
            "catalogues: a granule of CMR",
            f"Its record is not of the form UMM-G ({type(error).__name__}: {error})",
            "Report it to the catalogue",
        ) from None


def _file(client: HttpClient, links: Iterable[Mapping[str, Any]], asked: str) -> tuple[str, str]:
    """Return name and address of the data file: the one https link of the kind GET DATA to an allowed host.

    Links to S3 and to services are no downloads; what lies beside the data, such as checksums and metadata, is passed
    over.
    """
    reason: VadoseError | None = None
    found: set[tuple[str, str]] = set()
    for link in links:
        url = str(link["URL"])
        if link.get("Type") != "GET DATA" or link.get("Subtype") not in (None, "DIRECT DOWNLOAD") or _is_s3(url):
            continue
        try:
            client.require_allowed(url)
            name = _name(url, asked)
            if is_data(name):
                found.add((name, url))
        except VadoseError as error:
            reason = error
    if len({name for name, _ in found}) == 1:
        return min(found)
    if found:
        names = ", ".join(sorted({name for name, _ in found}))
        raise Unfit("several files", asked, f"It names several files: {names}", "Report it to the catalogue")
    if reason is not None:
        raise reason
    raise Unfit("no data link", asked, "It has no https link to its data", "Report it to the catalogue")


def _name(url: str, asked: str) -> str:
    """Return the file name of an address: one that stays a name on every disk."""
    name = unquote(urlsplit(url).path.rpartition("/")[2])
    if re.fullmatch(r"\w[\w.+-]{0,199}", name, re.ASCII) is None:
        raise Unfit("no file name", asked, f"Its file is named {name!r}", "Report it to the catalogue")
    return name


def _is_s3(url: str) -> bool:
    return url.lower().startswith("s3:") or "s3credentials" in url


def _archived(umm: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return what the record states of the file; the only entry where entries have no names."""
    entries = umm.get("DataGranule", {}).get("ArchiveAndDistributionInformation", [])
    named = [entry for entry in entries if entry.get("Name") == name]
    return next(iter(named), entries[0] if len(entries) == 1 else {})


def _size(archived: Mapping[str, Any]) -> int | None:
    if "SizeInBytes" in archived:
        return int(archived["SizeInBytes"])
    unit = _UNITS.get(str(archived.get("SizeUnit")))
    return None if unit is None or "Size" not in archived else round(float(archived["Size"]) * unit)


def _checksum(archived: Mapping[str, Any]) -> tuple[str, str] | None:
    held = archived.get("Checksum") or {}
    digits = str(held.get("Value", ""))
    return (str(held.get("Algorithm")), digits.lower()) if _HEX.fullmatch(digits) else None


def _times(extent: Mapping[str, Any], asked: str) -> tuple[np.datetime64, np.datetime64]:
    if "SingleDateTime" in extent:
        instant = _time(extent["SingleDateTime"])
        return instant, instant
    span = extent.get("RangeDateTime", {})
    if "BeginningDateTime" not in span:
        raise Unfit("no times", asked, "It states no times", "Report it to the catalogue")
    start = _time(span["BeginningDateTime"])
    end = _time(span["EndingDateTime"]) if "EndingDateTime" in span else start
    if end < start:
        raise Unfit("no times", asked, f"It ends at {end}, before it begins at {start}", "Report it to the catalogue")
    return start, end


def _time(text: str) -> np.datetime64:
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no time in UTC")
    return nanosecond(match[1], "catalogues: a time of CMR")


def _latest(granules: Iterable[RemoteGranule]) -> Iterator[RemoteGranule]:
    """Yield of the granules that differ only in release and revision the highest."""
    groups: dict[tuple[str, str], tuple[tuple[int, int], RemoteGranule]] = {}
    for granule in granules:
        match = _REVISION.fullmatch(granule.name)
        if match is None:
            yield granule
            continue
        key, rank = (match["before"], match["after"]), (int(match["release"]), int(match["revision"]))
        if key not in groups or groups[key][0] < rank:
            groups[key] = rank, granule
    yield from (granule for _, granule in groups.values())


def _age(granule: RemoteGranule) -> tuple[np.datetime64, int, str, str]:
    """Order records of one file: the latest change counts."""
    return granule.updated, granule.revision, granule.concept, granule.url


def _left_out(source: str, record: Mapping[str, Any], reason: VadoseError) -> LeftOut:
    umm = record.get("umm")
    name = umm.get("GranuleUR") if isinstance(umm, dict) else None
    return LeftOut.of(source, str(name or "a granule without a name")[:200], "", reason)


def _unusable(url: str, problem: str) -> Unavailable:
    return Unavailable(
        f"catalogues: {bare(url)}", problem, "Repeat the command later, or look at the catalogue's status"
    )
