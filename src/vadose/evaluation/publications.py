"""What other works have published, one YAML file a work: figures, and the setting that they hold for."""

from importlib.resources import as_file, files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vadose.errors import VadoseError
from vadose.grid import Period
from vadose.io.files import read_yaml, validated

Way = Literal["places", "random places", "times", "random samples", "no training", "not told"]
"""What a model had not seen of the samples that it was judged on."""
Score = Literal["r", "bias", "rmse", "ubrmse", "kge", "anomaly_r", "r2"]
Over = Literal["mean", "median", "pooled", "stations", "not told"]
"""Mean or median over sensors; pooled: all samples as one series; stations: across stations."""

Checked = Literal["abstract", "data page", "code README", "not re-read"]
"""The public text in which the figures of a work were read a second time; without one they are not confirmed."""
Degrees = Annotated[float, Field(ge=-180, le=180)]
Value = Annotated[float, Field(ge=-1000, le=1000)]


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Source(_Closed):
    """Where the figures stand."""

    cited: str
    doi: str = ""
    url: str = ""

    @property
    def address(self) -> str:
        """A link to it, empty where there is none."""
        return self.url or (f"https://doi.org/{self.doi}" if self.doi else "")


class Region(_Closed):
    """A box around the ground of a work: west, south, east, north in degrees."""

    name: str
    box: tuple[Degrees, Degrees, Degrees, Degrees]

    @model_validator(mode="after")
    def _on_earth(self) -> "Region":
        west, south, east, north = self.box
        if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
            raise ValueError(f"{self.name}: no box of west, south, east, north: {self.box}")
        return self


class Split(_Closed):
    """How what was judged was kept from what was learned."""

    way: Way = "not told"
    text: str = ""

    def __str__(self) -> str:
        return f"{self.way} ({self.text})" if self.text else self.way


NOT_TOLD = Split()


class Figure(_Closed):
    """One figure.

    Attributes:
        score: of `vadose.evaluation.METRICS`, anomaly_r or r2; m3 m-3 where it has units.
        over: how sensors were put together.
        value: the figure; the lower end where `to` is the upper one.
        deviation: what the work gives behind a plus-minus sign.
        product: which of the work's products.
        part: which of its samples.
        split: where it is another than the work's.
    """

    score: Score
    over: Over = "not told"
    value: Value
    to: Value | None = None
    deviation: Value | None = None
    product: str = ""
    part: str = ""
    split: Split | None = None


class Publication(_Closed):
    """A published work. What it does not tell, or what is not known of it, is empty.

    Attributes:
        work: what tables call it.
        source: where its figures stand.
        checked: text of the source in which the figures were read again.
        region: where its sensors lie.
        networks: whose sensors it took.
        sensors: how many.
        period: of its samples, two ISO dates with a slash.
        resolution: of its product.
        split: how what was judged was kept from what was learned.
        figures: one or more.
        notes: what a reader must know beside.
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
    """The works of a folder, by the names of their files; those that come with the package without one.

    Raises:
        VadoseError: the folder holds none, or a file is no work.
    """
    place: Traversable = folder or files("vadose.evaluation").joinpath(PUBLISHED)
    held = sorted((f for f in place.iterdir() if f.name.endswith(".yaml")), key=_name) if place.is_dir() else []
    if not held:
        raise VadoseError(
            f"published figures: {place}", "There is no YAML file", f"Name a folder of works, or '{PUBLISHED}'"
        )
    return tuple(_read(file) for file in held)


def _name(file: Traversable) -> str:
    return file.name


def _read(file: Traversable) -> Publication:
    asked, remedy = f"published figures: {file}", "Write a work as those of vadose/evaluation/published are"
    with as_file(file) as path:
        return validated(Publication, read_yaml(path, asked, remedy), asked, remedy)
