"""A histogram of counts in bins that are equally wide on a logarithmic axis, for figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.support.arrays import Floats
from actilaw.support.numerics import log_grid


@dataclass(frozen=True, eq=False)
class LogHistogram:
    """Units per count, in the bins that hold any.

    Attributes:
        count: geometric middle of each bin, in activations; (n_bins,).
        units: units per single count in the bin; (n_bins,).
    """

    count: Floats
    units: Floats


def log_histogram(counts: ActivationCounts, bins: int = 30) -> LogHistogram:
    """Counts of the working units in about `bins` bins from 1 to the number of samples."""
    edges = log_grid(1, counts.samples + 1, bins)
    units, _ = np.histogram(counts.counts, edges)
    some = units > 0
    middle = np.sqrt(edges[:-1] * (edges[1:] - 1.0))
    return LogHistogram(middle[some], (units / np.diff(edges))[some])
