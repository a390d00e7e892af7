"""Files of NISAR SME2 granules: the groups, types and attributes of real ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.grid import to_lonlat
from vadose.io.files import atomic_write
from vadose.simulation.ease import EPSG, NORTH, WEST
from vadose.simulation.raster import NOTICE
from vadose.simulation.simulator import RegionSimulator

FILL = np.float32(-9999)
CANDIDATES = ("DSG", "PMI", "TSR")
RELEASE, PRODUCT_VERSION, SPECIFICATION = "P05023", "0.1.0", "1.3.0"
CHUNK = 512
SECONDS = 35
_STEP_M = 9_008.055210146 / 45
_COLUMNS = 3856 * 45
_GRIDS = "science/LSAR/SME2/grids"
_FIELDS = {
    "soilMoisture": (np.float32, FILL, "meter^3/meter^3"),
    "soilMoistureUncertainty": (np.float32, FILL, "meter^3/meter^3"),
    "retrievalQualityFlag": (np.int16, np.int16(-9999), "1"),
}


@dataclass(frozen=True)
class PassFile:
    """The granule of a pass.

    Attributes:
        path: path of the file.
        start: start of the pass, UTC.
    """

    path: Path
    start: pd.Timestamp

    @classmethod
    def begun(
        cls,
        folder: Path,
        region: RegionSimulator,
        rows: NDArray[np.intp],
        columns: NDArray[np.intp],
        direction: str,
        cycle: int,
        start: pd.Timestamp,
    ) -> "PassFile":
        """Write a granule without retrievals."""
        track, frame = 1 + region.number % 173, 1 + region.number % 176
        stamps = "_".join(f"{time:%Y%m%dT%H%M%S}" for time in (start, start + pd.Timedelta(seconds=SECONDS)))
        name = (
            f"NISAR_L3_PR_SME2_{cycle:03d}_{track:03d}_{direction}_{frame:03d}_4005_DHDH_A_{stamps}_{RELEASE}_N_F_J_001"
        )
        made = cls(folder / f"{name}.h5", start)
        with atomic_write(made.path) as temporary, h5py.File(temporary, "w") as file:
            file.attrs["title"] = np.bytes_("NISAR L3 SME2 Product")
            file.attrs["Conventions"] = np.bytes_("CF-1.7")
            file.attrs["NOTICE"] = NOTICE
            _identify(file, name, direction, (track, frame), start)
            for group in ("", *(f"algorithmCandidates/{one}" for one in CANDIDATES)):
                _grid(file.require_group(f"{_GRIDS}/{group}".rstrip("/")), rows, columns, whole=not group)
        return made

    def write(
        self,
        rows: NDArray[np.intp],
        columns: NDArray[np.intp],
        fields: Mapping[str, Mapping[str, NDArray[np.generic]]],
    ) -> None:
        """Write the fields of each group at some pixels, by their place in the file."""
        window = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
        with h5py.File(self.path, "r+") as file:
            for group, held in fields.items():
                for name, values in held.items():
                    dataset = file[f"{_GRIDS}/{group}/{name}" if group else f"{_GRIDS}/{name}"]
                    block = dataset[window]
                    block[rows - rows.min(), columns - columns.min()] = values
                    dataset[window] = block


def _identify(file: h5py.File, name: str, direction: str, place: tuple[int, int], start: pd.Timestamp) -> None:
    group = file.create_group("science/LSAR/identification")
    texts = {
        "granuleId": name,
        "productType": "SME2",
        "productLevel": "L3",
        "productVersion": PRODUCT_VERSION,
        "productSpecificationVersion": SPECIFICATION,
        "compositeReleaseId": RELEASE,
        "missionId": "NISAR",
        "radarBand": "L",
        "lookDirection": "Left",
        "orbitPassDirection": {"A": "Ascending", "D": "Descending"}[direction],
        "zeroDopplerStartTime": start.isoformat(),
        "zeroDopplerEndTime": (start + pd.Timedelta(seconds=SECONDS)).isoformat(),
    }
    for key, text in texts.items():
        group[key] = np.bytes_(text)
    group["trackNumber"], group["frameNumber"] = np.uint32(place[0]), np.uint16(place[1])


def _grid(group: h5py.Group, rows: NDArray[np.intp], columns: NDArray[np.intp], whole: bool) -> None:
    group["projection"] = np.uint32(EPSG)
    group["projection"].attrs["epsg_code"] = np.int64(EPSG)
    group["projection"].attrs["grid_mapping_name"] = np.bytes_("lambert_cylindrical_equal_area")
    x, y = WEST + (columns % _COLUMNS + 0.5) * _STEP_M, NORTH - (rows + 0.5) * _STEP_M
    axes = {"yCoordinates": y, "xCoordinates": x}
    for name, places in axes.items():
        made = group.create_dataset(name, data=places)
        made.make_scale(name)
        made.attrs["units"] = np.bytes_("meters")
        made.attrs["standard_name"] = np.bytes_(f"projection_{name[0]}_coordinate")
    group["xCoordinateSpacing"], group["yCoordinateSpacing"] = _STEP_M, -_STEP_M
    if whole:
        lon, lat = to_lonlat(EPSG).transform(x, np.zeros_like(x))[0], to_lonlat(EPSG).transform(np.zeros_like(y), y)[1]
        along = {"longitude": lon, "latitude": lat}
        for name, values in along.items():
            group[name] = np.asarray(values, np.float32)
        group["EASEGridRowIndex"], group["EASEGridColumnIndex"] = rows.astype("i4"), (columns % _COLUMNS).astype("i4")
    shape = len(rows), len(columns)
    for name, (dtype, fill, units) in _FIELDS.items():
        chunks = tuple(min(CHUNK, side) for side in shape)
        made = group.create_dataset(
            name, shape, dtype, chunks=chunks, compression="gzip", compression_opts=1, fillvalue=fill
        )
        made.attrs["_FillValue"], made.attrs["units"] = fill, np.bytes_(units)
        made.attrs["grid_mapping"] = np.bytes_("projection")
        for axis, scale in enumerate(axes):
            made.dims[axis].attach_scale(group[scale])
