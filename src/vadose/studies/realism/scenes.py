"""Satellite scenes around groups of neighbouring sensors; each scene is read once per group."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from vadose.errors import NoDataError
from vadose.fusion.publication import in_hindsight
from vadose.grid import AreaOfInterest, Period, from_lonlat
from vadose.insitu import Sensor
from vadose.sources import Source
from vadose.studies.realism.observations import Floats

REACH_M = 15.0
"""Half width of the neighbourhood of a sensor along both axes: 3 x 3 pixels of 10 m."""
CHIP = 224
"""Side of the compared scenes, pixels, as in the real ones."""
SCENES = 4
"""Number of compared scenes of a place and a product."""
CLEAR = 0.9
"""Smallest observed fraction of a compared scene."""
_TOGETHER_DEGREES = 0.05
_MARGIN_DEGREES = 0.003
Times = NDArray[np.datetime64]


@dataclass(frozen=True, eq=False)
class SensorCluster:
    """Neighbouring sensors.

    Attributes:
        numbers: numbers in tables.
        lon, lat: of each, degrees.
    """

    numbers: tuple[int, ...]
    lon: Floats
    lat: Floats

    @property
    def area(self) -> AreaOfInterest:
        """Return the box around them."""
        low, high = (self.lon.min(), self.lat.min()), (self.lon.max(), self.lat.max())
        return AreaOfInterest.from_bbox(*(x - _MARGIN_DEGREES for x in low), *(x + _MARGIN_DEGREES for x in high))

    def places(self, dataset: xr.Dataset) -> tuple[Floats, Floats]:
        """Return their x and y in the projection of a dataset."""
        x, y = from_lonlat(dataset.rio.crs.to_epsg()).transform(self.lon, self.lat)
        return np.asarray(x), np.asarray(y)

    def rows(self, name: str, times: Times, values: Floats) -> pd.DataFrame:
        """Return values (time, sensor) as rows of sensor, time, name, value, without missing values."""
        numbers, when = np.tile(self.numbers, len(times)), np.repeat(times, len(self.numbers))
        return pd.DataFrame({"sensor": numbers, "time": when, "name": name, "value": values.ravel()}).dropna()


@dataclass(frozen=True, eq=False)
class SceneReader:
    """Scenes of the same bands, one after another.

    Attributes:
        times: times of each.
        around: mean around each sensor by variable, (scene, sensor).
        middle: pixels in the centre of each scene by variable, each (y, x).
    """

    times: Times
    around: Mapping[str, Floats]
    middle: Mapping[str, Sequence[Floats]]

    def clear_pixels(self) -> dict[str, Floats]:
        """Return the pixels of some clear scenes, evenly chosen in the period, by variable."""
        first = next(iter(self.middle.values()))
        clear = [number for number, image in enumerate(first) if np.isfinite(image).mean() >= CLEAR]
        numbers = np.linspace(0, len(clear) - 1, min(SCENES, len(clear))).round().astype(int)
        chosen = [clear[number] for number in np.unique(numbers)]
        images = {name: [scenes[number].ravel() for number in chosen] for name, scenes in self.middle.items()}
        joined = {name: np.concatenate([np.empty(0), *parts]) for name, parts in images.items()}
        return {name: values[np.isfinite(values)] for name, values in joined.items()}


def sensor_clusters(sensors: Sequence[Sensor]) -> Iterator[SensorCluster]:
    """Return all sensors in groups within about 5 km; each is numbered by its index in `sensors`."""
    lon, lat = (np.array([getattr(sensor, name) for sensor in sensors]) for name in ("lon", "lat"))
    left = np.arange(len(sensors))
    while left.size:
        apart = np.maximum(np.abs(lon[left] - lon[left[0]]), np.abs(lat[left] - lat[left[0]]))
        group = left[apart < _TOGETHER_DEGREES]
        yield SensorCluster(tuple(group.tolist()), lon[group], lat[group])
        left = left[apart >= _TOGETHER_DEGREES]


def read_scenes(source: Source, near: SensorCluster, span: Period, names: Sequence[str]) -> Iterator[SceneReader]:
    """Yield all scenes around some sensors in a period, grouped by bands.

    Args:
        source: source of scenes.
        near: the sensors.
        span: the period.
        names: names of the variables.
    """
    for held, datasets in _by_bands(_opened(source, near.area, span), names).items():
        scenes = [_scene(scene, near) for dataset in datasets for scene in _each(dataset[list(held)])]
        times, means, middles = zip(*scenes, strict=True)
        around = {name: np.array([mean[name] for mean in means]) for name in held}
        yield SceneReader(np.array(times), around, {name: [middle[name] for middle in middles] for name in held})


def at_pixels(source: Source, near: SensorCluster, span: Period, name: str) -> list[pd.DataFrame]:
    """Return values of the pixels of a coarse product that contain some sensors, as rows of `Neighbours.rows`."""
    parts = []
    for dataset in _opened(source, near.area, span):
        x, y = (xr.DataArray(places, dims="sensor") for places in near.places(dataset))
        held = dataset[name].sel(x=x, y=y, method="nearest").transpose("time", "sensor")
        parts.append(near.rows(name, held["time"].values, held.values))
    return parts


def _opened(source: Source, area: AreaOfInterest, span: Period) -> tuple[xr.Dataset, ...]:
    try:
        return in_hindsight(source.open(area, span))
    except NoDataError:
        return ()


def _by_bands(datasets: Sequence[xr.Dataset], names: Sequence[str]) -> dict[tuple[str, ...], list[xr.Dataset]]:
    groups: dict[tuple[str, ...], list[xr.Dataset]] = {}
    for dataset in datasets:
        held = tuple(name for name in names if name in dataset)
        if held:
            groups.setdefault(held, []).append(dataset)
    return groups


def _each(dataset: xr.Dataset) -> Iterator[xr.Dataset]:
    return (dataset.isel(time=number).load(scheduler="synchronous") for number in range(dataset.sizes["time"]))


def _scene(scene: xr.Dataset, near: SensorCluster) -> tuple[Times, dict[str, Floats], dict[str, Floats]]:
    """Return time, mean around each sensor, and the central pixels, so that the rest can be freed."""
    x, y = near.places(scene)
    columns = np.abs(scene["x"].values - x[:, None]) <= REACH_M
    rows = np.abs(scene["y"].values - y[:, None]) <= REACH_M
    windows = [np.ix_(row, column) for row, column in zip(rows, columns, strict=True)]
    images = {str(name): image.values for name, image in scene.data_vars.items()}
    around = {name: np.array([_mean(image[window]) for window in windows]) for name, image in images.items()}
    return scene["time"].values, around, {name: _middle(image) for name, image in images.items()}


def _mean(values: Floats) -> float:
    there = values[np.isfinite(values)]
    return float(there.mean()) if there.size else np.nan


def _middle(image: Floats) -> Floats:
    top, left = (max(size - CHIP, 0) // 2 for size in image.shape)
    return image[top : top + CHIP, left : left + CHIP].copy()
