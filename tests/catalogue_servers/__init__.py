"""Catalogues on loopback: the protocols of the real ones, without their data.

Nothing here uses code of vadose's readers or of its client, so that an error in one cannot hide an error in the other.
"""

from catalogue_servers import faults
from catalogue_servers.assets import AssetServer, Container
from catalogue_servers.loopback import LoopbackServer, Request, Totals
from catalogue_servers.stac import StacServer

__all__ = ["AssetServer", "Container", "LoopbackServer", "Request", "StacServer", "Totals", "faults"]
