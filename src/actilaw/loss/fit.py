"""Fit of a loss curve to losses measured at several sizes of training set.

The curve is the loss law, (10) of `theory.loss_law`, a plateau, a knee and a power law, or one of
its peers (`forms`). It is fitted in the logarithm of the loss, since noise in a loss is
proportional to the loss, by Huber's robust regression from a grid of starts (`huber`); intervals
are profile likelihoods (`profile_likelihood`).
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.errors import InputError
from actilaw.fitting.fit import fit
from actilaw.fitting.fitted_law import FittedLaw
from actilaw.loss.consistency import Consistency, consistency_with_counts
from actilaw.loss.covariance import at_bound, in_units, inverse_information
from actilaw.loss.fitted_loss import FittedLoss
from actilaw.loss.form import Form
from actilaw.loss.forms import FORMS, LOSS_LAW_FORMULA, KnownShape
from actilaw.loss.huber import Fits, Problem, Solution, log_likelihood, noise_scale, solve
from actilaw.loss.measurements import Measurements, read_measurements
from actilaw.loss.profile_likelihood import ProfileLikelihood
from actilaw.loss.surfaces import SURFACES
from actilaw.support.arrays import Floats
from actilaw.support.blas_threads import one_blas_thread

STEPS_FROM_EVERY_START = 30
LOSSES_FOR_STARTS = 500  # of more losses, no more than these are asked which starts are good
STARTS_FOLLOWED = 8  # the best ones, which are then followed to their end
LEAST_SCATTER = 1e-12  # in log loss, so that a ratio to it stays finite


@one_blas_thread()
def fit_loss(
    samples: ArrayLike,
    loss: ArrayLike,
    form: str = "activation",
    *,
    weights: ArrayLike | None = None,
    size: ArrayLike | None = None,
    counts: ActivationCounts | FittedLaw | None = None,
) -> FittedLoss:
    """The loss curve nearest to measured losses, with standard errors.

    Args:
        samples: sizes of the training sets, positive; (n,), repeats allowed.
        loss: loss on new data after training on each, positive; (n,).
        form: "activation", the loss law (10); or one of its peers in `forms`: power, power_floor,
            M3, M4, bnsl, and, with sizes of network, chinchilla.
        weights: how many measurements each loss stands for, positive; (n,). A weight of 3 counts as
            a row given three times.
        size: of the network, parameters or units, positive; (n,). The fit is then the joint one:
            of (10b), in which D* = b N/c, or of chinchilla.
        counts: activation counts of the network, or the law fitted to them: b and D* are theirs and
            taken as exact, floor and amplitude alone are fitted, and `consistency` says what the
            losses alone would give, with the counts' own errors granted. Counts and losses must
            mean the same by a sample.

    Warns:
        UserWarning: if the losses do not determine a parameter, whose standard error is then
            infinite.

    Raises:
        InputError: if shapes differ, values are not positive and finite, the form is unknown or
            does not go with sizes of network or counts, or there are no more distinct sizes (of
            data and network) than parameters.
    """
    chosen = _chosen_form(form, with_size=size is not None, with_counts=counts is not None)
    measured = read_measurements(samples, loss, weights=weights, size=size)
    if counts is None:
        fitted = fit_form(chosen, measured)
        _warn_of_undetermined(fitted)
        return fitted
    law = counts if isinstance(counts, FittedLaw) else fit(counts)
    if law.family == "heavy_tail":
        raise InputError(
            "expected a law with b and a knee to take for the loss, but got the family "
            '"heavy_tail": fit "law"'
        )
    shape = KnownShape("activation", LOSS_LAW_FORMULA, (), knee=law.law.knee, b=law.law.b)
    fitted = fit_form(shape, measured)
    if measured.distinct_sizes <= len(chosen.parameters):
        return fitted
    alone = fit_form(chosen, measured)
    return replace(fitted, consistency=_consistency(law, fitted, alone))


def _warn_of_undetermined(fitted: FittedLoss) -> None:
    """Warn of parameters that the losses do not determine: their standard errors are infinite."""
    if fitted.undetermined:
        warnings.warn(
            f"these losses do not determine {', '.join(fitted.undetermined)} of "
            f"{fitted.form.formula}: the fit ended at a bound of the search, or is as good along "
            "a line; see .remarks() for what is known, and choose a form with fewer parameters or "
            "measure at more sizes",
            stacklevel=4,  # the caller of fit_loss, past its decorator
        )


def fit_form(form: Form, measured: Measurements) -> FittedLoss:
    """The nearest curve of one form.

    Raises:
        InputError: if there are no more distinct sizes than parameters, or the weights sum to less.
    """
    _check_enough(form, measured)
    form = form.centred(measured.log_sizes)
    problem = _problem(form, measured)
    solution = _best_of_all_starts(form, measured, problem)
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


def _best_of_all_starts(form: Form, measured: Measurements, problem: Problem) -> Solution:
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


def _consistency(
    law: FittedLaw, fitted: FittedLoss, alone: FittedLoss, level: float = 0.95
) -> Consistency:
    scatter_ratio = _median_distance(fitted) / max(_median_distance(alone), LEAST_SCATTER)
    return consistency_with_counts(
        law, alone.profile, alone.summary(level), scatter_ratio=scatter_ratio, level=level
    )


def _median_distance(fitted: FittedLoss) -> float:
    """Median distance between losses and curve, in log loss."""
    return float(np.median(np.abs(np.log(fitted.predict(fitted.samples) / fitted.loss))))


def _chosen_form(name: str, *, with_size: bool, with_counts: bool) -> Form:
    """The form of that name that goes with what was given."""
    if name not in FORMS:
        raise InputError(
            f"expected form='activation' or one of {', '.join(list(FORMS)[1:])}, but got {name!r}"
        )
    forms = {key: form for key, form in FORMS.items() if form.uses_size == with_size}
    if with_size:
        forms = {"activation": SURFACE, **forms}
    if name not in forms:
        wanted = (
            f"with size= expected one of {', '.join(forms)}"
            if with_size
            else "expected size= with it"
        )
        raise InputError(f"form {name!r} does not go with what was given: {wanted}")
    if with_counts and (name != "activation" or with_size):
        raise InputError(
            f"expected counts= with form='activation' and without size=, but got form={name!r}"
            f"{' and size' if with_size else ''}: counts give b and the knee of one network's "
            "loss law"
        )
    return forms[name]


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
