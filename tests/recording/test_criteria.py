"""Rules of when a unit is activated, in every precision, and in words."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from actilaw import Positive, Relative, Threshold, TopK, counter, record
from actilaw.errors import InputError
from actilaw.recording.criteria import describe, rule_from
from builders.recorded import INPUTS, mlp, recorded


@pytest.mark.slow
@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("rule", [Positive(), Threshold(0.3), Relative(0.4)])
def test_every_precision_and_rule(precision: torch.dtype, rule) -> None:
    model = mlp().to(precision)
    inputs = INPUTS.to(precision)
    census = recorded(model, [inputs], layers="1", criterion=rule)
    x = model[:2](inputs).detach().double().numpy()
    active = {
        "positive": x > 0,
        "threshold(0.3)": np.abs(x) > 0.3,
        "relative(0.4)": np.abs(x) > 0.4 * np.abs(x).max(-1, keepdims=True),
    }[str(rule)]
    assert census["1"].counts.tolist() == active.sum(0).tolist()


def test_a_threshold_counts_magnitudes_and_is_written_down() -> None:
    model = nn.Sequential(nn.GELU())
    with record(model, layers="0", criterion=Threshold(0.5)) as recording:
        model(torch.tensor([[3.0, -0.1, 0.2], [1.0, -3.0, 0.7]]))
    counts = recording.census()["0"]
    assert counts.counts.tolist() == [2, 0, 1 if 0.7 * 0.758 > 0.5 else 0]
    assert counts.criterion == "threshold(0.5)"


@pytest.mark.parametrize("rule", [TopK(2), lambda x: x > 2])
def test_nan_is_never_activated_and_infinity_as_the_rule_says(rule) -> None:
    counting = counter(rule)
    x = np.array([[np.nan, 1, 2, 3, 0], [np.inf, 4, 3, 9, 9], [1, 2, 3, 4, 5.0], [3, 3, 3, 3, 3]])
    counting.update(x[:3])
    counts = counting.counts()
    assert counts.nonfinite == 2
    assert counts.counts[0] == 1  # infinity, and not the NaN
    assert counts.counts[4] >= 1


def test_infinity_is_above_zero_for_every_way_to_say_so() -> None:
    x = np.array([[np.inf, -np.inf, np.nan, 1.0], [0.0, -1.0, 2.0, np.inf]])
    for rule in (Positive(), lambda x: x > 0, "positive"):
        model = nn.Sequential(nn.ReLU())
        with record(model, layers="0", criterion=rule) as recording:
            model(torch.from_numpy(x))
        counts = recording.census()["0"]
        assert counts.counts.tolist() == [1, 0, 1, 2]
        assert counts.nonfinite == 2


def test_equals_are_counted_alike_by_the_rule_and_by_counting() -> None:
    x = np.array([[1.0, 3, 3, 3, 3], [0, 0, 0, 0, 0], [5, 4, 5, 1, 4]])
    counting = counter(TopK(2))
    counting.update(x)
    for rows in (TopK(2)(x), TopK(2)(torch.from_numpy(x)).numpy()):
        assert rows.sum(1).tolist() == [2, 2, 2]
        assert counting.counts().counts.tolist() == rows.sum(0).tolist()


@pytest.mark.parametrize("rule", [Positive(), Threshold(0.5), Relative(0.3), TopK(4)])
def test_a_rule_says_of_an_array_what_counting_counts(rule) -> None:
    x = np.random.default_rng(0).normal(size=(40, 9))
    counting = counter(rule)
    counting.update(x)
    assert (
        counting.counts().counts.tolist()
        == rule(x).sum(0).tolist()
        == rule(torch.from_numpy(x)).sum(0).tolist()
    )


def test_a_level_of_minus_zero_is_zero() -> None:
    for rule in (Threshold(-0.0), Relative(-0.0)):
        counting = counter(rule)
        counting.update(np.array([[0.0, 1.0, -1.0]]))
        assert counting.counts().counts.tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    "rule", [Threshold(0.1234567), Threshold(0.12345674), Relative(0.05), TopK(3)]
)
def test_a_rule_is_made_again_from_its_words(rule) -> None:
    assert rule_from(describe(rule)) == rule


@pytest.mark.parametrize(
    "text", ["big", "threshold", "threshold(1e)", "top(1.5)", "relative(0.1", "positive(3)"]
)
def test_words_that_are_no_rule(text: str) -> None:
    with pytest.raises(InputError, match=r"expected positive, threshold\(0.1\)"):
        rule_from(text)
