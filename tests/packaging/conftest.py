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
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive, unpacked."""
    folder = tmp_path_factory.mktemp("source")
    return unpacked(build("sdist", copy_repository(folder / "copy", "kept"), folder / "made"), folder / "unpacked")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory, sdist: Path) -> Callable[[str], Path]:
    """The wheel built from the "sdist", or from a copy whose links are "kept", "missing" or "text"."""
    folder = tmp_path_factory.mktemp("wheels")
    made: dict[str, Path] = {}

    def wheel_from(source: str) -> Path:
        if source not in made:
            tree = sdist if source == "sdist" else copy_repository(folder / source, source)
            made[source] = build("wheel", tree, folder / f"wheel-{source}")
        return made[source]

    return wheel_from
