"""Triple collocation finds the errors of three products without knowing the truth."""

import sys

import numpy as np
import pytest

from simulated_series import simulated
from vadose.errors import VadoseError
from vadose.evaluation import Bootstrap, triple_collocation

R = 0.8


def test_errors_and_r_with_the_truth_are_found():
    tables = simulated(R, 0.5, samples=2000, sensors=40, products=3, seed=1)
    tables["product 1"] = tables["product 1"].assign(soil_moisture=lambda f: 0.05 + 0.5 * f["soil_moisture"])
    found = triple_collocation(tables, bootstrap=Bootstrap(draws=200))
    assert (found["left_out"] == "").all()
    for name, rows in found.groupby("product"):
        assert rows["r"].mean() == pytest.approx(R, abs=0.02)
        assert rows["error_std"].mean() == pytest.approx(0.04 * np.sqrt(1 - R**2), abs=0.002)
        assert rows["snr_db"].mean() == pytest.approx(10 * np.log10(R**2 / (1 - R**2)), abs=0.3)
        assert rows["beta"].mean() == pytest.approx({"product 1": 2.0}.get(name, 1.0), abs=0.05)
    held = (found["r_low"] <= R) & (found["r_high"] >= R)
    assert 0.8 <= held.mean() <= 0.97


def test_the_sensor_itself_is_the_third_of_two_products():
    two = simulated(R, 0.5, samples=400, sensors=3, products=2, seed=2)
    found = triple_collocation(two, bootstrap=Bootstrap(draws=100))
    assert found["product"].tolist() == ["product 0", "product 1", "in situ"] * 3
    assert found.loc[found["product"] == "in situ", "r"].min() > 0.97  # its errors are none
    readings = two["product 0"].assign(soil_moisture=lambda f: f["soil_moisture_in_situ"])
    three = triple_collocation(two | {"in situ": readings}, bootstrap=Bootstrap(draws=100))
    np.testing.assert_array_equal(found["snr_db"], three["snr_db"])


def test_sensors_that_cannot_tell_stay_in_the_table_and_say_why():
    tables = simulated(R, 0.5, samples=200, sensors=3, products=3, seed=3)
    first = tables["product 0"]
    tables["product 0"] = first.drop(index=first.index[(first["station"] == "s0000") & (first.index % 4 > 0)])
    tables["product 1"] = tables["product 1"].assign(
        soil_moisture=lambda f: np.where(f["station"] == "s0001", 0.5 - f["soil_moisture"], f["soil_moisture"])
    )
    reasons = triple_collocation(tables, bootstrap=Bootstrap(draws=50)).groupby("station")["left_out"].first()
    assert reasons["s0000"] == "50 samples, 100 needed"
    assert reasons["s0001"] == "a covariance or an error variance is negative"
    assert reasons["s0002"] == ""


def test_a_constant_product_has_no_figures():
    tables = simulated(R, 0.5, samples=150, sensors=1, products=3)
    tables["product 2"] = tables["product 2"].assign(soil_moisture=0.2)
    assert triple_collocation(tables)["r"].isna().all()


def test_another_number_of_products_is_refused():
    tables = simulated(R, 0.5, samples=30, sensors=1, products=4)
    for names in ([], ["product 0"], list(tables)):
        with pytest.raises(VadoseError, match="three independent products"):
            triple_collocation({name: tables[name] for name in names})
    with pytest.raises(VadoseError, match="sensor's own reading"):
        triple_collocation({"SMAP": tables["product 0"], "in situ": tables["product 1"]})


def test_products_without_a_common_sample_have_no_rows():
    tables = simulated(R, 0.5, samples=30, sensors=1, products=3)
    tables["product 1"] = tables["product 1"].assign(station="elsewhere")
    assert triple_collocation(tables).empty


def test_without_pytesmo_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytesmo.metrics", None)
    with pytest.raises(VadoseError, match="not installed") as caught:
        triple_collocation(simulated(R, 0.5, samples=30, sensors=1, products=3))
    assert "vadose[pytesmo]" in caught.value.hint
