"""YAML 1.2 in, YAML out, on the loader with libyaml and on the one without."""

from __future__ import annotations

import math
import subprocess
import sys
import textwrap
from typing import Any

import pytest
import yaml as pyyaml
from hypothesis import given
from hypothesis import strategies as st

from marketsim.scenario import yaml
from marketsim.scenario.document import Mark, Node

both = pytest.mark.parametrize("pure", [False, True], ids=["libyaml", "pure"])


def plain(text: str, pure: bool = False) -> Any:
    node, findings = yaml.read(text, "t.yaml", pure=pure)
    assert findings == []
    return node.to_plain()


def messages(text: str, pure: bool = False) -> list[str]:
    return list(map(str, yaml.read(text, "t.yaml", pure=pure)[1]))


def test_libyaml_is_what_we_test() -> None:
    assert issubclass(yaml._Loader, pyyaml.CSafeLoader)
    assert not issubclass(yaml._PureLoader, pyyaml.CSafeLoader)


# The core schema of YAML 1.2.2, chapter 10.3, and the places where PyYAML differs from it.
CORE = {
    "null": None, "Null": None, "NULL": None, "~": None, "": None, "nULL": "nULL",
    "true": True, "True": True, "TRUE": True, "false": False, "FALSE": False, "tRUE": "tRUE",
    "yes": "yes", "no": "no", "on": "on", "Off": "Off", "y": "y", "NO": "NO",
    "0": 0, "7": 7, "-3": -3, "+3": 3, "010": 10, "0o10": 8, "0o8": "0o8", "0x1F": 31, "-0x1F": "-0x1F", "0b11": "0b11",
    "1_000": "1_000", "10:30": "10:30", "190:20:30": "190:20:30", "1e6": 1e6, "1E6": 1e6, "1e+6": 1e6, "1.e3": 1000.0,
    ".5": 0.5, "-.5": -0.5, "5.": 5.0, ".": ".", "-": None, "1.5.2": "1.5.2", "12e03": 12000.0, "+12.3": 12.3,
    ".inf": math.inf, "-.INF": -math.inf, "+.Inf": math.inf, "inf": "inf", "nan": "nan", "e3": "e3", "1e": "1e",
    "2024-01-31": "2024-01-31", "09:30": "09:30", "=": "=", "0.1": 0.1,
    "123456789012345678901234567890": 123456789012345678901234567890,
}  # fmt: skip


@both
@pytest.mark.parametrize("text", [text for text in CORE if text != "-"])
def test_scalars_follow_yaml_1_2(text: str, pure: bool) -> None:
    value = plain(f"key: {text}", pure)["key"]
    assert value == CORE[text]
    assert type(value) is type(CORE[text])
    assert yaml.scalar(text) == CORE[text]


@both
def test_nan_is_a_float_and_quotes_make_text(pure: bool) -> None:
    assert math.isnan(plain("a: .nan", pure)["a"])
    assert plain("a: '1e6'\nb: \"true\"\nc: |\n  5\n", pure) == {"a": "1e6", "b": "true", "c": "5\n"}


@both
def test_explicit_tags_of_the_core_are_obeyed(pure: bool) -> None:
    assert plain('a: !!int "3"\nb: !!str 3\nc: !!float "3"\nd: !!null ""', pure) == {
        "a": 3,
        "b": "3",
        "c": 3.0,
        "d": None,
    }


@both
def test_keys_are_text_as_written(pure: bool) -> None:
    assert plain("TRUE: 1\n010: 2\nnull: 3\n1.50: 4", pure) == {"TRUE": 1, "010": 2, "null": 3, "1.50": 4}


@both
def test_every_key_and_value_knows_its_place(pure: bool) -> None:
    node, _ = yaml.read("a: 1\nb:\n  c: [x, {d: 'y'}]\n", "t.yaml", pure=pure)
    assert node.mark == Mark("t.yaml", 1, 1)
    inner = node.entries["b"].entries["c"]
    assert (inner.key, inner.mark) == (Mark("t.yaml", 3, 3), Mark("t.yaml", 3, 6))
    deepest = inner.value[1].entries["d"]
    assert (deepest.key, deepest.mark) == (Mark("t.yaml", 3, 11), Mark("t.yaml", 3, 14))
    assert not deepest.plain
    assert node.entries["a"].plain


@both
def test_every_duplicate_key_is_named(pure: bool) -> None:
    assert messages("a: 1\nb: {c: 1, c: 2}\na: 3\na: 4\n", pure) == [
        "t.yaml:2:11  b.c: given twice, first in line 2: keep one of them",
        "t.yaml:3:1  a: given twice, first in line 1: keep one of them",
        "t.yaml:4:1  a: given twice, first in line 1: keep one of them",
    ]


@both
def test_aliases_and_merge_keys_are_expanded(pure: bool) -> None:
    text = "base: &b {x: 1, y: 2}\nmore: &m {y: 3, z: 4}\none: {<<: *b, y: 9}\ntwo: {<<: [*b, *m]}\nsame: *b\n"
    assert plain(text, pure) == {
        "base": {"x": 1, "y": 2}, "more": {"y": 3, "z": 4}, "one": {"x": 1, "y": 9},
        "two": {"x": 1, "y": 2, "z": 4}, "same": {"x": 1, "y": 2},
    }  # fmt: skip
    assert messages("a: {<<: 3}", pure) == ['t.yaml:1:9  a: "<<" takes a mapping or a list of mappings']
    assert plain("a: {'<<': 3}", pure) == {"a": {"<<": 3}}


@both
def test_an_alias_to_its_own_value_is_refused(pure: bool) -> None:
    assert messages("a: &x [1, *x]", pure) == [
        "t.yaml:1:4  a[1]: an alias refers to a value that contains it: write the value out"
    ]


@both
def test_aliases_that_explode_are_refused(pure: bool) -> None:
    lines = ["a0: &a0 [1,1,1,1,1,1,1,1,1,1]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "aliases expand to more than 200000 values" in messages("\n".join(lines), pure)[0]


@both
def test_tags_never_run_anything(pure: bool) -> None:
    found = messages("a: !!python/object/apply:os.system [echo]\nb: !!python/name:os.system\nc: !mine {x: 1}", pure)
    assert found == [
        "t.yaml:1:4  a: the tag 'tag:yaml.org,2002:python/object/apply:os.system' is not known: remove it",
        "t.yaml:2:4  b: the tag 'tag:yaml.org,2002:python/name:os.system' is not known or does not fit '': remove it",
        "t.yaml:3:4  c: the tag '!mine' is not known: remove it",
    ]
    assert messages('a: !!int "x"', pure) == [
        "t.yaml:1:4  a: the tag 'tag:yaml.org,2002:int' is not known or does not fit 'x': remove it"
    ]


@both
@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: b: c", "t.yaml:1:5"),
        ("a:\n\tb: 1", "t.yaml:2:1"),
        ("a: *nobody", "t.yaml:1:4"),
        ("a: 'x", "t.yaml:1:6"),
        ("a: \x01", "t.yaml:1:4"),
        ("a: 1\n---\nb: 2", "t.yaml:2:1"),
    ],
)
def test_what_is_not_yaml_is_located(text: str, place: str, pure: bool) -> None:
    node, findings = yaml.read(text, "t.yaml", pure=pure)
    assert node.to_plain() == {}
    assert len(findings) == 1
    assert str(findings[0]).startswith(f"{place}  not valid YAML: ")


def test_messages_about_what_is_not_yaml() -> None:
    assert messages("a: b: c") == ["t.yaml:1:5  not valid YAML: mapping values are not allowed in this context"]
    assert messages("a: [1,\nb: 2") == [
        (
            "t.yaml:3:1  not valid YAML: did not find expected ',' or ']'"
            " (while parsing a flow sequence that begins in line 1)"
        )
    ]
    assert messages("a: 1\n---\nb: 2") == [
        't.yaml:2:1  not valid YAML: a second document begins here; a file holds one: remove the "---"'
    ]
    assert messages("a: \x01") == ["t.yaml:1:4  not valid YAML: the character U+0001 is not allowed; remove it"]


@both
@pytest.mark.parametrize("depth", [500, 5_000, 100_000])
def test_deep_nesting_is_an_error_and_no_crash(depth: int, pure: bool) -> None:
    for text in ("[" * depth + "]" * depth, "{a: " * depth + "}" * depth, "- " * depth + "1"):
        found = messages(text, pure)
        assert len(found) == 1
        assert found[0].endswith("not valid YAML: nested too deeply, more than 100 levels")


@both
def test_a_hundred_levels_are_read(pure: bool) -> None:
    value = plain("[" * 99 + "7" + "]" * 99, pure)
    for _ in range(99):
        (value,) = value
    assert value == 7


@both
def test_numbers_that_cannot_be_held_are_refused(pure: bool) -> None:
    found = messages("a: " + "9" * 5_000 + "\nb: -1e999", pure)
    nines = "'" + "9" * 59 + "…"
    assert found == [
        f"t.yaml:1:4  a: {nines} is too large a number to be read: write a smaller one",
        "t.yaml:2:4  b: '-1e999' is too large a number to be read: write a smaller one",
    ]
    assert yaml.scalar("9" * 5_000) == "9" * 5_000
    assert yaml.scalar("1e999") == "1e999"


@both
def test_keys_must_be_names(pure: bool) -> None:
    assert messages("? [a]\n: b\nc: 1", pure) == ["t.yaml:1:3  a key must be a name, not a list or a mapping"]


@both
def test_nothing_is_null(pure: bool) -> None:
    node, findings = yaml.read("# only a comment\n", "t.yaml", pure=pure)
    assert node == Node(None, Mark("t.yaml", 1, 1))
    assert findings == []


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(),
    st.sampled_from([text for text in CORE if text]), st.from_regex(r"\A[-+.0-9eExo_:~]{1,8}\Z"),
)  # fmt: skip
TREES = st.dictionaries(
    st.text(), st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12)
)


def same(left: Any, right: Any) -> bool:
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[name], right[name]) for name in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and left == right


@given(TREES)
def test_what_is_written_is_read_back(tree: dict[str, Any]) -> None:
    text = yaml.write(tree)
    assert same(plain(text), tree), text
    assert same(plain(text, pure=True), tree), text


@given(TREES)
def test_what_is_written_means_the_same_text_to_yaml_1_1(tree: dict[str, Any]) -> None:
    """Whoever reads our files with PyYAML's own rules sees no text turned into a number or a boolean."""

    def texts(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [text for part in value.values() for text in texts(part)]
        if isinstance(value, list):
            return [text for part in value for text in texts(part)]
        return [value] if isinstance(value, str) else []

    assert texts(pyyaml.safe_load(yaml.write(tree))) == texts(tree)


def test_without_libyaml_everything_still_works() -> None:
    code = """
        import yaml
        del yaml.CSafeLoader
        from marketsim.scenario import yaml as ours
        assert issubclass(ours._Loader, yaml.SafeLoader)
        node, findings = ours.read("a: 10:30\\na: 2", "t.yaml")
        print(node.to_plain(), *findings)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert done.stdout == "{'a': '10:30'} t.yaml:2:1  a: given twice, first in line 1: keep one of them\n"


@pytest.mark.parametrize("pure", [False, True])
def test_half_a_surrogate_pair_is_told_with_its_place(pure: bool) -> None:
    """As the command line makes it of bytes that are no text."""
    _, (finding,) = yaml.read("a: 1\nb: [\udcff]\n", "t.yaml", pure=pure)
    assert "U+DCFF is not allowed" in finding.message
    assert (finding.mark.line, finding.mark.column) == (2, 5)
