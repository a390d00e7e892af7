"""Simulation of a complete world, product by product."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import as_completed
from functools import partial
from pathlib import Path

from vadose.errors import VadoseError
from vadose.io.files import atomic_write, metadata, read_json, write_json
from vadose.io.locks import exclusive_lock, is_vacant
from vadose.io.outputs import Request
from vadose.io.processes import processes
from vadose.simulation import gldas, nisar, smap
from vadose.simulation.config import WorldConfig
from vadose.simulation.ground_maps import require_mapped, write_soils
from vadose.simulation.raster import NOTICE
from vadose.simulation.region import blocks_of, write_region
from vadose.simulation.simulator import RegionSimulator

LOGGER = logging.getLogger(__name__)

DECLARATION = "world.json"
MAKE = Request("simulate make", "")
Report = Callable[[int, int, str], None]
Task = Callable[[], Iterator[str]]
GLOBAL = ("SoilGrids", "SMAP", "GLDAS")
"""Products whose files contain all regions."""


def make(config: WorldConfig, folder: Path, progress: Report | None = None, workers: int = 1) -> None:
    """Write a simulated world as an archive of products, with its sensors and its truth.

    The same configuration gives the same data with any number of workers. An interrupted world resumes with the
    remaining regions and products; a complete one is unchanged.

    Args:
        config: configuration of the world.
        folder: folder of the archive; empty, or containing the same world.
        progress: called with (done, total, name).
        workers: number of processes, with one region each.

    Raises:
        VadoseError: the folder contains something else, is locked by another process, or a region is beyond a product.
    """
    for region in config.regions:
        require_mapped(region.name, config.ground(region))
    MAKE.require_place(folder, folder=True)
    if _finished(config, folder) is None:
        return
    with exclusive_lock(folder) as held:
        finished = _finished(config, held)
        if finished is None:  # by another process in the meantime
            return
        _declare(config, held, finished, complete=False)
        with atomic_write(held / "README.txt") as readme:
            readme.write_text(f"{NOTICE}\nProducts, sensors and truth; how they were made: {DECLARATION}\n")
        tasks = {name: task for name, task in _tasks(config, held).items() if name not in finished}
        sizes = _sizes(config)
        done, total = sum(sizes[name] for name in finished), sum(sizes.values())
        LOGGER.info("finished: %s; to do: %s", ", ".join(finished) or "nothing", ", ".join(tasks) or "nothing")
        for name, part in _run(tasks, workers):
            if part is None:
                finished.append(name)
                _declare(config, held, finished, complete=False)
                continue
            done += 1
            if progress:
                progress(done, total, part)
        _declare(config, held, finished, complete=True)


def made(folder: Path) -> WorldConfig:
    """Return the configuration of a simulated world.

    Raises:
        VadoseError: the folder contains no simulated world, or an incomplete one.
    """
    try:
        held = read_json(folder / DECLARATION)
        config, complete = WorldConfig.model_validate(held["made_from"]), bool(held["complete"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise VadoseError(
            f"world: the simulated world in {folder}",
            f"It contains no readable {DECLARATION} ({type(error).__name__})",
            "Give a folder that 'vadose simulate make' wrote",
        ) from error
    if not complete:
        raise VadoseError(
            f"world: the simulated world in {folder}", "It is incomplete", "Finish it with 'vadose simulate make'"
        )
    return config


def _tasks(config: WorldConfig, folder: Path) -> dict[str, Task]:
    """Return the remaining tasks by name; a task reports its progress."""
    tasks: dict[str, Task] = {
        region.name: partial(write_region, config, number, folder) for number, region in enumerate(config.regions)
    }
    return tasks | {name: partial(_write_global, name, config, folder) for name in _products(config)}


def _products(config: WorldConfig) -> tuple[str, ...]:
    """Return the products whose files are not those of one region's scenes."""
    return (*GLOBAL, "NISAR") if config.nisar_days else GLOBAL


def _sizes(config: WorldConfig) -> dict[str, int]:
    """Return the number of reported parts of each task."""
    sizes = {region.name: blocks_of(region) for region in config.regions}
    return sizes | dict.fromkeys(_products(config), 1)


def _write_global(name: str, config: WorldConfig, folder: Path) -> Iterator[str]:
    """Write a product whose files contain all regions."""
    regions = [RegionSimulator.random(config, number) for number in range(len(config.regions))]
    if name == "SoilGrids":
        write_soils(regions, folder)
    elif name == "NISAR":
        nisar.write_granules(regions, folder, config)
    elif name == "SMAP":
        smap.write_granules((region.footprint_sample() for region in regions), folder, config)
    else:
        gldas.write_granules((region.footprint_sample() for region in regions), folder, config)
    yield name


def _run(tasks: dict[str, Task], workers: int) -> Iterator[tuple[str, str | None]]:
    """Run tasks; yield (task, part) after each part, and (task, None) after the task."""
    if workers == 1 or len(tasks) < 2:
        for name, task in tasks.items():
            yield from ((name, part) for part in task())
            yield name, None
        return
    with processes(workers) as pool:
        running = {pool.submit(_listed, task): name for name, task in tasks.items()}
        for future in as_completed(running):
            yield from ((running[future], part) for part in future.result())
            yield running[future], None


def _listed(task: Task) -> list[str]:
    parts = list(task())
    LOGGER.info("written: %s", ", ".join(parts))
    return parts


def _finished(config: WorldConfig, folder: Path) -> list[str] | None:
    """Return the tasks that an earlier run finished; None if the world is complete."""
    if is_vacant(folder):
        return []
    try:
        held = read_json(folder / DECLARATION)
        same = held["made_from"] == config.model_dump(mode="json")
        finished, complete = list(held["finished"]), bool(held["complete"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise VadoseError(
            f"world: a simulated world in {folder}", "The folder contains something else", "Name a new or empty folder"
        ) from error
    if not same:
        raise VadoseError(
            f"world: a simulated world in {folder}",
            "It contains a world of another configuration or seed",
            "Name another folder, or remove this one",
        )
    return None if complete else finished


def _declare(config: WorldConfig, folder: Path, finished: list[str], complete: bool) -> None:
    order = list(_sizes(config))
    finished = sorted(finished, key=order.index)
    content = metadata("simulated world", config.model_dump(mode="json"))
    write_json(folder / DECLARATION, content | {"finished": finished, "complete": complete})
