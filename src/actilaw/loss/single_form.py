"""Fit of one form of the loss curve: Huber's robust regression of the logarithm of the loss from a
grid of starts (`huber`), with standard errors and the profile that intervals start from.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from actilaw.errors import InputError
from actilaw.loss.covariance import at_bound, in_units, inverse_information
from actilaw.loss.fitted_loss import FittedLoss
from actilaw.loss.form import Form
from actilaw.loss.huber import Fits, Problem, Solution, log_likelihood, noise_scale, solve
from actilaw.loss.measurements import Measurements
from actilaw.loss.profile_likelihood import ProfileLikelihood
from actilaw.support.arrays import Floats

STEPS_FROM_EVERY_START = 30
LOSSES_FOR_STARTS = 500  # of more losses, no more than these are asked which starts are good
STARTS_TRIED = 40  # of a form's grid, those of least cost
STARTS_TRIED_BESIDES = 12  # where a fit to more losses is known
STARTS_FOLLOWED = 8  # the best ones, which are then followed to their end


def fit_form(form: Form, measured: Measurements, *, near: Floats | None = None) -> FittedLoss:
    """The nearest curve of one form.

    Args:
        form: to fit.
        measured: the losses.
        near: coordinates of a fit to more losses, (p,), from which the search starts besides; it
            then tries fewer starts of the form's grid.

    Raises:
        InputError: if there are no more distinct sizes than parameters, or the weights sum to less.
    """
    _check_enough(form, measured)
    form = form.centred(measured.log_sizes)
    problem = _problem(form, measured)
    solution = _best_of_all_starts(form, measured, problem, near)
    values, slopes = form.log_loss(solution.parameters, measured.log_sizes)
    residuals = values[0] - problem.measured
    noise, unclipped = noise_scale(problem, residuals, float(solution.scale[0]))
    return FittedLoss(
        form=form,
        **_estimates(form, problem, solution.parameters[0], noise, slopes[0]),
        residual=noise,
        log_likelihood=log_likelihood(residuals, problem.weights),
        measured=measured,
        profile=ProfileLikelihood(problem, solution, noise, unclipped),
    )


def _problem(form: Form, measured: Measurements) -> Problem:
    """The curves of one form, beside the logarithms of the losses."""
    x, log_loss = measured.log_sizes, np.log(measured.loss)
    low, high = form.bounds(x, log_loss)
    return Problem(partial(_curve, form, x), log_loss, measured.weights, low, high)


def _estimates(
    form: Form, problem: Problem, coordinates: Floats, noise: float, slopes: Floats
) -> dict[str, Any]:
    """Estimates, standard errors and covariance of a solution, in units, and what is undetermined,
    by the names of `FittedLoss`.

    Args:
        form: the form fitted.
        problem: which it solves.
        coordinates: the solution, on the form's own scale; (p,).
        noise: standard deviation of a log loss.
        slopes: of the log losses in the coordinates, there; (n, p).
    """
    jacobian = slopes * np.sqrt(problem.weights)[:, np.newaxis]
    information = inverse_information(jacobian, at_bound(form, problem, coordinates))
    estimates, errors, covariance = in_units(form, coordinates, noise**2 * information)
    names = list(form.parameters)
    return {
        "params": dict(zip(names, estimates.tolist(), strict=True)),
        "standard_errors": dict(zip(names, errors.tolist(), strict=True)),
        "covariance": pd.DataFrame(covariance, index=names, columns=names),
        "undetermined": tuple(np.array(names)[errors == np.inf].tolist()),
    }


def _curve(form: Form, x: Floats, coordinates: Floats, fits: Fits) -> tuple[Floats, Floats]:
    """The same sizes in every fit; a function with a name, so that a fit can be pickled and sent to
    another process.
    """
    return form.log_loss(coordinates, x)


def _best_of_all_starts(
    form: Form, measured: Measurements, problem: Problem, near: Floats | None
) -> Solution:
    """A few steps from every start, then the best ones to their end, and the best of those.

    Of many losses, some of all sizes show which starts are worth following.
    """
    some = measured.where(_some_of_all_sizes(measured))
    roughly = replace(
        problem,
        curve=partial(_curve, form, some.log_sizes),
        measured=np.log(some.loss),
        weights=some.weights * (measured.weights.sum() / some.weights.sum()),
    )
    starts = form.starts(some.log_sizes, roughly.measured, roughly.weights)
    tried = STARTS_TRIED if near is None else STARTS_TRIED_BESIDES
    starts = solve(roughly, starts, steps=0).best(tried).parameters
    if near is not None:
        starts = np.concatenate([starts, near[np.newaxis]])
    first = solve(roughly, starts, steps=STEPS_FROM_EVERY_START).best(STARTS_FOLLOWED)
    return solve(problem, first.parameters).best(1)


def _some_of_all_sizes(measured: Measurements) -> NDArray[np.bool_]:
    """At most LOSSES_FOR_STARTS of the losses, evenly spread over the sizes; (n,)."""
    n = measured.loss.size
    order = np.lexsort(np.atleast_2d(measured.log_sizes))
    ranks = np.linspace(0, n - 1, min(n, LOSSES_FOR_STARTS)).round().astype(int)
    chosen = np.zeros(n, bool)
    chosen[order[ranks]] = True
    return chosen


def _check_enough(form: Form, measured: Measurements) -> None:
    """Raise InputError unless there are more sizes than parameters, and more measurements.

    A weight is a number of measurements; with no more of them than parameters, nothing is left to
    judge the fit by.
    """
    p, sizes, total = len(form.parameters), measured.distinct_sizes, measured.weights.sum()
    if sizes <= p:
        raise InputError(
            f"the form {form.name!r}, {form.formula}, has {p} parameters and needs at least "
            f"{p + 1} different sizes, but got {sizes}: add some, or choose a form with fewer"
        )
    if total <= p:
        raise InputError(
            f"expected weights that sum to more than the {p} parameters, since a weight is a "
            f"number of measurements, but they sum to {total:.3g}: scale them to a mean of 1"
        )
