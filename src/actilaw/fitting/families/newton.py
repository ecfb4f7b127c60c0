"""Newton's method for maximum likelihood, with convergence judged in standard errors rather than by
an optimiser's flag.

Several climbs run side by side, since for a few hundred distinct counts most of the time goes into
calling NumPy. The first axis of every array marked (fits, ...) counts them.

The distance to the maximum in standard errors, sqrt(score' covariance score), has no unit and does
not depend on the scale of the parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actilaw.errors import CountsError
from actilaw.support.arrays import Floats, Ints

# Values (fits,), scores (fits, n_parameters) and Hessians (fits, n_parameters, n_parameters) at
# parameters (fits, n_parameters).
Evaluation = tuple[Floats, Floats, Floats]
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
        log_likelihood: of parameters (1, n_parameters).
        start: (n_parameters,).

    Raises:
        CountsError: if the likelihood has no maximum within reach, as for data that hardly vary.
    """
    climbs = _Climbs(log_likelihood, np.asarray(start, float)[np.newaxis])
    for _ in range(MOST_NEWTON_STEPS):
        if not climbs.running[0]:
            break
        score, hessian = climbs.score[0], climbs.hessian[0]
        curvatures, axes = np.linalg.eigh(-hessian)
        if (
            curvatures.min() > 0
            and np.sum((axes.T @ score) ** 2 / curvatures) < NEWTON_TOLERANCE**2
        ):
            covariance = axes / curvatures @ axes.T
            return Maximum(climbs.parameters[0], float(climbs.value[0]), covariance)
        climbs.step()
    raise CountsError(
        "the likelihood of these counts has no maximum within reach: expected units whose rates "
        "differ and lie between never and always; record more samples, or look at the histogram "
        "of counts"
    )


def climb(log_likelihood: LogLikelihood, starts: Floats, *, steps: int) -> tuple[Floats, Floats]:
    """Where at most `steps` steps of Newton's method lead from each start, (fits, n_parameters),
    and the log-likelihoods there, (fits,).

    A few steps from many starts show which of them is worth a search for the maximum.
    """
    climbs = _Climbs(log_likelihood, starts)
    reached, heights = starts.copy(), np.full(len(starts), -np.inf)
    for taken in range(steps + 1):
        running = np.flatnonzero(climbs.running)
        if running.size == 0:
            break
        value = climbs.value[running]
        has_converged = value < heights[running] + LEAST_TRIAL_GAIN
        reached[running], heights[running] = climbs.parameters[running], value
        climbs.running[running[has_converged]] = False
        if taken < steps:
            climbs.step()
    return reached, heights


class _Climbs:
    """Climbs of Newton's method, side by side.

    Attributes:
        parameters: where they are; (fits, n_parameters).
        value, score, hessian: of the log-likelihood there.
        running: which have not left what is within reach; (fits,).
    """

    def __init__(self, log_likelihood: LogLikelihood, starts: Floats) -> None:
        self.log_likelihood, self.parameters = log_likelihood, starts.copy()
        self.value, self.score, self.hessian = log_likelihood(starts)
        self.running = _all_finite(self.hessian)
        self.without_gain = np.zeros(len(starts), int)

    def step(self) -> None:
        """One step of every climb that is running."""
        fits = np.flatnonzero(self.running)
        curvatures, axes = np.linalg.eigh(-self.hessian[fits])
        slopes = np.einsum("fpq,fp->fq", axes, self.score[fits])
        flat = _is_flat(slopes, np.abs(curvatures))
        self.running[fits[flat]] = False
        if flat.all():
            return
        steps = _newton_steps(slopes[~flat], np.abs(curvatures[~flat]), axes[~flat])
        self._move(fits[~flat], steps)

    def _move(self, fits: Ints, steps: Floats) -> None:
        """Take these steps, each halved until it does not lead downhill by more than rounding."""
        before = self.value[fits]
        rounding = LOG_LIKELIHOOD_ROUNDING * np.abs(before)
        self._evaluate(fits, self.parameters[fits] + steps)
        for _ in range(MOST_HALVINGS):
            # Not a number is downhill too.
            downhill = ~(self.value[fits] >= before - rounding)
            if not downhill.any():
                break
            steps[downhill] /= 2
            self._evaluate(fits[downhill], (self.parameters[fits] + steps)[downhill])
        self.parameters[fits] += steps
        gained = self.value[fits] > before + rounding
        self.without_gain[fits] = np.where(gained, 0, self.without_gain[fits] + 1)
        too_far = np.abs(self.parameters[fits]).max(axis=1) > LARGEST_PARAMETER
        stuck = self.without_gain[fits] == MOST_STEPS_WITHOUT_GAIN
        self.running[fits] = _all_finite(self.hessian[fits]) & ~too_far & ~stuck

    def _evaluate(self, fits: Ints, parameters: Floats) -> None:
        self.value[fits], self.score[fits], self.hessian[fits] = self.log_likelihood(parameters)


def _all_finite(hessians: Floats) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(hessians).all(axis=(1, 2)))


def _is_flat(slopes: Floats, sizes: Floats) -> NDArray[np.bool_]:
    """Where the likelihood hardly changes along an axis, however far one goes; (fits,).

    Args:
        slopes: along the axes of the local parabola; (fits, n_parameters).
        sizes: of its curvatures along them; (fits, n_parameters).
    """
    gain = np.sum(slopes**2 / np.maximum(sizes, 1e-300), axis=1)
    return (sizes.min(axis=1) < FLAT_CURVATURE) & (gain < FLAT_GAIN)


def _newton_steps(slopes: Floats, sizes: Floats, axes: Floats) -> Floats:
    """The steps to the maxima of the local parabolas, none longer than LONGEST_NEWTON_STEP.

    Where the likelihood is not concave, the size of its curvature still says how far to trust the
    slope.
    """
    along = slopes / np.maximum(sizes, 1e-8 * sizes.max(axis=1, keepdims=True))
    steps = np.einsum("fpq,fq->fp", axes, along)
    longest = np.maximum(np.abs(steps).max(axis=1, keepdims=True), 1e-300)
    return steps * np.minimum(1.0, LONGEST_NEWTON_STEP / longest)
