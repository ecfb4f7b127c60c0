"""From counts to a fitted law: which family, what is refused, and what back-tests say of the
forecasts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.errors import CountsError, InputError
from actilaw.fitting.clustered_covariance import shared_covariance
from actilaw.fitting.families.catalogue import FAMILIES
from actilaw.fitting.fitted_law import FittedLaw
from actilaw.forecasting.incidence import LEAST_BLOCKS, occasions
from actilaw.forecasting.rate_density import fit_smooth
from actilaw.support.arrays import Floats


def fit(
    counts: ActivationCounts, family: str | None = None, *, allow_nonfinite: bool = False
) -> FittedLaw:
    """The law that makes the counts most likely, with standard errors, and what forecasts are made
    from.

    The cost follows the number of distinct counts, not the number of units.

    Args:
        counts: activation counts of one layer.
        family: "auto" describes the layer by the paper's law and forecasts by a smooth law of
            rates, which beats every closed form on held-back samples of real networks
            (benchmarks/forecast.py). By name, one closed
            form does both: "law", the paper's; "zero_inflated", with a share of units that never
                fire; "mixture" of two
            laws; "heavy_tail", for units that answer to rare contexts.
        allow_nonfinite: fit although some samples had NaN or infinite activations, which count as
            not activated.

    Raises:
        CountsError: if the counts carry too little to determine a law, with the reason.
    """
    if not isinstance(counts, ActivationCounts):
        raise InputError(
            f'expected ActivationCounts of one layer, as census["relu"], '
            f"but got {type(counts).__name__}"
        )
    if family is not None and family not in FAMILIES:
        raise InputError(
            f"expected family to be one of {', '.join(FAMILIES)}, or left out, but got {family!r}"
        )
    _refuse_degenerate(counts, allow_nonfinite)
    described = FAMILIES[family or "law"](counts)

    def scores(k: NDArray[np.int64], samples: int) -> Floats:
        return described.family.scores(described.parameters, k, samples)

    covariance = described.covariance + shared_covariance(counts, scores, described.covariance)
    seen = occasions(counts)
    if family is not None:
        return FittedLaw(counts, described, covariance, seen, smooth=None)
    return FittedLaw(counts, described, covariance, seen, fit_smooth(seen), _widening(counts))


def _widening(counts: ActivationCounts) -> float:
    """How much too narrow the forecast of all counts from the first third of their blocks was.

    One back-test tells little, so it is weighed against four that went as they should.
    """
    blocks = counts.blocks
    if blocks is None or len(blocks) < 2 * LEAST_BLOCKS:
        return 1.0
    early = counts.prefix(max(LEAST_BLOCKS, len(blocks) // 3))
    if early.working == 0 or early.idle == 0:
        return 1.0
    seen = occasions(early)
    share, variance = (
        float(part[0]) for part in fit_smooth(seen).wake(counts.samples / early.samples)
    )
    newly_working = np.clip(
        (counts.working - early.working) / early.idle, 0.5 / early.idle, 1 - 0.5 / early.idle
    )
    error = logit(newly_working) - logit(share)
    chance = variance + seen.dispersion / (early.idle * share * (1 - share))
    return float(np.sqrt(max(1.0, (4 + error**2 / chance) / 5)))


def _refuse_degenerate(counts: ActivationCounts, allow_nonfinite: bool) -> None:
    """Say why counts cannot be fitted, before an optimiser wanders off."""
    size = f"{counts.units} units, {counts.samples} samples, {counts.working} working"
    if counts.nonfinite and not allow_nonfinite:
        raise CountsError(
            f"expected finite activations, but {counts.nonfinite} of {counts.samples} samples had "
            "NaN or infinite "
            "ones: find their source, leave those samples out with record(mask=...), or fit(..., "
            "allow_nonfinite=True)"
        )
    if counts.units < 2 or counts.samples < 2:
        raise CountsError(
            f"a law needs at least 2 units and 2 samples, but there are {size}: record more"
        )
    if counts.working == 0:
        raise CountsError(
            f"no unit was ever activated ({size}): record more samples, or lower the threshold"
        )
    if counts.counts.min() == counts.samples:
        raise CountsError(
            f"every unit was activated by every sample ({size}): choose a stricter rule, "
            "record(criterion=...)"
        )
    spread, chance = _spread(counts)
    if spread <= chance:
        raise CountsError(
            "expected units whose rates differ, but their counts vary no more than chance "
            f"(variance {spread:.3g}, "
            f"by chance {chance:.3g}; {size}): all units fire alike, and b is unbounded; record "
            "more samples"
        )


def _spread(counts: ActivationCounts) -> tuple[float, float]:
    """Variance of the counts, and what it would be if every unit had the same rate."""
    rate = counts.active / counts.units
    return float(counts.counts.var()), counts.samples * rate * (1 - rate)
