"""Writes docs/gateway-clients.md, the matrix of foreign clients for people: python tests/gateway/clients_page.py"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "gateway-clients.md"
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "gateway")]

import binance_cells  # noqa: E402
import ccxt_cells  # noqa: E402
from foreign_clients import CCXT_ALL, CELLS, PYTHON_BINANCE, SOCKETS, table  # noqa: E402


def page() -> str:
    """The page as it must be."""
    assert binance_cells
    assert ccxt_cells
    refused = sum(1 for one in CELLS if one.error)
    lines = [*_HEAD, "", f"{len(CELLS) - refused} cells are passed, {refused} are not supported.", ""]
    lines += ["## ccxt", "", *table(CCXT_ALL), ""]
    lines += ["## python-binance", "", *table((*PYTHON_BINANCE, SOCKETS)), ""]
    return "\n".join([*lines, *_FOOT]) + "\n"


_HEAD = """
# Foreign clients and what they may ask

The gateway speaks the spot dialect of Binance, and this is what unmodified clients can do with it. Each cell is a test
(`tests/gateway/test_foreign_clients.py`): ✓ means that the method was called against a served market and that its
answer agreed with the market itself, level by level, fill by fill, fee by fee. A name is the exception that the client
raises where something is not supported: the one that the real venue's refusal raises, or the client's own.
While the tests run, every other address is fenced off, and nothing was asked of any.

The clients are pointed to the gateway by `ccxt_config`, `point_python_binance` and `binance_socket_settings`, which
leave no address of the real venue anywhere:

```python
from marketsim.gateway import ccxt_config

settings = ccxt_config("http://127.0.0.1:8080", "API KEY", "SECRET")  # for ccxt.binance(settings) and its siblings
print(settings["urls"]["api"]["private"])
```
```text
http://127.0.0.1:8080/api/v3
```
""".strip().splitlines()

_FOOT = """
## Errors

Clients decide by the number and the text of a refusal, so both are the real venue's. What raises what:

| what is wrong | number | ccxt raises |
|---|---|---|
| more than the account holds | -2010 | `InsufficientFunds` |
| post-only, or a stop, that would trade at once | -2010 | `OrderImmediatelyFillable` |
| prices of a list that do not go together, a name that is taken, an order type not served | -2010 | `InvalidOrder` |
| an order to cancel or to show that there is not | -2011, -2013 | `OrderNotFound` |
| a quantity or a price off the grid | -1013 | `InvalidOrder` |
| worth less than the least | -1013 | `BadRequest` |
| a timestamp outside of the window | -1021 | `InvalidNonce` |
| a bad signature, an unknown key, a key of another form | -1022, -2015, -2014 | `AuthenticationError` |
| a symbol that is not traded | -1121 | `BadSymbol` |
| too many orders or requests | -1015, -1003, HTTP 429 | `DDoSProtection` |

python-binance raises `BinanceAPIException` for all of them, with the number in `code`.

## Where the market differs from the real venue

- Orders of a list are partners: each loses as much as the other trades, so a partial fill leaves a smaller stop. The
  real venue ends the stop at the first fill. A limit order of a list is checked against the book before it is sent and
  is not post-only after that.
- A trailing stop is `STOP_LOSS` with `trailingDelta`, without price and `stopPrice`. Take-profit orders, lists that
  place one order after another (OTO, OTOCO) and smart order routing are not there.
- Fees are taken in the quote asset, of buyers too.
- The market's clock is simulated: candles, trades and orders carry its time, `time` and signatures the wall clock's.
- Nothing can be paid in or out.
""".strip().splitlines()

if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
