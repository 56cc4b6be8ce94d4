"""Sessions inside the compiled world: schedules, interruptions, extensions, breakers, halts and what they write.

Small markets with a Python agent that sends what the test wants; each runs in a moment without being compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

import marketsim as ms
from marketsim.domain.market_data import Report
from marketsim.domain.order import OrderType, Reason, Side, TimeInForce
from marketsim.domain.phase import Phase
from marketsim.errors import InvalidValueError
from marketsim.simulation.simulation import Simulation
from marketsim.trading.order import Order

SESSIONS = [
    {"phase": "opening_auction", "start": "09:00", "end": "09:01"},
    {"phase": "continuous", "start": "09:01", "end": "09:10"},
    {"phase": "closing_auction", "start": "09:10", "end": "09:11"},
]
CALENDAR = {"time_zone": "UTC", "sessions": SESSIONS}
ABC = ms.Instrument("ABC", tick_size="0.01", reference_price="100")


class Script(ms.Agent):
    """Sends what it is told to, when it is told to; remembers its reports."""

    def __init__(self, lines: list[tuple[str, Callable[[ms.Agent], Any]]]) -> None:
        self.lines = lines

    def on_start(self) -> None:
        """Put every line on the clock."""
        self.reports: list[Report] = []
        for at, line in self.lines:
            self.after(at, line, self)

    def on_report(self, report: Report, order: Order | None) -> None:
        """Remember it."""
        self.reports.append(report)


def limit(side: Side, quantity: int, price: int, **terms: Any) -> Callable[[ms.Agent], Any]:
    return lambda agent: agent.order(side, agent.instrument, quantity, limit=price, **terms)


def buy(quantity: int, price: int, **terms: Any) -> Callable[[ms.Agent], Any]:
    return limit(Side.BUY, quantity, price, **terms)


def sell(quantity: int, price: int, **terms: Any) -> Callable[[ms.Agent], Any]:
    return limit(Side.SELL, quantity, price, **terms)


def market(
    lines: list[tuple[str, Callable[[ms.Agent], Any]]],
    duration: str = "12min",
    instruments: tuple[ms.Instrument, ...] = (ABC,),
    further: Callable[[Simulation], Any] = lambda simulation: None,
    stepped: bool = False,
    **venue: Any,
) -> tuple[Any, list[Report]]:
    """A run from 09:00 and what the script heard."""
    simulation = Simulation(1, duration, start="09:00", date="2026-03-05", latency="1ms", stepped=stepped)
    simulation.add_venue("X", instruments, **venue)
    simulation.add_agent(Script(lines), "script")
    further(simulation)
    execution = simulation.start()
    run = execution.run()
    return run, execution.world.sessions["script"].agent.reports  # type: ignore[attr-defined]


def told(run: Any) -> list[tuple[str, str, str, str]]:
    """Time, phase before, phase and reason of every PHASE row."""
    return [
        (run.local_time.text(int(row.time))[11:21], row.before, row.phase, row.reason)
        for row in run.phases.itertuples()
    ]


def test_a_day_of_phases() -> None:
    run, _ = market([], calendar=CALENDAR)
    assert told(run) == [
        ("09:00:00.0", "CONTINUOUS", "OPENING_AUCTION", "SCHEDULE"),
        ("09:01:00.0", "OPENING_AUCTION", "CONTINUOUS", "SCHEDULE"),
        ("09:10:00.0", "CONTINUOUS", "CLOSING_AUCTION", "SCHEDULE"),
        ("09:11:00.0", "CLOSING_AUCTION", "CLOSED", "SCHEDULE"),
    ]


def test_the_opening_auction_trades_at_one_price_and_is_foretold() -> None:
    run, _ = market(
        [("1s", buy(10, 10_010)), ("5s", sell(6, 9_990)), ("20s", sell(2, 10_000))],
        calendar=CALENDAR,
        auctions={"interval": "2s"},
    )
    assert [(row.price, row.volume, row.trades) for row in run.auctions.itertuples()] == [(100.0, 8.0, 2)]
    looks = [(row.volume, row.surplus, row.side) for row in run.indications.itertuples()]
    assert looks == [(6.0, 4.0, 1), (8.0, 2.0, 1)]
    times = [run.local_time.text(int(row.time))[17:19] for row in run.indications.itertuples()]
    assert times == ["06", "22"]


def test_a_random_end_lies_in_its_window_and_hangs_on_the_seed() -> None:
    sessions = [{**SESSIONS[0], "random_end": "30s"}, *SESSIONS[1:]]
    ends = []
    for seed in (1, 1, 2):
        simulation = Simulation(seed, "5min", start="09:00", date="2026-03-05")
        simulation.add_venue("X", [ABC], calendar={"sessions": sessions})
        run = simulation.run()
        ends.append(int(run.phases["time"].iloc[1]) - run.start)
    assert ends[0] == ends[1] != ends[2]
    assert all(30 * 10**9 <= end <= 60 * 10**9 for end in ends)


def test_orders_for_the_day_expire_and_others_lie_through_the_night() -> None:
    run, _ = market(
        [
            ("2min", buy(1, 9_000)),
            ("2min", buy(2, 9_001, time_in_force=TimeInForce.DAY)),
            ("2min", buy(3, 9_002, expire=33 * 3_600 * 10**9)),  # 09:00 of the next day
        ],
        duration="2d",
        calendar=CALENDAR,
    )
    ends = {
        int(row.quantity): (row.state, run.local_time.text(max(int(row.end_time), 0))[:16])
        for row in run.orders.itertuples()
    }
    assert ends[2] == ("EXPIRED", "2026-03-05 09:11")
    assert ends[3] == ("EXPIRED", "2026-03-06 09:00")
    assert ends[1][0] == "ACCEPTED"


def test_timers_of_the_night_go_off_in_the_morning() -> None:
    heard: list[str] = []

    def note(agent: ms.Agent) -> None:
        agent.every("4min", lambda: heard.append(str(agent.now // 60_000_000_000)))

    market([("1s", note)], duration="1d 9min", calendar=CALENDAR)
    day = 24 * 60
    assert [int(minute) - 540 for minute in heard] == [4, 8, day + 1, day + 4, day + 8]


def test_a_band_begins_an_auction_which_ends_in_trading() -> None:
    run, _ = market(
        [
            ("1s", sell(5, 10_000)),
            ("2s", buy(5, 10_000)),
            ("3s", sell(5, 10_300)),
            ("4s", buy(5, 10_300)),
            ("10s", sell(3, 10_200)),
        ],
        bands={"dynamic": "2%"},
        interruptions={"auction": "1min"},
    )
    assert told(run) == [
        ("09:00:04.0", "CONTINUOUS", "VOLATILITY_AUCTION", "OUTSIDE_BANDS"),
        ("09:01:04.0", "VOLATILITY_AUCTION", "CONTINUOUS", "SCHEDULE"),
    ]
    assert run.auctions["volume"].tolist() == [5.0]


def test_a_price_that_stays_outside_prolongs_the_auction_as_often_as_allowed() -> None:
    run, _ = market(
        [("1s", sell(5, 10_500)), ("2s", buy(5, 10_500))],
        bands={"static": "2%"},
        interruptions={"auction": "1min"},
        auctions={"extensions": 2, "extension": "30s", "interval": "0s"},
    )
    assert told(run) == [
        ("09:00:02.0", "CONTINUOUS", "VOLATILITY_AUCTION", "OUTSIDE_BANDS"),
        ("09:01:02.0", "VOLATILITY_AUCTION", "VOLATILITY_AUCTION", "EXTENSION"),
        ("09:01:32.0", "VOLATILITY_AUCTION", "VOLATILITY_AUCTION", "EXTENSION"),
        ("09:02:02.0", "VOLATILITY_AUCTION", "CONTINUOUS", "SCHEDULE"),
    ]
    assert run.auctions["price"].tolist() == [105.0]


def test_static_bands_follow_the_price_of_the_auction() -> None:
    run, _ = market(
        [
            ("1s", sell(5, 10_500)),
            ("2s", buy(5, 10_500)),
            ("3min", sell(1, 10_600)),  # within 2 % of 105, not of 100
            ("4min", buy(1, 10_600)),
        ],
        bands={"static": "2%"},
        interruptions={"auction": "1min"},
    )
    assert len(told(run)) == 2
    assert run.trades["price"].tolist() == [105.0, 106.0]


def test_bands_may_refuse_instead() -> None:
    run, reports = market([("1s", sell(5, 10_500))], bands={"static": "2%", "action": "refuse"})
    assert told(run) == []
    assert [report.reason for report in reports] == [Reason.OUTSIDE_BANDS]


def test_a_halt_is_followed_by_an_auction() -> None:
    run, reports = market(
        [("90s", buy(1, 9_900)), ("3min", buy(1, 9_900)), ("5min", buy(1, 9_901))],
        calendar=CALENDAR,
        interruptions={"auction": "1min"},
        further=lambda simulation: simulation.halt("2min", "ABC", duration="2min"),
    )
    assert told(run)[1:4] == [
        ("09:01:00.0", "OPENING_AUCTION", "CONTINUOUS", "SCHEDULE"),
        ("09:02:00.0", "CONTINUOUS", "HALT", "SCHEDULE"),
        ("09:04:00.0", "HALT", "VOLATILITY_AUCTION", "SCHEDULE"),
    ]
    assert [report.reason for report in reports if report.kind.name == "REJECTED"] == [Reason.WRONG_PHASE]


def test_a_halt_without_an_end_lasts_until_it_is_lifted() -> None:
    run, _ = market(
        [],
        interruptions={"reopening": "continuous"},
        further=lambda simulation: simulation.halt("2min").resume("7min"),
    )
    assert told(run) == [
        ("09:02:00.0", "CONTINUOUS", "HALT", "SCHEDULE"),
        ("09:07:00.0", "HALT", "CONTINUOUS", "SCHEDULE"),
    ]


def test_the_close_ends_a_halt_and_the_plan_waits_for_others() -> None:
    def halts(simulation: Simulation) -> None:
        simulation.halt("30s", duration="1min")  # over the end of the opening auction
        simulation.halt("8min")

    run, _ = market([], calendar=CALENDAR, further=halts, interruptions={"reopening": "continuous"})
    assert told(run) == [
        ("09:00:00.0", "CONTINUOUS", "OPENING_AUCTION", "SCHEDULE"),
        ("09:00:30.0", "OPENING_AUCTION", "HALT", "SCHEDULE"),
        ("09:01:30.0", "HALT", "CONTINUOUS", "SCHEDULE"),
        ("09:08:00.0", "CONTINUOUS", "HALT", "SCHEDULE"),
        ("09:11:00.0", "HALT", "CLOSED", "SCHEDULE"),
    ]


def test_a_fall_halts_the_whole_venue_once_a_level() -> None:
    xyz = ms.Instrument("XYZ", tick_size="0.01", reference_price="50")
    run, _ = market(
        [
            ("1s", buy(1, 9_300)),
            ("2s", sell(1, 9_300)),
            ("4min", buy(1, 9_200)),
            ("5min", sell(1, 9_200)),
            ("6min", buy(1, 8_500)),
            ("7min", sell(1, 8_500)),
        ],
        instruments=(ABC, xyz),
        circuit_breaker={"instrument": "ABC", "levels": [{"fall": "7%", "halt": "1min"}, {"fall": "13%"}]},
        interruptions={"reopening": "continuous"},
    )
    halts = run.phases[run.phases["phase"] == "HALT"]
    assert sorted(zip(halts["instrument"], (halts["time"] - run.start) // 10**9, strict=True)) == [
        ("ABC", 2),
        ("ABC", 420),
        ("XYZ", 2),
        ("XYZ", 420),
    ]
    assert set(halts["reason"]) == {"CIRCUIT_BREAKER"}
    assert run.phases[run.phases["time"] > halts["time"].max()].empty  # for the rest of the day


def deal(at: str, symbol: str, price: int) -> list[tuple[str, Callable[[ms.Agent], Any]]]:
    """A trade of one lot of an instrument at a price in ticks."""

    def both(agent: ms.Agent) -> None:
        instrument = next(known for known in agent.instruments if known.symbol == symbol)
        agent.buy(instrument, 1, limit=price)
        agent.sell(instrument, 1, limit=price)

    return [(at, both)]


def basket_market(stepped: bool = False) -> Any:
    """ABC at 100 (tick 0.01) and XYZ at 50 (tick 0.05) in an index of 1.5 · 100 + 3 · 50 = 300; levels 1 %, 3 %."""
    lines = [
        *deal("2min", "ABC", 9_900),  # 298.50: one percent of ABC, not of the index
        *deal("3min", "XYZ", 992),  # 297.30
        *deal("210s", "XYZ", 990),  # 297.00: the first level
        *deal("5min", "ABC", 9_500),  # 291.00: the second
        *deal("1d 2min", "XYZ", 980),  # 289.50, of 291.00 at the close: not yet
        *deal("1d 3min", "XYZ", 970),  # 288.00, below 288.09
    ]
    xyz = ms.Instrument("XYZ", tick_size="0.05", reference_price="50")
    return market(
        lines,
        "1d 12min",
        instruments=(ABC, xyz),
        further=lambda simulation: simulation.add_index(ms.Basket("TOP", {"ABC": Decimal("1.5"), "XYZ": Decimal(3)})),
        stepped=stepped,
        calendar=CALENDAR,
        circuit_breaker={"index": "TOP", "levels": [{"fall": "1%", "halt": "1min"}, {"fall": "3%"}]},
        interruptions={"reopening": "continuous"},
    )[0]


def test_a_fall_of_a_basket_halts_all_its_members() -> None:
    run = basket_market()
    halts = run.phases[run.phases["reason"] == "CIRCUIT_BREAKER"]
    days, seconds = divmod((halts["time"] - run.start) // 10**9, 86_400)
    assert sorted(zip(halts["instrument"], days, seconds, strict=True)) == [
        (symbol, day, second) for symbol in ("ABC", "XYZ") for day, second in ((0, 210), (0, 300), (1, 180))
    ]
    assert basket_market(stepped=True).digest == run.digest


def test_a_basket_is_added_up_exactly_or_not_at_all() -> None:
    simulation = Simulation(1, "1s").add_venue(
        "X", (ABC, ms.Instrument("XYZ")), circuit_breaker={"index": "TOP", "levels": [{"fall": "7%"}]}
    )
    simulation.add_index(ms.Basket("TOP", {"ABC": Decimal("0.123456789123456789"), "XYZ": Decimal(3)}))
    with pytest.raises(InvalidValueError, match=r"the weights of TOP have too many digits .*: round them"):
        simulation.run()


def test_stepped_and_compiled_are_one() -> None:
    lines = [
        ("1s", buy(10, 10_010)),
        ("5s", sell(6, 9_990)),
        ("2min", sell(5, 10_500)),
        ("3min", buy(15, 10_500)),
        ("5min", sell(5, 10_400)),
    ]
    digests = {
        market(lines, "1d 12min", calendar=CALENDAR, bands={"static": "3%"}, stepped=stepped)[0].digest
        for stepped in (False, True)
    }
    assert len(digests) == 1


# --- what each phase takes, cell by cell ---

_LIMITED = {OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.PRIMARY_PEG, OrderType.MARKET_PEG, OrderType.MID_PEG}
_KINDS = [OrderType.LIMIT, OrderType.MARKET, OrderType.STOP, OrderType.STOP_LIMIT]
_CALLS = (Phase.PRE_OPEN, Phase.OPENING_AUCTION, Phase.CLOSING_AUCTION, Phase.VOLATILITY_AUCTION)


def expected(kind: OrderType, time: TimeInForce, phase: Phase) -> Reason:
    """What docs/matching-rules.md says."""
    if phase is Phase.CLOSED:
        return Reason.MARKET_CLOSED
    auction_time = time in (TimeInForce.AT_OPEN, TimeInForce.AT_CLOSE)
    if auction_time and kind not in (OrderType.LIMIT, OrderType.MARKET):
        return Reason.INVALID_INSTRUCTION
    if phase is Phase.HALT or (phase in _CALLS and time in (TimeInForce.IOC, TimeInForce.FOK)):
        return Reason.WRONG_PHASE
    if time is TimeInForce.AT_OPEN and phase not in (Phase.PRE_OPEN, Phase.OPENING_AUCTION):
        return Reason.WRONG_PHASE
    return Reason.NONE


@pytest.mark.parametrize("phase", list(Phase))
def test_what_a_phase_takes(phase: Phase) -> None:
    """Every order type x time in force, one after the other, in a venue that is in the phase all the time."""
    names = {
        Phase.PRE_OPEN: "pre_open",
        Phase.OPENING_AUCTION: "opening_auction",
        Phase.CLOSING_AUCTION: "closing_auction",
        Phase.VOLATILITY_AUCTION: "intraday_auction",
        Phase.CLOSED: "closed",
    }
    cells = [(kind, time) for kind in _KINDS for time in TimeInForce]
    lines = []
    for number, (kind, time) in enumerate(cells):
        terms: dict[str, Any] = {"time_in_force": time, "expire": 40 * 3_600 * 10**9 if time is TimeInForce.GTD else 0}
        if kind in (OrderType.LIMIT, OrderType.STOP_LIMIT):
            terms["limit"] = 9_000
        if kind in (OrderType.STOP, OrderType.STOP_LIMIT):
            terms["stop"] = 12_000
        lines.append((f"{number + 1}s", lambda agent, terms=terms: agent.buy(agent.instrument, 1, **terms)))
    rest = {"phase": "continuous", "start": "09:18", "end": "10:00"}
    calendar: dict[str, Any] = {"sessions": [rest]}
    if phase in names and phase is not Phase.CLOSED:
        calendar["sessions"] = [{"phase": names[phase], "start": "09:00", "end": "09:18"}, rest]
    elif phase is not Phase.CLOSED:
        calendar["sessions"] = [{**rest, "start": "09:00"}]

    def halt(simulation: Simulation) -> None:
        if phase is Phase.HALT:
            simulation.halt("0s")

    _, reports = market(lines, "19min", further=halt if phase is not Phase.CLOSED else _open_beside, calendar=calendar)
    answers = {}
    for report in reports:
        answers.setdefault(report.client_order_id, report)
    found = [(kind, time, answers[number + 1].reason) for number, (kind, time) in enumerate(cells)]
    assert found == [(kind, time, expected(kind, time, phase)) for kind, time in cells]


def _open_beside(simulation: Simulation) -> None:
    simulation.add_venue("Y", [ABC])
