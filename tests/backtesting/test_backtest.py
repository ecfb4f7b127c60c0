"""Back-tests of forecasts on the recording they were made from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from actilaw import ActivationCounts, Census, backtest, fit
from actilaw.backtesting.backtest import backtest_from, compare, early_parts
from actilaw.counts.blocks import Blocks
from actilaw.errors import CountsError, InputError
from builders.drawn import draw_blocks, draw_counts


def test_a_backtest_forecasts_from_blocks_what_was_then_counted() -> None:
    counts = draw_blocks(
        np.random.default_rng(0).beta(0.3, 15, 1000), 30, 16, np.random.default_rng(1)
    )
    table = backtest(
        counts, parts=[0.1, 1 / 3], methods=["rate_density", "law", "chao2", "persistence"]
    )
    assert table["from_samples"].unique().tolist() == [48, 160]
    first = table[table["from_samples"] == 48].set_index("method")
    early = counts.prefix(3)
    assert first.loc["law", "expected"] == fit(early, "law").forecast(480)["expected"][0]
    assert first.loc["persistence", "missed"] == 1
    assert first["newly_working"].tolist() == [counts.working - early.working] * 4
    assert first.loc["chao2", "inside"] is None
    assert np.isnan(first.loc["chao2", "lower"])
    assert bool(first.loc["rate_density", "inside"])


@pytest.mark.slow
def test_a_backtest_without_blocks_takes_samples_at_random() -> None:
    counts = draw_counts(2000, 40, 0.3, 500, seed=1)
    table = backtest(counts, parts=[0.2])
    assert table["from_samples"].unique().tolist() == [100]
    expected = counts.rarefied(100)
    assert table["counted"][0] - table["newly_working"][0] == pytest.approx(
        expected, abs=5 * np.sqrt(expected)
    )
    pd.testing.assert_frame_equal(table, backtest(counts, parts=[0.2]))


def test_backtests_refuse_what_they_cannot_do() -> None:
    counts = draw_counts(2000, 40, 0.3, 500, seed=1)
    with pytest.raises(
        InputError, match=r"expected methods among rate_density, law, .* but got magic"
    ):
        backtest(counts, methods=["magic"])
    with pytest.raises(InputError, match="parts as a fraction"):
        backtest(counts, parts=[2.0])
    silent = np.zeros((20, 5), np.int64)
    silent[19] = [1, 2, 0, 3, 4]
    late = ActivationCounts(silent.sum(axis=0), 160, blocks=Blocks(silent, np.full(20, 8), 8))
    with pytest.raises(
        CountsError, match="no early part of these 160 samples can be forecast from"
    ):
        backtest(late, methods=["law", "rate_density"])


def test_a_result_says_in_one_sentence_how_the_forecast_did() -> None:
    counts = draw_counts(2000, 40, 0.3, 500, seed=1)
    [early] = early_parts(counts, 0.2)
    result = compare(fit(early).forecaster, counts)
    assert result == backtest_from(early, counts, "rate_density")
    sentence = str(result)
    assert sentence.startswith(f"From the first 100 samples it forecast {result.expected:,.0f} ")
    assert f"{counts.working:,} were counted, inside the interval" in sentence
    assert sentence.endswith(f"{result.newly_working:,} units that started to work since then")


def test_a_backtest_is_of_one_layer_with_a_method_and_a_part() -> None:
    counts = draw_counts(400, 20, 0.3, 500, seed=2)
    with pytest.raises(InputError, match=r"expected ActivationCounts of one layer.* got Census"):
        backtest(Census({"relu": counts}))
    for nothing in ({"methods": []}, {"parts": []}):
        with pytest.raises(InputError, match="at least one method and one part"):
            backtest(counts, **nothing)
