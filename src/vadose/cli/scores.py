"""The commands that score. Heavy rooms are imported by the command that needs them."""
# ruff: noqa: PLC0415

from pathlib import Path
from typing import Annotated, Literal

import typer

from vadose.cli import say
from vadose.errors import Refusal

Products = Annotated[
    list[str],
    typer.Argument(
        help="Tables of estimates (Parquet, CSV), or gridded products (NetCDF, Zarr, GeoTIFF, a folder of them), "
        "each as PATH or NAME=PATH; or a YAML file with name, path and the options below."
    ),
]
Out = Annotated[Path | None, typer.Option(help="Folder of the scorecard; none is written without it.")]
MinSamples = Annotated[int, typer.Option(help="Samples that a sensor needs to be scored.")]
Against = Annotated[str, typer.Option(help="'published', or a folder of works, to set the first product beside.")]
Sensors = Annotated[
    Path | None,
    typer.Option(help="Sensors for gridded products: a table of estimates with labels, or an ISMN archive."),
]
Variable = Annotated[str, typer.Option(help="Soil moisture in gridded files that hold several variables.")]
Units = Annotated[str, typer.Option(help="Of gridded files: 'm3 m-3', '%', 'kg m-2', mm or saturation.")]
LayerM = Annotated[float | None, typer.Option(help="Depth, m, of the layer that holds kg m-2 or mm.")]
Rescale = Annotated[
    Literal["sensor", "porosity"] | None,
    typer.Option(
        help="Saturation becomes m3 m-3 by the sensor's least and greatest, or by porosity.",
    ),
]
Porosity = Annotated[float | None, typer.Option(help="Porosity, m3 m-3; else a column of the table of sensors.")]
Select = Annotated[
    list[str] | None,
    typer.Option(help="NAME=VALUE of a dimension of gridded files besides ground and time, such as depth=0.05."),
]
Quality = Annotated[
    Literal["recommended", "retrieved"],
    typer.Option(help="Of SMAP's retrievals: recommended ones, or all that were retrieved."),
]
Window = Annotated[float, typer.Option(help="Hours that a grid may lie from a reading.")]


def score(
    predictions: Products,
    out: Out = None,
    min_samples: MinSamples = 20,
    against: Against = "",
    sensors: Sensors = None,
    variable: Variable = "",
    units: Units = "",
    layer_m: LayerM = None,
    rescale: Rescale = None,
    porosity: Porosity = None,
    window_hours: Window = 12.0,
    select: Select = None,
    quality: Quality = "recommended",
) -> None:
    """Score estimates against their sensors: R, ubRMSE, RMSE and bias, a sensor at a time."""
    from vadose.experiment.score import judge
    from vadose.products.described import reading_of

    reading = reading_of(variable, units, layer_m, rescale or "", porosity, window_hours, select or (), quality)
    say(judge(predictions, out, min_samples, sensors, reading, against))


def compare(
    products: Products,
    out: Out = None,
    min_samples: MinSamples = 20,
    against: Against = "",
    sensors: Sensors = None,
    variable: Variable = "",
    units: Units = "",
    layer_m: LayerM = None,
    rescale: Rescale = None,
    porosity: Porosity = None,
    window_hours: Window = 12.0,
    select: Select = None,
    quality: Quality = "recommended",
    triple: Annotated[bool, typer.Option("--triple", help="Tell errors by triple collocation too.")] = False,
) -> None:
    """Compare several products on the samples that all of them have, the first with each other one in pairs."""
    from vadose.experiment.score import judge
    from vadose.products.described import reading_of

    if len(products) < 2:
        raise Refusal("compare: one product", "There is nothing beside it", "Name two or more, or use 'vadose score'")
    reading = reading_of(variable, units, layer_m, rescale or "", porosity, window_hours, select or (), quality)
    say(judge(products, out, min_samples, sensors, reading, against, triple))
