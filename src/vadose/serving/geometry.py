"""Geometries of requests: small, and without the crossings whose resolution takes minutes."""

from collections.abc import Mapping
from typing import Any

import shapely
import shapely.geometry
from shapely.errors import ShapelyError

from vadose.serving.limits import LIMITS, RequestError, require_few


def geojson_shapes(content: Mapping[str, Any]) -> list[shapely.Geometry]:
    """Return the geometries of a GeoJSON geometry, feature or feature collection.

    Raises:
        RequestError: it is none (400), or has too many numbers (413).
    """
    require_few(count_leaves(content), 3 * LIMITS.vertices, "numbers", "Simplify the geometry")
    held = content.get("features")
    features = held if isinstance(held, list) else [content]
    try:
        geometries = [part.get("geometry") if "geometry" in part else part for part in features]
        return [shapely.geometry.shape(one) for one in geometries if one is not None]
    except (ShapelyError, AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise RequestError(400, "serve: a geometry", "It is none of GeoJSON", "Give one (RFC 7946)") from error


def require_simple(shape: shapely.Geometry) -> shapely.Geometry:
    """Verify that a geometry has few vertices, and that no part of it crosses itself.

    Raises:
        RequestError: it has too many (413), or a part crosses itself (400).
    """
    require_few(int(shapely.get_num_coordinates(shape)), LIMITS.vertices, "vertices", "Simplify the geometry")
    if not all(shapely.is_valid(part) for part in shapely.get_parts(shape)):
        raise RequestError(400, "serve: a geometry", "Its boundary crosses itself", "Correct it, or draw it again")
    return shape


def count_leaves(content: Any) -> int:
    """Return the number of leaves of a JSON value."""
    count, waiting = 0, [content]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
        else:
            count += 1
    return count
