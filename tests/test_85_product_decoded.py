"""Stored numbers: unpacked, and left out where they are missing, beyond the valid range, or flags."""

import numpy as np
import pytest

from vadose.errors import VadoseError
from vadose.products.decoded import decode
from vadose.products.described import Product
from vadose.products.units import is_saturation, kind_of, to_volume

PACKED = np.array([100, 2400, 6000, -32768], np.int16)
SCALED = {"scale_factor": 1e-4, "_FillValue": np.int16(-32768)}
FLOATS = np.array([0.01, 0.24, 0.6, np.nan])


def values(stored: np.ndarray, **attrs: object) -> list[float]:
    return decode(stored, attrs, "trial").values.round(6).tolist()


RANGES = {
    "of the packed type": {"valid_range": np.array([0, 6000], np.int16)},
    "of another integer": {"valid_min": np.int64(0), "valid_max": np.int64(6000)},
    "of the unpacked type": {"valid_min": np.float32(0), "valid_max": np.float32(0.6)},
    "of the unpacked type, as a pair": {"valid_range": np.array([0.0, 0.6])},
    "text of unpacked numbers": {"valid_range": "0.0, 0.6"},
    "text of packed numbers": {"valid_range": "0s, 6000s"},
    "text with brackets": {"valid_range": "[0 6000]"},
    "no number": {"valid_min": "0", "valid_max": "none"},
    "words": {"valid_range": "see the manual, page 3"},
    "three numbers": {"valid_range": np.array([0.0, 0.3, 0.6])},
    "one number": {"valid_range": np.float32(0.3)},
    "from high to low": {"valid_range": np.array([0.6, 0.0])},
    "nothing": {"valid_range": ""},
    "not a number": {"valid_min": np.nan, "valid_max": np.nan},
    "infinite": {"valid_max": np.inf},
}


@pytest.mark.parametrize("name", RANGES)
def test_a_valid_range_takes_nothing_that_is_valid(name: str) -> None:
    assert values(PACKED, **SCALED, **RANGES[name])[:3] == [0.01, 0.24, 0.6]


@pytest.mark.parametrize(
    "attrs", [{"valid_max": np.int16(2400)}, {"valid_max": np.float32(0.24)}, {"valid_max": "0.24"}]
)
def test_a_valid_range_leaves_out_what_is_beyond_and_counts_it(attrs: dict) -> None:
    found = decode(PACKED, SCALED | attrs, "trial")
    np.testing.assert_array_equal(found.values.round(6), [0.01, 0.24, np.nan, np.nan])
    assert list(found.left_out.values()) == [1] and "valid_max" in next(iter(found.left_out))


def test_a_negative_scale_turns_the_ends_of_a_packed_range() -> None:
    stored, attrs = np.array([0, -2400, -6000, -9000], np.int16), {"scale_factor": -1e-4}
    for limit in ({"valid_min": np.int16(-6000)}, {"valid_max": np.float32(0.6)}):
        np.testing.assert_array_equal(decode(stored, attrs | limit, "trial").values.round(6), [0, 0.24, 0.6, np.nan])


def test_a_range_that_leaves_nothing_is_refused_with_both_readings() -> None:
    with pytest.raises(VadoseError, match=r"leaves 0 as a range of stored numbers, 3 as one of unpacked"):
        decode(PACKED, SCALED | {"valid_max": np.int16(1)}, "trial")


def test_a_range_that_is_none_is_said() -> None:
    for attrs in (RANGES["three numbers"], RANGES["no number"], RANGES["words"]):
        assert "not applied" in decode(PACKED, SCALED | attrs, "trial").remarks[0]


MISSING = {
    "one": {"_FillValue": -9999.0},
    "two attributes": {"_FillValue": 1e20, "missing_value": -9999.0},
    "a list": {"missing_value": np.array([-9999.0, 1e20])},
    "text": {"missing_value": "-9999"},
}


@pytest.mark.parametrize("name", MISSING)
def test_each_missing_value_is_missing(name: str) -> None:
    stored = np.array([0.2, -9999.0, 1e20 if name != "one" else np.nan], np.float32)
    found = decode(stored, MISSING[name] | ({"_FillValue": 1e20} if name == "text" else {}), "trial")
    np.testing.assert_allclose(found.values, [0.2, np.nan, np.nan], rtol=1e-6)
    assert not found.left_out


def test_bytes_are_unsigned_where_the_file_says_so() -> None:
    stored = np.array([20, -56, -1], np.int8)  # 20, 200, 255
    attrs = {
        "_Unsigned": "true",
        "_FillValue": np.int8(-1),
        "scale_factor": 0.002,
        "valid_range": np.array([0, -56], np.int8),
    }
    np.testing.assert_allclose(
        decode(stored, attrs | {"valid_range": np.array([0, 200], np.int16)}, "trial").values, [0.04, 0.4, np.nan]
    )


FLAGS = {
    "values": {"flag_values": np.array([241, 255], np.uint8)},
    "values as text": {"flag_values": "241b, 255b"},
    "signed": {"flag_values": np.array([-15, -1], np.int8)},
    "masks": {"flag_masks": np.array([240], np.uint8), "flag_values": np.array([240], np.uint8)},
    "masks alone": {"flag_masks": np.array([128], np.uint8)},
}


@pytest.mark.parametrize("name", FLAGS)
def test_values_that_the_variable_names_as_flags_are_none(name: str) -> None:
    found = decode(np.array([20, 100, 241, 255], np.uint8), {"scale_factor": 0.5} | FLAGS[name], "trial")
    np.testing.assert_array_equal(found.values, [10, 50, np.nan, np.nan])
    assert found.left_out == {"flags that the variable names": 2}


SPELLINGS = {
    "volume": [
        *("m3 m-3", "m^3 m-3", "m³/m³", "m³ m⁻³", "m3/m3", "m**3 m**-3", "m3.m-3", "m3·m-3", "cm^3/cm^3", "cm3 cm-3"),
        *("cm**3/cm**3", "M3/M3", "vol/vol", "v/v", "mm3 mm-3", "m^3 / m^3", "m3*m-3", "kg m-3"),
    ],
    "water": ["kg/m^2", "kg m-2", "kg m**-2", "kg m^-2", "kg.m-2", "kg/m²", "mm", "millimeter", "m", "cm"],
    "per cent": ["%", "percent", "Percent", "per cent"],
    "volumetric per cent": ["% vol", "vol%", "Vol %"],
    "saturation": ["saturation"],
    "": ["", "1", "-", "kg kg-1", "g/g", "K", "degC", "m3 m-2", "m3 kg-1", "fraction", "mm/day", "m3 m-3 s-1", "dB"],
}


@pytest.mark.parametrize(("kind", "units"), [(kind, units) for kind, several in SPELLINGS.items() for units in several])
def test_spellings_of_units(kind: str, units: str) -> None:
    assert kind_of(units)[0] == kind


@pytest.mark.parametrize(
    ("units", "stored"), [("mm", 20.0), ("cm", 2.0), ("m", 0.02), ("kg m-2", 20.0), ("kg m-3", 200.0)]
)
def test_water_becomes_volume(units: str, stored: float, tmp_path) -> None:
    product = Product(name="p", path=tmp_path, layer_depth=0.1)
    assert to_volume(np.array([stored]), units, product)[0] == pytest.approx([0.2])


@pytest.mark.parametrize(
    ("numbers", "units", "told", "words"),
    [
        ([10.0, 120.5], "%", "saturation", "120.5 % of saturation"),
        ([0.1, 1.2], "", "saturation", "120 % of saturation"),
        ([-5.0, 50.0], "%", "saturation", "-5"),
        ([0.1, 0.9], "%", "saturation", "0.9 %"),
        ([0.1, 0.4], "%", "%", "0.4 %"),
        ([0.1, 0.4], "1", "", "--units 'm3 m-3'"),
    ],
)
def test_numbers_that_contradict_their_units_are_refused_with_both(numbers, units, told, words, tmp_path) -> None:
    with pytest.raises(VadoseError) as caught:
        to_volume(np.array(numbers), units, Product(name="p", path=tmp_path, units=told))
    assert words in str(caught.value)


def test_saturation_within_rounding_is_read(tmp_path) -> None:
    product = Product(name="p", path=tmp_path, units="saturation")
    assert is_saturation(product, "%")
    np.testing.assert_allclose(to_volume(np.array([0.0, 50.0, 100.0]), "%", product)[0], [0, 0.5, 1])
    np.testing.assert_allclose(to_volume(np.array([0.0, 0.5, 1.0]), "", product)[0], [0, 0.5, 1])


@pytest.mark.parametrize("scale", ["1/10", "none", np.nan, 0.0, np.array([0.1, 0.2]), ""])
def test_a_scale_that_is_no_number_is_refused(scale: object) -> None:
    with pytest.raises(VadoseError, match="its scale_factor"):
        decode(np.array([100, 2400], np.int16), {"scale_factor": scale}, "trial")


@pytest.mark.parametrize("name", ["Scale", "SCALE FACTOR", "slope", "Scaling_Factor", "gain"])
def test_integers_with_a_scale_of_another_name_are_refused_and_decimals_say_so(name: str) -> None:
    with pytest.raises(VadoseError, match=f"integers with the attributes {name} 0.001"):
        decode(np.array([100, 240], np.int16), {name: 1e-3}, "trial")
    decimals = decode(np.array([0.1, 0.24]), {name: 1e-3}, "trial")
    assert decimals.values.tolist() == [0.1, 0.24]
    assert decimals.remarks == (f"its attribute {name} 0.001 is not of CF and not applied",)
    for attrs in ({name: 1.0}, {name: "see the manual"}, {name: 1e-3, "scale_factor": 1.0}):
        found = decode(np.array([0, 1], np.int16), attrs, "trial")
        assert found.values.tolist() == [0, 1] and found.remarks == ()
