"""Chao2, Good-Toulmin and persistence by their formulas."""

from __future__ import annotations

import numpy as np
import pytest

from actilaw import ActivationCounts
from actilaw.backtesting.baselines import chao2, good_toulmin, persistence


def test_baselines_by_their_formulas() -> None:
    counts = ActivationCounts(np.repeat([0, 1, 2, 5], [50, 20, 10, 20]), 40)
    unseen = 39 / 40 * 20**2 / (2 * 10)
    by_hand = 50 + unseen * (1 - (1 - 20 / (40 * unseen + 20)) ** 60)
    assert chao2(counts, np.array([100.0]))[0] == pytest.approx(by_hand)
    assert persistence(counts, np.array([100.0])).tolist() == [50]
    plain = 50 + 0.5 * 20 - 0.25 * 10 + 0.5**5 * 20
    assert good_toulmin(counts, np.array([60.0]))[0] == pytest.approx(plain)


def test_chao2_on_counts_of_its_own_law() -> None:
    counts = np.random.default_rng(0).poisson(
        0.7, 20_000
    )  # all units alike: Chao's lower bound is the truth
    layer = ActivationCounts(np.minimum(counts, 1000), 1000)
    assert chao2(layer, np.array([1e9]))[0] == pytest.approx(20_000, rel=0.03)
