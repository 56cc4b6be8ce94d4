"""Which packages there are and where they come from; everything else is in pyproject.toml.

``agents/``, ``analysis/`` and ``scenarios/`` lie at the top of the repository and are installed inside marketsim.
The symlinks ``marketsim/agents`` and so on serve type checkers only: a checkout may lack them (Windows, some
archives), and where they exist they must not pack anything twice, so they are never followed here.
"""

from setuptools import find_packages, setup

BESIDE = ("agents", "analysis", "scenarios")


def packages() -> list[str]:
    """Every package by the name under which it is imported."""
    links = [pattern for room in BESIDE for pattern in (f"marketsim.{room}", f"marketsim.{room}.*")]
    inside = find_packages(include=["marketsim", "marketsim.*"], exclude=links)
    beside = find_packages(include=[pattern for room in BESIDE for pattern in (room, f"{room}.*")])
    return sorted(inside + [f"marketsim.{name}" for name in beside])


setup(
    packages=packages(),
    package_dir={"marketsim": "marketsim", **{f"marketsim.{room}": room for room in BESIDE}},
)
