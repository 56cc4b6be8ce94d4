"""Rules: each by hand, joints and what is not known, several timeframes, mirror images, YAML and Python, bad input."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketsim.agents import rules as r
from marketsim.agents.indicators import parse_line
from marketsim.agents.rules.charts import Charts, Joined
from marketsim.agents.rules.exits import Exits, Target
from marketsim.agents.rules.rule import Condition, Leaf, Need, Rule
from marketsim.domain.units import MINUTE
from marketsim.errors import ConfigurationError, InvalidValueError
from marketsim.scenario.parameters import Problems
from marketsim.scenario.registry import REGISTRY


def bar(number: int, close: float, volume: float = 10.0, spread: float = 0.0) -> Joined:
    """The bar that ends with minute ``number``; one of a spread below zero is the mirror image."""
    up, down = (spread, 2 * spread) if spread >= 0 else (-2 * spread, -spread)
    return Joined(number * MINUTE, close, close + up, close - down, close, volume)


def after(
    rule: Rule, closes: list[float], volumes: list[float] | None = None, spread: float = 0.0
) -> list[bool | None]:
    """What a rule says after each bar."""
    charts = Charts(MINUTE)
    condition = rule.bind(charts)
    found = []
    for number, close in enumerate(closes, start=1):
        charts.add(bar(number, close, 10.0 if volumes is None else volumes[number - 1], spread))
        found.append(condition.evaluate())
    return found


def reason(rule: Rule, closes: list[float], volumes: list[float] | None = None) -> str:
    """Why a rule is true after the last bar."""
    charts = Charts(MINUTE)
    condition = rule.bind(charts)
    held: bool | None = None
    for number, close in enumerate(closes, start=1):
        charts.add(bar(number, close, 10.0 if volumes is None else volumes[number - 1]))
        held = condition.evaluate()
    assert held
    return condition.reason()


# --- each rule ---

UNKNOWN = None


@pytest.mark.parametrize(
    ("rule", "closes", "expected"),
    [
        (r.Above("close", 10), [9, 10, 11], [False, False, True]),
        (r.Below("close", "sma(2)"), [9, 8, 9], [UNKNOWN, True, False]),
        (r.CrossesAbove("close", 10), [11, 10, 11, 12, 9, 11], [UNKNOWN, False, True, False, False, True]),
        (r.CrossesBelow("close", 10), [9, 10, 9, 8], [UNKNOWN, False, True, False]),
        (r.Between("close", 9, 10), [8, 9, 10, 11], [False, True, True, False]),
        (r.Rising("close"), [1, 2, 2, 3], [UNKNOWN, True, False, True]),
        (r.Falling("close"), [1, 2, 2, 1], [UNKNOWN, False, False, True]),
        (r.Rsi(below=50, period=2), [1, 2, 3, 2, 1], [UNKNOWN, UNKNOWN, False, False, True]),
        (r.Rsi(below=None, above=50, period=2), [1, 2, 3, 2, 1], [UNKNOWN, UNKNOWN, True, False, False]),
        (r.Rsi(below=60, above=40, period=2), [1, 2, 3, 2, 2], [UNKNOWN, UNKNOWN, False, True, True]),
        (r.Bollinger(period=2, deviations=1), [5, 4, 5, 5], [UNKNOWN, True, False, True]),
        (r.Bollinger(above="upper", period=2, deviations=1), [5, 4, 5], [UNKNOWN, False, True]),
        (r.Bollinger(below="middle", period=2), [5, 4, 5], [UNKNOWN, True, False]),
        (r.Bollinger(below="upper", above="middle", period=2), [5, 4, 5], [UNKNOWN, False, True]),
        (r.Macd(fast=1, slow=2, smoothing=1), [1, 2, 3], [UNKNOWN, False, False]),
        (r.SuperTrend(period=1, multiple=1), [10, 12, 9, 12], [UNKNOWN, True, False, False]),
        (r.SuperTrend("down", True, period=1, multiple=1), [10, 12, 9, 9], [UNKNOWN, UNKNOWN, True, False]),
        (r.Ichimoku("above", 1, 2, 3, 1), [1, 2, 3, 4, 2, 1], [UNKNOWN] * 3 + [True, False, False]),
        (r.Ichimoku("below", 1, 2, 3, 1), [1, 2, 3, 4, 2, 1], [UNKNOWN] * 3 + [False, True, True]),
        (r.Ichimoku("inside", 1, 2, 3, 1), [1, 2, 3, 2.2], [UNKNOWN] * 3 + [True]),
        (r.Rising("close").within(2), [1, 2, 1, 1, 1], [UNKNOWN, True, True, False, False]),
    ],
    ids=lambda value: str(value.plain()) if isinstance(value, Rule) else None,
)
def test_by_hand(rule: Rule, closes: list[float], expected: list[bool | None]) -> None:
    assert after(rule, closes) == expected


def test_volume_by_hand() -> None:
    volumes = [10.0, 10.0, 40.0, 5.0, 0.0, 0.0, 0.0]
    assert after(r.Volume(period=2), [1] * 7, volumes) == [UNKNOWN, False, True, False, False, UNKNOWN, UNKNOWN]
    assert after(r.Volume(below=0.5, period=2), [1] * 7, volumes)[3:5] == [True, True]


def test_adx_by_hand() -> None:
    """Bars that only rise: the whole movement has one direction, so it is 100."""
    closes = [float(number) for number in range(6)]
    assert after(r.Adx(above=99, period=2), closes, spread=0.5) == [UNKNOWN] * 3 + [True] * 3
    assert after(r.Adx(below=99, period=2), closes, spread=0.5)[-1] is False


def test_a_reason_names_the_lines_and_their_values() -> None:
    falling = [10.0, 9.0, 8.0, 7.0]
    assert reason(r.Rsi(below=30, period=2), falling) == "rsi(2) 0.00 below 30"
    assert reason(r.Below("close", "sma(2)"), falling) == "close 7 below sma(2) 7.5"
    assert reason(r.CrossesBelow("close", 8), [10.0, 9.0, 8.0, 7.5]) == "close 7.5 crosses below 8"
    both = r.Falling("close") & r.Below("close", 9)
    assert reason(both, falling) == "close 7 down from 8 and close 7 below 9"
    either = r.Above("close", 9) | r.Below("close", 9)
    assert reason(either, falling) == "close 7 below 9"
    assert reason(~r.Above("close", 9), falling) == "not close above 9"
    low, lower = r.Below("close", 9), r.Below("close", 8)
    assert reason((low | lower) & r.Falling("close"), falling) == (
        "(close 7 below 9 or close 7 below 8) and close 7 down from 8"
    )
    assert reason((low | r.Above("close", 9)) & r.Falling("close"), falling) == (
        "close 7 below 9 and close 7 down from 8"
    )
    assert reason(low & lower | r.Falling("close"), falling) == (
        "(close 7 below 9 and close 7 below 8) or close 7 down from 8"
    )
    assert reason((low & lower).within(2), falling) == "(close 7 below 9 and close 7 below 8)"
    assert reason(r.Below("close", 7.5).within(3), [7.0, 8.0, 8.0]) == "close 7 below 7.5 2 bars ago"
    assert reason(r.Volume(period=2), [1.0] * 2, [10.0, 30.0]) == "volume 1.50 times its average"


# --- joints ---


class Told(Leaf):
    """A rule that says what it is told."""

    timeframe = None

    def __init__(self, value: bool | None) -> None:
        self.value = value

    def lines(self) -> tuple[object, ...]:
        return ()

    def judge(self, series: Any, chart: Any) -> Condition:
        return Condition(lambda: self.value, lambda: "told")


VALUES = (True, False, None)


def said(rule: Rule) -> bool | None:
    return rule.bind(Charts(MINUTE)).evaluate()


@pytest.mark.parametrize(("one", "other"), list(itertools.product(VALUES, VALUES)))
def test_what_is_not_known_is_neither_true_nor_false(one: bool | None, other: bool | None) -> None:
    """Kleene's logic, and with it De Morgan's laws."""
    a, b = Told(one), Told(other)
    assert said(a & b) == (False if False in (one, other) else None if None in (one, other) else True)
    assert said(a | b) == (True if True in (one, other) else None if None in (one, other) else False)
    assert said(~a) == (None if one is None else not one)
    assert said(~(a & b)) == said(~a | ~b)
    assert said(~(a | b)) == said(~a & ~b)
    assert ~~a is a


def test_joints_are_flat() -> None:
    a, b, c = r.Rising("close"), r.Falling("open"), r.Rsi()
    assert (a | b | c).plain() == {"any": [a.plain(), b.plain(), c.plain()]}
    assert (a & (b & c)).plain() == {"all": [a.plain(), b.plain(), c.plain()]}
    assert (a & b | c).plain() == {"any": [{"all": [a.plain(), b.plain()]}, c.plain()]}


def test_a_rule_that_remembers_is_not_passed_over() -> None:
    """``any`` is true by its first rule; the second, behind it, still counts its bars."""
    rule = r.Above("close", 5) | r.Below("close", 2).within(2)
    assert after(rule, [1, 6, 3, 3]) == [True, True, False, False]
    assert after(r.Above("close", 0) & r.Below("close", 2).within(2), [1, 3, 3]) == [True, True, False]


# --- several timeframes ---


def test_longer_bars_are_joined_and_count_when_they_are_over() -> None:
    """Minutes 1 to 5 make one bar: until minute 5 ends nothing of it is known."""
    charts = Charts(MINUTE)
    longer = charts.chart(5 * MINUTE)
    names = ("open", "high", "low", "close", "volume")
    lines = {name: longer.series(parse_line(name)) for name in names}
    for number in range(1, 13):
        charts.add(Joined(number * MINUTE, number, number + 2, number - 2, number + 1, 10))
        assert longer.fresh is (number % 5 == 0)
        assert longer.bars == number // 5
    assert {name: line.now for name, line in lines.items()} == {
        "open": 6, "high": 12, "low": 4, "close": 11, "volume": 50,
    }  # fmt: skip
    assert lines["close"].before == 6


def test_a_longer_bar_that_began_before_is_left_out() -> None:
    charts = Charts(MINUTE)
    longer = charts.chart(5 * MINUTE)
    for number in range(3, 11):
        charts.add(bar(number, 1.0))
    assert longer.bars == 1


def test_a_longer_bar_ends_when_the_next_begins_though_minutes_are_missing() -> None:
    charts = Charts(MINUTE)
    longer = charts.chart(5 * MINUTE)
    close = longer.series(parse_line("close"))
    for number in (1, 2, 3, 7, 8):  # 4 to 6 are missing
        charts.add(bar(number, float(number)))
        assert close.now == (3.0 if number >= 7 else pytest.approx(float("nan"), nan_ok=True))
    assert longer.fresh is False


@given(st.lists(st.integers(1, 99), min_size=12, max_size=60), st.sampled_from([2, 3, 5]))
def test_joined_bars_are_those_of_the_minutes_in_them(closes: list[int], length: int) -> None:
    charts = Charts(MINUTE)
    longer = charts.chart(length * MINUTE)
    names = ("open", "high", "low", "close", "volume")
    lines = [longer.series(parse_line(name)) for name in names]
    for number, close in enumerate(closes, start=1):
        charts.add(bar(number, float(close), float(number), 0.5))
        if longer.fresh:
            part = closes[number - length : number]
            volume = sum(range(number - length + 1, number + 1))
            assert [line.now for line in lines] == [part[0], max(part) + 0.5, min(part) - 1.0, part[-1], volume]


def test_a_crossing_on_longer_bars_is_told_once() -> None:
    closes = [1.0, 1, 1, 3, 3, 3, 3, 3, 3]
    found = after(r.CrossesAbove("close", 2, timeframe="3min"), closes)
    assert found == [UNKNOWN] * 5 + [True, False, False, False]
    level = after(r.Above("close", 2, timeframe="3min"), closes)
    assert level == [UNKNOWN] * 2 + [False] * 3 + [True] * 4


def test_lines_are_computed_once() -> None:
    charts = Charts(MINUTE)
    (r.Rsi() & r.Rsi(below=None, above=10) & r.CrossesAbove("rsi(14)", 20)).bind(charts)
    assert len(charts.chart(None)._sources) == 1


# --- mirror images ---

NAMED = [name for name in REGISTRY.names("rule") if name != "lately"]
NEEDED: dict[str, dict[str, Any]] = {
    **{name: {"line": "close", "than": "ema(5)"} for name in ("above", "below", "crosses_above", "crosses_below")},
    "between": {"line": "close", "low": "bollinger.lower", "high": "bollinger"},
    "falling": {"line": "close"},
    "rising": {"line": "close"},
    "lately": {"rule": "rsi"},
}


def named(name: str) -> Any:
    return REGISTRY.build("rule", name, NEEDED.get(name, {}))


@pytest.mark.parametrize("name", NAMED)
def test_the_mirror_image_of_a_mirror_image_is_the_rule(name: str) -> None:
    rule = named(name)
    mirrored = rule.mirror()
    assert mirrored.mirror().plain() in (rule.plain(), getattr(rule, "expand", lambda: rule)().plain())


MIRRORED = [
    r.Rsi(period=3), r.Bollinger(period=6, deviations=1.5), r.Macd(fast=2, slow=4, smoothing=2), r.SuperTrend(period=3),
    r.Ichimoku("above", 2, 4, 6, 3), r.Rising("sma(3)"), r.CrossesAbove("close", "ema(5)"), r.Rsi(period=3).within(3),
]  # fmt: skip


@pytest.mark.parametrize("rule", MIRRORED, ids=lambda rule: str(rule.plain()))
def test_a_mirror_image_says_of_a_mirrored_price_what_the_rule_says_of_the_price(rule: Rule) -> None:
    """Prices at 200 less theirs."""
    closes = [100.0 + (number * 7 % 11) - (number * number % 13) for number in range(60)]
    straight = after(rule, closes, spread=0.5)
    assert straight == after(rule.mirror(), [200.0 - close for close in closes], spread=-0.5)
    assert True in straight
    assert False in straight


def test_a_comparison_with_a_number_has_no_mirror_image() -> None:
    with pytest.raises(InvalidValueError, match="above has no mirror image: say enter_short"):
        r.Above("close", 10).mirror()


# --- Python and YAML ---


@pytest.mark.parametrize("name", [*NAMED, "lately"])
def test_every_rule_is_documented_and_read_as_it_is_written(name: str) -> None:
    rule = named(name)
    assert r.parse(rule.plain()) == rule
    assert all(parameter.doc for parameter in REGISTRY.parameters("rule", name))
    assert REGISTRY.summary("rule", name)
    assert all(isinstance(need, Need) for need in rule.needs())


@pytest.mark.parametrize("name", REGISTRY.names("exit"))
def test_every_exit_is_documented_and_read_as_it_is_written(name: str) -> None:
    made = REGISTRY.build("exit", name, {"rule": "macd"} if name == "when" else {})
    assert r.parse_exits([made.plain()]) == (made,)
    assert r.parse_exits(made) == (made,)
    assert all(parameter.doc for parameter in REGISTRY.parameters("exit", name))
    assert REGISTRY.summary("exit", name)


def test_python_and_yaml_say_the_same() -> None:
    python = (r.Rsi(below=25) | r.Bollinger()) & ~r.Volume(above=3) & r.SuperTrend(timeframe="5min")
    yaml = [
        {"any": [{"rsi": {"below": 25}}, {"bollinger": {"below": "lower"}}]},
        {"not": {"volume": {"above": 3}}},
        {"supertrend": {"timeframe": "5min"}},
    ]
    assert r.parse(yaml) == python
    assert r.parse({"all": yaml}) == python
    assert r.parse(python.plain()) == python
    assert r.parse({"above": ["close", "sma( 20 )"]}) == r.Above("close", "sma(20)")
    assert r.parse({"rsi": None}) == r.parse("rsi") == r.Rsi(below=30)


def test_presets_are_what_the_document_says() -> None:
    assert r.RsiOrBollinger().expand() == r.Rsi(below=30, period=14) | r.Bollinger("lower", None, 20, 2.0)
    expected = r.Rsi(below=30) & r.Bollinger() & r.Volume(above=1.5)
    assert r.RsiBollingerVolume().expand() == expected
    assert r.RsiIchimoku().expand() == r.Rsi().within(10) & r.Ichimoku("above")
    assert r.RsiVolumeSuperTrend().expand() == r.Rsi().within(10) & r.Volume() & r.SuperTrend("up")


@pytest.mark.parametrize(
    ("told", "where", "message"),
    [
        ("rsl", (), 'no rule type is called "rsl"; did you mean "rsi"'),
        ({"rsi": {"below": 130}}, ("rsi", "below"), "130.0 must be above 0 and at most 100"),
        ({"rsi": {"belo": 30}}, ("rsi", "belo"), 'unknown parameter; did you mean "below"'),
        ({"rsi": {"period": 0}}, ("rsi", "period"), "0 must be at least 1"),
        ({"rsi": {"below": 30, "above": 70}}, ("rsi", "above"), "no RSI is above 70 and below 30"),
        ({"bollinger": {"below": "lower", "above": "upper"}}, ("bollinger", "above"), "nothing is above the upper"),
        ({"bollinger": {"below": "lowr"}}, ("bollinger", "below"), "not one of the choices"),
        ({"volume": {"above": 2, "below": 1}}, ("volume", "above"), "must be less than below"),
        ({"volume": {"above": 20}}, (), "no bar has 20 times the average of 20 bars that it belongs to"),
        ({"macd": {"fast": 30}}, ("macd", "fast"), "must be less than slow"),
        ({"ichimoku": {"long": 20}}, (), "medium: 26 must lie between short, 9, and long, 20"),
        ({"adx": {"above": 30, "below": 20}}, ("adx", "above"), "no ADX is above 30"),
        ({"rsi": {"period": 10**30}}, ("rsi",), "must be a whole number from 1 to 1,000,000"),
        ({"between": ["rsi(14)", 80, 20]}, ("between", "low"), "80 is above high, 20"),
        ({"above": ["close", "smaa(3)"]}, ("above", "than"), "no indicator is called 'smaa'; did you mean \"sma\""),
        ({"above": ["close", "close"]}, ("above", "than"), "compared with itself"),
        ({"above": ["close", 1, "1min", 2]}, ("above",), "4 values are too many"),
        ({"supertrend": {"timeframe": "0s"}}, ("supertrend", "timeframe"), "must be above zero"),
        ({"rsi": {"timeframe": "5 parsecs"}}, ("rsi", "timeframe"), "parsecs"),
        ({"lately": {"rule": "rsl"}}, ("lately", "rule"), "no rule type"),
        ({"lately": {"rule": "rsi", "bars": 0}}, ("lately", "bars"), "must be at least 1"),
        ({"any": ["rsi", {"not": "x"}]}, ("any", 1, "not"), "no rule type"),
        ({"any": "rsi"}, ("any",), "not a list of rules"),
        ({"all": []}, ("all",), "the list of rules is empty"),
        ([], (), "the list of rules is empty"),
        ({"rsi": 30, "volume": 2}, (), "are several rules: join them with all or any"),
        ({"rsi": 30}, ("rsi",), "30 are no parameters"),
        ({"al": ["rsi"]}, (), 'no rule type is called "al"'),
        (5, (), "5 is no rule"),
        ({}, (), "is no rule"),
        (None, (), "is no rule"),
    ],
)
def test_bad_rules_are_refused_where_they_stand(told: Any, where: tuple[Any, ...], message: str) -> None:
    with pytest.raises(Problems) as caught:
        r.parse(told, ("enter",))
    path, text = caught.value.problems[0]
    assert message in text
    if where:
        assert path == ("enter", *where)
    else:
        assert path[0] == "enter"


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(Problems) as caught:
        r.parse({"any": [{"rsi": {"period": 0, "above": -3}}, "foo", {"all": [{"volume": {"x": 1}}]}]})
    assert [path for path, _ in caught.value.problems] == [
        ("any", 0, "rsi", "period"), ("any", 1), ("any", 2, "all", 0, "volume", "x"),
    ] or len(caught.value.problems) >= 3  # fmt: skip


# --- exits ---


def exits_on(told: Any, closes: list[float], side: int = 1) -> Exits:
    """Exits on bars of one range about these closes."""
    charts = Charts(MINUTE)
    made = Exits(r.parse_exits(told), charts, side)
    for number, close in enumerate(closes, start=1):
        charts.add(bar(number, close, 10.0, 1 / 3))
        made.update()
    return made


def test_levels_by_hand() -> None:
    """Ranges of 1 in every bar."""
    level = [100.0] * 5
    assert exits_on({"atr": {"period": 3}}, level).levels(100.0) == (2.0, (Target(3.0, 1.0),), None)
    assert exits_on({"atr": {"period": 3, "target": None}}, level).levels(100.0) == (2.0, (), None)
    assert exits_on({"atr": {"period": 9}}, level).levels(100.0) == (None, (), None)  # not known yet
    advanced = exits_on({"advanced_atr": {"period": 3, "stop": 1.5}}, level)
    assert advanced.levels(100.0) == (1.5, (Target(3.0, 1.0),), 1.0)
    assert advanced.trail(100.0) == 1.5
    assert exits_on("trailing", level).levels(50.0) == (1.0, (), None)
    assert exits_on("trailing", level).trail(60.0) == 1.2
    assert exits_on("risk_reward", level).levels(50.0) == (1.0, (Target(2.0, 1.0),), None)
    assert exits_on("stop_loss", level).levels(50.0) == (1.0, (), None)
    assert exits_on("take_profit", level).levels(50.0) == (None, (Target(2.0, 1.0),), None)
    assert exits_on({"take_profit": {"atr": 2, "period": 3, "share": 0.5}}, level).levels(50.0).targets == (
        Target(2.0, 0.5),
    )


def test_exits_together_are_the_nearest_stop_and_every_target() -> None:
    told = [{"stop_loss": {"distance": 0.03}}, {"atr": {"period": 3}}, {"take_profit": {"risk": 1, "share": 0.5}}]
    levels = exits_on(told, [100.0] * 5).levels(100.0)
    assert levels == (2.0, (Target(2.0, 0.5), Target(3.0, 1.0)), None)
    assert exits_on(["trailing", "advanced_atr"], [100.0] * 20).trail(100.0) == 2.0
    assert exits_on("time", [100.0]).trail(100.0) is None


def test_time_and_rules_close() -> None:
    timed = exits_on([{"time": {"bars": 3, "after": "10min"}}], [1.0])
    assert [timed.due(bars, bars * MINUTE) for bars in (2, 3)] == ["", "time: held for 3 bars"]
    assert timed.due(1, 10 * MINUTE) == "time: held for 10min"
    closes = [1.0, 2.0, 3.0, 4.0, 1.0]
    assert exits_on({"when": {"below": ["close", "sma(3)"]}}, closes).due(1, 0) == "close 1 below sma(3) 2.6666667"
    assert exits_on({"above": ["close", "sma(3)"]}, closes, -1).due(1, 0) == "close 1 below sma(3) 2.6666667"
    cross = exits_on({"moving_average_cross": {"fast": 1, "slow": 3}}, closes)
    assert cross.due(1, 0) == "sma(1) 1 crosses below sma(3) 2.6666667"
    assert exits_on({"moving_average_cross": {"fast": 1, "slow": 3}}, closes, -1).due(1, 0) == ""


@pytest.mark.parametrize(
    ("told", "where", "message"),
    [
        ("art", (), 'no exit type is called "art"; did you mean "atr"'),
        ({"atr": {"stop": -1}}, ("atr", "stop"), "must be above 0"),
        ([{"atr": {"stop": 0}}], (0, "atr", "stop"), "must be above 0"),
        ({"atr": {"period": 0}}, ("atr", "period"), "at least 1"),
        ({"atr": {"share": 0}}, ("atr", "share"), "closes nothing"),
        ({"advanced_atr": {"breakeven_after": 4}}, ("advanced_atr", "breakeven_after"), "never gained"),
        ([{"take_profit": {"risk": 2}}], (0,), "no exit before it sets a stop"),
        ([{"take_profit": {"risk": 2}}, "atr"], (0,), "no exit before it sets a stop"),
        ({"take_profit": {"risk": 2, "atr": 1}}, (), "says where the target is already"),
        ({"trailing": {"distance": 1}}, ("trailing", "distance"), "at zero"),
        ({"risk_reward": {"ratio": 0}}, ("risk_reward", "ratio"), "above 0"),
        ({"time": {"bars": 0}}, ("time", "bars"), "at least 1"),
        ({"moving_average_cross": {"fast": 30}}, ("moving_average_cross", "fast"), "less than slow"),
        ({"when": "rsl"}, ("when",), "no rule type"),
        ([{"any": ["rsi", "foo"]}], (0, "any", 1), "no rule type"),
        ([{"atr": {}, "time": {}}], (0,), "is not one exit"),
        (5, (), "5 is no exit"),
    ],
)
def test_bad_exits_are_refused_where_they_stand(told: Any, where: tuple[Any, ...], message: str) -> None:
    with pytest.raises(Problems) as caught:
        r.parse_exits(told, ("exit",))
    path, text = caught.value.problems[0]
    assert message in text
    if where:
        assert path == ("exit", *where)


# --- nonsense ---

WORDS = st.sampled_from(
    [*REGISTRY.names("rule"), *REGISTRY.names("exit"), "all", "any", "not", "rule", "line", "than", "period", "below",
     "above", "timeframe", "bars", "share", "close", "ema(5)", "macd.signal", "5min", "lower", "x:y", ""],
)  # fmt: skip
NONSENSE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 200), st.floats(), WORDS, st.text(max_size=5)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


@given(NONSENSE)
@settings(max_examples=400)
def test_nonsense_is_a_rule_or_refused(told: Any) -> None:
    """Whatever a file says: a rule that is read as it is written, or an error of ours."""
    for read in (r.parse, r.parse_exits):
        try:
            made = read(told)
        except ConfigurationError:
            continue
        parts = made if isinstance(made, tuple) else (made,)
        again = [part.plain() for part in parts]
        assert read(again if isinstance(made, tuple) else again[0]) == made
