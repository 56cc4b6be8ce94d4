"""The OpenAPI page: it is valid, tells everything that can be asked, and Schemathesis finds nothing wrong with it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from marketsim.gateway import openapi
from marketsim.gateway.binance.operations import documented
from marketsim.gateway.server import background
from tests.gateway import served
from tests.gateway.test_security import ask

SEED, EXAMPLES = 2026, 20
ROOT = Path(__file__).parents[2]
NOT_HERE = (
    "positive_data_acceptance",  # a venue refuses orders for reasons that no schema tells
    "use_after_free",  # what is canceled can still be asked for
    "ensure_resource_availability",
    "object_level_authorization",
)


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the server tells about itself."""
    with served.on_a_thread(tmp_path_factory.mktemp("openapi") / "run") as server:
        answer = ask(server.url, "/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    told: dict[str, Any] = json.loads(answer.body)
    return told


@pytest.mark.slow
def test_it_is_openapi(described: dict[str, Any]) -> None:
    validate = pytest.importorskip("jsonschema_rs")
    import schemathesis

    schema = schemathesis.openapi.from_dict(described)
    schema.validate()
    assert len(list(schema.get_all_operations())) == sum(len(methods) for methods in described["paths"].values())
    for shape in described["components"]["schemas"].values():
        validate.meta.validate({**shape, "$schema": "https://json-schema.org/draft/2020-12/schema"})


def test_every_operation_tells_what_it_answers(described: dict[str, Any]) -> None:
    for operation in documented():
        assert operation.http is not None
        method, path = operation.http
        told = described["paths"][path][method.lower()]
        assert operation.name in openapi._ANSWERS, f"{operation.name}: write its answer into openapi.py"
        assert told["responses"]["200"]["content"]["application/json"]["schema"]
        assert {parameter["name"] for parameter in told["parameters"]} >= {each.name for each in operation.parameters}
        assert {"400", "401", "418", "429", "503"} <= told["responses"].keys()


def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(described))):
        found: Any = described
        for part in reference.split("/"):
            assert part in found, reference
            found = found[part]


def _search(folder: Path, tag: str, **options: Any) -> str:
    """What Schemathesis says about all operations of a tag; the server's patience is short and no session ends."""
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        "--seed",
        str(SEED),
        "--max-examples",
        str(EXAMPLES),
        "--phases",
        "examples,coverage,fuzzing",
        "--checks",
        "all",
        "--exclude-checks",
        ",".join(NOT_HERE),
        "--no-color",
        "--continue-on-failure",
        "--warnings",
        "off",
        tag,
        "control",
    ]
    with served.kept_log() as lines:
        gateway, keys = served.ready(folder, **options)
        stop, gateway.stop = gateway.stop, lambda: None  # type: ignore[method-assign]
        gateway.exchange.desk.patience = 0.3
        with background(gateway):
            key, secret = keys["alice"]
            known = {
                "MARKETSIM_TEST_KEY": key,
                "MARKETSIM_TEST_SECRET": secret,
                "SCHEMATHESIS_HOOKS": "tests.gateway.signing_hooks",
            }
            done = subprocess.run(
                [*command, "-H", f"X-MBX-APIKEY: {key}", f"{gateway.url}/openapi.json"],
                env={**os.environ, **known, "PYTHONPATH": str(ROOT)},
                cwd=folder.parent,
                capture_output=True,
                text=True,
                timeout=300,
            )
            gateway.stop = stop  # type: ignore[method-assign]
    assert not lines, lines[:20]
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_schemathesis_finds_nothing_in_the_dialect(tmp_path: Path) -> None:
    told = _search(tmp_path / "run", "--exclude-tag")
    print(told[-600:])
    assert int(re.findall(r"([0-9]+) generated", told)[0]) > 3_000


@pytest.mark.slow
def test_schemathesis_finds_nothing_in_the_control(tmp_path: Path) -> None:
    told = _search(tmp_path / "run", "--include-tag", duration="20d")
    print(told[-600:])
    assert int(re.findall(r"([0-9]+) generated", told)[0]) > 100
