"""From losses at several sizes of training set to the loss law, with its uncertainty.

    (10)  L(D) = L_inf + A (1 + D/D*)^(−b)

Fitted in the logarithm of the loss, since noise in a loss is proportional to the loss, by Huber's
loss, summed, from many starts (`robust`); intervals are profile likelihoods (`loss_intervals`).
Other forms of the curve, each from its paper, are fitted by the same machinery (`loss_forms`).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.errors import InputError
from actilaw.fitting.fit import fit
from actilaw.fitting.fitted_law import FittedLaw
from actilaw.loss.consistency import agreement
from actilaw.loss.fitted_loss import FittedLoss
from actilaw.loss.form import Form
from actilaw.loss.forms import FORMS, LAW, SURFACE, Tied
from actilaw.loss.huber import Descended, Lanes, Problem, descend, noise
from actilaw.loss.profile_likelihood import Valley
from actilaw.support.arrays import Floats

FIRST = 30  # steps from every start
MOST = 8  # starts that are then followed to their end


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
        form: "activation", the loss law (10); or one of the peers in `loss_forms`: power,
            power_floor, M3, M4, bnsl, and, with sizes of network, chinchilla.
        weights: how many measurements each loss stands for, positive; (n,). A weight of 3 counts as
            a row given thrice.
        size: widths, positive; (n,). The fit is then the joint one of (10b), in which D* = b N/c.
        counts: activation counts of the network, or the law fitted to them: b and D* are theirs and
            taken as exact, floor and amplitude alone are fitted, and `agreement` says what the
            losses alone would give, with the counts' own errors granted. Counts and losses must
            mean the same by a sample.

    Raises:
        InputError: if shapes differ, values are not positive and finite, the form is unknown or
            does not go with sizes of network or counts, or there are no more distinct sizes (of
            data and width) than parameters.
    """
    chosen = _chosen(form, size is not None, counts is not None)
    columns = read_columns(samples, loss, weights, size)
    if counts is None:
        return fit_form(chosen, columns)
    told = counts if isinstance(counts, FittedLaw) else fit(counts)
    if told.family == "heavy_tail":
        raise InputError(
            "expected a law with b and a knee to tie the loss to, but got a heavy-tailed one: "
            'fit "law"'
        )
    tied = Tied("activation", LAW, (), knee=told.law.knee, b=told.law.b)
    fitted = fit_form(tied, columns)
    if _sizes(columns) <= len(chosen.parameters):
        return fitted
    return replace(fitted, agreement=agreement(fitted, fit_form(chosen, columns), told))


def fit_form(form: Form, columns: dict[str, Floats]) -> FittedLoss:
    """The nearest curve of a form to checked columns samples, loss, weights and perhaps units."""
    p, sizes = len(form.parameters), _sizes(columns)
    if sizes <= p:
        raise InputError(
            f"the form {form.name!r}, {form.formula}, has {p} parameters and needs at least "
            f"{p + 1} different sizes, "
            f"but got {sizes}: add some, or choose a form with fewer"
        )
    _enough_weight(columns, p)
    x = np.log(columns["samples"])
    x = np.stack([x, np.log(columns["size"])]) if form.width else x
    measured, weights = np.log(columns["loss"]), columns["weights"]
    low, high = form.bounds(x, measured)
    problem = Problem(partial(_curve, form, x), measured, weights, low, high)
    first = descend(problem, form.starts(x, measured, weights), FIRST)
    best = descend(problem, first.best(MOST).parameters).best(1)
    values, slopes = form.log_loss(best.parameters, x)
    residual, unclipped = noise(problem, values[0] - measured, float(best.scale[0]))
    coordinates = best.parameters[0]
    logged = np.array([name not in form.plain for name in form.parameters])
    with np.errstate(
        over="ignore", invalid="ignore"
    ):  # an amplitude at D = 1 may lie beyond any float
        errors = residual * _errors(
            slopes[0] * np.sqrt(weights)[:, np.newaxis], _at_bound(form, best, low, high)
        )
        estimates = np.where(logged, np.exp(coordinates), coordinates)
        errors = np.where(
            np.isinf(errors + estimates), np.inf, errors * np.where(logged, estimates, 1.0)
        )
    named = [
        dict(zip(form.parameters, map(float, values), strict=True))
        for values in (estimates, errors)
    ]
    return FittedLoss(
        form=form,
        params=named[0],
        standard_errors=named[1],
        undetermined=tuple(name for name, error in named[1].items() if error == np.inf),
        residual=residual,
        samples=columns["samples"],
        loss=columns["loss"],
        weights=weights,
        size=columns.get("size"),
        agreement=None,
        valley=Valley(problem, best, residual, unclipped),
    )


def _curve(form: Form, x: Floats, coordinates: Floats, lanes: Lanes) -> tuple[Floats, Floats]:
    """The same sizes in every lane; a function with a name, so that a fit can be sent to another
    process.
    """
    return form.log_loss(coordinates, x)


def _chosen(name: str, with_units: bool, with_counts: bool) -> Form:
    forms = {key: form for key, form in FORMS.items() if form.width == with_units}
    if with_units:
        forms = {"activation": SURFACE, **forms}
    if name not in FORMS:
        raise InputError(
            f"expected form='activation' or one of {', '.join(list(FORMS)[1:])}, but got {name!r}"
        )
    if name not in forms:
        other = (
            "expected size= with it"
            if FORMS[name].width
            else f"with size= expected one of {', '.join(forms)}"
        )
        raise InputError(f"form {name!r} does not go with what was given: {other}")
    if with_counts and (name != "activation" or with_units):
        raise InputError(
            f"expected counts= with form='activation' and without size=, but got form={name!r}"
            f"{' and size' if with_units else ''}: counts tie b and the knee of one network's "
            "loss law"
        )
    return forms[name]


def _at_bound(form: Form, fitted: Descended, low: Floats, high: Floats) -> NDArray[np.bool_]:
    """Which parameters ended at a bound, and those that mean nothing without them."""
    coordinates, names = fitted.parameters[0], form.parameters
    touches = np.minimum(coordinates - low, high - coordinates) < 1e-3
    ended = touches.copy()
    for cause, name in form.entangled:
        ended[names.index(name)] |= touches[names.index(cause)]
    return ended


def _errors(jacobian: Floats, at_bound: NDArray[np.bool_]) -> Floats:
    """Standard errors of the coordinates in units of the noise: the square roots of the diagonal of
    (J'WJ)⁻¹.

    Infinite for parameters at a bound, and for those with a share in a direction along which
    nothing changes.
    """
    errors = np.full(at_bound.size, np.inf)
    _, sizes, directions = np.linalg.svd(jacobian[:, ~at_bound], full_matrices=False)
    flat = sizes <= 1e-7 * sizes.max(initial=0.0)
    free = np.sqrt(np.sum((directions[~flat] / sizes[~flat, np.newaxis]) ** 2, axis=0))
    moves = np.any(np.abs(directions[flat]) > 1e-3, axis=0)
    errors[~at_bound] = np.where(moves, np.inf, free)
    return errors


def _enough_weight(columns: dict[str, Floats], parameters: int) -> None:
    """A weight is a number of measurements; with fewer than parameters nothing is left to judge the
    fit by.
    """
    total = columns["weights"].sum() if "weights" in columns else columns["loss"].size
    if total <= parameters:
        raise InputError(
            f"expected weights that sum to more than the {parameters} parameters, since a weight "
            "is a number of "
            f"measurements, but they sum to {total:.3g}: scale them to a mean of 1"
        )


def _sizes(columns: dict[str, Floats]) -> int:
    """How many different sizes, of data and, in a joint fit, of width."""
    where = [columns["samples"]] + ([columns["size"]] if "size" in columns else [])
    return len(np.unique(np.stack(where, axis=1), axis=0))


def read_columns(
    samples: ArrayLike, loss: ArrayLike, weights: ArrayLike | None, size: ArrayLike | None
) -> dict[str, Floats]:
    """What was given as positive, finite floats of one shape (n,), by name."""
    given = {"loss": loss, "weights": weights, "size": size}
    columns = {"samples": np.asarray(samples, float)}
    columns |= {
        name: np.asarray(value, float) for name, value in given.items() if value is not None
    }
    n = columns["samples"].shape
    for name, values in columns.items():
        if len(n) != 1 or values.shape != n:
            name, values = ("loss", columns["loss"]) if name == "samples" else (name, values)
            raise InputError(
                f"expected samples and {name} of one shape (n,), but got {n} and {values.shape}"
            )
        bad = values[~(np.isfinite(values) & (values > 0))]
        if bad.size:
            raise InputError(
                f"expected positive, finite {name}, but {bad.size} of {values.size} are not "
                f"({bad[0]})"
            )
    return {"weights": np.ones(n), **columns}
