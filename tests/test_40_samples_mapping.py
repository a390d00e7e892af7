"""Mapping files and units: what they say, and every fault in them."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from vadose.dataset.table_columns import TableMapping, TimeColumn
from vadose.dataset.table_units import accepted, check, convert
from vadose.errors import VadoseError
from vadose.registry import PREDICTORS
from vadose.variables import (
    BULK_DENSITY,
    SAND,
    SMAP,
    SOIL_MOISTURE,
    VV,
)

MAPPING = {
    "network": {"column": "net"},
    "station": {"column": "station"},
    "lat": {"column": "lat"},
    "lon": {"column": "lon"},
    "time": {"column": "date"},
    "label": {"column": "sm"},
    "predictors": {
        "vv": {"column": "VV_dB", "units": "dB"},
        "B04": {"column": "B4", "units": "DN", "offset": -1000},
        "smap_usda": {"column": "ssm", "units": "mm", "depth_mm": 50, "missing": [-9999]},
    },
    "history": {"steps": 3, "step_days": 10},
}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"labels": {"column": "sm"}}, "labels: unknown key (did you mean 'label'?)"),
        ({"predictors": {"vvv": {"column": "x"}}}, "'vvv' is not a predictor (did you mean 'vv'?)"),
        (
            {"predictors": {"vv": {"column": "x", "unit": "dB"}}},
            "predictors.vv.unit: unknown key (did you mean 'units'",
        ),
        ({"predictors": {"vv": {"column": "x", "units": "mm"}}}, "converted from 1, dB"),
        ({"predictors": {"smap_usda": {"column": "x", "units": "mm"}}}, "A depth of soil is for a water column"),
        ({"predictors": {"smap": {"column": "x", "units": "mm", "depth_mm": 50}}}, "map it as 'smap_usda'"),
        ({"predictors": {"smap": {"column": "x", "product": "NASA-USDA Enhanced SMAP"}}}, "map it as 'smap_usda'"),
        (
            {"predictors": {"smap_usda": {"column": "x", "product": "SPL3SMP"}}},
            "'SPL3SMP' is not a product of smap_usda",
        ),
        ({"predictors": {"smap": {"column": "x", "product": "SPL4SMGP"}}}, "'SPL4SMGP' is not a product of smap"),
        ({"predictors": {"B04": {"column": "x", "product": "L1C"}}}, "known are Sentinel-2 L2A, Sentinel-2 L1C"),
        ({"predictors": {"elevation": {"column": "x", "product": "NASADEM"}}}, "leave its product out"),
        ({"predictors": {}}, "predictors: Dictionary should have at least 1 item"),
        ({"history": {"steps": 0, "step_days": 10}}, "history.steps: Input should be greater than 0"),
        ({"history": {"steps": 2, "step_days": 1, "variables": ["gldas"]}}, "'gldas' is not a predictor of this table"),
        ({"network": {"column": "net", "value": "X"}}, "network: give a column, or one value"),
        ({"lat": None}, "lat: Input should be"),
    ],
)
def test_a_wrong_mapping_is_refused_with_each_fault(tmp_path: Path, change: dict, found: str) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_text(yaml.safe_dump(MAPPING | change))
    with pytest.raises(VadoseError) as refused:
        TableMapping.read(path)
    assert str(path) in refused.value.context
    assert found in refused.value.problem
    assert "configs/tables" in refused.value.hint


@pytest.mark.parametrize("content", [None, "a: [", "just words", ""])
def test_a_mapping_that_is_no_yaml_mapping_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "mapping.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(VadoseError, match=r"the mapping .*mapping\.yaml"):
        TableMapping.read(path)


def test_units() -> None:
    one = np.array([1.0])
    assert convert(-10 * one, VV, "dB") == pytest.approx(0.1)
    assert convert(25 * one, SOIL_MOISTURE, "%") == pytest.approx(0.25)
    assert convert(12.5 * one, SMAP, "mm", 50) == pytest.approx(0.25)
    assert convert(10 * one, SMAP, "kg m-2", 100) == pytest.approx(0.1)
    assert convert(300 * one, SAND, "g kg-1") == pytest.approx(0.3)
    assert convert(1.3 * one, BULK_DENSITY, "g cm-3") == pytest.approx(1300)
    assert convert(2000 * one, PREDICTORS["B08"], "DN") == pytest.approx(0.2)
    for variable in (*PREDICTORS.values(), SOIL_MOISTURE):
        assert variable.units in accepted(variable)
        np.testing.assert_array_equal(convert(one, variable, variable.units), one)
        with pytest.raises(VadoseError, match="in 'furlong'"):
            check(variable, "furlong", None)


FORMATS = ("%Y-%m-%d", "%d.%m.%Y %H:%M %z", "%Y%m%d", "%y/%m/%d", "%Y %j", "%m/%d/%Y %I:%M %p", "ISO8601", None)
WRONG = ("%Q", "%Y-%m-%d %Q", "%", "%Y-%Y", "%d.%m.", "%H:%M", "yyyy-mm-dd", "mixed", "", "%G-%V", "%Y-%m-%d\0")


@pytest.mark.parametrize("form", FORMATS)
def test_formats_of_times_are_those_of_strftime(form):
    assert TimeColumn(column="date", format=form).format == form


@pytest.mark.parametrize("form", WRONG)
def test_a_format_with_a_wrong_directive_or_without_a_year_is_refused(form, tmp_path):
    with pytest.raises(ValidationError, match=r"strftime format|has no year"):
        TimeColumn(column="date", format=form)
    path = tmp_path / "mapping.yaml"
    path.write_text(yaml.safe_dump(MAPPING | {"time": {"column": "date", "format": form}}))
    with pytest.raises(VadoseError, match=r"time\.format"):
        TableMapping.read(path)
