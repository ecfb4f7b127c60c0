"""Maximum likelihood by Newton's method, with convergence judged in standard errors, not by an optimiser's flag."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actilaw.errors import CountsError

Vector = NDArray[np.float64]
LogLikelihood = Callable[[Vector], tuple[float, Vector, Vector]]

TOLERANCE = 1e-6  # of a standard error, left between the estimate and the maximum
ROUNDING = 1e-11  # relative error of a log-likelihood, with a margin
STEPS = 200
FARTHEST = 40.0  # parameters are logarithms: beyond e^40 or below e^-40 the maximum is at infinity


@dataclass(frozen=True)
class Maximum:
    """The maximum of a log-likelihood.

    Attributes:
        parameters: where it is; (n_parameters,).
        log_likelihood: its height.
        covariance: inverse of the observed information there; (n_parameters, n_parameters).
    """

    parameters: Vector
    log_likelihood: float
    covariance: Vector


def maximise(log_likelihood: LogLikelihood, start: Vector) -> Maximum:
    """The maximum of a smooth log-likelihood, from a start in its neighbourhood.

    The distance to the maximum, in standard errors, is sqrt(score' covariance score): it has no unit and asks
    nothing of the scale of the parameters.

    Args:
        log_likelihood: returns value, score (n_parameters,) and Hessian (n_parameters, n_parameters).
        start: (n_parameters,).

    Raises:
        CountsError: if the likelihood has no maximum within reach, as for data that hardly vary.
    """
    parameters = np.asarray(start, float)
    value, score, hessian = log_likelihood(parameters)
    for _ in range(STEPS):
        curvatures, axes = np.linalg.eigh(-hessian)
        if curvatures.min() > 0 and np.sum((axes.T @ score) ** 2 / curvatures) < TOLERANCE**2:
            return Maximum(parameters, value, axes / curvatures @ axes.T)
        # Where the likelihood is not concave, the size of its curvature still tells how far to trust the slope.
        step = axes @ ((axes.T @ score) / np.maximum(np.abs(curvatures), 1e-8 * np.abs(curvatures).max()))
        step *= min(1.0, 2.0 / np.abs(step).max())  # two e-folds at most: the parameters are logarithms
        parameters = parameters + _shortened(step, parameters, value, log_likelihood)
        if np.abs(parameters).max() > FARTHEST:
            break
        value, score, hessian = log_likelihood(parameters)
    raise CountsError(
        "the likelihood of these counts has no maximum within reach: expected units whose rates differ and lie "
        "between never and always; record more samples, or look at the histogram of counts"
    )


def _shortened(step: Vector, parameters: Vector, value: float, log_likelihood: LogLikelihood) -> Vector:
    """The step, halved until it does not lead downhill by more than rounding."""
    for _ in range(40):
        if log_likelihood(parameters + step)[0] >= value - ROUNDING * abs(value):
            break
        step = step / 2
    return step
