"""Hawkes processes: how far the events of a market excite each other. Simulation, likelihood, fit, residuals.

Kind i of d kinds of events happens at the rate

    λ_i(t) = μ_i + Σ_j Σ_k n_ijk β_ik Σ_{t_j < t} exp(−β_ik (t − t_j)),

a sum over the earlier events t_j of each kind j with ``terms`` exponentials k: one event of kind j has Σ_k n_ijk direct
children of kind i on average. The spectral radius of that matrix is the branching ratio; where it is below 1 the
process is stationary, and kinds being alike it is the part of all events that others have excited.

The log-likelihood of kind i over (0, T] is Σ_{t_i} ln λ_i(t_i) − μ_i T − Σ_jk n_ijk Σ_{t_j} (1 − exp(−β_ik (T − t_j))),
the history before 0 taken as empty. Parameters of different kinds share no term, so each kind is fitted by itself; the
sums over the past obey recursions, so that a likelihood and its gradient take time in proportion to the events.

Sources: Hawkes 1971, Biometrika 58; Ogata 1978, Annals of the Institute of Statistical Mathematics 30 (likelihood) and
1981, IEEE Transactions on Information Theory 27 (thinning); Bacry, Mastromatteo and Muzy 2015, Market Microstructure
and Liquidity 1. Events of one instant excite each other as if one came just after the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from marketsim.analysis.tape import Floats, Ints, Tape
from marketsim.errors import InvalidValueError, did_you_mean
from marketsim.kernel.compiled import compiled
from marketsim.kernel.random import exponential, key_of, purpose_of, uniform

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

_WHEN, _KEEP = purpose_of("when"), purpose_of("keep")
_LEAST = 1e-9  # of a base rate, in units of the mean rate: its logarithm is finite there


# --- Compiled: one likelihood of one kind, residuals, thinning. ---


@compiled
def _likelihood(
    times: Any, kinds: Any, target: int, end: float, count: int, terms: int, parameters: Any, gradient: Any
) -> float:
    """Log-likelihood of kind ``target``; its gradient is written.

    parameters: μ, then n at j · terms + k, then β of each term. Recursions: R_jk = Σ exp(−β_k (t − t_j)) and
    S_jk = Σ (t − t_j) exp(−β_k (t − t_j)) over past events of kind j.
    """
    first_beta = 1 + count * terms
    mean = parameters[0]
    past = np.zeros(count * terms)
    moment = np.zeros(count * terms)
    gradient[:] = 0.0
    total = 0.0
    last = 0.0
    for event in range(len(times)):
        gap = times[event] - last
        last = times[event]
        if gap > 0.0:
            for k in range(terms):
                fall = math.exp(-parameters[first_beta + k] * gap)
                for j in range(count):
                    moment[j * terms + k] = (moment[j * terms + k] + gap * past[j * terms + k]) * fall
                    past[j * terms + k] *= fall
        if kinds[event] == target:
            rate = mean
            for k in range(terms):
                for j in range(count):
                    rate += parameters[1 + j * terms + k] * parameters[first_beta + k] * past[j * terms + k]
            total += math.log(rate)
            gradient[0] += 1.0 / rate
            for k in range(terms):
                beta = parameters[first_beta + k]
                for j in range(count):
                    place = j * terms + k
                    gradient[1 + place] += beta * past[place] / rate
                    gradient[first_beta + k] += parameters[1 + place] * (past[place] - beta * moment[place]) / rate
        for k in range(terms):
            past[kinds[event] * terms + k] += 1.0
    total -= mean * end
    gradient[0] -= end
    for event in range(len(times)):
        left = end - times[event]
        for k in range(terms):
            place = 1 + kinds[event] * terms + k
            fall = math.exp(-parameters[first_beta + k] * left)
            total -= parameters[place] * (1.0 - fall)
            gradient[place] -= 1.0 - fall
            gradient[first_beta + k] -= parameters[place] * left * fall
    return float(total)


@compiled
def _compensators(times: Any, kinds: Any, target: int, count: int, terms: int, parameters: Any, found: Any) -> int:
    """∫ λ_target between each two of its events, written to ``found``; answers how many."""
    first_beta = 1 + count * terms
    past = np.zeros(count * terms)
    made = 0
    area = 0.0
    last = 0.0
    for event in range(len(times)):
        gap = times[event] - last
        last = times[event]
        area += parameters[0] * gap
        for k in range(terms):
            fall = math.exp(-parameters[first_beta + k] * gap)
            for j in range(count):
                place = j * terms + k
                area += parameters[1 + place] * past[place] * (1.0 - fall)
                past[place] *= fall
        if kinds[event] == target:
            found[made] = area
            made += 1
            area = 0.0
        for k in range(terms):
            past[kinds[event] * terms + k] += 1.0
    return made


@compiled
def _thin(base: Any, jump: Any, fall: Any, end: float, key: int, state: Any, times: Any, kinds: Any) -> int:
    """Ogata's thinning from ``state`` (time, draws, excitation of each kind) on until ``end`` or no room is left."""
    count = len(base)
    made = 0
    while made < len(times):
        bound = 0.0
        for i in range(count):
            bound += base[i] + state[2 + i]
        if bound <= 0.0:
            state[0] = end
            return made
        state[1] += 1.0
        draw = int(state[1])
        wait = exponential(key, _WHEN, draw) / bound
        state[0] += wait
        if state[0] > end:
            return made
        for i in range(count):
            state[2 + i] *= math.exp(-fall[i] * wait)
        rest = bound * uniform(key, _KEEP, draw)
        for i in range(count):
            rest -= base[i] + state[2 + i]
            if rest < 0.0:
                times[made] = state[0]
                kinds[made] = i
                made += 1
                for other in range(count):
                    state[2 + other] += jump[other, i]
                break
    return made


# --- Simulation. ---


def simulate_hawkes(
    base_rates: npt.ArrayLike,
    branching: npt.ArrayLike,
    decays: npt.ArrayLike,
    duration: float,
    seed: int = 1,
) -> list[Floats]:
    """Event times of each kind, in seconds, over (0, ``duration``] by Ogata's thinning; the history is empty.

    base_rates: d rates a second. branching: d × d, children of kind i (row) of an event of kind j (column). decays: of
    each kind, or one for all, 1/s. Raises InvalidValueError where the shapes do not fit or the spectral radius is 1 or
    more.
    """
    base = np.atleast_1d(np.asarray(base_rates, np.float64))
    matrix = np.asarray(branching, np.float64).reshape(len(base), -1)
    fall = np.broadcast_to(np.asarray(decays, np.float64), base.shape).copy()
    if matrix.shape != (len(base), len(base)):
        raise InvalidValueError(f"branching: {len(base)} kinds of events need {len(base)} rows of {len(base)} numbers")
    if (base < 0).any() or (matrix < 0).any() or (fall <= 0).any():
        raise InvalidValueError("base_rates, branching: must not be below 0; decays: must be above 0")
    if branching_ratio(matrix) >= 1.0:
        raise InvalidValueError(f"branching: its spectral radius is {branching_ratio(matrix):.4g}; it must be below 1")
    key, state = key_of(seed, "hawkes"), np.zeros(2 + len(base))
    times, kinds = np.empty(100_000), np.empty(100_000, np.int64)
    parts: list[tuple[Floats, Ints]] = []
    while state[0] < duration:
        made = _thin(base, matrix * fall[:, None], fall, float(duration), key, state, times, kinds)
        parts.append((times[:made].copy(), kinds[:made].copy()))
    time, kind = (np.concatenate([part[place] for part in parts]) for place in (0, 1))
    return [time[kind == number] for number in range(len(base))]


def branching_ratio(matrix: npt.ArrayLike) -> float:
    """The spectral radius of a matrix of direct children."""
    return float(np.abs(np.linalg.eigvals(np.atleast_2d(np.asarray(matrix, np.float64)))).max())


# --- Fit. ---


@dataclass(frozen=True)
class HawkesFit:
    """A Hawkes process that was fitted by maximum likelihood; d kinds of events, ``terms`` exponentials.

    base_rates (d), 1/s; children (d, d, terms): n_ijk; decays (d, terms): β_ik, 1/s, falling. ``…_errors`` have the
    same shapes: standard errors from the observed information, NaN for a parameter at the edge (0) of its range.
    ratio: spectral radius of ``branching`` and its standard error (delta method). residuals: for each kind ∫λ between
    its events, exponential of mean 1 where the model holds (time rescaling); ks_statistic, ks_p_value: of that, by
    Kolmogorov and Smirnov. The p-value takes no account of the fit, so it is too large by a little.
    """

    labels: tuple[str, ...]
    base_rates: Floats
    base_errors: Floats
    children: Floats
    children_errors: Floats
    decays: Floats
    decay_errors: Floats
    ratio: float
    ratio_error: float
    log_likelihood: float
    poisson_log_likelihood: float
    events: Ints
    seconds: float
    residuals: tuple[Floats, ...]
    ks_statistic: Floats
    ks_p_value: Floats

    @property
    def branching(self) -> Floats:
        """Direct children of kind i (row) of an event of kind j (column), all terms together."""
        total: Floats = self.children.sum(axis=2)
        return total

    @property
    def parameters(self) -> int:
        """How many were fitted."""
        return int(self.base_rates.size + self.children.size + self.decays.size)

    @property
    def aic(self) -> float:
        """Akaike's criterion, 2 · parameters − 2 · log-likelihood; the smaller the better."""
        return 2.0 * (self.parameters - self.log_likelihood)

    def __str__(self) -> str:
        """A few lines for people."""
        first = (
            f"Hawkes process of {int(self.events.sum()):,} events in {self.seconds:,.0f} s: branching ratio "
            f"{self.ratio:.3f} ± {self.ratio_error:.3f}, log-likelihood {self.log_likelihood:,.1f} "
            f"(Poisson {self.poisson_log_likelihood:,.1f})"
        )
        lines = [first]
        for i, label in enumerate(self.labels):
            halves = ", ".join(f"{1000.0 * math.log(2.0) / beta:.3g} ms" for beta in self.decays[i])
            excited = " ".join(f"{value:.3f}" for value in self.branching[i])
            lines.append(
                f"  {label}: base {self.base_rates[i]:.4g}/s, excited by {excited}, half-lives {halves}, "
                f"KS {self.ks_statistic[i]:.4f} (p {self.ks_p_value[i]:.2g})"
            )
        return "\n".join(lines)


def fit_hawkes(
    source: MarketTables | Tape | npt.ArrayLike | Sequence[npt.ArrayLike],
    instrument: str | None = None,
    *,
    of: Literal["trades", "sides", "flow"] = "trades",
    end: float | None = None,
    terms: int = 1,
    labels: Sequence[str] = (),
) -> HawkesFit:
    """Fit a Hawkes process with sums of ``terms`` exponentials by maximum likelihood.

    source: a run or recorded tape, of which ``of`` says what is fitted: ``trades`` (aggressive orders, one kind), their
    ``sides`` (buys, sells), or the whole ``flow`` of its orders (market buys and sells, limit buys and sells, cancels
    of buys and sells, in the order of ``agents.HawkesFlow``; needs a table of orders). Or an array of times in seconds,
    or a list of such arrays, one a kind, observed over (0, ``end``] (by default until the last event).

    Raises InvalidValueError for unsorted or negative times and for fewer than ten events of a kind.
    """
    if terms < 1:
        raise InvalidValueError(f"terms={terms}: a kernel has at least one exponential")
    listed, names, seconds = _events_of(source, instrument, of, end)
    times, kinds = _merged(listed)
    fits = [_fit_kind(times, kinds, target, seconds, len(listed), terms) for target in range(len(listed))]
    return _result(fits, listed, times, kinds, seconds, tuple(labels) or names, terms)


def hawkes_log_likelihood(
    times: npt.ArrayLike | Sequence[npt.ArrayLike],
    base_rates: npt.ArrayLike,
    branching: npt.ArrayLike,
    decays: npt.ArrayLike,
    end: float | None = None,
) -> float:
    """Log-likelihood of given event times (seconds, one array a kind) under given parameters, shapes as in the fit.

    branching may be (d, d) or (d, d, terms), decays one number, (d,) or (d, terms).
    """
    listed, _, seconds = _events_of(times, None, "trades", end)
    count = len(listed)
    children = np.asarray(branching, np.float64).reshape(count, count, -1)
    fall = np.asarray(decays, np.float64)
    fall = np.broadcast_to(fall.reshape(-1, 1) if fall.ndim <= 1 else fall, (count, children.shape[2]))
    base = np.broadcast_to(np.asarray(base_rates, np.float64), (count,))
    all_times, kinds = _merged(listed)
    total = 0.0
    for target in range(count):
        vector = np.concatenate(([base[target]], children[target].reshape(-1), fall[target]))
        gradient = np.empty(len(vector))
        total += _likelihood(all_times, kinds, target, seconds, count, children.shape[2], vector, gradient)
    return total


def _events_of(
    source: Any, instrument: str | None, of: str, end: float | None
) -> tuple[list[Floats], tuple[str, ...], float]:
    """Times in seconds of each kind, their names and the end."""
    if isinstance(source, Tape) or hasattr(source, "trades"):
        return _market_events(source, instrument, of)
    values = list(source) if not isinstance(source, np.ndarray) else source
    single = len(values) == 0 or np.ndim(values[0]) == 0
    listed = [np.asarray(each, np.float64) for each in ([values] if single else values)]
    last = max((float(each[-1]) for each in listed if len(each)), default=0.0)
    seconds = last if end is None else float(end)
    for number, each in enumerate(listed):
        if len(each) and (each[0] < 0.0 or (np.diff(each) < 0.0).any() or each[-1] > seconds):
            raise InvalidValueError(f"times of kind {number}: must rise from 0 to the end, {seconds:g} s")
    return listed, tuple(f"kind {number}" for number in range(len(listed))), seconds


def _market_events(source: Any, instrument: str | None, of: str) -> tuple[list[Floats], tuple[str, ...], float]:
    ways = {"trades": _trade_times, "sides": _side_times, "flow": _flow_times}
    if of not in ways:
        raise InvalidValueError(f"of={of!r} is unknown{did_you_mean(of, ways)}")
    tape = Tape.of(source, instrument)
    named = ways[of](source, tape)
    listed = [(np.asarray(times, np.int64) - tape.start) / 1e9 for times in named.values()]
    return listed, tuple(named), (tape.end - tape.start) / 1e9


def _trade_times(source: Any, tape: Tape) -> dict[str, Ints]:
    return {"trades": tape.merged().trade_time}


def _side_times(source: Any, tape: Tape) -> dict[str, Ints]:
    merged = tape.merged()
    return {"buys": merged.trade_time[merged.side > 0], "sells": merged.trade_time[merged.side < 0]}


def _flow_times(source: Any, tape: Tape) -> dict[str, Ints]:
    """Acceptances of market and of other orders, and cancels that were asked for, of each side.

    Recordings have no market orders in their table of orders: there the trades stand for them.
    """
    orders = None if isinstance(source, Tape) else source.orders
    if orders is None or len(orders) == 0:
        raise InvalidValueError(
            'of="flow" needs a table of orders; a recorded tape without one has of="trades" or "sides"'
        )
    orders = orders[(orders["instrument"] == tape.symbol).to_numpy()]
    time, over, side = (orders[name].to_numpy() for name in ("time", "end_time", "side"))
    market = (orders["order_type"] == "MARKET").to_numpy()
    gone = ((orders["reason"] == "BY_REQUEST") & (orders["state"] == "CANCELED")).to_numpy()
    found = {}
    for name, moments, kept in (("market", time, market), ("limit", time, ~market), ("cancel", over, gone)):
        for word, sign in (("buy", 1), ("sell", -1)):
            chosen = moments[kept & (side == sign)]
            found[f"{name}_{word}"] = np.sort(chosen[(chosen > tape.start) & (chosen <= tape.end)])
    if not market.any():
        trades = _side_times(source, tape)
        found.update(market_buy=trades["buys"], market_sell=trades["sells"])
    return found


def _merged(listed: list[Floats]) -> tuple[Floats, Ints]:
    times = np.concatenate(listed)
    kinds = np.repeat(np.arange(len(listed)), [len(each) for each in listed])
    order = np.argsort(times, kind="stable")
    return times[order], kinds[order].astype(np.int64)


def _fit_kind(times: Floats, kinds: Ints, target: int, end: float, count: int, terms: int) -> tuple[Floats, float]:
    """Parameters of one kind and their log-likelihood: a few starts are tried roughly, the best is followed to its end.

    The search runs over μ in units of the mean rate, n itself and ln β.
    """
    from scipy.optimize import minimize

    number = int((kinds == target).sum())
    if number < 10:
        raise InvalidValueError(f"{number} events of kind {target} are too few to fit; 10 are the least")
    first_beta = 1 + count * terms
    unit = np.ones(first_beta + terms)
    unit[0] = number / end

    def vector_of(point: Floats) -> Floats:
        vector = point * unit
        vector[first_beta:] = np.exp(point[first_beta:])
        return vector

    def downhill(point: Floats) -> tuple[float, Floats]:
        vector, gradient = vector_of(point), np.empty(len(point))
        value = _likelihood(times, kinds, target, end, count, terms, vector, gradient)
        gradient *= unit
        gradient[first_beta:] *= vector[first_beta:]
        return -value / number, -gradient / number

    def follow(point: Floats, steps: int) -> Any:
        options = {"maxiter": steps, "ftol": 1e-12, "gtol": 1e-7}
        return minimize(downhill, point, jac=True, method="L-BFGS-B", bounds=bounds, options=options)

    bounds = [(_LEAST, 10.0), *[(0.0, 10.0)] * (count * terms), *[(-math.log(end), math.log(1e7))] * terms]
    rough = [follow(start, 15) for start in _starts(times, target, count, terms)]
    found = follow(min(rough, key=lambda each: float(each.fun)).x, 1000)
    return _ordered(vector_of(found.x), count, terms), -float(found.fun) * number


def _starts(times: Floats, target: int, count: int, terms: int) -> list[Floats]:
    """Half of the events excited, over scales from the shortest to the longest gaps."""
    gaps = np.diff(times)
    gaps = gaps[gaps > 0]
    low, middle = (1.0, 1.0) if len(gaps) == 0 else np.quantile(gaps, (0.05, 0.5))
    shares = np.full(count * terms, 0.1 / terms / count)
    shares[target * terms : (target + 1) * terms] = 0.5 / terms
    starts = []
    for scale in (low, middle, 10.0 * middle):
        decays = np.geomspace(1.0 / scale, 1.0 / (100.0 * middle), terms) if terms > 1 else np.array([1.0 / scale])
        starts.append(np.concatenate(([0.4], shares, np.log(decays))))
    return starts


def _ordered(vector: Floats, count: int, terms: int) -> Floats:
    """The same parameters with their terms by falling decay."""
    order = np.argsort(-vector[1 + count * terms :])
    children = vector[1 : 1 + count * terms].reshape(count, terms)[:, order]
    return np.concatenate((vector[:1], children.reshape(-1), vector[1 + count * terms :][order]))


def _covariance(times: Floats, kinds: Ints, target: int, end: float, count: int, terms: int, vector: Floats) -> Floats:
    """The inverse of the observed information: differences of the exact gradient; NaN for parameters at the edge."""
    floor = np.full(len(vector), 1e-8)
    floor[0] *= len(times) / end
    inside = np.flatnonzero(vector > floor)

    def gradient_at(point: Floats) -> Floats:
        gradient = np.empty(len(point))
        _likelihood(times, kinds, target, end, count, terms, point, gradient)
        return gradient

    information = np.empty((len(inside), len(inside)))
    for row, place in enumerate(inside):
        step = np.zeros(len(vector))
        step[place] = 1e-4 * vector[place]
        change = gradient_at(vector + step) - gradient_at(vector - step)
        information[row] = -change[inside] / (2.0 * step[place])
    covariance = np.full((len(vector), len(vector)), np.nan)
    symmetric = 0.5 * (information + information.T)
    with suppress(np.linalg.LinAlgError):  # no information about some of them: their errors stay NaN
        covariance[np.ix_(inside, inside)] = np.linalg.inv(symmetric)
    return covariance


def _result(
    fits: list[tuple[Floats, float]], listed: list[Floats], times: Floats, kinds: Ints, seconds: float,
    labels: tuple[str, ...], terms: int,
) -> HawkesFit:  # fmt: skip
    from scipy.stats import expon, kstest

    count = len(listed)
    vectors = np.array([vector for vector, _ in fits])
    covariances = [_covariance(times, kinds, i, seconds, count, terms, vector) for i, vector in enumerate(vectors)]
    with np.errstate(invalid="ignore"):
        errors = np.sqrt(np.array([np.diag(each) for each in covariances]))
    residuals = []
    for target, vector in enumerate(vectors):
        room = np.empty(len(listed[target]))
        residuals.append(room[: _compensators(times, kinds, target, count, terms, vector, room)])
    tests = [kstest(each, expon.cdf) for each in residuals]
    events = np.array([len(each) for each in listed])
    shape = (count, count, terms)
    children = vectors[:, 1 : 1 + count * terms].reshape(shape)
    return HawkesFit(
        labels=labels,
        base_rates=vectors[:, 0],
        base_errors=errors[:, 0],
        children=children,
        children_errors=errors[:, 1 : 1 + count * terms].reshape(shape),
        decays=vectors[:, 1 + count * terms :],
        decay_errors=errors[:, 1 + count * terms :],
        ratio=branching_ratio(children.sum(axis=2)),
        ratio_error=_ratio_error(children.sum(axis=2), covariances, terms),
        log_likelihood=sum(value for _, value in fits),
        poisson_log_likelihood=float((events * (np.log(events / seconds) - 1.0)).sum()),
        events=events,
        seconds=seconds,
        residuals=tuple(residuals),
        ks_statistic=np.array([test.statistic for test in tests]),
        ks_p_value=np.array([test.pvalue for test in tests]),
    )


def _ratio_error(matrix: Floats, covariances: list[Floats], terms: int) -> float:
    """Delta method: dρ = Σ_ij l_i r_j dn_ij / (l · r), l and r the left and right eigenvectors of the largest root."""
    roots, right = np.linalg.eig(matrix)
    others, left = np.linalg.eig(matrix.T)
    r = np.real(right[:, np.abs(roots).argmax()])
    l = np.real(left[:, np.abs(others).argmax()])  # noqa: E741 - its name in the formula
    weight = np.outer(l, r) / float(l @ r)
    count = len(matrix)
    if matrix.max() <= 0.0 or all(np.isnan(np.diag(each)[1 : 1 + count * terms]).all() for each in covariances):
        return float("nan")
    variance = 0.0
    for i, covariance in enumerate(covariances):
        part = np.nan_to_num(covariance[1 : 1 + count * terms, 1 : 1 + count * terms])
        spread = np.repeat(weight[i], terms)
        variance += float(spread @ part @ spread)
    return math.sqrt(variance) if variance >= 0.0 else float("nan")
