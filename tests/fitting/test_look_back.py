"""Remarks on a fit: where its forecast failed on the past, and where c is not the mean counted."""

from __future__ import annotations

import numpy as np
import pytest

from actilaw import ActivationCounts, backtest, fit
from actilaw.counts.blocks import Blocks
from actilaw.fitting.look_back import look_back
from builders.drawn import draw_blocks, draw_counts


def late_layer() -> ActivationCounts:
    """Half of the units come to life after a tenth of the samples."""
    rng = np.random.default_rng(0)
    part = rng.binomial(16, rng.beta(0.3, 15, 1000), size=(30, 1000))
    part[:4, 500:] = 0
    return ActivationCounts(part.sum(axis=0), 480, blocks=Blocks(part, np.full(30, 16), 16))


def steady_layer() -> ActivationCounts:
    rng = np.random.default_rng(0)
    return draw_blocks(rng.beta(0.3, 15, 1000), 30, 16, rng)


@pytest.mark.slow
@pytest.mark.parametrize("family", [None, "law"])
def test_a_forecast_that_failed_on_the_past_says_so(family: str | None) -> None:
    counts = late_layer()
    fitted, method = fit(counts, family), family or "rate_density"
    row = backtest(counts, parts=0.1, methods=method).iloc[0]
    assert not row.inside
    sentence = (
        f"from the first {row.from_samples} samples it would have been {row.lower:,.0f} to "
        f"{row.upper:,.0f} working units after all 480, and {row.counted:,} were counted"
    )
    for said in (
        repr(fitted),
        repr(fitted.summary()),
        repr(fitted.forecast("10x").round()),
        repr(fitted.forecast("10x", units="2x")),
        fitted._repr_html_(),
    ):
        assert sentence in said
    assert fitted.forecast("10x").attrs["remarks"] == fitted.remarks()[-1:]


@pytest.mark.slow
def test_a_forecast_that_held_says_nothing() -> None:
    fitted = fit(steady_layer())
    assert fitted.remarks() == ()
    assert "Looking back" not in repr(fitted) + repr(fitted.summary()) + repr(fitted.forecast(960))


def test_without_a_past_there_is_nothing_to_look_back_on() -> None:
    steady = steady_layer()
    assert steady.blocks is not None
    few = ActivationCounts(steady.counts, steady.samples, blocks=steady.blocks.coarsened(128))
    empty = np.concatenate((np.zeros((6, 1000), np.int64), steady.blocks.counts))
    samples = np.repeat([0, 16], [6, 30])[:32]
    late = Blocks(empty[:32], samples, 16)
    unseen = ActivationCounts(empty[:32].sum(axis=0), int(samples.sum()), blocks=late)
    plain = ActivationCounts(steady.counts, steady.samples)
    assert [look_back(counts, None) for counts in (few, unseen, plain)] == [None, None, None]


def test_two_numbers_of_active_units_are_told_apart_in_words() -> None:
    """Units that are nearly always on raise the mean, which one law cannot follow."""
    rng = np.random.default_rng(1)
    rates = np.concatenate((rng.beta(0.3, 30, 900), rng.uniform(0.9, 0.99, 100)))
    counts = ActivationCounts(rng.binomial(500, rates), 500)
    fitted = fit(counts)
    off = abs(fitted.params["active"] - counts.active) / fitted.standard_errors["active"]
    assert off > 2
    sentence = (
        f"A sample activated {counts.active:.4g} units on average; active, "
        f"{fitted.params['active']:.4g}, is c of the one law"
    )
    assert sentence in repr(fitted)
    assert sentence in repr(fitted.summary())
    assert sentence not in repr(fitted.forecast(1000))


def test_one_number_of_active_units_needs_no_words() -> None:
    assert fit(draw_counts(2000, 40, 0.3, 500, seed=1)).remarks() == ()
