"""Column mapping of a table: names and units of its columns."""

import re
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from vadose.dataset.table_units import check
from vadose.fusion import TemporalPolicy
from vadose.io.files import closest, read_config
from vadose.io.paths import StrPath
from vadose.registry import PREDICTORS, PRODUCTS, SPECS, source_of
from vadose.variables import ENHANCED_SMAP, SMAP, SMAP_USDA, SOIL_MOISTURE, SPL3SMP, Variable

_EXAMPLES = "configs/tables has examples"
Number = Annotated[float, Field(ge=-1e12, le=1e12)]
_SOME_TIME = datetime(2003, 4, 25, 13, 6, 7, tzinfo=UTC)


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class CoordinateColumn(_Closed):
    """A column of coordinates, degrees.

    Attributes:
        column: name of the column.
    """

    column: str


class NameColumn(_Closed):
    """A column of names, or one name for all rows.

    Attributes:
        column: name of the column.
        value: name for all rows.
    """

    column: str | None = None
    value: str | None = None

    @model_validator(mode="after")
    def _one(self) -> "NameColumn":
        if (self.column is None) == (self.value is None):
            raise ValueError("give a column, or one value for all rows")
        return self


class TimeColumn(_Closed):
    """A column of times, UTC.

    Attributes:
        column: name of the column.
        format: strftime format; ISO 8601 by default.
    """

    column: str
    format: str | None = None

    @field_validator("format")
    @classmethod
    def _known(cls, form: str | None) -> str | None:
        if form in (None, "ISO8601"):
            return form
        try:
            read = pd.to_datetime(_SOME_TIME.strftime(form), format=form)
        except (ValueError, re.error) as error:
            raise ValueError(f"'{form}' is not a strftime format ({error})") from error
        if read.year != _SOME_TIME.year:
            raise ValueError(f"'{form}' has no year")
        if read.hour not in (0, _SOME_TIME.hour):
            raise ValueError(f"'{form}' has hours of half a day (%I) without %p")
        return form


class QuantityColumn(_Closed):
    """A column of a physical quantity: column * scale + offset is in `units`.

    Attributes:
        column: name of the column.
        units: units of the scaled values; by default the variable's.
        scale, offset: linear scaling, applied before the conversion of units.
        depth_mm: depth of the soil layer that contains a water column in mm or kg m-2, mm.
        missing: numbers that mark a missing value.
    """

    column: str
    units: str | None = None
    scale: Number = 1.0
    offset: Number = 0.0
    depth_mm: float | None = Field(default=None, gt=0, le=1e6)
    missing: tuple[Annotated[float, Field(allow_inf_nan=True)], ...] = ()


class Predictor(QuantityColumn):
    """A column of a predictor.

    Attributes:
        product: product, level or convention, see `registry.PRODUCTS`; a soil map may have any name.
        optional: whether a table may omit the column; its samples then have no such predictor.
    """

    product: str | None = None
    optional: bool = False


class LabelColumn(QuantityColumn):
    """The column of in-situ soil moisture.

    Attributes:
        optional: whether a table may omit the column; its rows are then imported without labels.
    """

    optional: bool = False


class HistoryColumns(_Closed):
    """History of each row: earlier rows of the same sensor.

    Attributes:
        steps: number of steps; the first contains the row itself.
        step_days: length of a step, days; its value is the mean of the rows in it.
        variables: predictors of the history; all by default.
        sparse_m: of a network that is to map with sparse history, its `sparse_m`, m: rows are single scenes as well.
    """

    steps: int = Field(gt=0, le=1000)
    step_days: float = Field(gt=0, le=366)
    variables: tuple[str, ...] = ()
    sparse_m: float | None = Field(
        default=None, ge=20, le=160, allow_inf_nan=False, exclude_if=lambda pixel_m: pixel_m is None
    )


class TableMapping(_Closed):
    """Columns of a matched point table.

    Attributes:
        network, station, sensor: names of the sensor; the sensor's name is the station's by default.
        lat, lon: coordinates, degrees.
        time: time of the row, UTC.
        label: in-situ soil moisture; rows without it can be estimated, not trained on.
        predictors: predictors, by the name of the variable.
        history: history of each row.
        windows: maximum age and latency of observations that are carried forward.
        simulated: whether the table is simulated.
    """

    network: NameColumn
    station: NameColumn
    sensor: NameColumn | None = None
    lat: CoordinateColumn
    lon: CoordinateColumn
    time: TimeColumn
    label: LabelColumn | None = None
    predictors: dict[str, Predictor] = Field(min_length=1)
    history: HistoryColumns | None = None
    windows: TemporalPolicy = TemporalPolicy()
    simulated: bool = False

    @classmethod
    def read(cls, path: StrPath) -> "TableMapping":
        """Read a mapping from YAML.

        Raises:
            VadoseError: the file is missing, not YAML, or not a mapping; the message lists every fault.
        """
        asked = f"tables: the mapping {path}"
        return read_config(cls, Path(path), asked, f"Correct it; {_EXAMPLES}")

    @model_validator(mode="after")
    def _known(self) -> "TableMapping":
        for name in self.predictors:
            _expect(name, list(PREDICTORS), "a predictor")
        for name in self.history.variables if self.history else ():
            _expect(name, list(self.predictors), "a predictor of this table")
        for name, predictor in self.predictors.items():
            _expect_product(name, predictor)
        for variable, quantity in self.quantities:
            check(variable, quantity.units or variable.units, quantity.depth_mm)
        return self

    def of_columns(self, columns: Collection[str]) -> "TableMapping":
        """Return the mapping of a table with these columns: without optional ones that are missing; at least one
        predictor remains.
        """
        label = None if self.label and self.label.optional and self.label.column not in columns else self.label
        held = {name: one for name, one in self.predictors.items() if not one.optional or one.column in columns}
        predictors = held or self.predictors
        past = self.history
        if past:
            names = tuple(name for name in self.history_names if name in predictors)
            past = past.model_copy(update={"variables": names}) if names else None
        return self.model_copy(update={"label": label, "predictors": predictors, "history": past})

    @property
    def quantities(self) -> tuple[tuple[Variable, QuantityColumn], ...]:
        """Return every physical quantity: the predictors, then the label if there is one."""
        label = ((SOIL_MOISTURE, self.label),) if self.label else ()
        return (*((PREDICTORS[name], quantity) for name, quantity in self.predictors.items()), *label)

    @property
    def products(self) -> dict[str, str]:
        """Return the stated products by predictor, in the words of `registry.PRODUCTS` if listed there."""
        stated = {name: predictor.product for name, predictor in self.predictors.items()}
        return {name: _product(name, product) for name, product in stated.items() if product}

    @property
    def history_names(self) -> tuple[str, ...]:
        """Return the predictors with a history."""
        return () if self.history is None else self.history.variables or tuple(self.predictors)

    @property
    def names(self) -> tuple[NameColumn, NameColumn, NameColumn]:
        """Return the columns of network, station and sensor."""
        return self.network, self.station, self.sensor or self.station


def _expect(name: str, known: list[str], what: str) -> None:
    if name not in known:
        raise ValueError(f"'{name}' is not {what}{closest(name, known)}; known are {', '.join(known)}")


def _product(name: str, product: str) -> str:
    """Return a product in the words of `PRODUCTS`; SMAP L3 may be named by either of its grids."""
    same = [
        one for one in PRODUCTS.get(name, ()) if product.strip().lower() in (one.lower(), *one.lower().split(" or "))
    ]
    return same[0] if same else product.strip()


def _expect_product(name: str, predictor: Predictor) -> None:
    """Verify that the product of a predictor is one of its possible products."""
    known = list(PRODUCTS.get(name, ()))
    column = predictor.depth_mm is not None and predictor.product is None
    if name == SMAP.name and (column or _enhanced(predictor.product)):
        raise ValueError(
            f"'{SMAP.name}' is SMAP L3 ({SPL3SMP}) in m3 m-3; a water column in mm is {ENHANCED_SMAP}, another "
            f"quantity: map it as '{SMAP_USDA.name}'"
        )
    if predictor.product is None:
        return
    if not known:
        raise ValueError(f"{name} has no different products: leave its product out")
    if not SPECS[source_of(name)].any_product and _product(name, predictor.product) not in known:
        hint = closest(predictor.product, known)
        raise ValueError(f"'{predictor.product}' is not a product of {name}{hint}; known are {', '.join(known)}")


def _enhanced(product: str | None) -> bool:
    return product is not None and product.strip().lower() == ENHANCED_SMAP.lower()
