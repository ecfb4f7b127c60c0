"""Comparison of forms of the loss curve: by their errors on the largest sizes, held out, and by
Akaike's information criterion with its correction for few losses (Hurvich & Tsai 1989).

A form that fits well may forecast badly, and forecasts are what loss curves are for; so the table
is sorted by the error on losses that were held out of the fit.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from actilaw.errors import InputError
from actilaw.loss.fitted_loss import FittedLoss
from actilaw.loss.form import Form
from actilaw.loss.forms import FORMS
from actilaw.loss.measurements import Measurements, read_measurements
from actilaw.loss.single_form import fit_form
from actilaw.loss.surfaces import SURFACES
from actilaw.support.arrays import Floats
from actilaw.support.blas_threads import one_blas_thread
from actilaw.support.progress import Progress, told


@one_blas_thread()
def compare_loss_forms(
    samples: ArrayLike,
    loss: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    size: ArrayLike | None = None,
    held_out: int | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """How well each form of the loss curve predicts the losses at the largest sizes, and how well
    it fits them all.

    Every form is fitted by the same robust objective from its own grid of starts.

    Args:
        samples, loss, weights, size: as for `fit_loss`; with sizes of network, the joint forms are
            compared.
        held_out: how many of the largest sizes of training set are predicted from the rest; by
            default the longest tail that leaves the form of most parameters one size more than it
            has, but never more than a third of the sizes.
        progress: called after each form with how many are done, and how many there are.

    Returns:
        One row per form, the best forecast first: columns formula, parameters (how many),
        held_out_error (mean distance in log loss at the sizes held out), residual (scatter about
        the fit to all losses), aicc (`FittedLoss.aicc`) and weight (Akaike's, summing to one).
        Missing where there are too few sizes. `attrs["held_out"]` lists the sizes held out.

    Raises:
        InputError: as `fit_loss`; or if no form can be fitted with the sizes left.
    """
    measured = read_measurements(samples, loss, weights=weights, size=size)
    forms = list((FORMS if size is None else SURFACES).values())
    sizes = np.unique(measured.samples)
    tail = sizes[sizes.size - _tail_length(measured, forms, held_out) :]
    kept = ~np.isin(measured.samples, tail)
    rows = {form.name: _row(form, measured, kept) for form in told(forms, progress)}
    table = pd.DataFrame.from_dict(rows, orient="index")
    weights = _akaike_weights(table["aicc"].to_numpy())
    table.insert(len(table.columns) - 1, "weight", weights)  # before the remark
    table = table.sort_values("held_out_error")
    table.attrs["held_out"] = tail.tolist()
    return table


def _tail_length(measured: Measurements, forms: list[Form], held_out: int | None) -> int:
    """How many of the largest sizes of training set are held out.

    What is left must have more sizes than the form has parameters, and in a joint fit a size is one
    of training set and network together.
    """
    needed = [len(form.parameters) + 1 for form in forms]
    sizes = np.unique(measured.samples)

    def left(tail: int) -> int:
        """Different sizes besides the tail."""
        kept = measured.samples < sizes[-tail]
        return measured.where(kept).distinct_sizes if kept.any() else 0

    if held_out is None:
        most = max([need for need in needed if need <= left(1)], default=min(needed))
        longest = max(1, sizes.size // 3)
        held_out = max([tail for tail in range(1, longest + 1) if left(tail) >= most], default=1)
    if not 1 <= held_out <= sizes.size or left(held_out) < min(needed):
        there = left(held_out) if 1 <= held_out <= sizes.size else 0
        raise InputError(
            f"expected at least {min(needed)} different sizes besides those held out, but of "
            f"{measured.distinct_sizes} in all held_out={held_out} leaves {there}: add some, or "
            "hold out fewer"
        )
    return held_out


def _row(form: Form, measured: Measurements, kept: NDArray[np.bool_]) -> dict[str, object]:
    """What the table says of one form; NaN for a fit that had too few sizes."""
    to_all, to_kept = _fit_if_enough(form, measured), _fit_if_enough(form, measured.where(kept))
    return {
        "formula": form.formula,
        "parameters": len(form.parameters),
        "held_out_error": _mean_error(to_kept, measured.where(~kept)),
        "residual": np.nan if to_all is None else to_all.residual,
        "aicc": np.nan if to_all is None else to_all.aicc,
        "remark": _remark(form, float(measured.weights.sum()), to_all),
    }


def _remark(form: Form, losses: float, fitted: FittedLoss | None) -> str:
    """Why Akaike's criterion does not decide about a form, if it does not."""
    if fitted is not None and np.isfinite(fitted.aicc):
        return ""
    # The parameters, the scale of the noise, and two losses more, for n > k + 1.
    least = len(form.parameters) + 3
    return f"undecided by AICc: {losses:.4g} losses, and it needs {least}"


def _fit_if_enough(form: Form, measured: Measurements) -> FittedLoss | None:
    try:
        return fit_form(form, measured)
    except InputError:  # fewer sizes or measurements than the form needs
        return None


def _mean_error(fitted: FittedLoss | None, measured: Measurements) -> float:
    """Mean distance in log loss from losses that were held out of the fit."""
    if fitted is None:
        return np.nan
    errors = np.abs(np.log(fitted.predict(measured.samples, measured.size) / measured.loss))
    return float(np.average(errors, weights=measured.weights))


def _akaike_weights(aicc: Floats) -> Floats:
    """exp(−Δ/2), over their sum, where Δ is the distance from the least criterion, of the forms
    whose criterion is finite; NaN for the others, and for all if there are not two to compare.
    """
    weights = np.full(aicc.size, np.nan)
    decided = np.isfinite(aicc)
    if decided.sum() > 1:
        shares = np.exp((aicc[decided].min() - aicc[decided]) / 2)
        weights[decided] = shares / shares.sum()
    return weights
