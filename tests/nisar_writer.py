"""NISAR SME2 granules, written in the structure of real ones, each pixel painted with its own row and column."""

from pathlib import Path

import h5py
import numpy as np
from pyproj import Transformer

STEP = 9008.055210146 / 45
WEST, NORTH = -17367530.4451615, 7314540.8306386
COLUMNS = 3856 * 45
FILL = np.float32(-9999)
NAME = "NISAR_L3_PR_SME2_028_005_A_020_4005_DHDH_A_{start}_{end}_{crid}_N_F_J_{counter:03d}.h5"
START, END = "20260813T125218", "20260813T125253"
MIDDLE = np.datetime64("2026-08-13T12:52:35.500", "ns")
PLACE = (-98.35, 44.55)


def painted(row, column, base=0.05):
    """Soil moisture that tells its row and column among 20 x 20 neighbours."""
    return np.float32(base) + np.float32(0.001) * ((row % 20) * 20 + column % 20).astype(np.float32)


def pixel(lon, lat):
    """Row and column by pyproj and the definition of EASE-Grid 2.0."""
    x, y = Transformer.from_crs(4326, 6933, always_xy=True).transform(lon, lat)
    return int((NORTH - y) // STEP), int((x - WEST) // STEP)


def name_of(start=START, end=END, crid="P05023", counter=1):
    return NAME.format(start=start, end=end, crid=crid, counter=counter)


def write_granule(
    folder: Path,
    place=PLACE,
    half=(40, 60),
    candidates=("DSG", "TSR"),
    name=None,
    inside=None,
    values=None,
    **named,
) -> Path:
    """Write a frame of 2 x `half` rows and columns around a place; columns go on over the antimeridian."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (name or name_of(**named))
    row, column = pixel(*place)
    rows, columns = np.arange(row - half[0], row + half[0]), np.arange(column - half[1], column + half[1])
    down, across = np.meshgrid(rows, columns % COLUMNS, indexing="ij")
    with h5py.File(path, "w") as file:
        file.attrs["title"] = np.bytes_("NISAR L3 SME2 Product")
        file.attrs["Conventions"] = np.bytes_("CF-1.7")
        stated = file.create_group("science/LSAR/identification")
        for key, text in {"granuleId": inside or path.stem, "productType": "SME2", "productVersion": "0.5.2"}.items():
            stated[key] = np.bytes_(text)
        grids = file.create_group("science/LSAR/SME2/grids")
        write_axes(grids, rows, columns)
        write_fields(grids, painted(down, across) if values is None else values)
        for number, algorithm in enumerate(candidates, start=1):
            group = grids.create_group(f"algorithmCandidates/{algorithm}")
            write_axes(group, rows, columns)
            write_fields(group, painted(down, across, 0.05 + 0.1 * number))
    return path


def write_axes(group: h5py.Group, rows, columns) -> None:
    group["projection"] = np.uint32(6933)
    group["projection"].attrs["epsg_code"] = np.int64(6933)
    group["projection"].attrs["grid_mapping_name"] = np.bytes_("lambert_cylindrical_equal_area")
    for axis, places in {
        "xCoordinates": WEST + (columns + 0.5) * STEP,
        "yCoordinates": NORTH - (rows + 0.5) * STEP,
    }.items():
        group.create_dataset(axis, data=places.astype(np.float64))
        group[axis].attrs["units"] = np.bytes_("meters")
        group[axis].attrs["standard_name"] = np.bytes_(f"projection_{axis[0]}_coordinate")


def write_fields(group: h5py.Group, moisture) -> None:
    for name, numbers, fill, units in (
        ("soilMoisture", moisture.astype(np.float32), FILL, "meter^3/meter^3"),
        ("soilMoistureUncertainty", np.full(moisture.shape, 0.05, np.float32), FILL, "meter^3/meter^3"),
        ("retrievalQualityFlag", np.zeros(moisture.shape, np.int16), np.int16(-9999), "1"),
    ):
        made = group.create_dataset(
            name, data=numbers, chunks=tuple(min(64, n) for n in moisture.shape), compression="gzip", fillvalue=fill
        )
        made.attrs["_FillValue"] = fill
        made.attrs["units"] = np.bytes_(units)
        made.attrs["grid_mapping"] = np.bytes_("projection")
