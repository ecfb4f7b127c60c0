"""Refusal of counts that carry too little to determine a law, with the reason, before an optimiser
diverges.
"""

from __future__ import annotations

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.errors import CountsError


def refuse_degenerate(counts: ActivationCounts, allow_nonfinite: bool) -> None:
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
