"""Simulated sensors stand where real ones do, err as they do, and are flagged as ISMN flags."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ismn.interface import ISMN_Interface

from vadose.errors import VadoseError
from vadose.grid import Tile, to_lonlat
from vadose.insitu.ismn import Ismn
from vadose.simulation import WorldConfig
from vadose.simulation.config import REGIONS
from vadose.simulation.fields import Locations
from vadose.simulation.in_situ import DEEP, LAYER, POINT, write_sensors
from vadose.simulation.land import COVERS, FIELD_M, URBAN, WATER
from vadose.simulation.points import SimulationPoints
from vadose.simulation.quality_control import Surroundings, flags
from vadose.simulation.sensor import OFFSET, SITE_OFFSET, SPIKE, WANDER, WETTING, SensorSoil, Site, at_point, read
from vadose.simulation.simulator import RegionSimulator
from vadose.simulation.stations import MARGIN_CELLS, StationSite, place_stations

CONFIG = WorldConfig.preset("tiny").model_copy(update={"period": "2021-10-01/2022-01-31"})
TILE = Tile(32632, 1000, 16000, 16, 16)
HOURS = 24 * 365


def everywhere(cover: int):
    return lambda east, _north: np.full(east.shape, cover)


def checkered(east, north):
    """Water and towns beside grass, in squares of 80 m."""
    return np.array([WATER, COVERS.index("grass"), URBAN])[(east // 80 + north // 80).astype(int) % 3]


def wide(tile: Tile, probes: tuple[StationSite, ...]) -> list[float]:
    places = [probe.place(tile) for probe in probes]
    return [float(np.hypot(*np.subtract(one, other))) for one, other in combinations(places, 2)]


def ground(hours: int = HOURS, level: float = 0.25, swing: float = 0.08, frozen: float = 0.0) -> SensorSoil:
    course = level + swing * np.sin(2 * np.pi * np.arange(hours) / HOURS)
    return SensorSoil(course, np.full(hours, frozen), np.full(hours, 12.0), 0.46)


def stormy(frozen: float = 0.0) -> SensorSoil:
    """A storm every ten days, and a daily course of one degree."""
    hours = np.arange(HOURS)
    warmth = 12 + 0.5 * np.cos(2 * np.pi * hours / 24)
    return SensorSoil(0.22 + 0.15 * 0.99 ** (hours % 240), np.full(HOURS, frozen), warmth, 0.46)


def around(hours: int, **known) -> Surroundings:
    calm = {
        "saturation": 0.46,
        "soil_c": np.full(hours, 12.0),
        "air_c": np.full(hours, 12.0),
        "rain_mm": np.full(hours, 1.0),
        "model_c": np.full(hours, 12.0),
        "model_mm": np.full(hours, 1.0),
        "shallow": True,
    }
    return Surroundings(**(calm | known))


def calm(hours: int = 400) -> np.ndarray:
    """A drying soil with the noise of readings."""
    return 0.25 - 1e-4 * np.arange(hours) + 5e-4 * np.random.default_rng(3).standard_normal(hours)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The archive of a region with a dense network, and what is true at its stations."""
    archive = tmp_path_factory.mktemp("world")
    simulator = RegionSimulator.random(CONFIG, 0)
    probes = place_stations(
        simulator.tile, "PLAIN", 8, lambda east, north: simulator.terrain.at(Locations.points(east, north)).cover,
        np.random.default_rng(1),
    )  # fmt: skip
    seen = simulator.simulated(
        SimulationPoints.points(*np.transpose([probe.place(simulator.tile) for probe in probes]))
    )
    write_sensors(seen, probes, archive)
    return archive, seen, probes


def test_a_station_stands_in_the_middle_of_its_pixel_of_40_m():
    east, north = StationSite("Humid-01", 3, 5).place(TILE)
    box = TILE.cells.boundingbox
    assert (east - box.left, box.top - north) == (5.5 * FIELD_M, 3.5 * FIELD_M)


@given(st.integers(0, 1000), st.integers(2, 40))
def test_stations_stand_on_open_soil_where_a_chip_fits(seed, count):
    probes = place_stations(TILE, "HUMID", count, checkered, np.random.default_rng(seed))
    assert len({(probe.row, probe.column) for probe in probes}) == len({probe.station for probe in probes}) == count
    for probe in probes:
        east, north = probe.place(TILE)
        assert checkered(np.array([east]), np.array([north]))[0] == COVERS.index("grass")
        box, margin = TILE.cells.boundingbox, MARGIN_CELLS * 320
        assert box.left + margin < east < box.right - margin
        assert box.bottom + margin < north < box.top - margin


def test_a_dense_network_is_nested():
    near, far = [], []
    for seed in range(30):
        apart = np.array(wide(TILE, place_stations(TILE, "HUMID", 12, everywhere(1), np.random.default_rng(seed))))
        near.append((apart < 320).sum())
        far.append(apart.max())
    assert np.mean(near) > 4
    assert np.mean(far) > 1800


def test_a_lone_station_stands_near_the_middle():
    box = TILE.cells.boundingbox
    middle = ((box.left + box.right) / 2, (box.bottom + box.top) / 2)
    away = []
    for seed in range(50):
        (probe,) = place_stations(TILE, "HUMID", 1, everywhere(1), np.random.default_rng(seed))
        away.append(np.hypot(*np.subtract(probe.place(TILE), middle)))
    assert np.median(away) < 500


@pytest.mark.parametrize(("count", "cover"), [(1, WATER), (3, URBAN), (65, 1)])
def test_no_room_is_refused(count, cover):
    small = Tile(32632, 1000, 16000, 9, 9)  # leaves one cell, of 64 pixels
    with pytest.raises(VadoseError) as refusal:
        place_stations(small, "HUMID", count, everywhere(cover), np.random.default_rng(0))
    assert f"{count} stations in the region HUMID" in refusal.value.context
    assert "room for" in refusal.value.problem
    assert "fewer" in refusal.value.hint


def test_a_point_differs_from_its_pixel_as_is_stated():
    true, rng = stormy(), np.random.default_rng(5)
    wetting = float(np.maximum(np.diff(true.moisture), 0).sum())
    points = np.array([at_point(true, Site.random(rng), rng) for _ in range(400)])
    offsets = points.mean(axis=1) - true.moisture.mean()
    swings = np.log([np.polyfit(true.moisture, point, 1)[0] for point in points])
    expected = np.sqrt(SITE_OFFSET**2 + OFFSET**2 + WANDER**2 * 2 * WETTING / wetting)
    assert offsets.std() == pytest.approx(expected, rel=0.12)
    assert 0.02 < offsets.std() < 0.05  # the range of Famiglietti et al. 2008 and Crow et al. 2012
    assert 0.15 < swings.std() < 0.27


def test_points_differ_less_where_it_is_dry():
    def spread(level: float) -> float:
        rng, true = np.random.default_rng(6), ground(2000, level, 0.0)
        return float(np.std([at_point(true, Site.random(rng), rng).mean() for _ in range(200)]))

    assert spread(0.05) < 0.5 * spread(0.25)


def test_a_sensor_reads_the_liquid_water_alone():
    readings = [read(ground(frozen=frozen), Site(0.0, 1.0), np.random.default_rng(2)) for frozen in (0.0, 0.7)]
    assert np.median(readings[1] / readings[0]) == pytest.approx(0.3, abs=0.02)


def test_nothing_makes_a_point_wetter_in_a_dry_spell():
    true = stormy()
    storms = np.diff(true.moisture, prepend=true.moisture[0]) > 0
    for seed in range(20):
        point = at_point(true, Site(0.0, 1.0), np.random.default_rng(seed))
        assert np.all(np.diff(point)[~storms[1:]] <= 1e-12)


def test_readings_have_the_daily_course_of_real_ones():
    """ARM 0.0024 and USCRN 0.0049 m3 m-3 in the median, of the mean day; here where the soil itself has none."""
    hours = np.arange(HOURS)
    calm = SensorSoil(np.full(HOURS, 0.25), np.zeros(HOURS), 12 + 0.5 * np.cos(2 * np.pi * hours / 24), 0.46)
    spans = []
    for seed in range(60):
        told = read(calm, Site(0.0, 1.0), np.random.default_rng(seed))
        day = np.median(told.reshape(-1, 24) - np.median(told.reshape(-1, 24), axis=1, keepdims=True), axis=0)
        spans.append(np.ptp(day))
    assert 0.002 < np.median(spans) < 0.005


def test_readings_come_in_steps_and_within_what_sensors_tell():
    told = read(ground(), Site(0.0, 1.0), np.random.default_rng(8))
    np.testing.assert_allclose(told, np.round(told, 3), atol=1e-12)
    assert told.min() >= -0.05
    assert told.max() <= 0.75


def test_calm_readings_are_good_and_absent_ones_are_missing():
    values = calm()
    values[100] = np.nan
    found = flags(values, around(len(values)))
    assert found[100] == "M"
    assert set(np.delete(found, 100)) == {"G"}


@pytest.mark.parametrize(
    ("value", "flag"), [(-0.01, "C01"), (0.5, "C03"), (0.65, "C02,C03")], ids=["below 0", "above pores", "above 0.6"]
)
def test_what_cannot_be_is_flagged(value, flag):
    values = calm()
    values[200] = value
    assert flags(values, around(len(values)))[200] == f"{flag},D06"


def test_frost_is_flagged_by_each_thermometer():
    cold = np.where(np.arange(400) < 200, -1.0, 5.0)
    found = flags(calm(), around(400, soil_c=cold, air_c=cold, model_c=cold))
    assert set(found[:200]) == {"D01,D02,D03"}
    assert set(found[200:]) == {"G"}
    assert set(flags(calm(), around(400, soil_c=cold, air_c=None))[:200]) == {"D01"}


def test_rises_without_rain_are_flagged_at_shallow_sensors():
    values = calm() + np.interp(np.arange(400), [200, 212], [0.0, 0.08])
    dry = np.zeros(400)
    assert set(flags(values, around(400))[202:212]) == {"G"}
    assert set(flags(values, around(400, rain_mm=dry, model_mm=dry))[208:212]) == {"D04,D05"}
    assert set(flags(values, around(400, rain_mm=None, model_mm=dry))[208:212]) == {"D05"}
    assert set(flags(values, around(400, rain_mm=dry, model_mm=dry, shallow=False))) == {"G"}


def test_breaks_low_values_and_plateaus_are_flagged():
    fall, high = calm(), calm()
    fall[200:260] = 0.012
    high[200:260] = 0.45
    low, plateau = flags(fall, around(400)), flags(high, around(400))
    assert low[200] == "D07,D09"
    assert set(low[201:260]) == {"D09"}
    assert plateau[200] == "D08,D10"
    assert set(plateau[201:260]) == {"D10"}
    assert set(low[273:]) == set(plateau[273:]) == {"G"}


def test_what_is_plausible_is_missed():
    """Held values and lasting shifts pass, and of spikes the small ones: between a tenth and four tenths of them."""
    held, rng = calm(), np.random.default_rng(9)
    held[200:300] = held[200]
    assert set(flags(held, around(400))) == {"G"}
    values, spikes = calm(30_000) * 0 + 0.25 + 5e-4 * rng.standard_normal(30_000), np.arange(50, 29_950, 60)
    values[spikes] += SPIKE * rng.standard_normal(len(spikes))
    found = flags(values, around(30_000, saturation=0.9))
    missed = np.mean(["D06" not in flag for flag in found[spikes]])
    assert 0.1 < missed < 0.4
    assert np.mean(["D06" in flag for flag in np.delete(found, spikes)]) < 0.001


def test_ismn_reads_the_archive(written, tmp_path):
    archive, seen, probes = written
    interface = ISMN_Interface(archive / "ismn", meta_path=tmp_path, parallel=False)
    network = interface.collection[f"SIM-{seen.name}"]
    assert set(network.stations) == {probe.station for probe in probes}
    kinds = {10: "crops", 20: "crops", 130: "grass", 90: "forest", 200: "bare"}
    for number, probe in enumerate(probes):
        station = network.stations[probe.station]
        assert station.elev == pytest.approx(seen.land.elevation[number], abs=0.06)
        sensors = list(station.iter_sensors(variable="soil_moisture"))
        depths = {(sensor.depth.start, sensor.depth.end) for sensor in sensors}
        assert DEEP in depths
        assert len(depths & {POINT, LAYER}) == 1
        assert len(list(station.iter_sensors(variable="soil_temperature"))) == 1
        described = sensors[0].metadata
        assert kinds[int(described["lc_2010"].val)] == COVERS[seen.land.cover[number]]
        assert described["climate_KG"].val == seen.region.climate.koeppen
        assert described["saturation"].val == pytest.approx(seen.land.water.saturation[number], rel=0.3)
        assert described["clay_fraction"].val == pytest.approx(100 * seen.land.clay[number], abs=0.006)


def test_vadose_reads_what_was_written(written):
    archive, seen, probes = written
    ismn = Ismn(archive / "ismn")
    sensors = ismn.sensors()
    assert {sensor.station for sensor in sensors} == {probe.station for probe in probes}
    assert all(sensor.depth_to_m <= 0.05 for sensor in ismn.sensors(deepest_m=0.05))
    assert len(ismn.sensors(deepest_m=0.05)) < len(sensors)
    east, north = seen.where.mesh
    for sensor in sensors:
        number = [probe.station for probe in probes].index(sensor.station)
        lon, lat = to_lonlat(seen.epsg).transform(east[number], north[number])
        assert (sensor.lon, sensor.lat) == pytest.approx((lon, lat), abs=1e-5)
        table = ismn.read(sensor)
        assert table.index.is_unique
        assert (table.index == table.index.floor("h")).all()
        assert (table["soil_moisture"].isna() == (table["flag"] == "M")).all()
        assert set(",".join(table["flag"]).split(",")) <= {"G", "M", *(f"C0{n}" for n in (1, 2, 3))} | {
            f"D{n:02d}" for n in range(1, 11)
        }


def test_good_readings_follow_their_pixels_and_are_not_them(written):
    archive, seen, probes = written
    ismn, scores = Ismn(archive / "ismn"), []
    for sensor in ismn.sensors(deepest_m=0.05):
        number = [probe.station for probe in probes].index(sensor.station)
        table = ismn.read(sensor)
        good = table[table["flag"] == "G"]["soil_moisture"]
        scores.append(np.corrcoef(good, seen.series(good.index, "liquid")[:, number])[0, 1])
    assert 0.6 < np.median(scores) < 0.99


def test_the_same_is_written_again(written, tmp_path):
    archive, seen, probes = written
    write_sensors(seen, probes, tmp_path)
    here, there = (sorted(folder.rglob("*.*")) for folder in (archive, tmp_path))
    assert [path.relative_to(archive) for path in here] == [path.relative_to(tmp_path) for path in there]
    assert all(one.read_bytes() == other.read_bytes() for one, other in zip(here, there, strict=True))


def test_a_stations_readings_do_not_hang_on_the_others(written, tmp_path):
    archive, seen, probes = written
    write_sensors(seen.pick(np.array([3, 1])), (probes[3], probes[1]), tmp_path)
    for probe in (probes[3], probes[1]):
        for path in (tmp_path / "ismn").rglob(f"*_{probe.station}_ts_*.stm"):
            assert path.read_bytes() == (archive / path.relative_to(tmp_path)).read_bytes()


def test_readings_remember_about_as_long_as_real_ones(written, real):
    """Autocorrelation of good hours after a day: of USCRN and ARM 0.93 in the median."""

    def memory(ismn: Ismn, every: int) -> float:
        tables = (ismn.read(sensor) for sensor in ismn.sensors(deepest_m=0.05)[::every])
        good = (table["soil_moisture"].where(table["flag"] == "G") for table in tables)
        return float(np.median([one[~one.index.duplicated()].asfreq("h").autocorr(24) for one in good]))

    assert memory(Ismn(written[0] / "ismn"), 1) == pytest.approx(memory(Ismn(real / "ismn_uscrn.zip"), 10), abs=0.15)


def risen(ismn: Ismn) -> dict[str, float]:
    """Share of the readings of shallow sensors that rose without rain by the control's model, by network."""
    flagged: dict[str, list[np.ndarray]] = {}
    for sensor in ismn.sensors(deepest_m=0.1):
        table = ismn.read(sensor)
        told = table["flag"][table["flag"] != "M"]
        flagged.setdefault(sensor.network, []).append(told.str.contains("D05").to_numpy())
    return {network: float(np.concatenate(marks).mean()) for network, marks in flagged.items()}


def test_rises_without_rain_are_flagged_about_as_often_as_in_real_archives(real, tmp_path):
    """D05 of all readings: SCAN 0.2 %, MAQU 0.7 %; here of soil that does not freeze."""
    folder = real / "ismn" / "zip_archives" / "multinetwork" / "header_values"
    actual = risen(Ismn(folder / "Data_header_values.zip"))
    number = next(number for number, region in enumerate(REGIONS) if region.name == "PADDOCK")
    simulator = RegionSimulator.random(WorldConfig(period="2021-01-01/2021-12-31"), number)
    rows, columns = np.linspace(40, 90, 8).astype(int), np.linspace(90, 40, 8).astype(int)
    probes = tuple(StationSite(f"P-{index}", *place) for index, place in enumerate(zip(rows, columns, strict=True)))
    seen = simulator.simulated(
        SimulationPoints.points(*np.transpose([probe.place(simulator.tile) for probe in probes]))
    )
    write_sensors(seen, probes, tmp_path)
    (found,) = risen(Ismn(tmp_path / "ismn")).values()
    assert 0.5 * actual["SCAN"] < found < 1.5 * actual["MAQU"]
