"""Checkpoints: a JSON description with weights in common formats."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as encoded
from torch import nn

from vadose.dataset.scaling import ScalingStats
from vadose.errors import VadoseError
from vadose.fusion import InputSpec
from vadose.io import files
from vadose.models import (
    ChangeDetection,
    Climatology,
    DepartureTrees,
    FusionNetwork,
    Model,
    NetworkShape,
    Product,
    Trees,
)
from vadose.models.departure_trees import TreesError
from vadose.models.tree_tensors import TreeTensors

DESCRIPTION, WEIGHTS, TREES = "checkpoint.json", "weights.safetensors", "trees.txt"
UNREADABLE = (AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError, SafetensorError)


def save(model: Model, folder: Path, made_from: Mapping[str, Any], scaling: ScalingStats | None = None) -> None:
    """Write a model as a folder, atomically.

    Args:
        model: member of an ensemble, or a baseline.
        folder: folder of the checkpoint.
        made_from: provenance: the experiment, the samples, the fold.
        scaling: scaling of a network.
    """
    with files.atomic_write(folder) as temporary:
        temporary.mkdir()
        description = files.metadata("checkpoint", made_from) | {"model": _written(model, temporary, scaling)}
        files.write_json(temporary / DESCRIPTION, signed(description))


def load(folder: Path) -> Model:
    """Read a checkpoint.

    Raises:
        VadoseError: the checkpoint is missing, changed or truncated.
    """
    with _refusing(folder):
        return _model(_description(folder)["model"], folder)


def load_network(folder: Path) -> tuple[FusionNetwork, ScalingStats]:
    """Read a checkpoint of a network, and its scaling.

    Raises:
        VadoseError: as `load`, or it is of another kind.
    """
    with _refusing(folder):
        model = _description(folder)["model"]
        return _network(model, folder), TypeAdapter(ScalingStats).validate_python(model["scaling"])


def origin(folder: Path) -> dict[str, Any]:
    """Return the provenance of a checkpoint, as given to `save`, in JSON types.

    Raises:
        VadoseError: as `load`.
    """
    with _refusing(folder):
        return dict(_description(folder)["made_from"])


def signed(description: Mapping[str, Any]) -> dict[str, Any]:
    """Return a description in JSON types, with the SHA-256 of its other content under `sha256`.

    The content is hashed as UTF-8 JSON with sorted keys and without blanks.
    """
    plain = {key: value for key, value in description.items() if key != "sha256"}
    content: dict[str, Any] = json.loads(json.dumps(plain, default=str))
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return content | {"sha256": sha256(canonical.encode()).hexdigest()}


def _description(folder: Path) -> dict[str, Any]:
    content = files.read_json(folder / DESCRIPTION, nan=True)
    if signed(content)["sha256"] != content.get("sha256"):
        raise ValueError(f"{DESCRIPTION} does not match its checksum")
    return content


@contextmanager
def _refusing(folder: Path) -> Iterator[None]:
    try:
        yield
    except UNREADABLE as error:
        raise VadoseError(
            f"checkpoint: {folder}",
            f"It cannot be read ({type(error).__name__}: {error})",
            "Train again, or name another run",
        ) from error


def _written(model: Model, folder: Path, scaling: ScalingStats | None) -> dict[str, Any]:
    if isinstance(model, Product):
        return {"kind": "product", **asdict(model)}
    if isinstance(model, ChangeDetection):
        return {"kind": "change_detection", **asdict(model), "needs": model.needs.describe()}
    if isinstance(model, Climatology):
        return {"kind": "climatology", **asdict(model)}
    if isinstance(model, Trees):
        (folder / TREES).write_text(model.booster.model_to_string())  # LightGBM's own writer ignores a full disk
        said = {"needs": model.needs.describe(), "spread": model.spread, "reads": model.reads}
        return {"kind": "trees", **said, "sha256": files.sha256(folder / TREES)}
    if isinstance(model, FusionNetwork) and scaling is not None:
        return {"kind": "network", **model.describe(), "scaling": asdict(scaling), **_weights(model, folder)}
    if isinstance(model, DepartureTrees):
        return {"kind": "departure_trees", **model.describe(), **_weights(model, folder)}
    raise TypeError(f"a {type(model).__name__} cannot be written")


def _weights(model: nn.Module, folder: Path) -> dict[str, str]:
    """Write the weights of a model, and return their checksum."""
    (folder / WEIGHTS).write_bytes(encoded({name: one.contiguous() for name, one in model.state_dict().items()}))
    return {"sha256": files.sha256(folder / WEIGHTS)}


def _model(model: dict[str, Any], folder: Path) -> Model:
    match model["kind"]:
        case "network":
            return _network(model, folder)
        case "departure_trees":
            return _departure_trees(model, folder)
        case "trees":
            return _trees(model, folder)
        case "product":
            return Product(model["variable"], *(float(model[name]) for name in ("spread", "intercept", "slope")))
        case "change_detection":
            numbers = {name: float(model[name]) for name in ("slope", "dry", "gain", "spread")}
            return ChangeDetection(TypeAdapter(InputSpec).validate_python(model["needs"]), **numbers)
        case "climatology":
            return TypeAdapter(Climatology).validate_python({key: model[key] for key in model if key != "kind"})
        case unknown:
            raise LookupError(f"a model of the kind {unknown!r}")


def _network(model: dict[str, Any], folder: Path) -> FusionNetwork:
    _check(folder / WEIGHTS, model)
    network = FusionNetwork(
        TypeAdapter(InputSpec).validate_python(model["needs"]),
        TypeAdapter(NetworkShape).validate_python(model["shape"]),
        TypeAdapter(ScalingStats).validate_python(model["scaling"]),
    )
    network.load_state_dict(load_file(folder / WEIGHTS))
    return network.eval()


def _departure_trees(model: dict[str, Any], folder: Path) -> Model:
    _check(folder / WEIGHTS, model)
    amplitude, departure = (TreeTensors(**model[name]) for name in ("amplitude", "departure"))
    needs = TypeAdapter(InputSpec).validate_python(model["needs"])
    trees = DepartureTrees(needs, model["season"], amplitude, departure, TreesError(**model["error"]))
    trees.load_state_dict(load_file(folder / WEIGHTS))
    return trees.eval()


def _trees(model: dict[str, Any], folder: Path) -> Model:
    _check(folder / TREES, model)
    import lightgbm  # noqa: PLC0415 - slow to import, and not needed for networks

    try:
        booster = lightgbm.Booster(model_file=str(folder / TREES))
    except lightgbm.basic.LightGBMError as error:
        raise ValueError(str(error)) from error
    return Trees(
        TypeAdapter(InputSpec).validate_python(model["needs"]), booster, model["spread"], model.get("reads", "steps")
    )


def _check(path: Path, model: dict[str, Any]) -> None:
    if files.sha256(path) != model["sha256"]:
        raise ValueError(f"{path.name} does not match its checksum")
