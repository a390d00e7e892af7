"""Interactive part of the page: a map of the sensors, their series and scores, filters and exports; without network."""

import base64
import hashlib
import json
import zlib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from vadose.evaluation.predictions import ESTIMATE, LABEL, SENSOR, by_sensor
from vadose.evaluation.scores import HEADLINE, Scores
from vadose.evaluation.strata import DIMENSIONS, classes_of
from vadose.report.content import ReportData
from vadose.report.diagram import STYLES

MOST_SAMPLES = 2_000_000
"""Largest number of embedded samples: of longer series every second, third, … sample is embedded."""
LINES = ((0.04, "SMAP requirement"), (0.06, "NISAR goal"))
LINES_MEANING = (
    "0.04 m³ m⁻³ is the requirement of SMAP, for the mean of many sensors in a footprint; 0.06 m³ m⁻³ is the goal of "
    "NISAR, for unflagged pixels whose plants hold less than 5 kg m⁻² of water. Neither is a limit for a single "
    "sensor, whose own place differs from its pixel: ESA's reference-measurement project (FRM4SM) calls one "
    "requirement for all sites and uses not justifiable on scientific grounds."
)
_MISSING = 65535


@dataclass(frozen=True)
class _Shown:
    """A score on the map."""

    key: str
    title: str
    units: str
    low: float
    high: float
    worse: bool = False
    diverging: bool = False
    digits: int = 2


_METRICS = (
    _Shown("r", "R", "1", 0.0, 1.0),
    _Shown("ubrmse", "ubRMSE", "m³ m⁻³", 0.02, 0.1, worse=True),
    _Shown("rmse", "RMSE", "m³ m⁻³", 0.02, 0.18, worse=True),
    _Shown("bias", "bias", "m³ m⁻³", -0.14, 0.14, diverging=True),
    _Shown("spearman", "Spearman's R", "1", 0.0, 1.0),
    _Shown("kendall", "Kendall's tau", "1", 0.0, 1.0),
    _Shown("anomaly_r", "R of anomalies", "1", 0.0, 1.0),
    _Shown("kge", "KGE", "1", -0.6, 1.0),
    _Shown("std_ratio", "std ratio", "1", 0.0, 2.0),
)


@dataclass(frozen=True)
class Explorer:
    """The interactive part.

    Attributes:
        section: the elements that the program fills; hidden without it.
        program: JSON of the sensors, scores and series, and the program that draws them.
        hash: of the program, for the content security policy: no other one runs.
    """

    section: Markup
    program: Markup
    hash: str


def explorer(content: ReportData) -> Explorer:
    """Return the interactive part of a scorecard."""
    script, section = (_file(f"explorer.{kind}") for kind in ("js", "html"))
    text = json.dumps(_data(content), separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    program = f'<script type="application/json" id="explorer-data">{text}</script>\n<script>{script}</script>'
    made = Markup(section).format(meaning=LINES_MEANING)  # noqa: S704 - of this package
    return Explorer(made, Markup(program), f"sha256-{digest}")  # noqa: S704 - escaped above; of this package


def _file(name: str) -> str:
    return files("vadose.report.page").joinpath(name).read_text(encoding="utf-8")


def _data(content: ReportData) -> dict[str, Any]:
    scores = content.scores
    first = scores.products[0].sensors
    samples = next(iter(scores.samples.values()))
    years = sorted({int(year) for year in samples["time"].dt.year.unique()})
    return {
        "products": [product.name for product in scores.products],
        "colours": [colour for colour, _ in STYLES],
        "min_samples": scores.min_samples,
        "metrics": [_described(one) for one in _METRICS],
        "lines": [{"at": at, "name": name} for at, name in LINES],
        "sensors": _sensors(first),
        "scores": [_scores(content, product.name, product.sensors, first) for product in scores.products],
        "classes": _classes(samples, first),
        "years": years,
        "driest": _driest(samples) if len(years) > 2 else None,
        "series": _series(scores, first),
        "land": json.loads(_file("land.json")),
    }


def _described(one: _Shown) -> dict[str, Any]:
    return {
        "key": one.key,
        "title": one.title,
        "units": one.units,
        "range": [one.low, one.high],
        "worse": one.worse,
        "diverging": one.diverging,
        "digits": one.digits,
    }


def _sensors(first: pd.DataFrame) -> dict[str, list[Any]]:
    places = {name: first[name].round(5).tolist() for name in ("lat", "lon")}
    words = {name: first[name].astype(str).tolist() for name in (*SENSOR, "left_out", "note")}
    return places | words | {"n": first["n"].astype(int).tolist()}


def _scores(
    content: ReportData, name: str, sensors: pd.DataFrame, first: pd.DataFrame
) -> dict[str, list[float | None]]:
    """Return each score of the sensors in the order of the first product, those of the headline with their interval."""
    key = pd.MultiIndex.from_frame(first[SENSOR])
    own = sensors.set_index(SENSOR).reindex(key)
    found = {one.key: _plain(own[one.key]) for one in _METRICS}
    time = content.time.sensors[name].set_index(SENSOR).reindex(key)
    bounds = (f"{score}_{end}" for score in HEADLINE for end in ("low", "high"))
    return found | {bound: _plain(time[bound]) for bound in bounds}


def _plain(values: "pd.Series[float]") -> list[float | None]:
    return [None if not np.isfinite(value) else round(float(value), 5) for value in values.to_numpy(np.float64)]


def _classes(samples: pd.DataFrame, first: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the classes of the sensors: by network, and by the other strata with one class for each sensor."""
    group, sensors = by_sensor(samples)
    starts = np.searchsorted(group, np.arange(len(sensors)))
    key = pd.MultiIndex.from_frame(first[SENSOR])
    place = pd.MultiIndex.from_frame(sensors[SENSOR])
    known = classes_of(samples)
    titles = [one.title for one in DIMENSIONS if one.title in known and not one.varies]
    found = []
    for title in titles:
        codes = pd.Series(known[title].cat.codes.to_numpy()[starts], place).reindex(key).fillna(-1).astype(int)
        names = [str(name) for name in known[title].cat.categories]
        found.append({"title": title, "names": names, "codes": codes.tolist(), "holdout": title == "network"})
    return found


def _driest(samples: pd.DataFrame) -> int:
    """Return the year with the lowest readings, each sensor standardised by its own."""
    group, sensors = by_sensor(samples)
    label = samples[LABEL].to_numpy()
    frame = pd.DataFrame({"group": group, "year": samples["time"].dt.year.to_numpy(), "label": label})
    by = frame.groupby("group")["label"]
    frame["z"] = (frame["label"] - by.transform("mean")) / by.transform("std")
    yearly = frame.groupby(["group", "year"])["z"].mean().groupby("year")
    counts = yearly.count()
    mean = yearly.mean()[counts >= max(1, len(sensors) // 4)]
    return int(mean.index.to_numpy()[int(np.argmin(mean.to_numpy()))])


def _series(scores: Scores, first: pd.DataFrame) -> dict[str, Any]:
    """Return the matched samples of every sensor, packed: minutes since the sample before, readings, estimates."""
    tables = list(scores.samples.values())
    group, sensors = by_sensor(tables[0])
    step = -(-len(group) // MOST_SAMPLES)
    starts = np.searchsorted(group, np.arange(len(sensors)))
    chosen = np.flatnonzero((np.arange(len(group)) - starts[group]) % step == 0) if len(group) else np.zeros(0, np.intp)
    time = tables[0]["time"].to_numpy()[chosen].astype("datetime64[m]").astype(np.int64)
    own = group[chosen]
    start = int(time.min()) if len(time) else 0
    before = np.where(np.diff(own, prepend=-1) != 0, start, np.append(start, time[:-1]) if len(time) else time)
    columns = [tables[0][LABEL], *(table[ESTIMATE] for table in tables)]
    parts = [(time - before).astype("<u4"), *(_packed(column.to_numpy()[chosen]) for column in columns)]
    counts = pd.Series(np.bincount(own, minlength=len(sensors)), pd.MultiIndex.from_frame(sensors[SENSOR]))
    ordered = counts.reindex(pd.MultiIndex.from_frame(first[SENSOR])).fillna(0).astype(int)
    packed = zlib.compress(b"".join(part.tobytes() for part in parts), 6)
    return {
        "start": 60_000 * start,
        "samples": len(chosen),
        "step": step,
        "bounds": [0, *np.cumsum(ordered.to_numpy()).tolist()],
        "data": base64.b64encode(packed).decode(),
    }


def _packed(values: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Return values in steps of 0.0001 m3 m-3 from -0.5."""
    known = np.isfinite(values)
    steps = np.round((np.where(known, values, 0.0) + 0.5) * 10_000)
    return np.where(known, np.clip(steps, 0, _MISSING - 1), _MISSING).astype("<u2")
