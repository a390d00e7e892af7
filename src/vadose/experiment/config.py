"""An experiment as one YAML file: each room's own part, composed; unknown keys are refused."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from vadose.fusion import Needs, Windows
from vadose.grid import Period
from vadose.models import NetworkShape
from vadose.refusal import Refusal
from vadose.samples.labels import LabelRule
from vadose.samples.places import Grouping
from vadose.training import Schedule
from vadose.variables import PREDICTORS, SOURCES


def _beside(path: object, info: ValidationInfo) -> object:
    folder = (info.context or {}).get("folder")
    return folder / str(path) if folder is not None and isinstance(path, str) else path


Beside = Annotated[Path, BeforeValidator(_beside)]
"""A path that is relative to the folder of the configuration file."""


def _readable(needs: Needs) -> Needs:
    unknown = sorted(needs.names - PREDICTORS.keys())
    past = needs.history
    if unknown:
        raise ValueError(f"{', '.join(unknown)} is no predictor; known are {', '.join(PREDICTORS)}")
    if not needs.names:
        raise ValueError("no predictor is named")
    if any(len(set(names)) < len(names) for names in (needs.pixels, needs.cells, past.variables)):
        raise ValueError("a predictor is named twice")
    if past.variables and not (past.steps >= 1 and past.step_days > 0):
        raise ValueError("a history needs steps of 1 or more and step_days above 0")
    return needs


def _of_sources(windows: Windows) -> Windows:
    unknown = sorted(windows.max_age_days.keys() - SOURCES.keys())
    if unknown:
        raise ValueError(f"{', '.join(unknown)} is no source; known are {', '.join(SOURCES)}")
    return windows


class Section(BaseModel):
    """A part of the configuration: unchangeable, closed to keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TableSamples(Section):
    """Samples from a matched point table.

    Attributes:
        table: CSV, CSV.gz or Parquet.
        mapping: YAML that says which column is what.
    """

    table: Beside
    mapping: Beside


class ArchiveSamples(Section):
    """Samples collocated from an archive of products and its ISMN sensors.

    Attributes:
        archive: folder of the products, with `ismn` or `ismn.zip` in it.
        period: of the samples, "2021-07-01/2022-06-30".
        at: moments of the samples: the Sentinel-1 passes over the sensor, or a number of days between them.
        most_per_sensor: if a sensor has more moments, they are thinned evenly.
        labels: which readings are labels.
    """

    archive: Beside
    period: str
    at: Literal["sentinel1"] | Annotated[float, Field(gt=0)] = "sentinel1"
    most_per_sensor: int = Field(default=1000, ge=1)
    labels: LabelRule = LabelRule()

    @field_validator("period")
    @classmethod
    def _period(cls, period: str) -> str:
        Period.parse(period)
        return period


def _kind(samples: object) -> str:
    held = samples if isinstance(samples, dict) else getattr(samples, "__dict__", {})
    return "table" if "table" in held else "archive"


AnySamples = Annotated[
    Annotated[TableSamples, Tag("table")] | Annotated[ArchiveSamples, Tag("archive")], Discriminator(_kind)
]


class SplitPlan(Section):
    """Which sensors the models never see until they are judged.

    Attributes:
        places: what stays together.
        folds: of a cross-validation in which every sensor is held out once.
        test_fraction: instead of folds, the part of the samples that is held out.
        validation_fraction: part of the training samples, of other places, that says when to stop.
        seed: of the dealing.
    """

    places: Grouping = Grouping()
    folds: int | None = Field(default=None, ge=2)
    test_fraction: float | None = Field(default=None, gt=0, lt=1)
    validation_fraction: float = Field(default=0.2, gt=0, lt=1)
    seed: int = 0

    @model_validator(mode="after")
    def _one_way(self) -> "SplitPlan":
        if (self.folds is None) == (self.test_fraction is None):
            raise ValueError("give either folds or test_fraction")
        return self


Rival = Literal["smap", "gldas", "smap_gldas", "trees"]


class Experiment(Section):
    """Everything that a run is made from.

    Attributes:
        name: of the run.
        simulated: whether the samples come from a simulated world.
        samples: where they come from.
        needs: predictors of the network; the halo is that of its encoder.
        windows: how old an observation may be.
        split: which sensors are held out.
        network: its size.
        members: networks of different seeds that are trained on each fold and speak as one.
        schedule: of the training.
        rivals: baselines that are fitted and judged beside the network.
        min_samples: a sensor needs to be scored.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    simulated: bool = False
    samples: AnySamples
    needs: Annotated[Needs, AfterValidator(_readable)]
    windows: Annotated[Windows, AfterValidator(_of_sources)] = Windows()
    split: SplitPlan
    network: NetworkShape = NetworkShape()
    members: int = Field(default=1, ge=1)
    schedule: Schedule = Schedule()
    rivals: tuple[Rival, ...] = ("smap", "gldas", "smap_gldas", "trees")
    min_samples: int = Field(default=20, ge=2)

    @property
    def network_needs(self) -> Needs:
        """What the network reads."""
        return replace(self.needs, halo=self.network.encoder.halo if self.needs.pixels else 0)

    @property
    def store_needs(self) -> Needs:
        """What the samples hold: the network's needs, and the cell means of its pixels for the trees."""
        return replace(self.network_needs, cells=self.cells)

    @property
    def cells(self) -> tuple[str, ...]:
        """Every predictor as a cell value, without repetition."""
        return tuple(dict.fromkeys((*self.needs.cells, *self.needs.pixels)))

    def rival_needs(self, rival: Rival) -> Needs:
        """What a rival reads; nothing, when the experiment lacks any of its predictors."""
        if rival == "trees":
            return Needs(cells=self.cells, history=self.needs.history)
        wanted = ("smap", "gldas") if rival == "smap_gldas" else (rival,)
        return Needs(cells=wanted) if set(wanted) <= set(self.cells) else Needs()


def read_experiment(path: Path) -> Experiment:
    """Read a configuration; paths in it are relative to its folder.

    Raises:
        Refusal: it cannot be read, or a key is unknown, missing or of the wrong kind; each is named.
    """
    asked = f"experiment: the configuration {path}"
    try:
        content = yaml.safe_load(path.read_text())
        return Experiment.model_validate(content, context={"folder": path.resolve().parent})
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Refusal(asked, f"It cannot be read as YAML ({error})", "Give one like those in configs/") from error
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise Refusal(asked, found, "Mend these keys; configs/ has examples") from error
