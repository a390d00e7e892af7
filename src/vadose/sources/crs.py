"""Horizontal part of coordinate reference systems."""

from functools import lru_cache
from typing import Any

from pyproj import CRS
from pyproj.exceptions import CRSError


def epsg_of(stated: Any) -> int | None:
    """Return the EPSG code of the horizontal part of a CRS; None without one, or if it is unreadable.

    Args:
        stated: a code ("EPSG:32633", 9518, "OGC:CRS84"), WKT, or PROJJSON.
    """
    if isinstance(stated, bool) or not isinstance(stated, str | int | float | dict):
        return None
    try:
        code = horizontal(CRS.from_user_input(stated if isinstance(stated, dict) else _number(stated))).to_epsg()
    except (CRSError, ValueError, OverflowError, TypeError, KeyError, RecursionError):
        return None
    return None if code is None else int(code)


def _number(stated: str | float) -> str | int:
    return int(stated) if isinstance(stated, float) or str(stated).isdigit() else str(stated)


def horizontal(crs: CRS) -> CRS:
    """Return a CRS without its vertical part: of EPSG:9518, WGS 84 with heights above EGM2008, EPSG:4326."""
    if crs.is_compound:
        return horizontal(crs.sub_crs_list[0])
    return crs.to_2d() if len(crs.axis_info) > 2 else crs


@lru_cache(maxsize=256)
def horizontal_wkt(crs: str) -> str:
    """Return WKT of the horizontal part of a CRS; unchanged if it has no other part, or is unreadable."""
    try:
        whole = CRS.from_wkt(crs)
    except CRSError:
        return crs
    flat = horizontal(whole)
    return crs if flat is whole else flat.to_wkt()


def metres_of_height(crs: str) -> float | None:
    """Return the unit of a CRS's heights, m; None without heights."""
    try:
        axes = CRS.from_wkt(crs).axis_info
    except CRSError:
        return None
    return float(axes[2].unit_conversion_factor) if len(axes) > 2 else None
