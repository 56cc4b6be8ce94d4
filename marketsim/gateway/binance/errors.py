"""What the venue says when it refuses: a number, a text, and an HTTP status. Clients decide by number and text.

The numbers and the texts that clients look at are the real venue's; where it says less than a user needs, a repair
follows. It decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marketsim.domain.order import Reason
from marketsim.errors import GatewayError


class VenueError(GatewayError):
    """A refusal in the venue's words. ``status``: of HTTP; ``headers``: beside it; ``more``: fields of the answer."""

    def __init__(
        self,
        code: int,
        message: str,
        status: int = 400,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status
        self.headers = dict(headers or {})
        self.more = dict(more or {})

    @property
    def body(self) -> dict[str, Any]:
        """As JSON tells it."""
        return {"code": self.code, "msg": self.message, **self.more}


def missing(name: str) -> VenueError:
    """A parameter that must be there."""
    return VenueError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def illegal(name: str, rule: str) -> VenueError:
    """A parameter that is not written as it must be."""
    return VenueError(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{rule}'.")


def filter_failure(name: str, repair: str = "") -> VenueError:
    """An order that a filter of its symbol refuses."""
    return VenueError(-1013, f"Filter failure: {name}" + (f"; {repair}" if repair else ""))


def bad_symbol() -> VenueError:
    """A symbol that is not traded here."""
    return VenueError(-1121, "Invalid symbol.")


def unknown_order() -> VenueError:
    """An order that nobody knows, asked for."""
    return VenueError(-2013, "Order does not exist.")


def unknown_cancel() -> VenueError:
    """An order that is not open, to be canceled."""
    return VenueError(-2011, "Unknown order sent.")


def timeout() -> VenueError:
    """The simulated venue has not answered in time: it is paused, or far behind."""
    return VenueError(
        -1007,
        "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
        408,
    )


_BY_REASON: dict[Reason, tuple[int, str]] = {
    Reason.WOULD_TRADE: (-2010, "Order would immediately match and take."),
    Reason.INVALID_QUANTITY: (-1013, "Filter failure: LOT_SIZE"),
    Reason.INVALID_PRICE: (-1013, "Filter failure: PRICE_FILTER"),
    Reason.OUTSIDE_BANDS: (-1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
    Reason.NOTIONAL: (-1013, "Filter failure: NOTIONAL"),
    Reason.MARKET_CLOSED: (-2010, "Market is closed."),
    Reason.WRONG_PHASE: (-2010, "Market is closed."),
    Reason.INVALID_INSTRUCTION: (-2010, "Unsupported order combination"),
    Reason.UNKNOWN_LINK: (-2010, "Unsupported order combination"),
    Reason.UNKNOWN_ORDER: (-2011, "Unknown order sent."),
    Reason.NOT_OWNER: (-2011, "Unknown order sent."),
    Reason.THROTTLED: (-1015, "Too many new orders."),
    Reason.MARGIN: (-2010, "Account has insufficient balance for requested action."),
    Reason.RISK: (-2010, "This action is disabled on this account: it would exceed the client's risk limits."),
    Reason.DISCONNECTED: (-1001, "Internal error; unable to process your request. Please try again."),
}


def of_reason(reason: Reason, code: int = -2010) -> VenueError:
    """The venue's word for a refusal of the simulated market. ``code``: where it has none of its own."""
    found = _BY_REASON.get(reason)
    if found is None:
        return VenueError(code, f"The order was rejected: {reason.name}.")
    return VenueError(found[0] if code == -2010 or found[0] != -2010 else code, found[1])
