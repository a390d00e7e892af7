"""Folder of a run: configuration, samples, models, estimates and scorecard."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from vadose import training
from vadose.dataset.calibrations import LinearCalibration, merged
from vadose.errors import VadoseError
from vadose.experiment import split_table
from vadose.experiment.config import Experiment
from vadose.experiment.kind_weights import WEIGHTS, read_weights, write_weights
from vadose.experiment.located import WAYS, located
from vadose.inference.calibration import UNCALIBRATED, Calibration
from vadose.inference.ensemble import Ensemble
from vadose.io import files
from vadose.io.display import Summarised
from vadose.report.headline import console_summary

NETWORK = "network"
CALIBRATION = "calibration.json"


@dataclass(frozen=True, repr=False)
class Run(Summarised):
    """A folder with all results of an experiment.

    Attributes:
        folder: path, or the name of a released model.
    """

    folder: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", located(Path(self.folder)))

    def _summary(self) -> tuple[str, Mapping[str, object]]:
        try:
            experiment, headline = self.experiment(), self.headline
        except VadoseError as error:
            return f"Run {self.folder}", {"experiment": error.problem}
        name = f"{experiment.name}{' (simulated)' if experiment.simulated else ''}"
        scores = {
            str(row["product"]): f"R {row['r']:.3f}, ubRMSE {row['ubrmse']:.4f} m3 m-3, {row['sensors']:,} sensors"
            for _, row in headline.iterrows()
        }
        return f"Run {self.folder}", {"experiment": name, **(scores or {"scores": "none, the run is incomplete"})}

    @property
    def headline(self) -> pd.DataFrame:
        """Return mean scores of each model at held-out sensors; empty if the run is incomplete.

        Raises:
            VadoseError: the scorecard is unreadable.
        """
        path = self.folder / "scorecard.json"
        table = pd.DataFrame(files.read_json(path).get("headline") if path.exists() else [])
        empty = [name for name in table if table[name].isna().all()]
        return table.astype(dict.fromkeys(empty, float))

    @property
    def scorecard(self) -> Path:
        """Return the Markdown page of the scores."""
        return self.folder / "scorecard.md"

    @property
    def headline_text(self) -> str:
        """Return the scores as a table for a terminal.

        Raises:
            VadoseError: the run is incomplete.
        """
        return console_summary(self.scorecard)

    def estimates(self, model: str = NETWORK) -> pd.DataFrame:
        """Read the estimates of a model at held-out sensors.

        Raises:
            VadoseError: the run has none of this model.
        """
        path = self.folder / "predictions" / f"{model}.parquet"
        if not path.is_file():
            known = ", ".join(sorted(one.stem for one in path.parent.glob("*.parquet"))) or "none"
            asked = f"run: estimates of '{model}'"
            raise VadoseError(asked, f"{self.folder} has estimates of {known}", "Name one of these")
        return pd.read_parquet(path)

    @property
    def store(self) -> Path:
        """Return the path of its samples."""
        return self.folder / "samples"

    @property
    def declaration(self) -> Path:
        """Return the path of the configuration."""
        return self.folder / "experiment.json"

    @property
    def split(self) -> Path:
        """Return the path of the split: training, validation and test samples of each fold."""
        return self.folder / "folds.parquet"

    def checkpoint(self, fold: int, model: str, member: int) -> Path:
        """Return the path of one fitted model."""
        return self.folder / f"fold-{fold}" / f"{model}-{member}"

    def networks(self) -> list[Path]:
        """Return the paths of the members of all folds.

        Raises:
            VadoseError: the folder contains no run, or one whose networks are not all trained.
        """
        experiment = self.experiment()
        folds = split_table.read(self.split)["fold"].unique()
        asked = [
            self.checkpoint(fold, part.kind, member)
            for fold in folds
            for part in experiment.ensemble
            for member in range(part.size)
        ]
        there = sum(path.is_dir() for path in asked)
        if there < len(asked):
            raise VadoseError(
                f"run: the {len(asked)} networks of {self.folder}",
                f"{there} of {len(asked)} are trained; the run was interrupted",
                f"Finish it with 'vadose train <its configuration> --out {self.folder} --resume'",
            )
        return asked

    def members(self) -> Ensemble:
        """Return the members of all folds, with their weights.

        Raises:
            VadoseError: as `networks`; or one of them cannot be read.
        """
        paths = self.networks()
        return Ensemble(tuple(map(training.load, paths)), self.weights(paths))

    def weights(self, members: Sequence[Path]) -> tuple[float, ...]:
        """Return the weight of each of some members: that of its kind, in equal parts.

        Raises:
            VadoseError: the weights are unreadable.
        """
        of_kinds = read_weights(self.folder / WEIGHTS, self.experiment())
        return tuple(of_kinds[path.name.rpartition("-")[0]] for path in members)

    def write_weights(self, weights: Mapping[str, float]) -> None:
        """Write the weight of each kind of member."""
        write_weights(self.folder / WEIGHTS, weights)

    def input_calibrations(self) -> dict[str, LinearCalibration]:
        """Return the calibrations of the predictors in the training samples.

        Raises:
            VadoseError: a checkpoint is unreadable.
        """
        return merged(training.origin(path) for path in self.networks())

    def experiment(self) -> Experiment:
        """Return the configuration of the run.

        Raises:
            VadoseError: the folder contains no run.
        """
        asked, remedy = f"run: {self.folder}", f"Give {WAYS}"
        try:
            content = files.read_json(self.declaration)
        except files.Unreadable as error:
            raise VadoseError(asked, f"It contains no readable experiment.json: {error.problem}", remedy) from error
        return files.validated(Experiment, content.get("made_from"), f"run: {self.declaration}", remedy)

    def declare(self, experiment: Experiment) -> None:
        """Write the configuration of the run.

        Raises:
            VadoseError: the folder contains a run of another experiment.
        """
        made_from = json.loads(experiment.model_dump_json())
        if self.declaration.exists():
            held = json.loads(self.experiment().model_dump_json())
            changed = sorted(key for key in made_from if made_from[key] != held[key])
            if changed:
                raise VadoseError(
                    f"run: {self.folder} for the experiment '{experiment.name}'",
                    f"It contains a run with another {', '.join(changed)}",
                    "Give another --out, or remove the folder",
                )
        files.write_json(self.declaration, files.metadata("experiment", made_from))

    def calibration(self) -> Calibration:
        """Return the calibration of its networks; uncalibrated if the run has none.

        Raises:
            VadoseError: the calibration is unreadable.
        """
        path = self.folder / CALIBRATION
        if not path.exists():
            return UNCALIBRATED
        try:
            content = files.read_json(path)
            without = {str(source): float(factor) for source, factor in content["without"].items()}
            return Calibration(float(content["whole"]), without, int(content["sensors"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise VadoseError(
                f"run: the calibration {path}",
                f"It cannot be read ({error})",
                "Finish the run with 'vadose train --resume'",
            ) from error

    def write_calibration(self, calibration: Calibration) -> None:
        """Write the calibration of all networks together."""
        said = files.metadata("calibration", {"held_out_sensors": calibration.sensors})
        files.write_json(self.folder / CALIBRATION, said | asdict(calibration))

    def write_estimates(self, model: str, estimates: pd.DataFrame) -> None:
        """Write a model's estimates of the held-out sensors."""
        write_estimates(self.folder / "predictions" / f"{model}.parquet", estimates, self.experiment(), model)


def write_estimates(
    path: Path,
    estimates: pd.DataFrame,
    experiment: Experiment,
    model: str,
    inputs: Sequence[str] = (),
    request: str = "",
) -> None:
    """Write a table of estimates as Parquet, with its provenance in the attributes.

    Args:
        path: path of the file.
        estimates: one row per sample.
        experiment: experiment of the training.
        model: its name.
        inputs: differences between the samples and the training samples, one line each.
        request: mark of the request that made them.
    """
    made_from = {"model": model, "experiment": json.loads(experiment.model_dump_json())}
    made_from |= {"inputs": list(inputs)} if inputs else {}
    said = files.metadata("estimates", made_from) | {"simulated": experiment.simulated}
    said |= {"request": request} if request else {}
    declared = estimates.copy(deep=False)
    declared.attrs = dict(said.items())
    with files.atomic_write(path) as temporary:
        declared.to_parquet(temporary)
