from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from actilaw import ActivationCounts, Blocks, Census, load
from actilaw.errors import CountsError, InputError
from builders.strategies import small_layers


def test_summary_quantities_by_hand() -> None:
    layer = ActivationCounts(np.array([0, 3, 1, 0]), 4)
    assert (layer.units, layer.samples, layer.working, layer.idle, layer.active) == (
        4,
        4,
        2,
        2,
        1.0,
    )


def test_counts_cannot_be_changed_afterwards() -> None:
    given_array = np.array([1, 2])
    layer = ActivationCounts(given_array, 4)
    given_array[0] = 3
    assert layer.counts[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        layer.counts[0] = 2


@pytest.mark.parametrize(
    ("counts", "samples", "message"),
    [
        ([0, 5, -1], 4, r"counts in 0\.\.4, but 2 of 3 lie outside \(-1\.\.5\)"),
        ([0.5, 1], 4, "whole numbers as counts, but got float64"),
        ([np.nan, 1], 4, "whole numbers as counts, but got float64"),
        (["a"], 4, "whole numbers as counts"),
        ([], 4, r"shape \(n_units,\), one per unit, but got shape \(0,\)"),
        ([[1, 2]], 4, r"but got shape \(1, 2\)"),
        ([0], 0, r"whole number of samples in 1\.\.2\^62, but got 0"),
        ([0], 1.5, r"whole number of samples in 1\.\.2\^62, but got 1\.5"),
    ],
)
def test_impossible_counts_are_refused(counts: list, samples: float, message: str) -> None:
    with pytest.raises(CountsError, match=message):
        ActivationCounts(np.array(counts), samples)


@pytest.mark.slow
@given(small_layers, small_layers, small_layers)
def test_merge_is_commutative_and_associative(
    a: ActivationCounts, b: ActivationCounts, c: ActivationCounts
) -> None:
    for left, right in ((a.merge(b), b.merge(a)), (a.merge(b).merge(c), a.merge(b.merge(c)))):
        np.testing.assert_array_equal(left.counts, right.counts)
        assert left.samples == right.samples


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (ActivationCounts(np.array([1]), 4), "units agree, but one has 2, one 1"),
        (ActivationCounts(np.array([1, 2]), 4, criterion="threshold(1)"), "criterion agree"),
        (ActivationCounts(np.array([1, 2]), 4, per="position"), "per agree"),
    ],
)
def test_only_like_counts_merge(other: ActivationCounts, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ActivationCounts(np.array([1, 2]), 4).merge(other)


def test_units_and_frequencies_by_hand() -> None:
    layer = ActivationCounts(np.array([0, 2, 0, 4]), 8)
    assert layer.frequencies.tolist() == [0, 0.25, 0, 0.5]
    assert layer.working_units.tolist() == [1, 3]
    assert layer.idle_units.tolist() == [0, 2]


def test_a_token_is_a_position() -> None:
    assert ActivationCounts(np.array([1]), 2, per="token").per == "position"
    with pytest.raises(CountsError, match="expected per to be one of sample, position, token"):
        ActivationCounts(np.array([1]), 2, per="pixel")


def test_first_activations_may_be_a_list() -> None:
    layer = ActivationCounts(np.array([2, 0]), 4, first=[1, -1])
    np.testing.assert_array_equal(layer.first, [1, -1])
    with pytest.raises(CountsError, match="of exactly the units with a count"):
        ActivationCounts(np.array([2, 0]), 4, first=[1])


def test_blocks_are_coarsened_to_larger_powers_of_two_alone() -> None:
    blocks = Blocks(np.array([[1, 0], [2, 1], [0, 2]]), np.array([2, 2, 2]), 2)
    np.testing.assert_array_equal(blocks.coarsened(4).counts, [[3, 1], [0, 2]])
    for size in (1, 3, 6):
        with pytest.raises(CountsError, match=f"power of two, at least 2, .* but got {size}"):
            blocks.coarsened(size)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"counts": [[1], [1, 2]]}, "expected counts as an array, but got"),
        ({"first": [[0], [1, 2]]}, "expected first activations as an array, but got"),
        ({"first": [0, 1, 2]}, "expected a first activation, among the entries seen"),
        ({"first": "ab"}, "expected a first activation, among the entries seen"),
        ({"first": [0.5, 1]}, "expected a first activation, among the entries seen"),
        ({"per": ["sample"]}, "expected per to be one of sample, position, token, but got"),
        ({"regime": np.array(["frozen", "b"])}, "expected regime to be one of frozen"),
        ({"blocks": [1, 2]}, "expected Blocks or None, but got list"),
        ({"active_squares": -1}, "expected a whole number of active_squares >= 0, but got -1"),
        ({"active_squares": float("inf")}, "expected a whole number of active_squares >= 0"),
        ({"samples": "many"}, r"expected a whole number of samples in 1\.\.2\^62, but got 'many'"),
        ({"samples": float("nan")}, "expected a whole number of samples"),
        ({"nonfinite": None}, "expected a whole number of nonfinite"),
    ],
)
def test_impossible_arguments_are_refused_in_a_sentence(arguments: dict, said: str) -> None:
    with pytest.raises(CountsError, match=said):
        ActivationCounts(**{"counts": [1, 1], "samples": 2} | arguments)


@pytest.mark.parametrize(
    ("counts", "samples", "size", "said"),
    [
        ([1, 2], [2], 2, "expected block counts of shape"),
        ([[1.5]], [2], 2, "expected 1 to 32 blocks of whole numbers"),
        ([[1]], [2], "2", "expected a block size that is a power of two, but got '2'"),
        ([[1]], [2], 2.0, "expected a block size that is a power of two, but got 2.0"),
        ([[1]], [2], 3, "expected a block size that is a power of two, but got 3"),
        ([[3]], [2], 2, "expected block counts between 0 and the samples"),
        ([[1], [1, 2]], [2, 2], 2, "expected the counts of blocks as an array"),
        (None, None, 2, "expected block counts of shape"),
    ],
)
def test_impossible_blocks_are_refused_in_a_sentence(counts, samples, size, said: str) -> None:
    with pytest.raises(CountsError, match=said):
        Blocks(counts, samples, size)


def test_numbers_of_numpy_become_those_of_python(tmp_path) -> None:
    """JSON has no others."""
    counts = ActivationCounts(
        np.array([1, 1]),
        np.int32(3),
        nonfinite=np.int64(1),
        entries=np.float64(3),
        active_squares=np.int64(2),
        blocks=Blocks([[1, 1]], [3], np.int64(4)),
    )
    loaded = load(Census({"a": counts}).save(tmp_path / "a"))["a"]
    assert (loaded.samples, loaded.nonfinite, loaded.entries) == (3, 1, 3)


def test_squares_beyond_64_bits_are_kept(tmp_path) -> None:
    counts = ActivationCounts(np.array([1, 1]), 2**62, active_squares=2**70)
    loaded = load(Census({"a": counts}).save(tmp_path / "a"))["a"]
    assert loaded.active_squares == 2**70


@pytest.mark.parametrize("blocks", ["x", 2.5, 0, 3, None])
def test_a_prefix_of_no_number_of_blocks_is_refused(blocks: object) -> None:
    counts = ActivationCounts([1, 1], 3, blocks=Blocks([[1, 0], [0, 1]], [2, 1], 2))
    with pytest.raises(InputError, match="expected"):
        counts.prefix(blocks)  # type: ignore[arg-type]


def test_wrong_calls_are_refused_in_a_sentence() -> None:
    counts, blocks = ActivationCounts([1, 0], 3), Blocks([[1, 0]], [3], 4)
    for samples in ([[1], [1, 2]], "x", None, 4, 1.5):
        with pytest.raises(InputError, match="expected"):
            counts.rarefied(samples)  # type: ignore[arg-type]
    for other in (None, counts, Blocks([[1]], [3], 4)):
        with pytest.raises(CountsError, match="expected Blocks of the same units to merge"):
            blocks.merge(other)  # type: ignore[arg-type]
