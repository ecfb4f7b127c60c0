"""Losses beside counts: b and the knee of the counts, and whether the losses agree with them."""

from __future__ import annotations

import numpy as np
import pytest

from actilaw import FittedLaw, LossLaw, fit, fit_loss
from builders.drawn import draw_counts
from builders.losses import LONG, noisy


@pytest.fixture(scope="module")
def law() -> FittedLaw:
    return fit(draw_counts(2000, 40, 0.3, 2000, seed=3))


def test_losses_fitted_with_counts_take_their_b_and_knee(law: FittedLaw) -> None:
    loss = noisy(LossLaw(0.5, 2, law.law.knee, law.law.b).loss(LONG), 1)
    fitted = fit_loss(LONG, loss, counts=law)
    assert (fitted.b, fitted.knee) == (law.law.b, law.law.knee)
    assert fitted.law == LossLaw(fitted.floor, fitted.params["amplitude"], law.law.knee, law.law.b)
    assert abs(fitted.floor - 0.5) < 3 * fitted.standard_errors["floor"]
    assert list(fitted.params) == ["floor", "amplitude"]
    assert fit_loss(LONG, loss, counts=law.counts).floor == fitted.floor
    assert fit_loss(LONG[:3], loss[:3], counts=law).consistency is None


@pytest.mark.slow
def test_counts_and_losses_of_one_law_agree_as_often_as_they_should() -> None:
    """The truth behind both is b = 0.3 and a knee of 15; the counts' own error is granted."""
    truth, small, held, verdicts = LossLaw(0.5, 2, 15, 0.3), 0, [], set()
    for seed in range(40):
        law = fit(draw_counts(2000, 40, 0.3, 2000, seed=seed))
        found = fit_loss(LONG, noisy(truth.loss(LONG), seed), counts=law).consistency
        assert found is not None
        small += found.p_value < 0.05
        held.append(((found.table.lower <= 1) & (found.table.upper >= 1)).to_numpy())
        verdicts |= set(found.table.verdict)
    print(
        f"p < 0.05 in {small} of 40; intervals of the ratios held 1: {np.mean(held, axis=0)}; "
        f"{verdicts}"
    )
    assert small <= 8
    assert np.all(np.mean(held, axis=0) > 0.85)


def test_a_deviation_is_given_with_its_size(law: FittedLaw) -> None:
    loss = noisy(LossLaw(0.5, 2, law.law.knee, 3 * law.law.b).loss(LONG), 1)
    found = fit_loss(LONG, loss, counts=law).consistency
    assert found is not None
    assert found.p_value < 1e-4
    assert found.freedom == (2, 10)
    assert found.table.loc["b", "verdict"].startswith("deviates by a factor of ")
    assert found.table.loc["b", "lower"] < 3 < found.table.loc["b", "upper"]
    assert found.scatter_ratio > 2


def test_losses_that_do_not_reach_the_knee_are_inconclusive(law: FittedLaw) -> None:
    loss = noisy(LossLaw(0.5, 2, 1e4, 0.3).loss(LONG[:6]), 1)
    found = fit_loss(LONG[:6], loss, counts=law).consistency
    assert found is not None
    verdict = found.table.loc["b", "verdict"]
    assert verdict == "inconclusive: the interval of the ratio reaches beyond a factor of 2"


def test_a_fit_with_counts_has_an_interval_too(law: FittedLaw) -> None:
    truth = LossLaw(0.5, 2.0, law.law.knee, law.law.b)
    fitted = fit_loss(LONG, noisy(truth.loss(LONG), 0), counts=law)
    table = fitted.forecast([1e3, 1e6])
    expected = truth.loss([1e3, 1e6])
    assert np.all((table["lower"] < expected) & (expected < table["upper"]))
