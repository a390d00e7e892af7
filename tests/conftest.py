"""What every test may ask for."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

from loopback_guard import beyond_loopback, stays_on_loopback  # noqa: F401 -- fixtures of every test

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the workers of pytest-xdist fill the cores; more threads would wait

settings.register_profile("quick", deadline=None, max_examples=25)  # speeds belong to benchmarks, not to tests
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=500)
settings.load_profile("quick")

ROOT = Path(__file__).parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files of the last rooms, which take longest, so that no worker ends long after the others."""
    items.sort(key=lambda item: item.path.name.split("_")[1], reverse=True)


@pytest.fixture(scope="session")
def real() -> Path:
    """Folder of real data beside the checkout; the test is skipped where it is absent."""
    folder = Path(os.environ.get("VADOSE_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder} (set VADOSE_REAL_DATA)")
    return folder


@pytest.fixture(scope="module", autouse=True)
def plain_pages(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave pictures of HTML pages undrawn in modules that do not look at them: they take longer than the tests."""
    style = sys.modules.get("vadose.report.page.style")
    with pytest.MonkeyPatch.context() as patch:
        if style and not getattr(request.module, "LOOKS_AT_PAGES", False):
            patch.setattr(style, "svg_of", lambda _: b"<svg xmlns='http://www.w3.org/2000/svg'/>")
        yield


@pytest.fixture(scope="session")
def tiny_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archive of the preset `tiny`, simulated once for all tests and processes of a session; read only."""
    from vadose.simulation import WorldConfig, make

    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with FileLock(folder / "tiny.lock"):
        make(WorldConfig.preset("tiny"), folder / "tiny")
    return folder / "tiny"


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small archive and a run of untrained networks, to be mapped."""
    import small_map

    folder = tmp_path_factory.mktemp("ground")
    small_map.write_archive(folder / "archive")
    small_map.write_run(folder / "run")
    return folder
