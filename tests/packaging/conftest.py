"""Built archives and environments, shared by the packaging tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from copies import Environment, build, copy_repository, unpacked


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """An empty environment beside the libraries."""
    return Environment(tmp_path / "environment")


@pytest.fixture(scope="session")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as it was when the tests began: all are held against it, whatever is edited meanwhile."""
    return copy_repository(tmp_path_factory.mktemp("snapshot") / "repository", "kept")


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory, snapshot: Path) -> Path:
    """The source archive, unpacked."""
    folder = tmp_path_factory.mktemp("source")
    made = build("sdist", copy_repository(folder / "copy", "kept", snapshot), folder / "made")
    return unpacked(made, folder / "unpacked")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory, snapshot: Path, sdist: Path) -> Callable[[str], Path]:
    """The wheel built from the "sdist", or from a copy whose links are "kept", "missing" or "text"."""
    folder = tmp_path_factory.mktemp("wheels")
    made: dict[str, Path] = {}

    def wheel_from(source: str) -> Path:
        if source not in made:
            tree = sdist if source == "sdist" else copy_repository(folder / source, source, snapshot)
            made[source] = build("wheel", tree, folder / f"wheel-{source}")
        return made[source]

    return wheel_from
