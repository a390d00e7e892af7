"""Scores by class of samples."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from vadose.evaluation.bootstrap import Bootstrap
from vadose.evaluation.metric import RANGES, pearson_r, rmse, ubrmse
from vadose.evaluation.predictions import LABEL, by_sensor
from vadose.evaluation.statistic import Moments
from vadose.evaluation.strata import classes_of

SHOWN = {"r": pearson_r, "ubrmse": ubrmse, "rmse": rmse}


def stratified(tables: Mapping[str, pd.DataFrame], min_samples: int, bootstrap: Bootstrap) -> pd.DataFrame:
    """Score each class of samples.

    Args:
        tables: of each product, matched: the same samples in the same order. A column of a stratification comes from
            the first product that has it.
        min_samples: smallest number of samples of a class for a sensor to be scored in it.
        bootstrap: settings of the intervals.

    Returns:
        One row per stratification, class and product: `stratum`, `class`, `product`, scored `sensors` and `samples`,
            `too_few` sensors left out, number of `places`, `effective` places of the mean over sensors, and `r, ubrmse,
            rmse`, over sensors and, `<score>_over_places`, over places, each with `_low` and `_high`; NaN if no sensor
            is scored.
    """
    whole = pd.concat([next(iter(tables.values())), *_more(tables)], axis=1)
    group, sensors = by_sensor(whole)
    label = whole[LABEL].to_numpy()
    estimates = {name: table["soil_moisture"].to_numpy() for name, table in tables.items()}
    rows = []
    for stratum, classes in classes_of(whole).items():
        for code, name in enumerate(classes.cat.categories):
            held = np.flatnonzero(classes.cat.codes == code)
            for product, estimate in estimates.items():
                keys = {"stratum": stratum, "class": name, "product": product}
                moments = Moments.of(estimate[held], label[held], group[held], len(sensors))
                rows.append(keys | _scores(moments, sensors, min_samples, bootstrap))
    return pd.DataFrame(rows, columns=[*_COLUMNS, *_FIGURES])


_COLUMNS = ("stratum", "class", "product", "sensors", "samples", "too_few", "places", "effective")
_FIGURES = [f"{score}{over}{end}" for score in SHOWN for over in ("", "_over_places") for end in ("", "_low", "_high")]


def _more(tables: Mapping[str, pd.DataFrame]) -> list[pd.DataFrame]:
    """Return columns missing in the first product, from the first other product that has them."""
    known = set(next(iter(tables.values())).columns)
    found = []
    for table in tables.values():
        new = [column for column in table.columns if column not in known]
        known.update(new)
        found.append(table[new])
    return found


def _scores(moments: Moments, sensors: pd.DataFrame, min_samples: int, bootstrap: Bootstrap) -> dict[str, float]:
    enough = moments.n >= min_samples
    lat, lon = (sensors[name].to_numpy()[enough] for name in ("lat", "lon"))
    found: dict[str, float] = {
        "sensors": int(enough.sum()),
        "samples": int(moments.n[enough].sum()),
        "too_few": int(((moments.n > 0) & ~enough).sum()),
    }
    rests_on = bootstrap.estimate(rmse(moments)[enough], lat, lon)
    found |= {"places": rests_on.places, "effective": rests_on.effective}
    for score, of in SHOWN.items():
        values, bounds = of(moments)[enough], RANGES[score]
        mean, over_places = (
            bootstrap.mean(values, lat, lon, bounds=bounds),
            bootstrap.mean_over_places(values, lat, lon, bounds),
        )
        for name, one in ((score, mean), (f"{score}_over_places", over_places)):
            found |= {name: one.value, f"{name}_low": one.low, f"{name}_high": one.high}
    return found
