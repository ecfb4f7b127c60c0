"""Incidence frequencies, over blocks and over samples."""

from __future__ import annotations

import numpy as np
import pytest

from actilaw import ActivationCounts, backtest, fit
from actilaw.counts.blocks import Blocks
from actilaw.forecasting.incidence import MOST_INCIDENCES, incidence_frequencies
from builders.drawn import draw_blocks, draw_counts


def test_sampling_units_are_blocks_where_there_are_blocks() -> None:
    counts = draw_blocks(np.linspace(0.001, 0.2, 500), 20, 16, np.random.default_rng(0))
    incidence = incidence_frequencies(counts)
    by_hand = (counts.blocks.counts > 0).sum(axis=0)
    assert incidence.sampling_units == 20
    np.testing.assert_array_equal(incidence.frequencies, np.bincount(by_hand, minlength=21))


def test_sampling_units_are_samples_where_there_are_no_blocks() -> None:
    counts = draw_counts(500, 20, 0.4, 300, seed=0)
    incidence = incidence_frequencies(counts)
    assert (incidence.sampling_units, incidence.frequencies.size, incidence.overdispersion) == (
        300,
        MOST_INCIDENCES + 1,
        1.0,
    )
    assert incidence.frequencies[0] == counts.idle
    assert incidence.frequencies[-1] == np.count_nonzero(counts.counts >= MOST_INCIDENCES)


def test_units_that_start_to_work_together_are_overdispersed() -> None:
    rng = np.random.default_rng(1)
    alone = draw_blocks(np.full(4000, 0.0008), 32, 8, rng)
    part = np.zeros((32, 4000), np.int64)
    for group in range(400):
        part[rng.integers(32), 10 * group : 10 * group + 10] = (
            1  # ten units fire once, in the same block
        )
    together = ActivationCounts(part.sum(axis=0), 256, blocks=Blocks(part, np.full(32, 8), 8))
    assert incidence_frequencies(alone).overdispersion < 2
    assert 5 < incidence_frequencies(together).overdispersion < 20  # ten is the truth


@pytest.mark.slow
def test_empty_blocks_are_no_sampling_units() -> None:
    counts = draw_blocks(np.linspace(0.001, 0.2, 500), 20, 16, np.random.default_rng(0))
    part = np.concatenate((np.zeros((3, 500), np.int64), counts.blocks.counts))
    late = ActivationCounts(
        part.sum(axis=0), 320, blocks=Blocks(part, np.repeat([0, 16], [3, 20]), 16)
    )
    assert incidence_frequencies(late).sampling_units == 20
    np.testing.assert_array_equal(fit(late).forecast(3200), fit(counts).forecast(3200))
    table = backtest(late, parts=[0.1, 0.5], methods="rate_density")
    assert table["from_samples"].tolist() == [144]
