"""Which packages there are and where they come from; everything else is in pyproject.toml.

``agents/``, ``analysis/`` and ``scenarios/`` lie at the top of the repository and are installed inside marketsim.
The symlinks ``marketsim/agents`` and so on serve type checkers only: a checkout may lack them (Windows, some
archives), and where they exist nothing may be packed twice: a package found on both ways is one name, one folder.
"""

from setuptools import find_packages, setup

BESIDE = ("agents", "analysis", "scenarios")


def packages() -> list[str]:
    """Every package by the name under which it is imported."""
    inside = find_packages(include=["marketsim", "marketsim.*"])
    beside = find_packages(include=[pattern for room in BESIDE for pattern in (room, f"{room}.*")])
    return sorted({*inside, *(f"marketsim.{name}" for name in beside)})


setup(
    packages=packages(),
    package_dir={"marketsim": "marketsim", **{f"marketsim.{room}": room for room in BESIDE}},
)
