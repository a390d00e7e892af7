"""The vocabulary and the registry of sources hold together."""

import re

import pytest

from vadose.errors import VadoseError
from vadose.registry import (
    LATENCY_DAYS,
    PREDICTORS,
    SOURCES,
    SPECS,
    Quality,
    QualityFlag,
    SourceSpec,
    registered,
    source_of,
)
from vadose.variables import Resampling, Variable

RAIN = Variable("rain", "mm", (0.0, 500.0), "rain of a day", Resampling.BILINEAR)
BITS = {
    "SENTINEL1_MISSING": 0,
    "SENTINEL2_MISSING": 1,
    "DEM_MISSING": 2,
    "SOILGRIDS_MISSING": 3,
    "SMAP_MISSING": 4,
    "GLDAS_MISSING": 5,
    "HISTORY_SHORT": 6,
    "OUT_OF_DOMAIN": 7,
    "STALE": 8,
    "CLOUD": 9,
    "STEEP": 10,
    "FROZEN": 11,
    "WATER": 12,
    "URBAN": 13,
    "NISAR_MISSING": 14,
}


def spec(**parts):
    return SourceSpec(
        **({"name": "gauges", "title": "Gauges", "variables": (RAIN,), "open": str, "missing": 20} | parts)
    )


def test_each_predictor_belongs_to_the_source_that_observes_it():
    for source, group in SOURCES.items():
        assert all(source_of(variable.name) == source for variable in group)


def test_names_are_unique_and_ranges_are_ranges():
    names = [variable.name for group in SOURCES.values() for variable in group]
    assert len(set(names)) == len(names)
    assert all(low < high for low, high in (variable.valid_range for variable in PREDICTORS.values()))


def test_bits_of_quality_never_change():
    assert {flag.name: flag.bit for flag in Quality} == BITS
    assert all(flag == 1 << flag.bit == getattr(Quality, flag.name) == Quality[flag.name] for flag in Quality)


def test_an_unknown_source_has_no_flag():
    with pytest.raises(KeyError):
        Quality.missing("radiosonde")
    with pytest.raises(AttributeError, match="RADIOSONDE"):
        _ = Quality.RADIOSONDE_MISSING


def test_every_lookup_follows_the_registry():
    with registered(spec(latency_days=2.0)):
        assert source_of("rain") == "gauges" and PREDICTORS["rain"] == RAIN and LATENCY_DAYS["gauges"] == 2
        assert Quality.missing("gauges") == 1 << 20 and Quality.GAUGES_MISSING.words == "no Gauges"
        assert list(SOURCES)[-1] == "gauges" and SPECS["gauges"].max_age_days == 10
    assert "rain" not in PREDICTORS and "gauges" not in SOURCES and {flag.name for flag in Quality} == set(BITS)


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"missing": 4}, "bit 4 is SMAP_MISSING"),
        ({"missing": 31}, "bit 31 is not in 0..30"),
        ({"obscured": QualityFlag(15, "CLOUD", "cloud")}, "the flag CLOUD exists"),
        ({"name": "smap"}, "the source smap exists"),
        ({"variables": (PREDICTORS["smap"],)}, "smap belongs to another source"),
    ],
)
def test_a_source_takes_nothing_from_another(parts, reason):
    with pytest.raises(VadoseError, match=re.escape(reason)), registered(spec(**parts)):
        pass
    assert "gauges" not in SPECS
