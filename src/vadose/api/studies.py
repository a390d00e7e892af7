"""Studies on the simulated Earth."""

from pathlib import Path

from vadose.api.callbacks import Epochs, Progress, silent
from vadose.dataset import SampleStore
from vadose.experiment.config import Experiment, read_experiment
from vadose.io.paths import StrPath
from vadose.studies.demo import demonstrate
from vadose.studies.realism import compare_with_real
from vadose.studies.truth import evaluate_against_truth
from vadose.studies.truth_samples import build_truth_samples as _build_truth_samples


def build_truth_samples(
    experiment: Experiment | StrPath, out: StrPath, *, side: int = 6, workers: int = 1, progress: Progress = silent
) -> SampleStore:
    """Build samples of a simulated Earth whose labels are its truth, many cells of each region.

    Args:
        experiment: experiment, or its YAML file, whose samples come from the archive of a simulated Earth.
        out: folder of the store; another experiment names it by `samples: {store: ...}`.
        side: number of cells along each side of a region.
        workers: number of processes.
        progress: called after each region.

    Raises:
        VadoseError: the samples are of no simulated Earth, or a file is unreadable.
    """
    asked = experiment if isinstance(experiment, Experiment) else read_experiment(experiment)
    _build_truth_samples(asked, Path(out), side, progress, workers)
    return SampleStore.open(Path(out))


def compare_simulation(world: StrPath, out: StrPath, *, real: StrPath | None = None) -> Path:
    """Compare a simulated Earth with real data: histograms and statistics, with the differences and their reasons.

    Args:
        world: folder of the simulated Earth.
        out: Markdown page; its figures are written to images/ beside it.
        real: folder of real data; by default, recorded figures are used.

    Returns:
        The page.
    """
    compare_with_real(Path(world), None if real is None else Path(real), Path(out))
    return Path(out)


def evaluate_simulation(run: StrPath, world: StrPath, out: StrPath, *, progress: Progress = silent) -> str:
    """Evaluate maps of a run against the truth of its simulated Earth: in space, in time, and an upper bound on skill.

    Args:
        run: folder of a run on samples of the simulated Earth.
        world: folder of the simulated Earth.
        out: Markdown file of the tables.
        progress: called after each region.

    Returns:
        The tables, Markdown.
    """
    return evaluate_against_truth(Path(run), Path(world), Path(out), progress)


def run_demo(
    folder: StrPath = "demo",
    preset: str = "small",
    *,
    seed: int = 0,
    workers: int = 1,
    progress: Progress = silent,
    epochs: Epochs = silent,
) -> tuple[str, ...]:
    """Run the whole workflow on a simulated Earth: simulate, build samples, fine-tune a model, evaluate, map.

    Args:
        folder: output folder.
        preset: size of the simulated Earth: tiny, small or medium.
        seed: seed of its random numbers.
        workers: number of processes.
        progress, epochs: as in `train`.

    Returns:
        Lines of text: the scores, and the paths of the results.
    """
    return demonstrate(Path(folder), preset, seed, progress, epochs, workers)
