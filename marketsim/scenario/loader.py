"""The loader: from a file, a ready scenario's name or a mapping to one checked ``ScenarioSpec``.

Order: each file is read, its environment variables are filled in and it is migrated; it is merged onto what it extends;
overrides are applied; everything is validated. All that is wrong is reported at once. It never runs a scenario.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path as FilePath
from typing import Any, TypeAlias

from marketsim.errors import ConfigurationError, ScenarioError, did_you_mean
from marketsim.scenario import yaml
from marketsim.scenario.document import Finding, Node, Path, from_plain, raise_findings, show
from marketsim.scenario.environment import expand
from marketsim.scenario.migration import migrate
from marketsim.scenario.overrides import Overrides, apply
from marketsim.scenario.parameters import parameters_of
from marketsim.scenario.registry import REGISTRY, Registry
from marketsim.scenario.shape import flatten, merge
from marketsim.scenario.spec import ScenarioSpec
from marketsim.scenario.typecheck import kind_of, typed_sections
from marketsim.scenario.validation import validate

Source: TypeAlias = str | os.PathLike[str] | Mapping[str, Any] | ScenarioSpec

READY = "marketsim.scenarios"
_SUFFIXES = (".yaml", ".yml")


def load(source: Source, overrides: Overrides = (), environment: Mapping[str, str] | None = None) -> ScenarioSpec:
    """A scenario whose parts fit each other; the names and parameters of types are not looked at.

    source: a file, the name of a ready scenario, a mapping as YAML would give it, or a spec.
    overrides: ``"agents.mm.gamma=0.2"``, or a mapping of paths to values; applied last.
    environment: what ``${NAME}`` refers to; the process's own when left out.
    Raises ScenarioError with every finding, UnsupportedVersionError for a file of a later schema.
    """
    return _load(source, overrides, environment, None)


def check(
    source: Source,
    overrides: Overrides = (),
    environment: Mapping[str, str] | None = None,
    registry: Registry = REGISTRY,
) -> ScenarioSpec:
    """As ``load``, and every type exists and takes its parameters; file parameters are found beside their scenario."""
    return _load(source, overrides, environment, registry)


def _load(
    source: Source, overrides: Overrides, environment: Mapping[str, str] | None, registry: Registry | None
) -> ScenarioSpec:
    reader = _Reader(os.environ if environment is None else environment)
    root = reader.read(source)
    if reader.unreadable:
        raise_findings(reader.findings, reader.folders)
    root, refused = apply(root, overrides)
    if registry is not None:
        root = _with_files(root, reader.folders, registry)
    return validate(root, [*reader.findings, *refused], reader.broken, registry, reader.folders)


def ready_scenarios() -> tuple[str, ...]:
    """The names of the scenarios that ship with marketsim."""
    files = resources.files(READY).iterdir()
    return tuple(sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml")))


def read_ready(name: str) -> str:
    """The text of a ready scenario; ScenarioError when there is none of that name."""
    if name not in ready_scenarios():
        raise ScenarioError([f'no ready scenario is called "{name}"{did_you_mean(name, ready_scenarios())}'])
    return (resources.files(READY) / f"{name}.yaml").read_text(encoding="utf-8")


@dataclass(frozen=True)
class _File:
    """One text to read: what identifies it, how messages call it, and the folder that its own paths begin at."""

    key: str
    label: str
    folder: FilePath
    text: str


@dataclass
class _Reader:
    """Reads one scenario and all that it extends."""

    environment: Mapping[str, str]
    findings: list[Finding] = field(default_factory=list)
    broken: set[Path] = field(default_factory=set)
    folders: dict[str, FilePath] = field(default_factory=dict)
    unreadable: bool = False
    home: FilePath | None = None  # the folder of the first file, from which messages name the others

    def read(self, source: Source) -> Node:
        """The flattened tree of a source and everything that it extends."""
        if isinstance(source, ScenarioSpec):
            source = source.to_dict()
        if isinstance(source, Mapping):
            return self._extended(from_plain(source), FilePath(), ())
        file = self._open(source, FilePath())
        root = self._file(file, ())
        if root.is_mapping and "name" not in self.own_names:
            name = Node(FilePath(file.label).stem, root.mark, root.mark)
            root = root.with_entries({**root.entries, "name": name})
        return root

    own_names: set[str] = field(default_factory=set)  # the entries of the first file itself

    def _file(self, file: _File, inside: tuple[_File, ...]) -> Node:
        """The tree of one file and what it extends. ``inside``: the files that extend this one."""
        self.folders[file.label] = file.folder
        root, wrong = yaml.read(file.text, file.label)
        self.unreadable |= any(not finding.path and not root.entries for finding in wrong)
        root = Node({}, root.mark) if root.value is None else root
        if not root.is_mapping:
            what = f'{show(root.to_plain())} is not a scenario: begin with lines such as "name: value"'
            wrong.append(Finding((), what, root.mark))
            self.unreadable = True
        root, unset = expand(root, self.environment)
        self.findings += wrong + unset
        self.broken |= {finding.path for finding in [*wrong, *unset] if finding.path}
        if not inside:
            self.own_names = set(root.entries)
        return self._extended(root, file.folder, (*inside, file))

    def _extended(self, root: Node, folder: FilePath, inside: tuple[_File, ...]) -> Node:
        """A tree of the present version, merged onto what it extends."""
        root, old = migrate(root)
        root, twice = flatten(root)
        self.findings += old + twice
        self.unreadable |= bool(old)
        bases = root.entries.get("extends")
        if bases is None:
            return root
        own = root.with_entries({name: part for name, part in root.entries.items() if name != "extends"})
        merged: Node | None = None
        for base in bases.value if isinstance(bases.value, tuple) else (bases,):
            tree = self._base(base, folder, inside)
            merged = tree if merged is None or tree is None else merge(merged, tree)
        return own if merged is None else merge(merged, own)

    def _base(self, base: Node, folder: FilePath, inside: tuple[_File, ...]) -> Node | None:
        """The tree of one thing that a file extends; None when it cannot be read, which is a finding."""
        if base.value is None:
            return None
        try:
            if not isinstance(base.value, str):
                raise ScenarioError([f"{show(base.to_plain())} is not the name of a file or of a ready scenario"])
            file = self._open(base.value, folder)
            if any(outer.key == file.key for outer in inside):
                chain = " → ".join([*(outer.label for outer in inside), file.label])
                raise ScenarioError([f"the files extend each other in a circle, {chain}: end it at one of them"])
        except ScenarioError as error:
            self.findings.append(Finding(("extends",), str(error), base.mark))
            self.unreadable = True
            return None
        return self._file(file, inside)

    def _open(self, source: str | os.PathLike[str], folder: FilePath) -> _File:
        """The text of a file or a ready scenario; ScenarioError when there is none."""
        text = os.fspath(source)
        if isinstance(source, str) and _is_name(text) and (text in ready_scenarios() or not (folder / text).exists()):
            content = read_ready(text)
            return _File(f"ready:{text}", f"{text}.yaml", FilePath(str(resources.files(READY))), content)
        path = folder / text
        if self.home is None:
            self.home = path.parent
        return _File(str(path.resolve()), _label(path, self.home), path.parent, _text(path, text))


def _is_name(text: str) -> bool:
    """Whether text names a ready scenario rather than a file."""
    return not text.endswith(_SUFFIXES) and "/" not in text and os.sep not in text


def _label(path: FilePath, home: FilePath) -> str:
    try:
        return FilePath(os.path.relpath(path, home)).as_posix()
    except ValueError:  # another drive
        return path.as_posix()


def _text(path: FilePath, shown: str) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ScenarioError([f"{shown}: there is no such file{_near(path)}"]) from None
    except IsADirectoryError:
        raise ScenarioError([f"{shown} is {_folder_words(path)}"]) from None
    except OSError as error:
        if path.is_dir():  # on Windows a folder is one that may not be read
            raise ScenarioError([f"{shown} is {_folder_words(path)}"]) from None
        raise ScenarioError([f"{shown}: it cannot be read: {error.strerror or error}"]) from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ScenarioError([f"{shown}:{line}: not UTF-8 text: save the file as UTF-8"]) from None


def _folder_words(path: FilePath) -> str:
    """What a folder is that stands where a scenario should, and what to name instead."""
    wanted = "and a scenario is wanted: name a scenario file"
    if (path / "manifest.json").is_file() or (path / "events").is_dir():
        return f"a run folder, {wanted} or a ready scenario"
    if (path / "summary.csv").is_file() or (path / "summary.parquet").is_file():
        return f"a folder of results, {wanted} or a ready scenario"
    files = sorted(file.name for file in path.glob("*") if file.suffix in _SUFFIXES)
    listed = f", such as {path.as_posix()}/{files[0]}," if files else ""
    return f"a folder, {wanted}{listed} or a ready scenario"


def _near(path: FilePath) -> str:
    """The nearest scenario beside a missing file, or the ready one that may be meant."""
    if path.stem in ready_scenarios():
        return f'; the ready scenario is called "{path.stem}"'
    files = sorted(path.parent.glob("*")) if path.parent.is_dir() else []
    beside = {file.stem: file.name for file in files if file.suffix in _SUFFIXES}
    near = [name for stem, name in beside.items() if '"' in did_you_mean(path.stem, [stem])]
    return f'; did you mean "{near[0]}"?' if near else ""


def _with_files(root: Node, folders: Mapping[str, FilePath], registry: Registry) -> Node:
    """The tree with every parameter that names a file relative to a scenario's folder as a path from here."""
    for path, section in typed_sections(root.to_plain()):
        try:
            cls = registry.resolve(kind_of(path), str(section.get("type")))
        except ConfigurationError:
            continue  # reported by the validation
        for parameter in parameters_of(cls):
            if parameter.metadata.get("kind") == "file" and parameter.name in section:
                root = _moved(root, (*path, parameter.name), folders)
    return root


def _moved(node: Node, path: Path, folders: Mapping[str, FilePath]) -> Node:
    if path:
        child = node.child(path[0])
        assert child is not None
        moved = _moved(child, path[1:], folders)
        if isinstance(node.value, tuple):
            return replace(node, value=tuple(moved if part is child else part for part in node.value))
        return node.with_entries({**node.entries, str(path[0]): moved})
    folder = folders.get(node.mark.source)
    if folder is None or not isinstance(node.value, str) or not node.value:
        return node
    return replace(node, value=(folder / node.value).as_posix())
