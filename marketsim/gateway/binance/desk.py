"""The desk: takes orders, cancels and amendments of the dialect to the seats of a live session, and waits for answers.

A request is answered when the simulated venue's reports have come back to the seat, so answers take the simulated
latency. Whatever happens to an order is also told to those who listen to the account. It opens no socket.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from time import monotonic
from typing import Any

from marketsim.agents.client import Client, Pair, Record, Refusal
from marketsim.domain.event import EventKind
from marketsim.domain.market_data import Report
from marketsim.domain.order import OrderState, Side
from marketsim.gateway.binance import lists, orders
from marketsim.gateway.binance.audience import Audience
from marketsim.gateway.binance.errors import VenueError, of_reason, timeout, unknown_cancel, unknown_order
from marketsim.gateway.binance.markets import ServedMarket, ServedMarkets
from marketsim.kernel.pacing import Pacer
from marketsim.kernel.token import fresh_token
from marketsim.simulation.live import LiveSession

PATIENCE = 10.0  # wall seconds in which the simulated venue must have answered
_NO_CHANGE = (EventKind.CANCEL_REJECTED, EventKind.REPLACE_REJECTED)
_AMENDED = (EventKind.REPLACED, EventKind.REPLACE_REJECTED)


class _Waiter:
    """Somebody who waits for the answer to a request about an order."""

    __slots__ = ("asked", "future", "rest")

    def __init__(self, asked: str, future: asyncio.Future[Report | None]) -> None:
        self.asked = asked
        self.future = future
        self.rest = -1  # lots that the venue held when it accepted the order

    def hears(self, record: Record, report: Report, resting: Callable[[int], int]) -> bool:
        """Whether this report is the answer."""
        if self.asked == "new":
            if not record.live:
                return True
            if report.kind is EventKind.ACCEPTED:
                self.rest = resting(record.number)
            return self.rest >= 0 and record.order.leaves <= self.rest
        if self.asked == "cancel":
            return not record.live or report.kind is EventKind.CANCEL_REJECTED
        return not record.live or report.kind in _AMENDED


class Desk:
    """Takes requests about orders to the simulated venue.

    audience: is told what happens on an account, as the dialect's user events.
    """

    def __init__(
        self, live: LiveSession, pacer: Pacer, markets: ServedMarkets, self_trades: str, audience: Audience
    ) -> None:
        self._live = live
        self._pacer = pacer
        self._markets = markets
        self.self_trades = self_trades
        self._audience = audience
        self._waiting: dict[int, list[_Waiter]] = {}  # by the identity of a record
        self._start = live.spec.start
        self.patience = PATIENCE
        self._prefix = fresh_token(8)
        self._named = 0
        self._deadlines: deque[tuple[float, _Waiter]] = deque()
        self.taken = 0  # requests to the simulated venue
        self.executions = 0  # reports of the venue, each with a number
        for client in live.clients.values():
            client.hear(self._hear)

    @property
    def waiting(self) -> int:
        """Requests that have no answer yet."""
        return len(self._waiting)

    def epoch(self, time: int) -> int:
        """Simulated ns as ms since 1970."""
        return self._live.epoch + (time - self._start) // 1_000_000

    # --- requests ---

    def terms(self, asked: Mapping[str, Any], market: ServedMarket) -> Any:
        """The terms of a new order; VenueError where it contradicts itself or a filter."""
        self._check_prevention(asked)
        name = asked["newClientOrderId"] or self._new_name()
        side = Side.BUY if asked["side"] == "BUY" else Side.SELL
        return orders.terms_of(asked, market, name, self.estimator(market, side))

    async def place(self, client: Client, asked: Mapping[str, Any]) -> dict[str, Any]:
        """A new order, answered once the venue has taken it and what traded at once has come back."""
        market = self._markets[asked["symbol"]]
        terms = self.terms(asked, market)
        response = asked["newOrderRespType"] or ("FULL" if asked["type"] in ("MARKET", "LIMIT") else "ACK")
        record = _sent(self._command(client, "place", *terms))
        await self._answer(record, "new")
        if record.order.state is OrderState.REJECTED:
            raise of_reason(record.order.reason)
        return orders.answer_to_new(record, market, response, self.self_trades, self.epoch)

    async def cancel(self, client: Client, asked: Mapping[str, Any]) -> dict[str, Any]:
        """A cancel, answered when it is done: for one of a list, when both have ended."""
        market = self._markets[asked["symbol"]]
        record = self.find(client, market, asked["orderId"], asked["origClientOrderId"], unknown_cancel, under_way=True)
        wanted = asked["cancelRestrictions"]
        if wanted is not None and (wanted == "ONLY_NEW") == bool(record.order.filled):
            raise VenueError(-2011, "Order was not canceled due to cancel restrictions.")
        name = asked["newClientOrderId"] or self._new_name()
        answered = self._command(client, "cancel", record.number, name)
        if not isinstance(answered, Record):
            raise unknown_cancel()
        ending = (record,) if record.pair is None else record.pair.records  # one of a list takes the other with it
        await asyncio.gather(*[self._answer(each, "cancel") for each in ending])
        if orders.status_of(record) != "CANCELED":
            raise unknown_cancel()
        return orders.answer_to_cancel(record, market, self.self_trades, self.epoch)

    async def cancel_all(self, client: Client, symbol: str) -> list[dict[str, Any]]:
        """The cancel of all open orders of a symbol."""
        market = self._markets[symbol]
        open_orders = [record for record in client.live() if record.terms.market == market.number]
        if not open_orders:
            raise unknown_cancel()
        self._command(client, "cancel_all", market.number)
        await asyncio.gather(*[self._answer(record, "cancel") for record in open_orders])
        gone = [record for record in open_orders if orders.status_of(record) == "CANCELED"]
        told: list[dict[str, Any]] = []
        for record in gone:
            pair = record.pair
            if pair is None:
                told.append(orders.answer_to_cancel(record, market, self.self_trades, self.epoch))
            elif record is pair.first or pair.first not in gone:
                told.append(lists.answer_to_cancel_list(pair, market, self.self_trades, self.epoch))
        return told

    # --- order lists ---

    async def place_list(self, client: Client, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Two new orders of which one cancels the other, answered once the venue has taken both."""
        market = self._markets[asked["symbol"]]
        self._check_prevention(asked)
        side = Side.BUY if asked["side"] == "BUY" else Side.SELL
        terms = lists.terms_of_pair(asked, market, self.estimator(market, side))
        first = _sent(self._command(client, "pair", list(terms.stop), list(terms.limit), terms.name))
        pair = first.pair
        if pair is None:  # refused by the client's own limits
            await self._answer(first, "new")
            raise of_reason(first.order.reason)
        await asyncio.gather(*[self._answer(record, "new") for record in pair.records])
        for record in pair.records:
            other = pair.other(record)
            if record.order.state is OrderState.REJECTED and not other.order.filled:
                if other.live:
                    self._command(client, "cancel", other.number)
                raise of_reason(record.order.reason)
        response = asked["newOrderRespType"] or "RESULT"
        return lists.answer_to_new_list(pair, market, response, self.self_trades, self.epoch)

    async def cancel_list(self, client: Client, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The cancel of both orders of a list."""
        market = self._markets[asked["symbol"]]
        pair = self.find_list(client, asked["orderListId"], asked["listClientOrderId"], unknown_cancel)
        if pair.first.terms.market != market.number or not pair.live:
            raise unknown_cancel()
        pair.restated = asked["newClientOrderId"] or fresh_token(22)
        record = pair.first if pair.first.live else pair.second
        if not isinstance(self._command(client, "cancel", record.number, pair.restated), Record):
            raise unknown_cancel()
        await asyncio.gather(*[self._answer(each, "cancel") for each in pair.records])
        if orders.status_of(record) != "CANCELED":
            raise unknown_cancel()
        return lists.answer_to_cancel_list(pair, market, self.self_trades, self.epoch)

    def find_list(
        self, client: Client, number: int | None, name: str | None, otherwise: Callable[[], VenueError]
    ) -> Pair:
        """An own list by number or name."""
        if number is None and name is None:
            raise VenueError(
                -1102, "Param 'orderListId' or 'listClientOrderId' must be sent, but both were empty/null!"
            )
        pair = client.pair(number) if number is not None else client.pair_by_name(name or "")
        if pair is None or not pair.first.order.order_id or (name is not None and pair.name != name):
            raise otherwise()
        return pair

    def show_list(self, pair: Pair) -> dict[str, Any]:
        """A list as queries answer it."""
        return lists.show_list(pair, self._markets.numbered(pair.first.terms.market), self.epoch)

    # --- other requests ---

    async def amend(self, client: Client, asked: Mapping[str, Any]) -> dict[str, Any]:
        """A smaller quantity for an order that keeps its place."""
        market = self._markets[asked["symbol"]]
        record = self.find(client, market, asked["orderId"], asked["origClientOrderId"], unknown_order)
        quantity = market.lots(asked["newQty"], "newQty")
        before = record.name
        name = asked["newClientOrderId"] or before
        answered = self._command(client, "amend", record.number, quantity, name)
        if answered is Refusal.DUPLICATE:
            raise VenueError(-2010, "Duplicate order sent.")
        if answered is Refusal.SIZE:
            raise VenueError(-2038, "The requested quantity must be less than the original and above what is filled.")
        if not isinstance(answered, Record):
            raise unknown_order()
        report = await self._answer(record, "amend")
        if report is None or report.kind is not EventKind.REPLACED:
            raise VenueError(-2038, "Order amend (quantity decrease) was rejected.")
        return {
            "transactTime": self.epoch(record.updated),
            "executionId": self.executions,
            "amendedOrder": {
                "symbol": market.symbol,
                "orderId": record.number,
                "orderListId": -1,
                "origClientOrderId": before,
                "clientOrderId": name,
                "price": market.price(record.order.price),
                "qty": market.quantity(record.order.quantity),
                "executedQty": market.quantity(record.order.filled),
                "preventedQty": "0.00000000",
                "quoteOrderQty": "0.00000000",
                "cumulativeQuoteQty": market.value(record.order.value),
                "status": orders.status_of(record),
                "timeInForce": orders.force_of(record.terms),
                "type": record.terms.label,
                "side": record.order.side.name,
                "workingTime": self.epoch(record.created),
                "selfTradePreventionMode": self.self_trades,
            },
        }

    async def cancel_replace(self, client: Client, asked: Mapping[str, Any]) -> dict[str, Any]:
        """A cancel and a new order, the second only after the first unless ALLOW_FAILURE asks for both."""
        market = self._markets[asked["symbol"]]
        self.terms(asked, market)  # what is wrong with the new order is said before anything is canceled
        canceled: dict[str, Any] | None = None
        failed: VenueError | None = None
        try:
            canceled = await self.cancel(
                client,
                {
                    "symbol": asked["symbol"],
                    "orderId": asked["cancelOrderId"],
                    "origClientOrderId": asked["cancelOrigClientOrderId"],
                    "newClientOrderId": asked["cancelNewClientOrderId"],
                    "cancelRestrictions": asked["cancelRestrictions"],
                },
            )
        except VenueError as error:
            failed = error
            if asked["cancelReplaceMode"] == "STOP_ON_FAILURE" or error.code not in (-2011, -2013):
                raise _half("FAILURE", "NOT_ATTEMPTED", error.body, None) from error
        if canceled is not None and asked["cancelRestrictions"] == "ONLY_NEW" and Decimal(canceled["executedQty"]):
            said = VenueError(-2010, "Order was partially filled while its cancel was under way; no new one was sent.")
            raise _half("SUCCESS", "FAILURE", canceled, said.body)
        try:
            placed = await self.place(client, asked)
        except VenueError as error:
            gone = failed.body if failed is not None else canceled
            raise _half("SUCCESS" if failed is None else "FAILURE", "FAILURE", gone, error.body) from error
        if failed is not None:
            raise _half("FAILURE", "SUCCESS", failed.body, placed)
        return {
            "cancelResult": "SUCCESS",
            "newOrderResult": "SUCCESS",
            "cancelResponse": canceled,
            "newOrderResponse": placed,
        }

    def silence(self, client: Client) -> None:
        """A participant is gone: everything of it is canceled."""
        if any(True for _ in client.live()):
            self._command(client, "cancel_all")

    # --- looking ---

    def find(
        self,
        client: Client,
        market: ServedMarket,
        number: int | None,
        name: str | None,
        otherwise: Callable[[], VenueError],
        *,
        under_way: bool = False,
    ) -> Record:
        """An own order by number or name. ``under_way``: also one that the venue has not taken yet."""
        if number is None and name is None:
            raise VenueError(
                -1102,
                "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!",
            )
        record = client.by_number(number) if number is not None else client.by_name(name or "")
        if record is None or record.terms.market != market.number:
            raise otherwise()
        if not record.order.order_id and not (under_way and record.number and record.live):
            raise otherwise()
        if name is not None and number is not None and record.name != name:
            raise otherwise()
        return record

    def estimator(self, market: ServedMarket, side: Side) -> Callable[[int], tuple[int, int]]:
        """Tells lots that an order of so many would meet in the book now, and their price in ticks x lots."""
        book = market.view.book
        levels = sorted(book.asks.items()) if side is Side.BUY else sorted(book.bids.items(), reverse=True)

        def estimate(lots: int) -> tuple[int, int]:
            left, cost = lots, 0
            for price, there in levels:
                taken = min(left, there)
                cost += taken * price
                left -= taken
                if not left:
                    break
            return lots - left, cost

        return estimate

    # --- inner ---

    def _check_prevention(self, asked: Mapping[str, Any]) -> None:
        prevention = asked["selfTradePreventionMode"]
        if prevention is not None and prevention != self.self_trades:
            raise VenueError(
                -1130, f"Data sent for parameter 'selfTradePreventionMode' is not valid: {self.self_trades}."
            )

    def _command(self, client: Client, verb: str, *arguments: Any) -> Record | Refusal:
        self._pacer.come_close()
        if self._live.now >= self._live.end:
            raise VenueError(-2010, "Market is closed.")
        self.taken += 1
        return self._live.command(client.name, verb, *arguments)

    def _answer(self, record: Record, asked: str) -> Awaitable[Report | None]:
        """The venue's answer; None when the order was over before. It is listened for from this call on."""
        waiter = _Waiter(asked, asyncio.get_running_loop().create_future())
        if asked != "new" and not record.live:
            waiter.future.set_result(None)
        else:
            self._waiting.setdefault(id(record), []).append(waiter)
            self._deadlines.append((monotonic() + self.patience, waiter))
        return self._wait(record, waiter)

    async def _wait(self, record: Record, waiter: _Waiter) -> Report | None:
        try:
            return await waiter.future
        finally:
            waiting = self._waiting.get(id(record), [])
            if waiter in waiting:
                waiting.remove(waiter)
                if not waiting:
                    del self._waiting[id(record)]

    def expire(self) -> None:
        """Those who have waited too long are told so."""
        deadlines = self._deadlines
        while deadlines and (deadlines[0][1].future.done() or deadlines[0][0] < monotonic()):
            _, waiter = deadlines.popleft()
            if not waiter.future.done():
                waiter.future.set_exception(timeout())

    def give_up(self) -> None:
        """The session ends: whoever still waits is told that nothing is known of his request."""
        for waiting in tuple(self._waiting.values()):
            for waiter in waiting:
                if not waiter.future.done():
                    waiter.future.set_exception(timeout())

    def _new_name(self) -> str:
        """A name for an order whose participant gave none; no two of any session are alike."""
        self._named += 1
        return f"{self._prefix}{self._named:014d}"

    def _hear(self, client: Client, record: Record, report: Report) -> None:
        self.executions += 1
        if self._audience.anyone(client.name):
            self._tell(client, record, report)
        for waiter in self._waiting.get(id(record), ()):
            if not waiter.future.done() and waiter.hears(record, report, self._live.resting):
                waiter.future.set_result(report)

    def _tell(self, client: Client, record: Record, report: Report) -> None:
        market = self._markets.numbered(record.terms.market)
        event = orders.execution_report(record, report, market, self.self_trades, self.epoch, self.executions)
        if event is None:
            return
        self._audience.tell(client.name, event)
        if report.kind is not EventKind.REJECTED:
            self._audience.tell(client.name, self._position_event(client, market, report))
        pair = record.pair
        if pair is not None and (not pair.live or (record is pair.second and report.kind is EventKind.ACCEPTED)):
            self._audience.tell(client.name, lists.list_event(pair, market, self.epoch(report.time)))

    def _position_event(self, client: Client, market: ServedMarket, report: Report) -> dict[str, Any]:
        """The balances that an order has touched, as a user event."""
        balances = []
        for own, shown in ((market.own_base, market.base), (market.own_quote, market.quote)):
            balance = client.balance(own)
            balances.append({"a": shown, "f": f"{balance.free:.8f}", "l": f"{balance.locked:.8f}"})
        return {
            "e": "outboundAccountPosition",
            "E": self.epoch(report.time),
            "u": self.epoch(report.time),
            "B": balances,
        }


def _sent(answered: Record | Refusal) -> Record:
    """What was sent; VenueError where it never left."""
    if answered is Refusal.FUNDS:
        raise VenueError(-2010, "Account has insufficient balance for requested action.")
    if not isinstance(answered, Record):
        raise VenueError(-2010, "Duplicate order sent.")
    return answered


def _half(cancel: str, new: str, canceled: Any, placed: Any) -> VenueError:
    both = cancel == "FAILURE" and new != "SUCCESS"
    code, message = (
        (-2022, "Order cancel-replace failed.") if both else (-2021, "Order cancel-replace partially failed.")
    )
    return VenueError(
        code,
        message,
        400 if both else 409,
        more={
            "data": {
                "cancelResult": cancel,
                "newOrderResult": new,
                "cancelResponse": canceled,
                "newOrderResponse": placed,
            }
        },
    )
