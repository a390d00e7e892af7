"""Chips kept in memory while they are read again and again."""

from dataclasses import dataclass, field
from threading import Lock

import numpy as np

from vadose.dataset.store import Floats, Rows, SampleStore

BUDGET_BYTES = 4 * 2**30


@dataclass(frozen=True, eq=False)
class ChipCache:
    """The chips of a store: those that fit into the budget are read once, the others each time they are asked for.

    Several threads may ask at once.

    Attributes:
        store: of samples with pixels.
        names: predictors, in the order of the channels.
        halo: cells around the sensor's cell; those that the store holds beyond it are cut away.
        budget_bytes: of memory.
    """

    store: SampleStore
    names: tuple[str, ...]
    halo: int
    budget_bytes: int = BUDGET_BYTES
    _held: dict[int, Floats] = field(default_factory=dict)
    _holding: Lock = field(default_factory=Lock)

    def of(self, rows: Rows) -> Floats:
        """Pixels of samples: (sample, channel, y, x), physical units, NaN where missing; the caller's own.

        Raises:
            VadoseError: the store does not hold them, or a file cannot be read.
        """
        held = [self._held.get(row) for row in rows.tolist()]
        absent = np.array([chip is None for chip in held], bool)
        read = self.store.pixels(self.names, rows[absent], self.halo)
        self._hold(rows[absent], read)
        if absent.all():
            return read
        chips = np.empty((len(rows), *read.shape[1:]), np.float32)
        chips[absent] = read
        for place, chip in enumerate(held):
            if chip is not None:
                chips[place] = chip
        return chips

    def _hold(self, rows: Rows, chips: Floats) -> None:
        with self._holding:
            for row, chip in zip(rows.tolist(), chips, strict=True):
                if (len(self._held) + 1) * chip.nbytes > self.budget_bytes:
                    return
                self._held[row] = chip.copy()
