"""A map of an area on a day, from a run and an archive."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from vadose.experiment.predict import predict_area, read_area
from vadose.experiment.published import lines_of_run, require_physical
from vadose.experiment.run import Run
from vadose.experiment.train import SIMULATED
from vadose.maps import Mosaic, picture, write_map
from vadose.refusal import Refusal
from vadose.sources import open_sources

TILE_CELLS = 32


@dataclass(frozen=True)
class MapRequest:
    """What to map.

    Attributes:
        run: folder of the trained networks.
        archive: folder of the products.
        area: "west,south,east,north" in degrees, or a GeoJSON file.
        date: a day, which means its end, or a moment, UTC.
        out: folder of the files.
        as_of: a day, which means its end, or a moment, UTC: nothing that was published later is read; without it
            everything observed until the moment of the map is.
    """

    run: Path
    archive: Path
    area: str
    date: str
    out: Path
    as_of: str | None = None


def make_map(
    request: MapRequest, report: Callable[[int, int, str], None], truth: Sequence[xr.DataArray] = ()
) -> tuple[Path, ...]:
    """Write a map as COGs, and a picture of it beside the truth where that is given.

    Raises:
        Refusal: no run, or one that learned from published numbers whose units nobody knows; no such area or moment,
            or an archive that holds nothing of them.
    """
    run = Run(request.run)
    experiment, models = run.experiment(), run.members()
    require_physical(lines_of_run(run.networks()), models[0].needs.names)
    area, time = read_area(request.area), moment_of(request.date)
    as_of = moment_of(request.as_of) if request.as_of else None
    tiles = area.tiles(TILE_CELLS, models[0].needs.halo)
    mosaic = Mosaic(area, tiles)
    items: set[str] = set()
    sources = open_sources(request.archive)
    estimates = predict_area(models, sources, tiles, time, experiment.windows, as_of, run.calibration())
    for done, (tile, used) in enumerate(estimates, start=1):
        mosaic.put(tile.tile, tile.mean, tile.spread, tile.quality)
        items.update(used)
        report(done, len(tiles), "mapped")
    notice = notice_of(experiment.simulated, request.archive)
    made_from = {"experiment": experiment.name, "networks": len(models), "area": request.area, "items": sorted(items)}
    made_from |= {"as_of": f"{np.datetime_as_string(as_of, 's')}Z"} if as_of is not None else {}
    zones = mosaic.zones()
    paths = write_map(request.out, zones, time=time, made_from=made_from, notice=notice)
    shown = paths[0].with_suffix(".png")
    picture(zones, shown, title=f"{area.name}, {np.datetime_as_string(time, 'm')} UTC", truth=truth, notice=notice)
    return (*paths, shown)


def notice_of(trained_on_simulated: bool, archive: Path) -> str:
    """What of a map is simulated: all of it, the training of its networks, or nothing."""
    if (archive / "world.json").exists():
        return SIMULATED
    return "Of real products, by networks trained on a SIMULATED world." if trained_on_simulated else ""


def moment_of(date: str) -> np.datetime64:
    """A moment from the command line; a day means its last moment.

    Raises:
        Refusal: it is no ISO date, or one without its day.
    """
    try:
        moment = np.datetime64(date)
        if np.isnat(moment) or np.datetime_data(moment.dtype)[0] in ("Y", "M"):
            raise ValueError(date)
        whole_day = np.datetime_data(moment.dtype)[0] == "D"
        last: np.datetime64 = moment.astype("datetime64[ns]") + np.timedelta64(86_399 if whole_day else 0, "s")
        return last
    except ValueError as error:
        raise Refusal(
            f"map: the date '{date}'", "It is not an ISO date with its day", "Write 2021-06-10 or 2021-06-10T18:00"
        ) from error
