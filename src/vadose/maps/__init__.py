"""Writing and reading of finished maps, without networks."""

from typing import TYPE_CHECKING

from vadose.io.lazy import lazily

if TYPE_CHECKING:
    from vadose.maps.cube import cubes
    from vadose.maps.layers import NODATA, map_arrays, map_dataset
    from vadose.maps.mosaic import Mosaic, Zone
    from vadose.maps.plotting.picture import picture
    from vadose.maps.read import read_map
    from vadose.maps.series import at_points, over_polygons, write_series
    from vadose.maps.stac import Scene, write_catalogue
    from vadose.maps.write import name_of, write_map
else:
    __getattr__ = lazily(__name__, __file__)

__all__ = [
    "NODATA",
    "Mosaic",
    "Scene",
    "Zone",
    "at_points",
    "cubes",
    "map_arrays",
    "map_dataset",
    "name_of",
    "over_polygons",
    "picture",
    "read_map",
    "write_catalogue",
    "write_map",
    "write_series",
]
