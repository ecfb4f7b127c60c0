"""Layers that lend each other the shape of their density of rates (empirical Bayes over parallel
problems, Efron & Morris 1973).

Layers of one network, and one layer of several trainings, see the same samples through much the
same training. What bends the density of rates in all of them, such as a hump of units that training
starved, shows better in all together than in one. So the units of the others are pooled, their
density is estimated, and half of the estimates of a layer depart from that shape in place of a
power law ((RD5) of `rate_density`). The other half do not, since a layer may be unlike the others.
None of the others counts as more units than the layer has, so that no wide one speaks for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.forecasting.incidence import IncidenceFrequencies, incidence_frequencies
from actilaw.forecasting.rate_density import RateDensity, fit_rate_density
from actilaw.support.arrays import Floats


@dataclass(frozen=True, eq=False)
class PooledUnits:
    """The units of several layers that were seen alike, as if they were of one.

    Attributes:
        layers: of the same numbers of samples and sampling units; one at least.
        most_units: that a layer counts as.
    """

    layers: Sequence[IncidenceFrequencies]
    most_units: float = np.inf

    @property
    def samples(self) -> int:
        """D, of each layer."""
        return self.layers[0].samples

    @property
    def frequencies(self) -> Floats:
        """Units of all layers by incidence."""
        units = np.array([layer.frequencies for layer in self.layers])
        weights = np.minimum(1, self.most_units / units.sum(axis=1))
        return weights @ units

    @property
    def tempering(self) -> float:
        """The mean over layers of what their likelihoods are divided by."""
        return float(np.mean([layer.tempering for layer in self.layers]))

    @property
    def error_factor(self) -> float:
        """The mean over layers of κ of (RD4)."""
        return float(np.mean([layer.error_factor for layer in self.layers]))

    def probabilities(self, activations: Floats) -> Floats:
        """As `IncidenceFrequencies.probabilities`, the same for each layer."""
        return self.layers[0].probabilities(activations)


def seen_alike(
    counts: ActivationCounts, others: Iterable[ActivationCounts]
) -> list[ActivationCounts]:
    """Those of the other layers that can lend their shape: of as many samples, counted per the same
    and over as many blocks.
    """
    return [other for other in others if _how_seen(other) == _how_seen(counts)]


def _how_seen(counts: ActivationCounts) -> tuple[str, int, int]:
    blocks = 0 if counts.blocks is None else int(np.count_nonzero(counts.blocks.samples))
    return counts.per, counts.samples, blocks


def density_of_relatives(
    incidence: IncidenceFrequencies, others: Iterable[ActivationCounts]
) -> RateDensity | None:
    """The density of rates of other layers together, all `seen_alike`; None if there are none."""
    found = [incidence_frequencies(counts) for counts in others]
    return fit_rate_density(PooledUnits(found, incidence.frequencies.sum())) if found else None
