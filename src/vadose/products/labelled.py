"""Sensors of an ISMN archive, or of its tables, as the reference of a gridded product."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from vadose.dataset.labels import LabelRule, at_top, clean, nearest
from vadose.dataset.station_classes import station_classes
from vadose.errors import NoDataError, VadoseError
from vadose.grid import Period
from vadose.insitu.headers import Sensor
from vadose.insitu.ismn import Ismn
from vadose.products.described import Product
from vadose.products.sampled import sampled
from vadose.products.series import Sampled


def at_archive(product: Product, archive: Path, rule: LabelRule) -> tuple[pd.DataFrame, Sampled, dict[Sensor, str]]:
    """Return a product at the sensors of an archive: one row per layer and sensor with data of both.

    The reading nearest to the time of the layer is its label. The last are the sensors without a row, with the reason.

    Args:
        product: gridded.
        archive: of ISMN, or the folder of tables made from one.
        rule: selection of the readings; the window is that of the product.

    Raises:
        VadoseError: the archive is unreadable.
        NoDataError: no reading is within the window of a layer.
    """
    ismn = Ismn(archive, skip_malformed=True)
    every = ismn.sensors()
    sensors = [one for one in every if at_top(one.depth_from_m, one.depth_to_m, rule.deepest_m)]
    if not sensors:
        raise NoDataError(
            f"{product.name}: sensors of {archive} within 0..{rule.deepest_m:g} m",
            f"It has {len(every)} sensors, none of them there",
            "Give an archive with sensors of the top soil",
        )
    lat, lon = (np.array([getattr(sensor, name) for sensor in sensors]) for name in ("lat", "lon"))
    found = sampled(product, lat, lon)
    spare = np.timedelta64(round(product.window_hours * 3600), "s")
    if not found.times.size:
        raise NoDataError(
            f"{product.name}: {product.path}",
            f"It has no value at any of {len(sensors)} sensors" + "".join(f"; {note}" for note in found.notes),
            "Give files that cover the sensors, or read all retrievals with --quality retrieved",
        )
    period = Period(found.times.min() - spare, found.times.max() + spare + np.timedelta64(1, "ns"))
    rows = {
        sensor: _at(sensor, ismn, found, number, period, product.window_hours, rule)
        for number, sensor in enumerate(sensors)
    }
    tables = [one for one in rows.values() if isinstance(one, pd.DataFrame)]
    if not tables:
        within = sum(found.series(number)[0].size > 0 for number in range(len(sensors)))
        raise NoDataError(
            f"{product.name}: readings of {archive} within {product.window_hours:g} h of its layers, {period}",
            f"Of {len(sensors)} sensors {within} are within its values; none has a reading with flag "
            f"{' or '.join(rule.flags)} then",
            "Give an archive of the same time, a wider --window-hours, or `flags` in a YAML file of the product",
        )
    deeper = f"not within 0 to {rule.deepest_m:g} m"
    others = {one: f"{one.depth_from_m:g} to {one.depth_to_m:g} m, {deeper}" for one in every if one not in rows}
    reasons = {sensor: one for sensor, one in rows.items() if isinstance(one, str)} | others
    return pd.concat(tables, ignore_index=True), found, reasons


def _classes(ismn: Ismn, sensor: Sensor) -> Mapping[str, str]:
    """Return the classes of a sensor's station; none if their table is malformed."""
    try:
        return ismn.classes(sensor)
    except VadoseError:
        return {}


def _at(
    sensor: Sensor, ismn: Ismn, found: Sampled, number: int, period: Period, window_hours: float, rule: LabelRule
) -> pd.DataFrame | str:
    """Return the rows of a sensor, or the reason why there are none."""
    held, values = found.series(number)
    if not held.size:
        return "no value of the product" if np.isfinite(found.away_km[number]) else "outside the product"
    try:
        readings = ismn.read(sensor, period)
    except NoDataError:
        return "no reading in the period of the product"
    except VadoseError as fault:
        return f"unreadable: {fault.problem}"
    times, first = np.unique(held, return_index=True)
    good, refused = clean(readings, rule)
    labels, _ = nearest(good, times, 60 * window_hours)
    if labels.empty:
        return f"no accepted reading within {window_hours:g} h of a value; not accepted: {refused}"
    mean = pd.Series(values[first], index=times)
    classes = station_classes(_classes(ismn, sensor), labels["time"].to_numpy())
    return labels.assign(
        **{str(name): column.to_numpy() for name, column in classes.items()},
        **sensor.identity,
        lat=sensor.lat,
        lon=sensor.lon,
        soil_moisture=mean[labels["time"]].to_numpy(),
        cell_distance_km=found.away_km[number],
    )
