"""What world is simulated: where, when, how large, how often it is looked at."""

from itertools import combinations

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pyproj import Geod

from vadose.grid import Period, Tile, tile_around
from vadose.refusal import Refusal
from vadose.world import climates
from vadose.world.climates import Climate

APART_KM = 150.0
"""Least distance of two regions: each has the 3 x 3 SMAP pixels around it, 108 km wide, to itself."""


class Region(BaseModel):
    """A square of simulated ground.

    Attributes:
        name: also names its network, SIM-<NAME>.
        lon, lat: of its middle, degrees.
        climate: its weather and ground.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Z]+$")
    lon: float = Field(ge=-180, le=180)
    lat: float = Field(ge=-59, le=83)
    climate: Climate


REGIONS = (
    Region(name="HUMID", lon=9.35, lat=48.2, climate=climates.HUMID),
    Region(name="PLAIN", lon=-96.4, lat=40.6, climate=climates.PLAIN),
    Region(name="STEPPE", lon=-101.9, lat=33.7, climate=climates.STEPPE),
    Region(name="DESERT", lon=142.2, lat=-33.9, climate=climates.DESERT),
    Region(name="PADDOCK", lon=146.1, lat=-35.1, climate=climates.PADDOCK),
    Region(name="ORCHARD", lon=-5.1, lat=37.6, climate=climates.ORCHARD),
    Region(name="SAVANNA", lon=35.4, lat=-6.4, climate=climates.SAVANNA),
    Region(name="TAIGA", lon=26.6, lat=67.4, climate=climates.TAIGA),
)
"""Eight places in as many climates; what grows and falls there is made up."""


class WorldConfig(BaseModel):
    """A simulated world; the same configuration gives the same world.

    Attributes:
        regions: of ground.
        side_cells: of each region, in cells of 320 m; sensors stand where a chip of 9 cells fits.
        sensors: in each region.
        period: of all products and readings, "2021-07-01/2022-06-30".
        radar_days: between two Sentinel-1 passes of one orbit; there are two orbits.
        optical_days: between two Sentinel-2 passes.
        seed: of all that is random.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    regions: tuple[Region, ...] = Field(default=REGIONS, min_length=1)
    side_cells: int = Field(default=16, ge=10, multiple_of=2)
    sensors: int = Field(default=6, ge=1)
    period: str = "2021-07-01/2022-06-30"
    radar_days: int = Field(default=12, ge=1)
    optical_days: int = Field(default=10, ge=1)
    seed: int = Field(default=0, ge=0)

    @field_validator("regions")
    @classmethod
    def _apart(cls, regions: tuple[Region, ...]) -> tuple[Region, ...]:
        for one, other in combinations(regions, 2):
            distance_km = Geod(ellps="WGS84").inv(one.lon, one.lat, other.lon, other.lat)[2] / 1000
            if one.name == other.name or distance_km < APART_KM:
                raise ValueError(f"{one.name} and {other.name} are one or closer than {APART_KM:g} km")
        return regions

    @field_validator("period")
    @classmethod
    def _period(cls, period: str) -> str:
        Period.parse(period)
        return period

    @classmethod
    def preset(cls, name: str) -> "WorldConfig":
        """A world by the name of its size.

        Raises:
            Refusal: no such size.
        """
        if name not in PRESETS:
            raise Refusal(f"world: the preset '{name}'", f"There are {', '.join(PRESETS)}", "Choose one of them")
        return PRESETS[name]

    @property
    def days(self) -> Period:
        """The simulated period."""
        return Period.parse(self.period)

    def ground(self, region: Region) -> Tile:
        """The cells of a region, its middle in their midst."""
        middle = tile_around(region.lon, region.lat, halo=0)
        half = self.side_cells // 2
        return Tile(middle.epsg, middle.west - half, middle.north + half, self.side_cells, self.side_cells)


PRESETS: dict[str, WorldConfig] = {
    "tiny": WorldConfig(
        regions=REGIONS[1:6:2], side_cells=10, sensors=3, period="2021-12-01/2022-03-15", optical_days=15
    ),
    "small": WorldConfig(),
}
