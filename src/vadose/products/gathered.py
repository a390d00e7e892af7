"""Products to be evaluated, each as a prediction table at the same sensors."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from vadose.dataset.labels import LabelRule
from vadose.errors import VadoseError
from vadose.evaluation import check, read
from vadose.evaluation.predictions import LABEL, SENSOR, by_sensor
from vadose.insitu.headers import Sensor
from vadose.products.described import Product
from vadose.products.labelled import at_archive
from vadose.products.sampled import sampled
from vadose.products.series import Sampled, nearest_valid
from vadose.products.units import is_saturation, rescaled, to_volume
from vadose.report.text import counted


@dataclass(frozen=True, eq=False)
class Gathered:
    """Products at sensors.

    Attributes:
        tables: prediction tables by product.
        notes: processing of gridded products, one line each.
        without_rows: sensors of the archive that are in no row of a product: `product`, their names, and `reason`.
    """

    tables: dict[str, pd.DataFrame]
    notes: tuple[str, ...]
    without_rows: pd.DataFrame


def gathered(products: Sequence[Product], sensors: Path | pd.DataFrame | None = None) -> Gathered:
    """Return products as prediction tables.

    Gridded products are sampled at the sensors and times of a prediction table, or at the sensors of an ISMN archive,
    each layer with the reading nearest to its time.

    Args:
        products: tables and gridded ones.
        sensors: a prediction table with labels, an ISMN archive, or the folder of tables made from one; by default the
            first product that is a table.

    Raises:
        VadoseError: a name is repeated, gridded products have no sensors, or the files of a product are invalid.
    """
    names = [product.name for product in products]
    if len(set(names)) < len(names):
        raise VadoseError(
            f"evaluate: {', '.join(names)}", "Two products have the same name", "Name them: first=PATH second=PATH"
        )
    tables = {product.name: product.table() for product in products if product.is_table}
    reference = _reference(sensors, tables) if len(tables) < len(products) else None
    notes: list[str] = []
    without: list[dict[str, str]] = []
    for product in products:
        if not product.is_table and reference is not None:
            table, note, reasons = _gridded(product, reference)
            tables[product.name] = table
            notes.append(note)
            without += [
                {"product": product.name, **sensor.identity, "reason": reason} for sensor, reason in reasons.items()
            ]
    rows = pd.DataFrame(without, columns=["product", *SENSOR, "reason"], dtype="str")
    return Gathered({name: tables[name] for name in names}, tuple(notes), rows)


def _reference(sensors: Path | pd.DataFrame | None, tables: dict[str, pd.DataFrame]) -> pd.DataFrame | Path:
    if isinstance(sensors, pd.DataFrame):
        return check(sensors, "evaluate: the table of sensors")
    if sensors is not None:
        is_table = Product(name="sensors", path=sensors).is_table
        return read(sensors) if is_table else sensors
    if not tables:
        raise VadoseError(
            "evaluate: a gridded product",
            "Its sensors are missing",
            "Give --sensors: a table of estimates with readings, an ISMN archive, or one of 'samples convert-ismn'",
        )
    return next(iter(tables.values()))


def _gridded(product: Product, reference: pd.DataFrame | Path) -> tuple[pd.DataFrame, str, dict[Sensor, str]]:
    reasons: dict[Sensor, str] = {}
    if isinstance(reference, Path):
        table, found, reasons = at_archive(product, reference, LabelRule(flags=product.flags))
    else:
        table, found = _at_table(product, reference)
    if product.convention is not None and product.convention.units and not product.units:
        product = product.model_copy(update={"units": product.convention.units})
    table, words = _in_volume(table, found.units, product)
    away = found.away_km[np.isfinite(found.away_km)]
    note = (
        f"{product.name}: {product.path.name}, the nearest cell, its centre {np.median(away):.1f} km away (median; "
        f"{away.max():.1f} km at most), {counted(len(found.away_km) - len(away), 'sensors')} outside; layers within "
        f"{product.window_hours:g} h of the reading"
    )
    said = "; ".join([note, *([words] if words else []), *found.notes])
    return check(table, f"predictions '{product.name}'"), f"{said}.", reasons


def _at_table(product: Product, reference: pd.DataFrame) -> tuple[pd.DataFrame, Sampled]:
    number, sensors = by_sensor(reference)
    found = sampled(product, sensors["lat"].to_numpy(), sensors["lon"].to_numpy())
    time = reference["time"].to_numpy()
    mean = np.full(len(reference), np.nan)
    ends = np.searchsorted(number, np.arange(len(sensors) + 1))
    for sensor in range(len(sensors)):
        rows = slice(ends[sensor], ends[sensor + 1])
        mean[rows] = nearest_valid(found, sensor, time[rows], product.window_hours)
    held = [*SENSOR, "lat", "lon", "time", LABEL, *(c for c in ("porosity",) if c in reference)]
    return reference[held].assign(soil_moisture=mean, cell_distance_km=found.away_km[number]), found


def _in_volume(table: pd.DataFrame, units: str, product: Product) -> tuple[pd.DataFrame, str]:
    mean, words = to_volume(table["soil_moisture"].to_numpy(np.float64), units, product)
    table = table.assign(soil_moisture=mean)
    return rescaled(table, product) if is_saturation(product, units) else (table, words)
