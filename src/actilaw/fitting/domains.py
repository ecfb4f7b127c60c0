"""Intervals of estimates that stay where the quantity can lie: the delta method on a transformed
scale (Wilks 1938; log and logit links as in McCullagh & Nelder 1989).

A quantity that is positive, or a share, has an estimate whose error is nearer to normal on the
scale of its logarithm or its log odds, and an interval made there cannot leave the quantity's
domain. With ends a and b of the domain, where they are finite,

    (DO1) t(v) = ln(v − a) − ln(b − v),   t'(v) = 1/(v − a) + 1/(b − v)
    (DO2) the bounds are t⁻¹(t(v) ± z s t'(v)), s the standard error of v

which is the logarithm where b is infinite, and the log odds where a and b are 0 and 1.
"""

from __future__ import annotations

from math import inf

import numpy as np
from scipy.special import expit

Domain = tuple[float, float]
ABOVE_ZERO: Domain = (0.0, inf)
IN_UNIT_INTERVAL: Domain = (0.0, 1.0)


def domain_of(name: str, units: int) -> Domain:
    """Where an estimate of a layer of `units` units can lie, by its name in `FittedLaw.params`."""
    return {
        "active": (0.0, float(units)),
        "expected_working": (0.0, float(units)),
        "b": ABOVE_ZERO,
        "alpha": (-inf, 1.0),  # 1 − b
        "s": (-inf, 1.0),
        "knee": ABOVE_ZERO,
        "inflection": (1.0, inf),  # N/c, with c < N
        "rarest_rate": ABOVE_ZERO,
        "share": IN_UNIT_INTERVAL,
        "silent_share": IN_UNIT_INTERVAL,
        "always_on_share": IN_UNIT_INTERVAL,
    }[name.removesuffix("_2")]


def bounds_within(
    domain: Domain, estimate: float, standard_error: float, z: float
) -> tuple[float, float]:
    """(DO2): lower and upper bound, `z` standard errors to either side of the estimate."""
    low, high = domain
    if standard_error == 0 or not low < estimate < high:  # rounded to an end of the domain
        return estimate, estimate
    below, above = estimate - low, high - estimate
    reach = z * standard_error * (1 / below + 1 / above)  # (DO1)
    with np.errstate(over="ignore"):  # an infinite bound says that there is none
        shrink, grow = np.exp(-reach), np.exp(reach)
    if above == inf:
        lower, upper = low + below * shrink, low + below * grow
    elif below == inf:
        lower, upper = high - above * grow, high - above * shrink
    else:
        log_odds, width = np.log(below) - np.log(above), high - low
        lower, upper = low + width * expit(np.array([log_odds - reach, log_odds + reach]))
    return min(float(lower), estimate), max(float(upper), estimate)  # whatever the rounding
