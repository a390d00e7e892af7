"""A whole world, product by product."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from vadose.files import declaration, write_json
from vadose.refusal import Refusal
from vadose.world import gldas, smap
from vadose.world.config import WorldConfig
from vadose.world.ground_maps import write_elevation, write_soils
from vadose.world.in_situ import write_sensors
from vadose.world.raster import NOTICE
from vadose.world.region import Simulated, simulate_region
from vadose.world.sentinel1 import write_passes
from vadose.world.sentinel2 import write_looks
from vadose.world.truth import write_truth

DECLARATION = "world.json"
Step = tuple[str, Callable[[], None]]


def make(config: WorldConfig, folder: Path, progress: Callable[[int, int, str], None] | None = None) -> None:
    """Write a simulated world as an archive of products, with its sensors and its truth.

    The same configuration gives the same data. A world that was interrupted goes on with the product that it was at;
    one that is whole is left as it is.

    Args:
        config: of the world.
        folder: of the archive; empty, or holding the same world.
        progress: told (done, total, what).

    Raises:
        Refusal: the folder holds something else.
    """
    finished = _finished(config, folder)
    if finished is None:
        return
    _declare(config, folder, finished, complete=False)
    (folder / "README.txt").write_text(f"{NOTICE}\nProducts, sensors and truth; how they were made: {DECLARATION}\n")
    total = 3 * len(config.regions) + 4
    for done, (what, write) in enumerate(_steps(config, folder), start=1):
        if what not in finished:
            write()
            finished.append(what)
            _declare(config, folder, finished, complete=False)
        if progress:
            progress(done, total, what)
    _declare(config, folder, finished, complete=True)


def _steps(config: WorldConfig, folder: Path) -> Iterator[Step]:
    worlds: list[Simulated] = []
    for number, region in enumerate(config.regions):
        world = simulate_region(config, number)
        worlds.append(world)
        yield f"{region.name} ground and truth", partial(_write_ground, world, folder)
        yield f"{region.name} Sentinel-1", partial(write_passes, world, config.radar_days, folder)
        yield f"{region.name} Sentinel-2", partial(write_looks, world, config.optical_days, folder)
    yield "SoilGrids", partial(write_soils, worlds, folder)
    yield "SMAP", partial(smap.write_granules, worlds, folder)
    yield "GLDAS", partial(gldas.write_granules, worlds, folder)
    yield "sensors", partial(write_sensors, worlds, config.sensors, folder)


def _write_ground(world: Simulated, folder: Path) -> None:
    write_elevation(world, folder)
    write_truth(world, folder)


def _finished(config: WorldConfig, folder: Path) -> list[str] | None:
    """The steps that an earlier run finished; None where the world is whole."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return []
    try:
        held = json.loads((folder / DECLARATION).read_text())
        same = held["made_from"] == config.model_dump(mode="json")
        finished, complete = list(held["finished"]), bool(held["complete"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise Refusal(
            f"world: a simulated world in {folder}", "The folder holds something else", "Name a new or empty folder"
        ) from error
    if not same:
        raise Refusal(
            f"world: a simulated world in {folder}",
            "It holds a world of another configuration or seed",
            "Name another folder, or remove this one",
        )
    return None if complete else finished


def _declare(config: WorldConfig, folder: Path, finished: list[str], complete: bool) -> None:
    content = declaration("simulated world", config.model_dump(mode="json"))
    write_json(folder / DECLARATION, content | {"finished": finished, "complete": complete})
