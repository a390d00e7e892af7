"""How a sample store lies on disk, so that anything that opens JSON, Parquet and Zarr can open it.

STORE/declaration.json   what the store holds and what it was made from
      index.parquet      one row a sample, in order
      arrays.zarr        Zarr v3: cells/<name> (sample), history/<name> (sample, step), pixels/<name> (sample, y, x)
Chips are packed as 16-bit numbers; each array's attributes tell how.
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
from vadose.variables import IDENTITY as IDENTITY  # noqa: PLC0414 - part of the layout
from vadose.variables import SOIL_MOISTURE

KIND = "samples"
NO_PRODUCTS: Mapping[str, str] = MappingProxyType({})
FORMAT = 4
DECLARATION, INDEX, ARRAYS = "declaration.json", "index.parquet", "arrays.zarr"
LISTS = ("unmatched.parquet", "faults.parquet")
"""What a store may have beside its index: rows that were left out, with their reasons, and records that are damaged."""
LABEL = f"{SOIL_MOISTURE.name}_in_situ"
"""Column of the sensor's reading, m3 m-3."""
REQUIRED = (*IDENTITY, "lat", "lon", "time")
TEXTS = (*IDENTITY, "flag", "land_cover", "climate")
NUMBERS = ("lat", "lon", "depth_from_m", "depth_to_m", "lag_minutes", LABEL)
COLUMNS = (*REQUIRED, "depth_from_m", "depth_to_m", "flag", "lag_minutes", "land_cover", "climate", LABEL)
"""Columns of the index; time is UTC, lag_minutes is the time of the reading minus that of the sample."""


@dataclass(frozen=True)
class ArraySpec:
    """How one array of a store lies in its Zarr group.

    Attributes:
        group, name: its path is group/name.
        place: of the name in the order of its group.
        dims: names of its dimensions, the first of which is the sample.
        shape: of one sample.
        chunk: samples that are compressed together.
        block: samples in one file.
        packing: of its values as whole numbers; None where they are kept as 32-bit floats.
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
        """Path within the Zarr group."""
        return f"{self.group}/{self.name}"

    @property
    def attrs(self) -> dict[str, Any]:
        """CF attributes of the array."""
        return attrs_of(self.name) | (self.packing.attrs if self.packing else {})


def plans(holds: InputSpec, packings: Mapping[str, Packing] = UNCHANGED) -> tuple[ArraySpec, ...]:
    """Return the arrays of a store: cells, history and pixels, each in the order of `holds`.

    Args:
        holds: what every sample has.
        packings: of the pixels, by name; those that are not named are packed as `packing_of` says.
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
    """Units and long name of a predictor, or of the valid fraction or the age of a source.

    Raises:
        VadoseError: no such name in the vocabulary.
    """
    if name in PREDICTORS:
        return PREDICTORS[name].attrs
    if name.endswith("_valid_fraction"):
        return {"units": "1", "long_name": f"part of the cell that {name.removesuffix('_valid_fraction')} observed"}
    if name.endswith("_age"):
        return {"units": "day", "long_name": f"time since {name.removesuffix('_age')} observed the cell"}
    raise VadoseError(
        f"samples: a variable named {name}",
        f"The vocabulary has {', '.join(PREDICTORS)}, and <source>_valid_fraction and <source>_age",
        "Use one of these names",
    )


def products_of(holds: InputSpec, stated: Mapping[str, str]) -> dict[str, str]:
    """Return the product of each predictor that several products, levels or conventions go by the name of."""
    return {name: product_of(name, stated.get(name)) for name in sorted(holds.names) if name in PRODUCTS}


def described(
    holds: InputSpec,
    count: int,
    simulated: bool,
    packings: Mapping[str, Packing] = UNCHANGED,
    products: Mapping[str, str] = NO_PRODUCTS,
) -> dict[str, Any]:
    """Return what a store's declaration says of its contents; of packings only those that are its own."""
    own = {name: asdict(one) for name, one in packings.items() if name in holds.pixels and one != packing_of(name)}
    return ({"packings": own} if own else {}) | {
        "format": FORMAT,
        "count": count,
        "simulated": simulated,
        "needs": asdict(holds),
        "products": products_of(holds, products),
        "units": {plan.name: plan.attrs["units"] for plan in plans(holds)},
    }


def needs_from(described: Mapping[str, Any]) -> InputSpec:
    """Return the inverse of `asdict` on Needs.

    Raises:
        KeyError, TypeError: something is absent or of another type.
    """
    history = described["history"]
    return InputSpec(
        tuple(described["pixels"]),
        tuple(described["cells"]),
        HistorySpec(tuple(history["variables"]), int(history["steps"]), float(history["step_days"])),
        int(described["halo"]),
    )


def packings_from(described: Mapping[str, Any]) -> dict[str, Packing]:
    """Return the packings that a declaration names as the store's own.

    Raises:
        KeyError, TypeError, ValueError: one of them is none.
    """
    return {str(name): Packing.of(**one) for name, one in described.get("packings", {}).items()}
