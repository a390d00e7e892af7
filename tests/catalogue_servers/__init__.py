"""Catalogues on loopback: the protocols of the real ones, without their data.

Nothing here uses code of vadose's readers or of its client, so that an error in one cannot hide an error in the other.
"""

from catalogue_servers import faults
from catalogue_servers.assets import AssetServer, Container
from catalogue_servers.buckets import BucketServer
from catalogue_servers.cdse import Cdse
from catalogue_servers.cmr import CmrServer
from catalogue_servers.earthdata import DataArchive, LoginServer, Users
from catalogue_servers.files import FileServer
from catalogue_servers.granules import records_of
from catalogue_servers.loopback import LoopbackServer, Request, Totals
from catalogue_servers.mirrors import moved
from catalogue_servers.opera import Opera
from catalogue_servers.s3 import S3Server
from catalogue_servers.soilgrids import SoilGridsServer
from catalogue_servers.stac import StacServer
from catalogue_servers.world import World

__all__ = [
    "AssetServer",
    "BucketServer",
    "Cdse",
    "CmrServer",
    "Container",
    "DataArchive",
    "FileServer",
    "LoginServer",
    "LoopbackServer",
    "Opera",
    "Request",
    "S3Server",
    "SoilGridsServer",
    "StacServer",
    "Totals",
    "Users",
    "World",
    "faults",
    "moved",
    "records_of",
]
