"""Outlines across the antimeridian, and such as files hold besides: unlocated, nested, crossing themselves."""

import json
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely

from vadose.errors import VadoseError
from vadose.grid import AreaOfInterest, Tile, bbox_of
from vadose.mapping.area_files import read_area
from vadose.mapping.points import read_polygons
from vadose.maps.series import _middle
from vadose.maps.stac import _outline

BOX = AreaOfInterest.from_bbox(179.97, -17.51, -179.97, -17.49)
RINGS = {
    "leaping": [(179.97, -17.51), (-179.97, -17.51), (-179.97, -17.49), (179.97, -17.49)],
    "leaping, the other way round": [(-179.97, -17.51), (179.97, -17.51), (179.97, -17.49), (-179.97, -17.49)],
    "beyond 180": [(179.97, -17.51), (180.03, -17.51), (180.03, -17.49), (179.97, -17.49)],
    "beyond -180": [(-180.03, -17.51), (-179.97, -17.51), (-179.97, -17.49), (-180.03, -17.49)],
    "a turn too far": [(539.97, -17.51), (540.03, -17.51), (540.03, -17.49), (539.97, -17.49)],
    "with corners on it": [
        (179.97, -17.51),
        (180, -17.51),
        (-180, -17.51),
        (-179.97, -17.51),
        (-179.97, -17.49),
        (179.97, -17.49),
    ],
}


def ring(name: str) -> list[list[float]]:
    return [[*corner] for corner in (*RINGS[name], RINGS[name][0])]


def collection(*geometries: object) -> dict:
    features = [
        {"type": "Feature", "properties": {"name": f"p{n}"}, "geometry": one} for n, one in enumerate(geometries)
    ]
    return {"type": "FeatureCollection", "features": features}


@pytest.mark.parametrize("name", RINGS)
def test_an_outline_across_the_antimeridian_is_the_box_across_it(name: str) -> None:
    area = AreaOfInterest.from_geojson({"type": "Polygon", "coordinates": [ring(name)]})
    assert shapely.symmetric_difference(area.geometry, BOX.geometry).area < 1e-9
    assert area.tiles(16, 0) == BOX.tiles(16, 0)
    assert area.bbox == pytest.approx((179.97, -17.51, -179.97, -17.49))


@pytest.mark.parametrize("suffix", [".geojson", ".gpkg", ".shp", ".fgb", ".parquet"])
@pytest.mark.parametrize("name", ["leaping", "beyond 180"])
def test_files_of_every_kind_are_cut_alike(tmp_path: Path, suffix: str, name: str) -> None:
    layer = geopandas.GeoDataFrame({"name": ["field"]}, geometry=[shapely.Polygon(RINGS[name])], crs=4326)
    path = tmp_path / f"area{suffix}"
    layer.to_parquet(path) if suffix == ".parquet" else layer.to_file(path)
    assert shapely.symmetric_difference(read_area(str(path)).geometry, BOX.geometry).area < 1e-9
    field = read_polygons(path)["field"]
    assert shapely.symmetric_difference(field, BOX.geometry).area < 1e-9
    assert abs(_middle(field).x) == pytest.approx(180, abs=1e-6)


def test_a_projected_outline_across_the_antimeridian_is_cut(tmp_path: Path) -> None:
    layer = geopandas.GeoDataFrame(geometry=[shapely.Polygon(RINGS["beyond 180"])], crs=4326).to_crs(3832)
    layer.to_file(tmp_path / "area.gpkg")
    area = read_area(str(tmp_path / "area.gpkg"))
    assert shapely.symmetric_difference(area.geometry, BOX.geometry).area < 1e-6


def test_a_hole_across_the_antimeridian_stays_a_hole() -> None:
    hole = [(179.99, -17.505), (-179.99, -17.505), (-179.99, -17.495), (179.99, -17.495)]
    coordinates = [ring("leaping"), [[*corner] for corner in (*hole, hole[0])]]
    area = AreaOfInterest.from_geojson({"type": "Polygon", "coordinates": coordinates})
    assert area.geometry.area == pytest.approx(0.06 * 0.02 - 0.02 * 0.01)
    assert not shapely.contains_xy(area.geometry, 179.995, -17.5)


def test_ground_far_from_it_stays_as_it_is() -> None:
    for box in ((-180, -60, 180, 60), (-180, 0, -170, 5), (170, 0, 180, 5), (9, 45, 10, 46), (-90, 0, 89, 1)):
        area = AreaOfInterest.from_geojson(shapely.geometry.mapping(shapely.box(*box)))
        assert area.geometry.bounds == box and area.bbox == box
    assert AreaOfInterest.from_geojson(shapely.geometry.mapping(shapely.box(200, 0, 201, 1))).bbox == (-160, 0, -159, 1)


def test_an_outline_round_a_pole_is_refused() -> None:
    corners = [[lon, 70] for lon in (-180, -90, 0, 90, 170, -180)]
    with pytest.raises(VadoseError, match="pole"):
        AreaOfInterest.from_geojson({"type": "Polygon", "coordinates": [[*corners]]})


POLYGON = shapely.geometry.mapping(shapely.box(9, 45, 9.01, 45.01))
NESTED = {"type": "GeometryCollection", "geometries": [POLYGON, {"type": "Point", "coordinates": [1, 1]}]}


@pytest.mark.parametrize(
    "content",
    [
        POLYGON,
        {"type": "Feature", "properties": None, "geometry": POLYGON},
        collection(POLYGON, None),
        collection(None, POLYGON, {"type": "Point", "coordinates": [0, 0]}),
        collection(NESTED),
        {"type": "GeometryCollection", "geometries": [NESTED]},
    ],
)
@pytest.mark.parametrize("crs", [False, True])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_what_has_no_place_counts_for_nothing(tmp_path: Path, content: dict, crs: bool, mark: str) -> None:
    named = {"crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}} if crs else {}
    (tmp_path / "area.geojson").write_text(mark + json.dumps(content | named), encoding="utf-8")
    assert read_area(str(tmp_path / "area.geojson")).geometry.bounds == pytest.approx((9, 45, 9.01, 45.01))


@pytest.mark.parametrize(
    "content",
    [collection(), collection(None), {"type": "Feature", "geometry": None}, {"type": "Point", "coordinates": [1, 1]}],
)
def test_without_any_polygon_there_is_no_area(content: dict) -> None:
    with pytest.raises(VadoseError, match="no polygon"):
        AreaOfInterest.from_geojson(content)


def test_a_bow_tie_is_the_ground_that_it_encloses() -> None:
    corners = [[9, 45], [9.02, 45.02], [9.02, 45], [9, 45.02], [9, 45]]
    area = AreaOfInterest.from_geojson({"type": "Polygon", "coordinates": [corners]})
    assert area.geometry.area == pytest.approx(0.02 * 0.01)


def test_boxes_of_items_and_collections_run_across() -> None:
    assert BOX.bbox == (179.97, -17.51, -179.97, -17.49)
    across = _outline(Tile(32701, 500, 25197, 20, 20).cells.geographic_extent.json)
    assert np.ptp(np.array(across.bounds)[[0, 2]]) < 180 or bbox_of(across)[0] > bbox_of(across)[2]
    leaping = {"type": "Polygon", "coordinates": [ring("leaping")]}
    assert bbox_of(_outline(leaping)) == pytest.approx((179.97, -17.51, -179.97, -17.49))


@pytest.mark.parametrize("box", [(10.1, 45, 10.0, 45.1), (170, 45, -5, 46)])
def test_a_box_across_most_of_the_earth_has_its_ends_exchanged(box):
    with pytest.raises(VadoseError, match="degrees across the antimeridian"):
        AreaOfInterest.from_bbox(*box)


def test_metres_are_not_taken_for_degrees():
    ring = [[500000, 4980000], [510000, 4980000], [510000, 4990000], [500000, 4980000]]
    with pytest.raises(VadoseError, match="510000, 4990000 is not in degrees"):
        AreaOfInterest.from_geojson({"type": "Polygon", "coordinates": [ring]})
