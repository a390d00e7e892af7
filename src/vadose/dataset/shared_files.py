"""Sharing of files between two stores."""

import os
import shutil
from pathlib import Path


def link(source: Path, target: Path) -> None:
    """Link a file or tree of files under another name; copy it where the file system has no links."""
    if source.is_dir():
        shutil.copytree(source, target, copy_function=_link)
    else:
        _link(str(source), str(target))


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
