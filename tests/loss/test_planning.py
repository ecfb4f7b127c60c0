"""Budgets split between size and data: against the optimum known in closed form, brute force, and
what runs cannot tell.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from actilaw import fit_loss
from actilaw.errors import InputError
from actilaw.loss.fitted_loss import FittedLoss
from actilaw.loss.planning import samples_within, when_reached
from builders.losses import (
    GRID_D,
    GRID_N,
    SIZES,
    SURFACE_PARAMETERS,
    noisy,
    noisy_law,
    surface,
)

BUDGETS = np.array([1e9, 1e11, 1e14])


@pytest.fixture(scope="module")
def exact() -> FittedLoss:
    return fit_loss(GRID_D, surface("chinchilla"), "chinchilla", size=GRID_N)


@pytest.fixture(scope="module")
def average() -> FittedLoss:
    return fit_loss(GRID_D, noisy(surface("activation"), 0, scatter=0.005), size=GRID_N)


def test_the_best_size_is_that_of_hoffmanns_closed_form(exact: FittedLoss) -> None:
    """Hoffmann et al. 2022, (4): N = G (C/6)^a, G = (αA/βB)^(1/(α+β)), a = β/(α+β)."""
    p = SURFACE_PARAMETERS["chinchilla"]
    total = p["alpha"] + p["beta"]
    g = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / total)
    best = g * (BUDGETS / 6) ** (p["beta"] / total)
    plan = exact.allocate(BUDGETS)
    np.testing.assert_allclose(plan["size"], best, rtol=2e-3)
    np.testing.assert_allclose(6 * plan["size"] * plan["samples"], BUDGETS, rtol=1e-9)
    np.testing.assert_allclose(plan["expected"], exact.predict(plan["samples"], plan["size"]))


@pytest.mark.slow
def test_the_best_size_of_an_average_is_that_of_brute_force(average: FittedLoss) -> None:
    sizes = np.geomspace(1e2, 1e8, 60_001)
    losses = average.predict(1e11 / (6 * sizes), sizes)
    plan = average.allocate(1e11).iloc[0]
    assert plan["size"] == pytest.approx(sizes[losses.argmin()], rel=1e-2)
    assert plan["expected"] == pytest.approx(losses.min(), rel=1e-6)
    assert plan["size_lower"] < plan["size"] < plan["size_upper"]
    assert plan["samples_lower"] < plan["samples"] < plan["samples_upper"]


def test_a_cost_of_the_users_is_met(exact: FittedLoss) -> None:
    plan = exact.allocate(1e12, cost=lambda n, d: 6 * n * d).iloc[0]
    assert plan["size"] == pytest.approx(exact.allocate(1e12)["size"].iloc[0], rel=1e-6)

    def cost(size: np.ndarray, samples: np.ndarray) -> np.ndarray:
        return 6 * size * samples + 3e3 * samples  # an embedding that every sample pays for

    dearer = exact.allocate(1e12, cost=cost).iloc[0]
    assert cost(dearer["size"], dearer["samples"]) == pytest.approx(1e12, rel=1e-9)
    assert dearer["size"] > plan["size"]
    with pytest.raises(InputError, match="expected a cost that rises in samples"):
        exact.allocate(1e12, cost=lambda n, d: 6 * n + 0 * d)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["activation", "chinchilla", "kaplan"])
def test_intervals_of_the_best_size_hold_it(name: str) -> None:
    sizes = np.geomspace(1e2, 1e9, 20_001)
    best = sizes[surface(name, 1e11 / (6 * sizes), sizes).argmin()]
    held = []
    for seed in range(40):
        loss = noisy(surface(name), seed, scatter=0.005)
        plan = fit_loss(GRID_D, loss, name, size=GRID_N).allocate(1e11).iloc[0]
        held.append(plan["size_lower"] <= best <= plan["size_upper"])
    print(f"{name}: 95 % intervals held the best size {np.mean(held):.2f} of 40")
    assert np.mean(held) > 0.95 - 4 * np.sqrt(0.95 * 0.05 / 40)


def test_other_lengths_cost_more_than_the_best(exact: FittedLoss) -> None:
    table = exact.other_lengths(1e12, [0.1, 0.5, 1, 4, 20])
    at_best = table[table["factor"] == 1].iloc[0]
    assert at_best["overspent"] == pytest.approx(1, rel=1e-3)
    assert np.all(table["overspent"] > 0.999)
    assert np.all(table["expected"] >= table["best_expected"] * (1 - 1e-9))
    assert table["overspent"].iloc[0] > table["overspent"].iloc[1] > 1.01
    again = exact.allocate(table["compute_needed"])["expected"]
    np.testing.assert_allclose(again, table["expected"], rtol=1e-4)


@pytest.mark.slow
def test_equal_loss_and_equal_cost_are_the_same_surface(average: FittedLoss) -> None:
    sizes = [1e5, 3e5, 1e6]
    same = average.iso_loss(2.5, sizes)
    np.testing.assert_allclose(average.predict(same["expected"], same["size"]), 2.5, rtol=1e-3)
    assert np.all(same["lower"] < same["expected"])
    assert np.all(same["expected"] < same["upper"])
    flop = average.iso_flop(1e11, sizes)
    np.testing.assert_allclose(6 * flop["samples"] * flop["size"], 1e11)
    assert len(average.iso_flop(1e11)) > 20


@pytest.mark.slow
def test_samples_for_a_loss_ask_the_forecast_backwards() -> None:
    fitted = fit_loss(SIZES, noisy_law(1))
    found = fitted.samples_for([1.0, 0.5, 0.01])
    np.testing.assert_allclose(fitted.predict(found["expected"][:2]), [1.0, 0.5], rtol=1e-3)
    bounds = fitted.forecast(found["upper"][:2])["upper"]
    np.testing.assert_allclose(bounds, [1.0, 0.5], rtol=0.01)
    assert found["expected"].iloc[2] == np.inf
    assert found["upper"].iloc[2] == np.inf


def test_a_loss_that_is_never_or_always_reached() -> None:
    samples = np.geomspace(1, 1e6, 50)
    forecast = pd.DataFrame({"expected": 1 + samples**-0.5})
    forecast = forecast.assign(lower=forecast["expected"] / 1.1, upper=forecast["expected"] * 1.1)
    never = when_reached(samples, forecast, 0.5)
    assert list(never.values()) == [np.inf, np.inf, np.inf]
    always = when_reached(samples, forecast, 10.0)
    assert always["expected"] == 0
    middle = when_reached(samples, forecast, 1.2)
    assert middle["expected"] == pytest.approx(25, rel=0.02)
    assert middle["lower"] == pytest.approx((1.1 * 1.2 - 1) ** -2, rel=0.02)
    assert middle["upper"] == pytest.approx((1.2 / 1.1 - 1) ** -2, rel=0.03)


def test_a_budget_pays_for_samples() -> None:
    sizes = np.array([1.0, 10.0])
    np.testing.assert_allclose(samples_within(None, 600.0, sizes), [100, 10])
    np.testing.assert_allclose(samples_within(lambda n, d: n * d**2, 1e4, sizes), [100, 1000**0.5])


def test_budgets_need_a_fit_over_sizes() -> None:
    curve = fit_loss(SIZES, noisy_law(1), "activation")
    for ask in (curve.allocate, curve.iso_flop, curve.iso_loss, curve.other_lengths):
        with pytest.raises(InputError, match="expected a fit over sizes"):
            ask(1e9)


@pytest.mark.slow
def test_figures_draw_what_the_tables_hold(average: FittedLoss) -> None:
    ax = average.plot_allocation([1e9, 1e11])
    best = average.allocate([1e9, 1e11])
    np.testing.assert_allclose(ax.get_lines()[0].get_ydata(), best["size"])
    ax = average.plot_iso_flop([1e11])
    line, dot = ax.get_lines()
    assert dot.get_ydata()[0] == line.get_ydata().min()
    ax = average.plot_iso_loss([2.5])
    shown = average.iso_loss(2.5)
    seen = shown["expected"][np.isfinite(shown["expected"])]
    np.testing.assert_allclose(ax.get_lines()[0].get_ydata(), seen)
