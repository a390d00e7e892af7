"""Sample stores built from archives or tables by an experiment."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vadose.api.callbacks import Echo, Progress, silent
from vadose.api.inputs import as_experiment
from vadose.dataset import SampleStore
from vadose.experiment.build_samples import build_samples as _build_samples
from vadose.experiment.config import Experiment
from vadose.io.paths import StrPath


def build_samples(
    experiment: Experiment | StrPath | Mapping[str, Any],
    out: StrPath | None = None,
    *,
    workers: int = 1,
    allow_unread: bool = False,
    progress: Progress = silent,
    echo: Echo = silent,
) -> SampleStore:
    """Build the sample store of an experiment; an interrupted build resumes.

    Args:
        experiment: configuration, its YAML file or its keys.
        out: folder of the store; by default runs/<name of the experiment>/samples.
        workers: processes.
        allow_unread: whether a source whose files are all unreadable is left out.
        progress: called after each sensor.
        echo: called with the numbers of samples and of rejected readings.

    Raises:
        VadoseError: the archive or table is unreadable or empty; nothing is written.
    """
    chosen = as_experiment(experiment).allowing_unread(allow_unread)
    folder = Path("runs") / chosen.name / "samples" if out is None else Path(out)
    echo(str(_build_samples(chosen, folder, progress, workers)))
    return SampleStore.open(folder)
