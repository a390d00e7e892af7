"""The vocabulary holds together."""

import pytest

from vadose.variables import PREDICTORS, SOURCES, Quality, source_of


def test_each_predictor_belongs_to_the_source_that_observes_it():
    for source, group in SOURCES.items():
        assert all(source_of(variable.name) == source for variable in group)


def test_names_are_unique_and_ranges_are_ranges():
    names = [variable.name for group in SOURCES.values() for variable in group]
    assert len(set(names)) == len(names)
    assert all(low < high for low, high in (variable.valid_range for variable in PREDICTORS.values()))


def test_every_source_has_its_flag_and_every_flag_its_bit():
    flags = [Quality.missing(source) for source in SOURCES]
    assert len(set(flags)) == len(SOURCES)
    assert sum(flags) < 2**16


def test_an_unknown_source_has_no_flag():
    with pytest.raises(KeyError):
        Quality.missing("radiosonde")
