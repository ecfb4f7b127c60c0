"""Maximum-likelihood fit of the activation law (Zhang & Sui 2024), or of another family, to the
counts of one layer.

Counts that carry too little to determine a law are refused here, with the reason, before an
optimiser diverges.
"""

from __future__ import annotations

from actilaw.counts.activation_counts import ActivationCounts, require_one_layer
from actilaw.errors import CountsError, InputError
from actilaw.fitting.clustered_covariance import clustered_covariance
from actilaw.fitting.delta_method import ClosedFormRates
from actilaw.fitting.families.catalogue import FAMILIES
from actilaw.fitting.fitted_law import FittedLaw
from actilaw.forecasting.forecaster import Forecaster, rate_density_forecaster
from actilaw.forecasting.incidence import incidence_frequencies
from actilaw.support.arrays import Floats, Ints
from actilaw.support.blas_threads import one_blas_thread


@one_blas_thread()
def fit(
    counts: ActivationCounts, family: str | None = None, *, allow_nonfinite: bool = False
) -> FittedLaw:
    """The law that makes the counts most likely, with standard errors and forecasts.

    The cost follows the number of distinct counts, not the number of units.

    Args:
        counts: activation counts of one layer.
        family: left out, the activation law describes the layer, and forecasts are made from a
            density of rates of any smooth shape, which beats every closed form on held-back samples
            of real networks (benchmarks/forecast.py). By name, one closed form does both: "law",
            the activation law; "zero_inflated", with a share of units that are never activated;
            "mixture" of two laws; "heavy_tail", for units that answer to rare contexts.
        allow_nonfinite: fit although some samples had NaN or infinite activations, which count as
            not activated.

    Raises:
        CountsError: if the counts carry too little to determine a law, with the reason.
        InputError: if `counts` are not those of one layer, or the family is unknown.
    """
    require_one_layer(counts)
    if family is not None and family not in FAMILIES:
        raise InputError(
            f"expected family to be one of {', '.join(FAMILIES)}, or left out, but got {family!r}"
        )
    _refuse_degenerate(counts, allow_nonfinite)
    closed_form = FAMILIES[family or "law"](counts)

    def scores(k: Ints, samples: int) -> Floats:
        return closed_form.family.scores(closed_form.parameters, k, samples)

    covariance = clustered_covariance(counts, scores, closed_form.covariance)
    if family is None:
        forecaster = rate_density_forecaster(counts)
    else:
        rates = ClosedFormRates(closed_form, covariance, counts.samples)
        forecaster = Forecaster(counts, incidence_frequencies(counts), rates)
    return FittedLaw(counts, closed_form, covariance, forecaster)


def _refuse_degenerate(counts: ActivationCounts, allow_nonfinite: bool) -> None:
    """Say why counts cannot be fitted, before an optimiser diverges."""
    size = f"{counts.units} units, {counts.samples} samples, {counts.working} working"
    if counts.nonfinite and not allow_nonfinite:
        raise CountsError(
            f"expected finite activations, but {counts.nonfinite} of {counts.samples} samples had "
            "NaN or infinite ones: find their source, leave those samples out with "
            "record(mask=...), or fit(..., allow_nonfinite=True)"
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
            f"(variance {spread:.3g}, by chance {chance:.3g}; {size}): all units fire alike, and "
            "b is unbounded; record more samples"
        )


def _spread(counts: ActivationCounts) -> tuple[float, float]:
    """Variance of the counts, and what it would be if every unit had the same rate."""
    rate = counts.active / counts.units
    return float(counts.counts.var()), counts.samples * rate * (1 - rate)
