"""Sensor of an ISMN data file (.stm), from its name and its first line, in both of ISMN's layouts."""

import codecs
import re
import unicodedata
from dataclasses import dataclass

from vadose.errors import VadoseError
from vadose.variables import IDENTITY

_NAME = re.compile(
    r"(?P<place>.+)_(?P<variable>[a-z]+(?:_h)?)_(?P<depth_from>-?\d+\.\d+)_(?P<depth_to>-?\d+\.\d+)"
    r"_(?P<instrument>.+)_\d{8}_\d{8}\.stm"
)
_NUMBER = r"\s+(-?\d+(?:\.\d+)?)"
_MOST_WORDS = 8
_PLACES = tuple(
    re.compile(rf"(\S+)\s+(\S+)\s+(\S+(?:\s+\S+){{{words}}})" + 5 * _NUMBER + r"(?=\s|$)")
    for words in range(_MOST_WORDS)
)
"""Network twice, station, position and depths; for stations with one word, two and so on, the last of which may be
numbers.
"""
_CEOP_TIMES = re.compile(r"(?:\d{4}/\d{2}/\d{2}\s+\d{2}:\d{2}\s+){2}")
_DEPTH_ROUNDING_M = 0.01
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
"""Byte order marks of encodings with two and four bytes; that of UTF-32 little-endian begins like the first."""
_LOOKED_AT = 64
"""Bytes at the start of a file, within its first line, that show whether it is text."""


@dataclass(frozen=True, order=True)
class Sensor:
    """A soil moisture sensor, identified by all attributes.

    Attributes:
        network: its name.
        station: its name, as in ISMN's file names.
        instrument: model, as in ISMN's file names, with a suffix if a station has several of one model.
        lat, lon: position, degrees.
        elevation_m: height above sea level, m.
        depth_from_m, depth_to_m: measured layer, m below the surface.
    """

    network: str
    station: str
    instrument: str
    lat: float
    lon: float
    elevation_m: float
    depth_from_m: float
    depth_to_m: float

    @property
    def name(self) -> str:
        """Return the name at its station: instrument and depths in metres, `instrument_from_to`."""
        return f"{self.instrument}_{self.depth_from_m:g}_{self.depth_to_m:g}"

    @property
    def identity(self) -> dict[str, str]:
        """Return the identifying columns in tables: the same in every table, so that tables can be joined."""
        return dict(zip(IDENTITY, (self.network, self.station, self.name), strict=True))

    @property
    def id(self) -> str:
        """Return the identity as one text for messages: network/station/sensor."""
        return "/".join(self.identity.values())


@dataclass(frozen=True)
class Name:
    """Parsed name of a data file.

    Attributes:
        place: network twice and station, joined by underscores.
        variable: ISMN's short name: "sm" is soil moisture, "ts" soil temperature.
        instrument: as in `Sensor`.
        depth_from_m, depth_to_m: measured layer, m below the surface.
    """

    place: str
    variable: str
    instrument: str
    depth_from_m: float
    depth_to_m: float


def name_of(file: str) -> Name:
    """Read the name of a data file.

    Args:
        file: its path or name.

    Raises:
        VadoseError: it is not a name of ISMN's.
    """
    match = _NAME.fullmatch(file.rsplit("/", 1)[-1])
    if match is None:
        raise malformed(
            file, "Its name is not one of ISMN's: NETWORK_NETWORK_STATION_sm_FROM_TO_INSTRUMENT_FROM_TO.stm"
        )
    depths = float(match["depth_from"]), float(match["depth_to"])
    return Name(match["place"], match["variable"], match["instrument"], *depths)


def sensor_of(file: str, first_line: str) -> Sensor:
    """Return the sensor of a file.

    The first line contains the position; the name contains the station and the instrument without blanks, and the
    depths with all their digits. They differ in blanks and underscores, and must agree otherwise.

    Args:
        file: its path or name.
        first_line: of its text.

    Raises:
        VadoseError: the line has neither layout, or contradicts the name.
    """
    named = name_of(file)
    place = _place(named, _CEOP_TIMES.sub("", first_line.strip(), count=1))
    if place is None:
        raise malformed(file, f"Its first line has neither of ISMN's layouts: '{first_line.strip()[:60]}'")
    supplier, network, station = place.group(1, 2, 3)
    lat, lon, elevation_m, *depths = map(float, place.group(4, 5, 6, 7, 8))
    end = len(f"{supplier}_{network}_")
    named_depths = (named.depth_from_m, named.depth_to_m)
    if not (_agrees(named, place) and abs(lat) <= 90 and abs(lon) <= 180):
        stated = f"{network} {station} at {lat:g} N {lon:g} E, {depths[0]:g} to {depths[1]:g} m"
        raise malformed(file, f"Its first line gives {stated}, which contradicts its name or is not on the Earth")
    return Sensor(network, named.place[end:], named.instrument, lat, lon, elevation_m, *named_depths)


@dataclass(frozen=True)
class Layout:
    """Columns of a data file. Each line starts with a date and a time.

    Attributes:
        header: number of lines before the first reading.
        value: index of the value column; ISMN's flags are in the next.
        place: offset of the position in a line, if each line has it.
        ending: offset of value and flags in a line, with the blanks before them.
    """

    header: int
    value: int
    place: int
    ending: int


def layout_of(first_line: str, file: str = "") -> Layout:
    """Return the layout of a file by its first line: a header or, in the CEOP layout, a reading with its position.

    Args:
        first_line: of its text.
        file: its path or name, which shows where a station's name of several words ends.

    Raises:
        VadoseError: it has neither layout.
    """
    times = _CEOP_TIMES.match(first_line)
    if times is None:
        return Layout(header=1, value=2, place=16, ending=16)
    place = _place(name_of(file) if file else None, first_line, times.end())
    if place is None:
        raise VadoseError("ismn: a line", f"It has no position: '{first_line.strip()[:60]}'", "Download its file again")
    before = len(first_line[: place.end(8)].split())
    return Layout(header=0, value=before, place=times.end(), ending=place.end(8))


def without_mark(file: str, content: bytes) -> bytes:
    """Return the text of a file without a UTF-8 byte order mark.

    Raises:
        VadoseError: it is UTF-16 or UTF-32, or not text: ISMN's columns are counted in single bytes.
    """
    if content.startswith(_WIDE) or b"\0" in content[:_LOOKED_AT]:
        raise malformed(file, "It cannot be read as text: it is in UTF-16 or UTF-32, or contains bytes of zero")
    return content.removeprefix(codecs.BOM_UTF8)


def decoded(content: bytes) -> str:
    """Decode UTF-8, or else Windows-1252 or Latin-1, in which some providers write their names."""
    for encoding in ("utf-8", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def ascii_of(line: bytes) -> str:
    """Return a line with one character per byte, so that columns are counted alike in every encoding."""
    return line.decode("ascii", "replace")


def malformed(file: str, found: str) -> VadoseError:
    """Return the error of a malformed file."""
    return VadoseError(f"ismn: {file}", found, "Download it again, remove it, or ask to skip malformed files")


def _place(named: Name | None, line: str, start: int = 0) -> re.Match[str] | None:
    """Return network, station, position and depths in a line, by preference as in the name of its file."""
    found = [place for pattern in _PLACES if (place := pattern.match(line, start))]
    return next((place for place in found if named and _agrees(named, place)), found[0] if found else None)


def _agrees(named: Name, place: re.Match[str]) -> bool:
    supplier, network, station = place.group(1, 2, 3)
    front = f"{supplier}_{network}_"
    pairs = ((named.place[: len(front)], front), (named.place[len(front) :], station))
    depths = zip(map(float, place.group(7, 8)), (named.depth_from_m, named.depth_to_m), strict=True)
    return all(_letters(one) == _letters(other) for one, other in pairs) and all(
        abs(one - other) <= _DEPTH_ROUNDING_M for one, other in depths
    )


def _letters(text: str) -> str:
    """ASCII letters and digits: others may be encoded differently in a name and in the text."""
    composed = unicodedata.normalize("NFC", text)
    return re.sub(r"[\W_]+", "", composed, flags=re.ASCII)
