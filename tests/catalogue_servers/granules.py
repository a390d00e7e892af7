"""Records of SMAP and GLDAS granules as NASA's archives publish them (UMM-G)."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

Record = dict[str, Any]
GLOBE = (-180.0, -90.0, 180.0, 90.0)


@dataclass(frozen=True)
class Collection:
    """A collection of granules, and how its archive describes them."""

    short_name: str
    version: str
    provider: str
    concept: str
    pattern: re.Pattern[str]
    """Of its file names; group 1 is the time."""
    time_format: str
    span: timedelta
    path: str
    """Folder of a granule at its archive, a strftime pattern."""
    latency: timedelta
    """From the end of a granule to its publication."""
    exact: bool
    """Whether size in bytes and checksum are stated; otherwise a rounded size only."""
    box: tuple[float, float, float, float] = GLOBE


COLLECTIONS = (
    Collection(
        "SPL3SMP",
        "009",
        "NSIDC_CPRD",
        "C2938663609-NSIDC_CPRD",
        re.compile(r"SMAP_L3_SM_P_(\d{8})_R\d{5}_\d{3}\.h5"),
        "%Y%m%d",
        timedelta(days=1),
        "nsidc-cumulus-prod-protected/SMAP/SPL3SMP/009/%Y/%m",
        timedelta(hours=50),
        exact=True,
    ),
    Collection(
        "SPL3SMP_E",
        "006",
        "NSIDC_CPRD",
        "C2938664763-NSIDC_CPRD",
        re.compile(r"SMAP_L3_SM_P_E_(\d{8})_R\d{5}_\d{3}\.h5"),
        "%Y%m%d",
        timedelta(days=1),
        "nsidc-cumulus-prod-protected/SMAP/SPL3SMP_E/006/%Y/%m",
        timedelta(hours=50),
        exact=True,
    ),
    Collection(
        "GLDAS_NOAH025_3H",
        "2.1",
        "GES_DISC",
        "C1342986035-GES_DISC",
        re.compile(r"GLDAS_NOAH025_3H\.A(\d{8}\.\d{4})\.021\.nc4"),
        "%Y%m%d.%H%M",
        timedelta(hours=3),
        "data/GLDAS/GLDAS_NOAH025_3H.2.1/%Y/%j",
        timedelta(days=60),
        exact=False,
        box=(-180.0, -60.0, 180.0, 90.0),
    ),
    Collection(
        "GLDAS_NOAH025_3H_EP",
        "2.1",
        "GES_DISC",
        "C1690022359-GES_DISC",
        re.compile(r"GLDAS_NOAH025_3H_EP\.A(\d{8}\.\d{4})\.021\.nc4"),
        "%Y%m%d.%H%M",
        timedelta(hours=3),
        "data/GLDAS/GLDAS_NOAH025_3H_EP.2.1/%Y/%j",
        timedelta(days=30),
        exact=False,
        box=(-180.0, -60.0, 180.0, 90.0),
    ),
)


def collection_of(name: str) -> Collection | None:
    """Collection that a file name belongs to."""
    return next((found for found in COLLECTIONS if found.pattern.fullmatch(name)), None)


def archive_path(name: str) -> str:
    """Path of a granule at its archive."""
    collection = collection_of(name)
    assert collection is not None, f"{name} is no granule that is known here"
    return f"{_begin(collection, name):{collection.path}}/{name}"


def records_of(files: Iterable[Path], host: str, latency: Mapping[str, timedelta] | None = None) -> list[Record]:
    """Describe granules.

    Args:
        files: Granules, in any order; other files are passed over.
        host: Address of the archive that serves them, below `archive_path`.
        latency: From the end of a granule to its publication, by short name; otherwise that of the collection.
    """
    found = ((path, collection_of(path.name)) for path in sorted(files))
    late = latency or {}
    return [
        _record(number, path, collection, host, late.get(collection.short_name, collection.latency))
        for number, (path, collection) in enumerate(found, 1_000_000_000)
        if collection
    ]


def _record(number: int, path: Path, collection: Collection, host: str, latency: timedelta) -> Record:
    begin = _begin(collection, path.name)
    published = stamp(begin + collection.span + latency)
    at = archive_path(path.name)
    cumulus = collection.provider == "NSIDC_CPRD"
    return {
        "meta": {
            "concept-type": "granule",
            "concept-id": f"G{number}-{collection.provider}",
            "revision-id": 1,
            "native-id": path.name if cumulus else f"{collection.short_name}.{collection.version}:{path.name}",
            "collection-concept-id": collection.concept,
            "provider-id": collection.provider,
            "format": "application/vnd.nasa.cmr.umm+json",
            "revision-date": published,
        },
        "umm": {
            "GranuleUR": path.name if cumulus else f"{collection.short_name}.{collection.version}:{path.name}",
            "CollectionReference": {"ShortName": collection.short_name, "Version": collection.version},
            "TemporalExtent": {
                "RangeDateTime": {
                    "BeginningDateTime": stamp(begin),
                    "EndingDateTime": stamp(begin + collection.span - timedelta(milliseconds=1)),
                }
            },
            "SpatialExtent": {
                "HorizontalSpatialDomain": {"Geometry": {"BoundingRectangles": [_rectangle(collection)]}}
            },
            "RelatedUrls": _addresses(host, at, path.name),
            "DataGranule": {
                "DayNightFlag": "UNSPECIFIED",
                "ProductionDateTime": published,
                "Identifiers": [{"Identifier": path.name, "IdentifierType": "ProducerGranuleId"}],
                "ArchiveAndDistributionInformation": [_archived(path, exact=collection.exact)],
            },
            "ProviderDates": [{"Date": published, "Type": "Insert"}, {"Date": published, "Type": "Update"}],
            "MetadataSpecification": {
                "URL": "https://cdn.earthdata.nasa.gov/umm/granule/v1.6.6",
                "Name": "UMM-G",
                "Version": "1.6.6",
            },
        },
    }


def _addresses(host: str, at: str, name: str) -> list[Record]:
    """Links of a record: the data, and what a client must tell from it."""
    return [
        {"URL": f"s3://{at}", "Type": "GET DATA VIA DIRECT ACCESS", "Description": "Direct S3 access"},
        {"URL": f"{host}/{at}", "Type": "GET DATA", "Description": f"Download {name}"},
        {"URL": f"{host}/{at}.iso.xml", "Type": "EXTENDED METADATA", "MimeType": "application/xml"},
        {"URL": f"{host}/s3credentials", "Type": "VIEW RELATED INFORMATION"},
        {"URL": f"{host}/opendap/{at}.html", "Type": "USE SERVICE API", "Subtype": "OPENDAP DATA"},
    ]


def _archived(path: Path, *, exact: bool) -> Record:
    size = path.stat().st_size
    if not exact:
        return {"Name": "Not provided", "Size": round(size / 1024**2, 3), "SizeUnit": "MB"}
    digits = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"Name": path.name, "SizeInBytes": size, "Checksum": {"Value": digits, "Algorithm": "SHA-256"}}


def _rectangle(collection: Collection) -> Record:
    names = ("WestBoundingCoordinate", "SouthBoundingCoordinate", "EastBoundingCoordinate", "NorthBoundingCoordinate")
    return dict(zip(names, collection.box, strict=True))


def _begin(collection: Collection, name: str) -> datetime:
    match = collection.pattern.fullmatch(name)
    assert match is not None
    return datetime.strptime(match[1], collection.time_format).replace(tzinfo=UTC)


def stamp(time: datetime) -> str:
    """Write a time as CMR does."""
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03}Z"
