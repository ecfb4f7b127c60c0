"""Curves as loggers keep them: what is taken, and what is refused with the row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from actilaw import ActivationCounts
from actilaw.counts.blocks import Blocks
from actilaw.errors import CountsError, InputError
from actilaw.forecasting.logged_curve import curve_of_first_activations, logged_curve

SAMPLES, WORKING = [10, 20, 40, 80, 160], [3, 5, 8, 12, 17]


def test_lists_arrays_and_columns_of_pandas_are_one_curve() -> None:
    table = pd.DataFrame({"tokens": SAMPLES, "alive": WORKING}, index=range(5, 10))
    for samples, working in (
        (SAMPLES, WORKING),
        (np.array(SAMPLES, float), np.array(WORKING)),
        (table["tokens"], table["alive"]),
        (SAMPLES, np.array(WORKING, np.float32) / np.float32(100)),  # shares of 100 units
        ([0, *SAMPLES, 160], [0, *WORKING, 17]),  # a row before all, and a row twice
    ):
        curve = logged_curve(samples, working, 100)
        assert curve.rows.tolist() == SAMPLES
        assert curve.counted.tolist() == WORKING
        assert (curve.samples, curve.working, curve.idle) == (160, 17, 83)
    assert curve.rarefied([0, 5, 30, 160]).tolist() == [0, 1.5, 6.5, 17]


@pytest.mark.parametrize(
    ("samples", "working", "said"),
    [
        (SAMPLES, [3, 5, 8, 7, 17], r"row 4 \(samples 80\) has 7 after 8: a logger that starts"),
        ([10, 20, 15, 80, 160], WORKING, "samples that grow.*row 3 has 15 after 20: sort"),
        ([10, 20, 20, 80, 160], WORKING, "rows 2 and 3 have 5 and 8 after 20"),
        (SAMPLES, [3, 5, 8, 12, 101], "at most 100 working units, but row 5 has 101.*dead"),
        (SAMPLES, [3, 5, 8, 12], "4 for 5"),
        (SAMPLES, [3, 5, 8, 12, -1], "expected whole working"),
        (SAMPLES, [3, 5, 8, 12.5, 17], "expected whole working"),
        (SAMPLES, [3, 5, np.nan, 12, 17], "expected whole working"),
        (SAMPLES, ["a"] * 5, "expected numbers of working units"),
        ([0, *SAMPLES[1:]], WORKING, "before the first sample, but row 1 has 3"),
        ([1.5, *SAMPLES[1:]], WORKING, "expected whole samples"),
        ([], [], "at least one number"),
    ],
)
def test_what_is_no_curve_is_refused_with_the_row(samples, working, said: str) -> None:
    with pytest.raises(InputError, match=said):
        logged_curve(samples, working, 100)


def test_a_curve_without_a_shape_is_refused() -> None:
    with pytest.raises(CountsError, match="4 different numbers of working units, but got 2"):
        logged_curve(SAMPLES, [3, 3, 3, 9, 9], 100)


def test_first_activations_are_the_curve_of_the_recording() -> None:
    rng = np.random.default_rng(0)
    active = rng.random((64, 500)) < rng.beta(0.3, 5, 500)
    first = np.where(active.any(axis=0), active.argmax(axis=0), -1)
    counts = ActivationCounts(active.sum(axis=0), 64, first=first, entries=64)
    curve = curve_of_first_activations(counts)
    by_hand = [active[:samples].any(axis=0).sum() for samples in curve.rows]
    assert curve.counted.tolist() == by_hand
    assert (curve.samples, curve.working) == (64, counts.working)


def test_positions_are_samples_and_recordings_side_by_side_share_entries() -> None:
    first = np.array([0, 1, 2, 4, 6, -1])
    blocks = Blocks(np.array([[8, 8, 8, 0, 0, 0], [8, 8, 8, 9, 9, 0]]), np.array([40, 40]), 4)
    counts = ActivationCounts(
        blocks.counts.sum(axis=0), 80, per="position", entries=16, first=first, blocks=blocks
    )
    curve = curve_of_first_activations(counts)
    assert curve.rows.tolist() == [10, 20, 30, 40, 50, 60, 70, 80]
    assert curve.counted.tolist() == [1, 2, 3, 3, 4, 4, 5, 5]


def test_counts_without_first_activations_are_refused() -> None:
    with pytest.raises(InputError, match="expected counts that tell when each unit was first"):
        curve_of_first_activations(ActivationCounts(np.array([1, 0, 3]), 5))
