"""Exchange with QA4SM (qa4sm.eu): scores of sensors written as its NetCDF, and its results read.

QA4SM's files hold one value per location and temporal sub-window of each metric, in variables such as
`R_between_0-ISMN_and_1-SMAP`; BIAS is the mean of the reference minus that of the product.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from vadose import __version__
from vadose.errors import VadoseError
from vadose.evaluation.predictions import SENSOR
from vadose.evaluation.rescaling import Scaling
from vadose.evaluation.scores import HEADLINE
from vadose.io.files import atomic_write
from vadose.io.untrusted import netcdf_engine
from vadose.report.content import ReportData

REFERENCE = "ISMN"
BULK = "bulk"
"""Name of the sub-window of all samples."""
METRICS: Mapping[str, str] = {
    "R": "r",
    "rho": "spearman",
    "tau": "kendall",
    "BIAS": "bias",
    "RMSD": "rmse",
    "urmsd": "ubrmse",
    "mse": "mse",
    "mse_corr": "mse_corr",
    "mse_bias": "mse_bias",
    "mse_var": "mse_var",
}
"""Metrics of QA4SM by name, and ours; RSS is MSE times the number of samples."""
SLOPES: Mapping[str, str] = {"slopeR": "r", "slopeURMSD": "ubrmse", "slopeBIAS": "bias"}
SCALINGS: Mapping[Scaling, str] = {
    "mean-std": "mean_std",
    "linear": "linreg",
    "min-max": "min_max",
    "cdf": "cdf_match",
}
"""Its name of each rescaling."""
UNSCALED = "none"
_TURNED = frozenset({"BIAS", "slopeBIAS"})
"""Metrics of the opposite sign."""
_PAIR = re.compile(
    r"(?P<metric>[A-Za-z_]+?)(?:_ci_(?P<bound>lower|upper))?_between_(?P<ref>\d+)-(?P<reference>.+?)"
    r"_and_(?P<number>\d+)-(?P<product>.+)"
)
_OK, _TOO_FEW = 0, 1
"""Values of its status."""


def write_qa4sm(path: Path, content: ReportData) -> Path:
    """Write the scores of the sensors as a result of QA4SM.

    Args:
        path: NetCDF file.
        content: content of a scorecard.
    """
    first = content.scores.products[0].sensors
    made = xr.Dataset(dict(_variables(content, first)), attrs=_attributes(content))
    made = made.assign_coords(
        tsw=("tsw", np.array([BULK])),
        lat=("loc", first["lat"].to_numpy(np.float64), {"units": "degrees_north", "standard_name": "latitude"}),
        lon=("loc", first["lon"].to_numpy(np.float64), {"units": "degrees_east", "standard_name": "longitude"}),
    )
    with atomic_write(path) as temporary:
        made.to_netcdf(temporary, engine="netcdf4")
    return path


def read_qa4sm(path: Path) -> pd.DataFrame:
    """Read the pairwise scores of a result of QA4SM, or of pytesmo's validation framework.

    Returns:
        One row per product, location and temporal sub-window: `product`, `reference`, `scaling` and `scaled_to` (the
        rescaling of the products and its reference; "none" and "" without, "not stated" where the file does not),
        `network`, `station` and `sensor` where known, `lat`, `lon`, `window`, `n`, and the scores that it has, by our
        names, with `_low` and `_high` where it has intervals; trends as `<score>_per_decade`.

    Raises:
        VadoseError: it cannot be read, or has no such score.
    """
    asked = f"QA4SM: {path}"
    if not path.is_file():
        raise VadoseError(asked, "There is no such file", "Give a NetCDF result of QA4SM")
    try:
        with xr.open_dataset(path, engine=netcdf_engine(path, asked), decode_times=False) as held:
            dataset = held.load()
    except VadoseError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise VadoseError(asked, f"It cannot be read ({error})", "Download it again") from error
    parts = [
        _rows(dataset, product, window)
        for product in _products(dataset)
        for window in range(dataset.sizes.get("tsw", 1))
    ]
    if not parts or "lat" not in dataset.variables:
        held_names = ", ".join(map(str, dataset.variables))[:200]
        raise VadoseError(
            asked,
            f"It has no score of a pair of datasets at locations; it has {held_names}",
            "Give a result of QA4SM with variables such as R_between_0-ISMN_and_1-SMAP",
        )
    return pd.concat(parts, ignore_index=True)


def _variables(content: ReportData, first: pd.DataFrame) -> Iterator[tuple[str, Any]]:
    keys = pd.MultiIndex.from_frame(first[SENSOR])
    yield "idx", ("loc", np.arange(len(first)))
    yield "gpi", ("loc", np.arange(len(first)))
    for ours, theirs in (("network", "network"), ("station", "station"), ("sensor", "instrument")):
        yield theirs, ("loc", first[ours].to_numpy(str))
    samples = next(iter(content.scores.samples.values()))
    for ours, theirs in (("climate", "climate_KG"), ("land_cover", "lc_2010"), ("frm_class", "frm_class")):
        if ours in samples:
            words = samples.groupby(SENSOR)[ours].first().reindex(keys).fillna("").astype(str)
            yield theirs, ("loc", words.to_numpy(str))
    yield "n_obs", (("loc", "tsw"), first["n"].to_numpy(np.float64)[:, None])
    for number, product in enumerate(content.scores.products, start=1):
        own = product.sensors.set_index(SENSOR).reindex(keys)
        time = content.time.sensors[product.name].set_index(SENSOR).reindex(keys)
        trends = content.trends[product.name].sensors.set_index(SENSOR).reindex(keys)
        pair = f"between_0-{REFERENCE}_and_{number}-{_plain(product.name)}"
        found = {theirs: _signed(theirs, own[ours]) for theirs, ours in METRICS.items()}
        found["RSS"] = (own["mse"] * own["n"]).to_numpy(np.float64)
        found["status"] = np.where(own["left_out"].to_numpy() == "", _OK, _TOO_FEW).astype(np.float64)
        found |= {theirs: _signed(theirs, trends[f"{ours}_per_decade"]) for theirs, ours in SLOPES.items()}
        for theirs, ours in METRICS.items():
            if ours in HEADLINE:
                ends = [_signed(theirs, time[f"{ours}_{end}"]) for end in ("low", "high")]
                lower, upper = ends[::-1] if theirs in _TURNED else ends
                found |= {f"{theirs}_ci_lower": lower, f"{theirs}_ci_upper": upper}
        for name, values in found.items():
            yield f"{name}_{pair}", (("loc", "tsw"), values[:, None])


def _signed(theirs: str, values: "pd.Series[float]") -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.asarray(values.to_numpy(np.float64) * (-1 if theirs in _TURNED else 1))


def _attributes(content: ReportData) -> dict[str, str]:
    samples = next(iter(content.scores.samples.values()))
    names = [REFERENCE, *(product.name for product in content.scores.products)]
    found = {
        "title": content.words.title,
        "source": f"vadose {__version__}",
        "val_ref": "val_dc_dataset0",
        "val_scaling_method": SCALINGS[content.scaling] if content.scaling else UNSCALED,
        "val_is_scattered_data": "True",
        "val_interval_from": str(samples["time"].min()),
        "val_interval_to": str(samples["time"].max()),
        "val_confidence_level": f"{content.scores.bootstrap.level:g}",
        "comment": " ".join(filter(None, [content.words.notice, *content.words.notes])),
    }
    found |= {"val_scaling_ref": found["val_ref"]} if content.scaling else {}
    for number, name in enumerate(names):
        found |= {
            f"val_dc_dataset{number}": _plain(name),
            f"val_dc_dataset_pretty_name{number}": name,
            f"val_dc_version{number}": "not stated",
            f"val_dc_version_pretty_name{number}": "not stated",
            f"val_dc_variable{number}": "soil_moisture",
            f"val_dc_variable_pretty_name{number}": "soil moisture",
            f"val_dc_unit{number}": "m³/m³",
        }
    return found


def _plain(name: str) -> str:
    """Return a name that a variable of NetCDF can contain, without the separator of two datasets."""
    return re.sub(r"[^A-Za-z0-9.\-]+", "_", name).replace("_and_", "_").strip("_") or "product"


def _products(dataset: xr.Dataset) -> list[tuple[str, str, str]]:
    """Return number, name and reference of each product with a pairwise score."""
    found = [match for name in dataset.variables if (match := _pair(str(name))) and match["metric"] in METRICS]
    return list(dict.fromkeys((match["number"], match["product"], match["reference"]) for match in found))


def _pair(name: str) -> re.Match[str] | None:
    match = _PAIR.fullmatch(name)
    return None if match is None or "_and_" in match["product"] else match


def _rows(dataset: xr.Dataset, product: tuple[str, str, str], window: int) -> pd.DataFrame:
    number, name, reference = product

    def at(variable: str) -> Any:
        values = dataset[variable]
        return (values.isel(tsw=window) if "tsw" in values.dims else values).to_numpy().ravel()

    pretty = dataset.attrs.get(f"val_dc_dataset_pretty_name{number}", name)
    label = str(dataset["tsw"].to_numpy()[window]) if "tsw" in dataset.coords else BULK
    found: dict[str, Any] = {"product": str(pretty), "reference": reference, **_scaling(dataset), "window": label}
    found |= {axis: at(axis) for axis in ("lat", "lon")}
    texts = {"network": "network", "station": "station", "instrument": "sensor"}
    found |= {ours: [_text(one) for one in at(theirs)] for theirs, ours in texts.items() if theirs in dataset}
    counts = [one for one in (f"n_obs_between_0-{reference}_and_{number}-{name}", "n_obs") if one in dataset]
    found |= {"n": at(counts[0])} if counts else {}
    for variable in map(str, dataset.variables):
        match = _pair(variable)
        if match is None or (match["number"], match["product"]) != (number, name):
            continue
        metric, turned = match["metric"], -1.0 if match["metric"] in _TURNED else 1.0
        column = METRICS.get(metric) or (f"{SLOPES[metric]}_per_decade" if metric in SLOPES else "")
        end = {"lower": "_low", "upper": "_high", None: ""}[match["bound"]]
        if turned < 0 and end:
            end = {"_low": "_high", "_high": "_low"}[end]
        if column:
            found[f"{column}{end}"] = turned * np.asarray(at(variable), np.float64)
    return pd.DataFrame(found)


def _scaling(dataset: xr.Dataset) -> dict[str, str]:
    method = str(dataset.attrs.get("val_scaling_method", "not stated"))
    ours = {theirs: ours for ours, theirs in SCALINGS.items()}
    scaled_to = str(dataset.attrs.get(dataset.attrs.get("val_scaling_ref"), "")) if method != UNSCALED else ""
    return {"scaling": ours.get(method, method), "scaled_to": scaled_to}


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
