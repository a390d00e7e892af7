"""Inputs of the heads: columns of fixed meaning from current values, the history and static variables."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from vadose.fusion import InputSpec
from vadose.models.spectral_indices import INDICES, derived_variables
from vadose.registry import LATENCY_DAYS, PREDICTORS, source_of
from vadose.variables import SOIL_MOISTURE

MEMORY_DAYS = (5.0, 10.0, 20.0, 40.0, 60.0, 120.0)
"""Time constants of the exponential filters, days."""
LAGS = (1, 2, 3)
"""Steps back."""
CHANGES = (1, 2)
"""Steps back of changes."""
TOLD_BY_DEPARTURE = {"vh": "cross_ratio", "B11": "ndmi", "B12": "swir_ratio"}
"""Quantities whose index describes the current state, so that their departure suffices."""


class Kind(StrEnum):
    """Derivation of a column from a quantity."""

    NOW = "now"
    STATIC = "static"
    DEPARTURE = "departure from the mean of the past"
    WITHIN = "place between minimum and maximum of the past"
    FILTERED = "past, exponentially forgotten"
    FILTERED_DEPARTURE = "filtered past less the mean of the past"
    LAG = "steps before"
    CHANGE = "change since steps before"
    MEAN = "mean of the past"
    STD = "standard deviation of the past"
    LOWEST = "minimum of the past"
    HIGHEST = "maximum of the past"
    SINE = "sine of the season"
    COSINE = "cosine of the season"


LEVELS = (Kind.NOW, Kind.STATIC, Kind.FILTERED, Kind.LAG, Kind.MEAN, Kind.LOWEST, Kind.HIGHEST)
"""Columns that are values of their quantity."""
PAST_STATISTICS = (Kind.MEAN, Kind.STD, Kind.LOWEST, Kind.HIGHEST)
RELATIVE = (Kind.DEPARTURE, Kind.FILTERED_DEPARTURE, Kind.CHANGE)
"""Columns that are differences of values of their quantity."""


@dataclass(frozen=True)
class Column:
    """One number per cell.

    Attributes:
        quantity: source of the number.
        kind: derivation.
        span: time constant of a filter, days, or steps of a lag or a change.
    """

    quantity: str
    kind: Kind
    span: float = 0.0

    @property
    def time_invariant(self) -> bool:
        """Return whether it describes the place and not the time."""
        return self.kind is Kind.STATIC or self.kind in PAST_STATISTICS

    @property
    def of_steps(self) -> bool:
        """Return whether it condenses what the steps of the history contain one by one."""
        past = (Kind.WITHIN, Kind.FILTERED, Kind.LAG)
        return self.kind in past or self.kind in RELATIVE

    @property
    def of_level(self) -> bool:
        """Return whether it is an input of the static head."""
        if self.kind is Kind.STD:
            return carries_past(self.quantity)
        bare = carries_past(self.quantity) or self.quantity == "B11" or self.quantity in INDICES
        return self.kind is Kind.STATIC or (self.kind is Kind.MEAN and bare)


def carries_past(quantity: str) -> bool:
    """Return whether a quantity is soil moisture, which contains its own history."""
    variable = PREDICTORS.get(quantity)
    return variable is not None and variable.standard_name == SOIL_MOISTURE.standard_name


def feature_columns(needs: InputSpec, season: bool) -> tuple[Column, ...]:
    """Return the columns that can be computed from needs.

    Args:
        needs: needs of the network.
        season: whether the day of the year is an input.
    """
    past = derived_variables(needs.history.variables)
    columns = [*_now(derived_variables(dict.fromkeys((*needs.cells, *needs.pixels, *needs.history.variables))), past)]
    for quantity in past:
        if quantity != "cross_ratio":
            columns += _before(quantity, past, quantity in needs.own_record.variables)
    if season:
        columns += [Column("season", Kind.SINE), Column("season", Kind.COSINE)]
    return tuple(columns)


def _now(names: tuple[str, ...], past: tuple[str, ...]) -> Iterator[Column]:
    for quantity in names:
        if quantity not in INDICES and source_of(quantity) not in LATENCY_DAYS:
            yield Column(quantity, Kind.STATIC)
        elif quantity not in past or TOLD_BY_DEPARTURE.get(quantity) not in names:
            yield Column(quantity, Kind.NOW)


def _before(quantity: str, past: tuple[str, ...], relative: bool) -> Iterator[Column]:
    """Yield columns of the history; the statistics of a record to which it is relative are constants."""
    yield Column(quantity, Kind.DEPARTURE)
    if not relative and not (quantity == "B12" and "swir_ratio" in past):
        yield from (Column(quantity, kind) for kind in PAST_STATISTICS)
    if quantity == "vv":
        yield Column(quantity, Kind.FILTERED_DEPARTURE, 20.0)
    if carries_past(quantity):
        yield Column(quantity, Kind.WITHIN)
        yield from (Column(quantity, Kind.FILTERED, days) for days in MEMORY_DAYS)
        yield from (Column(quantity, Kind.FILTERED_DEPARTURE, days) for days in (20.0, 60.0))
        yield from (Column(quantity, Kind.LAG, float(steps)) for steps in LAGS)
        yield from (Column(quantity, Kind.CHANGE, float(steps)) for steps in CHANGES)


def step_columns(needs: InputSpec) -> tuple[Column, ...]:
    """Return the columns of each step of the history: its quantities, and the changes of soil moisture.

    Args:
        needs: needs of the network.
    """
    past = derived_variables(needs.history.variables)
    values = [Column(quantity, Kind.NOW) for quantity in past]
    return (*values, *(Column(quantity, Kind.CHANGE, 1.0) for quantity in past if carries_past(quantity)))
