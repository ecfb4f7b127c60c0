"""Forms that a loss curve may have, each from its paper, all fitted by the same machinery.

In ln D = x, with s(x) = ln(1 + eˣ), and h as in `loss_form`, (F):

    activation   floor + A (1 + D/knee)^(−b)   h = −b s(x − ln knee); (10), theory.LossLaw
    power   A D^(−b)   Hestness et al. 2017; Kaplan et al. 2020
    power_floor   floor + A D^(−b)   Hoffmann et al. 2022, the term in D
    M3   floor + A (1/D + g)^b   Bansal et al. 2022; Alabdulmohsin et al. 2022
    M4            (L − floor)/(e0 − L)^a = A D^(−b)                  Alabdulmohsin et al. 2022
    bnsl   floor + A D^(−c0) (1 + (D/d)^(1/f))^(−c1 f)   Caballero et al. 2023, one break
    chinchilla    floor + A N^(−alpha) + B D^(−beta)                 Hoffmann et al. 2022

M3 is stated there with floor = 0, which lies in the form. M4 is written with amplitude = e0 − floor
and a knee, the size at which (L − floor)/amplitude = (1 − (L − floor)/amplitude)^a: the same curves
under other names.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.special import expit

from actilaw.loss.form import EXPONENTS, FAR, Form, Shape
from actilaw.support.arrays import Floats


def softplus(x: Floats) -> Floats:
    """ln(1 + eˣ)."""
    return np.logaddexp(0.0, x)


def _spread(x: Floats, points: int) -> Floats:
    return np.linspace(x.min(), x.max(), points)


def _knees(x: Floats) -> tuple[float, float]:
    return x.min() - FAR, x.max() + FAR


class Activation(Form):
    """(10)."""

    def terms(self, x: Floats, shape: list[Floats]) -> Shape:
        knee, log_b = shape
        b = np.exp(log_b)
        h = -b * softplus(x - knee)
        return [h], [[b * expit(x - knee), h]]

    def grid(self, x: Floats) -> list[tuple[float, ...]]:
        return list(product(_spread(x, 6), np.log([0.15, 0.3, 0.6, 1.2, 3.0])))

    def shape_bounds(self, x: Floats) -> list[tuple[float, float]]:
        return [_knees(x), tuple(EXPONENTS)]

    def amplitude_bounds(self, log_loss: Floats) -> list[tuple[float, float]]:
        return [(log_loss.min() - np.log(1e3), log_loss.max() + np.log(1e3))]


class Surface(Activation):
    """(10b): knee = b N/c, fitted in ln c."""

    def terms(self, x: Floats, shape: list[Floats]) -> Shape:
        samples, size = x
        active, log_b = shape
        [h], [[by_knee, by_b]] = super().terms(samples - size, [log_b - active, log_b])
        return [h], [[-by_knee, by_b + by_knee]]

    def grid(self, x: Floats) -> list[tuple[float, ...]]:
        return [(b - knee, b) for knee, b in super().grid(x[0] - x[1])]

    def shape_bounds(self, x: Floats) -> list[tuple[float, float]]:
        low, high = _knees(x[0] - x[1])
        return [(np.log(0.1) - high, np.log(10.0) - low), tuple(EXPONENTS)]


@dataclass(frozen=True)
class Tied(Form):
    """(10) with b and the knee known: floor and amplitude alone are fitted."""

    knee: float = 1.0
    b: float = 1.0

    def terms(self, x: Floats, shape: list[Floats]) -> Shape:
        return [np.atleast_2d(-self.b * softplus(x - np.log(self.knee)))], [[]]

    def grid(self, x: Floats) -> list[tuple[float, ...]]:
        return [()]

    def shape_bounds(self, x: Floats) -> list[tuple[float, float]]:
        return []


class Power(Form):
    """A D^(−b), with or without a floor."""

    def terms(self, x: Floats, shape: list[Floats]) -> Shape:
        h = -np.exp(shape[0]) * x
        return [h], [[h]]

    def grid(self, x: Floats) -> list[tuple[float, ...]]:
        return [(b,) for b in np.log(np.geomspace(0.03, 3, 12))]

    def shape_bounds(self, x: Floats) -> list[tuple[float, float]]:
        return [tuple(EXPONENTS)]


class Shifted(Form):
    """M3: A (1/D + g)^b."""

    def terms(self, x: Floats, shape: list[Floats]) -> Shape:
        g, log_b = shape
        b = np.exp(log_b)
        h = b * np.logaddexp(-x, g)
        return [h], [[b * expit(x + g), h]]

    def grid(self, x: Floats) -> list[tuple[float, ...]]:
        return list(
            product([*-_spread(x, 6), -x.max() - FAR + 0.1], np.log([0.1, 0.2, 0.4, 0.8, 2.0]))
        )

    def shape_bounds(self, x: Floats) -> list[tuple[float, float]]:
        return [(-x.max() - FAR, -x.min() + FAR), tuple(EXPONENTS)]


class Sigmoid(Form):
    """M4: with y = (L − floor)/amplitude, y/(1 − y)^a = (D/knee)^(−b), solved for u = ln(y/(1 − y))
    by Newton.
    """

    def terms(self, x: Floats, shape: list[Floats]) -> Shape:
        knee, log_a, log_b = shape
        a, b = np.exp(log_a), np.exp(log_b)
        q = -b * (x - knee)
        u = np.where(
            q > 0, q / a, q
        )  # a s(u) − s(−u) = q; exact far from 0, and never far from the answer
        for _ in range(30):
            u = u - (a * softplus(u) - softplus(-u) - q) / (a * expit(u) + expit(-u))
        rise = expit(-u) / (a * expit(u) + expit(-u))  # dh/dq
        return [-softplus(-u)], [[b * rise, -a * softplus(u) * rise, q * rise]]

    def grid(self, x: Floats) -> list[tuple[float, ...]]:
        return list(
            product(_spread(x, 4), np.log([0.1, 0.5, 1.0, 3.0]), np.log([0.15, 0.3, 0.6, 1.2]))
        )

    def shape_bounds(self, x: Floats) -> list[tuple[float, float]]:
        return [(x.min() - 4 * FAR, x.max() + FAR), tuple(np.log([1e-2, 1e2])), tuple(EXPONENTS)]


class Broken(Form):
    """bnsl: two power laws joined at d, over f e-folds."""

    def terms(self, x: Floats, shape: list[Floats]) -> Shape:
        c0, c1, d, log_f = shape
        f = np.exp(log_f)
        z = (x - d) / f
        bend = c1 * expit(z)
        return [-c0 * x - c1 * f * softplus(z)], [
            [
                np.broadcast_to(-x, z.shape),
                -f * softplus(z),
                bend,
                -c1 * f * softplus(z) + bend * (x - d),
            ]
        ]

    def grid(self, x: Floats) -> list[tuple[float, ...]]:
        return list(
            product([0.0, 0.15, 0.4], [-0.3, 0.3, 1.0], _spread(x, 5)[1:-1], np.log([0.3, 1.0]))
        )

    def shape_bounds(self, x: Floats) -> list[tuple[float, float]]:
        return [(-10.0, 10.0), (-10.0, 10.0), _knees(x), tuple(np.log([1e-2, 1e2]))]


class Chinchilla(Form):
    """One power of the data and one of the width, side by side."""

    def terms(self, x: Floats, shape: list[Floats]) -> Shape:
        samples, size = x
        by_units, by_samples = -np.exp(shape[0]) * size, -np.exp(shape[1]) * samples
        none = np.zeros_like(by_units)
        return [by_units, by_samples], [[by_units, none], [none, by_samples]]

    def grid(self, x: Floats) -> list[tuple[float, ...]]:
        return list(product(np.log([0.1, 0.3, 0.6, 1.2]), repeat=2))

    def shape_bounds(self, x: Floats) -> list[tuple[float, float]]:
        return [tuple(EXPONENTS)] * 2


LAW = "floor + amplitude (1 + D/knee)^(-b)"
SURFACE = Surface(
    "activation",
    "floor + amplitude (1 + c D/(b N))^(-b)",
    ("active", "b"),
    width=True,
    entangled=(("active", "amplitude"),),
)
FORMS: dict[str, Form] = {
    form.name: form
    for form in (
        Activation("activation", LAW, ("knee", "b"), entangled=(("knee", "amplitude"),)),
        Power("power", "amplitude D^(-b)", ("b",), floor=False),
        Power("power_floor", "floor + amplitude D^(-b)", ("b",)),
        Shifted("M3", "floor + amplitude (1/D + g)^b", ("g", "b")),
        Sigmoid(
            "M4",
            "(L - floor)/(floor + amplitude - L)^a = amplitude^(1-a) (D/knee)^(-b)",
            ("knee", "a", "b"),
            entangled=(("knee", "amplitude"), ("amplitude", "knee")),
        ),
        Broken(
            "bnsl",
            "floor + amplitude D^(-c0) (1 + (D/d)^(1/f))^(-c1 f)",
            ("c0", "c1", "d", "f"),
            plain=("c0", "c1"),
            entangled=(("d", "amplitude"), ("d", "c0"), ("d", "c1")),
        ),
        Chinchilla(
            "chinchilla",
            "floor + A N^(-alpha) + B D^(-beta)",
            ("alpha", "beta"),
            amplitudes=("A", "B"),
            width=True,
        ),
    )
}
