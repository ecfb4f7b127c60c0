"""Look back before looking ahead: what the first tenth of a recording would have forecast for all
of it, by the same means as the forecast that is asked for.
"""

from __future__ import annotations

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.errors import CountsError
from actilaw.fitting.degenerate import refuse_degenerate
from actilaw.fitting.delta_method import ClosedFormRates
from actilaw.fitting.families.catalogue import FAMILIES
from actilaw.forecasting.forecaster import Forecaster, rate_density_forecaster
from actilaw.forecasting.hindcast import BacktestResult, compare
from actilaw.forecasting.incidence import incidence_frequencies

LEAST_BLOCKS_TO_LOOK_BACK = 8


def look_back(counts: ActivationCounts, family: str | None) -> BacktestResult | None:
    """The forecast from the first tenth of the blocks beside all of them.

    Args:
        counts: of one layer.
        family: in closed form, that forecasts are made from, or None for the rate density.

    Returns:
        None where there are too few blocks, or where their first tenth cannot be forecast from.
    """
    blocks = counts.blocks
    if blocks is None or len(blocks) < LEAST_BLOCKS_TO_LOOK_BACK:
        return None
    first = max(1, round(len(blocks) / 10))
    if blocks.samples[:first].sum() == 0:
        return None
    early = counts.prefix(first)
    try:
        return compare(_forecaster(early, family), counts)
    except CountsError:
        return None


def remark_on(found: BacktestResult | None) -> str | None:
    """A sentence where the forecast missed what then happened, or None."""
    if found is None or found.inside:
        return None
    return (
        f"Looking back, this forecast failed: from the first {found.from_samples:,} samples it "
        f"would have been {found.lower:,.0f} to {found.upper:,.0f} working units after all "
        f"{found.samples:,}, and {found.counted:,} were counted; expect errors larger than the "
        "intervals say."
    )


def _forecaster(early: ActivationCounts, family: str | None) -> Forecaster:
    refuse_degenerate(early, allow_nonfinite=True)
    if family is None:
        return rate_density_forecaster(early)
    closed_form = FAMILIES[family](early)
    # So few blocks show nothing of what units share.
    rates = ClosedFormRates(closed_form, closed_form.covariance, early.samples)
    return Forecaster(early, incidence_frequencies(early), rates)
