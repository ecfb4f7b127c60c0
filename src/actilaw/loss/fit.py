"""Fit of a loss curve to losses measured at several sizes of training set.

The curve is the loss law, (10) of `theory.loss_law`, a plateau, a knee and a power law, over sizes
the surface (10d), or one of its peers (`forms`, `surfaces`). It is fitted in the logarithm of the
loss, since noise in a loss is proportional to the loss, by Huber's robust regression from a grid of
starts (`huber`); intervals of parameters are profile likelihoods (`profile_likelihood`). Forecasts
are made by an average over forms (`stacking`), since none is best everywhere.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.errors import InputError
from actilaw.fitting.fit import fit
from actilaw.fitting.fitted_law import FittedLaw
from actilaw.loss.consistency import Consistency, consistency_with_counts
from actilaw.loss.design import design_of
from actilaw.loss.fitted_loss import FittedLoss
from actilaw.loss.forms import FORMS, LOSS_LAW_FORMULA, KnownShape
from actilaw.loss.measurements import Measurements, read_measurements
from actilaw.loss.serial_correlation import SerialCorrelation, counted_as, serial_correlation
from actilaw.loss.single_form import fit_form
from actilaw.loss.stacking import average_forms
from actilaw.loss.surfaces import SURFACES
from actilaw.support.blas_threads import one_blas_thread

AUTO = "auto"
AVERAGED_CURVES = ("activation", "power_floor", "M3", "M4", "bnsl")
AVERAGED_SURFACES = ("activation", "chinchilla", "kaplan")
SIMPLEST = "power"  # stands alone where there are too few losses for any of those
LEAST_SCATTER = 1e-12  # in log loss, so that a ratio to it stays finite


@one_blas_thread()
def fit_loss(
    samples: ArrayLike,
    loss: ArrayLike,
    form: str = AUTO,
    *,
    weights: ArrayLike | None = None,
    size: ArrayLike | None = None,
    counts: ActivationCounts | FittedLaw | None = None,
) -> FittedLoss:
    """The loss curve nearest to measured losses, over data or over data and size, with forecasts.

    Args:
        samples: sizes of the training sets, positive; (n,), repeats allowed.
        loss: loss on new data after training on each, positive; (n,). In any unit: forecasts are
            in the same.
        form: "auto" gives the parameters of the activation law, (10) or with sizes (10d), and
            forecasts by an average over it and its peers, weighted by how well each foretold
            held-back parts of these losses and fits them all (`stacking`). The name of a form gives
            both by that form: activation, power, power_floor, M3, M4, bnsl of `forms`; with sizes
            activation, chinchilla, kaplan, interpolated, knee_alone of `surfaces`.
        weights: how many measurements each loss stands for, positive; (n,). A weight of 3 counts as
            a row given three times.
        size: of the network, parameters or units, positive; (n,). The fit is then one over sizes
            and data together.
        counts: activation counts of the network, or the law fitted to them: b and D* are theirs and
            taken as exact, floor and amplitude alone are fitted, and `consistency` says what the
            losses alone would give, with the counts' own errors granted. Counts and losses must
            mean the same by a sample.

    Warns:
        UserWarning: if the form was named and the losses do not determine a parameter of it, whose
            standard error is then infinite; or if sizes and data lie such that forecasts elsewhere
            cannot be told: all losses of one size or at one ratio of data to size.

    Raises:
        InputError: if shapes differ, values are not positive and finite, the form is unknown or
            does not go with sizes of network or counts, or there are no more distinct sizes (of
            data and network) than parameters; in "auto", than the simplest form has.
    """
    _check_form(form, with_size=size is not None, with_counts=counts is not None)
    measured = read_measurements(samples, loss, weights=weights, size=size)
    _warn_of_design(measured)
    forms = FORMS if size is None else SURFACES
    if counts is not None:
        return _fit_with_counts(counts, measured)
    if form == AUTO:
        return _fit_average(measured)
    fitted = fit_form(forms[form], measured)
    serial = _serial_correlation(fitted)
    if serial is not None:
        refitted = fit_form(forms[form], counted_as(measured, serial.effective))
        fitted = replace(refitted, serial_correlation=serial)
    _warn_of_undetermined(fitted)
    return fitted


def _fit_average(measured: Measurements) -> FittedLoss:
    """The parameters of the law, or of the heaviest form where there are too few losses for it, and
    the average over forms.
    """
    if measured.size is None:
        forms = [FORMS[name] for name in AVERAGED_CURVES]
        if measured.distinct_sizes <= min(len(form.parameters) for form in forms):
            forms = [FORMS[SIMPLEST]]
    else:
        forms = [SURFACES[name] for name in AVERAGED_SURFACES]
    averaged, fits, far_out = average_forms(forms, measured)
    serial = _serial_correlation(min(fits.values(), key=lambda fitted: fitted.residual))
    if serial is not None:
        measured = counted_as(measured, serial.effective)
        averaged, fits, far_out = average_forms(forms, measured)
    named = "activation" if "activation" in fits else averaged.members[0].form.name
    return replace(
        fits[named],
        averaged=averaged,
        left_out=measured.where(far_out),
        serial_correlation=serial,
    )


def _serial_correlation(fitted: FittedLoss) -> SerialCorrelation | None:
    return serial_correlation(fitted.form, fitted.profile.coordinates, fitted.measured)


def _fit_with_counts(counts: ActivationCounts | FittedLaw, measured: Measurements) -> FittedLoss:
    """Floor and amplitude, with b and the knee of the counts."""
    law = counts if isinstance(counts, FittedLaw) else fit(counts)
    if law.family == "heavy_tail":
        raise InputError(
            "expected a law with b and a knee to take for the loss, but got the family "
            '"heavy_tail": fit "law"'
        )
    shape = KnownShape("activation", LOSS_LAW_FORMULA, (), knee=law.law.knee, b=law.law.b)
    fitted = fit_form(shape, measured)
    if measured.distinct_sizes <= len(FORMS["activation"].parameters):
        return fitted
    alone = fit_form(FORMS["activation"], measured)
    return replace(fitted, consistency=_consistency(law, fitted, alone))


def _warn_of_design(measured: Measurements) -> None:
    """Warn of what the sizes and amounts of data cannot tell, whatever the losses are."""
    for remark in design_of(measured).remarks():
        warnings.warn(remark, stacklevel=4)  # the caller of fit_loss, past its decorator


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


def _check_form(name: str, *, with_size: bool, with_counts: bool) -> None:
    """Raise InputError unless the form is one of those that go with what was given."""
    forms = SURFACES if with_size else FORMS
    known = [AUTO, *dict.fromkeys([*FORMS, *SURFACES])]
    if name not in known:
        raise InputError(
            f"expected form={AUTO!r} or one of {', '.join(known[1:])}, but got {name!r}"
        )
    if name != AUTO and name not in forms:
        wanted = (
            f"with size= expected one of {AUTO}, {', '.join(forms)}"
            if with_size
            else "expected size= with it"
        )
        raise InputError(f"form {name!r} does not go with what was given: {wanted}")
    if with_counts and (name not in (AUTO, "activation") or with_size):
        raise InputError(
            f"expected counts= with form='activation' and without size=, but got form={name!r}"
            f"{' and size' if with_size else ''}: counts give b and the knee of one network's "
            "loss law"
        )
