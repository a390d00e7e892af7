"""Units of published numbers: the fitted line, its residual, and what may not be fitted or used."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadose.batchu2022.units import UnitFit, fit, from_dict, to_dict
from vadose.dataset.calibrations import LinearCalibration, require_physical
from vadose.errors import VadoseError

RNG = np.random.default_rng(5)
NUMBERS = RNG.integers(0, 256, (60, 60))


@given(st.floats(-5, 5).filter(lambda scale: abs(scale) > 1e-3), st.floats(-100, 100))
def test_a_line_is_found_again(scale: float, offset: float) -> None:
    found = fit("sentinel_1_VV", "dB", NUMBERS, scale * NUMBERS + offset)
    assert found.scale == pytest.approx(scale)
    assert found.offset == pytest.approx(offset, abs=1e-6)
    assert found.residual_steps < 1e-6
    assert found.count == np.count_nonzero((NUMBERS > 0) & (NUMBERS < 255))


def test_rounding_leaves_its_own_residual() -> None:
    product = RNG.uniform(-25, 0, 200_000)
    published = np.clip(np.round((product + 25) * 10.2), 0, 255)
    found = fit("sentinel_1_VV", "dB", published, product)
    assert found.scale == pytest.approx(1 / 10.2, rel=1e-3)
    assert found.offset == pytest.approx(-25, abs=0.01)
    assert found.residual_steps == pytest.approx(12**-0.5, rel=0.02)


def test_cut_off_and_missing_values_do_not_bend_the_line() -> None:
    product = RNG.uniform(-40, 10, 50_000)
    published = np.clip(np.round((product + 25) * 10.2), 0, 255)
    product[:1000] = np.nan
    found = fit("sentinel_1_VV", "dB", published, product)
    assert found.scale == pytest.approx(1 / 10.2, rel=2e-3)


@pytest.mark.parametrize(
    ("published", "product", "found"),
    [
        (NUMBERS, NUMBERS[:5], "shapes"),
        (NUMBERS, np.full(NUMBERS.shape, np.nan), "0 pairs"),
        (np.full(500, 7), RNG.normal(size=500), "constant"),
        (np.arange(500) % 200 + 1, np.full(500, 3.0), "constant"),
    ],
)
def test_what_cannot_be_fitted_is_refused(published: np.ndarray, product: np.ndarray, found: str) -> None:
    with pytest.raises(VadoseError, match=found):
        fit("sentinel_1_VV", "dB", published, product)


def test_fits_are_kept_as_json() -> None:
    fits = {"sentinel_1_VV": fit("sentinel_1_VV", "dB", NUMBERS, 0.1 * NUMBERS - 25)}
    assert from_dict(json.loads(json.dumps(to_dict(fits)))) == fits


@pytest.mark.parametrize("spoiled", [{"scale": 0.0}, {"scale": None}, {"offset": float("nan")}, {"other": 1}])
def test_spoiled_fits_are_refused(spoiled: dict[str, float]) -> None:
    good = to_dict({"a": UnitFit("a", "dB", 0.1, -25.0, 0.03, 0.99, 500)})["a"]
    with pytest.raises(VadoseError, match="saved fits"):
        from_dict({"a": good | spoiled})


def test_products_replace_published_numbers_only_with_a_close_fit() -> None:
    def line(name: str, scale: float, residual: float | None) -> LinearCalibration:
        return LinearCalibration(name, name, "published", scale, 0.0, "fitted" if residual else "assumed", 0, residual)

    calibrations = {"vv": line("vv", 0.1, 0.05), "vh": line("vh", -0.1, 0.5), "B02": line("B02", 0.1, None)}
    require_physical(calibrations, ["vv"])
    with pytest.raises(VadoseError, match=r"vh \(residual of 5 steps\), B02 \(no fit\)"):
        require_physical(calibrations, ["vv", "vh", "B02"])
