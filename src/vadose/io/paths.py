"""A path as a user gives it."""

import os

StrPath = str | os.PathLike[str]
