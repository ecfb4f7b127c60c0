"""A fitted loss curve: what it predicts, how sure it is, and what the losses leave open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from actilaw.errors import InputError
from actilaw.loss.consistency import Consistency
from actilaw.loss.form import Form
from actilaw.loss.forms import KnownShape
from actilaw.loss.measurements import Measurements
from actilaw.loss.profile_likelihood import (
    ProfileLikelihood,
    bounded_sides,
    loss_bounds,
    parameter_bounds,
)
from actilaw.support.arrays import Floats
from actilaw.support.blas_threads import one_blas_thread
from actilaw.support.numerics import central_difference
from actilaw.support.validation import fraction, positive_array
from actilaw.theory import LossLaw, LossSurface

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOG_OF_NO_FLOOR = -1e4  # logarithm of a floor that adds nothing to any loss
SLOPE_STEP = 1e-4  # in ln D, for differences
PLOT_POINTS = 60
PLOT_BEYOND = 10.0  # times the largest training set, up to which the curve is drawn
REASONS = {  # why a parameter has no lower bound, and no upper one
    "knee": ("no plateau is seen", "no power law is seen after it"),
    "floor": ("it may be zero", ""),
}
EXPONENTIAL = "an exponential decay of the loss is no worse"  # (1 + x/b)^(−b) as b grows


@dataclass(frozen=True, eq=False, repr=False)
class FittedLoss:
    """A loss curve with its uncertainty.

    Attributes:
        form: what curve it is.
        params: the estimates by name, in their units.
        standard_errors: of each, to first order; infinite where it is not determined.
        covariance: of the estimates, a table of (p, p) in their units: s² (J'WJ)⁻¹ by the delta
            method. An undetermined parameter has an infinite variance and NaN for covariances.
        undetermined: parameters that the losses do not determine: the fit ended at a bound far
            outside the data, or it is as good along a line through the estimate.
        residual: scatter of the losses about the curve in log loss, s of (HU3): the root of the
            mean squared error with a degree of freedom taken off per parameter, as long as no loss
            lies far out.
        log_likelihood: of the logarithms of the losses under Huber's law of noise (HU4), at the
            scale of the noise that makes it greatest; in nats.
        measured: the losses it was fitted to.
        profile: the fit that intervals start from.
        consistency: how b and the knee of the counts compare with those of the losses alone, where
            counts were given and there are losses enough; None otherwise.
    """

    form: Form
    params: dict[str, float]
    standard_errors: dict[str, float]
    covariance: pd.DataFrame
    undetermined: tuple[str, ...]
    residual: float
    log_likelihood: float
    measured: Measurements
    profile: ProfileLikelihood
    consistency: Consistency | None = None

    @property
    def samples(self) -> Floats:
        """Sizes of the training sets it was fitted to, (n,)."""
        return self.measured.samples

    @property
    def loss(self) -> Floats:
        """Losses it was fitted to, (n,)."""
        return self.measured.loss

    @property
    def weights(self) -> Floats:
        """How many measurements each loss stands for, (n,)."""
        return self.measured.weights

    @property
    def size(self) -> Floats | None:
        """Sizes of the networks, (n,), of a joint fit; None otherwise."""
        return self.measured.size

    @property
    def aic(self) -> float:
        """Akaike's criterion, 2 k − 2 log-likelihood: lower is better, between forms fitted to the
        same losses.

        k counts the parameters and the scale of the noise.
        """
        return 2 * self._estimated - 2 * self.log_likelihood

    @property
    def aicc(self) -> float:
        """Akaike's criterion with its correction for few losses, 2 k n/(n − k − 1) − 2
        log-likelihood (Hurvich & Tsai 1989); infinite up to n = k + 1.
        """
        n, k = float(self.weights.sum()), self._estimated
        return 2 * k * n / (n - k - 1) - 2 * self.log_likelihood if n > k + 1 else np.inf

    @property
    def law(self) -> LossLaw | LossSurface:
        """The loss law, (10); the loss surface, (10b), of a joint fit.

        Raises:
            InputError: for the other forms, which are no loss laws; `params` and `predict`
                serve them all.
        """
        if isinstance(self.form, KnownShape):
            return LossLaw(**self.params, knee=self.form.knee, b=self.form.b)
        if self.form.name != "activation":
            raise InputError(
                f"expected form 'activation', but {self.form.name!r} is no loss law: use .params"
            )
        return LossSurface(**self.params) if self.form.uses_size else LossLaw(**self.params)

    @property
    def floor(self) -> float:
        """L_inf, loss that no amount of data removes; 0 for a form without a floor."""
        return self.params.get("floor", 0.0)

    @property
    def b(self) -> float:
        """Exponent after the knee.

        Raises:
            InputError: if the form has none, or several.
        """
        return self._one_called("b")

    @property
    def knee(self) -> float:
        """D*, in samples.

        Raises:
            InputError: if the form has none, or several.
        """
        return self._one_called("knee")

    def predict(self, samples: ArrayLike, size: ArrayLike | None = None) -> Floats:
        """Expected loss after training on `samples` > 0 inputs; arrays broadcast.

        Args:
            samples: sizes of training sets.
            size: of the network, parameters or units as in the fit; for a joint fit.

        Raises:
            InputError: if sizes are not positive and finite, or `size` is missing or too much.
        """
        x, shape = self._log_sizes(samples, size)
        return np.exp(self._log_loss(x)).reshape(shape)[()]

    def local_slope(self, samples: ArrayLike, size: ArrayLike | None = None) -> Floats:
        """Slope of ln(L − L_inf) against ln D: for the loss law (10a), 0 on the plateau, −b far
        beyond the knee.

        Raises:
            InputError: if sizes are not positive and finite, or `size` is missing or too much.
        """
        x, shape = self._log_sizes(samples, size)
        coordinates = self.profile.coordinates[np.newaxis].copy()
        if self.form.floor:
            coordinates[:, 0] = LOG_OF_NO_FLOOR
        along_samples = np.array([[1.0], [0.0]]) if self.form.uses_size else 1.0

        def log_loss(shift: Floats) -> Floats:
            return self.form.log_loss(coordinates, x + shift * along_samples)[0][0]

        return central_difference(log_loss, [0.0], SLOPE_STEP).reshape(shape)[()]

    @one_blas_thread()
    def forecast(
        self, samples: ArrayLike, *, size: ArrayLike | None = None, level: float = 0.95
    ) -> pd.DataFrame:
        """Loss of one more training on each of `samples`, with the interval (PL2).

        Args:
            samples: positive sizes of training sets, (n,) or a scalar.
            size: of the network, parameters or units as in the fit, (n,) or a scalar; for a joint
                fit.
            level: probability that the interval is meant to hold the loss.

        Returns:
            One row per training: columns samples, (size,) expected, lower, upper.

        Raises:
            InputError: if sizes are not positive and finite, `size` is missing or too much, or the
                level is not in (0, 1).
        """
        fraction("level", level)
        x, shape = self._log_sizes(samples, size)
        if len(shape) > 1:
            raise InputError(
                f"expected positive, finite samples, (n,) or a scalar, but got shape {shape}"
            )
        given = {"samples": samples} if size is None else {"samples": samples, "size": size}
        columns = {
            name: np.broadcast_to(np.asarray(value, float), shape).ravel()
            for name, value in given.items()
        }
        expected = np.exp(self._log_loss(x))
        bounds = expected[:, np.newaxis] * np.exp(loss_bounds(self.profile, self.form, x, level))
        columns |= {"expected": expected, "lower": bounds[:, 0], "upper": bounds[:, 1]}
        return pd.DataFrame(columns)

    @one_blas_thread()
    def summary(self, level: float = 0.95) -> pd.DataFrame:
        """One row per parameter: estimate, standard_error, and lower and upper of its interval
        (PL1) at `level`.

        Of a parameter that the losses do not determine, listed in `attrs["undetermined"]`, the
        estimate is one of many that are as good, and the standard error is infinite. A lower bound
        of 0 or an upper one of infinity says that the losses do not bound the parameter on that
        side.

        Raises:
            InputError: if the level is not in (0, 1).
        """
        fraction("level", level)
        table = pd.DataFrame({"estimate": self.params, "standard_error": self.standard_errors})
        logged = ~table.index.isin(self.form.signed)
        with np.errstate(invalid="ignore", divide="ignore"):
            errors = table["standard_error"].to_numpy() / np.where(logged, table["estimate"], 1.0)
        first = np.where(np.isfinite(errors), np.clip(errors, 1e-8, 1.0), 1.0)
        bounds = parameter_bounds(self.profile, level, first)
        with np.errstate(over="ignore"):
            lower, upper = np.where(logged, np.exp(bounds.T), bounds.T)
        table = table.assign(lower=lower, upper=upper)
        table.attrs["undetermined"] = list(self.undetermined)
        return table

    def remarks(self, level: float = 0.95) -> tuple[str, ...]:
        """A sentence for each parameter that the losses bound on one side alone, or on none.

        Raises:
            InputError: if the level is not in (0, 1).
        """
        rows = self.summary(level).iterrows()
        reasons = REASONS | ({"b": ("", EXPONENTIAL)} if self.form.name == "activation" else {})
        remarks = [
            _remark(str(name), row["lower"], row["upper"], level, reasons.get(str(name), ("", "")))
            for name, row in rows
        ]
        return tuple(remark for remark in remarks if remark)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Measured losses, and the curve with its 95 % interval up to 10 times the data.

        Args:
            ax: what to draw on; a new figure if left out. A joint fit draws one curve for each
                size.

        Returns:
            The Matplotlib axes.

        Raises:
            MissingExtraError: if Matplotlib is not installed.
        """
        from actilaw.loss.plot import plot_loss  # Matplotlib is an extra

        ends = self.samples.min(), PLOT_BEYOND * self.samples.max()
        grid = np.geomspace(*ends, PLOT_POINTS)
        sizes = [None] if self.size is None else np.unique(self.size)
        forecasts = {
            self.form.name if size is None else f"size {size:,.10g}": self.forecast(grid, size=size)
            for size in sizes
        }
        return plot_loss(self.measured, forecasts, level=0.95, ax=ax)

    def __repr__(self) -> str:
        rows = [
            f"  {name:<10} {value:.4g} ± {self.standard_errors[name]:.2g}"
            if name not in self.undetermined
            else f"  {name:<10} not determined"
            for name, value in self.params.items()
        ]
        head = f"<FittedLoss {self.form.name}: {self.form.formula}"
        scatter = f"  {self.loss.size} losses, scatter {self.residual:.2g} in log loss>"
        return "\n".join([head, *rows, scatter])

    def _repr_html_(self) -> str:
        """The summary, for notebooks."""
        return self.summary().to_html()

    @property
    def _estimated(self) -> int:
        """How many numbers were estimated: the parameters, and the scale of the noise."""
        return len(self.params) + 1

    def _one_called(self, name: str) -> float:
        if isinstance(self.form, KnownShape):
            return getattr(self.form, name)
        if name not in self.params:
            raise InputError(
                f"expected a form with one {name}, but {self.form.formula} has "
                f"{', '.join(self.params)}: use .params"
            )
        return self.params[name]

    def _log_loss(self, x: Floats) -> Floats:
        return self.form.log_loss(self.profile.coordinates[np.newaxis], x)[0][0]

    def _log_sizes(
        self, samples: ArrayLike, size: ArrayLike | None
    ) -> tuple[Floats, tuple[int, ...]]:
        """ln D, (n,), or ln D and ln N, (2, n), and the shape that was asked for."""
        if self.form.uses_size and size is None:
            raise InputError("expected size=, to predict for, since the fit was a joint one")
        if not self.form.uses_size and size is not None:
            raise InputError(f"expected no size=, since {self.form.formula} was fitted without it")
        logs = [np.log(positive_array("samples", samples))]
        if size is not None:
            logs.append(np.log(positive_array("size", size)))
        try:
            broadcast = np.broadcast_arrays(*logs)
        except ValueError:
            shapes = " and ".join(str(log.shape) for log in logs)
            raise InputError(f"expected samples and size of one shape, but got {shapes}") from None
        flat = [log.ravel() for log in broadcast]
        return np.stack(flat) if self.form.uses_size else flat[0], broadcast[0].shape


def _remark(name: str, lower: float, upper: float, level: float, reasons: tuple[str, str]) -> str:
    """What the interval of a parameter leaves open; nothing where it is bounded on both sides.

    Args:
        name: of the parameter.
        lower, upper: of its interval at `level`.
        level: of the interval.
        reasons: why it may have no lower bound, and no upper one.
    """
    bounded_below, bounded_above = bounded_sides(lower, upper)
    if bounded_below and bounded_above:
        return ""
    if not bounded_below and not bounded_above:
        return f"{name} is not bounded by these losses"
    why_not_below, why_not_above = reasons
    why = why_not_above if bounded_below else why_not_below
    bound = f"above {lower:.4g}" if bounded_below else f"below {upper:.4g}"
    return f"{name} {bound} ({level:.0%})" + (f": {why}" if why else "")
