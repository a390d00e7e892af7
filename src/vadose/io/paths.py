"""Paths as users give them."""

import os

StrPath = str | os.PathLike[str]
