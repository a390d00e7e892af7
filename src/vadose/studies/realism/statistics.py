"""Statistics of the comparison, by the same rule for the simulated Earth and the real one."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from vadose.io.files import metadata, read_json, write_json
from vadose.studies.realism.observations import REFLECTANCES, SENSOR, VALUES, VISIBLE, Floats, Observations
from vadose.studies.realism.series import by_sensor, retrievals_by_sensor


@dataclass(frozen=True)
class Bins:
    """Equal bins of a histogram; values beyond them are counted in the outermost."""

    low: float
    high: float
    count: int

    @property
    def edges(self) -> Floats:
        """Return the edges of the bins, ascending."""
        return np.linspace(self.low, self.high, self.count + 1)

    def shares(self, values: Floats) -> list[float]:
        """Return the fraction of the values in each bin; zeros without values."""
        there = values[np.isfinite(values)]
        counts, _ = np.histogram(np.clip(there, self.low, self.high), self.edges)
        return [round(float(share), 4) for share in counts / max(there.size, 1)]


_MOISTURE, _BACKSCATTER = Bins(0, 0.6, 30), Bins(-32, 2, 34)
_SCORE, _VISIBLE, _INFRARED = Bins(-1, 1, 20), Bins(0, 0.35, 35), Bins(0, 0.7, 35)
HISTOGRAMS: Mapping[str, Bins] = {
    "soil_moisture": _MOISTURE,
    "smap_l3": _MOISTURE,
    "vv_db": _BACKSCATTER,
    "vh_db": _BACKSCATTER,
    "smap_l3.r": _SCORE,
    "vv_db.r": _SCORE,
    "smap_l3.ubrmse": Bins(0, 0.2, 20),
    "soil_moisture.spread": Bins(0, 0.2, 20),
    "pixels.vv_db": _BACKSCATTER,
    "pixels.vh_db": _BACKSCATTER,
    **{f"pixels.{name}": _VISIBLE if name in VISIBLE else _INFRARED for name in REFLECTANCES},
}
"""Histograms by content: values at sensors, statistics of the sensors, pixels of scenes."""


@dataclass(frozen=True)
class Statistics:
    """Statistics of a world: aggregates alone.

    Attributes:
        counts: numbers of their inputs.
        statistics: statistics by name; None with too few values.
        histograms: fractions in the bins of `HISTOGRAMS`.
    """

    counts: dict[str, int]
    statistics: dict[str, float | None]
    histograms: dict[str, list[float]]

    @classmethod
    def read(cls, path: Path) -> "Statistics":
        """Return statistics from a file of `write`."""
        content = read_json(path, f"world: recorded figures {path}")
        return cls(content["counts"], content["statistics"], content["histograms"])

    def write(self, path: Path, made_from: Mapping[str, str]) -> None:
        """Write the statistics as JSON, atomically, with their provenance."""
        write_json(path, metadata("aggregates of ten-day values and scenes", made_from) | asdict(self))


def statistics_of(observed: Observations) -> Statistics:
    """Measure a world.

    Statistics of a sensor are averaged over its years (365 days from the first period on) with at least 20 ten-day
    values, so that worlds of one year and of three are comparable.
    """
    table, pixels = observed.composites, observed.pixels
    sensors, retrievals = by_sensor(table), retrievals_by_sensor(observed.retrievals)
    cover = observed.cloud_cover
    statistics = {
        **_over_sensors(sensors, ("soil_moisture.median", "smap.median", "vv_db.median", "smap.bias")),
        **_over_sensors(retrievals, ("smap_l3.bias",)),
        **{f"{name}.median": _median(table[name].to_numpy()) for name in REFLECTANCES},
        **{f"pixels.{name}.median": _median(values) for name, values in pixels.items()},
        **{f"pixels.{name}.width": _width(values) for name, values in pixels.items()},
        "clouds.cover": float(cover.mean()) if cover.size else np.nan,
        "clouds.scenes": float((cover > 0.5).mean()) if cover.size else np.nan,
        "clouds.periods": float(table["B04"].isna().mean()),
        "passes.periods": float(table["vv_db"].isna().mean()),
    }
    shown = {
        **{name: table[name].to_numpy() for name in VALUES},
        "smap_l3": observed.retrievals["smap"].to_numpy(),
        **{str(name): values.to_numpy() for part in (sensors, retrievals) for name, values in part.items()},
        **{f"pixels.{name}": values for name, values in pixels.items()},
    }
    counts = {
        "sensors": table.groupby(SENSOR).ngroups,
        "values": int(table["soil_moisture"].notna().sum()),
        "periods": table["period_start"].nunique(),
        "retrieval_sensors": int(retrievals["smap_l3.r"].notna().sum()),
        "retrievals": int(observed.retrievals["smap"].notna().sum()),
        "items": int(cover.size),
    }
    return Statistics(
        counts,
        {name: round(value, 5) if np.isfinite(value) else None for name, value in statistics.items()},
        {name: bins.shares(shown.get(name, np.empty(0))) for name, bins in HISTOGRAMS.items()},
    )


def _over_sensors(sensors: pd.DataFrame, apart: Sequence[str]) -> dict[str, float]:
    """Return the mean over sensors, of medians the median; for some, also the standard deviation between sensors."""
    means = {name: float(values.mean()) for name, values in sensors.items() if not str(name).endswith(".median")}
    medians = {name: float(values.median()) for name, values in sensors.items() if str(name).endswith(".median")}
    between = {f"{name.removesuffix('.median')}.between": float(sensors[name].std()) for name in apart}
    return {str(name): value for name, value in (means | medians | between).items()}


def _median(values: Floats) -> float:
    there = values[np.isfinite(values)]
    return float(np.median(there)) if there.size else np.nan


def _width(values: Floats) -> float:
    low, high = np.percentile(values, [5, 95]) if values.size else (np.nan, np.nan)
    return float(high - low)
