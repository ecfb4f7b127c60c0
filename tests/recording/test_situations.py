"""`record` in a table of situations, each compared with a count by brute force."""

from __future__ import annotations

import warnings

import pytest
import torch

from recording.situations import (
    architectures,
    axes,
    calls,
    compiled,
    copies,
    functional,
    libraries,
    masks,
    mixing,
    single_units,
    training,
    values,
)
from recording.situations.case import TABLE, Situation, compare

# Each fills the table.
SUBJECTS = (
    architectures,
    axes,
    calls,
    compiled,
    copies,
    functional,
    libraries,
    masks,
    mixing,
    single_units,
    training,
    values,
)


def _tests() -> list:
    return [
        pytest.param(
            situation,
            per,
            id=f"{situation.name}-{per}",
            marks=[pytest.mark.slow] if situation.slow else [],
        )
        for situation in TABLE
        for per in situation.per
    ]


@pytest.mark.parametrize(("situation", "per"), _tests())
def test_counts_are_those_of_brute_force(situation: Situation, per: str) -> None:
    torch.manual_seed(0)
    case = situation.build()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning)
        compare(case, per)
