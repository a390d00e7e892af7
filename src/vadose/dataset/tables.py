"""Import of matched point tables: one row per sensor and time, with predictors and optionally a label.

Such samples have no pixels, but cell values, and as history the earlier rows of the same sensor.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.dataset.carry_forward import Observations
from vadose.dataset.column_values import columns_of, degrees, names, quantity, read_table, times
from vadose.dataset.coverage import observed, shares, shares_text, total
from vadose.dataset.layout import DECLARATION, IDENTITY, LABEL, products_of
from vadose.dataset.rejections import RejectionCounts, Report
from vadose.dataset.table_columns import QuantityColumn, TableMapping
from vadose.dataset.table_units import accepted, convert
from vadose.dataset.writer import Samples, SampleWriter
from vadose.errors import VadoseError
from vadose.fusion import HistorySpec, InputSpec
from vadose.io.files import sha256
from vadose.io.outputs import Request
from vadose.registry import (
    LATENCY_DAYS,
    NOT_STATED,
    PRODUCTS,
    source_of,
)
from vadose.variables import (
    ENHANCED_SMAP,
    GAMMA0,
    INCIDENCE_ANGLE,
    SIGMA0,
    SMAP,
    SMAP_USDA,
    SOIL_MOISTURE,
    VH,
    VV,
    Variable,
)

Floats = NDArray[np.float64]
ENHANCED_MOST = 25.4 / 50
"""Largest value of NASA-USDA Enhanced SMAP, m3 m-3: the upper layer of its Palmer model holds an inch of water."""

OUTSIDE_TOLERATED = 0.01
"""Largest fraction of a column outside a variable's range that becomes missing; more indicates wrong units."""


def import_table(table: Path, mapping: TableMapping, path: Path, named: Path | None = None) -> Report:
    """Write a store of the rows of a table, sorted by sensor and time.

    Each row is an observation of its sources. Missing values of a source are carried forward from its latest
    observation within the window of the mapping, as fusion does in an archive; the store contains the age of each
    observation. Backscatter as sigma0 becomes gamma0 = sigma0 / cos(incidence angle) if the table has the angle.

    Values outside a variable's range become missing and are counted; rows without a label are left out and counted, but
    belong to the history of later rows. Without a mapped label all rows are kept.

    Args:
        table: CSV, CSV.gz or Parquet.
        mapping: mapping of the columns.
        path: path of the store.
        named: file of the mapping, if it has one: the same table and mapping may be imported again.

    Raises:
        VadoseError: the table is unreadable, a column is missing, wrongly typed or in other units, a sensor repeats a
            time, or no row remains; nothing is written.
    """
    request = Request.of("samples import-table", path, table=table, mapping=named)
    with request.store(path, DECLARATION) as held:
        return _import(table, mapping, held, request.mark)


def _import(table: Path, asked: TableMapping, path: Path, mark: str) -> Report:
    mapping = asked.of_columns(columns_of(table))
    content = read_table(table, mapping)
    index = _index(content, mapping)
    _refuse_repeated(index, table)
    quantities = {variable.name: _physical(content, variable, given) for variable, given in mapping.quantities}
    _refuse_enhanced(quantities, table)
    masked = RejectionCounts.of({f"{name} out of its range": outside for name, (_, outside) in quantities.items()})
    columns = {name: column for name, (column, _) in quantities.items()}
    products, without_angle = _to_gamma0(columns, mapping.products)
    masked += without_angle
    if mapping.label:
        index = index.assign(**{LABEL: columns[SOIL_MOISTURE.name]})
    values = np.stack([columns[name] for name in mapping.predictors], axis=1)
    kept = index[LABEL].notna().to_numpy() if mapping.label else np.ones(len(index), bool)
    if not kept.any():
        raise VadoseError(
            f"tables: labelled rows of {table}",
            f"None of its {len(index)} rows has a value in '{mapping.label.column if mapping.label else ''}'",
            "Name another column, or leave the label out of the mapping to import rows for estimates",
        )
    dropped = RejectionCounts.of({"row without a label": int((~kept).sum())})
    origin = {"request": mark} | _origin(table, asked, dropped, masked)
    holds, counts = _holds(mapping), list[Mapping[str, int]]()
    with SampleWriter.open(path, holds, origin, mapping.simulated, products=products) as writer:
        for samples in _by_sensor(index, values, kept, mapping):
            writer.append(samples)
            counts.append(observed(samples, holds))
        origin["coverage"] = shares(total(counts), int(kept.sum()))
    notes = (shares_text(origin["coverage"], "samples"), *_notes(asked, mapping, products))
    return Report(path, int(kept.sum()), dropped, masked, notes)


def _index(content: pd.DataFrame, mapping: TableMapping) -> pd.DataFrame:
    identity = {key: names(content, name) for key, name in zip(IDENTITY, mapping.names, strict=True)}
    return pd.DataFrame(
        {
            **identity,
            "lat": degrees(content, mapping.lat, 90),
            "lon": degrees(content, mapping.lon, 180),
            "time": times(content, mapping.time),
        }
    )


def _refuse_repeated(index: pd.DataFrame, table: Path) -> None:
    repeated = index.duplicated([*IDENTITY, "time"])
    if repeated.any():
        row = int(np.flatnonzero(repeated.to_numpy())[0])
        first = index.iloc[row]
        raise VadoseError(
            f"tables: one row per sensor and time in {table}",
            f"Row {row + 1} repeats {first.network} {first.station} {first.sensor} at {first.time}; "
            f"{int(repeated.sum())} rows repeat earlier ones",
            "Remove these, or map the column that distinguishes them as the sensor",
        )


def _physical(content: pd.DataFrame, variable: Variable, given: QuantityColumn) -> tuple[NDArray[np.float64], int]:
    units = given.units or variable.units
    values = convert(quantity(content, given), variable, units, given.depth_mm)
    low, high = variable.valid_range
    outside = ~np.isnan(values) & ~((values >= low) & (values <= high))
    if outside.sum() > OUTSIDE_TOLERATED * np.count_nonzero(~np.isnan(values)):
        ways = [name for name in accepted(variable) if name != units]
        raise VadoseError(
            f"tables: column '{given.column}' as {variable.name} in {units}",
            f"{outside.sum()} of {(~np.isnan(values)).sum()} values are outside {low:g}..{high:g} {variable.units}: as "
            f"read they are {np.nanmin(values):g}..{np.nanmax(values):g} {variable.units}",
            f"State the column's units in the mapping ({', '.join(ways) or variable.units}"
            f"{'; mm and kg m-2 with depth_mm' if variable.units == SOIL_MOISTURE.units else ''}), its scale and "
            "offset, or the numbers of missing values",
        )
    return np.where(outside, np.nan, values), int(outside.sum())


def _refuse_enhanced(quantities: Mapping[str, tuple[Floats, int]], table: Path) -> None:
    """Refuse NASA-USDA Enhanced SMAP under the name of SMAP L3, by its largest value: its upper layer holds 25.4 mm."""
    values, _ = quantities.get(SMAP.name, (np.empty(0), 0))
    full = int((abs(values - ENHANCED_MOST) < 5e-5).sum())
    if full > 1 and np.nanmax(values) < ENHANCED_MOST + 5e-5:
        raise VadoseError(
            f"tables: {SMAP.name}, SMAP L3, in {table}",
            f"Its largest value is {ENHANCED_MOST:g} m3 m-3, {full} times: 25.4 mm / 50 mm, the limit of "
            f"{ENHANCED_SMAP}",
            f"Map the column as '{SMAP_USDA.name}'",
        )


def _to_gamma0(columns: dict[str, Floats], products: Mapping[str, str]) -> tuple[dict[str, str], RejectionCounts]:
    """Convert sigma0 to gamma0 where the angle is known, in place; return the products, and what became missing."""
    changed, missing = dict(products), {}
    angle = columns.get(INCIDENCE_ANGLE.name)
    for name in (VV.name, VH.name):
        if changed.get(name) == SIGMA0 and angle is not None:
            gamma0 = columns[name] / np.cos(np.radians(angle))
            lost = ~np.isnan(columns[name]) & np.isnan(angle)
            missing[f"{name} as sigma0 without an incidence angle"] = int(lost.sum())
            columns[name], changed[name] = gamma0, GAMMA0
    return changed, RejectionCounts.of(missing)


def _notes(asked: TableMapping, mapping: TableMapping, products: Mapping[str, str]) -> tuple[str, ...]:
    """Return notes on missing columns and on products, for the user who imports a table."""
    absent = [f"{name} ('{one.column}')" for name, one in asked.predictors.items() if name not in mapping.predictors]
    notes = (f"The table has no {', '.join(absent)}: estimated as missing",) if absent else ()
    silent = [name for name, product in products_of(_holds(mapping), products).items() if product == NOT_STATED]
    if not silent:
        return notes
    ways = dict.fromkeys(", ".join(PRODUCTS[name]) for name in silent)
    return (
        *notes,
        f"Not stated: the product of {', '.join(silent)}. A network cannot detect another product; state "
        f"`product` in the mapping ({'; '.join(ways)})",
    )


def _holds(mapping: TableMapping) -> InputSpec:
    sources = sorted(set(map(source_of, mapping.predictors)) & LATENCY_DAYS.keys())
    return InputSpec(cells=(*mapping.predictors, *(f"{source}_age" for source in sources)), history=_past(mapping))


def _past(mapping: TableMapping) -> HistorySpec:
    past = mapping.history
    return HistorySpec(mapping.history_names, past.steps, past.step_days, past.sparse_m) if past else HistorySpec()


def _by_sensor(
    index: pd.DataFrame, values: NDArray[np.float64], kept: NDArray[np.bool_], mapping: TableMapping
) -> Iterator[Samples]:
    ordered = index.sort_values([*IDENTITY, "time"], kind="stable")
    for _, group in ordered.groupby(list(IDENTITY), sort=False):
        rows = group.index.to_numpy()
        looks = Observations(group["time"].to_numpy(), tuple(mapping.predictors), values[rows])
        known, ages = looks.carried(mapping.windows)
        cells = np.column_stack([known, *(ages[source] for source in sorted(ages))]).astype(np.float32)
        stays = kept[rows]
        yield Samples(group[stays], cells[stays], looks.history(_past(mapping), mapping.windows)[stays])


def _origin(table: Path, mapping: TableMapping, dropped: RejectionCounts, masked: RejectionCounts) -> dict[str, Any]:
    return {
        "table": table.name,
        "sha256": sha256(table),
        "columns": mapping.model_dump(mode="json", exclude_defaults=True),
        "left_out": dict(dropped.counts),
        "made_missing": dict(masked.counts),
    }
