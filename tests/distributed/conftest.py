"""Two teams for all tests of this folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from torch import distributed

from .team import Team

if not (distributed.is_available() and distributed.is_gloo_available()):
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def pair() -> Iterator[Team]:
    """Two processes."""
    yield from _team(2)


@pytest.fixture(scope="session")
def four() -> Iterator[Team]:
    """Four processes."""
    yield from _team(4)


def _team(size: int) -> Iterator[Team]:
    team = Team(size)
    yield team
    team.kill()
    for folder in team.folders:
        shutil.rmtree(folder, ignore_errors=True)
