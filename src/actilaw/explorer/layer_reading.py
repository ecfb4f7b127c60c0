"""What the explorer shows of a counted layer: its fit, its forecast, and the points of its figures.

It is worked out once for each layer and each version of a census, since a slider must not wait for
a fit.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
import pandas as pd

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.counts.log_histogram import LogHistogram, log_histogram
from actilaw.errors import ActilawError
from actilaw.explorer.census_source import CensusSource, Look
from actilaw.fitting.fit import fit
from actilaw.fitting.fitted_law import PLOTTED_FACTOR, FittedLaw
from actilaw.support.arrays import Floats, Ints
from actilaw.support.numerics import log_grid

SHOWN_POINTS = 40  # of what was counted, and of a forecast
REINFORCEMENT_BINS = 12
WIDTH_RANGE = 16.0  # times the units of the layer, up and down, for which widths are forecast
WIDTH_POINTS = 33


@dataclass(frozen=True, eq=False)
class Kernel:
    """How often units were activated in the second half of the blocks, against the first.

    Attributes:
        samples: in the first half.
        count: mean activations of the units of each bin in the first half; (n_bins,). The first is
            0, if there are such units.
        rate: share of the samples of the second half that activated a unit of the bin; (n_bins,).
    """

    samples: int
    count: Floats
    rate: Floats


@dataclass(frozen=True, eq=False)
class LayerReading:
    """A layer as it was counted, and what follows from it.

    Attributes:
        name: of the layer.
        counts: all of them.
        fitted: the law fitted to them; None if that is refused.
        refusal: why, in a sentence.
        seen: numbers of samples up to those counted; (n,).
        rarefied: units working after so many of the samples, in any order; (n,).
        ahead: the forecast from the samples counted on; None without a fit.
        histogram: units per count.
        kernel: activations after activations; None without blocks.
        by_block: samples and working units after each block, in the order counted; None without.
    """

    name: str
    counts: ActivationCounts
    fitted: FittedLaw | None
    refusal: str
    seen: Ints
    rarefied: Floats
    ahead: pd.DataFrame | None
    histogram: LogHistogram
    kernel: Kernel | None
    by_block: tuple[Ints, Ints] | None


class Readings:
    """Readings of the layers of the census as it stands, each worked out when first asked for."""

    def __init__(self, source: CensusSource | None) -> None:
        self.source = source
        self._lock = threading.Lock()
        self._version = 0
        self._readings: dict[str, LayerReading] = {}
        self._widths: dict[tuple[str, int, float], pd.DataFrame] = {}

    def look(self) -> Look | None:
        """The census as it stands; None if there is none."""
        return None if self.source is None else self.source.look()

    def layer(self, name: str | None) -> LayerReading | None:
        """The reading of a layer; None without a census, or one of that name."""
        look = self.look()
        if look is None or name is None or name not in look.census:
            return None
        with self._lock:
            self._forget(look.version)
            if name not in self._readings:
                self._readings[name] = read_layer(name, look.census[name])
            return self._readings[name]

    def widths(self, reading: LayerReading, samples: int, level: float = 0.95) -> pd.DataFrame:
        """The forecast of the layer at other widths, after so many samples: see
        `FittedLaw.forecast`.
        """
        assert reading.fitted is not None
        units = reading.counts.units
        grid = log_grid(max(2, units / WIDTH_RANGE), units * WIDTH_RANGE, WIDTH_POINTS)
        key = (reading.name, samples, level)
        with self._lock:
            if key not in self._widths:
                self._widths[key] = reading.fitted.forecast(samples, units=grid, level=level)
            return self._widths[key]

    def _forget(self, version: int) -> None:
        if version != self._version:
            self._version = version
            self._readings.clear()
            self._widths.clear()


def read_layer(name: str, counts: ActivationCounts) -> LayerReading:
    """Fit a layer, forecast it, and gather the points of its figures."""
    fitted, refusal, ahead = None, "", None
    try:
        fitted = fit(counts)
        ahead = fitted.forecast(
            log_grid(counts.samples, PLOTTED_FACTOR * counts.samples, SHOWN_POINTS)
        )
    except ActilawError as error:
        refusal = str(error)
    seen = log_grid(1, counts.samples, SHOWN_POINTS)
    return LayerReading(
        name=name,
        counts=counts,
        fitted=fitted,
        refusal=refusal,
        seen=seen,
        rarefied=counts.rarefied(seen),
        ahead=ahead,
        histogram=log_histogram(counts),
        kernel=_kernel(counts),
        by_block=_by_block(counts),
    )


def _kernel(counts: ActivationCounts) -> Kernel | None:
    """Activations in the second half of the blocks against those in the first, in bins of k."""
    blocks = counts.blocks
    if blocks is None or len(blocks) < 2:
        return None
    half = len(blocks) // 2
    before, after = int(blocks.samples[:half].sum()), int(blocks.samples[half:].sum())
    if not before or not after:
        return None
    k, y = blocks.counts[:half].sum(axis=0), blocks.counts[half:].sum(axis=0)
    edges = np.concatenate(([0], log_grid(1, before + 1, REINFORCEMENT_BINS + 1)))
    bins = np.searchsorted(edges, k, side="right") - 1
    units = np.bincount(bins, minlength=edges.size)
    some = units > 0
    mean_count = np.bincount(bins, k, minlength=edges.size)[some] / units[some]
    rate = np.bincount(bins, y, minlength=edges.size)[some] / (units[some] * after)
    return Kernel(before, mean_count, rate)


def _by_block(counts: ActivationCounts) -> tuple[Ints, Ints] | None:
    """Samples and working units after each block, in the order in which they were counted."""
    blocks = counts.blocks
    if blocks is None:
        return None
    is_active = blocks.counts > 0
    first = is_active.argmax(axis=0)[is_active.any(axis=0)]
    newly = np.bincount(first, minlength=len(blocks))
    return blocks.samples.cumsum(), newly.cumsum()
