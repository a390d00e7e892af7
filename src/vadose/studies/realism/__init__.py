"""Comparison of a simulated Earth with real data: the same statistics of both, with their differences."""

from pathlib import Path

from vadose.io.outputs import Request
from vadose.studies.realism.figures import PANELS
from vadose.studies.realism.page import IMAGES, write_page
from vadose.studies.realism.real import POINTS, RETRIEVALS, observe_real
from vadose.studies.realism.simulated import observe_archive
from vadose.studies.realism.statistics import Statistics, statistics_of

RECORDED = Path(__file__).with_name("real.json")
"""Recorded aggregates of the real data, for use without the data themselves."""

__all__ = ["RECORDED", "compare_with_real", "record_real"]


def compare_with_real(archive: Path, real: Path | None, page: Path) -> None:
    """Compare a simulated archive with real data, and write the page and its figures (into `images` beside it).

    Args:
        archive: archive of the simulated Earth.
        real: folder of the real data (`points/`, `scenes/`, `stac_items/`); by default, the recorded figures are used.
        page: the Markdown file.

    Raises:
        VadoseError: the archive or the real data are unreadable; nothing is written.
    """
    request = Request.of("simulate compare", page, world=archive, real=real)
    images = page.parent / IMAGES
    request.require_place(images, folder=True)
    with request.file(page, [images / panels.file for panels in PANELS]) as held:
        known = Statistics.read(RECORDED) if real is None else statistics_of(observe_real(real))
        write_page(held, statistics_of(observe_archive(archive)), known, request.mark)


def record_real(real: Path, path: Path = RECORDED) -> None:
    """Measure the real data and record the figures.

    Raises:
        VadoseError: the data are unreadable; nothing is written.
    """
    sources = {
        POINTS: "github.com/mitchellthomas1/SoilMoistureDownscalingEAEE4000; in-situ data of the ISMN",
        RETRIEVALS: "github.com/AndreasMaakes/soil-moisture-monitoring-cygnss-era5-smap; in-situ data of the ISMN",
        "scenes": "github.com/IBM/terramind, examples",
        "stac_items": "Earth Search, sentinel-2-c1-l2a, tile 13TDE, 2024-03-31 to 2024-04-22",
    }
    statistics_of(observe_real(real)).write(path, sources)
