"""A fitted loss curve: what it predicts, how sure it is, and what the losses leave open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from actilaw.errors import InputError
from actilaw.loss.averaging import AveragedForms, average_of, member_of
from actilaw.loss.consistency import Consistency
from actilaw.loss.design import Design, design_of
from actilaw.loss.form import Form
from actilaw.loss.forms import KnownShape
from actilaw.loss.measurements import Measurements
from actilaw.loss.planning import Cost, Planner, reach_of, samples_within, when_reached
from actilaw.loss.profile_likelihood import (
    ProfileLikelihood,
    loss_bounds,
    parameter_bounds,
)
from actilaw.loss.remarks import remarks_on
from actilaw.loss.serial_correlation import SerialCorrelation
from actilaw.loss.surfaces import SizedForm
from actilaw.support.arrays import Floats
from actilaw.support.blas_threads import one_blas_thread
from actilaw.support.numerics import central_difference
from actilaw.support.validation import fraction, positive_array
from actilaw.theory import ActivationSurface, LossLaw, LossSurface

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOG_OF_NO_FLOOR = -1e4  # logarithm of a floor that adds nothing to any loss
SLOPE_STEP = 1e-4  # in ln D, for differences
PLOT_POINTS = 60
MOST_SIZES_PLOTTED = 6
ALLOCATIONS_PLOTTED = 25
PLOT_BEYOND = 10.0  # times the largest training set, up to which the curve is drawn


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
        averaged: the average over forms that makes the forecasts, where the fit was by "auto"; None
            where one form was named.
        left_out: losses that lie so far out that they were left out of `measured` and of the fit
            by "auto"; None where one form was named, whose fit keeps them with little weight.
        serial_correlation: of neighbouring losses whose errors go together, as along one training
            run: they then count in `measured` by their effective sample size; None otherwise.
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
    averaged: AveragedForms | None = None
    left_out: Measurements | None = None
    serial_correlation: SerialCorrelation | None = None
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
    def form_weights(self) -> pd.DataFrame:
        """The forms that forecasts average over, the heaviest first: columns weight, scatter,
        held_back_error (root of the mean squared error in log loss of its forecasts of held-back
        losses; NaN without any) and cuts (how many such forecasts there were).
        """
        return self._averaged.table

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
    def law(self) -> LossLaw | LossSurface | ActivationSurface:
        """The loss law, (10); of a fit over sizes (10d), or (10b) where that was fitted.

        Raises:
            InputError: for the other forms, which are no loss laws; `params` and `predict`
                serve them all.
        """
        if isinstance(self.form, KnownShape):
            return LossLaw(**self.params, knee=self.form.knee, b=self.form.b)
        if self.form.name == "knee_alone":
            return LossSurface(**self.params)
        if self.form.name != "activation":
            raise InputError(
                f"expected form 'activation', but {self.form.name!r} is no loss law: use .params"
            )
        if isinstance(self.form, SizedForm):
            size = float(np.exp(self.form.reference))
            return ActivationSurface(**self.params, reference=size)
        return LossLaw(**self.params)

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
        """Expected loss after training on `samples` > 0 inputs, by the average over forms if the
        fit was by "auto"; arrays broadcast.

        Args:
            samples: sizes of training sets.
            size: of the network, parameters or units as in the fit; for a joint fit.

        Raises:
            InputError: if sizes are not positive and finite, or `size` is missing or too much.
        """
        x, shape = self._log_sizes(samples, size)
        return np.exp(self._expected(x)).reshape(shape)[()]

    def local_slope(self, samples: ArrayLike, size: ArrayLike | None = None) -> Floats:
        """Slope of ln(L − L_inf) against ln D, of `form`: for the loss law (10a), 0 on the plateau,
        −b far beyond the knee.

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
        """Loss of one more training on each of `samples`, with its interval: (AV2), of an average
        over forms, if the fit was by "auto", and (PL2) if a form was named.

        Where sizes and data of the runs cannot tell the loss, the interval is all losses.

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
        expected = np.exp(self._expected(x))
        lower, upper = expected * np.exp(self._bounds(x, level)).T
        return pd.DataFrame(columns | {"expected": expected, "lower": lower, "upper": upper})

    @one_blas_thread()
    def samples_for(
        self, loss: ArrayLike, size: float | None = None, *, level: float = 0.95
    ) -> pd.DataFrame:
        """Samples after which the loss is down to a value: `forecast` asked backwards.

        Args:
            loss: to reach, positive; one, or (n,).
            size: of the network; for a fit over sizes.
            level: probability that the interval is meant to hold the number of samples.

        Returns:
            One row per loss: columns loss, (size,) expected, lower, upper. Expected is where the
            expected loss gets there, lower where the lower bound of the forecast does, upper where
            its upper bound does; infinity where that is never, within a billion times the data.

        Raises:
            InputError: if losses are not positive and finite, `size` is missing or too much, or the
                level is not in (0, 1).
        """
        fraction("level", level)
        targets = np.atleast_1d(positive_array("loss", loss))
        grid = reach_of(self.samples)
        forecast = self.forecast(grid, size=size, level=level)
        given = {} if size is None else {"size": float(size)}
        rows = [{"loss": t, **given, **when_reached(grid, forecast, t)} for t in targets.tolist()]
        return pd.DataFrame(rows)

    def iso_loss(
        self, loss: float, sizes: ArrayLike | None = None, *, level: float = 0.95
    ) -> pd.DataFrame:
        """Networks of equal loss: for each size the samples that bring it down to `loss`.

        Args:
            loss: to reach, positive.
            sizes: of network, (n,); a grid over those measured if left out.
            level: of the intervals.

        Returns:
            One row per size, as `samples_for`: columns loss, size, expected, lower, upper, in
            samples.

        Raises:
            InputError: if the fit was one without sizes, or as `samples_for`.
        """
        sizes = self._sizes_to_show(sizes)
        return pd.concat(
            [self.samples_for(loss, size, level=level) for size in sizes], ignore_index=True
        )

    def iso_flop(
        self,
        compute: float,
        sizes: ArrayLike | None = None,
        *,
        cost: Cost | None = None,
        level: float = 0.95,
    ) -> pd.DataFrame:
        """Networks of equal cost: for each size the loss that a budget brings.

        Args:
            compute: the budget in FLOP, or in the unit of `cost`.
            sizes, cost: as for `iso_loss` and `allocate`.
            level: of the intervals.

        Returns:
            One row per size: columns samples, size, expected, lower, upper.

        Raises:
            InputError: as `allocate`.
        """
        sizes = self._sizes_to_show(sizes)
        return self.forecast(samples_within(cost, compute, sizes), size=sizes, level=level)

    @one_blas_thread()
    def allocate(
        self, compute: ArrayLike, *, cost: Cost | None = None, level: float = 0.95
    ) -> pd.DataFrame:
        """Size and samples of least loss for a budget, with intervals.

        Args:
            compute: budgets in FLOP, or in the unit of `cost`; one, or (n,).
            cost: cost(size, samples) of a training, which takes arrays and rises in samples;
                6 size samples if left out (Kaplan et al. 2020: FLOP of a dense network).
            level: of the intervals.

        Returns:
            One row per budget: columns compute; size, size_lower, size_upper; samples,
            samples_lower, samples_upper; expected, lower, upper of the loss. Where the best size
            lies beyond all that was searched, a thousandfold beyond the sizes measured, its bound
            is 0 or infinity.

        Raises:
            InputError: if budgets are not positive and finite, the fit was one without sizes, the
                runs cannot tell size from data (`remarks`), or the level is not in (0, 1).
        """
        fraction("level", level)
        self._must_tell_size_from_data()
        budgets = np.atleast_1d(positive_array("compute", compute))
        planner = self._planner(cost)
        rows = pd.DataFrame([planner.best(float(budget), level) for budget in budgets])
        ahead = self.forecast(rows["samples"], size=rows["size"], level=level)
        return rows.assign(**{name: ahead[name] for name in ("expected", "lower", "upper")})

    @one_blas_thread()
    def other_lengths(
        self,
        compute: float,
        factors: ArrayLike = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 10.0),
        *,
        cost: Cost | None = None,
    ) -> pd.DataFrame:
        """What it costs to stop the best network for a budget early, or to train it longer.

        Args:
            compute: the budget for which `allocate` chooses the size, in FLOP or as `cost` has it.
            factors: times the samples that it chooses; below 1 is stopping early, above 1 is
                over-training.
            cost: as for `allocate`.

        Returns:
            One row per factor: columns factor, size, samples, compute (spent), expected (loss),
            best_expected (least loss for that compute), compute_needed (least compute that brings
            the same loss) and overspent (compute over compute_needed, at least 1; NaN where no
            such compute was found).

        Raises:
            InputError: as `allocate`; or if factors are not positive and finite.
        """
        self._must_tell_size_from_data()
        budget = float(positive_array("compute", compute))
        factors = np.atleast_1d(positive_array("factors", factors))
        return self._planner(cost).other_lengths(budget, factors)

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
        """What cannot be told from these runs, a sentence for each parameter that the losses bound
        on one side alone or on none, how the knee moves with the size, losses far out, and losses
        whose errors go together as along one run.

        Raises:
            InputError: if the level is not in (0, 1).
        """
        return remarks_on(
            self.summary(level),
            level,
            form=self.form,
            design=self._design,
            left_out=self.left_out,
            serial=self.serial_correlation,
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Measured losses, and the curve with its 95 % interval up to 10 times the data.

        Args:
            ax: what to draw on; a new figure if left out. A fit over sizes draws one curve for each
                size, or for some of many.

        Returns:
            The Matplotlib axes.

        Raises:
            MissingExtraError: if Matplotlib is not installed.
        """
        from actilaw.loss.plot import plot_loss  # Matplotlib is an extra

        ends = self.samples.min(), PLOT_BEYOND * self.samples.max()
        grid = np.geomspace(*ends, PLOT_POINTS)
        sizes = [None] if self.size is None else self._some_sizes()
        name = self.form.name if self.averaged is None else "average"
        forecasts = {
            name if size is None else f"size {size:,.10g}": self.forecast(grid, size=size)
            for size in sizes
        }
        return plot_loss(self.measured, forecasts, level=0.95, ax=ax)

    def plot_allocation(
        self, compute: ArrayLike | None = None, *, cost: Cost | None = None, ax: Axes | None = None
    ) -> Axes:
        """Best size and samples of budgets, `allocate`, with 95 % intervals and the runs measured.

        Args:
            compute: budgets; from what the cheapest run cost to 100 times what the dearest did, if
                left out.
            cost: as for `allocate`.
            ax: what to draw on; a new figure if left out.

        Raises:
            InputError: as `allocate`.
            MissingExtraError: if Matplotlib is not installed.
        """
        from actilaw.loss.plot import plot_allocation  # Matplotlib is an extra

        self._must_tell_size_from_data()
        spent = self._planner(cost).spent()
        largest = PLOT_BEYOND**2 * spent.max()
        budgets = np.geomspace(spent.min(), largest, ALLOCATIONS_PLOTTED)
        table = self.allocate(budgets if compute is None else compute, cost=cost)
        table.attrs["spent"] = spent
        return plot_allocation(self.measured, table, level=0.95, ax=ax)

    def plot_iso_loss(self, losses: ArrayLike | None = None, *, ax: Axes | None = None) -> Axes:
        """Networks of equal loss, `iso_loss`, in the plane of size and samples.

        Args:
            losses: one curve for each; quartiles of the losses measured, if left out.
            ax: what to draw on; a new figure if left out.

        Raises:
            InputError: as `iso_loss`.
            MissingExtraError: if Matplotlib is not installed.
        """
        from actilaw.loss.plot import plot_iso_loss  # Matplotlib is an extra

        if losses is None:
            losses = np.quantile(self.loss, [0.05, 0.25, 0.5, 0.75])
        curves = [self.iso_loss(float(loss)) for loss in np.atleast_1d(losses)]
        return plot_iso_loss(self.measured, curves, ax=ax)

    def plot_iso_flop(
        self, compute: ArrayLike | None = None, *, cost: Cost | None = None, ax: Axes | None = None
    ) -> Axes:
        """Loss against size where the budget is spent, `iso_flop`, with the best size marked.

        Args:
            compute: one curve for each budget; four over what the runs cost, if left out.
            cost: as for `allocate`.
            ax: what to draw on; a new figure if left out.

        Raises:
            InputError: as `iso_flop`.
            MissingExtraError: if Matplotlib is not installed.
        """
        from actilaw.loss.plot import plot_iso_flop  # Matplotlib is an extra

        self._must_tell_size_from_data()
        if compute is None:
            compute = np.quantile(self._planner(cost).spent(), [0.1, 0.4, 0.7, 1.0])
        budgets = np.atleast_1d(positive_array("compute", compute)).tolist()
        curves = {budget: self.iso_flop(budget, cost=cost) for budget in budgets}
        return plot_iso_flop(curves, ax=ax)

    def __repr__(self) -> str:
        rows = [
            f"  {name:<10} {value:.4g} ± {self.standard_errors[name]:.2g}"
            if name not in self.undetermined
            else f"  {name:<10} not determined"
            for name, value in self.params.items()
        ]
        head = f"<FittedLoss {self.form.name}: {self.form.formula}"
        scatter = f"  {self.loss.size} losses, scatter {self.residual:.2g} in log loss"
        lines = [head, *rows, scatter]
        if self.averaged is not None:
            shares = [f"{name} {w:.2f}" for name, w in self.form_weights["weight"].items()]
            lines.append(f"  forecasts from {', '.join(shares)}")
        return "\n".join(lines) + ">"

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

    @property
    def _averaged(self) -> AveragedForms:
        """The average, or the one form as an average of one."""
        if self.averaged is not None:
            return self.averaged
        member = member_of(self.form, self.profile.coordinates, self.measured, noise=self.residual)
        told = {"weight": 1.0, "scatter": self.residual, "held_back_error": np.nan, "cuts": 0}
        table = pd.DataFrame([told], index=[self.form.name])
        return average_of((member,), self.measured, table)

    @property
    def _design(self) -> Design:
        return design_of(self.measured)

    def _expected(self, x: Floats) -> Floats:
        """ln L at x, (n,)."""
        if self.averaged is not None:
            return self.averaged.log_loss(x)
        return self.form.log_loss(self.profile.coordinates[np.newaxis], x)[0][0]

    def _bounds(self, x: Floats, level: float) -> Floats:
        """Bounds of a new loss, as logarithms over the expected one, (n, 2)."""
        if self.averaged is not None:
            bounds = self.averaged.bounds(x, level)
        else:
            bounds = loss_bounds(self.profile, self.form, x, level)
        bounds[self._design.untold(x)] = -np.inf, np.inf
        return bounds

    def _sizes_to_show(self, sizes: ArrayLike | None) -> Floats:
        """Those given; else a grid over those measured, and a little beyond."""
        if self.size is None:
            raise InputError("expected a fit over sizes: give fit_loss the sizes as size=")
        if sizes is not None:
            return np.atleast_1d(positive_array("sizes", sizes))
        return np.geomspace(self.size.min() / 2, 2 * self.size.max(), PLOT_POINTS)

    def _planner(self, cost: Cost | None) -> Planner:
        return Planner(self._averaged, self.measured, cost)

    def _some_sizes(self) -> Floats:
        """The sizes measured, or some of them, evenly spread, where there are many."""
        sizes = np.unique(self.measured.log_sizes[1])
        if sizes.size > MOST_SIZES_PLOTTED:
            sizes = np.linspace(sizes[0], sizes[-1], MOST_SIZES_PLOTTED)
        return np.exp(sizes)

    def _must_tell_size_from_data(self) -> None:
        if self.size is None:
            raise InputError(
                "expected a fit over sizes to split a budget between size and data: give fit_loss "
                "the sizes as size="
            )
        if self._design.fixed is not None:
            raise InputError(f"no split of a budget can be told: {self._design.remarks()[0]}")

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
