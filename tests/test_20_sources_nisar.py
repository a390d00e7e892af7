"""NISAR SME2: names, maturity, flags, grid, candidates, damaged and foreign files."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from nisar_writer import (
    COLUMNS,
    END,
    FILL,
    MIDDLE,
    PLACE,
    START,
    STEP,
    WEST,
    name_of,
    painted,
    pixel,
    write_granule,
)
from vadose.errors import NoDataError, VadoseError
from vadose.fusion import InputSpec, build_features
from vadose.grid import AreaOfInterest, Period, tile_around
from vadose.registry import SPECS, Quality
from vadose.sources import open_sources
from vadose.sources.nisar import Nisar
from vadose.sources.nisar_granule import BETA, GRID, PROVISIONAL, read_name

AUGUST = Period.parse("2026-08-01/2026-08-31")
GRIDS = "science/LSAR/SME2/grids"


def around(place=PLACE, half=0.01, name="field"):
    lon, lat = place
    return AreaOfInterest.from_bbox(lon - half, lat - half, lon + half, lat + half, name)


def opened(archive: Path, place=PLACE, **how):
    (dataset,) = Nisar(archive, **how).open(around(place), AUGUST)
    return dataset["nisar"]


def at(values, place=PLACE):
    row, column = pixel(*place)
    x = WEST + (column + 0.5) * STEP
    y = 7314540.8306386 - (row + 0.5) * STEP
    return values.sel(x=x, y=y, method="nearest", tolerance=1.0).values


def edit(path: Path, change) -> None:
    with h5py.File(path, "r+") as file:
        change(file)


def test_a_pixel_has_its_own_value_at_its_place_and_time(tmp_path):
    write_granule(tmp_path)
    values = opened(tmp_path)
    row, column = pixel(*PLACE)
    assert values["time"].values.tolist() == [MIDDLE.astype(int)]
    assert at(values) == pytest.approx([painted(np.array(row), np.array(column))])
    assert values.attrs["units"] == "m3 m-3" and values.dtype == np.float32
    assert Nisar(tmp_path).open(around(), AUGUST)[0].attrs["item"] == "NISAR SME2 PROVISIONAL P05023"


def test_the_grid_is_the_one_of_45_pixels_in_9_km():
    assert (GRID.rows, GRID.columns) == (1624 * 45, COLUMNS)
    assert GRID.step == pytest.approx(200.179004669, abs=1e-8)
    west, south = GRID.west + GRID.columns * GRID.step, GRID.north - GRID.rows * GRID.step
    assert (west, south) == pytest.approx((17367530.445, -7314540.83), abs=0.1)


@pytest.mark.parametrize(("retrieval", "base"), [("combined", 0.05), ("DSG", 0.15), ("TSR", 0.25)])
def test_the_combined_field_and_each_candidate_are_read(tmp_path, retrieval, base):
    write_granule(tmp_path)
    row, column = pixel(*PLACE)
    found = at(opened(tmp_path, retrieval=retrieval))
    assert found == pytest.approx([painted(np.array(row), np.array(column), base)])


def test_a_candidate_that_was_not_run_leaves_the_granule_out(tmp_path):
    write_granule(tmp_path)
    source = Nisar(tmp_path, retrieval="PMI")
    with pytest.raises(NoDataError, match="combined, DSG, TSR"):
        source.open(around(), AUGUST)
    assert [entry.kind for entry in source.index.left_out] == ["no retrieval PMI"]


@pytest.mark.parametrize(("flag", "kept"), [(0, True), (2, True), (6, True), (1, False), (3, False), (-9999, False)])
def test_bit_0_of_its_own_flag_means_not_recommended(tmp_path, flag, kept):
    path = write_granule(tmp_path)
    edit(path, lambda file: file[f"{GRIDS}/retrievalQualityFlag"].__setitem__(Ellipsis, flag))
    assert np.isfinite(at(opened(tmp_path))).all() == kept
    assert np.isfinite(at(opened(tmp_path, quality="retrieved"))).all()
    assert np.isfinite(at(opened(tmp_path, retrieval="DSG"))).all(), "the flag of a candidate is its own"


def test_fill_is_missing(tmp_path):
    path = write_granule(tmp_path)
    edit(path, lambda file: file[f"{GRIDS}/soilMoisture"].__setitem__(Ellipsis, FILL))
    assert np.isnan(at(opened(tmp_path, quality="retrieved"))).all()


def test_beta_and_provisional_are_never_mixed(tmp_path):
    write_granule(tmp_path)
    write_granule(tmp_path, start="20260801T125218", end="20260801T125253", crid="X05007")
    source = Nisar(tmp_path)
    (dataset,) = source.open(around(), AUGUST)
    assert dataset["time"].values.tolist() == [MIDDLE.astype(int)]
    assert [(one.kind, one.name) for one in source.index.left_out] == [
        ("another maturity", name_of("20260801T125218", "20260801T125253", "X05007"))
    ]
    beta = Nisar(tmp_path, maturity="BETA")
    (dataset,) = beta.open(around(), AUGUST)
    assert dataset.attrs["item"] == "NISAR SME2 BETA X05007" and dataset.sizes["time"] == 1


def test_the_later_product_of_one_acquisition_is_read(tmp_path):
    write_granule(tmp_path)
    later = write_granule(tmp_path, counter=2)
    edit(later, lambda file: file[f"{GRIDS}/soilMoisture"].__setitem__(Ellipsis, 0.333))
    assert at(opened(tmp_path)) == pytest.approx([0.333])


def test_releases_are_datasets_of_their_own(tmp_path):
    write_granule(tmp_path)
    write_granule(tmp_path, start="20260801T125218", end="20260801T125253", crid="P05030")
    found = Nisar(tmp_path).open(around(), AUGUST)
    assert [one.attrs["item"] for one in found] == ["NISAR SME2 PROVISIONAL P05030", "NISAR SME2 PROVISIONAL P05023"]


def test_a_frame_covers_its_own_ground_alone(tmp_path):
    write_granule(tmp_path, half=(10, 10))
    values = opened(tmp_path)
    assert np.isfinite(values.values).sum() <= 400 and np.isfinite(at(values)).all()
    with pytest.raises(NoDataError, match="None of 1 covers it"):
        Nisar(tmp_path).open(around((-97.0, 44.55)), AUGUST)


@pytest.mark.parametrize("lon", [179.9995, -179.9995])
def test_frames_and_areas_cross_the_antimeridian(tmp_path, lon):
    place = (lon, -16.5)
    write_granule(tmp_path, place=place)
    row = pixel(*place)[0]
    west = WEST + 0.5 * STEP
    found = Nisar(tmp_path).open(AreaOfInterest.from_bbox(179.99, -16.51, -179.99, -16.49, "fiji"), AUGUST)
    assert len(found) == 2, "one dataset for each side"
    for dataset in found:
        assert dataset.sizes["x"] < 20 and np.isfinite(dataset["nisar"].values).all()
    eastern = next(one for one in found if one["x"].values[0] < 0)
    assert eastern["x"].values[0] == pytest.approx(west)
    assert eastern["nisar"].sel(y=7314540.8306386 - (row + 0.5) * STEP, method="nearest").values[0, 0] == pytest.approx(
        painted(np.array(row), np.array(0))
    )


def test_statistics_beside_granules_are_no_granules(tmp_path):
    path = write_granule(tmp_path / "nisar")
    path.with_name(f"{path.stem}_QA_STATS.h5").write_bytes(path.read_bytes())
    path.with_name(f"{path.stem}.iso.xml").write_text("<gmi/>")
    source = Nisar(tmp_path)
    assert at(source.open(around(), AUGUST)[0]["nisar"]).size == 1 and not source.index.left_out


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("NISAR_L2_PR_GCOV_028_005_A_020_4005_DHDH_A_20260813T125218_20260813T125253_P05023_N_F_J_001.h5", "another"),
        ("NISAR_L3_PR_SME2_028_005_A_020_20260813.h5", "another"),
        (name_of(crid="T05023"), "unknown maturity"),
        (name_of(start="20261313T125218"), "no date"),
        (name_of(start=END, end=START), "no date"),
        (f"{name_of()}.part", "unfinished"),
    ],
)
def test_other_names_are_left_out_with_the_reason(tmp_path, name, kind):
    with pytest.raises(VadoseError) as refused:
        read_name(name)
    assert refused.value.kind.startswith(kind)
    (tmp_path / name).write_bytes(b"")
    assert [entry.name for entry in Nisar(tmp_path).index.left_out] == [name]


def test_names_tell_maturity_time_and_release():
    found = read_name(name_of())
    assert (found.stream, found.time, found.version) == (PROVISIONAL, MIDDLE, "P05023_001")
    assert read_name(name_of(crid="X05007")).stream is BETA
    assert read_name("SMAP_L3_SM_P_20160101_R19240_001.h5") is None


def remove_axis(file):
    del file[f"{GRIDS}/xCoordinates"]


def shift_axis(file):
    file[f"{GRIDS}/xCoordinates"][...] += 0.4 * STEP


def change_units(file):
    file[f"{GRIDS}/soilMoisture"].attrs["units"] = np.bytes_("kg m-2")


def change_magnitude(file):
    file[f"{GRIDS}/soilMoisture"][...] = 21.0


def change_projection(file):
    file[f"{GRIDS}/projection"][...] = 32614
    file[f"{GRIDS}/projection"].attrs["epsg_code"] = 32614


def change_product(file):
    file["science/LSAR/identification/productType"][...] = np.bytes_("GCOV")


def change_identity(file):
    stated = file["science/LSAR/identification"]
    del stated["granuleId"]
    stated["granuleId"] = np.bytes_(name_of(crid="P05030").removesuffix(".h5"))


def remove_flag(file):
    del file[f"{GRIDS}/retrievalQualityFlag"]


def remove_grids(file):
    del file["science/LSAR/SME2"]


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (remove_axis, "another grid"),
        (shift_axis, "another grid"),
        (change_projection, "another grid"),
        (change_product, "another product of NISAR"),
        (change_identity, "another granule than its name"),
        (remove_grids, "no SME2 grids"),
        (change_units, "other units"),
        (change_magnitude, "numbers against units"),
        (remove_flag, "no retrievalQualityFlag"),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_a_damaged_granule_is_left_out_and_the_others_are_read(tmp_path, damage, kind):
    edit(write_granule(tmp_path), damage)
    write_granule(tmp_path, start="20260801T125218", end="20260801T125253")
    source = Nisar(tmp_path)
    (dataset,) = source.open(around(), AUGUST)
    assert np.isfinite(dataset["nisar"].values).any(axis=(1, 2)).sum() == 1
    assert [(entry.kind, entry.name) for entry in source.index.left_out] == [(kind, name_of())]


def test_a_truncated_granule_is_left_out(tmp_path):
    path = write_granule(tmp_path)
    path.write_bytes(path.read_bytes()[:-2000])
    source = Nisar(tmp_path)
    with pytest.raises(NoDataError, match="cannot be read"):
        source.open(around(), AUGUST)
    assert [entry.kind for entry in source.index.left_out] == ["unreadable"]


def test_it_is_fused_where_it_is_named_and_absent_otherwise(tmp_path):
    write_granule(tmp_path)
    sources = open_sources(tmp_path)
    tile = tile_around(*PLACE, 0)
    when = np.datetime64("2026-08-14T00:00")
    features = build_features(sources, tile, when, InputSpec(cells=("nisar",)))
    row, column = pixel(*PLACE)
    near = painted(*np.meshgrid(np.arange(row - 3, row + 4), np.arange(column - 3, column + 4), indexing="ij"))
    assert near.min() <= features.cells["nisar"].item() <= near.max()
    assert features.items == (name_of(),)
    with pytest.raises(NoDataError, match="smap: no granules") as refused:
        build_features(sources, tile, when, InputSpec(cells=("smap",)))
    assert "nisar" not in str(refused.value)
    assert SPECS["nisar"].max_age_days == 12 and int(Quality.missing("nisar")) == 1 << 14
