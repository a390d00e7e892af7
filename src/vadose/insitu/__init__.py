"""In-situ soil moisture: ISMN archives, their readings and flags, and their conversion to Parquet."""

from vadose.insitu.headers import Sensor
from vadose.insitu.ismn import Ismn

__all__ = ["Ismn", "Sensor"]
