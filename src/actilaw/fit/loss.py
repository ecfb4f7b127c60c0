"""From losses at several sizes of training set to the loss law, with its uncertainty.

    (10) L(D) = L_inf + A (1 + D / D*)^(−b)

Fitted by least squares in log loss, from many starts: noise in a loss is proportional to the loss, and one start
can end in a valley beside the best one. Where data do not reach past the knee the valley is long and curved, so
intervals follow it instead of a tangent to it: they hold every loss that could be added without spoiling the fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares
from scipy.stats import t as student

from actilaw.errors import InputError
from actilaw.inputs import fraction
from actilaw.theory import LossLaw

PARAMETERS = ("floor", "amplitude", "knee", "b")
FARTHEST = np.log(1e6)  # how many e-folds beyond the data an interval's bound is looked for
Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FittedLoss:
    """A loss law with its uncertainty.

    Attributes:
        law: the law nearest to the losses.
        samples, loss: what it was fitted to; (n,) each.
        standard_errors: of each parameter, in its unit, to first order; infinite where it is not determined.
        undetermined: parameters that the losses do not determine: the fit ended at a bound far outside the data, or
            it is as good along a line through the estimate.
        residual: root of the mean squared error in log loss, with 4 degrees of freedom taken off.
    """

    law: LossLaw
    samples: Vector
    loss: Vector
    standard_errors: dict[str, float]
    undetermined: tuple[str, ...]
    residual: float

    @property
    def floor(self) -> float:
        """L_inf, loss that no amount of data removes."""
        return self.law.floor

    @property
    def b(self) -> float:
        """Exponent after the knee."""
        return self.law.b

    @property
    def knee(self) -> float:
        """D*, in samples."""
        return self.law.knee

    def predict(self, samples: ArrayLike) -> Vector:
        """Expected loss after training on `samples` inputs; arrays in, arrays out."""
        return self.law.loss(samples)

    def interval(self, samples: ArrayLike, level: float = 0.95) -> pd.DataFrame:
        """Loss of one more training on each of `samples`: columns samples, expected, lower, upper.

        By profile likelihood: a loss lies inside if adding it to the data raises the sum of squares by no more than
        residual² t², with t of Student's law at this level. Where the law is linear in its parameters this is the
        textbook's prediction interval; where it is not, the interval follows the valley of good fits.

        Args:
            samples: positive sizes of training sets, (n,) or a scalar.
            level: probability that the interval is meant to hold the loss.
        """
        fraction("level", level)
        grid = np.atleast_1d(np.asarray(samples, float))
        if grid.ndim != 1 or not np.all((grid > 0) & np.isfinite(grid)):
            raise InputError(f"expected positive, finite samples, (n,) or a scalar, but got {samples}")
        bounds = [self._profile(size, level) for size in grid]
        lower, upper = zip(*bounds, strict=True)
        return pd.DataFrame({"samples": grid, "expected": self.predict(grid), "lower": lower, "upper": upper})

    def summary(self) -> pd.DataFrame:
        """One row per parameter: estimate and standard_error."""
        rows = {name: (getattr(self.law, name), error) for name, error in self.standard_errors.items()}
        return pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "standard_error"])

    def _profile(self, size: float, level: float) -> tuple[float, float]:
        """Lowest and highest loss at `size` that could join the data."""
        freedom = self.loss.size - len(PARAMETERS)
        allowed = self.residual**2 * student.ppf((1 + level) / 2, freedom) ** 2
        samples, expected = np.append(self.samples, size), float(self.predict(size))
        squares = self.residual**2 * freedom
        start = _logs(self.law)

        def spoilt(log_ratio: float) -> float:
            nonlocal start
            loss = np.append(self.loss, expected * np.exp(log_ratio))
            found = _least_squares(samples, loss, [start])
            start = found.x  # the next question lies nearby
            return 2 * found.cost - squares - allowed

        def bound(sign: int) -> float:
            near, far = 0.0, max(self.residual, 1e-9)
            while spoilt(sign * far) < 0:
                near, far = far, 2 * far
                if far > FARTHEST:
                    return 0.0 if sign < 0 else np.inf
            for _ in range(10):  # halving, since a fit that ends in another valley may break the sign that Brent needs
                middle = (near + far) / 2
                near, far = (middle, far) if spoilt(sign * middle) < 0 else (near, middle)
            return expected * np.exp(sign * far)

        return bound(-1), bound(1)


def fit_loss(samples: ArrayLike, loss: ArrayLike, form: str = "activation") -> FittedLoss:
    """The loss law nearest to measured losses, with standard errors.

    Args:
        samples: sizes of the training sets, positive; (n,), repeats allowed.
        loss: loss on new data after training on each, positive; (n,).
        form: "activation", the loss law (10).

    Raises:
        InputError: if shapes differ, values are not positive and finite, or there are fewer than 5 distinct sizes.
    """
    if form != "activation":
        raise InputError(f"expected form='activation', but got {form!r}")
    samples, loss = np.asarray(samples, float), np.asarray(loss, float)
    _refuse(samples, loss)
    best = _least_squares(samples, loss, _starts(samples, loss))
    residual = float(np.sqrt(2 * best.cost / (loss.size - len(PARAMETERS))))
    law = LossLaw(*np.exp(best.x))
    errors = residual * _log_errors(_log_slopes(law, samples), _at_bound(best.x, samples, loss))
    standard_errors = {name: float(getattr(law, name) * error) for name, error in zip(PARAMETERS, errors, strict=True)}
    undetermined = tuple(name for name, error in standard_errors.items() if error == np.inf)
    return FittedLoss(law, samples, loss, standard_errors, undetermined, residual)


def _least_squares(samples: Vector, loss: Vector, starts: list[Vector]):
    """The best of the fits from these starts; parameters are logarithms of (floor, amplitude, knee, b)."""
    low, high = _bounds(samples, loss)

    def residuals(parameters: Vector) -> Vector:
        return np.log(LossLaw(*np.exp(parameters)).loss(samples)) - np.log(loss)

    def jacobian(parameters: Vector) -> Vector:
        return _log_slopes(LossLaw(*np.exp(parameters)), samples)

    fits = [
        least_squares(residuals, np.clip(start, low, high), jacobian, bounds=(low, high), x_scale="jac")
        for start in starts
    ]
    return min(fits, key=lambda found: found.cost)


def _log_slopes(law: LossLaw, samples: Vector) -> Vector:
    """Slopes of log L(D) in the logarithms of (floor, amplitude, knee, b); (n, 4)."""
    excess = law.amplitude * np.exp(-law.b * np.log1p(samples / law.knee))
    by_knee = excess * law.b * samples / (law.knee + samples)
    by_b = -excess * law.b * np.log1p(samples / law.knee)
    floor = np.full_like(samples, law.floor)
    return np.stack([floor, excess, by_knee, by_b], axis=-1) / (law.floor + excess)[:, np.newaxis]


def _logs(law: LossLaw) -> Vector:
    return np.log([law.floor, law.amplitude, law.knee, law.b])


def _bounds(samples: Vector, loss: Vector) -> tuple[Vector, Vector]:
    """Far outside what the data can tell apart, so that an undetermined parameter is seen to end at a bound."""
    least, most = np.log(loss.min()), np.log(loss.max())
    low = [least - np.log(1e4), least - np.log(1e3), np.log(samples.min() / 100), np.log(1e-2)]
    high = [most, most + np.log(1e3), np.log(samples.max() * 100), np.log(1e2)]
    return np.array(low), np.array(high)


def _starts(samples: Vector, loss: Vector) -> list[Vector]:
    """A grid over floor, knee and exponent; the amplitude then follows from the loss at the smallest size."""
    floors = np.array([0.01, 0.5, 0.95]) * loss.min()
    knees = np.quantile(samples, [0, 0.5, 1])
    excess = loss[samples.argmin()]
    return [
        np.array(
            [np.log(floor), np.log(excess - 0.9 * floor) + b * np.log1p(samples.min() / knee), np.log(knee), np.log(b)]
        )
        for floor, knee, b in product(floors, knees, (0.3, 1.0))
    ]


def _at_bound(parameters: Vector, samples: Vector, loss: Vector) -> NDArray[np.bool_]:
    """Which parameters ended at a bound; without a knee the amplitude, the excess before it, has no meaning either."""
    low, high = _bounds(samples, loss)
    touches = np.minimum(parameters - low, high - parameters) < 1e-3
    touches[1] |= touches[2]
    return touches


def _log_errors(jacobian: Vector, at_bound: NDArray[np.bool_]) -> Vector:
    """Standard errors of the logarithms in units of the residual: the square roots of the diagonal of (J'J)⁻¹.

    Infinite for parameters at a bound, and for those with a share in a direction along which nothing changes.
    """
    errors = np.full(len(PARAMETERS), np.inf)
    _, sizes, directions = np.linalg.svd(jacobian[:, ~at_bound], full_matrices=False)
    flat = sizes < 1e-7 * sizes.max(initial=0.0)
    free = np.sqrt(np.sum((directions[~flat] / sizes[~flat, np.newaxis]) ** 2, axis=0))
    moves = np.any(np.abs(directions[flat]) > 1e-3, axis=0)
    errors[~at_bound] = np.where(moves, np.inf, free)
    return errors


def _refuse(samples: Vector, loss: Vector) -> None:
    if samples.ndim != 1 or samples.shape != loss.shape:
        raise InputError(f"expected samples and loss of one shape (n,), but got {samples.shape} and {loss.shape}")
    for name, values in (("samples", samples), ("loss", loss)):
        bad = values[~(np.isfinite(values) & (values > 0))]
        if bad.size:
            raise InputError(f"expected positive, finite {name}, but {bad.size} of {values.size} are not ({bad[0]})")
    sizes = np.unique(samples).size
    if sizes <= len(PARAMETERS):
        raise InputError(
            f"the loss law has 4 parameters and needs at least 5 different sizes, but got {sizes}: add some"
        )
