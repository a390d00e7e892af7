"""Command that evaluates products."""

from pathlib import Path
from typing import Annotated, Literal

import typer

import vadose
from vadose.cli.console import echo

Products = Annotated[
    list[str],
    typer.Argument(
        help="Tables of estimates (Parquet, CSV), or gridded products (NetCDF, Zarr, GeoTIFF, a folder of them), "
        "each as PATH or NAME=PATH; or a YAML file with name, path and the options below. Named products need no "
        "options: NISAR=folder/, NISAR-DSG=folder/, NISAR-TSR=folder/, NISAR-PMI=folder/."
    ),
]
Out = Annotated[Path | None, typer.Option(help="Folder of the scorecard; by default none is written.")]
MinSamples = Annotated[int, typer.Option(help="Smallest number of samples of a scored sensor.")]
Literature = Annotated[
    str, typer.Option(help="'published', or a folder of publications, to compare the first product with.")
]
Sensors = Annotated[
    Path | None,
    typer.Option(help="Sensors for gridded products: a table of estimates with readings, or an ISMN archive."),
]
Variable = Annotated[str, typer.Option(help="Soil moisture variable of gridded files.")]
Units = Annotated[str, typer.Option(help="Units of gridded files: 'm3 m-3', '%', 'kg m-2', mm or saturation.")]
LayerDepth = Annotated[float | None, typer.Option(help="Depth of the soil layer, m, for kg m-2 or mm.")]
Rescale = Annotated[
    Literal["sensor", "porosity"] | None,
    typer.Option(
        help="Convert saturation to m3 m-3 by the sensor's range, or by porosity.",
    ),
]
Porosity = Annotated[float | None, typer.Option(help="Porosity, m3 m-3; by default a column of the sensor table.")]
Select = Annotated[
    list[str] | None,
    typer.Option(help="NAME=VALUE of a further dimension of gridded files, such as depth=0.05."),
]
Quality = Annotated[
    Literal["recommended", "retrieved"],
    typer.Option(help="Retrievals of SMAP and NISAR: recommended ones, or all."),
]
Maturity = Annotated[
    Literal["beta", "provisional"] | None,
    typer.Option(help="Maturity of NISAR granules, where a folder holds both; they are never mixed."),
]
Scaling = Annotated[
    Literal["mean-std", "linear", "min-max", "cdf"] | None,
    typer.Option(help="Rescale the estimates of each sensor to its readings before scoring; the page says so."),
]
Qa4sm = Annotated[Path | None, typer.Option(help="NetCDF file of the scores of every sensor, as QA4SM writes them.")]
Window = Annotated[float, typer.Option(help="Largest time difference between grid and reading, hours.")]


def evaluate(
    products: Products,
    out: Out = None,
    min_samples: MinSamples = 20,
    literature: Literature = "",
    sensors: Sensors = None,
    variable: Variable = "",
    units: Units = "",
    layer_depth: LayerDepth = None,
    rescale: Rescale = None,
    porosity: Porosity = None,
    window_hours: Window = 12.0,
    select: Select = None,
    quality: Quality = "recommended",
    maturity: Maturity = None,
    scaling: Scaling = None,
    qa4sm: Qa4sm = None,
    triple: Annotated[bool, typer.Option("--triple", help="Also estimate errors by triple collocation.")] = False,
) -> None:
    """Evaluate one product, or compare several on their common samples, at in-situ sensors.

    R, ubRMSE, RMSE and bias with 90 % intervals; of several products, the first is paired with each of the others.
    """
    from vadose.products.described import reading_of

    reading = reading_of(
        variable, units, layer_depth, rescale or "", porosity, window_hours, select or (), quality, maturity or ""
    )
    card = vadose.evaluate(
        products,
        sensors=sensors,
        out=out,
        min_samples=min_samples,
        literature=literature,
        triple=triple,
        reading=reading,
        scaling=scaling,
    )
    echo(str(card))
    if qa4sm:
        echo(f"QA4SM: {card.to_qa4sm(qa4sm)}")
    if out:
        echo(f"Scorecard: {out / 'scorecard.md'}, and scorecard.html beside it")
