"""Places of released models, which are runs without samples and readings, found by name."""

from pathlib import Path

RELEASED = Path(__file__).parents[1] / "released_models"
"""Folder of the released models of this version."""


def released_names() -> tuple[str, ...]:
    """Return the names of the released models."""
    return tuple(sorted(path.name for path in RELEASED.iterdir() if path.is_dir())) if RELEASED.is_dir() else ()


def located(run: Path) -> Path:
    """Return the folder of a run: that of a released model for its bare name, unless such a folder exists here."""
    return RELEASED / run.name if len(run.parts) == 1 and not run.exists() and run.name in released_names() else run


def placed(run: Path, folder: Path) -> Path:
    """Return the path of a run that is relative to a folder; the bare name of a released model remains a name, unless
    there is such a folder.
    """
    named = run == Path(run.name) and run.name in released_names()
    return run if named and not (folder / run).exists() else folder / run


WAYS = f"the folder that 'vadose train' wrote, or a released model: {', '.join(released_names()) or 'none'}"
