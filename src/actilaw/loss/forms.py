"""Forms of the loss curve, the loss law and its peers, each from its paper.

With x = ln D, s(x) = ln(1 + eˣ), and h as in (LF1) of `form`:

    form         L                                             source
    activation   floor + A (1 + D/knee)^(−b)                   the loss law (10), theory.LossLaw
                 h = −b s(x − ln knee)
    power        A D^(−b)                                      Hestness et al. 2017;
                                                               Kaplan et al. 2020
    power_floor  floor + A D^(−b)                              Hoffmann et al. 2022, the term in D
    M3           floor + A (1/D + g)^b                         Bansal et al. 2022;
                                                               Alabdulmohsin et al. 2022
    M4           (L − floor)/(e0 − L)^a = A D^(−b)             Alabdulmohsin et al. 2022
    bnsl         floor + A D^(−c0) (1 + (D/d)^(1/f))^(−c1 f)   Caballero et al. 2023, one break

M3 is stated there with floor = 0, which is a case of the form. M4 is written with amplitude =
e0 − floor and a knee, the size at which y = (1 − y)^a for y = (L − floor)/amplitude: the same
curves under other names.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.special import expit

from actilaw.loss.form import EXPONENT_BOUNDS, KNEE_MARGIN, Form, Term
from actilaw.support.arrays import Floats

M4_ITERATIONS = 30
M4_TOLERANCE = 1e-9  # of the last step


def evenly(x: Floats, points: int) -> Floats:
    """So many points from the least to the largest."""
    return np.linspace(x.min(), x.max(), points)


def knee_bounds(x: Floats) -> tuple[float, float]:
    """Where a knee is looked for: in the data, and a good way beyond."""
    return x.min() - KNEE_MARGIN, x.max() + KNEE_MARGIN


class Activation(Form):
    """The loss law (10)."""

    def terms(self, x: Floats, shape: list[Floats]) -> list[Term]:
        knee, log_b = shape
        b = np.exp(log_b)
        h = -b * np.logaddexp(0.0, x - knee)
        return [Term(h, [b * expit(x - knee), h])]

    def grid(self, x: Floats) -> list[tuple[float, ...]]:
        return list(product(evenly(x, 6), np.log([0.15, 0.3, 0.6, 1.2, 3.0])))

    def shape_bounds(self, x: Floats) -> list[tuple[float, float]]:
        return [knee_bounds(x), EXPONENT_BOUNDS]

    def amplitude_bounds(self, log_loss: Floats) -> list[tuple[float, float]]:
        return [(log_loss.min() - np.log(1e3), log_loss.max() + np.log(1e3))]


@dataclass(frozen=True)
class KnownShape(Form):
    """The loss law (10) with b and the knee known: floor and amplitude alone are fitted."""

    knee: float = 1.0
    b: float = 1.0

    def terms(self, x: Floats, shape: list[Floats]) -> list[Term]:
        return [Term(np.atleast_2d(-self.b * np.logaddexp(0.0, x - np.log(self.knee))), [])]

    def grid(self, x: Floats) -> list[tuple[float, ...]]:
        return [()]

    def shape_bounds(self, x: Floats) -> list[tuple[float, float]]:
        return []


class Power(Form):
    """A D^(−b), with or without a floor."""

    def terms(self, x: Floats, shape: list[Floats]) -> list[Term]:
        h = -np.exp(shape[0]) * x
        return [Term(h, [h])]

    def grid(self, x: Floats) -> list[tuple[float, ...]]:
        return [(b,) for b in np.log(np.geomspace(0.03, 3, 12))]

    def shape_bounds(self, x: Floats) -> list[tuple[float, float]]:
        return [EXPONENT_BOUNDS]


class Shifted(Form):
    """M3: A (1/D + g)^b."""

    def terms(self, x: Floats, shape: list[Floats]) -> list[Term]:
        g, log_b = shape
        b = np.exp(log_b)
        h = b * np.logaddexp(-x, g)
        return [Term(h, [b * expit(x + g), h])]

    def grid(self, x: Floats) -> list[tuple[float, ...]]:
        shifts = [*-evenly(x, 6), -x.max() - KNEE_MARGIN + 0.1]
        return list(product(shifts, np.log([0.1, 0.2, 0.4, 0.8, 2.0])))

    def shape_bounds(self, x: Floats) -> list[tuple[float, float]]:
        return [(-x.max() - KNEE_MARGIN, -x.min() + KNEE_MARGIN), EXPONENT_BOUNDS]


class Sigmoid(Form):
    """M4: with y = (L − floor)/amplitude, y/(1 − y)^a = (D/knee)^(−b)."""

    def terms(self, x: Floats, shape: list[Floats]) -> list[Term]:
        knee, log_a, log_b = shape
        a, b = np.exp(log_a), np.exp(log_b)
        q = -b * (x - knee)
        u = _log_odds_of_m4(q, a)
        h = -np.logaddexp(0.0, -u)
        rise = expit(-u) / (a * expit(u) + expit(-u))  # dh/dq
        return [Term(h, [b * rise, -a * np.logaddexp(0.0, u) * rise, q * rise])]

    def grid(self, x: Floats) -> list[tuple[float, ...]]:
        return list(
            product(evenly(x, 4), np.log([0.1, 0.5, 1.0, 3.0]), np.log([0.15, 0.3, 0.6, 1.2]))
        )

    def shape_bounds(self, x: Floats) -> list[tuple[float, float]]:
        knee = (x.min() - 4 * KNEE_MARGIN, x.max() + KNEE_MARGIN)
        return [knee, EXPONENT_BOUNDS, EXPONENT_BOUNDS]


def _log_odds_of_m4(q: Floats, a: Floats) -> Floats:
    """u = ln(y/(1 − y)) at ln y − a ln(1 − y) = q, that is a s(u) − s(−u) = q, by Newton.

    The start is exact far from u = 0 and never far from the answer; the left side rises in u.
    """
    u = np.where(q > 0, q / a, q)
    for _ in range(M4_ITERATIONS):
        is_positive = u > 0
        small = np.exp(-np.abs(u))
        # s(u) and s(−u) differ by u alone, so that one logarithm gives both.
        missed = np.where(is_positive, a, 1.0) * u + (a - 1) * np.log1p(small) - q
        rise = np.where(is_positive, a + small, 1 + a * small) / (1 + small)
        step = missed / rise
        u = u - step
        # Newton's error after a step is of the order of the step squared.
        if np.all(np.abs(step) <= M4_TOLERANCE * (1 + np.abs(u))):
            break
    return u


class Broken(Form):
    """bnsl: two power laws joined at d, over f e-folds."""

    def terms(self, x: Floats, shape: list[Floats]) -> list[Term]:
        c0, c1, d, log_f = shape
        f = np.exp(log_f)
        z = (x - d) / f
        bend = c1 * expit(z)
        soft = np.logaddexp(0.0, z)
        by_c0 = np.broadcast_to(-x, z.shape)
        by_log_f = -c1 * f * soft + bend * (x - d)
        return [Term(-c0 * x - c1 * f * soft, [by_c0, -f * soft, bend, by_log_f])]

    def grid(self, x: Floats) -> list[tuple[float, ...]]:
        return list(
            product([0.0, 0.15, 0.4], [-0.3, 0.3, 1.0], evenly(x, 5)[1:-1], np.log([0.3, 1.0]))
        )

    def shape_bounds(self, x: Floats) -> list[tuple[float, float]]:
        return [(-10.0, 10.0), (-10.0, 10.0), knee_bounds(x), EXPONENT_BOUNDS]


LOSS_LAW_FORMULA = "floor + amplitude (1 + D/knee)^(-b)"
FORMS: dict[str, Form] = {
    "activation": Activation(
        name="activation",
        formula=LOSS_LAW_FORMULA,
        shape=("knee", "b"),
        jointly_unidentified=(("knee", "amplitude"),),
    ),
    "power": Power(name="power", formula="amplitude D^(-b)", shape=("b",), floor=False),
    "power_floor": Power(name="power_floor", formula="floor + amplitude D^(-b)", shape=("b",)),
    "M3": Shifted(name="M3", formula="floor + amplitude (1/D + g)^b", shape=("g", "b")),
    "M4": Sigmoid(
        name="M4",
        formula="(L - floor)/(floor + amplitude - L)^a = amplitude^(1-a) (D/knee)^(-b)",
        shape=("knee", "a", "b"),
        jointly_unidentified=(("knee", "amplitude"), ("amplitude", "knee")),
    ),
    "bnsl": Broken(
        name="bnsl",
        formula="floor + amplitude D^(-c0) (1 + (D/d)^(1/f))^(-c1 f)",
        shape=("c0", "c1", "d", "f"),
        signed=("c0", "c1"),
        jointly_unidentified=(("d", "amplitude"), ("d", "c0"), ("d", "c1")),
    ),
}
