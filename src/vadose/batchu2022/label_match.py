"""Labels of published examples: their own, or else readings of an ISMN archive."""

from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from vadose.batchu2022.station_match import SensorId, Unmatched, is_instrument, matching
from vadose.dataset.labels import LabelRule, clean, nearest
from vadose.dataset.layout import IDENTITY, LABEL
from vadose.errors import VadoseError
from vadose.grid import distances_km
from vadose.insitu.headers import Sensor
from vadose.insitu.ismn import Ismn

RULE = LabelRule(window_minutes=3.0)
"""The release's window and depth, and only readings with ISMN's flag for good."""
COLUMNS = (*IDENTITY, LABEL, "flag", "lag_minutes", "depth_from_m", "depth_to_m", "label_from", "reason")


@dataclass(frozen=True, eq=False)
class LabelMatcher:
    """Matcher of published examples to the readings of an ISMN archive. Each sensor is read once and cached.

    Attributes:
        archive: in-situ readings.
        rule: selection of the readings; its window is widened for each example by the rounding of its time.
        farthest_km: largest distance between the archive's station and the place of an example.
    """

    archive: Ismn
    rule: LabelRule = RULE
    farthest_km: float = 1.0
    _read: dict[Sensor, tuple[pd.DataFrame, pd.DataFrame]] = field(default_factory=dict, repr=False)
    _matched: dict[str, Sensor | Unmatched] = field(default_factory=dict, repr=False)

    def labels(self, examples: pd.DataFrame) -> pd.DataFrame:
        """Return the label of each example, or the reason why it has none.

        Args:
            examples: from `batches.index_of`: sensor_id, network, station, sensor, lat, lon, time, rounding_s,
                soil_moisture_in_situ (NaN if not published), label_from.

        Returns:
            The columns `COLUMNS` for every example, with its index: label_from is "sm_0_5", "sm_5_5" or "ismn", or ""
            with a reason for the missing label; lag_minutes is the time of the reading minus that of the example;
            network, station and sensor are as in the archive if it has the published instrument, so that tables can be
            joined.

        Raises:
            VadoseError: the archive is unreadable, or contains no soil moisture.
        """
        found = pd.DataFrame(index=examples.index, columns=list(COLUMNS)).assign(
            **{name: np.full(len(examples), np.nan) for name in ("lag_minutes", "depth_from_m", "depth_to_m")},
            flag="",
            reason="",
            **{name: examples[name] for name in IDENTITY},
            **{LABEL: examples[LABEL].astype(np.float64)},
            label_from=examples["label_from"],
        )
        for sensor_id, rows in examples.groupby("sensor_id"):
            with suppress(Unmatched):
                sensor = self._match(str(sensor_id))
                if is_instrument(SensorId.of(str(sensor_id)), sensor):
                    found.loc[rows.index, list(IDENTITY)] = [*sensor.identity.values()]
        unlabelled = examples[examples["label_from"] == ""]
        for sensor_id, rows in unlabelled.groupby("sensor_id"):
            try:
                part = self._of_sensor(self._match(str(sensor_id)), rows)
            except Unmatched as unmatched:
                found.loc[rows.index, "reason"] = str(unmatched)
            else:
                found.loc[rows.index, part.columns] = part
        return found

    def _match(self, sensor_id: str) -> Sensor:
        """Return the archive's sensor of a published one, cached.

        Raises:
            Unmatched: there is none, or more than one.
        """
        if sensor_id not in self._matched:
            try:
                wanted = SensorId.of(sensor_id)
                self._matched[sensor_id] = matching(wanted, self.archive.sensors(), self.rule.deepest_m)
            except Unmatched as reason:
                self._matched[sensor_id] = reason
        found = self._matched[sensor_id]
        if isinstance(found, Unmatched):
            raise found
        return found

    def _of_sensor(self, sensor: Sensor, rows: pd.DataFrame) -> pd.DataFrame:
        good, all_readings = self._readings(sensor)
        windows = self.rule.window_minutes + rows["rounding_s"] / 60
        parts = [
            self._timed(part, good, all_readings, float(minutes)) for minutes, part in rows.groupby(windows, sort=True)
        ]
        part = pd.concat(parts)
        far = rows.index[distances_km([(sensor.lat, sensor.lon)], rows[["lat", "lon"]])[0] > self.farthest_km]
        part.loc[far, [LABEL, "lag_minutes"]] = np.nan
        part.loc[far, ["flag", "label_from"]] = ""
        part.loc[far, "reason"] = f"{sensor.id} is more than {self.farthest_km:g} km from the example"
        return part.assign(depth_from_m=sensor.depth_from_m, depth_to_m=sensor.depth_to_m)

    def _readings(self, sensor: Sensor) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the readings that may be labels, and all readings, in order of time."""
        if sensor not in self._read:
            try:
                readings = self.archive.read(sensor)
            except VadoseError as refusal:
                raise Unmatched(f"{sensor.id} cannot be read: {refusal}") from refusal
            every = readings.rename(columns={"soil_moisture": LABEL}).rename_axis("time").reset_index()
            self._read[sensor] = (clean(readings, self.rule)[0], every)
        return self._read[sensor]

    def _timed(self, rows: pd.DataFrame, good: pd.DataFrame, readings: pd.DataFrame, minutes: float) -> pd.DataFrame:
        times = rows["time"].to_numpy()
        label, other = (_at(times, table, minutes) for table in (good, readings))
        there = label["flag"].notna()
        reason = np.where(other["flag"].isna(), f"no reading within {minutes:.2f} minutes", self._why(other))
        return pd.DataFrame(
            {
                LABEL: label[LABEL].to_numpy(),
                "flag": label["flag"].fillna("").to_numpy(),
                "lag_minutes": label["lag_minutes"].to_numpy(),
                "label_from": np.where(there, "ismn", ""),
                "reason": np.where(there, "", reason),
            },
            index=rows.index,
        )

    def _why(self, readings: pd.DataFrame) -> list[str]:
        """Return the reasons why rejected readings are not labels."""
        faults = []
        for value, flag in zip(readings[LABEL], readings["flag"], strict=True):
            if pd.isna(value):
                faults.append(f"the reading has no value, flag '{flag}'")
            elif not {part.strip() for part in str(flag).split(",")} <= set(self.rule.flags):
                faults.append(f"the reading {value:g} has the flag '{flag}'")
            else:
                faults.append(f"the reading {value:g} is not plausible, or others at its time differ")
        return faults


def _at(times: np.ndarray, readings: pd.DataFrame, minutes: float) -> pd.DataFrame:
    """Return the nearest reading to each time, row by row; NaN without any."""
    found, _ = nearest(readings, np.unique(times), minutes)
    return found.set_index("time").reindex(pd.DatetimeIndex(times))
