"""Losses along one run are told from ends of runs by their errors, and counted as fewer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actilaw import FittedLoss, fit_loss
from actilaw.loss.forms import FORMS
from actilaw.loss.measurements import read_measurements
from actilaw.loss.single_form import fit_form
from actilaw.support.arrays import Floats

SCATTER = 0.01


def curve(samples: Floats) -> Floats:
    """Of the form that is fitted: one that did not fit would leave errors that go together."""
    return 1.5 + 400 * samples**-0.4


def first_order_noise(n: int, correlation: float, rng: np.random.Generator) -> Floats:
    """A stationary process of first order with variance 1, (n,)."""
    noise = rng.normal(size=n)
    for i in range(1, n):
        noise[i] = correlation * noise[i - 1] + np.sqrt(1 - correlation**2) * noise[i]
    return noise


def along_a_run(n: int, correlation: float, seed: int) -> tuple[Floats, Floats]:
    """Numbers of samples, and losses whose errors are correlated from one to the next."""
    samples = np.geomspace(1e6, 1e9, n)
    noise = first_order_noise(n, correlation, np.random.default_rng(seed))
    return samples, curve(samples) * np.exp(SCATTER * noise)


def fitted_to(samples: Floats, loss: Floats) -> FittedLoss:
    return fit_loss(samples, loss, form="power_floor")


@pytest.mark.parametrize("correlation", [0.8, 0.95])
def test_the_correlation_is_recovered_and_losses_count_by_their_effective_size(
    correlation: float,
) -> None:
    n = 400
    fitted = fitted_to(*along_a_run(n, correlation, seed=3))
    found = fitted.serial_correlation
    assert found is not None
    # A fitted curve takes a part of slow noise up: by three parameters, of n (1 − ρ)/(1 + ρ).
    effective = n * (1 - correlation) / (1 + correlation)
    error = np.sqrt((1 - correlation**2) / n) + 3 * (1 - correlation) / effective
    assert found.correlation == pytest.approx(correlation, abs=3 * error)
    assert found.effective == pytest.approx(
        n * (1 - found.correlation) / (1 + found.correlation), rel=1e-12
    )
    assert fitted.weights.sum() == pytest.approx(found.effective)
    assert any("as along one training run" in remark for remark in fitted.remarks())


def test_the_curve_stays_and_its_errors_grow_by_the_root_of_the_effective_size() -> None:
    samples, loss = along_a_run(400, 0.9, seed=4)
    fitted = fitted_to(samples, loss)
    shuffled = np.random.default_rng(5).permutation(samples.size)
    again = fitted_to(samples[shuffled], loss[shuffled])
    assert again.params == pytest.approx(fitted.params, rel=1e-6)
    assert again.serial_correlation is not None
    alone = fit_form(FORMS["power_floor"], read_measurements(samples, loss))
    freedom = samples.size - len(fitted.params)
    freedom_left = again.serial_correlation.effective - len(fitted.params)
    for name, error in fitted.standard_errors.items():
        ratio = error / alone.standard_errors[name]
        assert ratio == pytest.approx(np.sqrt(freedom / freedom_left), rel=0.1)


@pytest.mark.slow
def test_intervals_of_b_hold_it_though_errors_go_together() -> None:
    inside = 0
    for seed in range(30):
        samples = np.geomspace(1e6, 1e9, 300)
        noise = first_order_noise(300, 0.9, np.random.default_rng(seed))
        fitted = fitted_to(samples, curve(samples) * np.exp(SCATTER * noise))
        row = fitted.summary().loc["b"]
        inside += row["lower"] <= 0.4 <= row["upper"]
    assert inside >= 24  # 95 % of 30 less three standard errors; a third without the correction


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(8, 200))
def test_independent_errors_count_in_full(seed: int, n: int) -> None:
    fitted = fitted_to(*along_a_run(n, 0.0, seed))
    assert fitted.serial_correlation is None
    assert fitted.weights.sum() == n


def test_losses_of_many_runs_at_few_sizes_of_training_set_are_no_neighbours() -> None:
    """Seeds share their size of training set: their errors have no order."""
    rng = np.random.default_rng(6)
    samples = np.repeat(np.geomspace(1e6, 1e9, 12), 20)
    of_size = np.repeat(rng.normal(size=12), 20)  # as if each size had a common error
    loss = curve(samples) * np.exp(SCATTER * (of_size + 0.1 * rng.normal(size=240)))
    assert fitted_to(samples, loss).serial_correlation is None


@pytest.mark.slow
def test_runs_of_several_sizes_are_told_size_by_size_and_the_default_says_so() -> None:
    rng = np.random.default_rng(7)
    samples = np.tile(np.linspace(2e7, 1e9, 50), 3)
    size = np.repeat([1e6, 1e7, 1e8], 50)
    noise = np.concatenate([first_order_noise(50, 0.97, rng) for _ in range(3)])
    loss = (1.7 + 400 * size**-0.35 + 400 * samples**-0.3) * np.exp(SCATTER * noise)
    fitted = fit_loss(samples, loss, size=size)
    assert fitted.serial_correlation is not None
    assert fitted.serial_correlation.losses == 150
    assert any("give the last loss of each run" in remark for remark in fitted.remarks())
