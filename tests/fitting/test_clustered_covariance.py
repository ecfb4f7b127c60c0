"""Standard errors of units that see the same samples."""

from __future__ import annotations

import numpy as np
import pytest

import actilaw.fitting.clustered_covariance as module
from actilaw import ActivationCounts, fit
from actilaw.counts.blocks import Blocks


def test_errors_grow_where_activity_comes_in_bursts_of_many_units() -> None:
    rng = np.random.default_rng(2)
    rates = rng.beta(0.5, 20, 1000)
    gain = rng.gamma(2, 0.5, size=(24, 1))  # each block moves all units
    part = rng.binomial(32, np.minimum(rates * gain, 1))
    shared = ActivationCounts(part.sum(axis=0), 24 * 32, blocks=Blocks(part, np.full(24, 32), 32))
    alone = ActivationCounts(shared.counts, shared.samples)
    assert (
        fit(shared, "law").standard_errors["active"]
        > 1.5 * fit(alone, "law").standard_errors["active"]
    )
    assert fit(shared, "law").law == fit(alone, "law").law


@pytest.mark.slow
def test_blocks_scored_at_once_and_one_by_one_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two lengths, the last of which is shorter."""
    rng = np.random.default_rng(4)
    lengths = np.append(np.full(11, 32), 20)
    part = rng.binomial(lengths[:, np.newaxis], rng.beta(0.5, 8, 300))
    counts = ActivationCounts(
        part.sum(axis=0), int(lengths.sum()), blocks=Blocks(part, lengths, 32)
    )
    at_once = fit(counts, "mixture").clustered_covariance
    monkeypatch.setattr(module, "RECURRING_COUNTS", 0)
    one_by_one = fit(counts, "mixture").clustered_covariance
    np.testing.assert_allclose(at_once, one_by_one, rtol=1e-9)
    assert not np.allclose(at_once, fit(counts, "mixture").closed_form.covariance)
