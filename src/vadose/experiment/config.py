"""Configuration of an experiment, one YAML file composed of the parts of each room; unknown keys are refused."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from vadose.catalogues import SIMULATED_MARK
from vadose.dataset.labels import LabelRule
from vadose.dataset.spatial_groups import SpatialGroups
from vadose.experiment.located import WAYS, located, placed
from vadose.fusion import InputSpec, OwnRecord, TemporalPolicy
from vadose.grid import Period
from vadose.io.files import Unreadable, read_config, read_json
from vadose.io.paths import StrPath
from vadose.models import NetworkShape
from vadose.models.feature_columns import carries_past
from vadose.registry import PREDICTORS, SOURCES
from vadose.training.config import LARGEST_SEED, TrainingConfig

SIMULATED = "SIMULATED: sensors, satellites and truth come from a simulated world, not from the Earth."
"""Notice on all results from a simulated world."""


def is_simulated(archive: Path) -> bool:
    """Return whether an archive is a simulated Earth."""
    return (archive / "world.json").exists() or (archive / SIMULATED_MARK).exists()


def _resolved(path: object, info: ValidationInfo) -> object:
    folder = (info.context or {}).get("folder")
    return folder / str(path) if folder is not None and isinstance(path, str) else path


RelativePath = Annotated[Path, BeforeValidator(_resolved)]
"""A path that is relative to the folder of the configuration file."""


def _placed(model: object, info: ValidationInfo) -> object:
    folder = (info.context or {}).get("folder")
    return placed(Path(model), folder) if folder is not None and isinstance(model, str | Path) else model


def _readable(needs: InputSpec) -> InputSpec:
    unknown = sorted(needs.names - PREDICTORS.keys())
    past = needs.history
    if unknown:
        raise ValueError(f"{', '.join(unknown)} is not a predictor; known are {', '.join(PREDICTORS)}")
    if not needs.names:
        raise ValueError("there is no predictor")
    if any(len(set(names)) < len(names) for names in (needs.pixels, needs.cells, past.variables)):
        raise ValueError("a predictor is repeated")
    if past.variables and not (past.steps >= 1 and past.step_days > 0):
        raise ValueError("a history needs steps of 1 or more and step_days above 0")
    _own_record(needs)
    return needs


def _own_record(needs: InputSpec) -> None:
    own, past = needs.own_record, needs.history
    unfit = sorted(name for name in own.variables if not carries_past(name))
    if unfit:
        raise ValueError(f"own_record is for {', '.join(filter(carries_past, PREDICTORS))}, not for {', '.join(unfit)}")
    lacking = sorted(set(own.variables) - set(past.variables))
    if lacking:
        raise ValueError(f"own_record contains {', '.join(lacking)}, which the history does not")
    if set(own.variables) & set(needs.pixels):
        raise ValueError("own_record is for cells, not for pixels")
    if own.variables and not 2 <= own.min_steps <= past.steps:
        raise ValueError(
            f"own_record has min_steps {own.min_steps}, the history {past.steps} steps; give 2 or more of them"
        )


def _of_sources(windows: TemporalPolicy) -> TemporalPolicy:
    unknown = sorted(windows.max_age_days.keys() - SOURCES.keys())
    if unknown:
        raise ValueError(f"{', '.join(unknown)} is not a source; known are {', '.join(SOURCES)}")
    return windows


class Section(BaseModel):
    """Part of a configuration: immutable, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TableSamples(Section):
    """Samples from a matched point table.

    Attributes:
        table: CSV, CSV.gz or Parquet file.
        columns: YAML file of its columns.
    """

    table: RelativePath
    columns: RelativePath


class Acquisition(Section):
    """Fetching of an archive from catalogues before its samples are built.

    Attributes:
        catalogues: names of the catalogues that are asked; all that are known if empty.
        require: names of the sources without which no samples are built.
        max_gigabytes: largest download, GB.
    """

    catalogues: tuple[str, ...] = ()
    require: tuple[str, ...] = ()
    max_gigabytes: float | None = Field(default=None, gt=0, le=1_000_000)


class ArchiveSamples(Section):
    """Samples collocated from an archive of products and its ISMN sensors.

    Attributes:
        archive: folder of the products, with `ismn/` or `ismn.zip` in it.
        period: period of the samples, such as "2021-07-01/2022-06-30".
        sample_times: times of the samples: the Sentinel-1 passes over the sensor, or a constant step, days.
        max_samples_per_sensor: maximum number of samples per sensor; more are thinned evenly.
        labels: selection of the in-situ readings.
        allow_unread: whether samples are built without a source whose files are all unreadable.
        in_situ: ISMN archive of the sensors; that in the archive by default.
        fetch: fetch the archive from catalogues, windows around the sensors of `in_situ`, before samples are built.
    """

    archive: RelativePath
    period: str
    sample_times: Literal["sentinel1"] | Annotated[float, Field(ge=0.01, le=3660)] = "sentinel1"
    max_samples_per_sensor: int = Field(default=1000, ge=1, le=10_000_000)
    labels: LabelRule = LabelRule()
    allow_unread: bool = Field(default=False, exclude=True)
    in_situ: RelativePath | None = Field(default=None, exclude=True)
    fetch: Acquisition | None = Field(default=None, exclude=True)

    @field_validator("period")
    @classmethod
    def _period(cls, period: str) -> str:
        Period.parse(period)
        return period


class StoreSamples(Section):
    """Samples of an existing store.

    Attributes:
        store: folder that 'vadose samples' wrote; it is read in place.
    """

    store: RelativePath


def _kind(samples: object) -> str:
    held = samples if isinstance(samples, dict) else getattr(samples, "__dict__", {})
    return next((kind for kind in ("table", "store") if kind in held), "archive")


AnySamples = Annotated[
    Annotated[TableSamples, Tag("table")]
    | Annotated[StoreSamples, Tag("store")]
    | Annotated[ArchiveSamples, Tag("archive")],
    Discriminator(_kind),
]


MemberKind = Literal["network", "recurrent", "departure_trees"]


class EnsemblePart(Section):
    """Members of one kind in the ensemble of a fold.

    Attributes:
        kind: kind of the members: the network; a recurrent network, whose GRU replaces the columns that condense the
            history; or boosted trees on standardised departures.
        size: number of members, trained with different seeds.
        network: size of the networks of this part; by default that of the experiment, for recurrent networks with a
            GRU of 24 features over 36 steps and a noise of 0.1 on them.
    """

    kind: MemberKind = "network"
    size: int = Field(default=1, ge=1, le=1000)
    network: NetworkShape | None = None

    def shape(self, usual: NetworkShape) -> NetworkShape:
        """Return the size of its networks, in an experiment with a usual one."""
        if self.network is not None or self.kind != "recurrent":
            return self.network or usual
        return replace(usual, gru_size=24, gru_steps=36, condensed=False, noise=0.1)


class SplitPlan(Section):
    """Sensors, or by year times, that are held out.

    One of `folds`, `leave_one_out`, `test_fraction` and `test_years` determines how much is held out.

    Attributes:
        grouping: sensors that stay together.
        folds: number of folds of a cross-validation in which every sensor is held out once.
        leave_one_out: whether every group, such as every network, is held out once.
        test_fraction: fraction of the samples that is held out.
        test_years: years that are held out, UTC; for a split by year.
        validation_fraction: fraction of the training samples, at other places or, by year, at the latest times, for
            early stopping.
        gap_days: gap between the parts of a split by year, days; the length of the history by default.
        seed: random seed of the assignment.
    """

    grouping: SpatialGroups = SpatialGroups()
    folds: int | None = Field(default=None, ge=2, le=10_000)
    leave_one_out: bool = False
    test_fraction: float | None = Field(default=None, gt=0, lt=1)
    test_years: tuple[Annotated[int, Field(ge=1678, le=2261)], ...] = ()
    validation_fraction: float = Field(default=0.2, gt=0, lt=1)
    gap_days: float | None = Field(default=None, ge=0, le=36_600)
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED)

    @property
    def by_year(self) -> bool:
        """Return whether its parts are separated in time, not in space."""
        return self.grouping.by == "year"

    @model_validator(mode="after")
    def _one_way(self) -> "SplitPlan":
        ways = (self.folds is not None, self.leave_one_out, self.test_fraction is not None, bool(self.test_years))
        if sum(ways) != 1:
            raise ValueError("give one of folds, leave_one_out, test_fraction and test_years")
        if not self.by_year and (self.test_years or self.gap_days is not None):
            raise ValueError("test_years and gap_days need grouping: {by: year}")
        if self.by_year and self.grouping.buffer_km:
            raise ValueError("buffer_km has no meaning by year")
        return self


Baseline = Literal["smap", "smap_usda", "gldas", "smap_gldas", "trees", "change_detection", "climatology"]
PRODUCTS_JUDGED: tuple[Baseline, ...] = ("smap", "smap_usda", "gldas")
"""Baselines that are products; each is also evaluated linearly rescaled on the training stations."""
RESCALED = "_rescaled"
"""Suffix of the name of a rescaled product."""
LOOKS = ("vv", "incidence_angle")
"""History of change detection."""


class Experiment(Section):
    """An experiment: all inputs of a run.

    Attributes:
        name: name of the run.
        simulated: whether the samples come from a simulated Earth.
        samples: origin of the samples.
        needs: predictors of the network; the encoder determines the halo.
        windows: maximum age and latency of observations.
        split: held-out sensors.
        network: size of the network.
        ensemble: members of the ensemble of each fold, by kind; the weights of several kinds are chosen on the
            held-out sensors of the other folds.
        schedule: training of the network.
        start_from: run or released model whose networks are trained further; `needs`, `network` and `ensemble` are
            those of its experiment if they are not given.
        baselines: baselines that are fitted and scored with the network.
        min_samples: minimum number of samples of a scored sensor.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    simulated: bool = False
    samples: AnySamples
    needs: Annotated[InputSpec, AfterValidator(_readable)]
    windows: Annotated[TemporalPolicy, AfterValidator(_of_sources)] = TemporalPolicy()
    split: SplitPlan
    network: NetworkShape = NetworkShape()
    ensemble: tuple[EnsemblePart, ...] = Field(default=(EnsemblePart(),), min_length=1, max_length=3)
    schedule: TrainingConfig = TrainingConfig()
    start_from: Annotated[Path | None, BeforeValidator(_placed)] = Field(
        default=None, exclude_if=lambda model: model is None
    )
    baselines: tuple[Baseline, ...] = get_args(Baseline)
    min_samples: int = Field(default=20, ge=2, le=10_000_000)

    @model_validator(mode="before")
    @classmethod
    def _as_started(cls, keys: Any, info: ValidationInfo) -> Any:
        of_model = ("needs", "network", "ensemble")
        model = keys.get("start_from") if isinstance(keys, dict) else None
        if model is None or set(of_model) <= keys.keys():
            return keys
        try:
            held = read_json(located(Path(str(_placed(model, info)))) / "experiment.json")["made_from"]
        except (Unreadable, LookupError, TypeError) as error:
            raise ValueError(f"start_from: {model} is no run ({error}); give {WAYS}") from error
        return {key: held[key] for key in of_model if key in held} | keys

    @model_validator(mode="after")
    def _of_kinds(self) -> "Experiment":
        kinds = [part.kind for part in self.ensemble]
        if len(set(kinds)) < len(kinds):
            raise ValueError("ensemble: a kind is repeated; give its size instead")
        if "recurrent" in kinds and not self.needs.history.variables:
            raise ValueError("ensemble: recurrent members need a history")
        return self

    def allowing_unread(self, allowed: bool = True) -> "Experiment":
        """Return the experiment, if allowed with samples that leave out unreadable sources."""
        if not allowed or not isinstance(self.samples, ArchiveSamples):
            return self
        return self.model_copy(update={"samples": self.samples.model_copy(update={"allow_unread": True})})

    @property
    def ensemble_size(self) -> int:
        """Return the number of members in each fold."""
        return sum(part.size for part in self.ensemble)

    @property
    def network_needs(self) -> InputSpec:
        """Return the inputs of the network."""
        return replace(self.needs, halo=self.network.encoder.halo if self.needs.pixels else 0)

    @property
    def store_needs(self) -> InputSpec:
        """Return the contents of the samples: the network's needs, and the cell means of its pixels for the trees."""
        return replace(self.network_needs, cells=self.cells, own_record=OwnRecord())

    @property
    def gathered_needs(self) -> InputSpec:
        """Return the needs of collocation: `store_needs`, and the history of the baselines."""
        held = self.store_needs
        read = self.baseline_needs("change_detection") if "change_detection" in self.baselines else None
        extra = read.history.variables if read else ()
        variables = tuple(dict.fromkeys((*held.history.variables, *extra)))
        return replace(held, history=replace(held.history, variables=variables))

    @property
    def cells(self) -> tuple[str, ...]:
        """Return all predictors as cell values, without repetition."""
        return tuple(dict.fromkeys((*self.needs.cells, *self.needs.pixels)))

    @property
    def scored_baselines(self) -> tuple[str, ...]:
        """Return the baselines, each product followed by its linear rescaling to the training stations."""
        return tuple(
            name
            for baseline in self.baselines
            for name in ((baseline, f"{baseline}{RESCALED}") if baseline in PRODUCTS_JUDGED else (baseline,))
        )

    def baseline_needs(self, baseline: str) -> InputSpec | None:
        """Return the inputs of a baseline; None if the experiment lacks any of its predictors."""
        past = self.needs.history
        match baseline:
            case "trees":
                return InputSpec(cells=self.cells, history=past, own_record=self.needs.own_record)
            case "climatology":
                return InputSpec()
            case "change_detection":
                return InputSpec(history=replace(past, variables=LOOKS)) if "vv" in past.variables else None
        wanted = ("smap", "gldas") if baseline == "smap_gldas" else (baseline.removesuffix(RESCALED),)
        return InputSpec(cells=wanted) if set(wanted) <= set(self.cells) else None


def read_experiment(path: StrPath, **keys: object) -> Experiment:
    """Read a configuration; paths in it are relative to its folder.

    Args:
        path: path of the YAML file.
        keys: keys that replace those of the file.

    Raises:
        VadoseError: it is unreadable, or keys are unknown, missing or of the wrong type; each is named.
    """
    asked = f"experiment: the configuration {path}"
    path = Path(path)
    folder = Path(os.path.abspath(path)).parent  # noqa: PTH100 (the reader reports links in circles)
    return read_config(
        Experiment, path, asked, "Correct it; configs/ has examples", lambda read: read | keys, folder=folder
    )
