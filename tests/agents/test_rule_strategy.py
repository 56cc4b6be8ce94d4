"""The strategy of rules: entries, exits, sizes and reasons on bars by hand and in a market; what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import marketsim as ms
from marketsim.agents import rules as r
from marketsim.agents.rule_strategy import RuleStrategy
from marketsim.agents.sizing import Fixed, Kelly, Percent, Risk, Volatility
from marketsim.domain.market_data import Bar
from marketsim.domain.order import OrderState, OrderType, Side, TimeInForce
from marketsim.domain.risk import Action, RiskEvent, Severity
from marketsim.domain.units import MINUTE
from marketsim.errors import InvalidValueError, ScenarioError
from marketsim.scenario.loader import check
from marketsim.scenario.registry import REGISTRY
from marketsim.trading.order import Order
from marketsim.trading.risk import OWN
from tests.agents.hand_venue import ABC, HandVenue

UP, DOWN = r.CrossesAbove("close", 100), r.CrossesBelow("close", 100)


class Desk:
    """A strategy on bars by hand, whose requests arrive after each bar."""

    def __init__(self, **terms: Any) -> None:
        terms = {"enter": UP, "exit": "stop_loss", "sizing": Fixed(10), **terms}
        self.strategy = RuleStrategy(**terms)
        self.venue = HandVenue(self.strategy)
        self.strategy.on_start()
        self.number = 0

    def bar(self, close: int, volume: int = 10, spread: int = 5, interval: int = MINUTE) -> None:
        """The next bar; ``close`` in ticks."""
        self.number += 1
        self.venue.last = close
        value = close * volume
        self.strategy.on_bar(
            Bar(
                self.number * MINUTE, ABC, interval, close, close + spread, close - spread, close, volume, value, 1, "X"
            )
        )
        self.venue.settle()

    def bars(self, *closes: int) -> None:
        for close in closes:
            self.bar(close)

    @property
    def notes(self) -> list[tuple[str, str]]:
        """What it said of signals and exits."""
        return [(key, value) for key, value in self.venue.notes if key != "rule"]

    @property
    def credits(self) -> list[tuple[int, str, str]]:
        """What it said its orders came from: number, rule and reason."""
        told = [json.loads(value) for key, value in self.venue.notes if key == "rule"]
        return [(said["order"], said["rule"], said["reason"]) for said in told]

    @property
    def standing(self) -> list[tuple[str, int, int]]:
        return sorted((one.order.order_type.name, one.left, one.stop or one.price) for one in self.venue.book.values())


def test_a_signal_is_an_entry_with_its_stop_and_its_reason() -> None:
    desk = Desk()
    desk.bars(9_990, 10_010)
    assert desk.venue.position == 10
    entry = desk.venue.sent[0]
    assert (entry.side, entry.order_type, entry.quantity) == (Side.BUY, OrderType.MARKET, 10)
    assert entry.tag == "entry stop=9810"  # 2 % below 100.10
    assert desk.standing == [("STOP", 10, 9_810)]
    assert desk.notes == [("signal", "long 10 ABC at 100.1: close 100.1 crosses above 100")]
    assert desk.credits == [(1, "close crosses above 100", "close 100.1 crosses above 100")]
    desk.venue.move(9_800, 100)
    desk.venue.settle()
    assert desk.venue.position == 0
    assert desk.notes[-1] == ("exit", "stop-loss of long ABC at 98")
    assert desk.credits[-1][1:] == ("stop-loss", "stop-loss")


def test_exits_are_measured_from_the_fill_and_not_from_the_bar() -> None:
    desk = Desk(exit={"risk_reward": {"risk": 0.01, "ratio": 3}})
    desk.bars(9_990)
    desk.venue.take_request()
    desk.number += 1
    desk.strategy.on_bar(Bar(2 * MINUTE, ABC, MINUTE, 10_010, 10_010, 10_010, 10_010, 5, 50_050, 1, "X"))
    desk.venue.last = 10_100  # the price has gone on
    desk.venue.settle()
    assert desk.standing == [("LIMIT", 10, 10_403), ("STOP", 10, 9_999)]


def test_a_short_position_is_the_mirror_image() -> None:
    desk = Desk(enter=r.CrossesAbove("close", "sma(2)"), exit="risk_reward", direction="both")
    desk.bars(10_000, 10_010, 9_990)
    assert desk.venue.position == -10
    assert desk.standing == [("LIMIT", 10, 9_590), ("STOP", 10, 10_190)]
    assert desk.notes == [("signal", "short 10 ABC at 99.9: close 99.9 crosses below sma(2) 100")]
    assert desk.venue.sent[0].tag == "entry stop=10190"


@pytest.mark.parametrize(("direction", "expected"), [("long", [10]), ("short", [-10]), ("both", [10, -10])])
def test_it_takes_the_side_that_it_may(direction: Any, expected: list[int]) -> None:
    found = []
    for closes in ((9_990, 10_010), (10_010, 9_990)):
        short = None if direction == "long" else DOWN
        desk = Desk(direction=direction, enter_short=short)
        desk.bars(*closes)
        if desk.venue.position:
            found.append(desk.venue.position)
    assert found == expected


def test_the_cooldown_lies_between_entries_and_after_exits() -> None:
    """Signals at bars 2, 4, 6 …; the position of bar 2 is stopped after bar 4, so three bars later is bar 7."""
    desk = Desk(cooldown=3)
    desk.bars(9_990, 10_010, 9_990, 10_010)
    assert len([order for order in desk.venue.sent if order.tag.startswith("entry")]) == 1
    desk.venue.move(9_700, 100)
    desk.venue.settle()
    entered = []
    for number, close in enumerate((9_990, 10_010, 9_990, 10_010, 9_990, 10_010), start=5):
        before = desk.venue.position
        desk.bar(close)
        if not before and desk.venue.position:
            entered.append(number)
    assert entered == [8]


def test_a_limit_order_waits_at_the_close_and_is_given_up() -> None:
    desk = Desk(entry_orders="limit", offset=2, patience=2, cooldown=0)
    desk.bars(9_990, 10_010)
    entry = desk.venue.sent[0]
    assert (entry.price, entry.time_in_force, entry.filled) == (10_008, TimeInForce.GTC, 0)
    desk.bar(10_020)
    assert entry.live
    desk.bar(10_020)
    assert not entry.live
    assert desk.venue.position == 0


def test_a_limit_order_that_is_filled_in_part_is_covered_and_its_rest_given_up() -> None:
    desk = Desk(entry_orders="limit", patience=1)
    desk.bars(9_990, 10_010)
    entry = desk.venue.sent[0]
    desk.venue.trade(entry, 4)
    desk.venue.settle()
    assert desk.standing == [("LIMIT", 6, 10_010), ("STOP", 4, 9_810)]
    desk.bar(10_020)
    assert desk.standing == [("STOP", 4, 9_810)]


def test_half_goes_at_the_first_target_and_the_stop_follows_the_rest() -> None:
    """True ranges of 10 and 30 ticks, so 20: targets 20 and 60 above, the stop 40 behind, breakeven from 20 on."""
    desk = Desk(exit=[{"advanced_atr": {"period": 2}}, {"take_profit": {"atr": 1, "share": 0.5, "period": 2}}])
    desk.bars(9_989, 9_990, 10_015)
    assert desk.standing == [("LIMIT", 5, 10_035), ("LIMIT", 5, 10_075), ("STOP", 5, 9_975), ("STOP", 5, 9_975)]
    desk.venue.move(10_035, 5)
    desk.venue.settle()
    assert desk.venue.position == 5
    assert desk.notes[-1] == ("exit", "target of long ABC at 100.35")
    desk.bar(10_034)  # not enough
    assert desk.standing == [("LIMIT", 5, 10_075), ("STOP", 5, 9_990)]  # but closer: 2 · 22 behind
    desk.bar(10_040)
    assert desk.standing == [("LIMIT", 5, 10_075), ("STOP", 5, 10_015)]
    desk.bar(10_030)
    assert desk.standing == [("LIMIT", 5, 10_075), ("STOP", 5, 10_015)]


def test_a_rule_closes_a_position_at_market() -> None:
    desk = Desk(exit=[r.When(r.Falling("close"))])
    desk.bars(9_990, 10_010)
    assert desk.standing == []
    desk.bar(10_005)
    assert desk.venue.position == 0
    assert desk.notes[-1] == ("exit", "close long ABC at 100.05: close 100.05 down from 100.1")
    assert desk.credits[-1] == (2, "close falling", "close 100.05 down from 100.1")


def test_time_closes_a_position() -> None:
    desk = Desk(exit={"time": {"bars": 2}})
    desk.bars(9_990, 10_010, 10_010)
    assert desk.venue.position == 10
    desk.bar(10_010)
    assert desk.venue.position == 0
    assert desk.notes[-1][1].endswith("time: held for 2 bars")
    assert desk.credits[-1][1:] == ("time", "time: held for 2 bars")


def test_a_close_that_found_nobody_is_tried_again_with_the_next_bar() -> None:
    desk = Desk(exit={"time": {"bars": 1}})
    desk.bars(9_990, 10_010)
    desk.venue.depth = 3
    desk.bars(10_010, 10_010)
    assert desk.venue.position == 4
    desk.venue.depth = 100
    desk.bar(10_010)
    assert desk.venue.position == 0
    assert [key for key, _ in desk.notes].count("exit") == 1


def test_longer_timeframes_come_from_the_same_bars() -> None:
    """The crossing on the minute counts only while the last completed three minutes have risen."""
    desk = Desk(enter=UP & r.Rising("close", timeframe="3min"), cooldown=0)
    desk.bars(9_980, 9_990, 9_990, 10_010, 9_980, 9_985, 10_010)
    assert desk.venue.position == 0
    desk.bars(9_990, 9_995, 10_010)
    assert desk.venue.position == 10  # the bar of minutes 7 to 9 closed above that of 4 to 6


# --- sizes ---


def test_sizes_by_hand() -> None:
    """A million of cash, at 100.10."""
    for sizing, lots in (
        (Percent(0.1), 999),  # 100,000 / 100.10
        (Risk(0.001), 499),  # 1,000 / 2.002, which is 2 % of 100.10
        (Fixed(10), 10),
    ):
        desk = Desk(sizing=sizing)
        desk.bars(9_990, 10_010)
        assert desk.venue.sent[0].quantity == lots
    capped = Desk(sizing=Percent(0.1), max_position=200)
    capped.bars(9_990, 10_010)
    assert capped.venue.sent[0].quantity == 200


def test_too_little_for_a_lot_is_noted_and_nothing_sent() -> None:
    desk = Desk(sizing=Percent(0.00005))
    desk.bars(9_990, 10_010)
    assert not desk.venue.sent
    assert desk.notes == [
        ("signal", "long ABC: close 100.1 crosses above 100, and too little for a lot")
    ]  # fmt: skip


def test_volatility_waits_until_it_is_known() -> None:
    desk = Desk(sizing=Volatility(0.0001, "1min", period=3), enter=r.Above("close", 1), cooldown=0)
    desk.bars(10_000, 10_010, 10_000)
    assert not desk.venue.sent
    desk.bar(10_010)
    assert desk.venue.sent


def test_kelly_learns_from_its_own_trades() -> None:
    desk = Desk(sizing=Kelly(fraction=0.01, least_trades=2, start=0.01), cooldown=0, exit="risk_reward")
    sizes = []
    for end in (10_500, 9_700, 10_500):
        desk.bars(9_990, 10_010)
        sizes.append(next(order for order in reversed(desk.venue.sent) if order.tag.startswith("entry")).quantity)
        desk.venue.move(end, 10_000)
        desk.venue.settle()
    assert sizes[:2] == [99, 99]
    results = list(desk.strategy._desks["ABC"].results.shares)
    wins, losses = [x for x in results if x > 0], [-x for x in results if x < 0]
    assert len(wins) == 2
    assert len(losses) == 1
    share = 0.01 * (0.5 / losses[0] - 0.5 / wins[0])
    assert sizes[2] == pytest.approx(share * 1_000_000 / 100.10, rel=0.02)


# --- stopped by risk control ---


def risk(action: Action, rule: str = "kill_switch") -> RiskEvent:
    return RiskEvent(0, "me", "agent", rule, Severity.CRITICAL, action)


def canceled_by_risk_control(desk: Desk) -> None:
    """As a risk guard does: it asks for the cancel of all that is open."""
    for order in desk.strategy.orders():
        desk.strategy.cancel(order)
    desk.venue.settle()


def held_and_flattened(exits: Any = "advanced_atr", **terms: Any) -> Desk:
    """A position that risk control closes: the portfolio knows, and no report tells."""
    desk = Desk(exit=exits, cooldown=0, **terms)
    desk.bars(*[9_990] * 20, 10_010)
    assert desk.venue.position == 10
    desk.strategy.on_risk(risk(Action.FLATTEN))
    canceled_by_risk_control(desk)
    desk.venue.position = desk.venue.portfolio.lots["ABC"] = 0
    return desk


@pytest.mark.parametrize("bars", [0, 3])
def test_what_risk_control_has_closed_is_not_sold_again(bars: int) -> None:
    desk = held_and_flattened()
    sent = len(desk.venue.sent)
    desk.bars(*[9_999] * bars)
    assert len(desk.venue.sent) == sent, "nothing is sent while it is stopped"
    desk.strategy.on_risk(risk(Action.RESUME))
    desk.venue.settle()
    desk.bars(9_800, 9_700, 9_600)
    assert len(desk.venue.sent) == sent
    assert desk.venue.position == 0
    assert [text for key, text in desk.notes if key == "exit"] == [
        f"close long ABC at {'99.99' if bars else '100.1'}: risk control closed it"
    ]
    desk.bars(9_990, 10_010)
    assert desk.venue.position == 10, "it trades on"
    assert {order.side for order in desk.strategy.orders()} == {Side.SELL}


def test_a_time_exit_says_nothing_of_a_position_that_was_closed() -> None:
    desk = held_and_flattened({"time": {"bars": 1}})
    desk.bars(9_990, 9_990)
    desk.strategy.on_risk(risk(Action.RESUME))
    desk.bars(9_990, 9_990)
    assert [text for _, text in desk.notes][1:] == ["close long ABC at 99.9: risk control closed it"]
    assert desk.venue.position == 0


def test_what_is_still_held_after_a_stop_is_protected_when_it_trades_on() -> None:
    desk = Desk()
    desk.bars(9_990, 10_010)
    desk.strategy.on_risk(risk(Action.STOP))
    canceled_by_risk_control(desk)
    sent = len(desk.venue.sent)
    desk.bars(10_000, 10_000, 10_000)
    assert (desk.standing, len(desk.venue.sent)) == ([], sent)
    desk.strategy.on_risk(risk(Action.STOP, "drawdown"))
    desk.strategy.on_risk(risk(Action.RESUME))
    desk.venue.settle()
    assert desk.standing == [], "another rule holds it still"
    desk.strategy.on_risk(risk(Action.RESUME, "drawdown"))
    desk.venue.settle()
    assert desk.standing == [("STOP", 10, 9_810)]


def test_a_part_that_was_not_closed_keeps_its_stop() -> None:
    desk = held_and_flattened("stop_loss")
    desk.venue.position = desk.venue.portfolio.lots["ABC"] = 4
    desk.strategy.on_risk(risk(Action.RESUME))
    desk.venue.settle()
    assert desk.standing == [("STOP", 4, 9_810)]


def test_what_is_being_closed_is_not_covered_before_the_next_price() -> None:
    """Trading goes on while the closing order is on its way: a stop beside it could sell twice."""
    desk = Desk()
    desk.bars(9_990, 10_010)
    desk.strategy.on_risk(risk(Action.FLATTEN))
    canceled_by_risk_control(desk)
    closing = Order(OWN, ABC, "X", Side.SELL, OrderType.MARKET, 10)
    desk.venue.sent.append(closing)
    desk.strategy.on_risk(risk(Action.RESUME))
    desk.venue.settle()
    assert desk.standing == []
    closing.state = OrderState.FILLED
    desk.venue.position = desk.venue.portfolio.lots["ABC"] = 0
    desk.bar(9_700)
    assert (desk.standing, desk.venue.position) == ([], 0)


def test_nothing_is_entered_while_only_reducing_orders_pass() -> None:
    desk = Desk(cooldown=0)
    desk.strategy.on_risk(risk(Action.BLOCK, "var"))
    desk.bars(9_990, 10_010)
    assert not desk.venue.sent
    desk.strategy.on_risk(risk(Action.RESUME, "var"))
    desk.bars(9_990, 10_010)
    assert desk.venue.position == 10


def lowest_and_refused(simulation: ms.Simulation, resume_at: str = "") -> tuple[float, int, Any]:
    """Of the strategy: its lowest position, how many of its orders were refused, and the run."""
    execution = simulation.start()
    if resume_at:
        execution.advance(resume_at)
        execution.resume_trading("rsi")
    execution.advance(execution.spec.end)
    run = execution.finish()
    mine = run.trades[(run.trades["taker"] == "rsi") | (run.trades["maker"] == "rsi")]
    signed = mine["quantity"] * mine["side"].where(mine["taker"] == "rsi", -mine["side"])
    return float(signed.cumsum().min()), int((run.risk["action"] == "refuse").sum()), run


@pytest.mark.slow
@pytest.mark.parametrize("how", ["kill switch", "by hand"])
def test_a_long_only_strategy_never_goes_short_after_it_was_flattened(how: str) -> None:
    simulation = ms.load("training_market", {"duration": "15min"})
    strategy = RuleStrategy(
        enter=r.Rsi(below=40), exit=r.AdvancedAtr(stop=2, target=4), timeframe="5s", sizing=Risk(0.01)
    )
    simulation.add_agent(strategy, "rsi", cash=100_000, latency="1ms")
    simulation.kill_switch("12min", "rsi", flatten=True, **({"duration": "1min"} if how == "kill switch" else {}))
    lowest, refused, run = lowest_and_refused(simulation, "" if how == "kill switch" else "13min")
    assert {"flatten", "resume"} <= set(run.risk["action"])
    assert lowest == 0
    assert refused == 0
    assert (run.annotations["value"].str.contains("risk control closed it")).sum() == 1


@pytest.mark.slow
def test_nor_when_the_next_day_lets_it_trade_on() -> None:
    simulation = ms.load("three_days")
    strategy = RuleStrategy(
        enter=r.Rsi(below=45), exit=r.AdvancedAtr(stop=2, target=4), timeframe="1min", sizing=Fixed(200)
    )
    limits = ms.Limits(max_daily_loss=0.0002, on_breach="flatten")
    simulation.add_agent(strategy, "rsi", cash=100_000, latency="1ms", limits=limits)
    lowest, refused, run = lowest_and_refused(simulation)
    assert {"flatten", "resume"} <= set(run.risk["action"])
    assert lowest == 0
    assert refused == 0


# --- changing while it runs ---


def test_new_rules_begin_anew_and_the_position_keeps_its_orders() -> None:
    desk = Desk(cooldown=0)
    desk.bars(9_990, 10_010)
    desk.strategy.set(enter=r.CrossesAbove("close", 101), cooldown=1)
    assert desk.standing == [("STOP", 10, 9_810)]
    assert len(desk.venue.subscribed) == 1
    desk.bars(10_050)
    desk.venue.move(9_800, 100)
    desk.venue.settle()
    desk.bars(10_050, 10_110)
    assert desk.venue.position == 10
    with pytest.raises(InvalidValueError, match="no rule type"):
        desk.strategy.set(enter="rsl")


def test_bars_of_another_length_are_refused() -> None:
    desk = Desk()
    with pytest.raises(InvalidValueError, match="is told bars of 5min and trades on bars of 1min"):
        desk.bar(10_000, interval=5 * MINUTE)
    desk.strategy.set(timeframe="5min")
    desk.bar(10_000)  # those that were under way
    desk.bar(10_000, interval=5 * MINUTE)


def test_a_price_is_the_number_that_its_text_stands_for() -> None:
    """10,010 ticks of 0.01 are not above 100.1, though 10,010 times the float 0.01 is."""
    desk = Desk(enter=r.Above("close", 100.1))
    desk.bar(10_010)
    assert not desk.venue.sent
    desk.bar(10_011)
    assert desk.venue.sent


def test_before_anything_has_traded_there_is_no_bar() -> None:
    desk = Desk(enter=r.Below("close", 100))
    desk.bar(0, volume=0, spread=0)
    assert not desk.venue.sent


# --- Python and scenario files ---


def test_python_and_yaml_make_the_same_strategy() -> None:
    python = RuleStrategy(
        enter=r.Rsi(below=25) | r.Bollinger() & r.SuperTrend(timeframe="5min"),
        exit=[r.TakeProfit(atr=1.5, share=0.5), r.AdvancedAtr(), r.Rsi(below=None, above=70)],
        sizing=Risk(0.01),
        timeframe="30s",
    )
    given = {
        "enter": {"any": [{"rsi": {"below": 25}}, {"all": ["bollinger", {"supertrend": {"timeframe": "5min"}}]}]},
        "exit": [{"take_profit": {"atr": 1.5, "share": 0.5}}, "advanced_atr", {"when": {"rsi": {"above": 70}}}],
        "sizing": {"type": "risk", "share": 0.01},
        "timeframe": "30s",
    }
    yaml = REGISTRY.build("agent", "rule_strategy", given)
    assert yaml == python
    assert yaml.exits == python.exits
    assert list(yaml.entries()) == list(python.entries())
    written = REGISTRY.describe("agent", python)
    assert REGISTRY.build("agent", written.pop("type"), written) == python


SCENARIO = """\
duration: 30min
venues: {{X: }}
instruments: {{ABC: }}
agents:
  trader:
    type: rule_strategy
{terms}
"""


def findings(tmp_path: Path, terms: str) -> list[str]:
    """What a check says of a strategy with these lines."""
    path = tmp_path / "wrong.yaml"
    path.write_text(SCENARIO.format(terms="\n".join(f"    {line}" for line in terms.splitlines())), encoding="utf-8")
    try:
        check(path)
    except ScenarioError as error:
        return [finding.removeprefix(f"{path.name}:").removeprefix(f"{path}:") for finding in error.findings]
    return []


@pytest.mark.parametrize(
    ("terms", "where", "message"),
    [
        ("enter: rsl", "7:", 'did you mean "rsi"'),
        ("enter:\n  any:\n    - rsi: {below: 30}\n    - bolinger:", "10:", 'did you mean "bollinger"'),
        ("enter:\n  - rsi: {period: 0}", "8:", "agents.trader.enter[0].rsi.period: 0 must be at least 1"),
        ("enter: {above: [close, smaa(3)]}", "7:", 'did you mean "sma"'),
        (
            "enter: {above: [close, macd(12, 26, 9).signl]}",
            "7:",
            '4 values are too many; quote a name with commas in it: "macd(12, 26, 9).signl"',
        ),
        ("enter: {rsi: {timeframe: 90s}}", "7:", "1min 30s bars cannot be joined from bars of 1min"),
        ("timeframe: 1h", "7:", "no bar of 1h ends in a run of 30min"),
        ("timeframe: 5min", "5:", "rsi(14) needs 15 bars of 5min, and nobody makes so many in a run of 30min"),
        ("enter: rsi_ichimoku", "7:", "ichimoku(9, 26, 52, 26).top needs 78 bars of 1min"),
        ("exit: {moving_average_cross: {slow: 40}}", "7:", "sma(40) needs 40 bars of 1min"),
        ("sizing: {type: risk, share: 2}", "7:", "share: 2.0 must be above 0 and at most 1"),
        ("cash: 0", "7:", "agents.trader.cash: percent is a share of the equity, and with no cash there is none"),
        ("exit: []", "7:", "the list is empty"),
        ("exit:\n  - atr: {stop: 0}", "8:", "must be above 0"),
        ("exit:\n  - take_profit: {risk: 2}", "8:", "no exit before it sets a stop"),
        ("exit: time\nsizing: {type: risk}", "8:", "risk needs a stop and no exit sets one"),
        ("sizing: {type: rsk}", "7:", 'did you mean "risk"'),
        ("sizing: {type: kelly, fraction: 2}", "7:", "fraction"),
        ("direction: both\nenter: {above: [close, 100]}", "8:", "above has no mirror image: say enter_short"),
        ("enter_short: rsi", "7:", 'a strategy with direction "long" never uses it'),
        ("direction: short\nenter_short: rsi\nexit: {above: [close, 1]}", "9:", "has no mirror image"),
        ("cooldown: -1", "7:", "at least 0"),
        ("patience: 0", "7:", "at least 1"),
        ("direction: up", "7:", "not one of the choices"),
        ("entry_orders: stop", "7:", "not one of the choices"),
    ],
)
def test_a_check_refuses_what_can_never_work(tmp_path: Path, terms: str, where: str, message: str) -> None:
    found = findings(tmp_path, terms)
    assert len(found) >= 1
    assert message in found[0]
    assert where in found[0][:12]


def test_a_check_takes_what_works(tmp_path: Path) -> None:
    assert findings(tmp_path, "timeframe: 10s\nenter: rsi_ichimoku\nexit: [trailing, time]\ndirection: both") == []
    assert findings(tmp_path, "cash: 0\nsizing: {type: fixed, quantity: 5}") == []


@pytest.mark.parametrize("name", ["rsi_or_bollinger", "rsi_bollinger_volume", "rsi_ichimoku", "rsi_volume_supertrend"])
def test_every_preset_takes_either_side(name: str) -> None:
    assert [side for side, _ in RuleStrategy(enter=name, direction="both").entries()] == [1, -1]


def test_defaults_are_those_of_the_document() -> None:
    strategy = RuleStrategy()
    assert strategy.entries().__next__() == (1, r.RsiOrBollinger(14, 30.0, 20, 2.0))
    assert strategy.exits == (r.Atr(14, 2.0, 3.0),)
    assert strategy.cooldown == 5


# --- in a market ---


EXITS = [{"take_profit": {"atr": 1, "share": 0.5}}, "advanced_atr", {"time": {"bars": 15}}]


def market(**terms: Any) -> Any:
    simulation = ms.load("training_market", {"duration": "4min", "warm_up": "0s", "seed": 2})
    strategy = RuleStrategy(timeframe="1s", max_position=50, direction="both", **terms)
    simulation.add_agent(strategy, "rules", latency="2ms")
    return simulation.run()


def test_in_a_market_every_entry_follows_a_signal_and_has_its_reason() -> None:
    run = market(enter=r.Rsi(below=42) | r.Bollinger(), exit=EXITS)
    notes = run.annotations
    signals = notes[notes["key"] == "signal"]
    orders = run.orders[run.orders["agent"] == "rules"]
    entries = orders[(orders["order_type"] == "MARKET") & (orders["quantity"] == 50)]
    assert len(signals) >= 4
    for _, signal in signals.iterrows():
        assert "rsi(14)" in signal["value"] or "bollinger(20, 2)" in signal["value"]
        arrived = entries["time"] - signal["time"]
        assert ((arrived >= 2_000_000) & (arrived < 2_100_000)).any()
    told = [value for value in notes[notes["key"] == "exit"]["value"] if not value.startswith("close ")]
    reasons = {value.split(" of ")[0] for value in told}
    assert reasons <= {"target", "stop-loss", "trailing stop", "breakeven stop"}
    assert len(reasons) >= 2
    trades = run.trades[(run.trades["taker"] == "rules") | (run.trades["maker"] == "rules")]
    assert len(trades) > 10


def test_equal_seeds_trade_equally() -> None:
    one, other = (market(enter="rsi_or_bollinger", exit="trailing") for _ in range(2))
    assert one.manifest.digest == other.manifest.digest
