"""Environment variables in scenario files: ``${NAME}`` and ``${NAME:-default}`` in values; ``$${`` is a plain ``${``.

A value that was written without quotes, or that is one whole reference, is read again afterwards, so that ``${SEED}``
can be a number. Keys are left alone, and what a variable holds is not searched for further references.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from marketsim.errors import InvalidValueError, did_you_mean
from marketsim.scenario import yaml
from marketsim.scenario.document import Finding, Node, Path

_REFERENCE = re.compile(r"\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(:-([^}]*))?\})?")


def expand(root: Node, environment: Mapping[str, str]) -> tuple[Node, list[Finding]]:
    """The tree with every reference replaced, and a finding for each that cannot be."""
    findings: list[Finding] = []
    return _expanded(root, (), environment, findings), findings


def escape(text: str) -> str:
    """Text that ``expand`` gives back as it is."""
    return text.replace("${", "$${")


def _expanded(node: Node, path: Path, environment: Mapping[str, str], findings: list[Finding]) -> Node:
    if isinstance(node.value, Mapping):
        parts = {name: _expanded(part, (*path, name), environment, findings) for name, part in node.value.items()}
        return node.with_entries(parts)
    if isinstance(node.value, tuple):
        items = tuple(_expanded(part, (*path, index), environment, findings) for index, part in enumerate(node.value))
        return replace(node, value=items)
    if not isinstance(node.value, str) or "${" not in node.value:
        return node
    try:
        text = _REFERENCE.sub(lambda match: _value(match, environment), node.value)
    except InvalidValueError as error:
        findings.append(Finding(path, str(error), node.mark))
        return node
    whole = _REFERENCE.fullmatch(node.value)
    typed = node.plain or (whole is not None and whole.group(1) is not None)
    return replace(node, value=yaml.scalar(text) if typed else text)


def _value(match: re.Match[str], environment: Mapping[str, str]) -> str:
    name, default, text = match.groups()
    if match.group() == "$${":
        return "${"
    if name is None:
        raise InvalidValueError(
            '"${" is not closed or not followed by a name: write ${NAME}, or $${ for the characters'
        )
    if environment.get(name):
        return environment[name]
    if default is not None:
        return str(text)
    if name in environment:
        return ""
    near = did_you_mean(name, environment)
    repair = near if '"' in near else f"; set it, or give a default: ${{{name}:-value}}"
    raise InvalidValueError(f"the environment variable {name} is not set{repair}")
