"""Finished maps over HTTP: STAC, tiles, series and the viewer."""
