"""OGC API Tiles of the display layers: titiler's tile sets, with a path dependency that takes identifiers alone."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Annotated, Any, Literal

from attrs import define
from fastapi import Depends, Path, Query, Response
from morecantile import tms as all_tms
from morecantile.defaults import TileMatrixSets
from titiler.core.dependencies import DefaultDependency
from titiler.core.factory import TilerFactory

from vadose.serving.catalogue import ID, Catalogue
from vadose.serving.rasters import BlockCache
from vadose.serving.styles import flag_bits
from vadose.serving.tiles import NATIVE_ZOOM, TileView, tile_png, view_of

SUPPORTED = TileMatrixSets({"WebMercatorQuad": all_tms.get("WebMercatorQuad")})
PREFIX = "/collections/{collection}/layers/{layer}"
Name = Annotated[str, Path(pattern=f"^{ID}$", description="Identifier of a map.")]
Datetime = Annotated[str | None, Query(max_length=100, description="Time, or first/last; by default all times.")]
LayerName = Annotated[str, Path(pattern=r"^[a-z0-9_]{1,40}$", description="Display layer.")]


class ViewReader:
    """What titiler asks of a reader: the extent and the zooms of a view."""

    def __init__(self, view: TileView, **_: Any) -> None:
        self.view = view
        self.minzoom, self.maxzoom = 0, NATIVE_ZOOM

    def __enter__(self) -> "ViewReader":
        """Return the reader; nothing is opened."""
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing."""

    def get_geographic_bounds(self, _crs: object) -> tuple[float, float, float, float]:
        """Return west, south, east, north in degrees."""
        west, south, east, north = self.view.served.bbox
        return (west, south, east, north) if west <= east else (-180.0, south, 180.0, north)

    def info(self) -> SimpleNamespace:
        """Return nothing beyond the extent."""
        return SimpleNamespace()


@define(kw_only=True)
class LayerTiles(TilerFactory):
    """Tile sets, TileJSON and tiles of display layers."""

    cache: BlockCache

    def register_routes(self) -> None:
        """Register what needs no address of a file, no expression and no algorithm."""
        self.tilesets()  # type: ignore[no-untyped-call]
        self.tile()
        self.tilejson()  # type: ignore[no-untyped-call]

    def tile(self) -> None:
        """Register the tiles."""

        @self.router.get(
            "/tiles/{tileMatrixSetId}/{z}/{x}/{y}",
            response_class=Response,
            responses={200: {"content": {"image/png": {}}}},
            operation_id=f"{self.operation_prefix}getTile",
            summary="A tile as PNG.",
        )
        def tile(
            tileMatrixSetId: Literal["WebMercatorQuad"],  # noqa: N803, ARG001 (of OGC API Tiles)
            z: Annotated[int, Path(ge=0, le=30)],
            x: Annotated[int, Path(ge=0)],
            y: Annotated[int, Path(ge=0)],
            src_path: Annotated[TileView, Depends(self.path_dependency)],
            tilesize: Annotated[Literal["256", "512"], Query()] = "256",
        ) -> Response:
            return Response(tile_png(src_path, self.cache, z, x, y, int(tilesize)), media_type="image/png")


def view_dependency(catalogue: Catalogue) -> Callable[..., TileView]:
    """Return the dependency that finds what a request of tiles shows; it takes identifiers and times alone."""

    def view(
        collection: Name,
        layer: LayerName,
        datetime: Annotated[
            str | None, Query(max_length=40, description="Time of the map; by default the last.")
        ] = None,
        minus: Annotated[str | None, Query(max_length=40, description="Time that a difference subtracts.")] = None,
        hide: Annotated[str | None, Query(max_length=400, description="Flags whose cells are transparent.")] = None,
        flags: Annotated[str | None, Query(max_length=400, description="Flags that are shown as categories.")] = None,
        rescale: Annotated[str | None, Query(max_length=40, description="Range of the colours, low,high.")] = None,
    ) -> TileView:
        served = catalogue[collection]
        return view_of(served, layer, datetime, minus, flag_bits(hide), flag_bits(flags), rescale)

    return view


def layer_tiles(catalogue: Catalogue, cache: BlockCache) -> LayerTiles:
    """Return the tiles of the maps of a catalogue."""
    return LayerTiles(
        reader=ViewReader,  # type: ignore[arg-type]
        path_dependency=view_dependency(catalogue),
        router_prefix=PREFIX,
        name="layers",
        layer_dependency=DefaultDependency,
        dataset_dependency=DefaultDependency,
        tile_dependency=DefaultDependency,
        render_dependency=DefaultDependency,
        process_dependency=lambda: None,
        colormap_dependency=lambda: None,
        supported_tms=SUPPORTED,
        add_viewer=False,
        cache=cache,
    )
