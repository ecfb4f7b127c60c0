"""The window over a recording that goes on, beside a count of the last samples alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actilaw import ActivationCounts
from actilaw.errors import InputError
from actilaw.integrations.window import NOTES_PER_WINDOW, Window


@pytest.mark.slow
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=60),
    st.integers(1, 300),
    st.integers(0, 2**32 - 1),
)
def test_a_window_holds_what_happened_since_a_moment_just_before_it(
    batches: list[int], samples: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    active = rng.random((sum(batches), 7)) < np.array([0, 0.001, 0.01, 0.05, 0.2, 0.7, 1])
    window = Window(samples)
    for end in np.cumsum(batches):
        counts = ActivationCounts(active[:end].sum(0), int(end))
        window.note({"layer": counts})
        recent = window.recent("layer", counts)
        assert recent.full == (end >= samples)
        assert recent.samples >= min(samples, end)
        assert recent.samples <= samples + max(batches) + samples / NOTES_PER_WINDOW
        np.testing.assert_array_equal(recent.counts, active[end - recent.samples : end].sum(0))
        assert recent.dead_fraction == (recent.counts == 0).mean()
    kept = window.arrays()["samples of layer"]
    assert len(kept) <= 2 * NOTES_PER_WINDOW + 3


def test_a_window_goes_on_from_its_arrays() -> None:
    first, second = Window(10), Window(10)
    for samples in (4, 8, 12, 16):
        first.note({"a of b": ActivationCounts(np.array([samples // 4, 0]), samples)})
    second.restore(first.arrays())
    now = ActivationCounts(np.array([5, 1]), 20)
    one, other = first.recent("a of b", now), second.recent("a of b", now)
    assert one.samples == other.samples == 12
    assert one.counts.tolist() == other.counts.tolist() == [3, 1]


@pytest.mark.parametrize("samples", [0, -1, 1.5, "many"])
def test_a_window_of_no_whole_number_is_refused(samples: object) -> None:
    with pytest.raises(InputError, match="expected whole window"):
        Window(samples)  # type: ignore[arg-type]
