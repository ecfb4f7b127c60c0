"""A fitted loss curve: what it predicts, how sure it is, and what the losses leave open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from actilaw.errors import InputError
from actilaw.loss.form import Form
from actilaw.loss.forms import Tied
from actilaw.loss.profile_likelihood import Valley, loss_bounds, parameter_bounds
from actilaw.support.arrays import Floats
from actilaw.support.validation import fraction
from actilaw.theory import LossLaw, LossSurface

NO_FLOOR = -1e4  # logarithm of a floor that adds nothing to any loss


@dataclass(frozen=True, eq=False)
class FittedLoss:
    """A loss curve with its uncertainty.

    Attributes:
        form: what curve it is.
        params: the estimates by name, in their units.
        standard_errors: of each, to first order; infinite where it is not determined.
        undetermined: parameters that the losses do not determine: the fit ended at a bound far
            outside the data, or it is as good along a line through the estimate.
        residual: scatter of the losses about the curve in log loss, s of (R3): the root of the mean
            squared error with a degree of freedom taken off per parameter, as long as no loss lies
            far out.
        samples, loss, weights: what it was fitted to; (n,) each.
        size: widths, (n,), of a joint fit; None otherwise.
        agreement: how b and the knee of the counts compare with those of the losses alone, where
            counts were given and there are losses enough to tell; None otherwise.
        valley: the fit that intervals start from.
    """

    form: Form
    params: dict[str, float]
    standard_errors: dict[str, float]
    undetermined: tuple[str, ...]
    residual: float
    samples: Floats
    loss: Floats
    weights: Floats
    size: Floats | None
    agreement: Agreement | None
    valley: Valley

    @property
    def law(self) -> LossLaw | LossSurface:
        """The loss law, (10); the loss surface, (10b), of a joint fit.

        Raises:
            InputError: for the other forms, which are no loss laws; `params` and `predict`
                serve them all.
        """
        if isinstance(self.form, Tied):
            return LossLaw(**self.params, knee=self.form.knee, b=self.form.b)
        if self.form.name != "activation":
            raise InputError(
                f"expected form 'activation', but {self.form.name!r} is no loss law: use "
                ".parameters"
            )
        return (LossSurface if self.form.width else LossLaw)(**self.params)

    @property
    def floor(self) -> float:
        """L_inf, loss that no amount of data removes; 0 for a form without a floor."""
        return self.params.get("floor", 0.0)

    @property
    def b(self) -> float:
        """Exponent after the knee."""
        return self._named("b")

    @property
    def knee(self) -> float:
        """D*, in samples."""
        return self._named("knee")

    def predict(self, samples: ArrayLike, size: ArrayLike | None = None) -> Floats:
        """Expected loss after training on `samples` > 0 inputs, at width `size` for a joint fit;
        arrays broadcast.
        """
        at, shape = self._at(samples, size)
        return np.exp(self._log_loss(at)).reshape(shape)[()]

    def local_slope(self, samples: ArrayLike, size: ArrayLike | None = None) -> Floats:
        """Slope of ln(L − L_inf) against ln D: for the loss law (10a), 0 on the plateau, −b far
        beyond the knee.
        """
        at, shape = self._at(samples, size)
        coordinates = self.valley.fitted.parameters[:1].copy()
        coordinates[:, : self.form.floor] = NO_FLOOR
        step = np.array([[1e-4], [0.0]]) if self.form.width else 1e-4
        above, below = (self.form.log_loss(coordinates, at + d)[0][0] for d in (step, -step))
        return ((above - below) / 2e-4).reshape(shape)[()]

    def forecast(
        self, samples: ArrayLike, *, size: ArrayLike | None = None, level: float = 0.95
    ) -> pd.DataFrame:
        """Loss of one more training on each of `samples`: columns samples, (size,) expected,
        lower, upper.

        A loss lies inside if adding it to the data spoils the fit no more than chance would, (P2).

        Args:
            samples: positive sizes of training sets, (n,) or a scalar.
            level: probability that the interval is meant to hold the loss.
            size: widths, (n,) or a scalar, of a joint fit.
        """
        fraction("level", level)
        at, shape = self._at(samples, size)
        if len(shape) > 1:
            raise InputError(
                f"expected positive, finite samples, (n,) or a scalar, but got shape {shape}"
            )
        where = {"samples": samples} if size is None else {"samples": samples, "size": size}
        where = {
            name: np.broadcast_to(np.asarray(value, float), shape).ravel()
            for name, value in where.items()
        }
        expected = np.exp(self._log_loss(at))
        lower, upper = expected * np.exp(loss_bounds(self.valley, self.form, at, level)).T
        return pd.DataFrame({**where, "expected": expected, "lower": lower, "upper": upper})

    def summary(self, level: float = 0.95) -> pd.DataFrame:
        """One row per parameter: estimate, standard_error, and lower and upper of its interval (P1)
        at `level`.

        A lower bound of 0 or an upper one of infinity says that the losses do not bound the
        parameter on that side.
        """
        fraction("level", level)
        table = pd.DataFrame({"estimate": self.params, "standard_error": self.standard_errors})
        logged = ~table.index.isin(self.form.plain)
        with np.errstate(invalid="ignore", divide="ignore"):
            widths = table["standard_error"].to_numpy() / np.where(logged, table["estimate"], 1.0)
        bounds = parameter_bounds(
            self.valley, level, np.where(np.isfinite(widths), np.clip(widths, 1e-8, 1.0), 1.0)
        )
        with np.errstate(over="ignore"):
            lower, upper = np.where(logged, np.exp(bounds.T), bounds.T)
        return table.assign(lower=lower, upper=upper)

    def remarks(self, level: float = 0.95) -> tuple[str, ...]:
        """A sentence for each parameter that the losses bound on one side alone, or on none."""
        reasons = {
            "knee": ("no plateau is seen", "no power law is seen after it"),
            "floor": ("it may be zero", ""),
        }
        said = []
        for name, row in self.summary(level).iterrows():
            name = str(name)
            why_low, why_high = (f": {why}" if why else "" for why in reasons.get(name, ("", "")))
            bounded_below, bounded_above = row.lower not in (0, -np.inf), row.upper < np.inf
            if bounded_above and not bounded_below:
                said.append(f"{name} below {row.upper:.4g} ({level:.0%}){why_low}")
            elif bounded_below and not bounded_above:
                said.append(f"{name} above {row.lower:.4g} ({level:.0%}){why_high}")
            elif not bounded_below:
                said.append(f"{name} is not bounded by these losses")
        return tuple(said)

    def _named(self, name: str) -> float:
        if isinstance(self.form, Tied):
            return getattr(self.form, name)
        if name not in self.params:
            has = ", ".join(self.params)
            raise InputError(
                f"expected a form with one {name}, but {self.form.formula} has {has}: use "
                ".parameters"
            )
        return self.params[name]

    def _log_loss(self, at: Floats) -> Floats:
        return self.form.log_loss(self.valley.fitted.parameters[:1], at)[0][0]

    def _at(self, samples: ArrayLike, size: ArrayLike | None) -> tuple[Floats, tuple[int, ...]]:
        """ln D, (n,), or ln D and ln N, (2, n), and the shape that was asked for."""
        if (size is None) == self.form.width:
            raise InputError(
                "expected size=, the width to predict for, since the fit was a joint one"
                if self.form.width
                else f"expected no size=, since {self.form.formula} was fitted without them"
            )
        given = {"samples": samples} if size is None else {"samples": samples, "size": size}
        values = {name: np.asarray(value, float) for name, value in given.items()}
        for name, value in values.items():
            if not np.all((value > 0) & np.isfinite(value)):
                raise InputError(
                    f"expected positive, finite {name}, (n,) or a scalar, but got {given[name]}"
                )
        try:
            logs = [np.log(value) for value in np.broadcast_arrays(*values.values())]
        except ValueError:
            shapes = " and ".join(str(value.shape) for value in values.values())
            raise InputError(f"expected samples and size of one shape, but got {shapes}") from None
        return (
            np.stack([one.ravel() for one in logs]) if self.form.width else logs[0].ravel()
        ), logs[0].shape


@dataclass(frozen=True, eq=False)
class Agreement:
    """How b and the knee read from counts compare with those read from losses.

    Attributes:
        table: rows b and knee; columns counts, loss (the two estimates), ratio (loss over counts),
            lower, upper (its interval at `level`) and verdict: holds (the interval holds 1 and
            stays within a factor of 2), deviates, or cannot be told.
        level: of the intervals.
        statistic, freedom, p_value: F of the rise of the cost when both are tied to the counts,
            with the counts' own errors granted; (2, n − 4) degrees of freedom.
        spoilt: scatter about the tied curve over scatter about the free one, in log loss: the size
            of the difference.
    """

    table: pd.DataFrame
    level: float
    statistic: float
    freedom: tuple[int, float]
    p_value: float
    spoilt: float
