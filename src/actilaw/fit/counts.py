"""From counts to a fitted law: estimates with standard errors, and forecasts with intervals.

Standard errors come from the likelihood, which takes units as independent draws from the law. They say how well the
counts determine the law, not how well the law describes the network; and they are too small where units share what
moves them (samples, tokens of one text), too large where units compete (top-k, routing).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import beta, norm

from actilaw.counts import ActivationCounts
from actilaw.errors import CountsError, InputError
from actilaw.fit.families import LawFamily
from actilaw.fit.likelihood import Vector, maximise
from actilaw.inputs import fraction, whole
from actilaw.theory import ActivationLaw


@dataclass(frozen=True, eq=False)
class FittedLaw:
    """An activation law with its uncertainty, and the counts it was fitted to.

    Attributes:
        law: the law at the maximum of the likelihood.
        counts: the counts it was fitted to.
        family: name of the family fitted, "law".
        parameters: the estimates on the family's own scale, (log odds of c/N, log D*).
        covariance: of `parameters`; (2, 2).
        log_likelihood: of the counts, in natural units (nats).
    """

    law: ActivationLaw
    counts: ActivationCounts
    family: str
    parameters: Vector
    covariance: Vector
    log_likelihood: float

    @property
    def standard_errors(self) -> dict[str, float]:
        """Standard error of each estimate, in the unit of the estimate."""
        return {name: self._standard_error(of) for name, of in _estimates(self.counts.samples).items()}

    def summary(self, level: float = 0.95) -> pd.DataFrame:
        """One row per quantity: estimate, standard_error, and the bounds of its interval at `level`.

        What was counted is exact and has standard error 0; "working (law)" is the law's own E K(D) beside it.
        """
        fraction("level", level)
        counts = self.counts
        counted = {"units": counts.units, "samples": counts.samples, "working": counts.working}
        rows = {name: (float(value), 0.0) for name, value in counted.items()}
        for name, of in _estimates(counts.samples).items():
            rows[name] = (float(of(self.law)), self._standard_error(of))
        table = pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "standard_error"])
        reach = norm.ppf((1 + level) / 2) * table["standard_error"]
        return table.assign(lower=table["estimate"] - reach, upper=table["estimate"] + reach)

    def forecast(self, samples: ArrayLike, level: float = 0.95) -> pd.DataFrame:
        """Working units after `samples` inputs in all, given the counts seen so far.

        Beyond the samples counted, each idle unit wakes with `ActivationLaw.wake_probability`; the interval holds
        the chance of that and the uncertainty of the law's parameters. Up to the samples counted, the forecast is
        what a random part of them shows.

        Args:
            samples: D', whole numbers of samples, at least 1, counted from the very first; scalar or (n,).
            level: probability that the interval is meant to hold the count.

        Returns:
            One row per D': columns samples, expected, lower, upper, in units.
        """
        counts = self.counts
        grid = _grid(samples)
        more = np.maximum(grid - counts.samples, 0)
        woken = self._interval(lambda law: law.wake_probability(counts.samples, more), counts.idle, level)
        seen = counts.rarefied(np.minimum(grid, counts.samples))
        beyond = {name: np.where(more > 0, counts.working + units, seen) for name, units in woken.items()}
        return pd.DataFrame({"samples": grid, **beyond})

    def curve(self, samples: ArrayLike, level: float = 0.95) -> pd.DataFrame:
        """Working units of a layer drawn from the law anew, whatever has been counted: what the theory's curve says.

        Args:
            samples: D, whole numbers of samples, at least 1; scalar or (n,).
            level: probability that the interval is meant to hold the count of such a layer.

        Returns:
            One row per D: columns samples, expected, lower, upper, in units.
        """
        grid = _grid(samples)
        fraction = self._interval(lambda law: law.working(grid) / law.units, self.counts.units, level)
        return pd.DataFrame({"samples": grid, **fraction})

    def _interval(self, share_of: Callable[[ActivationLaw], Vector], units: int, level: float) -> dict[str, Vector]:
        """How many of `units` units, of which the law says what share to expect: expected, lower, upper."""
        fraction("level", level)
        share = np.clip(share_of(self.law), 1e-300, 1 - 1e-16)
        variance = share * (1 - share) / max(units, 1) + self._variance(share_of)
        # A share cannot leave (0, 1): a beta distribution of its mean and variance keeps the interval there.
        size = np.maximum(share * (1 - share) / variance - 1, 1e-6)
        lower, upper = (beta.ppf(p, size * share, size * (1 - share)) for p in ((1 - level) / 2, (1 + level) / 2))
        return {"expected": units * share, "lower": np.floor(units * lower), "upper": np.ceil(units * upper)}

    def _standard_error(self, of: Callable[[ActivationLaw], float]) -> float:
        return float(np.sqrt(self._variance(of)))

    def _variance(self, of: Callable[[ActivationLaw], ArrayLike]) -> Vector:
        """Variance of a function of the law, to first order in the parameters (the delta method)."""
        family = LawFamily()
        steps = 1e-4 * np.sqrt(np.diag(self.covariance))

        def at(shift: Vector) -> Vector:
            return np.asarray(of(family.law(self.parameters + shift, self.counts.units)))

        slopes = np.array([(at(d) - at(-d)) / (2 * d.sum()) for d in np.diag(steps)])
        return np.einsum("i...,ij,j...->...", slopes, self.covariance, slopes)


def _estimates(samples: int) -> dict[str, Callable[[ActivationLaw], float]]:
    """What a fitted law says of a layer after `samples` inputs, by name."""
    return {
        "active": lambda law: law.active,
        "b": lambda law: law.b,
        "alpha": lambda law: law.alpha,
        "knee": lambda law: law.knee,
        "inflection": lambda law: law.inflection,
        "working (law)": lambda law: float(law.working(samples)),
    }


def fit(counts: ActivationCounts, family: str = "auto", *, allow_nonfinite: bool = False) -> FittedLaw:
    """The activation law that makes the counts most likely, with standard errors.

    The cost follows the number of distinct counts, not the number of units.

    Args:
        counts: activation counts of one layer.
        family: "law", the paper's law; "auto" chooses it too, being the only one so far.

        allow_nonfinite: fit although some samples had NaN or infinite activations, which count as not activated.

    Raises:
        CountsError: if the counts carry too little to determine a law, with the reason.
    """
    if family not in ("auto", "law"):
        raise InputError(f"expected family='auto' or 'law', but got {family!r}")
    _refuse_degenerate(counts, allow_nonfinite)
    law_family = LawFamily()
    best = maximise(law_family.log_likelihood(counts), law_family.start(counts))
    law = law_family.law(best.parameters, counts.units)
    return FittedLaw(law, counts, law_family.name, best.parameters, best.covariance, best.log_likelihood)


def _grid(samples: ArrayLike) -> NDArray[np.int64]:
    """Numbers of samples as (n,) integers from 1 on."""
    grid = np.atleast_1d(whole("samples", samples, least=1))
    if grid.ndim != 1:
        raise InputError(f"expected samples as one number or (n,), but got shape {grid.shape}")
    return grid


def _refuse_degenerate(counts: ActivationCounts, allow_nonfinite: bool) -> None:
    """Say why counts cannot be fitted, before an optimiser wanders off."""
    size = f"{counts.units} units, {counts.samples} samples, {counts.working} working"
    if counts.nonfinite and not allow_nonfinite:
        raise CountsError(
            f"expected finite activations, but {counts.nonfinite} of {counts.samples} samples had NaN or infinite "
            "ones: find their source, leave those samples out with record(mask=...), or fit(..., allow_nonfinite=True)"
        )
    if counts.units < 2 or counts.samples < 2:
        raise CountsError(f"a law needs at least 2 units and 2 samples, but there are {size}: record more")
    if counts.working == 0:
        raise CountsError(f"no unit was ever activated ({size}): record more samples, or lower the threshold")
    if counts.counts.min() == counts.samples:
        raise CountsError(f"every unit was activated by every sample ({size}): choose a stricter rule, active=...")
    spread, chance = _spread(counts)
    if spread <= chance:
        raise CountsError(
            f"expected units whose rates differ, but their counts vary no more than chance (variance {spread:.3g}, "
            f"by chance {chance:.3g}; {size}): all units fire alike, and b is unbounded; record more samples"
        )


def _spread(counts: ActivationCounts) -> tuple[float, float]:
    """Variance of the counts, and what it would be if every unit had the same rate."""
    rate = counts.active / counts.units
    return float(counts.counts.var()), counts.samples * rate * (1 - rate)
