"""What GDAL may open by itself."""

import os

_FOREIGN_DRIVERS = (
    *("AmigoCloud", "CSW", "Carto", "DAAS", "DERIVED", "EEDA", "EEDAI", "ESRIC", "Elasticsearch", "GDALG", "GMLAS"),
    *("GNMDatabase", "GNMFile", "GTI", "HTTP", "MRF", "NGW", "OAPIF", "OGCAPI", "OGR_VRT", "PLMOSAIC", "PLSCENES"),
    *("STACIT", "STACTA", "TileDB", "VRT", "WCS", "WFS", "WMS", "WMTS"),
)
"""Drivers of GDAL whose files name other files or addresses."""


def shut_gdal() -> None:
    """Keep GDAL of this process, and of those that it starts, from files that name others and from the net.

    It must be called before rasterio and pyogrio are imported. It stands behind the drivers that are named at each
    open, for what GDAL itself opens beside a file: overviews, masks, metadata.
    """
    skipped = filter(None, [os.environ.get("GDAL_SKIP", ""), ",".join(_FOREIGN_DRIVERS)])
    os.environ["GDAL_SKIP"] = ",".join(skipped)
    os.environ["CPL_VSIL_CURL_ALLOWED_FILENAME"] = "-"  # no address is called so
    os.environ["OGR_SQLITE_STATIC_VIRTUAL_OGR"] = "NO"
    os.environ["PROJ_NETWORK"] = "OFF"
