"""Scores by class: each class is scored on its own rows, columns that are not there are no strata."""

import numpy as np
import pandas as pd
import pytest

from vadose.errors import VadoseError
from vadose.evaluation import DISTANCE, Bootstrap, matched, per_sensor
from vadose.evaluation.predictions import check
from vadose.evaluation.strata import classes_of
from vadose.evaluation.strata_scores import stratified
from vadose.evaluation.texture import texture_class
from vadose.report.strata import strata_markdown


def product(seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    truth = np.random.default_rng(9).uniform(0.05, 0.45, 8 * 120)
    return pd.DataFrame(
        {
            "network": np.repeat(["A", "B"], 4 * 120),
            "station": np.repeat([f"s{i}" for i in range(8)], 120),
            "sensor": "x",
            "lat": np.repeat([-35.5, -30.5, 10.5, 20.5, 30.5, 40.5, 50.5, 60.5], 120),
            "lon": 3.5,
            "time": np.tile(pd.date_range("2020-01-01", periods=120, freq="3D"), 8),
            "soil_moisture": truth + rng.normal(0, 0.05, truth.size),
            "soil_moisture_in_situ": truth,
        }
    )


def test_each_class_is_scored_on_its_own_rows():
    table = product().assign(climate=np.repeat(["Csa", "Csa", "BWh", "BWh", "Dfb", "Dfb", "", "Dfb"], 120))
    tables = matched({"one": table, "two": product(1)})
    strata = stratified(tables, 20, Bootstrap(draws=100))
    row = strata[(strata["class"] == "Dfb") & (strata["product"] == "two")].iloc[0]
    held = product(1)[(table["climate"] == "Dfb").to_numpy()]
    assert row["sensors"] == 3 and row["samples"] == 360
    assert row["r"] == pytest.approx(per_sensor(held)["r"].mean(), abs=1e-12)
    assert np.isnan(row["rmse_low"]) and row["places"] == row["effective"] == 3
    summer = strata[(strata["class"] == "summer") & (strata["product"] == "two")].iloc[0]
    assert summer["rmse_low"] < summer["rmse"] < summer["rmse_high"]
    assert summer["r_over_places_low"] < summer["r_over_places"] < summer["r_over_places_high"]
    assert set(strata["stratum"]) >= {"network", "season", "climate (Köppen-Geiger)"}
    assert "| Dfb | two | 3 | 360 | 0 | 3 |" in strata_markdown(strata)


def test_dense_sites_are_apart_from_lone_stations():
    """Six stations within 10 km, two of them with two sensors; two 15 km apart; one 30 km from all others."""
    km = 1 / 111.2
    places = [(10 + 2 * number * km, 5.0) for number in range(6)] + [
        (20, 5.0),
        (20 + 15 * km, 5.0),
        (20 + 45 * km, 5.0),
    ]
    rows = [
        {"network": "N", "station": f"s{number}", "sensor": f"x{sensor}", "lat": lat, "lon": lon}
        for number, (lat, lon) in enumerate(places)
        for sensor in range(2 if number < 2 else 1)
    ]
    table = check(pd.DataFrame(rows).assign(time=pd.Timestamp("2020-01-01"), soil_moisture=0.2))
    found = classes_of(table)["site, stations within 18 km"].astype(str)
    assert found.groupby(table["station"]).first().tolist() == [
        *["dense site, 5 stations or more"] * 6,
        *["2 to 4 stations"] * 2,
        "lone station",
    ]


def test_sites_meet_at_the_antimeridian():
    rows = [
        {"network": "N", "station": f"s{lon}", "sensor": "x", "lat": -17.0, "lon": lon}
        for lon in (179.99, -179.99, 0.0)
    ]
    table = check(pd.DataFrame(rows).assign(time=pd.Timestamp("2020-01-01"), soil_moisture=0.2))
    found = classes_of(table)["site, stations within 18 km"].astype(str)
    assert sorted(found) == ["2 to 4 stations", "2 to 4 stations", "lone station"]


def test_irrigated_cropland_is_apart():
    table = product().assign(land_cover=np.repeat(["20", "10", "11", "130", "", "20", "190", "30"], 120))
    found = classes_of(check(table))["irrigation (ESA CCI land cover)"]
    by = found.astype(object).groupby(check(table)["station"]).first()
    assert by.tolist()[:4] == ["irrigated cropland", "rainfed cropland", "rainfed cropland", "no cropland"]
    assert by.isna().tolist() == [False, False, False, False, True, False, False, False]
    assert by.tolist()[5:] == ["irrigated cropland", "no cropland", "no cropland"]


def test_frm_classes_are_a_stratum():
    table = product().assign(frm_class=np.repeat(["very representative", "unrepresentative"], 480))
    tables = matched({"one": table})
    strata = stratified(tables, 20, Bootstrap(draws=100))
    found = strata[strata["stratum"] == "FRM class (ISMN)"].set_index("class")
    assert found["sensors"].to_dict() == {"very representative": 4, "unrepresentative": 4}


def test_seasons_turn_at_the_equator():
    table = check(product())
    season = classes_of(table)["season"].astype(str)
    january = table["time"].dt.month == 1
    assert set(season[january & (table["lat"] > 0)]) == {"winter"}
    assert set(season[january & (table["lat"] < 0)]) == {"summer"}
    april = table["time"].dt.month == 4
    assert set(season[april & (table["lat"] < 0)]) == {"autumn"}


def test_thirds_are_of_each_sensor_and_frozen_ground_is_apart():
    table = check(product().assign(soil_temperature=np.tile([-1.0, 5.0, 5.0, np.nan], 240)))
    (wetness,) = (held for title, held in classes_of(table).items() if title.startswith("wetness"))
    assert (wetness[table["soil_temperature"] <= 0] == "frozen (0 °C or less)").all()
    for _, rows in table.groupby("station"):
        own = wetness[rows.index]
        dry, wet = (rows.loc[own == name, "soil_moisture_in_situ"] for name in ("dry third", "wet third"))
        assert dry.max() < wet.min() and abs(len(dry) - 30) < 12


def test_columns_that_are_there_become_strata():
    bits = np.tile([0, 16, 3, 0], 240)
    table = check(
        product().assign(
            land_cover=np.repeat(["130", "10", "", "999", "190", "50", "60", "120"], 120),
            absent=bits.astype(np.uint32),
            quality=bits.astype(np.uint32),
            elevation=np.repeat([10.0, 400, 1500, 2500, np.nan, 20, 30, 40], 120),
            slope=np.repeat([1.0, 3, 7, 20, 0, 0, 0, 0], 120),
            urban_share=np.repeat([0.0, 0.05, 0.5, 0, 0, 0, 0, 0], 120),
            water_share=np.repeat([0.0, 0.05, 0.5, 0, 0, 0, 0, 0], 120),
            sand=0.9,
            silt=0.05,
            clay=np.repeat([0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, np.nan], 120),
            **{DISTANCE: np.repeat([1.0, 20, 70, 200, 900, 1, 1, np.nan], 120)},
        )
    )
    found = {title: list(held.cat.categories) for title, held in classes_of(table).items()}
    assert found["land cover (ESA CCI)"][-1] == "urban" and "grassland" in found["land cover (ESA CCI)"]
    assert found["sources at the time and in the history"] == [
        "all there",
        "without Sentinel-1, Sentinel-2",
        "without SMAP",
    ]
    assert found["elevation"] == ["below 300 m", "300 to 1000 m", "1000 to 2000 m", "2000 m and more"]
    assert found["distance to the nearest training place"][0] == "below 10 km"
    assert "soil texture (USDA)" not in found, "one class alone parts nothing"
    assert classes_of(table)["elevation"].isna().sum() == 120
    plain = classes_of(check(product()))
    assert set(plain) == {"network", "season", next(t for t in plain if t.startswith("wetness"))}


def test_a_class_with_too_few_samples_is_told_and_not_scored():
    table = product().assign(climate=np.where(np.arange(960) % 120 < 10, "rare", "common"))
    strata = stratified(matched({"one": table}), 20, Bootstrap(draws=10))
    row = strata[strata["class"] == "rare"].iloc[0]
    assert (row["sensors"], row["samples"], row["too_few"]) == (0, 0, 8) and np.isnan(row["r"])
    assert "| rare | 0 | 0 | 8 | 0 | – | – | 0.0 | – | – | – |" in strata_markdown(strata)


def test_the_corners_of_the_texture_triangle():
    corners = {
        "sand": (0.95, 0.03, 0.02),
        "loamy sand": (0.82, 0.12, 0.06),
        "sandy loam": (0.65, 0.25, 0.10),
        "loam": (0.40, 0.40, 0.20),
        "silt loam": (0.20, 0.65, 0.15),
        "silt": (0.05, 0.90, 0.05),
        "sandy clay loam": (0.60, 0.13, 0.27),
        "clay loam": (0.32, 0.34, 0.34),
        "silty clay loam": (0.10, 0.56, 0.34),
        "sandy clay": (0.52, 0.06, 0.42),
        "silty clay": (0.06, 0.47, 0.47),
        "clay": (0.20, 0.20, 0.60),
        "": (0.2, 0.2, 0.2),
    }
    assert list(texture_class(*np.array(list(corners.values())).T)) == list(corners)
    sand, silt = (axis.ravel() for axis in np.meshgrid(np.linspace(0, 1, 101), np.linspace(0, 1, 101)))
    inside = sand + silt <= 1
    assert (texture_class(sand[inside], silt[inside], 1 - sand[inside] - silt[inside]) != "").all()


NUMBERS = ("elevation", "slope", "urban_share", "water_share", DISTANCE, "soil_temperature", "absent", "sand")


@pytest.mark.parametrize("column", NUMBERS)
def test_text_where_a_stratum_needs_numbers_is_refused_by_name(column):
    table = product().assign(**dict.fromkeys(("sand", "silt", "clay"), 0.3)).assign(**{column: "high"})
    with pytest.raises(VadoseError, match=f"column {column}.* not numeric"):
        classes_of(check(table))


@pytest.mark.parametrize("value", [0.5, np.nan])
def test_parts_of_bits_are_refused(value):
    with pytest.raises(VadoseError, match=r"column absent.* whole number"):
        classes_of(check(product().assign(absent=value)))
