"""What axes mean after reshapes, selections and joins: beside an array that holds the numbers."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from actilaw.recording.tracing import axes as of_axes
from actilaw.recording.tracing.axes import NONE, Axes, Run
from actilaw.recording.tracing.reshapes import reshaped


def numbers_of(axes: Axes) -> Tensor:
    """The sample of every entry, by the runs."""
    runs = [run for axis in axes.axes for run in axis]
    total = of_axes.mesh([run.sample for run in runs], [run.size for run in runs])
    return (total + (axes.sample or 0)).view(axes.shape)


def batch(*shape: int) -> tuple[Axes, Tensor]:
    """Axes of an input, and the sample of each of its entries."""
    samples = torch.arange(shape[0]).view(-1, *[1] * (len(shape) - 1)).expand(shape)
    return Axes.of_input(shape), samples


def factors(number: int) -> list[int]:
    """Prime factors of a number."""
    for d in range(2, number + 1):
        if number % d == 0:
            return [d, *factors(number // d)]
    return []


@pytest.mark.slow
@given(st.lists(st.sampled_from([1, 2, 3, 4, 6]), min_size=1, max_size=4), st.data())
def test_any_reshape_keeps_the_samples(shape: list[int], data) -> None:
    axes, samples = batch(*shape)
    for _ in range(3):
        parts = data.draw(st.permutations(factors(math.prod(shape))))
        cuts = data.draw(st.lists(st.integers(0, len(parts)), max_size=3).map(sorted))
        bounds = list(zip([0, *cuts], [*cuts, len(parts)], strict=True))
        wanted = [math.prod(parts[a:b]) for a, b in bounds]
        new = reshaped(axes, wanted)
        if new is None:  # a factor of one axis and of the next, as 2 x 3 viewed as 3 x 2
            return
        axes, samples = new, samples.reshape(wanted)
        assert axes.shape == tuple(wanted)
        assert torch.equal(numbers_of(axes), samples)


@pytest.mark.slow
@given(st.integers(1, 12), st.integers(1, 5), st.data())
def test_slices_and_indices_take_the_samples_along(size: int, width: int, data) -> None:
    axes, samples = batch(size, width)
    rows = data.draw(st.slices(size).filter(lambda part: (part.step or 1) > 0))
    index = torch.tensor(data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=9)))
    for chosen in (rows, index):
        taken = axes.with_axis(0, of_axes.select(axes.axes[0], chosen))
        assert torch.equal(numbers_of(taken), samples[chosen])
        folded = reshaped(axes, [size * width])
        assert folded is not None
        if isinstance(chosen, Tensor):
            taken = folded.with_axis(0, of_axes.select(folded.axes[0], chosen))
            assert torch.equal(numbers_of(taken), samples.reshape(-1)[chosen])


@pytest.mark.slow
@given(st.integers(1, 12), st.lists(st.integers(1, 11), max_size=3))
def test_parts_that_are_joined_again_are_the_batch(size: int, cuts: list[int]) -> None:
    axes, _ = batch(size, 3)
    bounds = [0, *sorted(cut for cut in set(cuts) if cut < size), size]
    parts = [of_axes.select(axes.axes[0], slice(a, b)) for a, b in pairwise(bounds)]
    assert of_axes.joined(parts)[0].sample == range(size)


def test_entries_that_are_no_samples_are_none_of_them() -> None:
    joined = of_axes.joined([(Run(2),), (Run(3, sample=range(3)),)])
    assert of_axes.as_tensor(joined[0].sample).tolist() == [NONE, NONE, 0, 1, 2]


def test_one_entry_of_an_axis_leaves_its_number() -> None:
    axes, samples = batch(5, 2, 3)
    one = axes.at(0, 3)
    assert torch.equal(numbers_of(one), samples[3])
    split = reshaped(axes, [5, 6])
    assert split is not None
    assert split.at(1, 4).sample is None


@pytest.mark.parametrize(
    ("shape", "wanted"), [((2, 3), (3, 2)), ((4, 3), (6, 2)), ((0, 3), (3, 0))]
)
def test_what_cannot_be_followed_is_unknown(
    shape: tuple[int, ...], wanted: tuple[int, ...]
) -> None:
    axes, samples = batch(*shape)
    new = reshaped(axes, wanted)
    assert new is None or torch.equal(numbers_of(new), samples.reshape(wanted))


S, U, ONE, PLACES = Run(1, sample=range(1)), Run(1, unit=True), Run(1), Run(2)


@pytest.mark.parametrize(
    ("before", "shape", "unit_at"),
    [
        ([S, PLACES, U], (2, 1), 1),  # one axis for samples and positions
        ([S, PLACES, U], (1, 1, 2, 1), 3),  # height, width, channels
        ([S, U, PLACES], (1, 1, 2, 1), 1),  # channels, height, width
        ([S, U, PLACES], (1, 1, 1, 2), 1),
        ([S, ONE, U], (1, 1, 1, 1), 3),
        ([S, U, ONE], (1, 1, 1, 1), 1),
        ([S, U, ONE, ONE], (1, 1, 1), 1),
        ([S, ONE, U], (1, 1), 1),
        ([S, U], (1, 1, 1), 2),
        ([S, ONE, PLACES, ONE, U], (1, 2, 1), 2),
    ],
)
def test_a_unit_that_stands_alone_keeps_its_place(
    before: list[Run], shape: tuple[int, ...], unit_at: int
) -> None:
    new = reshaped(Axes(tuple((run,) for run in before)), shape)
    assert new is not None
    assert [any(run.unit for run in axis) for axis in new.axes].index(True) == unit_at
    assert sum(any(run.unit for run in axis) for axis in new.axes) == 1
    assert new.axes[0][0].sample == range(1)
