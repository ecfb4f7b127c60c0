"""Forms of the loss over size of network and data, each from its paper.

With x = ln D, m = ln(N/N0), s(x) = ln(1 + eˣ), and h as in (LF1) of `form`; N0 is the geometric
mean of the sizes measured, so that what stands at N0 is what the losses tell best:

    form          L                                                       source
    activation    floor + A (N/N0)^(−alpha) + B (1 + D/D*)^(−b),          (10d), theory.
                  D* = knee (N/N0)^g                                      ActivationSurface
    chinchilla    floor + A N^(−alpha) + B D^(−beta)                      Hoffmann et al. 2022
    kaplan        floor + B (1/D + 1/E)^beta                              Kaplan et al. 2020,
                                                                          there with floor = 0
    interpolated  floor + B (D^(−beta p) + E^(−beta p))^(1/p)             between the sum of the two
                                                                          limits and their maximum
    knee_alone    floor + amplitude (1 + c D/(b N))^(−b)                  (10b), theory.LossSurface

E = limit (N/N0)^(alpha/beta) is the amount of data at which size and data limit the loss alike.
`interpolated` is chinchilla's form at p = 1, kaplan's at p = 1/beta, and the larger of the two
limits as p grows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Self

import numpy as np
from scipy.special import expit

from actilaw.loss.form import EXPONENT_BOUNDS, Form, Term
from actilaw.loss.forms import Activation, evenly, knee_bounds
from actilaw.support.arrays import Floats

ELASTICITY_BOUNDS = (-3.0, 3.0)  # of the knee in the size; the law says 0 or 1
SHARPNESS_BOUNDS = (float(np.log(0.2)), float(np.log(50.0)))
EXPONENTS_TO_START = tuple(np.log([0.15, 0.35, 0.8]).tolist())


@dataclass(frozen=True)
class SizedForm(Form):
    """A form over size and data: x is ln D and ln N, (2, n).

    Attributes:
        reference: ln N0; at N0 the parameters of the size stand.
    """

    uses_size: bool = True
    reference: float = 0.0

    def centred(self, x: Floats) -> Self:
        """The form at the geometric mean of the sizes, which its formula then names."""
        reference = float(x[1].mean())
        formula = self.formula.replace("N0", f"{np.exp(reference):.3g}")
        return replace(self, reference=reference, formula=formula)


class ActivationOverSize(SizedForm):
    """The loss law with a capacity term, and a knee that moves with the size."""

    def terms(self, x: Floats, shape: list[Floats]) -> list[Term]:
        log_alpha, log_b, knee, g = shape
        m = x[1] - self.reference
        z = x[0] - knee - g * m
        by_size = -np.exp(log_alpha) * m
        b = np.exp(log_b)
        by_data = -b * np.logaddexp(0.0, z)
        by_knee = b * expit(z)
        none = np.zeros_like(by_data)
        return [
            Term(by_size, [by_size, none, none, none]),
            Term(by_data, [none, by_data, by_knee, by_knee * m]),
        ]

    def grid(self, x: Floats) -> list[tuple[float, ...]]:
        knees = [x[0].min() - 3.0, *evenly(x[0], 4)[:3]]
        return list(product(EXPONENTS_TO_START, EXPONENTS_TO_START, knees, [0.0, 0.5, 1.0]))

    def shape_bounds(self, x: Floats) -> list[tuple[float, float]]:
        return [EXPONENT_BOUNDS, EXPONENT_BOUNDS, knee_bounds(x[0]), ELASTICITY_BOUNDS]


class Chinchilla(SizedForm):
    """One power of the data and one of the size, side by side."""

    def centred(self, x: Floats) -> Self:
        return self  # A and B are known at N = 1 and D = 1, where others state them

    def terms(self, x: Floats, shape: list[Floats]) -> list[Term]:
        samples, size = x
        by_size = -np.exp(shape[0]) * size
        by_samples = -np.exp(shape[1]) * samples
        none = np.zeros_like(by_size)
        return [Term(by_size, [by_size, none]), Term(by_samples, [none, by_samples])]

    def grid(self, x: Floats) -> list[tuple[float, ...]]:
        return list(product(np.log([0.1, 0.3, 0.6, 1.2]), repeat=2))

    def shape_bounds(self, x: Floats) -> list[tuple[float, float]]:
        return [EXPONENT_BOUNDS, EXPONENT_BOUNDS]


class Kaplan(SizedForm):
    """What size and data leave over adds up below a common power."""

    def terms(self, x: Floats, shape: list[Floats]) -> list[Term]:
        limit, log_alpha, log_beta = shape
        beta = np.exp(log_beta)
        by_size = np.exp(log_alpha) * (x[1] - self.reference)
        size_limit = -limit - by_size / beta
        h = beta * np.logaddexp(-x[0], size_limit)
        share_of_size = expit(size_limit + x[0])
        return [
            Term(
                h,
                [
                    -beta * share_of_size,
                    -by_size * share_of_size,
                    h + by_size * share_of_size,
                ],
            )
        ]

    def grid(self, x: Floats) -> list[tuple[float, ...]]:
        return list(product(_limits(x), EXPONENTS_TO_START, EXPONENTS_TO_START))

    def shape_bounds(self, x: Floats) -> list[tuple[float, float]]:
        return [knee_bounds(x[0]), EXPONENT_BOUNDS, EXPONENT_BOUNDS]


class Interpolated(SizedForm):
    """The p-norm of the two limits."""

    def terms(self, x: Floats, shape: list[Floats]) -> list[Term]:
        limit, log_alpha, log_beta, log_p = shape
        beta, p = np.exp(log_beta), np.exp(log_p)
        by_size = np.exp(log_alpha) * (x[1] - self.reference)
        log_of_data = -beta * x[0]
        log_of_size = -beta * limit - by_size
        h = np.logaddexp(p * log_of_data, p * log_of_size) / p
        of_size = expit(p * (log_of_size - log_of_data))
        mean = log_of_data + of_size * (log_of_size - log_of_data)
        by_beta = -beta * (x[0] + of_size * (limit - x[0]))
        return [Term(h, [-beta * of_size, -by_size * of_size, by_beta, mean - h])]

    def grid(self, x: Floats) -> list[tuple[float, ...]]:
        sharpness = np.log([1.0, 3.0])
        return list(product(_limits(x), EXPONENTS_TO_START, EXPONENTS_TO_START, sharpness))

    def shape_bounds(self, x: Floats) -> list[tuple[float, float]]:
        return [knee_bounds(x[0]), EXPONENT_BOUNDS, EXPONENT_BOUNDS, SHARPNESS_BOUNDS]


def _limits(x: Floats) -> list[float]:
    return evenly(x[0], 4)[1:].tolist()


class KneeAlone(Activation):
    """The loss surface (10b): knee = b N/c, fitted in ln c."""

    def terms(self, x: Floats, shape: list[Floats]) -> list[Term]:
        samples, size = x
        active, log_b = shape
        [term] = super().terms(samples - size, [log_b - active, log_b])
        by_knee, by_b = term.slopes
        return [Term(term.h, [-by_knee, by_b + by_knee])]

    def grid(self, x: Floats) -> list[tuple[float, ...]]:
        samples, size = x
        return [(b - knee, b) for knee, b in super().grid(samples - size)]

    def shape_bounds(self, x: Floats) -> list[tuple[float, float]]:
        samples, size = x
        low, high = knee_bounds(samples - size)
        return [(np.log(0.1) - high, np.log(10.0) - low), EXPONENT_BOUNDS]


SURFACES: dict[str, Form] = {
    "activation": ActivationOverSize(
        name="activation",
        formula="floor + A (N/N0)^(-alpha) + B (1 + D/D*)^(-b), D* = knee (N/N0)^g",
        amplitudes=("A", "B"),
        shape=("alpha", "b", "knee", "g"),
        signed=("g",),
        jointly_unidentified=(("knee", "B"),),
    ),
    "chinchilla": Chinchilla(
        name="chinchilla",
        formula="floor + A N^(-alpha) + B D^(-beta)",
        amplitudes=("A", "B"),
        shape=("alpha", "beta"),
    ),
    "kaplan": Kaplan(
        name="kaplan",
        formula="floor + B (1/D + 1/E)^beta, E = limit (N/N0)^(alpha/beta)",
        amplitudes=("B",),
        shape=("limit", "alpha", "beta"),
    ),
    "interpolated": Interpolated(
        name="interpolated",
        formula="floor + B (D^(-beta p) + E^(-beta p))^(1/p), E = limit (N/N0)^(alpha/beta)",
        amplitudes=("B",),
        shape=("limit", "alpha", "beta", "p"),
    ),
    "knee_alone": KneeAlone(
        name="knee_alone",
        formula="floor + amplitude (1 + c D/(b N))^(-b)",
        shape=("active", "b"),
        uses_size=True,
        jointly_unidentified=(("active", "amplitude"),),
    ),
}
