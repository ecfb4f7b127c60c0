"""A line per layer for the log of a training run: working units, active units, and b."""

from __future__ import annotations

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.counts.census import Census, require_census
from actilaw.errors import CountsError
from actilaw.fitting.fit import fit
from actilaw.support.blas_threads import one_blas_thread


@one_blas_thread()
def monitor(census: Census) -> str:
    """One line per layer: working, idle and active units, b, and whether the weights were frozen.

    Counters are never reset, so idle means: not active since the recording began. For a window of
    training, look at `counts.blocks`.

    Raises:
        InputError: if this is no census.
    """
    require_census(census)
    return "\n".join(f"{name}: {_line(counts)}" for name, counts in census.items())


def _line(counts: ActivationCounts) -> str:
    try:
        fitted = fit(counts)
        b = f"b {fitted.law.b:.3f} ± {fitted.standard_errors['b']:.3f}"
    except CountsError:
        b = "b not determined"
    return (
        f"{counts.working:,} of {counts.units:,} units working, {counts.idle:,} idle, "
        f"{counts.active:,.1f} active on {counts.samples:,} samples, {b}, weights {counts.regime}"
    )
