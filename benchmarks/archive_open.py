"""Processor seconds until an archive of many items is open for all sources: the first time, and again."""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

KEYS = {
    "sentinel-1-rtc": ("vv", "vh", "rendered_preview", "tilejson"),
    "sentinel-2-l2a": (*(f"B{n:02}" for n in range(1, 13)), "B8A", "AOT", "SCL", "WVP", "visual", "preview"),
    "nasadem": ("elevation", "tilejson"),
    "esa-worldcover": ("map", "input_quality", "tilejson"),
}
SHARES = {"sentinel-1-rtc": 0.39, "sentinel-2-l2a": 0.59, "nasadem": 0.01, "esa-worldcover": 0.01}
OPEN = """
import sys, time
from vadose.registry import source_specs
from vadose.sources import ArchiveScan, open_mask_sources, open_sources
source_specs()
imported = time.process_time()
archive = ArchiveScan.of(sys.argv[1])
held = 0
for source in (*open_sources(archive), *open_mask_sources(archive)):
    index = getattr(source, "index", None)
    if index is not None:
        held += len(getattr(index, "records", None) or getattr(index, "granules", ()))
print(time.process_time() - imported, held)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--granules", type=int, default=4_000, help="of SMAP and GLDAS")
    parser.add_argument("--again", type=int, default=2, help="times that the archive is opened again")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        write(folder, asked.items, asked.granules)
        for number in range(1 + asked.again):
            seconds, held = opened(folder)
            print(f"{'again' if number else 'first'}: {seconds:.2f} s, {held:,} items and granules")
    finally:
        shutil.rmtree(folder)


def opened(folder: Path) -> tuple[float, int]:
    """Processor seconds in which a new process opens an archive for every source, imports aside; and what it holds."""
    done = subprocess.run([sys.executable, "-c", OPEN, folder], check=True, capture_output=True, text=True)
    seconds, held = done.stdout.split()
    return float(seconds), int(held)


def write(folder: Path, items: int, granules: int) -> None:
    """Write items as catalogues give them, one JSON file each, and empty files with the names of granules."""
    for collection, share in SHARES.items():
        for number in range(round(items * share)):
            place = folder / collection / f"{collection}_{number:05d}"
            place.mkdir(parents=True)
            (place / f"{place.name}.json").write_text(json.dumps(item(collection, place.name, number)))
    for number in range(granules // 2):
        day = time.strftime("%Y%m%d", time.gmtime(1.46e9 + 86_400 * number))
        for name in (f"SMAP_L3_SM_P_E_{day}_R19240_001.h5", f"GLDAS_NOAH025_3H.A{day}.1200.021.nc4"):
            path = folder / name.split("_")[0].lower() / name
            path.parent.mkdir(exist_ok=True)
            path.touch()


def item(collection: str, name: str, number: int) -> dict[str, object]:
    """Return a STAC item with the properties and assets of the Planetary Computer's."""
    west, south = -120 + number % 600 * 0.1, 30 + number // 600 * 0.1
    asset = {"type": "image/tiff; application=geotiff; profile=cloud-optimized", "roles": ["data"], "gsd": 10.0}
    grid = {"proj:shape": [10980, 10980], "proj:transform": [10.0, 0.0, 499980.0, 0.0, -10.0, 4200000.0]}
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "collection": collection,
        "bbox": [west, south, west + 1, south + 1],
        "geometry": {
            "type": "Polygon",
            "coordinates": [[[west, south], [west + 1, south], [west, south + 1], [west, south]]],
        },
        "links": [
            {"rel": rel, "href": f"https://example.org/{collection}/{name}/{rel}"} for rel in ("self", "parent", "root")
        ],
        "properties": {
            "datetime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1.5e9 + 7_200 * number)),
            "platform": "sentinel-2a",
            "proj:epsg": 32610,
            "s2:processing_baseline": "04.00",
            "s2:generation_time": "2021-06-01T12:00:00Z",
            "eo:cloud_cover": 12.5,
        },
        "assets": {key: {"href": f"./{key}.tif", "title": key, **asset, **grid} for key in KEYS[collection]},
    }


if __name__ == "__main__":
    main()
