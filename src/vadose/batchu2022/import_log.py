"""What became of each shard that was read to its end, kept in a file, so that reading goes on where it ended."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from vadose.batchu2022.records import Fault
from vadose.batchu2022.shards import ShardReport
from vadose.errors import VadoseError
from vadose.io.files import metadata, read_json, write_json

KIND = "published shards"


@dataclass(frozen=True)
class ImportLog:
    """The accounts of finished shards.

    Attributes:
        tallies: one a shard, in the order in which they were finished.
    """

    tallies: tuple[ShardReport, ...] = ()

    @property
    def read(self) -> int:
        """Examples that were read."""
        return sum(tally.read for tally in self.tallies)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Records that could not be read."""
        return tuple(fault for tally in self.tallies for fault in tally.faults)

    def pending(self, shards: Iterable[Path]) -> tuple[Path, ...]:
        """The shards that are not finished, or whose file has another size than it had."""
        done = {(tally.shard, tally.size) for tally in self.tallies}
        return tuple(path for path in shards if (path.name, path.stat().st_size) not in done)

    def with_tally(self, tally: ShardReport) -> "ImportLog":
        """This and one more; it takes the place of an older account of the same shard."""
        return replace(self, tallies=(*(old for old in self.tallies if old.shard != tally.shard), tally))

    def write(self, path: Path) -> None:
        """Write it as JSON, atomically."""
        write_json(path, metadata(KIND, {}) | {"tallies": [asdict(tally) for tally in self.tallies]})

    @classmethod
    def load(cls, path: Path) -> "ImportLog":
        """What `write` wrote; an empty one where there is no file.

        Raises:
            VadoseError: the file is no ledger.
        """
        if not path.exists():
            return cls()
        try:
            content = read_json(path)
            return cls(tuple(_tally(**tally) for tally in content["tallies"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise VadoseError(
                f"published: the ledger {path}", f"It cannot be read: {error}", "Remove it to read all shards again"
            ) from error


def _tally(shard: str, size: int, read: int, faults: list[dict[str, str | int | bool]]) -> ShardReport:
    listed = (
        Fault(str(one["shard"]), int(one["record"]), int(one["offset"]), str(one["reason"]), bool(one["ends"]))
        for one in faults
    )
    return ShardReport(shard, int(size), int(read), tuple(listed))
