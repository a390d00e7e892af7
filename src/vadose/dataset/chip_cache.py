"""Cache of chips in memory for repeated reading."""

from dataclasses import dataclass, field
from threading import Lock

import numpy as np

from vadose.dataset.store import Floats, Rows, SampleStore

BUDGET_BYTES = 4 * 2**30


@dataclass(frozen=True, eq=False)
class ChipCache:
    """Chips of a store: those within the memory budget are read once, the others at each request.

    Safe for several threads.

    Attributes:
        store: store of samples with pixels.
        names: predictors, in the order of the channels.
        halo: cells around the sensor's cell; a wider halo of the store is cut.
        budget_bytes: budget bytes of memory.
    """

    store: SampleStore
    names: tuple[str, ...]
    halo: int
    budget_bytes: int = BUDGET_BYTES
    _held: dict[int, Floats] = field(default_factory=dict)
    _holding: Lock = field(default_factory=Lock)

    def of(self, rows: Rows) -> Floats:
        """Return pixels of samples: (sample, channel, y, x), physical units, NaN where missing; a copy for the caller.

        Raises:
            VadoseError: the store does not have them, or a file is unreadable.
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
