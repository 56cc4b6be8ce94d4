"""The dialect as OpenAPI describes it, made from the table of operations. It answers nothing."""

from __future__ import annotations

from typing import Any

from marketsim.gateway.binance.operations import Operation, Security, documented
from marketsim.gateway.binance.parameters import Parameter

_ERROR = {
    "type": "object",
    "properties": {"code": {"type": "integer"}, "msg": {"type": "string"}},
    "required": ["code", "msg"],
}
_ANSWERS = {
    "400": "the venue refuses it, and says why",
    "401": "the API key is missing, unknown or may not do this",
    "403": "the address may not enter",
    "404": "there is no such path",
    "405": "the path takes another method",
    "408": "the simulated venue has not answered in time: it is paused, or far behind",
    "409": "a cancel-replace of which one half failed",
    "413": "the request is too long",
    "418": "the address is banned for a while",
    "429": "too many requests or orders",
}
_SIGNED = (
    Parameter("timestamp", "long", True, doc="ms of the wall clock"),
    Parameter("recvWindow", "long", low=1, high=60_000, default=5_000, doc="ms that the request may be old"),
    Parameter("signature", "text", True, doc="HMAC-SHA256 of the query and the body before it, in hexadecimal"),
)


def dialect_paths() -> dict[str, Any]:
    """The ``paths`` of all operations."""
    paths: dict[str, Any] = {}
    for operation in documented():
        assert operation.http is not None
        method, path = operation.http
        paths.setdefault(path, {})[method.lower()] = _described(operation)
    return paths


def _described(operation: Operation) -> dict[str, Any]:
    signed = operation.security in (Security.READ, Security.TRADE)
    parameters = (*operation.parameters, *(_SIGNED if signed else ()))
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.doc,
        "tags": [{"NONE": "market", "USER_STREAM": "streams"}.get(operation.security.value, "account")],
        "parameters": [_parameter(parameter) for parameter in parameters],
        "responses": {
            "200": {"description": "the answer", "content": {"application/json": {"schema": {}}}},
            **{
                status: {"description": text, "content": {"application/json": {"schema": _ERROR}}}
                for status, text in _ANSWERS.items()
            },
        },
        "x-weight": operation.weight,
    }
    if operation.websocket:
        described["x-websocket-method"] = operation.websocket
    if operation.security is not Security.NONE:
        described["security"] = [{"ApiKey": []}]
    return described


def _parameter(parameter: Parameter) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": parameter.name, "in": "query", "required": parameter.required, "schema": parameter.schema(),
    }  # fmt: skip
    if parameter.doc:
        described["description"] = parameter.doc
    return described
