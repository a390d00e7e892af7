"""What every test may ask for."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("vadose", deadline=None)  # speeds belong to benchmarks, not to tests
settings.load_profile("vadose")

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def real() -> Path:
    """Folder of real data beside the checkout; the test is skipped where it is absent."""
    folder = Path(os.environ.get("VADOSE_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder} (set VADOSE_REAL_DATA)")
    return folder
