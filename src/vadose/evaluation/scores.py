"""Scores of several products on their common samples, and what was left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from vadose.errors import VadoseError
from vadose.evaluation.bootstrap import Bootstrap
from vadose.evaluation.compare import differences, matched, own_mean
from vadose.evaluation.left_out import left_out
from vadose.evaluation.predictions import LABEL, SENSOR, check, is_complete
from vadose.evaluation.sensors import coverage_by, figures, has_scores, per_sensor, reliability, summary
from vadose.evaluation.significance import holm
from vadose.evaluation.statistic import Floats
from vadose.evaluation.strata import is_representative
from vadose.evaluation.tally import MIN_SAMPLES

OWN_MEAN = "each sensor's own mean (not a model)"
HEADLINE = ("r", "ubrmse", "rmse", "bias")


@dataclass(frozen=True, eq=False)
class ProductScores:
    """Scores of one product.

    Attributes:
        name: name in tables.
        rows: number of rows of its table, by use.
        sensors: scores of each sensor on the matched samples, from `per_sensor`; sensors of any product without matched
            samples are included as left out.
        skill: their `summary`.
        reliability: their `reliability`.
        own: scores of each sensor on all samples of the product.
        own_skill: their `summary`.
        differences: paired `differences`, first product minus this one, with `p_holm` and `p_over_places_holm`, their
            p-values corrected (Holm) for all products that are compared with the first in this score; empty for
            the first.
        by_place: their `coverage_by`.
    """

    name: str
    rows: Mapping[str, int]
    sensors: pd.DataFrame
    skill: pd.DataFrame
    reliability: pd.DataFrame
    own: pd.DataFrame
    own_skill: pd.DataFrame
    differences: pd.DataFrame
    by_place: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of several products on their common samples.

    Attributes:
        products: products in the given order; differences are relative to the first.
        samples: matched table of each product.
        reference: scores of each sensor's own mean, which is not a model.
        min_samples: smallest number of matched samples of a scored sensor.
        bootstrap: settings of the intervals.
        left_out: rows of the products that are in no score, from `left_out`.
    """

    products: tuple[ProductScores, ...]
    samples: Mapping[str, pd.DataFrame]
    reference: pd.DataFrame
    min_samples: int
    bootstrap: Bootstrap
    left_out: pd.DataFrame

    @property
    def headline(self) -> pd.DataFrame:
        """Return one row per product and for the reference: counts, and each score of `HEADLINE` with its interval.

        Scores are means over sensors, and `<score>_over_places` means over places.
        """
        rows = [_headline(product.name, product.sensors, product.skill) for product in self.products]
        rows.append(_headline(OWN_MEAN, self.reference, summary(self.reference, self.bootstrap)))
        return pd.DataFrame(rows)

    @property
    def representative(self) -> pd.DataFrame:
        """Return rows as `headline`, one per product, over the sensors that ISMN's FRM classes call representative.

        There are none if these are no sensors, or all.
        """
        chosen = np.logical_or.reduce([is_representative(table) for table in self.samples.values()])
        keys = pd.MultiIndex.from_frame(next(iter(self.samples.values())).loc[chosen, SENSOR].drop_duplicates())
        rows = []
        for product in self.products:
            there = has_scores(product.sensors)
            own = there[pd.MultiIndex.from_frame(there[SENSOR]).isin(keys)]
            if 0 < len(own) < len(there):
                rows.append(_headline(product.name, own, summary(own, self.bootstrap)))
        return pd.DataFrame(rows)


def score(
    products: Mapping[str, pd.DataFrame], *, min_samples: int = MIN_SAMPLES, bootstrap: Bootstrap | None = None
) -> Scores:
    """Score named products on their common samples.

    Args:
        products: prediction table of each product, as described by `check`; the first is the evaluated one.
        min_samples: smallest number of matched samples of a scored sensor.
        bootstrap: settings of the intervals.

    Raises:
        VadoseError: a table is invalid for `check` or `matched`, or no sensor has enough matched samples.
    """
    bootstrap = bootstrap or Bootstrap()
    tables = {name: check(table, f"predictions '{name}'") for name, table in products.items()}
    common = matched(tables)
    own = {name: per_sensor(table, min_samples) for name, table in tables.items()}
    every = pd.concat(own.values())[[*SENSOR, "lat", "lon"]].drop_duplicates(SENSOR)
    again = {
        name: own[name] if _same(tables[name], table) else per_sensor(table, min_samples)
        for name, table in common.items()
    }
    sensors = {name: _with_absent(table, every, min_samples) for name, table in again.items()}
    first = next(iter(sensors.values()))
    if has_scores(first).empty:
        raise VadoseError(
            f"scores: sensors with at least {min_samples} matched samples",
            f"There are {len(first)} sensors, the longest with {first['n'].max()} samples",
            "Score more samples, or ask for fewer of them per sensor",
        )
    made = [_product(name, tables[name], sensors[name], own[name], first, bootstrap) for name in tables]
    return Scores(
        tuple(_corrected(made)),
        common,
        per_sensor(own_mean(next(iter(common.values()))), min_samples),
        min_samples,
        bootstrap,
        left_out(tables, next(iter(common.values())), first),
    )


def _same(table: pd.DataFrame, common: pd.DataFrame) -> bool:
    """Return whether all samples of a table are matched ones with the same labels."""
    return len(table) == len(common) and np.array_equal(table[LABEL].to_numpy(), common[LABEL].to_numpy())


def _with_absent(sensors: pd.DataFrame, every: pd.DataFrame, min_samples: int) -> pd.DataFrame:
    """Return the scores of sensors, with a row for each of `every` sensor that is not among them."""
    absent = every[~every.set_index(SENSOR).index.isin(sensors.set_index(SENSOR).index)]
    rows = absent.assign(n=0, n_spread=0, left_out=f"0 samples, {min_samples} needed", note="")
    return pd.concat([sensors, rows]).sort_values(SENSOR, ignore_index=True)


def _product(
    name: str,
    table: pd.DataFrame,
    sensors: pd.DataFrame,
    own: pd.DataFrame,
    first: pd.DataFrame,
    bootstrap: Bootstrap,
) -> ProductScores:
    return ProductScores(
        name,
        _rows(table, sensors),
        sensors,
        summary(sensors, bootstrap),
        reliability(sensors, bootstrap),
        own,
        summary(own, bootstrap),
        differences(first, sensors if sensors is not first else sensors.iloc[:0], bootstrap),
        coverage_by(sensors, bootstrap),
    )


def _corrected(products: Sequence[ProductScores]) -> list[ProductScores]:
    """Return the products with p-values of each score corrected over products."""
    corrected = {
        f"{name}_holm": _holm(np.stack([product.differences[name].to_numpy() for product in products]))
        for name in ("p", "p_over_places")
    }
    return [
        replace(
            product,
            differences=product.differences.assign(**{name: column[place] for name, column in corrected.items()}),
        )
        for place, product in enumerate(products)
    ]


def _holm(p: Floats) -> Floats:
    """Return p-values (products, scores) corrected over products."""
    return np.stack([holm(column) for column in p.T], axis=1)


def _rows(table: pd.DataFrame, sensors: pd.DataFrame) -> dict[str, int]:
    estimated = table["soil_moisture"].notna()
    return {
        "rows": len(table),
        "without estimate": int((~estimated).sum()),
        "without label": int((estimated & table[LABEL].isna()).sum()),
        "scorable": int(is_complete(table).sum()),
        "matched": int(sensors["n"].sum()),
        "scored": int(has_scores(sensors)["n"].sum()),
    }


def _headline(name: str, sensors: pd.DataFrame, skill: pd.DataFrame) -> dict[str, str | float]:
    there, rows = has_scores(sensors), figures(skill)
    counts: dict[str, str | float] = {
        "product": name,
        "sensors": len(there),
        "samples": int(there["n"].to_numpy().sum()),
        "places": int(rows["rmse"]["places"]),
        "effective_places": rows["rmse"]["effective"],
    }
    ends = ("", "_low", "_high")
    means = {f"{column}{end}": rows[column][f"mean{end}"] for column in HEADLINE for end in ends}
    means |= {f"{column}_over_places{end}": rows[column][f"over_places{end}"] for column in HEADLINE for end in ends}
    return counts | means | {f"r_median{end}": rows["r"][f"median{end}"] for end in ends}
