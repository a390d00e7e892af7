"""The Python API, for notebooks and for the command line: xarray and pandas objects in and out."""
