"""Covariance of the parameters of a fitted curve, by the delta method, and which parameters the
losses leave undetermined.

    covariance of the coordinates  s² (J'WJ)⁻¹,  (HU3) of `huber`; parameter θ = exp(coordinate),
    so its row and column are multiplied by θ

Two things leave a parameter undetermined: the fit ended at a bound, far outside what the losses can
tell apart; or the fit is as good along a line through the estimate on which the parameter moves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from actilaw.loss.form import Form
from actilaw.loss.huber import Problem
from actilaw.support.arrays import Floats

AT_BOUND = 1e-3  # e-folds; nearer to a bound than this is at it
FLAT = 1e-7  # of the largest singular value of J: along this direction nothing changes
SHARE_OF_FLAT = 1e-3  # least component of a parameter in a flat direction that counts


def at_bound(form: Form, problem: Problem, coordinates: Floats) -> NDArray[np.bool_]:
    """Which coordinates (p,) ended at a bound, and those that mean nothing without them."""
    distance = np.minimum(coordinates - problem.low, problem.high - coordinates)
    touches = distance < AT_BOUND
    ended = touches.copy()
    for cause, name in form.jointly_unidentified:
        if touches[form.parameters.index(cause)]:
            ended[form.parameters.index(name)] = True
    return ended


def inverse_information(jacobian: Floats, ended: NDArray[np.bool_]) -> Floats:
    """(J'WJ)⁻¹, (p, p), for √W J of (n, p); `ended` coordinates (p,) are held.

    Undetermined coordinates have an infinite variance, and NaN for covariances.
    """
    _, sizes, directions = np.linalg.svd(jacobian[:, ~ended], full_matrices=False)
    flat = sizes <= FLAT * sizes.max(initial=0.0)
    root = directions[~flat].T / sizes[~flat]
    undetermined = ended.copy()
    undetermined[~ended] = np.any(np.abs(directions[flat]) > SHARE_OF_FLAT, axis=0)
    inverse = np.full((ended.size, ended.size), np.nan)
    inverse[np.ix_(~ended, ~ended)] = root @ root.T
    return _leave_out(inverse, undetermined)


def in_units(form: Form, coordinates: Floats, covariance: Floats) -> tuple[Floats, Floats, Floats]:
    """Estimates, standard errors and covariance of the parameters, from those of the coordinates.

    Infinite, and NaN for covariances, also where no float is large enough: an amplitude at D = 1
    may be e to the power of many hundreds.
    """
    logged = np.array([name not in form.signed for name in form.parameters])
    with np.errstate(over="ignore", invalid="ignore"):
        estimates = np.where(logged, np.exp(coordinates), coordinates)
        slopes = np.where(logged, estimates, 1.0)
        errors = np.sqrt(np.diag(covariance))
        infinite = np.isinf(errors + estimates)
        errors = np.where(infinite, np.inf, errors * slopes)
        scaled = covariance * np.outer(slopes, slopes)
    return estimates, errors, _leave_out(scaled, infinite)


def _leave_out(covariance: Floats, undetermined: NDArray[np.bool_]) -> Floats:
    covariance = covariance.copy()
    covariance[undetermined, :] = np.nan
    covariance[:, undetermined] = np.nan
    covariance[undetermined, undetermined] = np.inf
    return covariance
