"""The Python API: what a notebook calls, and the command line too. xarray and pandas objects in and out."""
