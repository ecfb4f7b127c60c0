"""Streaming counts: batches of any size, blocks, first activations."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from actilaw import counter, record
from actilaw.counts.blocks import block_size
from actilaw.errors import InputError
from builders.recorded import INPUTS, assert_same, mlp, recorded


@pytest.mark.slow
def test_batches_of_any_size_give_the_same_census() -> None:
    model = mlp()
    whole = recorded(model, [INPUTS])
    for size in (1, 7, 64):
        assert_same(recorded(model, INPUTS.split(size)), whole)
    first = (torch.relu(model[0](INPUTS)) > 0).detach().numpy()
    assert whole["1"].first.tolist() == np.where(first.any(0), first.argmax(0), -1).tolist()
    assert whole["1"].active_squares == (first.sum(1) ** 2).sum()
    assert whole["1"].blocks.counts[3].tolist() == first[12:16].sum(0).tolist()


@given(st.integers(1, 10**15))
def test_there_are_never_more_than_32_blocks_and_from_17_entries_on_more_than_16(
    entries: int,
) -> None:
    blocks = -(-entries // block_size(entries))
    assert blocks <= 32
    assert blocks > 16 or entries <= 16


def test_prefixes_are_what_was_counted_by_then() -> None:
    x = np.random.default_rng(0).normal(-1.5, 1, size=(100, 30))
    counting = counter()
    counting.update(x)
    part = counting.counts().prefix(5)  # 100 entries: blocks of 4
    early = counter()
    early.update(x[:20])
    assert part.counts.tolist() == early.counts().counts.tolist()
    assert part.first.tolist() == early.counts().first.tolist()
    assert (part.samples, part.entries) == (20, 20)
    with pytest.raises(InputError, match=r"number of blocks in 1\.\.25"):
        counting.counts().prefix(26)


@pytest.mark.slow
def test_variance_of_the_active_units() -> None:
    x = np.random.default_rng(0).normal(size=(100, 30))
    counting = counter()
    counting.update(x)
    assert counting.counts().active_variance == pytest.approx((x > 0).sum(1).var())


@pytest.mark.slow
def test_a_module_that_serves_two_widths_is_refused() -> None:
    model = nn.Sequential(OrderedDict(relu=nn.ReLU()))
    with record(model) as recording:
        model(torch.randn(2, 3))
        with pytest.raises(InputError, match="'relu' had 3 units so far but 4 now"):
            model(torch.randn(2, 4))
    assert recording.census()["relu"].samples == 2
