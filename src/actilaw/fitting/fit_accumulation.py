"""Forecasts from an accumulation curve alone, by empirical-Bayes deconvolution of censored waiting
times (Efron 2016; Turnbull 1976).
"""

from __future__ import annotations

from numpy.typing import ArrayLike

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.errors import CountsError, InputError
from actilaw.fitting.fitted_accumulation import FittedAccumulation
from actilaw.forecasting.forecaster import curve_forecaster
from actilaw.forecasting.logged_curve import curve_of_first_activations, logged_curve
from actilaw.support.blas_threads import one_blas_thread


@one_blas_thread()
def fit_accumulation(
    samples: ArrayLike | ActivationCounts,
    working: ArrayLike | None = None,
    units: int | None = None,
) -> FittedAccumulation:
    """Forecasts of working units from a logged curve alone: how many units had ever been active
    after how many samples.

    For logs that kept nothing else, as "dead latents against tokens" of an autoencoder. Where
    counts are at hand, `fit(counts)` knows more. What starved units a curve hides it cannot tell,
    and its intervals are wider for it.

    Args:
        samples: seen by each row, whole numbers that grow; (n_rows,). A list, an array or a column
            of pandas. Or the `ActivationCounts` of one layer alone, whose `first` gives the curve.
        working: units that had been active by then, never fewer than in the row before: whole
            numbers, or shares of the units if none is above 1 and some are fractions; (n_rows,).
            Of dead units, `units - dead`.
        units: N, all units of the layer.

    Raises:
        InputError: if samples or working units fall, with the row, or are no such numbers.
        CountsError: if the curve shows too little: fewer than four different numbers of working
            units.
    """
    if isinstance(samples, ActivationCounts):
        if working is not None or units is not None:
            raise InputError("expected counts alone, or samples, working and units, but got both")
        curve = curve_of_first_activations(samples)
    elif working is None or units is None:
        raise InputError(
            "expected fit_accumulation(samples, working, units), or counts that tell first "
            "activations, but got less"
        )
    else:
        curve = logged_curve(samples, working, units)
    forecaster = curve_forecaster(curve)
    try:
        early = curve_forecaster(curve.early(curve.samples // 10))
    except CountsError:  # too short to look back
        early = None
    return FittedAccumulation(curve, forecaster, early)
