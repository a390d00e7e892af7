"""Restrictions on GDAL."""

import os

_FOREIGN_DRIVERS = (
    *("AmigoCloud", "CSW", "Carto", "DAAS", "DERIVED", "EEDA", "EEDAI", "ESRIC", "Elasticsearch", "GDALG", "GMLAS"),
    *("GNMDatabase", "GNMFile", "GTI", "HTTP", "MRF", "NGW", "OAPIF", "OGCAPI", "OGR_VRT", "PLMOSAIC", "PLSCENES"),
    *("STACIT", "STACTA", "TileDB", "VRT", "WCS", "WFS", "WMS", "WMTS"),
)
"""GDAL drivers whose files name other files or addresses."""

RASTER_CACHE_MB = 64
"""Raster blocks cached in memory, independent of the number of files."""


def shut_gdal() -> None:
    """Keep GDAL of this process and its child processes from files that name others, the network and much memory.

    Must be called before rasterio and pyogrio are imported. In addition to the drivers named at each open, it covers
    what GDAL itself opens beside a file: overviews, masks, metadata.
    """
    skipped = filter(None, [os.environ.get("GDAL_SKIP", ""), ",".join(_FOREIGN_DRIVERS)])
    os.environ["GDAL_SKIP"] = ",".join(skipped)
    os.environ["CPL_VSIL_CURL_ALLOWED_FILENAME"] = "-"  # no address has this name
    os.environ["OGR_SQLITE_STATIC_VIRTUAL_OGR"] = "NO"
    os.environ["PROJ_NETWORK"] = "OFF"
    os.environ.setdefault("GDAL_CACHEMAX", str(RASTER_CACHE_MB))
