"""Drift over the recording, and units that fire together or compete."""

from __future__ import annotations

import numpy as np
import pytest

from actilaw.checks.exchangeability import drift, independence
from actilaw.checks.result import Inconclusive
from builders.drawn import draw_counts
from builders.layers import BLOCK_SIZE, N_BLOCKS, counts_of, draw_bursts, draw_layer


def test_independence_is_the_variance_of_the_number_of_active_units(fitted_layer) -> None:
    fired = draw_bursts(5)
    row = independence(fitted_layer(counts_of(fired)))
    rates = fired.mean(axis=0)
    assert row.estimate == pytest.approx(
        fired.sum(axis=1).var() / np.sum(rates * (1 - rates)), rel=0.01
    )
    assert row.verdict.endswith("units fire together")


def test_where_a_fixed_number_fires_units_compete(fitted_layer) -> None:
    rng = np.random.default_rng(6)
    weights = rng.beta(0.4, 7.6, 600) + 1e-4
    fired = np.zeros((N_BLOCKS * BLOCK_SIZE, 600), bool)
    for row in fired:
        row[rng.choice(600, 30, replace=False, p=weights / weights.sum())] = True
    row = independence(fitted_layer(counts_of(fired)))
    assert row.verdict.endswith("units compete, (3)")


def test_drift_is_measured_as_a_share_of_the_rate(fitted_layer) -> None:
    for change in (0.3, 0.8):
        row = drift(fitted_layer(draw_layer(7, change=change)))
        print(row)
        assert row.lower < change < 1.1 * row.upper
        assert row.verdict.startswith("deviates by")


def test_without_blocks_both_are_inconclusive(fitted_layer) -> None:
    layer = fitted_layer(draw_counts(800, 20, 0.4, 400, seed=0))
    for test in (drift, independence):
        with pytest.raises(Inconclusive, match="record with blocks"):
            test(layer)
