"""A granule of NISAR SME2: its name, and the reading of a window of one of its retrievals.

Sources of each fact: `docs/reference/named-products/nisar.md`.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

import h5py
import numpy as np
from numpy.typing import NDArray

from vadose.grid import nanosecond
from vadose.registry import GranuleName, Stream
from vadose.sources.granule_names import is_data
from vadose.sources.granules import Granule, Layer, reading
from vadose.sources.left_out import Unfit
from vadose.sources.packing import Packing, text
from vadose.sources.placement import Placement, line
from vadose.sources.water import check_magnitude, factor
from vadose.sources.window import Window, ease2

Retrieval = Literal["combined", "DSG", "PMI", "TSR"]
"""The combined field, or a candidate algorithm: disaggregation, physical model inversion, time-series ratio."""
RETRIEVALS: tuple[Retrieval, ...] = get_args(Retrieval)
Quality = Literal["recommended", "retrieved"]

PER_9KM = 45
GRID = ease2(1 / PER_9KM)
"""EASE-Grid 2.0 of the Earth with pixels of 200.179 m: 45 x 45 in one of 9 km."""

LATENCY_DAYS = 3.0
"""Expected latency: 72 hours."""
PROVISIONAL = Stream("NISAR_L3_SME2_PROVISIONAL_V1", LATENCY_DAYS)
BETA = Stream("NISAR_L3_SME2_BETA_V1", LATENCY_DAYS)
MATURITY = {PROVISIONAL: "PROVISIONAL", BETA: "BETA"}
"""Maturities by stream."""
_BY_ENVIRONMENT = {"P": PROVISIONAL, "X": BETA}
"""Streams by the first letter of the composite release identifier."""

GRIDS = "science/LSAR/SME2/grids"
_IDENTIFICATION = "science/LSAR/identification"
_NOT_RECOMMENDED, _FLAG_FILL = 1, -9999
_OFF_GRID = 0.05

COMPANION = re.compile(r"NISAR_.*_QA_STATS(?:\.|_)", re.IGNORECASE)
"""Statistics beside a granule, HDF5 like it."""
LIKE = re.compile(r"NISAR_L3", re.IGNORECASE)
_NAME = re.compile(
    r"NISAR_L3_(?P<processing>[A-Z]{2})_SME2_(?P<cycle>\d{3})_(?P<track>\d{3})_(?P<direction>[AD])_(?P<frame>\d{3})"
    r"_(?P<mode>\d{4})_(?P<polarisations>[A-Z0-9]{4})_(?P<observation>[A-Z])"
    r"_(?P<start>\d{8}T\d{6})_(?P<end>\d{8}T\d{6})_(?P<crid>[A-Z]\d{5})_(?P<accuracy>[A-Z])_(?P<coverage>[A-Z])"
    r"_(?P<centre>[A-Z])_(?P<counter>\d{3})(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
_OTHER = re.compile(r"NISAR_L\d[A-Z]?_[A-Z]{2}_(?P<product>[A-Z0-9]{4})_(?P<rest>.*)", re.IGNORECASE | re.DOTALL)


def read_name(name: str) -> GranuleName | None:
    """Parse the name of a file.

    Raises:
        Unfit: it belongs to another product of NISAR, has no valid time, or its maturity is unknown.
    """
    if COMPANION.search(name):
        return None
    match = _NAME.search(name)
    if match is not None:
        if not is_data(match["rest"]):
            return None
        crid = match["crid"].upper()
        stream = _BY_ENVIRONMENT.get(crid[0])
        if stream is None:
            raise Unfit(
                "unknown maturity",
                f"nisar: a file named {name}",
                f"Its release identifier is {crid}; P is read as PROVISIONAL, X as BETA",
                "Download it from NISAR_L3_SME2_PROVISIONAL_V1 or NISAR_L3_SME2_BETA_V1",
            )
        return GranuleName(stream, _middle(name, match["start"], match["end"]), f"{crid}_{match['counter']}")
    other = _OTHER.search(name)
    if other is not None and is_data(re.sub(r"^[^.]*", "", other["rest"], count=1)):
        raise Unfit(
            "another product of NISAR",
            f"nisar: a file named {name}",
            f"It is {other['product'].upper()}; SME2 is read, NISAR_L3_PR_SME2_ with its complete name",
            "Download NISAR_L3_SME2_PROVISIONAL_V1, or restore the name",
        )
    return None


def _middle(name: str, start: str, end: str) -> np.datetime64:
    try:
        first, last = (nanosecond(f"{one[:4]}-{one[4:6]}-{one[6:11]}:{one[11:13]}:{one[13:]}") for one in (start, end))
    except ValueError as error:
        raise Unfit(
            "no date in its name", f"nisar: a file named {name}", f"It contains no time: {start} to {end}", "Rename it"
        ) from error
    if not np.timedelta64(0) <= last - first <= np.timedelta64(2, "h"):
        raise Unfit("no date in its name", f"nisar: a file named {name}", f"It goes from {start} to {end}", "Rename it")
    middle: np.datetime64 = first + (last - first) // 2
    return middle


@dataclass(frozen=True)
class Content:
    """Content of a granule besides its layers.

    Attributes:
        placement: position of its rows and columns on the grid.
        retrievals: those that it holds.
        version: product version as stated in the file; empty if it is not.
    """

    placement: Placement
    retrievals: tuple[Retrieval, ...]
    version: str


@lru_cache(maxsize=1 << 14)
def content(granule: Granule) -> Content:
    """Return what a granule contains; its header is read once.

    Raises:
        Unfit: it is damaged, of another product, another granule than its name, or on another grid.
    """
    asked = f"nisar: {granule.path}"
    with reading(granule.path, "nisar") as file:
        grids = _grids(file, asked)
        _check_identity(file, granule, asked)
        _check_projection(grids, asked)
        x, y = (_axis(grids, name, asked) for name in ("xCoordinates", "yCoordinates"))
        rows = line((GRID.north - y) / GRID.step - 0.5, GRID.rows, asked, "rows", off_grid=_OFF_GRID)
        columns = line(
            (x - GRID.west) / GRID.step - 0.5, GRID.columns, asked, "columns", wraps=True, off_grid=_OFF_GRID
        )
        held = tuple(one for one in RETRIEVALS if isinstance(grids.get(_path(one)), h5py.Dataset))
        return Content(Placement(rows, columns), held, _stated(file, "productVersion"))


def read(granule: Granule, retrieval: Retrieval, quality: Quality, window: Window) -> Layer:
    """Return soil moisture of a window (y, x), m3 m-3, row 0 in the north, NaN where missing.

    Args:
        granule: the file.
        retrieval: the field.
        quality: "recommended" keeps pixels whose own retrieval quality flag has bit 0 unset; "retrieved" keeps all.
        window: pixels of `GRID`.

    Raises:
        Unfit: the file is damaged, lacks the retrieval, or its numbers contradict its units.
    """
    return read_flagged(granule, retrieval, quality, window)[0]


def read_flagged(
    granule: Granule, retrieval: Retrieval, quality: Quality, window: Window
) -> tuple[Layer, NDArray[np.bool_]]:
    """Return soil moisture as `read`, and which retrievals were left out by their flag.

    Raises:
        Unfit: as `read`.
    """
    held = content(granule)
    asked = f"nisar: {granule.path}, {retrieval}"
    require(retrieval, held, asked)
    with reading(granule.path, "nisar") as file:
        grids = _grids(file, asked)
        moisture = grids[_path(retrieval)]
        units = text(moisture.attrs.get("units", "none"))
        times = factor(units, asked, layer=False)
        numbers = Packing.of(moisture, bounds=False).physical(_window(moisture, held.placement, window, np.nan, asked))
        check_magnitude(numbers[numbers > 0], times, units, asked)
        values = (numbers * times).astype(np.float32)
        retrieved = values > 0
        valid = retrieved
        if quality == "recommended" and retrieved.any():
            valid = retrieved & _recommended(grids, retrieval, held.placement, window, asked)
        return np.where(valid, values, np.float32(np.nan)), retrieved & ~valid


def require(retrieval: Retrieval, held: Content, asked: str) -> None:
    """Refuse a granule without a retrieval.

    Raises:
        Unfit: it has none.
    """
    if retrieval not in held.retrievals:
        raise Unfit(
            f"no retrieval {retrieval}",
            asked,
            f"It holds {', '.join(held.retrievals) or 'none'}",
            "Choose one of them; granules differ in the algorithms that were run",
        )


def _recommended(
    grids: h5py.Group, retrieval: Retrieval, place: Placement, window: Window, asked: str
) -> NDArray[np.bool_]:
    name = _path(retrieval, "retrievalQualityFlag")
    flag = grids.get(name)
    if not isinstance(flag, h5py.Dataset):
        raise Unfit("no retrievalQualityFlag", asked, f"It has no {name}", "Download it again, or read all retrievals")
    numbers = np.asarray(_window(flag, place, window, _FLAG_FILL, asked), np.float64)
    known = np.isfinite(numbers) & (numbers >= 0)
    bits = np.where(known, numbers, 0).astype(np.int64)
    return np.asarray(known & (bits & _NOT_RECOMMENDED == 0))


def _window(variable: h5py.Dataset, place: Placement, window: Window, empty: float, asked: str) -> NDArray[Any]:
    if variable.shape != (place.rows.count, place.columns.count):
        raise Unfit(
            "another shape",
            asked,
            f"The shape of {variable.name} is {variable.shape}, its axes have {place.rows.count} and "
            f"{place.columns.count}",
            "Download the file again",
        )
    return place.read(window, lambda down, across: variable[down, across], empty)


def _path(retrieval: Retrieval, field: str = "soilMoisture") -> str:
    return field if retrieval == "combined" else f"algorithmCandidates/{retrieval}/{field}"


def _grids(file: h5py.File, asked: str) -> h5py.Group:
    found = file.get(GRIDS)
    if not isinstance(found, h5py.Group):
        remedy = "Download the granule itself"
        raise Unfit("no SME2 grids", asked, f"It has no group {GRIDS}; it has {sorted(file)[:6]}", remedy)
    return found


def _check_identity(file: h5py.File, granule: Granule, asked: str) -> None:
    product, name = _stated(file, "productType"), _stated(file, "granuleId")
    if product and product.upper() != "SME2":
        raise Unfit("another product of NISAR", asked, f"Its productType is {product}", "Download SME2")
    inside = read_name(name) if _NAME.search(name) else None
    own = GranuleName(granule.stream, granule.time, granule.version)
    if inside is not None and inside != own:
        raise Unfit(
            "another granule than its name", asked, f"Its granuleId is {name}", "Restore the name of its data centre"
        )


def _check_projection(grids: h5py.Group, asked: str) -> None:
    projection = grids.get("projection")
    stated = [] if projection is None else [projection.attrs.get("epsg_code"), projection[()]]
    codes = [int(code) for code in stated if code is not None and np.asarray(code).dtype.kind in "iu"]
    if codes and GRID.epsg not in codes:
        remedy = "Use the product's own files"
        raise Unfit("another grid", asked, f"Its projection is EPSG:{codes[0]}, not {GRID.epsg}", remedy)


def _axis(grids: h5py.Group, name: str, asked: str) -> NDArray[np.float64]:
    found = grids.get(name)
    if not isinstance(found, h5py.Dataset) or found.ndim != 1 or not found.size:
        raise Unfit("another grid", asked, f"It has no axis {name}", "Use the product's own files")
    return np.asarray(found[()], np.float64)


def _stated(file: h5py.File, name: str) -> str:
    found = file.get(f"{_IDENTIFICATION}/{name}")
    return text(found[()]).strip() if isinstance(found, h5py.Dataset) and found.size else ""
