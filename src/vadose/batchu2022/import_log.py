"""The report of a shard that was read to its end, kept in a file beside what was read."""

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
    """Read what `write_report` wrote.

    Raises:
        VadoseError: the file is none.
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
