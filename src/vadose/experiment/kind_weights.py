"""File of the weights of the kinds of members in an ensemble."""

from collections.abc import Mapping
from pathlib import Path

from vadose.errors import VadoseError
from vadose.experiment.config import Experiment
from vadose.io import files

WEIGHTS = "ensemble.json"


def write_weights(path: Path, weights: Mapping[str, float]) -> None:
    """Write weights by kind."""
    files.write_json(path, files.metadata("ensemble", {}) | {"weights": dict(weights)})


def read_weights(path: Path, experiment: Experiment) -> dict[str, float]:
    """Return the weight of each member of a kind; equal for all members if the run has no weights.

    Raises:
        VadoseError: the weights are unreadable, or not of these kinds.
    """
    sizes = {part.kind: part.size for part in experiment.ensemble}
    if len(sizes) == 1 or not path.exists():
        return dict.fromkeys(sizes, 1.0)
    try:
        weights = {str(kind): float(weight) for kind, weight in files.read_json(path)["weights"].items()}
        return {kind: weights[kind] / size for kind, size in sizes.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise VadoseError(
            f"run: the weights {path}", f"They cannot be read ({error})", "Finish the run with 'vadose train --resume'"
        ) from error
