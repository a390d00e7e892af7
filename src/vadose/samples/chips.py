"""Chips kept in memory while they are read again and again."""

from dataclasses import dataclass, field

import numpy as np

from vadose.samples.store import Floats, Rows, SampleStore

BUDGET_BYTES = 4 * 2**30


@dataclass(frozen=True, eq=False)
class Chips:
    """The chips of a store: those that fit into the budget are read once, the others each time they are asked for.

    Attributes:
        store: of samples with pixels.
        names: predictors, in the order of the channels.
        halo: cells around the sensor's cell.
        budget_bytes: of memory.
    """

    store: SampleStore
    names: tuple[str, ...]
    halo: int
    budget_bytes: int = BUDGET_BYTES
    _held: dict[int, Floats] = field(default_factory=dict)

    def of(self, rows: Rows) -> Floats:
        """Pixels of samples: (sample, channel, y, x), physical units, NaN where missing."""
        return np.stack([self._chip(int(row)) for row in rows])

    def _chip(self, row: int) -> Floats:
        if row in self._held:
            return self._held[row]
        chip: Floats = self.store.pixels(self.names, np.array([row]), self.halo)[0]
        if (len(self._held) + 1) * chip.nbytes <= self.budget_bytes:
            self._held[row] = chip
        return chip
