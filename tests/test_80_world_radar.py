"""The simulated radar obeys the published models that it names, and sees what Sentinel-1 sees."""

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st

import plain_ground as ground
from vadose.simulation.dielectric import permittivity, reflectivities
from vadose.simulation.land import COVERS
from vadose.simulation.radar import (
    NESZ_DB,
    WAVENUMBER,
    backscatter,
    bare_soil,
    gamma_naught,
    oh_ratios,
    received,
    scene_noise,
    vegetated,
    vegetation_index,
)

OH_1992 = [
    (0.05, 0.5, 20, -16.768, -16.813, -32.085),
    (0.05, 1.0, 40, -14.591, -14.842, -27.849),
    (0.05, 2.0, 50, -13.710, -13.895, -25.607),
    (0.20, 0.5, 40, -14.215, -16.424, -27.475),
    (0.20, 1.0, 20, -7.946, -8.467, -19.147),
    (0.20, 2.0, 40, -7.885, -8.332, -17.726),
    (0.35, 0.5, 50, -13.858, -17.960, -26.223),
    (0.35, 1.0, 40, -8.186, -10.022, -18.493),
    (0.35, 2.0, 20, -3.514, -3.868, -12.461),
]
"""Moisture, roughness by wavenumber, angle; VV, HH and VH in dB as the independent implementation of the model in the
package SenSE (github.com/PMarzahn/sense) gives them at Topp's permittivity."""
HALLIKAINEN_6_GHZ = ((1.993, 0.002, 0.015), (38.086, -0.176, -0.633), (10.720, 1.256, 1.522))
"""Real part; of 1, sand and clay in %, by powers of moisture (Hallikainen et al., IEEE TGRS 23:25-34, 1985, table)."""

moistures = st.floats(0.01, 0.55)
angles = st.floats(20, 46)
heights = st.floats(0.001, 0.05)


def db(power):
    return 10 * np.log10(power)


def gammas(cover, angle=38.0, **state):
    seen = backscatter(ground.moment(**state), ground.land(cover), angle)
    return [float(db(np.median(gamma_naught(power, angle)))) for power in seen]


@pytest.mark.parametrize(("moisture", "published"), [(0.0, 3.03), (0.10, 5.34), (0.30, 16.89), (0.55, 39.55)])
def test_permittivity_is_on_topps_curve(moisture, published):
    assert float(permittivity(moisture)) == pytest.approx(published, abs=0.01)


@pytest.mark.parametrize("moisture", [0.05, 0.10, 0.20, 0.30, 0.40])
def test_permittivity_is_the_inverse_of_topps_published_calibration(moisture):
    eps = float(permittivity(moisture))
    inverse = -5.3e-2 + 2.92e-2 * eps - 5.5e-4 * eps**2 + 4.3e-6 * eps**3  # Topp et al. 1980
    assert inverse == pytest.approx(moisture, abs=0.013)  # their standard error


@pytest.mark.parametrize("moisture", [0.05, 0.10, 0.20, 0.30, 0.40])
def test_permittivity_is_near_the_one_measured_at_c_band(moisture):
    sand, clay = 51.5, 13.5  # the sandy loam of Hallikainen et al.
    rows = [row[0] + row[1] * sand + row[2] * clay for row in HALLIKAINEN_6_GHZ]
    measured = rows[0] + rows[1] * moisture + rows[2] * moisture**2
    assert float(permittivity(moisture)) == pytest.approx(measured, rel=0.15)


def test_frozen_soil_has_the_permittivity_of_measurements():
    assert 4 < permittivity(0.03, 0.27) < 6  # frozen mineral soils: 3 to 6
    assert 3 < permittivity(0.02, 0.08) < 4
    assert permittivity(0.3, 0.0) > 3 * permittivity(0.03, 0.27)


@given(st.floats(0, 0.5), st.floats(0, 1), st.floats(0, 1))
def test_the_more_water_is_ice_the_lower_the_permittivity(water, one, other):
    less, more = (permittivity(water * (1 - ice), water * ice) for ice in sorted((one, other)))
    assert more <= less + 1e-9


def test_reflectivities_are_fresnels():
    for reflected in reflectivities(16.0, 0.0):
        assert reflected == pytest.approx(0.36)  # ((1 - 4) / (1 + 4))**2
    brewster = np.degrees(np.arctan(4.0))
    horizontal, vertical = reflectivities(16.0, brewster)
    assert vertical == pytest.approx(0, abs=1e-12)
    assert horizontal == pytest.approx((15 / 17) ** 2)


@pytest.mark.parametrize(("moisture", "ks", "angle", "vv", "hh", "vh"), OH_1992)
def test_bare_soil_is_as_another_implementation_of_oh_has_it(moisture, ks, angle, vv, hh, vh):
    seen = bare_soil(moisture, angle, ks / WAVENUMBER)
    like, _ = oh_ratios(permittivity(moisture), angle, ks)
    assert float(db(seen[0])) == pytest.approx(vv, abs=0.002)
    assert float(db(like * seen[0])) == pytest.approx(hh, abs=0.002)
    assert float(db(seen[1])) == pytest.approx(vh, abs=0.002)


@pytest.mark.parametrize("angle", [30.0, 38.0, 45.0])
@pytest.mark.parametrize("roughness", [0.006, 0.010, 0.018])
def test_bare_soil_agrees_with_the_later_model_of_its_author(angle, roughness):
    for moisture in (0.08, 0.15, 0.25, 0.35):  # Oh, IEEE TGRS 42:596-601, 2004, which takes no permittivity
        ks, theta = WAVENUMBER * roughness, np.radians(angle)
        vh = 0.11 * moisture**0.7 * np.cos(theta) ** 2.2 * (1 - np.exp(-0.32 * ks**1.8))
        ratio = 0.095 * (0.13 + np.sin(1.5 * theta)) ** 1.4 * (1 - np.exp(-1.3 * ks**0.9))
        found = bare_soil(moisture, angle, roughness)
        assert db(found[0] / (vh / ratio)) == pytest.approx(0, abs=2.5)
        assert db(found[1] / vh) == pytest.approx(0, abs=4.0)


def test_ratios_have_the_limits_that_oh_states():
    assert oh_ratios(10.0, 0.0, 1.0)[0] == 1  # at nadir polarisations are alike
    assert oh_ratios(10.0, 40.0, 6.0)[0] == pytest.approx(1, abs=0.005)  # and on very rough ground
    assert oh_ratios(10.0, 40.0, 0.0)[1] == 0  # smooth ground does not turn the polarisation
    nadir = reflectivities(10.0, 0.0)[0]
    assert oh_ratios(10.0, 40.0, 9.0)[1] == pytest.approx(0.23 * np.sqrt(nadir), rel=1e-3)


@given(moistures, moistures, angles, heights)
def test_wetter_bare_soil_is_never_darker_to_the_radar(one, other, angle, roughness):
    dry, wet = (bare_soil(moisture, angle, roughness) for moisture in sorted((one, other)))
    assert wet[0] >= dry[0]
    assert wet[1] >= dry[1]


@given(st.floats(0.03, 0.5), st.floats(0.03, 0.5), angles, heights, st.floats(0, 6), st.sampled_from(COVERS))
def test_wetter_ground_of_any_cover_is_never_darker(one, other, angle, roughness, leaf_area, cover):
    land = ground.land(cover)
    for dry, wet in zip(
        *(
            backscatter(ground.moment(moisture=water, leaf_area=leaf_area, roughness_m=roughness), land, angle)
            for water in sorted((one, other))
        ),
        strict=True,
    ):
        assert (wet >= dry).all()


@given(
    st.fixed_dictionaries(
        {
            "moisture": st.floats(0.0, 0.55),
            "frozen": st.floats(0, 0.9),
            "snow_mm": st.floats(0, 300),
            "leaf_area": st.floats(0, 7),
            "roughness_m": st.floats(0.001, 0.05),
            "temperature_c": st.floats(-40, 40),
            "air_c": st.floats(-40, 40),
        }
    ),
    angles,
    st.sampled_from(COVERS),
)
def test_power_is_positive_and_finite_whatever_the_ground(state, angle, cover):
    vv, vh = backscatter(ground.moment(**state), ground.land(cover), angle)
    for power in (vv, vh):
        assert np.isfinite(power).all()
        assert (power > 0).all()
        assert (power < 5).all()
    assert (vh < vv).all()


def test_bare_soil_is_as_bright_as_fields_are():
    values = db(bare_soil(0.2, 38.0, 0.01))
    assert -13 < values[0] < -7
    assert -23 < values[1] < -16
    rise = db(bare_soil(0.35, 38.0, 0.01)[0] / bare_soil(0.05, 38.0, 0.01)[0])
    assert 4 < rise < 8


def test_a_seedbed_is_brighter_than_a_worn_field():
    assert 2 < db(bare_soil(0.2, 38.0, 0.019)[0] / bare_soil(0.2, 38.0, 0.0065)[0]) < 7


def test_frost_darkens_bare_soil_by_some_decibels():
    thawed, frozen = (gammas("bare", moisture=0.3, frozen=share, leaf_area=0.1)[0] for share in (0.0, 0.9))
    assert 3 < thawed - frozen < 7
    assert frozen > gammas("bare", moisture=0.03, leaf_area=0.1)[0] + 0.5  # the ice itself is seen


def test_vegetation_hides_the_soil():
    dry, wet = bare_soil(0.05, 38.0, 0.01), bare_soil(0.4, 38.0, 0.01)
    for band in (0, 1):
        contrasts = [
            vegetated(wet, index, 38.0)[band] - vegetated(dry, index, 38.0)[band] for index in (0.0, 0.4, 0.85)
        ]
        assert contrasts[0] == pytest.approx(wet[band] - dry[band])
        assert contrasts[0] > contrasts[1] > contrasts[2] > 0
    assert contrasts[2] < 0.1 * contrasts[0]  # in VH a closed canopy hides nearly all of the soil


@pytest.mark.parametrize("angle", [30, 38, 45])
def test_a_closed_canopy_scatters_as_the_published_water_cloud(angle):
    cosine = np.cos(np.radians(angle))
    vv, vh = vegetated((np.array(0.0), np.array(0.0)), 0.8, angle)
    assert vv == pytest.approx(0.0950 * 0.8 * cosine * (1 - np.exp(-2 * 0.5513 * 0.8 / cosine)))
    assert vh == pytest.approx(0.0413 * 0.8 * cosine * (1 - np.exp(-2 * 1.1662 * 0.8 / cosine)))
    assert -15 < db(vv) < -13
    assert -17.5 < db(vh) < -15.5


def test_the_index_runs_from_bare_to_closed():
    assert vegetation_index([0.0, 1.0, 3.0, 7.0]) == pytest.approx([0.17, 0.44, 0.70, 0.83], abs=0.01)


@pytest.mark.parametrize(
    ("cover", "vv", "vh"),
    [
        ("forest", (-10.0, -6.5), (-16.0, -12.5)),
        ("urban", (-7.0, 0.0), (-15.0, -7.0)),
        ("water", (-23.0, -17.0), (-35.0, -24.0)),
    ],
)
def test_other_covers_are_as_bright_as_sentinel_1_sees_them(cover, vv, vh):
    for found, (least, most) in zip(gammas(cover, leaf_area=4.0), (vv, vh), strict=True):
        assert least < found < most


def test_a_forest_hardly_tells_the_moisture_below_nor_the_angle():
    dry, wet = (gammas("forest", moisture=water)[0] for water in (0.08, 0.4))
    assert 0 < wet - dry < 0.8
    near, far = (gammas("forest", angle=angle)[0] for angle in (32, 44))
    assert abs(near - far) < 0.5


def test_wet_snow_darkens_open_ground_and_dry_snow_does_not():
    bare, dry, wet = (
        gammas("grass", snow_mm=snow, temperature_c=-0.2, air_c=air)[0]
        for snow, air in ((0, -9.0), (50, -9.0), (50, 1.0))
    )
    assert dry == bare
    assert 3 < bare - wet < 5  # Nagler & Rott 2000
    assert gammas("forest", snow_mm=50, air_c=1.0)[0] == pytest.approx(gammas("forest")[0], abs=0.5)


def test_what_is_unsteady_stays_in_its_field_and_changes_with_the_pass():
    where = ground.places(60, 60)
    fields, lake = ground.land("crops", where=where), ground.land("water", where=where)
    one, same, later = (scene_noise(fields, 44, day)[0] for day in (738_000, 738_000, 738_012))
    assert (one == same).all()
    assert np.ptp(one[fields.patch.ids == fields.patch.ids[30, 30]]) == 0
    assert np.std(db(one / later)) == pytest.approx(0.9 * np.sqrt(2), rel=0.3)
    winds = [scene_noise(lake, 44, day)[0] for day in range(738_000, 738_100)]
    assert all(np.ptp(wind) == 0 for wind in winds)
    assert np.std([db(wind[0, 0]) for wind in winds]) == pytest.approx(2.0, rel=0.25)


def test_gamma_naught_exceeds_sigma_naught_by_the_cosine():
    assert gamma_naught(np.array(0.1), 60.0) == pytest.approx(0.2)


def test_fields_lie_among_those_of_real_scenes(real):
    found = [gammas(cover, leaf_area=leaves)[0] for cover in ("crops", "grass") for leaves in (0.3, 1.0, 4.0)]
    for scene in ("denmark", "chile", "tanzania"):
        with rasterio.open(real / "scenes" / scene / "s1_rtc.tif") as file:
            low, high = np.nanpercentile(file.read(1), [5, 95])
        assert sum(low < value < high for value in found) >= 5


def test_noise_adds_power_and_hides_the_darkest_ground():
    nothing, lit = received(np.array(0.0)), received(np.array(0.1))
    assert db(nothing) == pytest.approx(NESZ_DB)
    assert db(lit / 0.1) < 0.1  # fields are as bright as they were
    assert NESZ_DB <= -22  # ESA: -22 dB or better


def test_dry_smooth_ground_shows_less_of_its_moisture_than_its_scattering_would():
    """In VH the rise from dry to moist is lost in the noise first, and VV keeps it."""
    dry, moist = (bare_soil(water, 38.0, 0.004) for water in (0.03, 0.10))
    for band, least, most in ((0, 0.85, 1.0), (1, 0.1, 0.7)):
        kept = db(received(moist[band]) / received(dry[band])) / db(moist[band] / dry[band])
        assert least < kept < most


def test_real_scenes_keep_the_noise_and_allow_no_more_of_it(real):
    """Noise that were subtracted would spread dark windows more than bright ones, by what it is to their power."""
    found = []
    for scene in ("denmark", "chile", "tanzania"):
        with rasterio.open(real / "scenes" / scene / "s1_rtc.tif") as file:
            power = 10 ** (file.read(2).astype(float) / 10)
        windows = power[:216, :216].reshape(24, 9, 24, 9).swapaxes(1, 2).reshape(-1, 81)
        found.append((windows.mean(axis=1), windows.std(axis=1) / windows.mean(axis=1)))
    levels, spreads = np.concatenate(found, axis=1)
    assert db(levels.min()) > db(gamma_naught(10 ** (NESZ_DB / 10), 38.0)) - 0.5
    dark, bright = spreads[db(levels) < -23], spreads[db(levels) > -18]
    assert len(dark) > 15
    assert np.median(dark) < 1.2 * np.median(bright)
