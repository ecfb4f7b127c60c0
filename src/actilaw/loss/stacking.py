"""Weights of forms in an average, by how well each foretold held-back ends of the same losses
(stacking; Wolpert 1992, and Yao et al. 2018 on weights from forecasts), and by how well it fits.

With s_f the scatter about the fit to all losses, (HU3), which charges for parameters, and e_f the
mean over cuts of the logarithm of its forecast error relative to the other forms':

    (ST1)  w_f ∝ π_f s_f^(−a r) exp(−k r e_f),    r = √(n/10) for n losses
           e_f = Σ_cuts [ln E_f,cut − mean over forms of ln E_cut] / (number of cuts + 1)
           E   root of the mean squared error in log loss of what is held back

Errors at the end of one curve go together, so that evidence grows slower than the number of losses:
as its root. π is 2 for the activation law and 1 for its peers. A cut keeps the losses of least
data, or least data times size, and holds back the rest. The constants a, k and π are settled on
parts of the data of `benchmarks/loss.py`, where the page on results says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from actilaw.errors import InputError
from actilaw.loss.averaging import AveragedForms, along_data, average_of, member_of
from actilaw.loss.fitted_loss import FittedLoss
from actilaw.loss.form import Form
from actilaw.loss.measurements import Measurements
from actilaw.loss.single_form import fit_form
from actilaw.support.arrays import Floats

CUTS = 6  # parts of the data that the rest is forecast from
FIRST_CUT, LAST_CUT = 0.4, 0.9  # shares of the sizes that the least and the largest part hold
LEAST_SIZES_KEPT = 4
RUNS_PER_PARAMETER = 1.5  # least, of a surface that is to forecast held-back runs
EVIDENCE_OF_FIT, EVIDENCE_OF_FORECASTS = 5.0, 2.0  # a and k
LOSSES_OF_UNIT_EVIDENCE = 10
PRIOR_OF_THE_LAW = 2.0
FAR_OUT = 6.0  # scatters from the curve
LEAST_FAR_OUT = 0.02  # in log loss; nearer is not far out, however small the scatter
MOST_LEFT_OUT = 0.05  # share of the losses
LOSSES_TO_SPARE_ONE = 10  # from which on one may be left out, whatever its share
ROUNDS = 5
LEAST_ERROR_TOLD = 1e-3  # of a log loss; errors below are alike


def average_forms(
    forms: Iterable[Form], measured: Measurements
) -> tuple[AveragedForms, dict[str, FittedLoss], NDArray[np.bool_]]:
    """The average of those forms that the losses are enough for.

    Returns:
        The average, each fit by its name, and which losses lie so far out that they were left out
        of both, (n,).

    Raises:
        InputError: if no form can be fitted.
    """
    forms = list(forms)
    fits = _fits(forms, measured)
    far_out = _far_out(fits, measured)
    if far_out.any():
        measured = measured.where(~far_out)
        fits = _fits(forms, measured)
    cuts = [_cut(fits, measured, kept) for kept in _parts(measured)]
    cuts = [cut for cut in cuts if len(cut.fits) >= min(2, len(fits))]
    table = _table(fits, cuts, float(measured.weights.sum()))
    drift = _drift([_average(cut.fits, table, cut.kept) for cut in cuts], cuts)
    return replace(_average(fits, table, measured), drift=drift), fits, far_out


def _fits(forms: Iterable[Form], measured: Measurements) -> dict[str, FittedLoss]:
    """Each form that the losses are enough for."""
    found, reasons = {}, []
    for form in forms:
        try:
            found[form.name] = fit_form(form, measured)
        except InputError as error:
            reasons.append(error)
    if not found:
        raise reasons[-1]
    return found


def _far_out(fits: dict[str, FittedLoss], measured: Measurements) -> NDArray[np.bool_]:
    """Losses far from the form that fits best, (n,), as long as they are few.

    Huber's loss bounds the pull of each, but several at one end of the data, as of runs that
    diverged, still turn a curve, which then hides them: so the farthest are left out and the form
    is fitted again, until none is left.
    """
    best = min(fits.values(), key=lambda fitted: fitted.residual)
    chosen = np.zeros(measured.loss.size, bool)
    for _ in range(ROUNDS):
        coordinates = best.profile.coordinates[np.newaxis]
        curve = best.form.log_loss(coordinates, measured.log_sizes)[0][0]
        off = np.where(chosen, 0.0, np.abs(curve - np.log(measured.loss)))
        left = max(int(MOST_LEFT_OUT * off.size), int(off.size >= LOSSES_TO_SPARE_ONE))
        left -= int(chosen.sum())
        farthest = np.argsort(-off)[:left]
        far = farthest[off[farthest] > max(FAR_OUT * best.residual, LEAST_FAR_OUT)]
        if far.size == 0:
            break
        chosen[far] = True
        best = fit_form(best.form, measured.where(~chosen))
    return chosen


def _parts(measured: Measurements) -> list[NDArray[np.bool_]]:
    """Which losses each cut keeps: those of least data, or of least data times size."""
    along = along_data(measured.log_sizes)
    distinct = np.unique(along)
    if distinct.size <= LEAST_SIZES_KEPT:
        return []
    first = max(LEAST_SIZES_KEPT, FIRST_CUT * distinct.size)
    last = max(LAST_CUT * distinct.size, first)
    ends = np.unique(np.linspace(first, last, CUTS).round().astype(int))
    return [along <= distinct[end - 1] for end in ends if end < distinct.size]


@dataclass(frozen=True, eq=False)
class _Cut:
    """Fits to a part of the losses, and how far they were from the rest.

    Attributes:
        fits: to what was kept, by name.
        kept, held_back: the two parts.
        errors: ln(forecast/loss) of what was held back, (m,), by name.
    """

    fits: dict[str, FittedLoss]
    kept: Measurements
    held_back: Measurements
    errors: dict[str, Floats]


def _cut(fits: dict[str, FittedLoss], measured: Measurements, kept: NDArray[np.bool_]) -> _Cut:
    part, rest = measured.where(kept), measured.where(~kept)
    x, log_loss = rest.log_sizes, np.log(rest.loss)
    found = {}
    for name, fitted in fits.items():
        if _is_enough(fitted.form, part):
            found[name] = fit_form(fitted.form, part, near=fitted.profile.coordinates)
    errors = {
        name: fitted.form.log_loss(fitted.profile.coordinates[np.newaxis], x)[0][0] - log_loss
        for name, fitted in found.items()
    }
    return _Cut(found, part, rest, errors)


def _is_enough(form: Form, part: Measurements) -> bool:
    p, sizes = len(form.parameters), part.distinct_sizes
    least = RUNS_PER_PARAMETER * p if form.uses_size else p + 1
    return sizes >= least and part.weights.sum() > p


def _table(fits: dict[str, FittedLoss], cuts: list[_Cut], losses: float) -> pd.DataFrame:
    """(ST1), with what it rests on."""
    names = list(fits)
    told = pd.DataFrame(
        [{name: _root_mean_square(e) for name, e in cut.errors.items()} for cut in cuts],
        columns=names,
        dtype=float,
    )
    logs = told.clip(lower=LEAST_ERROR_TOLD).map(np.log)
    relative = logs.sub(logs.mean(axis=1), axis=0)
    of_forecasts = (relative.sum() / (relative.count() + 1)).to_numpy()
    scatter = np.array([fits[name].residual for name in names])
    priors = [PRIOR_OF_THE_LAW if name == "activation" else 1.0 for name in names]
    evidence = EVIDENCE_OF_FIT * np.log(np.maximum(scatter, LEAST_ERROR_TOLD))
    evidence += EVIDENCE_OF_FORECASTS * of_forecasts
    weights = softmax(np.log(priors) - np.sqrt(losses / LOSSES_OF_UNIT_EVIDENCE) * evidence)
    table = pd.DataFrame(
        {
            "weight": weights,
            "scatter": scatter,
            "held_back_error": (told**2).mean().to_numpy() ** 0.5,
            "cuts": told.count().to_numpy(),
        },
        index=names,
    )
    return table.sort_values("weight", ascending=False, kind="stable")


def _root_mean_square(errors: Floats) -> float:
    return float(np.sqrt(np.mean(errors**2)))


def _average(
    fits: dict[str, FittedLoss], table: pd.DataFrame, measured: Measurements
) -> AveragedForms:
    """The fits by their weights in the table, without a drift."""
    chosen = table.loc[[name for name in table.index if name in fits]]
    shares = chosen["weight"] / chosen["weight"].sum()
    members = [
        member_of(
            fits[str(name)].form,
            fits[str(name)].profile.coordinates,
            measured,
            noise=fits[str(name)].residual,
            weight=share,
        )
        for name, share in shares.items()
    ]
    return average_of(tuple(members), measured, chosen.assign(weight=shares))


def _drift(averages: list[AveragedForms], cuts: list[_Cut]) -> float:
    """δ: what forecasts of held-back losses missed beyond what else they allow for, per e-fold."""
    missed, distance = 0.0, 0.0
    for average, cut in zip(averages, cuts, strict=True):
        x = cut.held_back.log_sizes
        errors = average.log_loss(x) - np.log(cut.held_back.loss)
        missed += max(0.0, float(np.mean(errors**2 - average.variance(x))))
        distance += float(np.mean(average.beyond(x) ** 2))
    return float(np.sqrt(missed / distance)) if distance else 0.0
