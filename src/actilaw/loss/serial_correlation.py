"""Losses along one training run, told from losses at the ends of many by how their errors go
together, and counted by their effective sample size.

A log along a run has hundreds of losses whose errors hardly change from one to the next: of the
seed, of the order of the data, of the learning rate. Taken as independent they would make every
interval far too narrow. With r_i the distance in log loss of the i-th loss from the curve, in order
of samples, within each size of network, and clipped as in (HU1):

    (SE1)  ρ = Σ r_i r_(i+1) / Σ (r_i² + r_(i+1)²)/2,  the correlation of neighbours
    (SE2)  n_eff = n (1 − ρ)/(1 + ρ),  their effective sample size, for the mean of a process of
           first order (Bayley & Hammersley 1946)

A form that does not fit leaves errors that go together too, and the correction serves it as well.
Ends of runs have some of it: the 245 runs of Hoffmann et al. (2022) have ρ = 0.3 about the best
form. So it counts only where it is strong.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from actilaw.loss.form import Form
from actilaw.loss.huber import CLIP
from actilaw.loss.measurements import Measurements
from actilaw.support.arrays import Floats, Ints

LEAST_NEIGHBOURS = 20  # pairs, below which nothing is said
LEAST_CORRELATION = 0.6
LEAST_STANDARD_ERRORS = 4.0  # of a correlation of nothing, 1/√n
LEAST_EFFECTIVE_PER_PARAMETER = 2.0  # independent losses; no fewer are counted
LEAST_NOISE = 1e-6  # of a log loss; below it errors are those of rounding
SCATTER_PER_MEDIAN = 1.4826  # of Gaussian noise: standard deviation over the median of |r|


@dataclass(frozen=True)
class SerialCorrelation:
    """How the errors of neighbouring losses go together.

    Attributes:
        correlation: ρ of (SE1).
        losses: how many there are.
        effective: sample size, as how many independent ones they count, (SE2).
    """

    correlation: float
    losses: int
    effective: float

    def remark(self) -> str:
        """A sentence for people."""
        return (
            f"neighbouring losses err together (correlation {self.correlation:.2f}), as along one "
            f"training run: {self.losses} losses count as {self.effective:.0f}; losses along a run "
            "are not those of shorter runs, so give the last loss of each run if there are several"
        )


def serial_correlation(
    form: Form, coordinates: Floats, measured: Measurements
) -> SerialCorrelation | None:
    """The correlation of neighbouring losses about a fitted curve, where it is strong.

    Args:
        form: of the curve.
        coordinates: of the fit, (p,).
        measured: the losses.
    """
    correlation, pairs = correlation_of_neighbours(form, coordinates, measured)
    if pairs < LEAST_NEIGHBOURS:
        return None
    if correlation < max(LEAST_CORRELATION, LEAST_STANDARD_ERRORS / np.sqrt(pairs)):
        return None
    total = float(measured.weights.sum())
    effective = total * (1 - correlation) / (1 + correlation)  # (SE2)
    least = min(total, LEAST_EFFECTIVE_PER_PARAMETER * len(form.parameters))
    return SerialCorrelation(correlation, measured.loss.size, max(effective, least))


def correlation_of_neighbours(
    form: Form, coordinates: Floats, measured: Measurements
) -> tuple[float, int]:
    """ρ of (SE1), and from how many pairs of neighbours; 0 where errors are those of rounding."""
    curve = form.log_loss(coordinates[np.newaxis], measured.log_sizes)[0][0]
    errors = np.log(measured.loss) - curve
    scatter = SCATTER_PER_MEDIAN * float(np.median(np.abs(errors)))
    before, after = _neighbours(measured)
    if scatter < LEAST_NOISE or before.size == 0:
        return 0.0, before.size
    clipped = np.clip(errors, -CLIP * scatter, CLIP * scatter)
    early, late = clipped[before], clipped[after]
    return float(2 * np.sum(early * late) / np.sum(early**2 + late**2)), before.size


def _neighbours(measured: Measurements) -> tuple[Ints, Ints]:
    """Places of losses of one size of network, and of those after the next larger number of
    samples, (m,) each.
    """
    samples = measured.samples
    size = np.zeros(samples.shape) if measured.size is None else measured.size
    order = np.lexsort((samples, size))
    before, after = order[:-1], order[1:]
    follows = (size[before] == size[after]) & (samples[before] < samples[after])
    return before[follows], after[follows]


def counted_as(measured: Measurements, effective: float) -> Measurements:
    """The same losses with weights that sum to `effective`."""
    return replace(measured, weights=measured.weights * (effective / measured.weights.sum()))
