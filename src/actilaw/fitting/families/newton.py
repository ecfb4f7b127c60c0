"""Maximum likelihood by Newton's method, with convergence judged in standard errors, not by an
optimiser's flag.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from actilaw.errors import CountsError
from actilaw.support.arrays import Floats

Evaluation = tuple[float, Floats, Floats]  # value, score, Hessian
LogLikelihood = Callable[[Floats], Evaluation]

TOLERANCE = 1e-6  # of a standard error, left between the estimate and the maximum
ROUNDING = 1e-11  # relative error of a log-likelihood, with a margin
STEPS = 200
# Steps without a gain beyond rounding: Newton's method needs two or three where there is a maximum.
IDLE_STEPS = 6
NEAR = 1e-4  # nats: a step that gains less ends a trial
FARTHEST = 55.0  # parameters are logarithms: beyond e^55 or below e^-55 the maximum is at infinity


@dataclass(frozen=True)
class Maximum:
    """The maximum of a log-likelihood.

    Attributes:
        parameters: where it is; (n_parameters,).
        log_likelihood: its height.
        covariance: inverse of the observed information there; (n_parameters, n_parameters).
    """

    parameters: Floats
    log_likelihood: float
    covariance: Floats


def maximise(log_likelihood: LogLikelihood, start: Floats) -> Maximum:
    """The maximum of a smooth log-likelihood, from a start in its neighbourhood.

    The distance to the maximum, in standard errors, is sqrt(score' covariance score): it has no
    unit and asks nothing of the scale of the parameters.

    Args:
        log_likelihood: returns value, score (n_parameters,) and Hessian (n_parameters,
            n_parameters).
        start: (n_parameters,).

    Raises:
        CountsError: if the likelihood has no maximum within reach, as for data that hardly vary.
    """
    for parameters, (value, score, hessian) in _ascent(log_likelihood, start):
        curvatures, axes = np.linalg.eigh(-hessian)
        if curvatures.min() > 0 and np.sum((axes.T @ score) ** 2 / curvatures) < TOLERANCE**2:
            return Maximum(parameters, value, axes / curvatures @ axes.T)
    raise CountsError(
        "the likelihood of these counts has no maximum within reach: expected units whose rates "
        "differ and lie "
        "between never and always; record more samples, or look at the histogram of counts"
    )


def climb(log_likelihood: LogLikelihood, start: Floats, *, steps: int) -> tuple[Floats, float]:
    """Where at most `steps` steps of Newton's method lead from a start, and the log-likelihood
    there.

    A few steps from many starts tell which of them is worth a search for the maximum.
    """
    at, height = start, -np.inf
    for parameters, (value, _, _) in islice(_ascent(log_likelihood, start), steps + 1):
        met, at, height = value < height + NEAR, parameters, value
        if met:
            break
    return at, height


def _ascent(log_likelihood: LogLikelihood, start: Floats) -> Iterator[tuple[Floats, Evaluation]]:
    """The path of Newton's method, with what it sees on the way; it ends where it leaves what is
    within reach.
    """
    parameters = np.asarray(start, float)
    seen = log_likelihood(parameters)
    idle = 0
    for _ in range(STEPS):
        value, score, hessian = seen
        if not np.all(np.isfinite(hessian)):
            return
        yield parameters, seen
        curvatures, axes = np.linalg.eigh(-hessian)
        # Where the likelihood is not concave, the size of its curvature still tells how far to
        # trust the slope.
        step = axes @ (
            (axes.T @ score) / np.maximum(np.abs(curvatures), 1e-8 * np.abs(curvatures).max())
        )
        step *= min(
            1.0, 2.0 / max(np.abs(step).max(), 1e-300)
        )  # two e-folds at most: the parameters are logarithms
        for _ in range(40):  # halved until it does not lead downhill by more than rounding
            seen = log_likelihood(parameters + step)
            if seen[0] >= value - ROUNDING * abs(value):
                break
            step = step / 2
        parameters = parameters + step
        idle = 0 if seen[0] > value + ROUNDING * abs(value) else idle + 1
        if np.abs(parameters).max() > FARTHEST or idle == IDLE_STEPS:
            return
