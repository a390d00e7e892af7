"""Ten-day values at the sensors of an archive, by vadose's own readers."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from vadose.errors import NoDataError, VadoseError
from vadose.experiment.build_samples import in_situ_archive
from vadose.grid import Period
from vadose.insitu import Ismn, Sensor
from vadose.sources import Source, open_sources
from vadose.studies.realism.observations import (
    KEY,
    PERIOD_DAYS,
    REFLECTANCES,
    RETRIEVAL_DAYS,
    RETRIEVAL_STEP,
    VALUES,
    Floats,
    Observations,
    cloud_cover,
)
from vadose.studies.realism.scenes import SensorCluster, at_pixels, read_scenes, sensor_clusters

_TOP_M = 0.05
_SCENES = {"sentinel1": ("vv", "vh"), "sentinel2": REFLECTANCES}
_LINEAR = ("vv", "vh")


def observe_archive(archive: Path) -> Observations:
    """Return ten-day values at every sensor of the top 5 cm, and pixels of scenes around them.

    Soil moisture is the mean of the hourly readings with flag G; backscatter the mean, in linear power, of the window
    of 3 x 3 pixels and of all passes; reflectance the mean of the clear scenes; SMAP the mean of the recommended
    retrievals of the pixel that contains the sensor, also for three days of each week.

    Raises:
        VadoseError: the archive has no sensors or readings, or a file in it is unreadable.
    """
    ismn = Ismn(in_situ_archive(archive))
    sensors = ismn.sensors(deepest_m=_TOP_M)
    readings = pd.concat([_good(ismn, sensor, number) for number, sensor in enumerate(sensors)])
    periods = _ten_days(readings["time"], archive)
    span = Period(periods[0].to_datetime64(), (periods[-1] + pd.Timedelta(days=PERIOD_DAYS)).to_datetime64())
    sources = {source.name: source for source in open_sources(archive)}
    values, pixels, retrieved = [readings], [], [readings]
    for near in sensor_clusters(sensors):
        retrieved += at_pixels(sources["smap"], near, span, "smap")
        for rows, clear in _scenes(sources, near, span):
            values += rows
            pixels.append(clear)
    values += retrieved[1:]
    return Observations(
        _composites(pd.concat(values), sensors, periods),
        _retrievals(pd.concat(retrieved), sensors, periods[0]),
        _joined(pixels),
        cloud_cover(archive),
    )


def _good(ismn: Ismn, sensor: Sensor, number: int) -> pd.DataFrame:
    """Return the readings of a sensor with flag G, as rows of sensor, time, name, value."""
    try:
        readings = ismn.read(sensor)
    except NoDataError:
        return pd.DataFrame()
    good = readings.loc[readings["flag"] == "G", "soil_moisture"].dropna()
    return pd.DataFrame({"sensor": number, "time": good.index, "name": "soil_moisture", "value": good.to_numpy()})


def _ten_days(times: "pd.Series[pd.Timestamp]", archive: Path) -> pd.DatetimeIndex:
    """Return the starts of the complete ten-day periods from the first reading to the last."""
    days = (times.max().ceil("D") - times.min().floor("D")).days if len(times) else 0
    if days < PERIOD_DAYS:
        raise VadoseError(
            f"realism: sensors of {archive}",
            f"Their good readings span {days} days",
            f"Give an archive of at least {PERIOD_DAYS} days",
        )
    return pd.date_range(times.min().floor("D"), periods=days // PERIOD_DAYS, freq=f"{PERIOD_DAYS}D")


def _scenes(
    sources: Mapping[str, Source], near: SensorCluster, span: Period
) -> Iterator[tuple[list[pd.DataFrame], dict[str, Floats]]]:
    for name, variables in _SCENES.items():
        for scenes in read_scenes(sources[name], near, span, variables):
            rows = [near.rows(variable, scenes.times, values) for variable, values in scenes.around.items()]
            yield rows, scenes.clear_pixels()


def _composites(values: pd.DataFrame, sensors: Sequence[Sensor], periods: pd.DatetimeIndex) -> pd.DataFrame:
    step = pd.Timedelta(days=PERIOD_DAYS)
    values = values.assign(period_start=periods[0] + (values["time"] - periods[0]) // step * step)
    every = pd.MultiIndex.from_product([range(len(sensors)), periods], names=["sensor", "period_start"])
    table = _means(values).reindex(index=every, columns=["soil_moisture", "smap", *_LINEAR, *REFLECTANCES])
    decibel = {f"{name}_db": 10 * np.log10(table[name]) for name in _LINEAR}
    return _named(table.assign(**decibel).reset_index(), sensors)[[*KEY, *VALUES]]


def _retrievals(values: pd.DataFrame, sensors: Sequence[Sensor], first: pd.Timestamp) -> pd.DataFrame:
    """Return means of the first days of each week."""
    step, since = pd.Timedelta(days=RETRIEVAL_STEP), values["time"] - first
    retrieved = since - since // step * step < pd.Timedelta(days=RETRIEVAL_DAYS)
    values = values.assign(period_start=first + since // step * step)[retrieved]
    table = _means(values).reindex(columns=["soil_moisture", "smap"]).reset_index()
    return _named(table, sensors)[[*KEY, "soil_moisture", "smap"]]


def _means(values: pd.DataFrame) -> pd.DataFrame:
    """Return each quantity, with one row per sensor and period."""
    return values.pivot_table("value", ["sensor", "period_start"], "name", aggfunc="mean")


def _named(table: pd.DataFrame, sensors: Sequence[Sensor]) -> pd.DataFrame:
    of = [sensors[number] for number in table["sensor"]]
    return table.assign(
        network=[sensor.network for sensor in of],
        station=[f"{sensor.station} {sensor.instrument}" for sensor in of],
    )


def _joined(pixels: Sequence[Mapping[str, Floats]]) -> dict[str, Floats]:
    """Return the pixels of all places by variable, backscatter in dB."""
    names = sorted({name for part in pixels for name in part})
    joined = {name: np.concatenate([part[name] for part in pixels if name in part]) for name in names}
    return {f"{n}_db" if n in _LINEAR else n: 10 * np.log10(v) if n in _LINEAR else v for n, v in joined.items()}
