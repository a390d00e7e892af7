"""Published figures with their settings, one YAML file per publication."""

from importlib.resources import as_file, files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vadose.errors import VadoseError
from vadose.grid import Period
from vadose.io.files import read_config

Way = Literal["places", "random places", "times", "random samples", "no training", "not stated"]
"""Samples that were held out from training."""
Score = Literal["r", "bias", "rmse", "ubrmse", "kge", "anomaly_r", "r2"]
Over = Literal["mean", "median", "pooled", "stations", "not stated"]
"""Mean or median over sensors; pooled: all samples as one series; stations: across stations."""

Checked = Literal["abstract", "data page", "code README", "not re-read"]
"""Public text in which the figures of a publication were read a second time; without one they are unconfirmed."""
Degrees = Annotated[float, Field(ge=-180, le=180)]
Value = Annotated[float, Field(ge=-1000, le=1000)]


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Source(_Closed):
    """Reference of a publication.

    Attributes:
        cited: citation.
        doi: DOI.
        url: address, if there is no DOI.
    """

    cited: str
    doi: str = ""
    url: str = ""

    @property
    def address(self) -> str:
        """Return a link to it, empty if there is none."""
        return self.url or (f"https://doi.org/{self.doi}" if self.doi else "")


class Region(_Closed):
    """Region of a publication.

    Attributes:
        name: name of the region.
        box: west, south, east and north of the region, degrees.
    """

    name: str
    box: tuple[Degrees, Degrees, Degrees, Degrees]

    @model_validator(mode="after")
    def _on_earth(self) -> "Region":
        west, south, east, north = self.box
        if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
            raise ValueError(f"{self.name}: not a box of west, south, east, north: {self.box}")
        return self


class Split(_Closed):
    """Separation of evaluation and training samples.

    Attributes:
        way: what the model was not trained on.
        text: the same in the publication's words.
    """

    way: Way = "not stated"
    text: str = ""

    def __str__(self) -> str:
        return f"{self.way} ({self.text})" if self.text else self.way


NOT_TOLD = Split()


class Figure(_Closed):
    """One published score.

    Attributes:
        score: name of the score; m3 m-3 if it has a unit.
        over: aggregation over sensors: mean or median over sensors, pooled samples, or across stations.
        value: the score; the lower end of a range if `to` is given.
        to: upper end of a range.
        deviation: value behind the plus-minus sign.
        product: product of the publication.
        part: subset of its samples.
        split: separation, if it differs from the publication's.
    """

    score: Score
    over: Over = "not stated"
    value: Value
    to: Value | None = None
    deviation: Value | None = None
    product: str = ""
    part: str = ""
    split: Split | None = None


class Publication(_Closed):
    """A published work; unknown values are empty.

    Attributes:
        work: name in tables.
        source: reference.
        checked: public text in which the scores were read a second time.
        region: region of its sensors.
        networks: networks of its sensors.
        sensors: number of sensors.
        period: period of its samples, two ISO dates with a slash.
        resolution: resolution of its product.
        split: separation of evaluation and training samples.
        figures: scores, at least one.
        notes: remarks for the reader.
    """

    work: str
    source: Source
    checked: Checked = "not re-read"
    region: Region | None = None
    networks: tuple[str, ...] = ()
    sensors: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    period: str = ""
    resolution: str = ""
    split: Split = NOT_TOLD
    figures: tuple[Figure, ...] = Field(min_length=1)
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _datable(self) -> "Publication":
        if self.period:
            Period.parse(self.period)
        return self


PUBLISHED = "published"


def publications(folder: Path | None = None) -> tuple[Publication, ...]:
    """Return the publications in a folder, by file name; by default those in the package.

    Raises:
        VadoseError: the folder contains none, or a file is invalid.
    """
    place: Traversable = folder or files("vadose.evaluation").joinpath(PUBLISHED)
    held = {file.name: file for file in place.iterdir() if file.name.endswith(".yaml")} if place.is_dir() else {}
    if not held:
        raise VadoseError(
            f"published figures: {place}", "There is no YAML file", f"Name a folder of publications, or '{PUBLISHED}'"
        )
    return tuple(_read(held[name]) for name in sorted(held))


def _read(file: Traversable) -> Publication:
    asked, remedy = f"published figures: {file}", "Write a publication as in vadose/evaluation/published"
    with as_file(file) as path:
        return read_config(Publication, path, asked, remedy)
