"""Fixtures of tests that read from the catalogues.

A test module takes them by `from catalogue_servers.fixtures import catalogues, world_servers`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from catalogue_servers.world import World


@pytest.fixture(scope="module")
def world_servers(tiny_world: Path) -> Iterator[World]:
    """Serve the simulated world, for a module; tests take `catalogues`."""
    with World(tiny_world) as world:
        yield world


@pytest.fixture
def catalogues(world_servers: World) -> World:
    """Servers of the simulated world without faults, and with an empty log."""
    world_servers.mend()
    world_servers.reset()
    world_servers.assets.tokens.life = 3600.0
    return world_servers
