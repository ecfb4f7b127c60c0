"""Average over fitted forms of the loss curve, and the interval of a loss that it forecasts.

No form is best everywhere, so forecasts average over several, in the logarithm of the loss, with
weights w_f that sum to one (`stacking` says how they are found):

    (AV1)  ln L(x) = Σ_f w_f m_f(x),   m_f = ln L of form f

    (AV2)  variance of a loss still to be measured at x
           V(x) = Σ_f w_f [s_f² + v_f(x) + (m_f(x) − ln L(x))²] + δ² d(x)²
           s_f  noise of one loss, (HU3)
           v_f  uncertainty of the curve by the delta method, with a prior of PRIOR_SPREAD
           d    e-folds of data, or of data times size, beyond what was measured
           δ    drift in log loss per e-fold beyond, measured by forecasting held-back losses of the
                same data from the others

The variance of the mixture is that of model averaging (Hoeting et al. 1999, (3)); the drift stands
for what all forms miss alike, which no spread between them can show. Bounds are those of Student's
law with FREEDOM degrees of freedom, since δ rests on a few cuts of the data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from actilaw.loss.form import Form
from actilaw.loss.measurements import Measurements
from actilaw.support.arrays import Floats

FREEDOM = 6.0  # of the bounds: as many as there are cuts
PRIOR_SPREAD = 3.0  # e-folds: what is believed of a coordinate before anything was measured


@dataclass(frozen=True, eq=False)
class Member:
    """A fitted form with its weight in the average.

    Attributes:
        form: what curve it is.
        coordinates: of the best fit, (p,).
        root: R of (p, p), such that the covariance of the coordinates is R R'.
        noise: standard deviation of a log loss about the curve.
        weight: in the average.
    """

    form: Form
    coordinates: Floats
    root: Floats
    noise: float
    weight: float

    def curve(self, x: Floats) -> tuple[Floats, Floats]:
        """ln L at x and the variance of its estimate, (n,) each."""
        values, slopes = self.form.log_loss(self.coordinates[np.newaxis], x)
        return values[0], np.sum((slopes[0] @ self.root) ** 2, axis=-1)


@dataclass(frozen=True, eq=False)
class AveragedForms:
    """An average over forms of the loss curve, or one form alone.

    Attributes:
        members: the forms, with weights that sum to one, the heaviest first.
        drift: δ of (AV2).
        reach: least and greatest ln D, or ln D + ln N, of what was measured.
        table: a row per form, the heaviest first: weight, scatter (of the losses about the form, in
            log loss), held_back_error (root of the mean squared error in log loss of its forecasts
            of held-back losses; NaN without any) and cuts (how many forecasts those were).
    """

    members: tuple[Member, ...]
    drift: float
    reach: tuple[float, float]
    table: pd.DataFrame

    def log_loss(self, x: Floats) -> Floats:
        """(AV1) at ln D, (n,), or ln D and ln N, (2, n)."""
        curves = np.stack([member.curve(x)[0] for member in self.members])
        return np.array([member.weight for member in self.members]) @ curves

    def variance(self, x: Floats, *, drift: bool = True) -> Floats:
        """(AV2), (n,); without the drift where that is what is looked for."""
        expected = self.log_loss(x)
        total = np.zeros_like(expected)
        for member in self.members:
            values, variance = member.curve(x)
            spread = (values - expected) ** 2
            total += member.weight * (member.noise**2 + variance + spread)
        if drift:
            total += self.drift**2 * self.beyond(x) ** 2
        return total

    def beyond(self, x: Floats) -> Floats:
        """d of (AV2), (n,)."""
        along = along_data(x)
        low, high = self.reach
        return np.asarray(np.clip(np.maximum(along - high, low - along), 0.0, None), float)

    def bounds(self, x: Floats, level: float) -> Floats:
        """Bounds of a loss to be measured, as logarithms over the expected one, (n, 2)."""
        reach = float(stdtrit(FREEDOM, (1 + level) / 2)) * np.sqrt(self.variance(x))
        return np.stack([-reach, reach], axis=-1)


def member_of(
    form: Form, coordinates: Floats, measured: Measurements, *, noise: float, weight: float = 1.0
) -> Member:
    """A fit as a member of an average.

    Args:
        form: what was fitted.
        coordinates: of the best fit, (p,).
        measured: the losses it was fitted to.
        noise: standard deviation of a log loss about it.
        weight: in the average.
    """
    _, slopes = form.log_loss(coordinates[np.newaxis], measured.log_sizes)
    jacobian = slopes[0] * np.sqrt(measured.weights)[:, np.newaxis]
    return Member(form, coordinates, root_of_covariance(jacobian, noise), noise, weight)


def average_of(
    members: tuple[Member, ...], measured: Measurements, table: pd.DataFrame
) -> AveragedForms:
    """The average of forms fitted to these losses, without a drift."""
    along = along_data(measured.log_sizes)
    reach = float(along.min()), float(along.max())
    return AveragedForms(members, drift=0.0, reach=reach, table=table)


def along_data(x: Floats) -> Floats:
    """How far along a loss lies: ln D, or ln D + ln N with sizes; (n,)."""
    return x if x.ndim == 1 else x.sum(axis=0)


def root_of_covariance(jacobian: Floats, noise: float) -> Floats:
    """R, (p, p), of the covariance s² (J'WJ + s²/PRIOR_SPREAD²)⁻¹ = R R', for √W J of (n, p)."""
    _, sizes, directions = np.linalg.svd(jacobian, full_matrices=True)
    squares = np.zeros(directions.shape[0])
    squares[: sizes.size] = (sizes / noise) ** 2
    return directions.T / np.sqrt(squares + PRIOR_SPREAD**-2)
