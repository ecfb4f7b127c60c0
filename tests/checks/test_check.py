"""The table of tests: its rows, and their verdicts where layers follow the law and where not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actilaw import ActivationCounts, check
from actilaw.counts.blocks import Blocks
from actilaw.errors import CountsError, InputError
from builders.drawn import draw_counts
from builders.layers import counts_of, draw_layer

COLUMNS = ["test", "claim", "statistic", "estimate", "lower", "upper", "expected", "n", "verdict"]
TESTS = [
    *("reinforcement", "goodness_of_fit", "richer_families"),
    *("against_lognormal", "against_exponential", "against_power_law", "alpha", "backtest"),
    *("inflection", "b_from_accumulation_curve", "b_from_first_activations", "estimators_of_b"),
    *("sampling_unit", "exchangeability", "independence"),
]
VERDICTS = ("holds", "deviates by ", "inconclusive: ")


def verdict(table: pd.DataFrame, test: str) -> str:
    return table.set_index("test").loc[test, "verdict"]


@pytest.mark.slow
def test_a_layer_of_the_law_holds_in_nearly_every_row() -> None:
    table = check(draw_layer(1))
    print(table.to_string())
    assert list(table.columns) == COLUMNS
    assert list(table["test"]) == TESTS
    assert table["verdict"].str.startswith(VERDICTS).all()
    # Of 15 rows at 5 % each: 3 or more deviate in 2 % of layers or less.
    assert table["verdict"].str.startswith("deviates").sum() <= 2
    measured = table.dropna().set_index("test").drop("goodness_of_fit")
    assert (measured["lower"] <= measured["estimate"]).all()
    assert (measured["estimate"] <= measured["upper"]).all()


@pytest.mark.slow
def test_the_same_counts_give_the_same_table_in_any_order_of_units() -> None:
    counts = draw_layer(2)
    order = np.random.default_rng(0).permutation(counts.units)
    assert counts.first is not None
    assert counts.blocks is not None
    shuffled = ActivationCounts(
        counts.counts[order],
        counts.samples,
        entries=counts.entries,
        active_squares=counts.active_squares,
        first=counts.first[order],
        blocks=Blocks(counts.blocks.counts[:, order], counts.blocks.samples, counts.blocks.size),
    )
    table = check(counts)
    pd.testing.assert_frame_equal(check(counts), table)
    pd.testing.assert_frame_equal(check(shuffled), table, rtol=1e-6)


@pytest.mark.usefixtures("few_families")
def test_broken_assumptions_are_named_by_the_right_row() -> None:
    rng = np.random.default_rng(8)
    humps = np.where(rng.random(600) < 0.5, 0.1, 0.002) * rng.gamma(4, 0.25, 600)
    table = check(counts_of(rng.random((1024, 600)) < humps))
    assert verdict(table, "goodness_of_fit").startswith("deviates by")
    assert verdict(table, "exchangeability") == verdict(table, "independence") == "holds"


@pytest.mark.usefixtures("few_families")
def test_without_blocks_or_first_activations_rows_say_what_to_record() -> None:
    table = check(draw_counts(800, 20, 0.4, 400, seed=0))
    for test in ("reinforcement", "backtest", "sampling_unit", "exchangeability", "independence"):
        assert verdict(table, test) == "inconclusive: record with blocks"
    assert verdict(table, "b_from_first_activations") == "inconclusive: record first activations"
    assert np.isnan(table.set_index("test").loc["reinforcement", "estimate"])
    assert verdict(table, "b_from_accumulation_curve") == "holds"


@pytest.mark.usefixtures("few_families")
def test_a_higher_level_is_a_wider_interval() -> None:
    counts = draw_layer(11)
    low = check(counts, level=0.5).set_index("test")
    high = check(counts, level=0.99).set_index("test")
    for test in (
        "reinforcement",
        "alpha",
        "backtest",
        "inflection",
        "estimators_of_b",
        "sampling_unit",
        "independence",
    ):
        assert high.loc[test, "lower"] < low.loc[test, "lower"]
        assert low.loc[test, "lower"] < low.loc[test, "upper"]
        assert low.loc[test, "upper"] < high.loc[test, "upper"]


def test_senseless_arguments_are_refused() -> None:
    with pytest.raises(CountsError, match="no unit was ever activated"):
        check(ActivationCounts(np.zeros(9, int), 9))
    with pytest.raises(InputError, match=r"level as a fraction in \(0, 1\)"):
        check(draw_counts(20, 4, 0.4, 40, seed=0), level=2)


@pytest.mark.slow
@settings(max_examples=60)
@given(st.lists(st.lists(st.integers(0, 4), min_size=8, max_size=8), min_size=3, max_size=25))
def test_any_counts_are_judged_or_refused(parts: list[list[int]]) -> None:
    each = np.array(parts, dtype=np.int64).T
    counts = ActivationCounts(each.sum(axis=0), 32, blocks=Blocks(each, np.full(8, 4), 4))
    try:
        table = check(counts)
    except CountsError:
        return
    assert table["verdict"].str.startswith(VERDICTS).all()
