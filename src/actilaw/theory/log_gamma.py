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

import numpy as np
from numpy.typing import ArrayLike

from actilaw.support.arrays import Floats

# From here on Stirling's series with the terms below is exact to the last digit of a double.
ANCHOR = 16.0
# Coefficients of x⁻³, x⁻⁵, ... in ln Γ and of x⁻², x⁻⁴, ... in ψ: Bernoulli numbers, DLMF 5.11.1
# and 5.11.2.
LOG_GAMMA_TAIL = (-1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)
DIGAMMA_TAIL = (1 / 120, -1 / 252, 1 / 240, -1 / 132, 691 / 32760)


def log_beta_ratio(x: ArrayLike, m: ArrayLike, s: ArrayLike) -> Floats:
    """ln B(x+m, s)/B(x, s), which is F of (G1), for x > 0 and m, s >= 0; never positive; arrays
    broadcast.

    Relative error a few units of the last digit; below ms = 1e-7, which no whole number of samples
    reaches with b >= 1e-6, it grows as 1e-22/ms.
    """
    x, m, s = np.asarray(x, float), np.asarray(m, float), np.asarray(s, float)
    # The product of all (1 + grow) of (G2), less one, so that one logarithm is enough.
    steps = np.zeros(())
    while np.any(low := x < ANCHOR):
        # x and s are often scalars: products of them alone are computed first.
        grow = m * (s / x * low) / (x + s + m)
        steps = steps + grow * (1 + steps)
        x = x + low
    stirling = (x - 0.5) * np.log1p((m / x) * (s / (x + s + m)))
    stirling = stirling - m * np.log1p(s / (x + m)) - s * np.log1p(m / (x + s))
    tail = _second_difference(_log_gamma_tail, x, m, s)
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
    steps = np.zeros(())
    while np.any(low := x < ANCHOR):
        steps = steps + _reciprocal(x, m, s) * low
        x = x + low
    stirling = np.log1p((m / x) * (s / (x + s + m))) + _reciprocal(x, m, s) / 2
    return (
        steps
        + stirling
        + _second_difference(lambda z: 1 / (12 * z * z) - _digamma_tail(z), x, m, s)
    )


def digamma_step(x: ArrayLike, m: ArrayLike) -> Floats:
    """ψ(x+m) − ψ(x), the sum of 1/(x+j) over j = 0..m−1 where m is whole; for x > 0 and m >= 0."""
    x, m = np.asarray(x, float), np.asarray(m, float)
    steps = np.zeros(())
    while np.any(low := x < ANCHOR):
        steps = steps + (m / x) / (x + m) * low
        x = x + low
    part = (m / x) / (x + m)  # 1/x − 1/(x+m)
    bend = part * (1 / x + 1 / (x + m)) / 12
    return steps + np.log1p(m / x) + part / 2 + bend + _digamma_tail(x + m) - _digamma_tail(x)


def _reciprocal(x: Floats, m: Floats, s: Floats) -> Floats:
    """Second difference of 1/x, (G4), ordered so that no product overflows."""
    return (m / (x + m)) * (s / (x + s)) * ((2 * x + m + s) / (x + s + m)) / x


def _second_difference(f, x: Floats, m: Floats, s: Floats) -> Floats:
    """f(x) − f(x+m) − f(x+s) + f(x+s+m), for an f so small that its rounding does not show."""
    return (f(x) - f(x + m)) - (f(x + s) - f(x + s + m))


def _log_gamma_tail(x: Floats) -> Floats:
    w = 1 / (x * x)
    return _polynomial(w, LOG_GAMMA_TAIL) * w / x


def _digamma_tail(x: Floats) -> Floats:
    w = 1 / (x * x)
    return _polynomial(w, DIGAMMA_TAIL) * w * w


def _polynomial(w: Floats, coefficients: tuple[float, ...]) -> Floats:
    """Horner's rule in place; numpy.polynomial makes two temporary arrays a step."""
    total = w * coefficients[-1]
    for c in reversed(coefficients[1:-1]):
        total += c
        total *= w
    total += coefficients[0]
    return total
