"""From losses at several sizes of training set to the loss law, with its uncertainty.

    (10) L(D) = L_inf + A (1 + D / D*)^(−b)

Fitted by least squares in log loss, from many starts: noise in a loss is proportional to the loss, and one start
can end in a valley beside the best one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import OptimizeResult, least_squares
from scipy.stats import t as student

from actilaw.errors import InputError
from actilaw.theory import LossLaw

PARAMETERS = ("floor", "amplitude", "knee", "b")
Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FittedLoss:
    """A loss law with its uncertainty.

    Attributes:
        law: the law nearest to the losses.
        samples, loss: what it was fitted to; (n,) each.
        covariance: of the logarithms of (floor, amplitude, knee, b); (4, 4).
        undetermined: parameters that the losses do not determine; the fit ended at a bound far outside the data.
        residual: root of the mean squared error in log loss, with 4 degrees of freedom taken off.
        freedom: number of losses less the 4 parameters.
    """

    law: LossLaw
    samples: Vector
    loss: Vector
    covariance: Vector
    undetermined: tuple[str, ...]
    residual: float
    freedom: int

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

    @property
    def standard_errors(self) -> dict[str, float]:
        """Standard error of each parameter, in its unit; infinite where the losses do not determine it."""
        errors = np.sqrt(np.diag(self.covariance))
        return {
            name: np.inf if name in self.undetermined else float(getattr(self.law, name) * error)
            for name, error in zip(PARAMETERS, errors, strict=True)
        }

    def predict(self, samples: ArrayLike) -> Vector:
        """Expected loss after training on `samples` inputs; arrays in, arrays out."""
        return self.law.loss(samples)

    def interval(self, samples: ArrayLike, level: float = 0.95) -> pd.DataFrame:
        """Loss of one more training on each of `samples`: columns samples, expected, lower, upper.

        To first order in the parameters; holds their uncertainty and the scatter of single trainings.
        """
        if not 0 < level < 1:
            raise InputError(f"expected a level between 0 and 1, such as 0.95, but got {level}")
        grid = np.atleast_1d(np.asarray(samples, float))
        slopes = _log_slopes(self.law, grid)
        variance = np.einsum("ni,ij,nj->n", slopes, self.covariance, slopes) + self.residual**2
        reach = np.exp(student.ppf((1 + level) / 2, self.freedom) * np.sqrt(variance))
        expected = self.predict(grid)
        return pd.DataFrame(
            {"samples": grid, "expected": expected, "lower": expected / reach, "upper": expected * reach}
        )

    def summary(self) -> pd.DataFrame:
        """One row per parameter: estimate and standard_error."""
        rows = {name: (getattr(self.law, name), error) for name, error in self.standard_errors.items()}
        return pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "standard_error"])


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
    bounds = _bounds(samples, loss)

    def residuals(parameters: Vector) -> Vector:
        return np.log(LossLaw(*np.exp(parameters)).loss(samples)) - np.log(loss)

    def jacobian(parameters: Vector) -> Vector:
        return _log_slopes(LossLaw(*np.exp(parameters)), samples)

    fits = [least_squares(residuals, start, jacobian, bounds=bounds, x_scale="jac") for start in _starts(samples, loss)]
    best = min(fits, key=lambda found: found.cost)
    freedom = loss.size - len(PARAMETERS)
    residual = float(np.sqrt(2 * best.cost / freedom))
    return FittedLoss(
        LossLaw(*np.exp(best.x)),
        samples,
        loss,
        _covariance(best, residual, bounds),
        _undetermined(best, bounds),
        residual,
        freedom,
    )


def _log_slopes(law: LossLaw, samples: Vector) -> Vector:
    """Slopes of log L(D) in the logarithms of (floor, amplitude, knee, b); (n, 4)."""
    excess = law.amplitude * np.exp(-law.b * np.log1p(samples / law.knee))
    by_knee = excess * law.b * samples / (law.knee + samples)
    by_b = -excess * law.b * np.log1p(samples / law.knee)
    floor = np.full_like(samples, law.floor)
    return np.stack([floor, excess, by_knee, by_b], axis=-1) / (law.floor + excess)[:, np.newaxis]


def _bounds(samples: Vector, loss: Vector) -> tuple[Vector, Vector]:
    """Far outside what the data can tell apart, so that an undetermined parameter is seen to end at a bound."""
    low = [1e-4 * loss.min(), 1e-3 * loss.max(), 1e-2 * samples.min(), 1e-2]
    high = [loss.max(), 1e3 * loss.max(), 1e2 * samples.max(), 1e2]
    return np.log(low), np.log(high)


def _starts(samples: Vector, loss: Vector) -> list[Vector]:
    """A grid over floor, knee and exponent; the amplitude then follows from the first loss."""
    floors = np.array([0.01, 0.5, 0.95]) * loss.min()
    knees = np.quantile(samples, [0, 0.5, 1])
    excess = loss[samples.argmin()]
    return [
        np.log([floor, (excess - 0.9 * floor) * (1 + samples.min() / knee) ** b, knee, b])
        for floor, knee, b in product(floors, knees, (0.3, 1.0))
    ]


def _touches(found: OptimizeResult, bounds: tuple[Vector, Vector]) -> NDArray[np.bool_]:
    low, high = bounds
    return np.minimum(found.x - low, high - found.x) < 1e-3


def _undetermined(found: OptimizeResult, bounds: tuple[Vector, Vector]) -> tuple[str, ...]:
    """Parameters at a bound; without a knee the amplitude, which is the excess before it, has no meaning either."""
    names = {name for name, touches in zip(PARAMETERS, _touches(found, bounds), strict=True) if touches}
    if "knee" in names:
        names.add("amplitude")
    return tuple(name for name in PARAMETERS if name in names)


def _covariance(found: OptimizeResult, residual: float, bounds: tuple[Vector, Vector]) -> Vector:
    """residual² (J'J)⁻¹ over the parameters that are free; those at a bound are held there."""
    free = ~_touches(found, bounds)
    jacobian = np.where(free, found.jac, 0.0)
    return residual**2 * np.linalg.pinv(jacobian.T @ jacobian, rcond=1e-14, hermitian=True)


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
