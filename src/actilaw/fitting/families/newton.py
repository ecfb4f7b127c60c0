"""Newton's method for maximum likelihood, with convergence judged in standard errors rather than by
an optimiser's flag.

The distance to the maximum in standard errors, sqrt(score' covariance score), has no unit and does
not depend on the scale of the parameters.
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

NEWTON_TOLERANCE = 1e-6  # of a standard error, left between the estimate and the maximum
LOG_LIKELIHOOD_ROUNDING = 1e-11  # relative error of a log-likelihood, with a margin
MOST_NEWTON_STEPS = 200
# Steps without a gain beyond rounding: Newton's method needs two or three where there is a maximum.
MOST_STEPS_WITHOUT_GAIN = 6
LEAST_TRIAL_GAIN = 1e-4  # nats: a step that gains less ends a trial
# Parameters are logarithms: beyond e^55 or below e^-55 the maximum is at infinity.
LARGEST_PARAMETER = 55.0
LONGEST_NEWTON_STEP = 2.0  # e-folds
# Where a standard error would reach to where parameters are at infinity, and the whole step gains
# less than so many nats, the maximum is there.
FLAT_GAIN = 1e-2
FLAT_CURVATURE = LARGEST_PARAMETER**-2
MOST_HALVINGS = 40


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

    Args:
        log_likelihood: returns value, score (n_parameters,) and Hessian (n_parameters,
            n_parameters).
        start: (n_parameters,).

    Raises:
        CountsError: if the likelihood has no maximum within reach, as for data that hardly vary.
    """
    for parameters, (value, score, hessian) in _ascent(log_likelihood, start):
        curvatures, axes = np.linalg.eigh(-hessian)
        if (
            curvatures.min() > 0
            and np.sum((axes.T @ score) ** 2 / curvatures) < NEWTON_TOLERANCE**2
        ):
            return Maximum(parameters, value, axes / curvatures @ axes.T)
    raise CountsError(
        "the likelihood of these counts has no maximum within reach: expected units whose rates "
        "differ and lie between never and always; record more samples, or look at the histogram "
        "of counts"
    )


def climb(log_likelihood: LogLikelihood, start: Floats, *, steps: int) -> tuple[Floats, float]:
    """Where at most `steps` steps of Newton's method lead from a start, and the log-likelihood
    there.

    A few steps from many starts show which of them is worth a search for the maximum.
    """
    at, height = start, -np.inf
    for parameters, (value, _, _) in islice(_ascent(log_likelihood, start), steps + 1):
        has_converged = value < height + LEAST_TRIAL_GAIN
        at, height = parameters, value
        if has_converged:
            break
    return at, height


def _ascent(log_likelihood: LogLikelihood, start: Floats) -> Iterator[tuple[Floats, Evaluation]]:
    """The path of Newton's method, with the log-likelihood on the way; it ends where it leaves what
    is within reach.
    """
    parameters = np.asarray(start, float)
    found = log_likelihood(parameters)
    without_gain = 0
    for _ in range(MOST_NEWTON_STEPS):
        value, score, hessian = found
        if not np.all(np.isfinite(hessian)):
            return
        yield parameters, found
        rounding = LOG_LIKELIHOOD_ROUNDING * abs(value)
        curvatures, axes = np.linalg.eigh(-hessian)
        if _is_flat(axes.T @ score, np.abs(curvatures)):
            return
        step = _newton_step(score, curvatures, axes)
        for _ in range(MOST_HALVINGS):  # until it does not lead downhill by more than rounding
            found = log_likelihood(parameters + step)
            if found[0] >= value - rounding:
                break
            step = step / 2
        parameters = parameters + step
        without_gain = 0 if found[0] > value + rounding else without_gain + 1
        too_far = np.abs(parameters).max() > LARGEST_PARAMETER
        if too_far or without_gain == MOST_STEPS_WITHOUT_GAIN:
            return


def _is_flat(slopes: Floats, sizes: Floats) -> bool:
    """Whether the likelihood hardly changes along an axis, however far one goes.

    Args:
        slopes: along the axes of the local parabola; (n_parameters,).
        sizes: of its curvatures along them; (n_parameters,).
    """
    gain = np.sum(slopes**2 / np.maximum(sizes, 1e-300))
    return bool(sizes.min() < FLAT_CURVATURE and gain < FLAT_GAIN)


def _newton_step(score: Floats, curvatures: Floats, axes: Floats) -> Floats:
    """The step to the maximum of the local parabola, no longer than LONGEST_NEWTON_STEP.

    Where the likelihood is not concave, the size of its curvature still says how far to trust the
    slope.
    """
    sizes = np.abs(curvatures)
    step = axes @ ((axes.T @ score) / np.maximum(sizes, 1e-8 * sizes.max()))
    return step * min(1.0, LONGEST_NEWTON_STEP / max(np.abs(step).max(), 1e-300))
