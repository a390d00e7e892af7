"""What world is simulated: where, when, how large, how often it is looked at."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from vadose.grid import Period, Tile, tile_around
from vadose.refusal import Refusal


class Climate(BaseModel):
    """Weather and ground of a region, enough to drive a soil-water balance.

    Attributes:
        rain_mm_day: mean rain of a wet day.
        wet_after_dry, wet_after_wet: probability of a wet day after a dry and after a wet one (Richardson 1981).
        evaporation_mm_day: mean potential evaporation; it swings by 70 % over the year.
        temperature_c, swing_c: mean of the year, and half the difference of summer and winter.
        cloud: mean cloud cover, 0..1.
        clay, sand: mean mass fractions.
        relief_m: standard deviation of the terrain.
        irrigated: whether crops are watered when the root zone is dry.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rain_mm_day: float
    wet_after_dry: float
    wet_after_wet: float
    evaporation_mm_day: float
    temperature_c: float
    swing_c: float
    cloud: float
    clay: float
    sand: float
    relief_m: float
    irrigated: bool = False


class Region(BaseModel):
    """A square of simulated ground.

    Attributes:
        name: also names its network, SIM-<NAME>.
        lon, lat: of its middle, degrees.
        climate: its weather and ground.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Z]+$")
    lon: float
    lat: float
    climate: Climate


def _region(name: str, lon: float, lat: float, figures: tuple[float, ...], irrigated: bool = False) -> Region:
    fields = [field for field in Climate.model_fields if field != "irrigated"]
    climate = {**dict(zip(fields, figures, strict=True)), "irrigated": irrigated}
    return Region(name=name, lon=lon, lat=lat, climate=Climate.model_validate(climate))


REGIONS = (
    _region("HUMID", 9.35, 48.2, (7.0, 0.32, 0.62, 2.2, 9.5, 9.0, 0.55, 0.24, 0.30, 25.0)),
    _region("PLAIN", -96.4, 40.6, (9.0, 0.18, 0.45, 3.2, 11.0, 14.0, 0.40, 0.28, 0.18, 8.0)),
    _region("STEPPE", -101.9, 33.7, (8.0, 0.09, 0.35, 4.2, 15.5, 11.0, 0.30, 0.25, 0.45, 6.0)),
    _region("DESERT", 142.2, -33.9, (6.0, 0.07, 0.30, 4.6, 17.5, 8.0, 0.22, 0.14, 0.68, 10.0)),
    _region("PADDOCK", 146.1, -35.1, (7.0, 0.13, 0.38, 3.8, 16.0, 8.0, 0.30, 0.35, 0.30, 4.0)),
    _region("ORCHARD", -5.1, 37.6, (8.5, 0.12, 0.42, 3.9, 18.0, 8.5, 0.30, 0.32, 0.25, 15.0), irrigated=True),
    _region("SAVANNA", 35.4, -6.4, (11.0, 0.16, 0.55, 4.4, 22.5, 3.0, 0.45, 0.30, 0.52, 20.0)),
    _region("TAIGA", 26.6, 67.4, (4.5, 0.30, 0.50, 1.4, 0.5, 13.0, 0.60, 0.08, 0.62, 18.0)),
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

    regions: tuple[Region, ...] = REGIONS
    side_cells: int = Field(default=16, ge=10)
    sensors: int = Field(default=6, ge=1)
    period: str = "2021-07-01/2022-06-30"
    radar_days: int = Field(default=12, ge=1)
    optical_days: int = Field(default=10, ge=1)
    seed: int = Field(default=0, ge=0)

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


Preset = Literal["tiny", "small"]
PRESETS: dict[str, WorldConfig] = {
    "tiny": WorldConfig(
        regions=REGIONS[1:6:2], side_cells=10, sensors=3, period="2021-12-01/2022-03-15", optical_days=15
    ),
    "small": WorldConfig(),
}
