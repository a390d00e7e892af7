"""A product: its name, and the reading of its files."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import xarray as xr
from dask.base import tokenize
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator

from vadose.errors import VadoseError
from vadose.evaluation import check, read
from vadose.io.files import read_config, validated
from vadose.products.conventions import CONVENTIONS, Convention, named
from vadose.variables import SOIL_MOISTURE

TABLES = (".parquet", ".pq", ".csv", ".csv.gz")


class Reading(BaseModel):
    """Reading of gridded files.

    Attributes:
        variable: variable of soil moisture; not needed if a file has only one.
        units: units, if the file states none or wrong ones: "m3 m-3", "%" (volumetric per cent), "kg m-2" or "mm"
            (water in a layer), "saturation" (0..1 or 0..100, by its values).
        layer_depth: depth of the layer of kg m-2 or mm, m.
        rescale: scaling of saturation: by the minimum and maximum reading of each sensor, or by porosity.
        porosity: porosity of every place, m3 m-3; by default the column `porosity` of the table of sensors.
        select: selected value of each dimension besides space and time, such as {"depth": "0.05"}.
        quality: retrievals of SMAP and NISAR that are read: the recommended ones, or all that were retrieved.
        maturity: maturity of NISAR granules; not needed if a folder has one only.
        product: name of a named product (`conventions.CONVENTIONS`); by default the name on the scorecard, if that is
            one, its files are, and neither variable, units, layer depth nor selection are given.
        window_hours: maximum distance between the time of a grid and of a reading, hours.
        flags: accepted ISMN flags of the readings of an archive, as in `LabelRule`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    variable: str = ""
    units: str = ""
    layer_depth: float | None = Field(default=None, gt=0, lt=10)
    rescale: Literal["", "sensor", "porosity"] = ""
    porosity: float | None = Field(default=None, gt=0, lt=1)
    select: dict[str, str] = Field(default_factory=dict)
    quality: Literal["recommended", "retrieved"] = "recommended"
    maturity: Literal["", "beta", "provisional"] = ""
    product: str = ""
    window_hours: float = Field(default=12.0, ge=0, le=8784)
    flags: tuple[str, ...] = ("G",)

    @field_validator("select", mode="before")
    @classmethod
    def _as_text(cls, select: Any) -> Any:
        return {str(name): str(value) for name, value in select.items()} if isinstance(select, dict) else select

    @field_validator("product")
    @classmethod
    def _known(cls, product: str) -> str:
        found = named(product)
        if product and found is None:
            raise ValueError(f"'{product}' is no named product; known are {', '.join(CONVENTIONS)}")
        return found.name if found else ""


class Product(Reading):
    """A product: its name, its file or folder, and how it is read.

    Attributes:
        name: name on the scorecard.
        path: file or folder.
    """

    name: str = Field(min_length=1)
    path: Path
    _held: pd.DataFrame | tuple[xr.Dataset, ...] | None = PrivateAttr(default=None)

    @property
    def held(self) -> pd.DataFrame | tuple[xr.Dataset, ...] | None:
        """Return a prediction table or gridded datasets in memory; None for files."""
        return self._held

    @property
    def is_table(self) -> bool:
        """Return whether it is a prediction table."""
        return isinstance(self.held, pd.DataFrame) or (self.held is None and str(self.path).lower().endswith(TABLES))

    @property
    def convention(self) -> Convention | None:
        """Return what is built in about it; None for a product that is not a named one."""
        return CONVENTIONS[self.product] if self.product else None

    @property
    def identity(self) -> str | Path:
        """Return its identity: its path, or a checksum of the content in memory."""
        return self.path if self.held is None else tokenize(self.held)

    @property
    def attrs(self) -> Mapping[str, Any]:
        """Return the attributes of a table; empty for CSV and gridded files."""
        if isinstance(self.held, pd.DataFrame):
            return {str(name): one for name, one in self.held.attrs.items()}
        parquet = self.held is None and self.path.is_file() and self.path.suffix.lower() in {".parquet", ".pq"}
        stored = pd.read_parquet(self.path, columns=["time"]).attrs if parquet else {}
        return {str(name): one for name, one in stored.items()}

    def table(self) -> pd.DataFrame:
        """Read the prediction table and check it.

        Raises:
            VadoseError: it is invalid.
        """
        if isinstance(self.held, pd.DataFrame):
            return check(self.held, f"predictions '{self.name}'")
        return read(self.path)

    @classmethod
    def of(cls, name: str, what: object, reading: Reading) -> "Product":
        """Return a product by its name: a path, a DataFrame, or an xarray object.

        Raises:
            VadoseError: it is none of these.
        """
        if isinstance(what, cls):
            return what.model_copy(update={"name": name})
        if isinstance(what, str | os.PathLike):
            return cls.parse(f"{name}={os.fspath(what)}", reading).model_copy(update={"name": name})
        held: Any = what
        if isinstance(what, xr.DataArray):
            held = (what.to_dataset(name=what.name or SOIL_MOISTURE.name),)
        elif isinstance(what, xr.DataTree):
            held = tuple(node.to_dataset() for node in what.leaves)
        elif isinstance(what, xr.Dataset):
            held = (what,)
        elif not isinstance(what, pd.DataFrame):
            raise VadoseError(
                f"evaluate: the product '{name}'",
                f"It is a {type(what).__name__}",
                "Give a path, a DataFrame of estimates, or a Dataset, DataArray or DataTree",
            )
        product = cls(name=name, path=Path(name), **reading.model_dump())
        product._held = held
        return product

    @classmethod
    def parse(cls, text: str, reading: Reading) -> "Product":
        """Return a product from the command line: a path, name=path, or a YAML file of this class.

        Raises:
            VadoseError: the file is missing, or the YAML file is invalid.
        """
        name, equals, rest = text.partition("=")
        if not equals or Path(text).exists():
            name, rest = "", text
        path = Path(rest)
        if not path.exists():
            raise VadoseError(f"evaluate: {rest}", "There is no such file or folder", "Give a table, or gridded files")
        if path.suffix in {".yaml", ".yml"}:
            return cls._read(path)
        return cls(name=name or path.name.split(".")[0], path=path, **reading.model_dump())._named()

    def _named(self) -> "Product":
        """Return it as the named product that it is by its name and its files."""
        found = None if self.product or self.is_table else named(self.name)
        free = not (self.variable or self.units or self.layer_depth or self.select)
        return self.model_copy(update={"product": found.name}) if found and free and found.holds(self.path) else self

    @classmethod
    def _read(cls, path: Path) -> "Product":
        asked, remedy = f"evaluate: the product {path}", f"Its keys are {', '.join(cls.model_fields)}"
        product = read_config(cls, path, asked, remedy, lambda content: {"name": path.stem} | content)
        return product.model_copy(update={"path": path.parent / product.path})._named()


def reading_of(
    variable: str,
    units: str,
    layer_depth: float | None,
    rescale: str,
    porosity: float | None,
    window_hours: float,
    select: Sequence[str] = (),
    quality: str = "recommended",
    maturity: str = "",
) -> Reading:
    """Return the options of the command line, checked; see `Reading`. Each of `select` is NAME=VALUE.

    Raises:
        VadoseError: a value is out of its range, or not NAME=VALUE.
    """
    pairs = [one.partition("=") for one in select]
    for name, equals, value in pairs:
        if not (name.strip() and equals and value.strip()):
            raise VadoseError(
                f"evaluate: --select {name}{equals}{value}", "It is not NAME=VALUE", "Write --select depth=0.05"
            )
    names = [name.strip() for name, _, _ in pairs]
    if len(set(names)) < len(names):
        raise VadoseError(f"evaluate: --select of {', '.join(names)}", "A name is repeated", "Choose one value each")
    options = {"variable": variable, "units": units, "layer_depth": layer_depth, "rescale": rescale}
    more: dict[str, Any] = {"porosity": porosity, "window_hours": window_hours, "quality": quality}
    more["maturity"] = maturity
    more["select"] = {name.strip(): value.strip() for name, _, value in pairs}
    return validated(Reading, options | more, "evaluate: how gridded files are read", "See 'vadose evaluate --help'")
