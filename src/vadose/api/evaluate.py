"""Evaluation of products at in-situ sensors."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vadose.evaluation import Scaling
from vadose.experiment.score import EVALUATION, score_products
from vadose.io.files import validated
from vadose.io.paths import StrPath
from vadose.products import Product, Reading
from vadose.report import qa4sm
from vadose.report.scorecard import Scorecard as Scorecard  # noqa: PLC0414 (what `evaluate` returns)


def evaluate(
    products: Mapping[str, Any] | Sequence[StrPath] | StrPath | pd.DataFrame,
    *,
    sensors: StrPath | pd.DataFrame | None = None,
    out: StrPath | None = None,
    min_samples: int = 20,
    literature: str = "",
    triple: bool = False,
    reading: Reading | Mapping[str, Any] | None = None,
    scaling: Scaling | None = None,
) -> Scorecard:
    """Evaluate one product, or compare several on their common samples, at in-situ sensors.

    Args:
        products: by name, each a DataFrame of estimates (network, station, sensor, lat, lon, time, soil_moisture,
            soil_moisture_in_situ, and optionally soil_moisture_std and quality), a gridded Dataset, DataArray or
            DataTree, or a path of either; or paths alone, each also as "name=path". Differences are relative to the
            first.
        sensors: for gridded products: a table of estimates with readings, or an ISMN archive; by default the first
            table among the products.
        out: folder of the scorecard; by default none is written.
        min_samples: smallest number of samples of a scored sensor.
        literature: "published", or a folder of publications, to compare the first product with.
        triple: whether errors are also estimated by triple collocation.
        reading: options for reading gridded products, the keys of `vadose.products.Reading`: variable, units,
            layer_depth, rescale, porosity, select, quality, maturity, product, window_hours, flags.
        scaling: rescaling of the estimates of each sensor to its readings before scoring: "mean-std", "linear",
            "min-max" or "cdf", fitted to the scored samples and named above the figures; by default none.

    Returns:
        The scorecard: `headline`, `representative`, `sensors`, `dates` and `left_out` (DataFrames), `to_html`,
        `to_markdown`, `to_qa4sm`, `write`.

    Raises:
        VadoseError: a product is unreadable or has other units, or no sensor has enough samples.
    """
    folder = None if out is None else Path(out)
    if folder is not None:
        EVALUATION.require_place(folder, folder=True)
    how = reading if isinstance(reading, Reading) else _reading(reading or {})
    place = sensors if sensors is None or isinstance(sensors, pd.DataFrame) else Path(sensors)
    return score_products(_products(products, how), folder, min_samples, place, literature, triple, scaling)


def read_qa4sm(path: StrPath) -> pd.DataFrame:
    """Read the pairwise scores of a NetCDF result of QA4SM (qa4sm.eu), or of pytesmo's validation framework.

    Args:
        path: NetCDF file.

    Returns:
        One row per product, location and temporal window, with our names and signs of the scores: bias is the mean of
        the product minus that of the reference.

    Raises:
        VadoseError: it cannot be read, or has no such score.
    """
    return qa4sm.read_qa4sm(Path(path))


def _products(
    products: Mapping[str, Any] | Sequence[StrPath] | StrPath | pd.DataFrame, reading: Reading
) -> tuple[Product, ...]:
    if isinstance(products, pd.DataFrame):
        products = {"estimates": products}
    if isinstance(products, Mapping):
        return tuple(Product.of(str(name), one, reading) for name, one in products.items())
    several = (products,) if isinstance(products, str | os.PathLike) else products
    return tuple(Product.parse(str(one), reading) for one in several)


def _reading(keys: Mapping[str, Any]) -> Reading:
    return validated(
        Reading,
        dict(keys),
        "evaluate: options for gridded products",
        f"The options are {', '.join(Reading.model_fields)}",
    )
