"""Differences of log-gamma and digamma functions by Stirling's series, without cancellation.

Every exact probability of the activation law is one mixed second difference of ln Γ,

    (G1) F(x, m, s) = ln Γ(x+m) − ln Γ(x) − ln Γ(x+s+m) + ln Γ(x+s) = ln B(x+m, s) / B(x, s)

Its terms reach 10¹⁹ where their difference is of the order of one, so subtracting them would leave
no digits. It is computed from terms of one sign instead:

    (G2) F(x, m, s) = F(x+1, m, s) − log1p(ms / x(x+s+m)), the recurrence of Γ, used while x < 16
    (G3) second difference of (x−½) ln x − x
             = (x−½) log1p(ms / x(x+s+m)) − m log1p(s/(x+m)) − s log1p(m/(x+s))
    (G4) second difference of 1/x = ms (2x+m+s) / x(x+m)(x+s)(x+s+m)

The first term of (G3) is the only positive one and at most half of the other two, so the sum keeps
all but a bit of its digits. All four are exact and [derived]; what remains is the tail of
Stirling's series, from the term in x⁻³ on (DLMF 5.11.1).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import digamma

from actilaw.support.arrays import Floats

# From here on Stirling's series with the terms below is exact to the last digit of a double.
ANCHOR = 16.0
AT_ONCE = 2**16  # numbers computed at once
# Coefficients of x⁻³, x⁻⁵, ... in ln Γ and of x⁻², x⁻⁴, ... in ψ: Bernoulli numbers, DLMF 5.11.1
# and 5.11.2.
LOG_GAMMA_TAIL = (-1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)
DIGAMMA_TAIL = (1 / 120, -1 / 252, 1 / 240, -1 / 132, 691 / 32760)

Join = Callable[[Floats, Floats], Floats]  # of what two steps of a recurrence give


def log_beta_ratio(x: ArrayLike, m: ArrayLike, s: ArrayLike) -> Floats:
    """ln B(x+m, s)/B(x, s), which is F of (G1), for x > 0 and m, s >= 0; never positive; arrays
    broadcast.

    Relative error a few units of the last digit; below ms = 1e-7, which no whole number of samples
    reaches with b >= 1e-6, it grows as 1e-22/ms.
    """
    x, m, s = np.asarray(x, float), np.asarray(m, float), np.asarray(s, float)
    x, steps = _raised(x, (m, s), _grow, _product_less_one)
    stirling = (x - 0.5) * np.log1p((m / x) * (s / (x + s + m)))
    stirling = stirling - m * np.log1p(s / (x + m)) - s * np.log1p(m / (x + s))
    tail = _second_difference(_log_gamma_tail, x, m, s)
    # All factors (1 + grow) of (G2) are in `steps`, so that one logarithm is enough.
    return stirling - _reciprocal(x, m, s) / 12 - tail - np.log1p(steps)


def log_rising_ratio(y: ArrayLike, k: ArrayLike, a: ArrayLike) -> Floats:
    """ln Γ(y+k+1) Γ(y+a) / Γ(y+1) Γ(y+k+a) for y, k >= 0 and a > 0: (G1) with a shift of either
    sign.
    """
    y, a = np.asarray(y, float), np.asarray(a, float)
    # From the lower of y + 1 and y + a: y + 1 would swallow a tiny a.
    return np.sign(a - 1) * log_beta_ratio(y + np.minimum(a, 1), k, np.abs(a - 1))


def log_binomial(n: ArrayLike, k: ArrayLike) -> Floats:
    """ln of the binomial coefficient C(n, k), which is −F(1, n − k, k) of (G1)."""
    n, k = np.asarray(n, float), np.asarray(k, float)
    return -log_beta_ratio(1.0, n - k, k)


def log_beta_ratio_slope(x: ArrayLike, m: ArrayLike, s: ArrayLike) -> Floats:
    """∂F/∂x of (G1), which is ψ(x+m) − ψ(x) − ψ(x+s+m) + ψ(x+s); never negative."""
    x, m, s = np.asarray(x, float), np.asarray(m, float), np.asarray(s, float)
    x, steps = _raised(x, (m, s), _reciprocal, _sum)
    stirling = np.log1p((m / x) * (s / (x + s + m))) + _reciprocal(x, m, s) / 2
    return steps + stirling + _second_difference(_digamma_rest, x, m, s)


def digamma_step(x: ArrayLike, m: ArrayLike) -> Floats:
    """ψ(x+m) − ψ(x), the sum of 1/(x+j) over j = 0..m−1 where m is whole; for x > 0 and m >= 0."""
    x, m = np.asarray(x, float), np.asarray(m, float)
    if np.all(x < ANCHOR) and np.all((m >= 1) | (m == 0)):
        return digamma(x + m) - digamma(x)  # the two are never close to each other
    x, steps = _raised(x, (m,), _reciprocal_difference, _sum)
    part = _reciprocal_difference(x, m)
    bend = part * (1 / x + 1 / (x + m)) / 12
    return steps + np.log1p(m / x) + part / 2 + bend + _digamma_tail(x + m) - _digamma_tail(x)


def _raised(
    x: Floats, others: tuple[Floats, ...], term: Callable[..., Floats], join: Join
) -> tuple[Floats, Floats]:
    """x raised by whole steps to ANCHOR or more, and the terms of those steps joined; 0 where no
    step is needed.

    Args:
        x: of any shape.
        others: what the term takes besides x; they broadcast with it.
        term: of one step of the recurrence, a function of x and the others.
        join: of the terms of two steps.
    """
    low = x < ANCHOR
    if not low.any():
        return x, np.zeros(())
    if low.all():
        return _all_raised(x, others, term, join)
    # Only those below the anchor need steps, and they are often few.
    x, low, *others_there = np.broadcast_arrays(x, low, *others)
    raised, steps = x.copy(), np.zeros(x.shape)
    few = tuple(other[low] for other in others_there)
    raised[low], steps[low] = _all_raised(x[low], few, term, join)
    return raised, steps


def _all_raised(
    x: Floats, others: tuple[Floats, ...], term: Callable[..., Floats], join: Join
) -> tuple[Floats, Floats]:
    """As `_raised`, by all steps at once, or by as many as AT_ONCE allows."""
    size, dimensions = np.broadcast(x, *others).size, np.broadcast(x, *others).ndim
    n_steps, at_once = int(np.ceil(ANCHOR - x.min())), max(1, AT_ONCE // max(size, 1))
    ladder = np.arange(float(n_steps)).reshape(-1, *(1,) * dimensions)
    total = np.zeros(())
    for first in range(0, n_steps, at_once):
        rungs = x + ladder[first : first + at_once]
        total = join(total, _joined(term(rungs, *others) * (rungs < ANCHOR), join))
    return x + np.maximum(np.ceil(ANCHOR - x), 0.0), total


def _joined(terms: Floats, join: Join) -> Floats:
    """All terms along the first axis joined, in pairs."""
    while len(terms) > 1:
        if len(terms) % 2:
            terms = np.concatenate((join(terms[:1], terms[-1:]), terms[1:-1]))
        else:
            terms = join(terms[::2], terms[1::2])
    return terms[0]


def _sum(one: Floats, other: Floats) -> Floats:
    return one + other


def _product_less_one(one: Floats, other: Floats) -> Floats:
    """(1 + one)(1 + other) − 1, which keeps the digits of small terms of one sign."""
    return one + other + one * other


def _grow(x: Floats, m: Floats, s: Floats) -> Floats:
    """ms / x(x+s+m) of (G2), ordered so that no product overflows."""
    return m * (s / x) / (x + s + m)


def _reciprocal_difference(x: Floats, m: Floats) -> Floats:
    """1/x − 1/(x+m)."""
    return (m / x) / (x + m)


def _reciprocal(x: Floats, m: Floats, s: Floats) -> Floats:
    """Second difference of 1/x, (G4), ordered so that no product overflows."""
    return (m / (x + m)) * (s / (x + s)) * ((2 * x + m + s) / (x + s + m)) / x


def _second_difference(f: Callable[[Floats], Floats], x: Floats, m: Floats, s: Floats) -> Floats:
    """f(x) − f(x+m) − f(x+s) + f(x+s+m), for an f so small that its rounding does not show."""
    points = np.empty((4, *np.broadcast_shapes(x.shape, m.shape, s.shape)))
    points[0], points[1], points[2] = x, x + m, x + s
    points[3] = points[2] + m
    values = f(points)
    return (values[0] - values[1]) - (values[2] - values[3])


def _log_gamma_tail(x: Floats) -> Floats:
    w = 1 / (x * x)
    return _polynomial(w, LOG_GAMMA_TAIL) * w / x


def _digamma_tail(x: Floats) -> Floats:
    w = 1 / (x * x)
    return _polynomial(w, DIGAMMA_TAIL) * w * w


def _digamma_rest(x: Floats) -> Floats:
    """What ψ(x) lacks to ln x − 1/2x: Stirling's series from the term in x⁻² on."""
    return 1 / (12 * x * x) - _digamma_tail(x)


def _polynomial(w: Floats, coefficients: tuple[float, ...]) -> Floats:
    """Horner's rule in place; numpy.polynomial makes two temporary arrays a step."""
    total = w * coefficients[-1]
    for c in reversed(coefficients[1:-1]):
        total += c
        total *= w
    total += coefficients[0]
    return total
