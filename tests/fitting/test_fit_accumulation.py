"""Forecasts from a curve alone: recovery on draws, truths for any curve, and columns of logs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actilaw import ActivationCounts, fit_accumulation
from actilaw.errors import InputError
from actilaw.fitting.accumulation_log import read_accumulation

UNITS, ENDS = 6000, np.unique(np.geomspace(1, 1000, 40).round().astype(int))


def drawn(shape: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rates, and working units after 1 to 1,000 samples and after 10,000."""
    rng = np.random.default_rng(seed)
    rates = rng.gamma(shape, 1 / (100 * shape), UNITS)
    first = rng.exponential(1 / np.maximum(rates, 1e-300))
    return rates, np.array([np.sum(first <= end) for end in ENDS]), np.sum(first <= 10_000)


@pytest.mark.parametrize("shape", [0.1, 0.3, 0.8])
def test_a_power_law_of_rates_is_extrapolated(shape: float) -> None:
    rates, working, later = drawn(shape, seed=3)
    fitted = fit_accumulation(ENDS, working, UNITS)
    found = fitted.forecast("10x").iloc[0]
    idle = np.exp(-1000 * rates)
    expected = working[-1] + np.sum(idle * -np.expm1(-9000 * rates))
    print(f"shape {shape}: {found.expected:.0f} of {expected:.0f}, {later} drawn")
    assert found.lower <= later <= found.upper
    assert abs(found.expected - expected) < 0.2 * (expected - working[-1])


@pytest.mark.slow
def test_a_shorter_curve_has_a_wider_interval() -> None:
    _, working, _ = drawn(0.3, seed=4)
    widths = []
    for rows in (ENDS.size, np.searchsorted(ENDS, 100)):
        fitted = fit_accumulation(ENDS[:rows], working[:rows], UNITS)
        table = fitted.forecast(30_000)
        widths.append(float(table["upper"].iloc[0] - table["lower"].iloc[0]))
    assert widths[0] < widths[1]


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=6, max_size=30), st.integers(0, 500))
def test_any_curve_is_forecast_within_bounds_or_refused(steps: list[int], idle: int) -> None:
    working = np.cumsum(steps)
    if len(set(working.tolist()) - {0}) < 4:
        return
    samples = 7 * np.arange(1, len(steps) + 1)
    fitted = fit_accumulation(samples, working, int(working[-1]) + idle)
    last = int(samples[-1])
    table = fitted.forecast([1, last, last + 1, 2 * last, 10**4, 10**9])
    for column in ("expected", "lower", "upper"):
        assert np.all(np.diff(table[column]) >= -1e-9), column
    assert np.all(table["lower"] <= table["expected"] + 1e-6)
    assert np.all(table["expected"] <= table["upper"] + 1e-6)
    assert table["upper"].max() <= working[-1] + idle
    assert table["expected"][1] == working[-1]


@pytest.mark.slow
def test_a_fit_answers_backwards_and_says_risks() -> None:
    _, working, _ = drawn(0.3, seed=5)
    fitted = fit_accumulation(ENDS, working, UNITS)
    share = (working[-1] + 200) / UNITS
    row = fitted.samples_for(share).iloc[0]
    assert 1000 < row.lower < row.expected < row.upper
    assert fitted.forecast(int(row.expected))["expected"][0] == pytest.approx(
        share * UNITS, abs=0.5
    )
    risk = fitted.residual_risk("1x").iloc[0]
    assert 0 < risk.lower < risk.expected < risk.upper
    assert risk.expected < risk.bound
    summary = fitted.summary()
    assert summary.loc["working", "estimate"] == working[-1]
    assert summary.loc["working_at_10x", "estimate"] == pytest.approx(
        fitted.forecast("10x")["expected"][0]
    )
    assert "6,000 units working after 1,000 samples" in repr(fitted)


@pytest.mark.slow
def test_a_forecast_that_failed_on_the_past_is_remarked_on() -> None:
    samples = np.append(np.arange(10, 101, 10), np.arange(200, 1001, 100))
    steady = np.cumsum(np.append(20 / np.arange(1, 11), np.zeros(9))).astype(int)
    late = steady + np.append(np.zeros(10, int), 400 * np.arange(1, 10))  # a flood that none saw
    fitted = fit_accumulation(samples, late, 4000)
    assert any("Looking back, this forecast failed" in remark for remark in fitted.remarks())
    assert fitted.forecast("2x").attrs["remarks"] == fitted.remarks()


@pytest.mark.slow
def test_counts_with_first_activations_are_a_curve() -> None:
    rng = np.random.default_rng(6)
    active = rng.random((200, 800)) < rng.beta(0.3, 20, 800)
    first = np.where(active.any(axis=0), active.argmax(axis=0), -1)
    counts = ActivationCounts(active.sum(axis=0), 200, first=first, entries=200)
    from_counts = fit_accumulation(counts)
    at = from_counts.curve.rows
    by_hand = fit_accumulation(at, [np.sum((first >= 0) & (first < n)) for n in at], 800)
    pd.testing.assert_frame_equal(from_counts.forecast("10x"), by_hand.forecast("10x"))
    with pytest.raises(InputError, match="got both"):
        fit_accumulation(counts, units=800)
    with pytest.raises(InputError, match="but got less"):
        fit_accumulation([1, 2, 3], [1, 2, 3])


def test_columns_of_logs_are_found_by_their_usual_names() -> None:
    step, alive = np.arange(1, 7) * 100, np.array([10, 20, 28, 33, 36, 38])
    dead = 64 - alive
    tables = [
        pd.DataFrame({"samples": step, "working": alive, "units": 64}),
        pd.DataFrame({"Tokens": step, "train/dead_latents": dead}),
        pd.DataFrame({"step": step, "dead": dead, "alive": alive}),
        pd.DataFrame({"Wall time": step / 7.0, "Step": step, "Value": dead}),
        pd.DataFrame({"Wall time": step / 7.0, "Step": step, "Value": alive / 64}),
        pd.DataFrame({"n_tokens": step, "frac_dead": (dead / 64).astype(np.float32)}),
    ]
    for table in tables:
        log = read_accumulation(table, units=None if "units" in table or "alive" in table else 64)
        assert (log.samples.tolist(), log.working.tolist()) == (step.tolist(), alive.tolist())
        assert log.units == 64
    assert "dead, since they fall" in read_accumulation(tables[3], units=64).notes[0]
    gaps = pd.DataFrame({"step": [*step, 700], "dead": [*dead, np.nan], "loss": 1.0})
    assert "1 row without both" in read_accumulation(gaps, units=64).notes[0]
    named = pd.DataFrame({"a": step, "b": dead})
    assert read_accumulation(named, units=64, samples="a", dead="b").working.tolist() == [*alive]


@pytest.mark.parametrize(
    ("columns", "arguments", "said"),
    [
        ({"a": [1, 2], "dead": [3, 2]}, {"units": 5}, "expected a column with the samples"),
        ({"step": [1, 2], "b": [3, 2]}, {"units": 5}, "expected a column with working or dead"),
        ({"step": [1, 2], "dead": [3, 2]}, {}, "the number of all units, but no column tells it"),
        ({"step": [1, 2], "dead": [3, 2], "units": [5, 6]}, {}, "expected one number of units"),
        ({"step": [1, 2], "dead": ["x", "y"]}, {"dead": "dead", "units": 5}, "expected numbers in"),
        ({"step": [1, 2], "dead": [3, 2]}, {"dead": "c", "units": 5}, "expected a column 'c'"),
        ({"step": [1.0], "dead": [np.nan]}, {"units": 5}, "no row has both"),
    ],
)
def test_tables_without_what_is_needed_are_refused(columns, arguments, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_accumulation(pd.DataFrame(columns), **arguments)
