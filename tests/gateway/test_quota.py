"""Quotas: never more than the limit in a window, growing bans, bounded memory, rules from text."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketsim.errors import InvalidValueError
from marketsim.gateway.quota import KINDS, LONGEST_BAN, SHORTEST_BAN, VENUE, Quota, Rule, Verdict, parse_rules

NOON = 1_700_049_600_000  # ms, a full hour
MINUTE = 60_000


def _spend_all(quota: Quota, who: str = "here", now: int = NOON) -> None:
    assert quota.spend("REQUEST_WEIGHT", who, 6_000, now).ok


# --- what it lets through ---


def test_the_venues_limits_and_headers() -> None:
    quota = Quota()
    first = quota.spend("REQUEST_WEIGHT", "here", 10, NOON + 1)
    assert first == Verdict(True, {"USED-WEIGHT-1M": 10})
    assert (first.status, first.headers()) == (200, {"X-MBX-USED-WEIGHT-1M": "10"})
    assert quota.spend("REQUEST_WEIGHT", "here", 5_990, NOON + 2).ok
    assert quota.spend("REQUEST_WEIGHT", "there", 1, NOON + 2).ok
    refused = quota.spend("REQUEST_WEIGHT", "here", 1, NOON + 500)
    assert refused == Verdict(False, {"USED-WEIGHT-1M": 6_001}, 60, False, NOON + MINUTE)
    assert (refused.status, refused.headers()["Retry-After"]) == (429, "60")
    assert quota.spend("REQUEST_WEIGHT", "here", 1, NOON + 59_999).retry_after == 1
    assert quota.spend("REQUEST_WEIGHT", "here", 1, NOON + MINUTE).used == {"USED-WEIGHT-1M": 1}
    assert quota.spend("RAW_REQUESTS", "here", 1, NOON).headers() == {}


def test_orders_are_counted_in_all_windows_or_in_none() -> None:
    quota = Quota([Rule("ORDERS", 3, 10, "SECOND"), Rule("ORDERS", 5, 1, "DAY")])
    for count in (1, 2, 3):
        done = quota.spend("ORDERS", "ann", 1, NOON)
        assert done.headers() == {"X-MBX-ORDER-COUNT-10S": str(count), "X-MBX-ORDER-COUNT-1D": str(count)}
    refused = quota.spend("ORDERS", "ann", 1, NOON + 4_000)
    assert (refused.ok, refused.retry_after, refused.used) == (False, 6, {"ORDER-COUNT-10S": 3, "ORDER-COUNT-1D": 3})
    assert "Retry-After" not in refused.headers()  # as on the venue
    assert quota.spend("ORDERS", "ann", 2, NOON + 10_000).used == {"ORDER-COUNT-10S": 2, "ORDER-COUNT-1D": 5}
    until = NOON - NOON % 86_400_000 + 86_400_000
    assert quota.spend("ORDERS", "ann", 1, NOON + 20_000).retry_at == until
    assert quota.spend("ORDERS", "bob", 1, NOON + 20_000).ok
    for _ in range(100):
        assert not quota.spend("ORDERS", "ann", 1, NOON + 20_000).banned


CALLS = st.lists(
    st.tuples(st.sampled_from(KINDS), st.sampled_from("ab"), st.integers(0, 4), st.integers(0, 9_000)), max_size=60
)
RULES = st.lists(
    st.builds(Rule, st.sampled_from(KINDS), st.integers(1, 12), st.integers(1, 30), st.just("SECOND")),
    max_size=4,
    unique_by=lambda rule: (rule.kind, rule.milliseconds),
)


@given(RULES, CALLS, st.integers(0, 3))
def test_never_more_than_the_limit_in_a_window(
    rules: list[Rule], calls: list[tuple[Any, str, int, int]], patience: int
) -> None:
    quota = Quota(rules, patience=patience)
    passed: Counter[tuple[Rule, str, int]] = Counter()
    now = NOON
    for kind, who, weight, later in calls:
        now += later
        verdict = quota.spend(kind, who, weight, now)
        concerned = [rule for rule in rules if rule.kind == kind]
        windows = [(rule, who, now // rule.milliseconds) for rule in concerned]
        if verdict.ok:
            passed.update(dict.fromkeys(windows, weight))
            assert verdict.retry_after == 0
        else:
            assert concerned
            assert verdict.retry_after == -((now - verdict.retry_at) // 1000) >= 1
            assert verdict.banned or verdict.retry_at in {
                (window + 1) * rule.milliseconds for rule, _, window in windows
            }
            assert not (verdict.banned and kind == "ORDERS")
        for window in windows:
            assert passed[window] <= window[0].limit
        assert [entry["limit"] for entry in quota.usage(kind, who, now)] == [rule.limit for rule in concerned]


@given(CALLS)
def test_who_stays_below_the_limits_is_never_refused(calls: list[tuple[Any, str, int, int]]) -> None:
    quota = Quota([Rule(kind, 4 * 60, 5, "SECOND") for kind in KINDS], patience=0)
    now = NOON
    for kind, who, weight, later in calls:
        now += later
        assert quota.spend(kind, who, weight, now).ok


def test_a_clock_set_back_gives_nothing_away_and_locks_nobody_out() -> None:
    quota = Quota()
    _spend_all(quota)
    assert not quota.spend("REQUEST_WEIGHT", "here", 1, NOON - 1).ok
    assert quota.spend("REQUEST_WEIGHT", "here", 1, NOON - 3_600_000).ok


# --- bans ---


def test_who_goes_on_is_banned_for_growing_times() -> None:
    quota = Quota(patience=3)
    now, bans = NOON, []
    for _ in range(14):
        _spend_all(quota, now=now)
        for _ in range(3):
            assert quota.spend("REQUEST_WEIGHT", "here", 1, now).status == 429
        banned = quota.spend("REQUEST_WEIGHT", "here", 1, now)
        assert (banned.status, banned.banned) == (418, True)
        assert banned.headers()["Retry-After"] == str(banned.retry_after)
        bans.append(banned.retry_at - now)
        assert quota.spend("RAW_REQUESTS", "here", 1, banned.retry_at - 1).banned  # the address, whatever it asks
        assert quota.spend("REQUEST_WEIGHT", "there", 1, banned.retry_at - 1).ok
        now = banned.retry_at + MINUTE
    assert bans[:3] == [SHORTEST_BAN, 2 * SHORTEST_BAN, 4 * SHORTEST_BAN]
    assert bans == sorted(bans)
    assert bans[-2:] == [LONGEST_BAN, LONGEST_BAN]


def test_a_ban_of_long_ago_is_forgotten() -> None:
    quota = Quota(patience=0)
    spans = []
    for now in (NOON, NOON + LONGEST_BAN, NOON + 3 * LONGEST_BAN):
        _spend_all(quota, now=now)
        spans.append(quota.spend("REQUEST_WEIGHT", "here", 1, now).retry_at - now)
    assert spans == [SHORTEST_BAN, 2 * SHORTEST_BAN, SHORTEST_BAN]


def test_who_waits_is_never_banned() -> None:
    quota = Quota(patience=1)
    for minute in range(20):
        now = NOON + minute * MINUTE
        _spend_all(quota, now=now)
        assert quota.spend("REQUEST_WEIGHT", "here", 1, now).status == 429


# --- memory ---


def test_memory_is_bounded_and_the_heavy_are_remembered() -> None:
    quota = Quota(most=100, patience=0)
    _spend_all(quota)
    assert quota.spend("REQUEST_WEIGHT", "here", 1, NOON).banned
    for number in range(2_000):
        quota.spend("REQUEST_WEIGHT", f"a{number}", 1, NOON)
        quota.spend("REQUEST_WEIGHT", f"b{number}", 6_001, NOON)
        quota.spend("ORDERS", f"c{number}", 1, NOON)
    sizes = [len(window.counts) for windows in quota._windows.values() for window in windows]
    assert max([*sizes, len(quota._offenders)]) <= 100
    light = Quota(most=100)
    _spend_all(light)
    for number in range(2_000):
        light.spend("REQUEST_WEIGHT", f"a{number}", 1, NOON)
    assert not light.spend("REQUEST_WEIGHT", "here", 1, NOON).ok


def test_a_new_window_forgets_the_old() -> None:
    quota = Quota()
    for number in range(50):
        quota.spend("REQUEST_WEIGHT", str(number), 1, NOON)
    quota.spend("REQUEST_WEIGHT", "x", 1, NOON + MINUTE)
    assert [len(window.counts) for window in quota._windows["REQUEST_WEIGHT"]] == [1]


# --- lists and rules ---


def test_the_lists_of_limits() -> None:
    quota = Quota()
    assert quota.rate_limits()[1] == {
        "rateLimitType": "ORDERS",
        "interval": "SECOND",
        "intervalNum": 10,
        "limit": 100,
    }
    assert [entry["rateLimitType"] for entry in quota.rate_limits()] == [rule.kind for rule in VENUE]
    quota.spend("ORDERS", "ann", 2, NOON)
    assert [(e["intervalNum"], e["count"]) for e in quota.usage("ORDERS", "ann", NOON)] == [(10, 2), (1, 2)]
    assert [(e["intervalNum"], e["count"]) for e in quota.usage("ORDERS", "ann", NOON + 10_000)] == [(10, 0), (1, 2)]
    assert [e["count"] for e in quota.usage("ORDERS", "bob", NOON)] == [0, 0]


def test_rules_from_text() -> None:
    assert parse_rules("") == parse_rules([]) == VENUE
    assert parse_rules("off") == parse_rules(" OFF ") == ()
    assert parse_rules("request_weight=12/1m")[0] == Rule("REQUEST_WEIGHT", 12, 1, "MINUTE")
    assert parse_rules("request_weight=12/1m")[1:] == VENUE[1:]
    several = parse_rules("ORDERS=5/10s, ORDERS=50/h; RAW_REQUESTS=off REQUEST_WEIGHT=off")
    assert several == (Rule("ORDERS", 5, 10, "SECOND"), Rule("ORDERS", 50, 1, "HOUR"))
    assert parse_rules(["ORDERS=5/2days", "RAW_REQUESTS=1/5min"])[1:] == (
        Rule("ORDERS", 5, 2, "DAY"),
        Rule("RAW_REQUESTS", 1, 5, "MINUTE"),
    )
    quota = Quota(parse_rules("off"))
    assert all(quota.spend(kind, "here", 10**9, NOON) == Verdict(True, {}) for kind in KINDS)
    assert quota.rate_limits() == quota.usage("ORDERS", "here", NOON) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ORDERS", "write KIND=LIMIT/INTERVAL"),
        ("ORDERS=", "write KIND=LIMIT/INTERVAL"),
        ("ORDERS=5", "write KIND=LIMIT/INTERVAL"),
        ("ORDERS=-5/1m", "write KIND=LIMIT/INTERVAL"),
        ("ORDERS=5/1w", "write KIND=LIMIT/INTERVAL"),
        ("ORDERS=5/1ms", "write KIND=LIMIT/INTERVAL"),
        ("ORDERS=٥/1m", "write KIND=LIMIT/INTERVAL"),
        ("ORDER=5/1m", 'there is no kind "ORDER"; did you mean "ORDERS"'),
        ("ORDERS=0/1m", "0 would let nothing through"),
        ("ORDERS=5/0m", "0 would let nothing through"),
        ("ORDERS=off ORDERS=5/1m", "off and limited"),
        ("ORDERS=5/60s ORDERS=6/1m", "two limits of one interval"),
        ("off ORDERS=5/1m", "write KIND=LIMIT/INTERVAL"),
    ],
)
def test_bad_rules_are_told(text: str, said: str) -> None:
    with pytest.raises(InvalidValueError, match=said):
        parse_rules(text)


@given(st.text(alphabet="ORDERSorf=/ ,;0159smhd", max_size=30))
def test_any_text_is_rules_or_is_refused(text: str) -> None:
    with suppress(InvalidValueError):
        assert all(rule.limit > 0 and rule.milliseconds > 0 for rule in parse_rules(text))


def test_misuse_is_told() -> None:
    with pytest.raises(InvalidValueError, match='kind "ORDER"; did you mean "ORDERS"'):
        Quota().spend("ORDER", "ann", 1, NOON)  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match="weight -1"):
        Quota().spend("ORDERS", "ann", -1, NOON)


def test_a_call_costs_little() -> None:
    """Well under 5 µs where nothing else runs; here in steps of a plain loop, which a busy machine slows alike."""
    quota, count = Quota(), 20_000
    best = min(_timed(lambda: [quota.spend("REQUEST_WEIGHT", "here", 0, NOON) for _ in range(count)]) for _ in range(3))
    yard = min(_timed(lambda: [divmod(number, 7) for number in range(count)]) for _ in range(3))
    assert best < 60 * yard


def _timed(call: Any) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
