"""Report of a completely read shard, in a file beside its examples."""

from dataclasses import asdict
from pathlib import Path

from vadose.batchu2022.records import Fault
from vadose.batchu2022.shards import ShardReport
from vadose.errors import VadoseError
from vadose.io.files import metadata, read_json, write_json

KIND = "published shards"


def write_report(path: Path, report: ShardReport) -> None:
    """Write the report of a shard as JSON, atomically."""
    write_json(path, metadata(KIND, {}) | {"tallies": [asdict(report)]})


def read_report(path: Path) -> ShardReport:
    """Read a report from `write_report`.

    Raises:
        VadoseError: the file is not a report.
    """
    try:
        (held,) = read_json(path)["tallies"]
        faults = (
            Fault(str(one["shard"]), int(one["record"]), int(one["offset"]), str(one["reason"]), bool(one["ends"]))
            for one in held["faults"]
        )
        return ShardReport(str(held["shard"]), int(held["size"]), int(held["read"]), tuple(faults))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise VadoseError(
            f"published: the ledger {path}", f"It cannot be read: {error}", "Remove it to read all shards again"
        ) from error
