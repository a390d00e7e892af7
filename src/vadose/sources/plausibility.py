"""Plausibility of an item's numbers, given its metadata; each test reports both.

Each file is sampled, not read: at 512 x 512 places from its overviews, or in 16 windows of 128 x 128 pixels distributed
over it. No test uses fewer than `ENOUGH` pixels. The limits are beyond those of any real scene: see each of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from affine import Affine

from vadose.sources.assets import REFLECTANCES
from vadose.sources.heights import in_metres
from vadose.sources.left_out import Unfit
from vadose.sources.raster import Floats, Grid, Raster
from vadose.sources.records import SceneItem
from vadose.sources.window import Window
from vadose.variables import BANDS, ELEVATION, INCIDENCE_ANGLE, VH, VV, Variable

ENOUGH = 200
"""Smallest number of pixels of a test."""
_PLACES, _WINDOWS, _SIDE = 512, 4, 128

MOSTLY = 0.5
"""Fraction of numbers outside a variable's range that contradicts its scale or units."""
HEIGHTS_OUTSIDE = 0.01
"""The same for heights: none on Earth is outside -500 to 9000 m, and of decimetres or feet rarely all are."""
DECIBEL_SHARE = 0.05
"""Fraction of numbers in -60..-1 that indicates decibels: power minus noise is never below -0.1."""
AMPLITUDE_VH, AMPLITUDE_RATIO = 0.09, 10**0.45
"""Median VH above -10.5 dB while VV is less than 4.5 dB above it: rain forest has -12 and 5.5 dB, percolating snow -7
and 6 dB, but amplitudes of vegetated ground about -9.5 and 3.3 dB."""
NEGATIVE, NEGATIVE_SHARE = -0.02, 0.2
"""Reflectance that one in five pixels of clear land is below: Sen2Cor leaves dark forest at -0.01 at least, an offset
applied twice subtracts 0.1."""
VEGETATION_BLUE, VEGETATION_NIR = 0.11, 0.08
"""Limits of median blue of vegetation (above) and of near infrared (below): real ones are 0.01..0.08 and 0.15..0.5."""
DARKEST = 0.012
"""Smallest reflectance of the brightest band in its brightest hundredth: black lakes have 0.02."""
GREENER = 1.3
"""Near infrared over blue above which a pixel counts as vegetation."""
_LAND, _VEGETATION = (4, 5), (4,)
_FILLS = (-32768.0, -32767.0, -9999.0, -999.0, 65535.0, 32767.0)
_VARIABLES: Mapping[str, Variable] = {v.name: v for v in (VV, VH, INCIDENCE_ANGLE, ELEVATION, *BANDS)}


@dataclass(frozen=True, eq=False)
class Sample:
    """Sampled pixels of a band.

    Attributes:
        values: physical; finite.
        classes: classes of the scene classification at the same places; NaN if missing.
        raster: raster of the pixels.
    """

    values: Floats
    classes: Floats
    raster: Raster

    def of(self, classes: tuple[int, ...]) -> Floats:
        """Return the values of some classes."""
        return self.values[np.isin(self.classes, classes)]

    @property
    def words(self) -> str:
        """Return a description of the applied scale and offset."""
        return f"scale {self.raster.scale:g} and offset {self.raster.offset:g}"


def check_numbers(record: SceneItem) -> None:
    """Compare the metadata of an item with the numbers of its files.

    Args:
        record: record with local paths.

    Raises:
        Unfit: they contradict each other; both are reported.
    """
    files = tuple((asset.href, _stamp(asset.href)) for asset in record.assets)
    fault = _fault(record, files)
    if fault:
        raise Unfit(*fault.args)


def _stamp(path: str) -> int:
    return Path(path).stat().st_mtime_ns


@lru_cache(maxsize=1 << 16)
def _fault(record: SceneItem, _files: tuple[tuple[str, int], ...]) -> Unfit | None:
    samples = dict(_samples(record))
    tests = (_decibel, _amplitude, _outside, _negative, _not_shifted, _too_dark)
    return next((fault for test in tests if (fault := test(record, samples))), None)


def _samples(record: SceneItem) -> Iterator[tuple[str, Sample]]:
    scl = record.asset("scl")
    classes = Raster.open(scl, 0.0) if scl else None
    for asset in record.assets:
        if asset.band not in _VARIABLES:
            continue
        missing = (0.0, 65535.0) if asset.band in REFLECTANCES else ()
        raster = Raster.open(asset, *missing)
        if asset.band == ELEVATION.name:
            raster = in_metres(raster)
        values, seen = sampled(raster, classes)
        used = np.isfinite(values) & (np.abs(values) < 1e20) & ~np.isin(values, (raster.offset, *_FILLS))
        yield asset.band, Sample(values[used], seen[used], raster)


def sampled(raster: Raster, classes: Raster | None = None) -> tuple[Floats, Floats]:
    """Return values of a raster at evenly distributed places, and the classes at the same places."""
    grid = raster.grid
    if raster.overviews or grid.height * grid.width <= _PLACES**2:
        shape = (min(grid.height, _PLACES), min(grid.width, _PLACES))
        values = raster.thinned(shape)
        return values.ravel(), _classes_thinned(grid, shape, classes).ravel()
    parts = [(raster.read(window), _classes(grid, window, classes)) for window in _windows(grid)]
    return tuple(np.concatenate([part[i].ravel() for part in parts]) for i in (0, 1))  # type: ignore[return-value]


def _windows(grid: Grid) -> Iterator[Window]:
    """Return windows at evenly distributed places, each within one block of 512 pixels."""
    for row in np.linspace(0, grid.height - _SIDE, _WINDOWS).astype(int) // _SIDE * _SIDE:
        for column in np.linspace(0, grid.width - _SIDE, _WINDOWS).astype(int) // _SIDE * _SIDE:
            top, left = max(int(row), 0), max(int(column), 0)
            yield Window(top, min(top + _SIDE, grid.height), left, min(left + _SIDE, grid.width))


def _classes(grid: Grid, window: Window, classes: Raster | None) -> Floats:
    if classes is None or classes.grid.crs != grid.crs:
        return np.full(window.shape, np.nan, np.float32)
    return classes.nearest(grid, window)


def _classes_thinned(grid: Grid, shape: tuple[int, int], classes: Raster | None) -> Floats:
    step = Affine.scale(grid.width / shape[1], grid.height / shape[0])
    thin = Grid(grid.crs, grid.transform @ step, *shape)
    if classes is not None and _extent(classes.grid) == _extent(grid) and classes.grid.crs == grid.crs:
        return classes.thinned(shape)
    return _classes(thin, Window(0, shape[0], 0, shape[1]), classes)


def _extent(grid: Grid) -> tuple[int, ...]:
    t = grid.transform
    return tuple(round(value) for value in (t.c, t.f, t.c + t.a * grid.width, t.f + t.e * grid.height))


Samples = Mapping[str, Sample]


def _decibel(record: SceneItem, samples: Samples) -> Unfit | None:
    for band in (VV.name, VH.name):
        values = samples[band].values if band in samples else np.empty(0)
        share = float(np.mean((values > -60) & (values < -1))) if values.size >= ENOUGH else 0.0
        if share > DECIBEL_SHARE:
            return Unfit(
                "backscatter in decibels",
                f"sentinel1: item '{record.id}', {samples[band].raster.path.name}",
                f"{share:.0%} of {values.size} numbers are between -60 and -1 (median {np.median(values):.3g}): they "
                "are decibels (dB), while linear power, which is read, is above 0",
                "Convert the raster to linear power, 10 ** (dB / 10)",
            )
    return None


def _amplitude(record: SceneItem, samples: Samples) -> Unfit | None:
    if not {VV.name, VH.name} <= samples.keys():
        return None
    above = [samples[band].values[samples[band].values > 0] for band in (VV.name, VH.name)]
    if min(part.size for part in above) < ENOUGH:
        return None
    vv, vh = (float(np.median(part)) for part in above)
    if not (AMPLITUDE_VH < vh < vv < AMPLITUDE_RATIO * vh and vv < 1.5):
        return None
    return Unfit(
        "backscatter as amplitude",
        f"sentinel1: item '{record.id}'",
        f"Median VV is {vv:.3f} and VH {vh:.3f}; read as linear power that is {10 * np.log10(vv):.1f} and "
        f"{10 * np.log10(vh):.1f} dB, brighter and closer than real ones: they are amplitudes, the roots of power",
        "Convert the rasters to linear power, amplitude ** 2",
    )


def _outside(record: SceneItem, samples: Samples) -> Unfit | None:
    for band, sample in samples.items():
        low, high = _VARIABLES[band].valid_range if band not in (VV.name, VH.name) else (-1.0, VV.valid_range[1])
        values = sample.values
        if values.size < ENOUGH:
            continue
        share = float(np.mean((values < low) | (values > high)))
        if share > (HEIGHTS_OUTSIDE if band == ELEVATION.name else MOSTLY):
            return Unfit(
                "numbers outside the range",
                f"{record.product}: item '{record.id}', {sample.raster.path.name}",
                f"{share:.0%} of {values.size} values are outside {low:g}..{high:g} {_VARIABLES[band].units} (median "
                f"{np.median(values):.4g}) with {sample.words}",
                "Correct scale, offset or units in the item, or convert the file",
            )
    return None


def _negative(record: SceneItem, samples: Samples) -> Unfit | None:
    for band in ("B02", "B04", "B03"):
        sample = samples.get(band)
        land = sample.of(_LAND) if sample else np.empty(0)
        share = float(np.mean(land < NEGATIVE)) if land.size >= ENOUGH else 0.0
        if sample and share > NEGATIVE_SHARE:
            return _unlike(
                record,
                sample,
                "negative reflectance",
                f"{share:.0%} of {land.size} clear pixels of land are below {NEGATIVE} (median {np.median(land):.3f})",
                "If its numbers were shifted already, set earthsearch:boa_offset_applied to true in its properties",
            )
    return None


def _not_shifted(record: SceneItem, samples: Samples) -> Unfit | None:
    blue, nir = (samples[band].of(_VEGETATION) if band in samples else np.empty(0) for band in ("B02", "B08"))
    if min(blue.size, nir.size) < ENOUGH or not 0 < GREENER * np.median(blue) < np.median(nir):
        return None
    if np.median(blue) > VEGETATION_BLUE:
        return _unlike(
            record,
            samples["B02"],
            "reflectance too high",
            f"The median blue of {blue.size} pixels of vegetation is {np.median(blue):.3f}; plants have 0.01 to 0.08",
            "Correct processing baseline, offset or scale in the item",
        )
    if np.median(nir) < VEGETATION_NIR:
        return _unlike(
            record,
            samples["B08"],
            "reflectance too low",
            f"The median near infrared of {nir.size} pixels of vegetation is {np.median(nir):.4f}; plants have more",
            "Correct scale and offset in the item",
        )
    return None


def _too_dark(record: SceneItem, samples: Samples) -> Unfit | None:
    bands = {band: sample for band, sample in samples.items() if band in REFLECTANCES and sample.values.size >= ENOUGH}
    if not bands:
        return None
    brightest = {
        band: float(np.percentile(one.values - np.float32(one.raster.offset), 99)) for band, one in bands.items()
    }
    band = max(brightest, key=brightest.__getitem__)
    if brightest[band] >= DARKEST:
        return None
    return _unlike(
        record,
        bands[band],
        "reflectance too low",
        f"99 % of the numbers of its brightest band are below {brightest[band] / bands[band].raster.scale:.3g}, a "
        f"reflectance of {brightest[band]:.2g}",
        "Its numbers are reflectance or per cent already: correct scale and offset in the item",
    )


def _unlike(record: SceneItem, sample: Sample, kind: str, found: str, remedy: str) -> Unfit:
    baseline = f", processing baseline {record.baseline}" if record.baseline else ""
    return Unfit(
        kind,
        f"sentinel2: item '{record.id}', {sample.raster.path.name}",
        f"{found}, with {sample.words} as the item says{baseline}",
        remedy,
    )
