"""Static variables of an ISMN station: land cover, climate and soil."""

import csv
from dataclasses import dataclass, field
from typing import Final

from vadose.errors import VadoseError
from vadose.insitu.headers import decoded, malformed, without_mark

COLUMNS: Final = (
    "quantity_name",
    "unit",
    "depth_from[m]",
    "depth_to[m]",
    "value",
    "description",
    "quantity_source_name",
)
"""Header of the tables, missing in older ones. Further columns contain the sources."""

SOIL: Final = {
    "clay_fraction": ("clay fraction", "% weight"),
    "sand_fraction": ("sand fraction", "% weight"),
    "silt_fraction": ("silt fraction", "% weight"),
    "organic_carbon": ("organic carbon", "% weight"),
    "saturation": ("saturation", "m3 m-3"),
}
"""Variables of the soil layer around a sensor: our name (the ismn package's), ISMN's, and the unit."""

CLASS_COLUMNS: Final = {
    "lc_2000": ("land cover classification", "CCI_landcover_2000"),
    "lc_2005": ("land cover classification", "CCI_landcover_2005"),
    "lc_2010": ("land cover classification", "CCI_landcover_2010"),
    "lc_insitu": ("land cover classification", "insitu"),
    "climate_KG": ("climate classification", "koeppen_geiger_2007"),
    "climate_KG_2017": ("climate classification", "koeppen_geiger_2017"),
    "climate_insitu": ("climate classification", "insitu"),
}
"""Station classes: our name (the ismn package's), ISMN's, and its source (ESA CCI land cover, Köppen-Geiger)."""


@dataclass(frozen=True)
class Layer:
    """A value of the soil between two depths, m."""

    depth_from_m: float
    depth_to_m: float
    value: float


@dataclass(frozen=True)
class Static:
    """The static variables of a station.

    Attributes:
        classes: classes by name, one of COVER.
        soil: layers by name, one of SOIL.
    """

    classes: dict[str, str] = field(default_factory=dict)
    soil: dict[str, tuple[Layer, ...]] = field(default_factory=dict)

    def at(self, depth_from_m: float, depth_to_m: float) -> dict[str, str | float | None]:
        """Return all variables for a sensor; of the soil, the layer that overlaps its depths most, or else the nearest.

        Args:
            depth_from_m, depth_to_m: depths of the sensor, m below the surface.

        Returns:
            By name, every class (text) and soil variable (in its unit); None if the table has none.
        """

        def distance(layer: Layer) -> tuple[float, float]:
            shared = min(depth_to_m, layer.depth_to_m) - max(depth_from_m, layer.depth_from_m)
            return -shared, layer.depth_from_m

        nearest = {name: min(layers, key=distance).value for name, layers in self.soil.items()}
        return {name: self.classes.get(name) for name in CLASS_COLUMNS} | {name: nearest.get(name) for name in SOIL}


def read_static(file: str, content: bytes) -> Static:
    """Read a table of static variables.

    Args:
        file: its path, for messages.
        content: its bytes; semicolons between the columns, a quotation mark is an inch or a second of arc.

    Raises:
        VadoseError: it is not such a table.
    """
    try:
        lines = decoded(without_mark(file, content)).splitlines()
        rows = list(csv.reader(lines, delimiter=";", quoting=csv.QUOTE_NONE))
        return _static([dict(zip(COLUMNS, row, strict=False)) for row in rows if row])
    except (KeyError, ValueError, csv.Error) as error:
        raise _no_table(file, str(error)) from error


def _static(rows: list[dict[str, str]]) -> Static:
    classes: dict[str, str] = {}
    soil: dict[str, tuple[Layer, ...]] = {}
    for row in rows:
        for name, (quantity, source) in CLASS_COLUMNS.items():
            if (row["quantity_name"], row["quantity_source_name"]) == (quantity, source):
                classes.setdefault(name, row["value"])
        for name, (quantity, _) in SOIL.items():
            if row["quantity_name"] == quantity:
                layer = Layer(float(row["depth_from[m]"]), float(row["depth_to[m]"]), float(row["value"]))
                soil[name] = (*soil.get(name, ()), layer)
    return Static(classes, soil)


def _no_table(file: str, found: str) -> VadoseError:
    return malformed(file, f"It is not a table of static variables: {found}")
