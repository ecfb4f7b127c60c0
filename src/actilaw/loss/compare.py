"""Forms of the loss curve side by side: what each misses of losses it has not seen, and of those it
has.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from actilaw.errors import InputError
from actilaw.loss.fit import fit_form, read_columns
from actilaw.loss.form import Form
from actilaw.loss.forms import FORMS, SURFACE
from actilaw.loss.huber import log_likelihood
from actilaw.support.arrays import Floats


def compare_loss_forms(
    samples: ArrayLike,
    loss: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    size: ArrayLike | None = None,
    held_out: int | None = None,
) -> pd.DataFrame:
    """How well each form of the loss curve foretells the losses at the largest sizes, and how well
    it fits them all.

    Every form is fitted by the same robust objective from its own grid of starts.

    Args:
        samples, loss, weights, units: as for `fit_loss`; with sizes of network, the joint forms are
            compared.
        held_out: how many of the largest sizes are foretold from the rest; by default the longest
            tail that leaves the form of most parameters one size more than it has, but never more
            than a third of the sizes.

    Returns:
        One row per form, the best forecast first: columns formula, parameters (how many),
        held_out_error (mean distance in log loss at the sizes held out), residual (scatter about
        the fit to all losses), aicc (Akaike's criterion with its correction for few losses, under
        Huber's law of noise) and weight (Akaike's, summing to one). Missing where there are too few
        sizes. `attrs["held_out"]` lists the sizes held out.

    Raises:
        InputError: as `fit_loss`; or if no form can be fitted with the sizes left.
    """
    columns = read_columns(samples, loss, weights, size)
    forms = (
        [form for form in FORMS.values() if not form.width]
        if size is None
        else [SURFACE, FORMS["chinchilla"]]
    )
    sizes = np.unique(columns["samples"])
    tail = sizes[sizes.size - _tail(sizes.size, forms, held_out) :]
    seen = ~np.isin(columns["samples"], tail)
    table = pd.DataFrame({form.name: _row(form, columns, seen) for form in forms}).T
    table = table.astype({name: float for name in table.columns if name != "formula"})
    likely = np.exp((table["aicc"].min() - table["aicc"]) / 2).fillna(0.0)
    table = table.assign(weight=likely / likely.sum() if likely.sum() else np.nan).sort_values(
        "held_out_error"
    )
    table.attrs["held_out"] = tail.tolist()
    return table.astype({"parameters": int})


def _tail(sizes: int, forms: list[Form], held_out: int | None) -> int:
    """How many of the largest sizes are held out."""
    needed = [len(form.parameters) + 1 for form in forms]
    if held_out is None:
        most = max([need for need in needed if need < sizes], default=min(needed))
        held_out = max(1, min(sizes - most, sizes // 3))
    if not 1 <= held_out <= sizes - min(needed):
        raise InputError(
            f"expected at least {min(needed)} different sizes besides those held out, but got "
            f"{sizes} in all and "
            f"held_out={held_out}: add some, or hold out fewer"
        )
    return held_out


def _row(form: Form, columns: dict[str, Floats], seen: np.ndarray) -> dict[str, object]:
    p = len(form.parameters)
    row = {
        "formula": form.formula,
        "parameters": p,
        "held_out_error": np.nan,
        "residual": np.nan,
        "aicc": np.nan,
    }
    try:
        whole = fit_form(form, columns)
        row["residual"] = whole.residual
        n, k = float(whole.weights.sum()), p + 1  # the scale of the noise is estimated too
        off = _off(form, columns, columns)
        row["aicc"] = (
            2 * k * n / (n - k - 1) - 2 * log_likelihood(off, whole.weights)
            if n > k + 1
            else np.inf
        )
        off = _off(form, {name: values[seen] for name, values in columns.items()}, columns)
        row["held_out_error"] = float(
            np.average(np.abs(off[~seen]), weights=columns["weights"][~seen])
        )
    except InputError:  # too few sizes for this form: what is missing stays missing
        pass
    return row


def _off(form: Form, fitted_to: dict[str, Floats], at: dict[str, Floats]) -> Floats:
    """Fitted over measured loss, in logarithms."""
    fitted = fit_form(form, fitted_to)
    return np.log(fitted.predict(at["samples"], at.get("size")) / at["loss"])
