"""Quotas: how much an address may ask and an account may order in a span of time, in the manner of Binance's venue.

Windows are aligned to the clock: one of 10 seconds begins at 0, 10, 20 … seconds of each minute, one of a day at
midnight UTC, and then every count is zero again. Weight that was refused counts as well, so whoever goes on after a
refusal stays refused until the window ends; who goes on regardless is banned, each time for twice as long. Refused
orders do not count and ban nobody. Source: Binance's spot documentation, "LIMITS", and "Rate limits" of its WebSocket
API; how many refusals lead to a ban it does not say, here it is ``patience``.

A quota looks at no clock (each call brings the time), and is one thread's: nothing in it is locked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, get_args

from marketsim.errors import InvalidValueError, did_you_mean

Kind = Literal["REQUEST_WEIGHT", "ORDERS", "RAW_REQUESTS"]
Unit = Literal["SECOND", "MINUTE", "HOUR", "DAY"]

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
HEADER = "X-MBX-"  # what the names in ``Verdict.used`` follow in a header
SHORTEST_BAN, LONGEST_BAN = 120_000, 3 * 86_400_000  # ms

_MILLISECONDS: Final[dict[Unit, int]] = {"SECOND": 1_000, "MINUTE": 60_000, "HOUR": 3_600_000, "DAY": 86_400_000}
_WORDS: Final[dict[str, Unit]] = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), "SECOND"),
    **dict.fromkeys(("m", "min", "minute", "minutes"), "MINUTE"),
    **dict.fromkeys(("h", "hour", "hours"), "HOUR"),
    **dict.fromkeys(("d", "day", "days"), "DAY"),
}
_NAMES: Final[dict[Kind, str]] = {"REQUEST_WEIGHT": "USED-WEIGHT", "ORDERS": "ORDER-COUNT"}  # raw requests go untold
_RULE = re.compile(r"([0-9]{1,12})/([0-9]{0,4})([a-z]+)", re.IGNORECASE)
_HOW = 'write KIND=LIMIT/INTERVAL, such as "REQUEST_WEIGHT=6000/1m" (s, m, h, d), KIND=off, or off alone'


class Rule(NamedTuple):
    """At most ``limit`` in each window of ``number`` units: weight, requests or orders, as ``kind`` says."""

    kind: Kind
    limit: int
    number: int
    unit: Unit

    @property
    def milliseconds(self) -> int:
        """Length of a window."""
        return self.number * _MILLISECONDS[self.unit]

    @property
    def name(self) -> str | None:
        """How the count is called in headers, such as USED-WEIGHT-1M; None when it is not told."""
        name = _NAMES.get(self.kind)
        return name and f"{name}-{self.number}{self.unit[0]}"

    def described(self) -> dict[str, Any]:
        """As in the venue's lists ``rateLimits``."""
        return {
            "rateLimitType": self.kind,
            "interval": self.unit,
            "intervalNum": self.number,
            "limit": self.limit,
        }


VENUE: Final = (
    Rule("REQUEST_WEIGHT", 6_000, 1, "MINUTE"),
    Rule("ORDERS", 100, 10, "SECOND"),
    Rule("ORDERS", 200_000, 1, "DAY"),
    Rule("RAW_REQUESTS", 61_000, 5, "MINUTE"),
)


class Verdict(NamedTuple):
    """Whether something may be done."""

    ok: bool
    used: dict[str, int]  # by the name in headers behind ``HEADER``: what the window has seen, this included
    retry_after: int = 0  # seconds, rounded up; 0 when it may be done
    banned: bool = False
    retry_at: int = 0  # the same as a time in ms since 1970, as the WebSocket API tells it

    @property
    def status(self) -> int:
        """Of HTTP: 200, 429 (wait) or 418 (banned)."""
        return 200 if self.ok else 418 if self.banned else 429

    def headers(self) -> dict[str, str]:
        """What an answer over HTTP tells. As on the venue, refused orders bring no Retry-After."""
        told = {HEADER + name: str(count) for name, count in self.used.items()}
        if not self.ok and not any(name.startswith(_NAMES["ORDERS"]) for name in self.used):
            told["Retry-After"] = str(self.retry_after)
        return told


class _Window:
    """The present window of a rule: what each has used."""

    __slots__ = ("begins", "counts", "ends", "limit", "most", "name", "rule", "span")

    def __init__(self, rule: Rule, most: int) -> None:
        self.rule, self.most = rule, most
        self.limit, self.span, self.name = rule.limit, rule.milliseconds, rule.name
        self.begins = self.ends = 0
        self.counts: dict[str, int] = {}

    def come_to(self, now: int) -> None:
        """Begin a new window if the time is another. A clock set back by less than a window begins none."""
        if now >= self.ends or now < self.begins - self.span:
            self.begins = now - now % self.span
            self.ends = self.begins + self.span
            self.counts = {}

    def count(self, who: str, weight: int) -> int:
        """Add weight; answers the sum."""
        counts = self.counts
        if who not in counts and len(counts) >= self.most:
            self._forget()
        counts[who] = count = counts.get(who, 0) + weight
        return count

    def _forget(self) -> None:
        """Let go of the quarter that used least: they are the farthest from the limit."""
        light = sorted(self.counts, key=self.counts.__getitem__)[: max(self.most // 4, 1)]
        for who in light:
            del self.counts[who]


@dataclass(slots=True)
class _Offender:
    """An address that was refused."""

    told: int = 0  # ms until which it was last asked to wait
    strikes: int = 0  # refusals since it was asked first
    bans: int = 0  # in a row
    until: int = 0  # ms at which its ban ends or ended


class Quota:
    """Counts what is asked and says when it is too much.

    rules: ``VENUE``, or those of ``parse_rules``; none means no limits. patience: refusals in a row, each before the
    time to wait was over, after which an address is banned. most: names that are remembered for each rule; when there
    are more, those who used least are forgotten.
    """

    def __init__(self, rules: Iterable[Rule] = VENUE, *, patience: int = 10, most: int = 65_536) -> None:
        self.rules = tuple(rules)
        self._windows: dict[str, tuple[_Window, ...]] = {
            kind: tuple(_Window(rule, most) for rule in self.rules if rule.kind == kind) for kind in KINDS
        }
        self._offenders: dict[str, _Offender] = {}
        self._patience, self._most = patience, most

    def spend(self, kind: Kind, who: str, weight: int, now_ms: int) -> Verdict:
        """Ask for something, and count it.

        who: the address for REQUEST_WEIGHT and RAW_REQUESTS, the account for ORDERS. now_ms: ms since 1970. Raises
        InvalidValueError for a kind that there is not and a negative weight.
        """
        windows = self._windows.get(kind)
        if windows is None or weight < 0:
            raise _misuse(kind, weight)
        if kind == "ORDERS":
            return self._order(windows, who, weight, now_ms)
        if self._offenders:
            offender = self._offenders.get(who)
            if offender is not None and now_ms < offender.until:
                return _refused(self._used(windows, who, now_ms), offender.until, now_ms, banned=True)
        used: dict[str, int] = {}
        wait = 0
        for window in windows:
            if not window.begins <= now_ms < window.ends:
                window.come_to(now_ms)
            count = window.count(who, weight)
            if window.name is not None:
                used[window.name] = count
            if count > window.limit:
                wait = max(wait, window.ends)
        if not wait:
            return Verdict(True, used)
        return self._strike(who, used, wait, now_ms)

    def rate_limits(self) -> list[dict[str, Any]]:
        """The list ``rateLimits`` of exchangeInfo."""
        return [rule.described() for rule in self.rules]

    def usage(self, kind: Kind, who: str, now_ms: int) -> list[dict[str, Any]]:
        """The list ``rateLimits`` of an answer over the WebSocket API, of one kind: the limits and each ``count``.

        It counts nothing; rateLimit/order of HTTP answers the same.
        """
        found = []
        for window in self._windows[kind]:
            window.come_to(now_ms)
            found.append({**window.rule.described(), "count": window.counts.get(who, 0)})
        return found

    def _order(self, windows: tuple[_Window, ...], who: str, weight: int, now: int) -> Verdict:
        """Count in every window, or in none when one of them is full."""
        wait = 0
        for window in windows:
            if not window.begins <= now < window.ends:
                window.come_to(now)
            if window.counts.get(who, 0) + weight > window.limit:
                wait = max(wait, window.ends)
        if wait:
            return _refused(self._used(windows, who, now), wait, now)
        return Verdict(True, {window.name: window.count(who, weight) for window in windows if window.name})

    def _used(self, windows: tuple[_Window, ...], who: str, now: int) -> dict[str, int]:
        for window in windows:
            window.come_to(now)
        return {window.name: window.counts.get(who, 0) for window in windows if window.name}

    def _strike(self, who: str, used: dict[str, int], wait: int, now: int) -> Verdict:
        """Ask to wait; ban who was asked too often."""
        offender = self._offenders.get(who)
        if offender is None:
            if len(self._offenders) >= self._most:
                self._forgive(now)
            offender = self._offenders[who] = _Offender()
        if now >= offender.told:
            offender.strikes = 0
        offender.told = wait
        offender.strikes += 1
        if offender.strikes <= self._patience:
            return _refused(used, wait, now)
        if now - offender.until > LONGEST_BAN:
            offender.bans = 0
        offender.until = now + min(SHORTEST_BAN << offender.bans, LONGEST_BAN)
        offender.bans = min(offender.bans + 1, 16)
        offender.strikes = 0
        return _refused(used, offender.until, now, banned=True)

    def _forgive(self, now: int) -> None:
        """Let go of the offenders of long ago, and of a quarter of all in any case: those whose bans end first."""
        self._offenders = {
            who: offender for who, offender in self._offenders.items() if max(offender.told, offender.until) > now
        }
        for who in sorted(self._offenders, key=lambda who: self._offenders[who].until):
            if len(self._offenders) <= self._most * 3 // 4:
                break
            del self._offenders[who]


def _refused(used: dict[str, int], until: int, now: int, *, banned: bool = False) -> Verdict:
    return Verdict(False, used, max(-((now - until) // 1_000), 1), banned, until)


def _misuse(kind: str, weight: int) -> InvalidValueError:
    if kind not in KINDS:
        return InvalidValueError(f'there is no limit of kind "{kind}"{did_you_mean(kind, KINDS)}')
    return InvalidValueError(f"weight {weight}: nothing that was used is given back; use 0 or more")


def parse_rules(text: str | Iterable[str]) -> tuple[Rule, ...]:
    """The rules that a text, or a list of such, asks for; kinds that it does not name keep the venue's.

    ``"REQUEST_WEIGHT=1200/1m ORDERS=50/10s RAW_REQUESTS=off"``: rules with blanks, commas or semicolons between; a
    kind may have several of different intervals; s, m, h and d may be words. ``"off"``: no limits at all. Nothing: the
    venue's. Case does not matter. Raises InvalidValueError.
    """
    whole = text if isinstance(text, str) else " ".join(text)
    parts = re.split(r"[\s,;]+", whole.strip(" \t\r\n,;"))
    if [part.lower() for part in parts] == ["off"]:
        return ()
    named: dict[Kind, list[Rule]] = {}
    off: set[Kind] = set()
    for part in filter(None, parts):
        kind, value = _kind_and_value(part)
        rules = named.setdefault(kind, [])
        if value.lower() == "off":
            off.add(kind)
        else:
            rules.append(_rule(part, kind, value))
        _check(part, rules, kind in off)
    return tuple(rule for kind in KINDS for rule in _asked_for(kind, named))


def _asked_for(kind: Kind, named: dict[Kind, list[Rule]]) -> list[Rule]:
    return named[kind] if kind in named else [rule for rule in VENUE if rule.kind == kind]


def _kind_and_value(part: str) -> tuple[Kind, str]:
    word, sign, value = part.partition("=")
    if not sign:
        raise InvalidValueError(f'limit "{part}": {_HOW}')
    for kind in KINDS:
        if kind == word.upper():
            return kind, value
    raise InvalidValueError(f'limit "{part}": there is no kind "{word}"{did_you_mean(word.upper(), KINDS)}')


def _rule(part: str, kind: Kind, value: str) -> Rule:
    found = _RULE.fullmatch(value)
    if found is None or found[3].lower() not in _WORDS:
        raise InvalidValueError(f'limit "{part}": {_HOW}')
    limit, number = int(found[1]), int(found[2] or 1)
    if limit == 0 or number == 0:
        raise InvalidValueError(f'limit "{part}": 0 would let nothing through; write 1 or more, or {kind}=off')
    return Rule(kind, limit, number, _WORDS[found[3].lower()])


def _check(part: str, rules: list[Rule], off: bool) -> None:
    if off and rules:
        raise InvalidValueError(f'limit "{part}": {rules[0].kind} is off and limited; write one of the two')
    spans = [rule.milliseconds for rule in rules]
    if len(set(spans)) < len(spans):
        raise InvalidValueError(f'limit "{part}": {rules[0].kind} has two limits of one interval; write one of them')
