"""The simulated Earth."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vadose.api.archive import Archive
from vadose.api.callbacks import Progress, silent
from vadose.io.paths import StrPath
from vadose.simulation import WorldConfig, make


def simulate(
    folder: StrPath,
    preset: str = "small",
    *,
    config: WorldConfig | StrPath | Mapping[str, Any] | None = None,
    seed: int | None = None,
    workers: int = 1,
    progress: Progress = silent,
) -> Archive:
    """Simulate an Earth: six products in their real formats, STAC items, ISMN sensors, and the truth.

    Args:
        folder: new folder of the archive, or an interrupted one.
        preset: size: "tiny", "small", "medium" or "large".
        config: configuration instead of a preset: an object, its YAML file or its keys.
        seed: seed of all random numbers.
        workers: processes.
        progress: called after each block of a region and each product.

    Raises:
        VadoseError: the preset is unknown, or the folder contains something else.
    """
    chosen = _config(preset if config is None else config, config is None)
    seeded = chosen if seed is None else chosen.model_copy(update={"seed": seed})
    make(seeded, Path(folder), progress, workers)
    return Archive(folder)


def _config(config: WorldConfig | StrPath | Mapping[str, Any], is_preset: bool) -> WorldConfig:
    if isinstance(config, WorldConfig):
        return config
    if isinstance(config, Mapping):
        return WorldConfig.of(config)
    return WorldConfig.preset(str(config)) if is_preset else WorldConfig.read(config)
