"""Units that start to work together: how much more than independent ones their number will vary
(overdispersion of clustered data, McCullagh & Nelder 1989).

Units answer to the same samples: one rare text can wake a hundred of them. The number of units
that will start to work then has the variance of a binomial number times an overdispersion, which
what was seen so far tells more or less well:

    (CL1) with blocks: φ, the overdispersion over blocks, up to RELIABLE, and beyond that
          RELIABLE (φ/RELIABLE)^SHRINKAGE, since larger ones rest on one or two blocks of many
    (CL2) for curves, and for counts without blocks: the square root of the overdispersion of first
          activations (WT2), where these are known, or else USUAL_OVERDISPERSION
    (CL3) for positions without blocks: the log odds that an idle unit starts to work have the
          further variance BETWEEN_ENTRIES/n, where the positions come from n texts or images, since
          what one of them activates is not what the next one does

The constants were chosen by interval scores (Gneiting & Raftery 2007) on half of the networks of a
study (images of digits, parity, latents of rectifiers, text) and on twelve of the cases of
benchmarks/forecast.py. docs/results.md reports on the others.
"""

from __future__ import annotations

import numpy as np

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.errors import CountsError, InputError
from actilaw.forecasting.incidence import IncidenceFrequencies
from actilaw.forecasting.logged_curve import curve_of_first_activations
from actilaw.forecasting.waiting_times import WaitingTimes, waiting_times

RELIABLE, SHRINKAGE = 10.0, 0.25
USUAL_OVERDISPERSION = 4.0
BETWEEN_ENTRIES = 1.0  # settled on the networks of text of the study


def overdispersion_ahead(counts: ActivationCounts, incidence: IncidenceFrequencies) -> float:
    """Variance of the number of units that will start to work, over that of independent ones."""
    if incidence.of_block is not None:
        return _shrunken(incidence.overdispersion)
    try:
        times = waiting_times(curve_of_first_activations(counts))
    except (InputError, CountsError):  # first activations were not recorded, or show too little
        return USUAL_OVERDISPERSION
    return overdispersion_of_first(times)


def overdispersion_of_first(times: WaitingTimes) -> float:
    """The same from first activations, by (CL2)."""
    return float(np.sqrt(times.overdispersion))


def variance_between_entries(counts: ActivationCounts, incidence: IncidenceFrequencies) -> float:
    """Variance of the log odds that an idle unit starts to work because entries differ, by (CL3); 0
    where samples are whole entries or where blocks tell.
    """
    if counts.per == "sample" or counts.entries is None or incidence.of_block is not None:
        return 0.0
    return BETWEEN_ENTRIES / counts.entries


def _shrunken(overdispersion: float) -> float:
    """An overdispersion that was measured over blocks, by (CL1)."""
    if overdispersion <= RELIABLE:
        return overdispersion
    return RELIABLE * (overdispersion / RELIABLE) ** SHRINKAGE
