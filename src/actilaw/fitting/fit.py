"""Maximum-likelihood fit of the activation law (Zhang & Sui 2024), or of another family, to the
counts of one layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from actilaw.counts.activation_counts import ActivationCounts, require_one_layer
from actilaw.errors import CountsError, InputError
from actilaw.fitting.clustered_covariance import clustered_covariance
from actilaw.fitting.degenerate import refuse_degenerate
from actilaw.fitting.delta_method import ClosedFormRates
from actilaw.fitting.families.catalogue import FAMILIES
from actilaw.fitting.fitted_law import FittedLaw
from actilaw.forecasting.forecaster import Forecaster, rate_density_forecaster
from actilaw.forecasting.incidence import incidence_frequencies
from actilaw.forecasting.relatives import seen_alike
from actilaw.support.arrays import Floats, Ints
from actilaw.support.blas_threads import one_blas_thread


@one_blas_thread()
def fit(
    counts: ActivationCounts,
    family: str | None = None,
    *,
    like: Mapping[str, ActivationCounts] | Iterable[ActivationCounts] | None = None,
    allow_nonfinite: bool = False,
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
        like: counts of layers that this one may resemble: the other layers of its network, or the
            same layer of other trainings; a whole census will do. Forecasts are then an average of
            those from this layer alone and of those that start from the shape which the others
            have (docs/theory/forecasts.md). Layers of other numbers of samples or blocks lend
            nothing, nor do those that cannot be fitted, nor this one to itself. What is looked back
            on is the forecast of this layer alone. Not with a family.
        allow_nonfinite: fit although some samples had NaN or infinite activations, which count as
            not activated.

    Raises:
        CountsError: if the counts carry too little to determine a law, with the reason.
        InputError: if `counts` are not those of one layer, the family is unknown, or `like` holds
            something else than counts of layers, or is given with a family.
    """
    require_one_layer(counts)
    if family is not None and (not isinstance(family, str) or family not in FAMILIES):
        raise InputError(
            f"expected family to be one of {', '.join(FAMILIES)}, or left out, but got {family!r}"
        )
    others = None if like is None else _others(counts, like, allow_nonfinite)
    if family is not None and others is not None:
        raise InputError(
            f"expected a family or layers alike, but got family={family!r} and like: leave one out"
        )
    refuse_degenerate(counts, allow_nonfinite)
    closed_form = FAMILIES[family or "law"](counts)

    def scores(k: Ints, samples: int) -> Floats:
        return closed_form.family.scores(closed_form.parameters, k, samples)

    covariance = clustered_covariance(counts, scores, closed_form.covariance)
    if family is None:
        forecaster = rate_density_forecaster(counts, others or ())
    else:
        rates = ClosedFormRates(closed_form, covariance, counts.samples)
        forecaster = Forecaster(counts, incidence_frequencies(counts), rates)
    lenders = None if others is None else len(others)
    return FittedLaw(counts, closed_form, covariance, forecaster, lenders)


def _others(
    counts: ActivationCounts,
    like: Mapping[str, ActivationCounts] | Iterable[ActivationCounts],
    allow_nonfinite: bool,
) -> list[ActivationCounts]:
    """The layers alike that can lend their shape."""
    layers = list(like.values()) if isinstance(like, Mapping) else like
    if isinstance(layers, ActivationCounts) or not isinstance(layers, Iterable):
        raise InputError(
            "expected like to be several layers, as a census or a list of counts, but got "
            f"{type(like).__name__}"
        )
    layers = list(layers)
    for layer in layers:
        require_one_layer(layer)
    others = [layer for layer in layers if not np.array_equal(layer.counts, counts.counts)]
    return [layer for layer in seen_alike(counts, others) if _can_be_fitted(layer, allow_nonfinite)]


def _can_be_fitted(counts: ActivationCounts, allow_nonfinite: bool) -> bool:
    try:
        refuse_degenerate(counts, allow_nonfinite)
    except CountsError:
        return False
    return True
