"""An agent trades through a served market: reconnections, ends, errors, and an account that agrees to the last unit."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import astuple, dataclass, field
from typing import Any

import pytest
from served_market import QUIET, served

from marketsim.domain.market_data import Report
from marketsim.domain.order import OrderState, Reason
from marketsim.domain.risk import Action, RiskEvent
from marketsim.errors import AgentError, GatewayError, InvalidValueError
from marketsim.gateway.server import Gateway
from marketsim.realtime import Endpoints, RealtimeSession, Settings, trade, trade_async
from marketsim.trading.agent import Agent
from marketsim.trading.order import Order
from marketsim.trading.risk import Limits

pytest.importorskip("websockets")
pytest.importorskip("uvicorn")

SPEED = 50.0


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with served(QUIET, ("house", "me"), speed=SPEED) as made:
        yield made


def _terms(gateway: Gateway, client: str) -> tuple[str, str, str]:
    key = gateway.fresh[client]
    return gateway.url, key.api_key, key.secret


@contextlib.asynccontextmanager
async def _session(gateway: Gateway, agent: Agent, client: str, **settings: Any) -> Any:
    terms = {"name": client, "venue": "XSIM", "speed": SPEED, "pause": 0.02, **settings}
    session = await RealtimeSession.open(agent, *_terms(gateway, client), Settings(**terms))
    try:
        await session.start()
        yield session
        await session.finish()
    finally:
        await session.close()


async def _calm(*sessions: RealtimeSession) -> None:
    for _ in range(2):
        for session in sessions:
            assert await session.settled()
        await asyncio.sleep(0.01)
        for session in sessions:
            await session.api.call("ping", {})


@dataclass
class Diary(Agent):
    """Writes down what happens to it."""

    told: list[str] = field(default_factory=list, init=False)

    def on_report(self, report: Report, order: Order | None) -> None:
        self.told.append(report.kind.name)

    def on_disconnected(self, venue: str) -> None:
        self.told.append("disconnected")
        self.refused = self.buy(self.instrument, 1, limit=9_000)

    def on_reconnected(self, venue: str) -> None:
        self.told.append("reconnected")

    def on_stop(self) -> None:
        self.told.append("stop")
        self.buy(self.instrument, 1, limit=9_000)


def test_what_happened_while_the_line_was_down_is_told_afterwards(gateway: Gateway) -> None:
    async def whole() -> None:
        me, house = Diary(), Agent()
        async with _session(gateway, house, "house") as other, _session(gateway, me, "me") as mine:
            traded = me.buy(me.instrument, 5, limit=9_900)
            kept = me.buy(me.instrument, 5, limit=9_800)
            await _calm(mine)
            mine.api._line._socket.transport.abort()
            house.sell(house.instrument, 3, limit=9_900)
            while not mine.reconnections:
                await asyncio.sleep(0.005)
            await _calm(other, mine)
            assert (traded.filled, traded.state) == (3, OrderState.PARTIALLY_FILLED)
            assert mine.desk.missed == 1
            assert kept.state is OrderState.ACCEPTED
            assert (me.refused.state, me.refused.reason) == (OrderState.REJECTED, Reason.DISCONNECTED)
            house.sell(house.instrument, 2, limit=9_900)  # and told as before from then on
            await _calm(other, mine)
            assert traded.state is OrderState.FILLED
            assert me.told == ["ACCEPTED"] * 2 + ["disconnected", "REJECTED", "reconnected", "TRADE", "TRADE"]
        assert me.told[-1] == "stop"
        assert mine.orders[-1].reason is Reason.DISCONNECTED  # what is sent in on_stop goes nowhere
        assert kept.state is OrderState.CANCELED

    asyncio.run(whole())


@dataclass
class Watcher(Agent):
    """Keeps a book."""

    def on_start(self) -> None:
        self.book = self.keep_book()


def test_a_kept_book_is_the_venues_whatever_happens_to_the_line(gateway: Gateway) -> None:
    async def whole() -> None:
        me, house = Watcher(), Agent()
        async with _session(gateway, house, "house") as other, _session(gateway, me, "me") as mine:

            async def same() -> bool:
                for _ in range(100):
                    await _calm(other, mine)
                    told = await mine.api.call("depth", {"symbol": "ABCUSD"})
                    market = mine.markets["ABCUSD"]
                    sides = [
                        [(market.ticks(p), market.lots(q)) for p, q in told[side]] for side in ("bids", "asks")
                    ]  # fmt: skip
                    if me.book.synchronized and sides == [me.book.best_bids(99), me.book.best_asks(99)]:
                        return True
                    await asyncio.sleep(0.02)
                return False

            for number in range(20):
                house.buy(house.instrument, 1 + number, limit=9_000 + number % 7)
                house.sell(house.instrument, 1 + number, limit=11_000 + number % 5)
            assert await same()
            mine.streams._line._socket.transport.abort()
            house.cancel_all()
            house.buy(house.instrument, 9, limit=9_500)
            while not mine.reconnections:
                await asyncio.sleep(0.005)
            assert await same()
            assert me.book.gaps == 1
            take = mine.streams._listeners["abcusd@depth@100ms"]
            mine.streams._listeners["abcusd@depth@100ms"] = lambda event: None
            house.buy(house.instrument, 9, limit=9_600)
            await _calm(other, mine)
            await asyncio.sleep(0.25)
            mine.streams._listeners["abcusd@depth@100ms"] = take
            house.buy(house.instrument, 9, limit=9_700)
            assert await same()
            assert me.book.gaps == 2

    asyncio.run(whole())


@dataclass
class Trader(Agent):
    """Buys and sells a little, again and again, against what it rests itself."""

    lots: int = 3

    def on_start(self) -> None:
        self.quote = self.buy(self.instrument, 50, limit=9_990)
        self.every("1s", self.again)

    def again(self) -> None:
        self.note("again", str(self.position()))
        self.buy(self.instrument, self.lots, limit=9_900)
        self.cancel_all()


def test_trade_runs_from_beginning_to_end(gateway: Gateway) -> None:
    done = trade(
        Trader(), *_terms(gateway, "me"), duration="20s", speed=SPEED, venue="XSIM", limits=Limits(max_order=60)
    )
    assert done.why == "duration"
    assert 5 <= len(done.orders) <= 22
    assert all(order.state is OrderState.CANCELED for order in done.orders)
    assert done.differences == ()
    assert done.latencies["place"].count == len(done.orders)
    assert 0 < done.latencies["place"].median <= done.latencies["place"].p99 <= done.latencies["place"].longest
    assert sum(note.key == "again" for note in done.notes) == len(done.orders) - 1
    assert done.summary()["pnl"] == 0.0
    assert "orders" in repr(done)
    assert 19.0 < (done.ended - done.begun) / 1e9 < 40.0


@dataclass
class Crosser(Agent):
    """Trades with the house."""

    def on_start(self) -> None:
        self.buy(self.instrument, 7)
        self.after("1s", self.sell, self.instrument, 4)


def test_the_portfolio_is_the_account(gateway: Gateway) -> None:
    async def whole() -> None:
        house = Agent()
        async with _session(gateway, house, "house") as other:
            house.sell(house.instrument, 50, limit=10_003)
            house.buy(house.instrument, 50, limit=9_997)
            await _calm(other)
            done = await trade_async(
                Crosser(), *_terms(gateway, "me"), duration="5s", speed=SPEED, venue="XSIM", limits=Limits()
            )
            assert [(fill.side, fill.quantity, str(fill.price)) for fill in done.fills] == [
                (1, 7, "100.03"), (-1, 4, "99.97")
            ]  # fmt: skip
            assert done.portfolio.lots == {"ABCUSD": 3}
            assert done.differences == ()
            assert abs(float(done.pnl) - (-7 * 0.03 - 4 * 0.03)) < 1e-9  # at the middle, without fees

    asyncio.run(whole())


def test_limits_hold_before_an_order_leaves(gateway: Gateway) -> None:
    async def whole() -> None:
        me = Diary()
        async with _session(gateway, me, "me", limits=Limits(max_order=5, max_position=8)) as mine:
            large, first, second = (me.buy(me.instrument, lots, limit=9_000) for lots in (6, 5, 5))
            await _calm(mine)
            assert [order.reason for order in (large, first, second)] == [Reason.RISK, Reason.NONE, Reason.RISK]
            me.replace(first, quantity=9)
            await _calm(mine)
            assert me.told[-1] == "REPLACE_REJECTED"
            events = [RiskEvent.of_note(note.time, "me", note.value) for note in mine.notes if note.key == "risk"]
            assert [event.action for event in events].count(Action.REFUSE) == 3
            assert [astuple(refusal) for refusal in mine.refusals.all()] == [
                ("order", Reason.RISK, 2, "quantity 6 above max_order 5; at most 5 pass"),
                ("replace", Reason.RISK, 1, "quantity 9 above max_order 5; at most 5 pass"),
            ]
            async with _session(gateway, Agent(), "me") as second_session:
                assert "1 orders of another session" in second_session.notes[0].value
            assert first.live

    asyncio.run(whole())


def test_what_is_not_understood_ends_it(gateway: Gateway) -> None:
    async def whole() -> None:
        def garble(session: RealtimeSession) -> None:
            session.desk.hear = lambda event: {}["x"]  # type: ignore[method-assign,index]

        await trade_async(Crosser(), *_terms(gateway, "me"), duration="60s", speed=SPEED, started=garble)

    with pytest.raises(GatewayError, match=r"not understood .KeyError: 'x'.*executionReport"):
        asyncio.run(whole())


@dataclass
class Greedy(Agent):
    """Sends what the venue refuses: far too much."""

    def on_start(self) -> None:
        for _ in range(3):
            self.buy(self.instrument, 1_000_000_000)


def test_what_the_venue_refuses_is_summed_up_in_its_words(gateway: Gateway) -> None:
    done = trade(Greedy(), *_terms(gateway, "me"), duration="5s", speed=SPEED)
    (refusal,) = done.refusals
    assert (refusal.asked, refusal.count, refusal.reason.name in str(refusal)) == ("order", 3, True)
    assert "(-" in refusal.example  # the venue's code
    told = done.summary()["refusals"]
    assert told == [
        {"asked": "order", "reason": refusal.reason.name, "count": 3, "example": refusal.example}
    ]  # fmt: skip


@dataclass
class Broken(Agent):
    """Has a mistake in it."""

    def on_start(self) -> None:
        self.order_kept = self.buy(self.instrument, 1, limit=9_000)

    def on_accepted(self, order: Order) -> None:
        raise KeyError("oops")


def test_a_mistake_of_the_agent_ends_the_session_in_order(gateway: Gateway) -> None:
    agent = Broken()
    with pytest.raises(AgentError, match=r"KeyError at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{9}: ") as caught:
        trade(agent, *_terms(gateway, "me"), duration="5s", speed=SPEED)
    assert isinstance(caught.value.__cause__, KeyError)
    assert agent.order_kept.state is OrderState.CANCELED
    assert caught.value.result.why == "failed"  # type: ignore[attr-defined]


def test_a_venue_that_closes_ends_it() -> None:
    with served(QUIET, ("me",), speed=SPEED) as gateway:

        async def whole() -> None:
            def started(session: RealtimeSession) -> None:
                asyncio.get_running_loop().call_later(0.1, gateway.stop)

            done = await trade_async(
                Trader(), *_terms(gateway, "me"), speed=SPEED, started=started, pause=0.01, attempts=2
            )
            assert done.why == "the venue closed"
            assert done.differences == ("the venue could not be asked",)
            assert sum("cannot be reached" in note.value for note in done.notes) >= 1

        asyncio.run(whole())


def test_a_venue_that_is_gone_for_good_leaves_a_summary(gateway: Gateway) -> None:
    def started(session: RealtimeSession) -> None:
        asyncio.get_running_loop().call_later(0.1, lose, session)

    def lose(session: RealtimeSession) -> None:
        session.api._url = "ws://127.0.0.1:9"
        session.api._line._socket.transport.abort()  # type: ignore[union-attr]

    terms = _terms(gateway, "me")
    with pytest.raises(GatewayError, match="2 attempts") as caught:
        trade(Trader(), *terms, speed=SPEED, started=started, pause=0.01, attempts=2)
    assert "cannot be reached" in str(caught.value)
    assert caught.value.result.orders  # type: ignore[attr-defined]


def test_a_key_that_is_not_known_any_more_ends_it_at_once(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from marketsim.cli.app import app

    url, key, secret = _terms(gateway, "me")
    begin = RealtimeSession.start

    def lose(session: RealtimeSession) -> None:
        session.api._key = "k" * 64  # as after a restart of the server, which has made new keys
        session.api._line._socket.transport.abort()  # type: ignore[union-attr]

    async def start(session: RealtimeSession) -> None:
        await begin(session)
        asyncio.get_running_loop().call_later(0.1, lose, session)

    monkeypatch.setattr(RealtimeSession, "start", start)
    words = ["trade", "market_maker", "--url", url, "--key", key, "--secret", secret, "--duration", "600s"]
    ended = CliRunner().invoke(app, words, prog_name="marketsim")
    assert ended.exit_code == 1
    assert "refuses the API key" in ended.stderr
    assert "trader traded" in ended.stdout
    assert "ended by: failed" in ended.stdout


@pytest.mark.parametrize("url", ["https://api.example.com", "http://192.0.2.1:80", "http://10.0.0.1"])
def test_other_machines_are_refused_unless_live_is_said(url: str) -> None:
    with pytest.raises(InvalidValueError, match="live=True"):
        trade(Agent(), url, "k", "s")


def test_addresses() -> None:
    found = Endpoints.of("http://127.0.0.1:8080")
    assert found.streams == "ws://127.0.0.1:8080/stream"
    assert found.api == "ws://127.0.0.1:8080/ws-api/v3?returnRateLimits=false"
    found.check(live=False)
    Endpoints.of("https://[::1]:9").check(live=False)
    with pytest.raises(InvalidValueError, match="encrypted"):
        Endpoints.of("http://192.0.2.1").check(live=True)
    for wrong in ("127.0.0.1:8080", "ftp://x", "http://127.0.0.1/api", ""):
        with pytest.raises(InvalidValueError, match="no address"):
            Endpoints.of(wrong)
    with pytest.raises(InvalidValueError, match="wss"):
        Endpoints("http://127.0.0.1", "ws://127.0.0.1").check(live=False)


def test_what_cannot_be_is_said_at_once(gateway: Gateway) -> None:
    url, key, secret = _terms(gateway, "me")
    with pytest.raises(GatewayError, match="secret"):
        trade(Agent(), url, key, secret + "x")
    with pytest.raises(GatewayError, match="cannot be reached"):
        trade(Agent(), "http://127.0.0.1:9", key, secret)
    with pytest.raises(InvalidValueError, match='did you mean "ABCUSD"'):
        trade(Agent(), url, key, secret, instruments=["ABCUSDT"])
    with pytest.raises(InvalidValueError, match=r'\["ABCUSD"\]'):
        trade(Agent(), url, key, secret, instruments="ABCUSD")
    with pytest.raises(InvalidValueError, match="above zero"):
        trade(Agent(), url, key, secret, duration="0s")

    @dataclass
    class Fed(Agent):
        def on_start(self) -> None:
            self.feed("value")

    with pytest.raises(AgentError, match="information feeds"):
        trade(Fed(), url, key, secret)

    async def inside() -> None:
        with pytest.raises(InvalidValueError, match="trade_async"):
            trade(Agent(), url, key, secret)

    asyncio.run(inside())


def test_the_command(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from marketsim.cli.app import app

    url, key, secret = _terms(gateway, "me")
    terms = ["trade", "market_maker", "--url", url, "--speed", str(SPEED), "--duration", "20s"]

    def call(*words: str) -> Any:
        return CliRunner().invoke(app, [*terms, *words], prog_name="marketsim")

    done = call("--key", key, "--secret", secret, "--set", "quantity=5", "--max-order", "5", "--instrument", "ABCUSD")
    assert done.exit_code == 0, done.output
    assert "trader traded 2" in done.stdout
    assert f"trader trades at {url}, speed 50;" in done.stderr
    assert "warning" not in done.stderr
    assert "ended by: duration" in done.stdout
    assert key not in done.output
    assert secret not in done.output
    monkeypatch.setenv("MARKETSIM_API_KEY", key)
    assert "a secret is needed" in call().stderr
    monkeypatch.setenv("MARKETSIM_API_SECRET", secret)
    for words, told in (
        (["--set", "quantty=5"], 'did you mean "quantity"'),
        (["--max-order", "0"], "limits: max_order: 0 must be at least 1"),
        (["--limit", "var_confidence=0.05"], "write 0.95"),
        (["--limit", "max_drawdwn=5%"], "max_drawdwn"),
        (["--url", "http://192.0.2.7"], "or say --live"),
        (["--instrument", "ABC"], "ABCUSD"),
        (["--set", "quantity"], "not an override"),
    ):
        refused = call(*words)
        assert (refused.exit_code, told in refused.stderr) == (2, True), refused.stderr
        assert "trades at" not in refused.stderr
    terms[1] = "noise"
    assert "compiled" in call().stderr
    terms[1] = "here/pendulum.py:Pendulum"
    assert "write pendulum:Pendulum in the folder here" in call().stderr
    terms[1] = "pendulum.py"
    assert "write pendulum:Class" in call().stderr


def test_the_command_tells_of_refusals_and_of_another_speed(gateway: Gateway) -> None:
    from typer.testing import CliRunner

    from marketsim.cli.app import app
    from marketsim.realtime.served_speed import served_speed

    url, key, secret = _terms(gateway, "me")
    words = ["trade", "test_trade:Trader", "--url", url, "--key", key, "--secret", secret, "--set", "lots=7"]
    words += ["--max-order", "5", "--duration", "10s"]
    done = CliRunner().invoke(app, words, prog_name="marketsim")
    assert done.exit_code == 0, done.output
    assert "orders refused, RISK: quantity 50 above max_order 5" in done.stdout
    assert "speed 50;" in done.stderr
    slow = CliRunner().invoke(app, [*words, "--speed", "40"], prog_name="marketsim")
    assert "runs at speed 50, not 40" in slow.stderr
    assert served_speed("http://127.0.0.1:9") is None
    assert served_speed("https://api.example.com") is None
    unreached = CliRunner().invoke(app, [*words, "--url", "http://127.0.0.1:9"], prog_name="marketsim")
    assert (unreached.exit_code, "trades at" in unreached.stderr) == (1, False)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from marketsim.errors import MissingDependency

    monkeypatch.setitem(sys.modules, "websockets.asyncio.client", None)
    with pytest.raises(MissingDependency, match=r"\.\[trade\]"):
        trade(Agent(), "http://127.0.0.1:9", "k", "s")


def test_an_emergency_stop_cancels_and_closes_at_the_venue(gateway: Gateway) -> None:
    async def whole() -> None:
        house, me = Agent(), Diary()
        async with _session(gateway, house, "house") as other, _session(gateway, me, "me", limits=Limits()) as mine:
            house.sell(house.instrument, 50, limit=10_003)
            house.buy(house.instrument, 50, limit=9_997)
            await _calm(other)
            me.buy(me.instrument, 7, limit=10_003)
            left = me.buy(me.instrument, 3, limit=9_000)
            await _calm(mine)
            assert me.position() == 7
            mine.emergency_stop(flatten=True)
            for _ in range(50):
                await _calm(mine)
                if me.position() == 0:
                    break
                await asyncio.sleep(0.02)
            assert (me.position(), me.orders(), left.live) == (0, [], False)
            refused = me.buy(me.instrument, 1, limit=9_000)
            await _calm(mine)
            assert refused.reason is Reason.RISK

    asyncio.run(whole())


def test_a_collar_looks_at_the_venues_quotes_though_the_agent_does_not(gateway: Gateway) -> None:
    async def whole() -> None:
        house, me = Agent(), Diary()
        async with (
            _session(gateway, house, "house") as other,
            _session(gateway, me, "me", limits=Limits(price_collar=0.01)) as mine,
        ):
            house.sell(house.instrument, 50, limit=12_010)
            house.buy(house.instrument, 50, limit=11_990)
            await _calm(other)
            for _ in range(100):
                if mine.mark(me.instrument) == 12_000:
                    break
                await asyncio.sleep(0.02)
            far, near = (me.buy(me.instrument, 1, limit=price) for price in (10_000, 11_900))
            await _calm(mine)
            assert [far.reason, near.reason] == [Reason.RISK, Reason.NONE]

    asyncio.run(whole())
