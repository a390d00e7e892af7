"""Layout of a sample store on disk, readable with JSON, Parquet and Zarr alone.

STORE/declaration.json   contents and provenance of the store
      index.parquet      one row per sample, in order
      arrays.zarr        Zarr v3: cells/<name> (sample), history/<name> (sample, step), pixels/<name> (sample, y, x)
Chips are packed as 16-bit numbers; the attributes of each array describe the packing.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from vadose.dataset.packing import UNCHANGED, Packing, packing_of
from vadose.errors import VadoseError
from vadose.fusion import HistorySpec, InputSpec
from vadose.grid import PIXELS_PER_CELL
from vadose.registry import (
    PREDICTORS,
    PRODUCTS,
    product_of,
)
from vadose.variables import FRM_CLASS, SOIL_MOISTURE
from vadose.variables import IDENTITY as IDENTITY  # noqa: PLC0414 - part of the layout

KIND = "samples"
NO_PRODUCTS: Mapping[str, str] = MappingProxyType({})
FORMAT = 4
DECLARATION, INDEX, ARRAYS = "declaration.json", "index.parquet", "arrays.zarr"
LISTS = ("unmatched.parquet", "faults.parquet")
"""Optional tables beside the index: rejected rows with their reasons, and damaged records."""
LABEL = f"{SOIL_MOISTURE.name}_in_situ"
"""Column of the in-situ reading, m3 m-3."""
REQUIRED = (*IDENTITY, "lat", "lon", "time")
CLASSES = ("land_cover", "climate", FRM_CLASS)
TEXTS = (*IDENTITY, "flag", *CLASSES)
NUMBERS = ("lat", "lon", "depth_from_m", "depth_to_m", "lag_minutes", LABEL)
COLUMNS = (*REQUIRED, "depth_from_m", "depth_to_m", "flag", "lag_minutes", *CLASSES, LABEL)
"""Columns of the index; time is UTC, lag_minutes is the time of the reading minus that of the sample."""


@dataclass(frozen=True)
class ArraySpec:
    """Layout of one array of a store in its Zarr group.

    Attributes:
        group, name: its path is group/name.
        place: index of the name in its group.
        dims: names of its dimensions, the first of which is the sample.
        shape: shape of one sample.
        chunk: samples compressed together.
        block: samples in one file.
        packing: packing of its values as whole numbers; None for 32-bit floats.
    """

    group: str
    name: str
    place: int
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    chunk: int
    block: int
    packing: Packing | None = None

    @property
    def path(self) -> str:
        """Return the path within the Zarr group."""
        return f"{self.group}/{self.name}"

    @property
    def attrs(self) -> dict[str, Any]:
        """Return the CF attributes of the array."""
        return attrs_of(self.name) | (self.packing.attrs if self.packing else {})


def plans(holds: InputSpec, packings: Mapping[str, Packing] = UNCHANGED) -> tuple[ArraySpec, ...]:
    """Return the arrays of a store: cells, history and pixels, each in the order of `holds`.

    Args:
        holds: contents of every sample.
        packings: packings of the pixels, by name; the others are packed as by `packing_of`.
    """
    side = (1 + 2 * holds.halo) * PIXELS_PER_CELL
    steps = holds.history.steps
    cells = [ArraySpec("cells", name, place, ("sample",), (), 4096, 4096) for place, name in enumerate(holds.cells)]
    history = [
        ArraySpec("history", name, place, ("sample", "step"), (steps,), 1024, 1024)
        for place, name in enumerate(holds.history.variables)
    ]
    pixels = [
        ArraySpec(
            "pixels", name, place, ("sample", "y", "x"), (side, side), 1, 32, packings.get(name) or packing_of(name)
        )
        for place, name in enumerate(holds.pixels)
    ]
    return (*cells, *history, *pixels)


def attrs_of(name: str) -> dict[str, str]:
    """Return units and long name of a predictor, or of the valid fraction or the age of a source.

    Raises:
        VadoseError: the name is not in the vocabulary.
    """
    if name in PREDICTORS:
        return PREDICTORS[name].attrs
    if name.endswith("_valid_fraction"):
        return {"units": "1", "long_name": f"fraction of the cell observed by {name.removesuffix('_valid_fraction')}"}
    if name.endswith("_age"):
        return {"units": "day", "long_name": f"age of the observation by {name.removesuffix('_age')}"}
    raise VadoseError(
        f"samples: a variable named {name}",
        f"The vocabulary has {', '.join(PREDICTORS)}, and <source>_valid_fraction and <source>_age",
        "Use one of these names",
    )


def products_of(holds: InputSpec, stated: Mapping[str, str]) -> dict[str, str]:
    """Return the product of each predictor whose name several products, levels or conventions share."""
    return {name: product_of(name, stated.get(name)) for name in sorted(holds.names) if name in PRODUCTS}


def described(
    holds: InputSpec,
    count: int,
    simulated: bool,
    packings: Mapping[str, Packing] = UNCHANGED,
    products: Mapping[str, str] = NO_PRODUCTS,
) -> dict[str, Any]:
    """Return the contents of a store for its metadata; of packings only the store's own."""
    own = {name: asdict(one) for name, one in packings.items() if name in holds.pixels and one != packing_of(name)}
    return ({"packings": own} if own else {}) | {
        "format": FORMAT,
        "count": count,
        "simulated": simulated,
        "needs": holds.describe(),
        "products": products_of(holds, products),
        "units": {plan.name: plan.attrs["units"] for plan in plans(holds)},
    }


def needs_from(described: Mapping[str, Any]) -> InputSpec:
    """Return the inverse of `InputSpec.describe`.

    Raises:
        KeyError, TypeError: a key is missing or of another type.
    """
    history = described["history"]
    return InputSpec(
        tuple(described["pixels"]),
        tuple(described["cells"]),
        HistorySpec(tuple(history["variables"]), int(history["steps"]), float(history["step_days"]), _sparse(history)),
        int(described["halo"]),
    )


def _sparse(history: Mapping[str, Any]) -> float | None:
    return float(history["sparse_m"]) if history.get("sparse_m") is not None else None


def packings_from(described: Mapping[str, Any]) -> dict[str, Packing]:
    """Return the store's own packings from its metadata.

    Raises:
        KeyError, TypeError, ValueError: one of them is invalid.
    """
    return {str(name): Packing.of(**one) for name, one in described.get("packings", {}).items()}
