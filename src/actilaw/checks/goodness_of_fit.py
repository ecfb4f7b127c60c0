"""(b) Do counts follow the law, and does anything describe them better?

(F1) deviation: the largest difference of the cumulative shares of units, counted and fitted (F2)
its chance: layers of N / design effect units drawn from the fitted law, each fitted again by one
step of
     Newton's method, θ* = θ + I⁻¹ score   (parametric bootstrap, linearised)
(F3) Vuong (1989): mean over units of ln P_law(D_i) − ln P_rival(D_i), its error from its scatter
over units
"""

from __future__ import annotations

import numpy as np
from scipy.stats import chi2

from actilaw.checks.alternatives import RIVALS
from actilaw.checks.fitted_layer import STEP, Layer
from actilaw.checks.result import DEVIATES, HOLDS, UNTOLD, Question, Row
from actilaw.errors import CountsError
from actilaw.fitting.families.catalogue import FAMILIES
from actilaw.support.arrays import Floats, Ints
from actilaw.theory.beta_binomial import count_bins, log_pmf

DRAWS = 499
CUTS = 200
DEVIATION = Question(
    "counts",
    "(4)",
    "largest difference of cumulative shares, counted and fitted; n units",
    "0, beyond chance",
)
RICHER = Question(
    "richer families",
    "(4)",
    "log-likelihood lost against the best family, nats per unit; n units",
    "0, beyond chance",
)


def deviation(layer: Layer) -> Row:
    """Share of units by which the counts leave the fitted law, (F1), beside what chance does, (F2).

    The interval is that of a largest difference: chance moves it by no more than its own quantile,
    either way.
    """
    counts = layer.counts
    if layer.distinct[0].size < 4:
        return DEVIATION.untold("fewer than 4 different counts")
    cuts = _cuts(counts.counts)
    counted = np.searchsorted(np.sort(counts.counts), cuts, side="right") / counts.units
    shares, slopes = _cells(layer, cuts)
    largest = float(np.abs(counted - np.cumsum(shares)[:-1]).max())
    n = counts.units / layer.design_effect
    drawn = layer.rng.multinomial(max(1, round(n)), shares, DRAWS) / max(1, round(n)) - shares
    scores = slopes / np.maximum(shares, 1e-300)[:, np.newaxis]
    moved = np.linalg.lstsq(scores.T @ slopes, scores.T @ drawn.T)[0]  # (F2), in units of θ
    left = np.cumsum(drawn - (slopes @ moved).T, axis=1)[:, :-1]
    chance = float(np.quantile(np.abs(left).max(axis=1), layer.level))
    return DEVIATION.measured(
        largest,
        max(0.0, largest - chance),
        largest + chance,
        counts.units,
        against=0.0,
        size=f"{largest:.1%} of the units, {chance:.1%} by chance",
    )


def richer_families(layer: Layer) -> Row:
    """Log-likelihood per unit that the law loses against the best of the closed forms by Akaike's
    criterion.
    """
    counts, law = layer.counts, layer.fitted.closed_form
    others = []
    for name, fit_family in FAMILIES.items():
        if name != law.name:
            try:
                others.append(fit_family(counts))
            except CountsError:
                continue
    if not others:
        return RICHER.untold("no richer family could be fitted")
    best = min(others, key=lambda fitted: fitted.aic)
    k, _, units = layer.distinct
    apart = best.family.log_pmf(best.parameters, k, counts.samples) - _log_pmf(layer, k)
    lost, scatter = _mean_and_error(layer, apart, units)
    lost = max(0.0, lost)  # a family at the boundary is the law, but for rounding
    freedom = max(1, len(best.parameters) - len(law.parameters))
    chance = (
        chi2.ppf(1 - (1 - layer.level) / len(others), freedom)
        * layer.design_effect
        / (2 * counts.units)
    )
    least, most = max(0.0, lost - chance), lost + max(chance, layer.reach * scatter)
    size = f"{lost:.3g} nats per unit against {best.name}"
    return RICHER.measured(lost, least, most, counts.units, against=0.0, size=size)


def rivals(layer: Layer) -> list[Row]:
    """A row per simple law that others would try: by how much the activation law describes counts
    better, (F3).
    """
    return [_rival(layer, name) for name in RIVALS]


def _rival(layer: Layer, name: str) -> Row:
    question = Question(
        f"against {name}",
        "(4)",
        "log-likelihood gained by the law, nats per unit; n units",
        "0 or more",
    )
    k, _, units = layer.distinct
    gained, error = _mean_and_error(layer, _log_pmf(layer, k) - RIVALS[name](layer.counts), units)
    lower, upper = gained - layer.reach * error, gained + layer.reach * error
    if upper < 0:
        verdict = f"{DEVIATES} {gained:.3g} nats per unit: {name} fits better"
    elif lower > 0:
        verdict = HOLDS
    else:
        verdict = f"{UNTOLD} the two describe these counts equally well"
    return question.row(gained, lower, upper, layer.counts.units, verdict)


def _mean_and_error(layer: Layer, apart: Floats, units: Ints) -> tuple[float, float]:
    """Mean over units of a difference of log probabilities, by distinct count, and its standard
    error.
    """
    total = layer.counts.units
    mean = float(units @ apart / total)
    return mean, float(np.sqrt(layer.design_effect * (units @ (apart - mean) ** 2)) / total)


def _log_pmf(layer: Layer, k: Ints) -> Floats:
    law = layer.law
    return log_pmf(k, layer.counts.samples - k, law.b, law.rest_weight)


def _cuts(counts: Ints) -> Ints:
    """Where cumulative shares are compared: every small count, then counts that part the units
    evenly.
    """
    even = np.quantile(counts, np.linspace(0, 1, CUTS), method="lower")
    cuts = np.unique(np.append(even, np.arange(min(20, counts.max()))))
    return cuts[cuts < counts.max()].astype(np.int64)


def _cells(layer: Layer, cuts: Ints) -> tuple[Floats, Floats]:
    """Shares of units between cuts, (n_cells,), and their slopes in the logarithms of b and β,
    (n_cells, 2).
    """
    n, at = layer.counts.samples, np.log([layer.law.b, layer.law.rest_weight])

    def shares(logs: Floats) -> Floats:
        b, beta = map(float, np.exp(logs))
        return np.diff(count_bins(n, b, beta).cdf(cuts), prepend=0.0, append=1.0)

    slopes = [(shares(at + d) - shares(at - d)) / (2 * STEP) for d in STEP * np.eye(2)]
    found = np.maximum(shares(at), 0)
    return found / found.sum(), np.stack(slopes, axis=-1)
