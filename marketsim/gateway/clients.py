"""Settings for foreign clients, so that they talk to a gateway and to nobody else.

Each function answers what the client's constructor takes, every address rewritten. It imports none of the clients.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from marketsim.errors import InvalidValueError

_HTTP = (
    "public", "private", "v1", "sapi", "sapiV2", "sapiV3", "sapiV4", "dapiPublic", "dapiPrivate", "dapiPrivateV2",
    "dapiData", "dapiPublicV2", "fapiPublic", "fapiPrivate", "fapiPublicV2", "fapiPublicV3", "fapiPrivateV2",
    "fapiPrivateV3", "fapiData", "eapiPublic", "eapiPrivate", "eapi", "papi", "papiV2", "web", "rest",
)  # fmt: skip
_PATHS = {
    "public": "/api/v3", "private": "/api/v3", "v1": "/api/v1", "sapi": "/sapi/v1", "sapiV2": "/sapi/v2",
    "sapiV3": "/sapi/v3", "sapiV4": "/sapi/v4",
}  # fmt: skip
_SOCKETS = (
    "margin", "linear", "future", "inverse", "delivery", "papi", "option", "optionMarket", "optionPrivate", "stock",
)  # fmt: skip


def ccxt_config(url: str, api_key: str = "", secret: str = "") -> dict[str, Any]:
    """What ``ccxt.binance(…)``, ``ccxt.async_support.binance`` and ``ccxt.pro.binance`` take.

    url: of the gateway, such as ``http://127.0.0.1:8080``. Products that the gateway does not have lead to addresses of
    the gateway too, where they are refused.
    """
    base, socket = _bases(url)
    api: dict[str, Any] = {name: base + _PATHS.get(name, f"/not-served/{name}") for name in _HTTP}
    api["ws"] = {
        "spot": f"{socket}/stream/ws",
        **{name: f"{socket}/not-served/{name}" for name in _SOCKETS},
        "ws-api": {name: f"{socket}{path}" for name, path in _API_SOCKETS.items()},
    }
    return {
        "apiKey": api_key,
        "secret": secret,
        "enableRateLimit": False,
        "options": {
            "defaultType": "spot",
            "fetchMarkets": {"types": ["spot"]},
            "fetchMargins": False,
            "fetchCurrencies": False,
        },
        "urls": {"api": api, "test": api, "demo": api, **_pages(base)},
    }


def _pages(base: str) -> dict[str, Any]:
    """Addresses for people, which ccxt shows and never asks: of the gateway too, so that nothing leads elsewhere."""
    page = f"{base}/docs"
    return dict.fromkeys(("logo", "www", "api_management", "fees"), page) | {
        "doc": [page],
        "referral": {"url": page, "discount": 0.0},
    }


_API_SOCKETS = {"spot": "/ws-api/v3", "linear": "/not-served/ws-fapi", "inverse": "/not-served/ws-dapi"}


def point_python_binance(client: Any, url: str) -> Any:
    """Point a ``binance.Client`` or ``binance.AsyncClient`` to a gateway; answers the same client.

    Make it with ``ping=False``; for streams use ``binance_socket_settings`` too.
    """
    base, socket = _bases(url)
    client.API_URL = f"{base}/api"
    client.MARGIN_API_URL = f"{base}/sapi"
    client.WEBSITE_URL = f"{base}/not-served/web"
    for name in vars(type(client)) | vars(type(client).__mro__[1]):
        if name.endswith("_URL") and name not in ("API_URL", "MARGIN_API_URL", "WEBSITE_URL"):
            scheme = socket if name.startswith("WS_") else base
            setattr(client, name, f"{scheme}/not-served/{name.lower()}")
    client.ws_api._url = f"{socket}/ws-api/v3"
    client.ws_future._url = f"{socket}/not-served/ws-fapi"
    return client


def binance_socket_settings(url: str) -> dict[str, str]:
    """Attributes to set on a ``BinanceSocketManager``, by name."""
    _, socket = _bases(url)
    away = f"{socket}/not-served/"
    return {
        "STREAM_URL": f"{socket}/",
        "STREAM_TESTNET_URL": f"{socket}/",
        "STREAM_DEMO_URL": f"{socket}/",
        **{
            f"{product}STREAM_{kind}URL": f"{away}{product.lower()}stream/"
            for product in ("F", "D")
            for kind in ("", "TESTNET_", "DEMO_")
        },
    }


def freqtrade_config(url: str, api_key: str = "", secret: str = "") -> dict[str, Any]:
    """The ``exchange`` part of a freqtrade configuration."""
    settings = ccxt_config(url)
    return {
        "name": "binance",
        "key": api_key,
        "secret": secret,
        "ccxt_config": {"urls": settings["urls"], "options": settings["options"]},
        "ccxt_async_config": {"urls": settings["urls"], "options": settings["options"]},
    }


def _bases(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise InvalidValueError(f"{url!r} is no address of a gateway: write http://127.0.0.1:8080")
    base = f"{parts.scheme}://{parts.netloc}"
    return base, base.replace("http", "ws", 1)
