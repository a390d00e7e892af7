"""Named products: what is built in about each, so that it is read by its name alone."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vadose.sources.window import EASE2_9KM_M


@dataclass(frozen=True)
class Flag:
    """A quality flag beside a variable.

    Attributes:
        name: its name in the group of the variable.
        bits: bits that leave a value out; 0 for any.
    """

    name: str
    bits: int = 0

    @property
    def words(self) -> str:
        """Return its rule in a remark."""
        rule = "is not 0" if not self.bits else f"has bit {self.bits.bit_length() - 1} set"
        return f"{self.name} {rule}"


@dataclass(frozen=True, kw_only=True)
class Convention:
    """What is built in about a product.

    Attributes:
        name: name on the command line.
        title: words in messages and on the page.
        files: pattern of the names of its files; others in its folder are not read.
        source: name of the source whose reader serves; empty for none.
        retrieval: field of that source; empty for its only one.
        variables: paths of its variable, of which the first that exists is read.
        units: units of the variable, where the files state none or ambiguous ones; empty for theirs.
        flag: quality flag of the variable.
        limits: values outside which stored numbers are masks, in the units of the file; None without any.
        time: pattern with the group `time`, where a name has several times; None if it has one.
        shift_hours: hours from the time stated to the middle of what it stands for.
        ease_m: step of the EASE-Grid 2.0 of which the files are windows, m; 0 for another grid.
        note: what its figures mean, for the page.
    """

    name: str
    title: str
    files: re.Pattern[str]
    source: Literal["", "nisar", "smap", "gldas"] = ""
    retrieval: str = ""
    variables: tuple[str, ...] = ()
    units: str = ""
    flag: Flag | None = None
    limits: tuple[float, float] | None = None
    time: re.Pattern[str] | None = None
    shift_hours: float = 0.0
    ease_m: float = 0.0
    note: str = ""

    def holds(self, path: Path) -> bool:
        """Return whether a path is a file of the product, or a folder with one."""
        if path.is_dir() and path.suffix != ".zarr":
            return any(self.files.fullmatch(one.name) for one in path.rglob("*"))
        return self.files.fullmatch(path.name) is not None


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


_NISAR = _pattern(r"NISAR_L3_.*_SME2_.*\.h5")
_SENTINEL = _pattern(r"SMAP_L2_SM_SP_.*\.(h5|nc4?)")
_SENTINEL_TIME = _pattern(r"SMAP_L2_SM_SP_[^_]+_(?P<time>\d{8}T\d{6})_")
_NISAR_NOTE = "mission goal 0.06 m3 m-3 where plants hold less than 5 kg m-2 of water"
_SMAP_NOTE = "mission requirement 0.04 m3 m-3 at core validation sites; a footprint of 33 to 40 km"
_MODEL = "a model, not a measurement"

_ALL = (
    Convention(
        name="NISAR", title="NISAR SME2, combined", files=_NISAR, source="nisar", retrieval="combined", note=_NISAR_NOTE
    ),
    *(
        Convention(
            name=f"NISAR-{retrieval}",
            title=f"NISAR SME2, {words}",
            files=_NISAR,
            source="nisar",
            retrieval=retrieval,
            note=_NISAR_NOTE,
        )
        for retrieval, words in (
            ("DSG", "disaggregation"),
            ("PMI", "physical model inversion"),
            ("TSR", "time-series ratio"),
        )
    ),
    Convention(
        name="SMAP",
        title="SMAP L3, the only one of SPL3SMP and SPL3SMP_E",
        files=_pattern(r"SMAP_L3_SM_P(_E)?_\d{8}_.*\.(h5|nc4?)"),
        source="smap",
        note=_SMAP_NOTE,
    ),
    Convention(
        name="SPL3SMP",
        title="SMAP L3, 36 km",
        files=_pattern(r"SMAP_L3_SM_P_\d{8}_.*\.(h5|nc4?)"),
        source="smap",
        retrieval="36km",
        note=_SMAP_NOTE,
    ),
    Convention(
        name="SPL3SMP_E",
        title="SMAP L3 enhanced, 9 km",
        files=_pattern(r"SMAP_L3_SM_P_E_\d{8}_.*\.(h5|nc4?)"),
        source="smap",
        retrieval="9km",
        note=_SMAP_NOTE,
    ),
    Convention(
        name="SPL4SMGP",
        title="SMAP L4 surface soil moisture, 9 km, 3-hourly means",
        files=_pattern(r"SMAP_L4_SM_gph_\d{8}T\d{6}_.*\.(h5|nc4?)"),
        variables=("Geophysical_Data/sm_surface", "sm_surface"),
        units="m3 m-3",
        note=f"{_MODEL}: the Catchment land model, into which SMAP is assimilated; 0 to 5 cm",
    ),
    *(
        Convention(
            name=f"SPL2SMAP_S{suffix}",
            title=f"SMAP and Sentinel-1, {km} km",
            files=_SENTINEL,
            variables=(f"Soil_Moisture_Retrieval_Data_{km}km/soil_moisture_{km}km",),
            units="m3 m-3",
            flag=Flag(f"retrieval_qual_flag_{km}km", 1),
            time=_SENTINEL_TIME,
            ease_m=EASE2_9KM_M * km / 9,
            note="soil moisture at the time of SMAP; Sentinel-1 passed up to a day before or after",
        )
        for suffix, km in (("", 1), ("-3km", 3))
    ),
    Convention(
        name="SSM1km",
        title="Copernicus surface soil moisture of Sentinel-1, 1 km",
        files=_pattern(r"c_gls_SSM1km_\d{12}_.*\.(nc4?|tiff?)"),
        variables=("ssm",),
        units="saturation",
        limits=(0.0, 100.0),
        shift_hours=12.0,
        note="relative saturation between the driest and the wettest backscatter of each pixel",
    ),
    Convention(
        name="CCI",
        title="ESA CCI soil moisture",
        files=_pattern(r"(ESACCI|C3S)-(SOILMOISTURE|L3S)[-_].*\.nc4?"),
        variables=("sm",),
        flag=Flag("flag"),
        note="COMBINED and PASSIVE have the scale of GLDAS-Noah: their bias is not their own",
    ),
    Convention(
        name="ERA5-Land",
        title="ERA5-Land, 0 to 7 cm",
        files=_pattern(r".*\.(nc4?|zarr)"),
        variables=("swvl1", "volumetric_soil_water_layer_1", "SWVL1"),
        units="m3 m-3",
        note=f"{_MODEL}; frozen water counts as water",
    ),
    Convention(
        name="GLDAS",
        title="GLDAS-2.1 Noah, 0 to 10 cm",
        files=_pattern(r"GLDAS_NOAH025_3H(_EP)?\.A.*\.nc4?"),
        source="gldas",
        note=f"{_MODEL}; frozen water counts as water",
    ),
)
CONVENTIONS: Mapping[str, Convention] = {one.name: one for one in _ALL}
"""Named products."""


def named(name: str) -> Convention | None:
    """Return the convention of a name, in any case of its letters."""
    return next((one for key, one in CONVENTIONS.items() if key.lower() == name.strip().lower()), None)
