"""What the axes of a tensor mean: which sample, which position and which unit its entries belong
to, followed through reshapes, transpositions and selections.

An axis is a row-major product of runs: an axis of batch × tokens, say, has a run of samples and one
of positions inside it. A run says of each of its entries which sample, or which position of the
model's input, it adds to the number of; where several runs of a tensor do, the numbers add up (a
batch of 12 viewed as 3 × 4 has samples 0, 4, 8 along one axis, and 0, 1, 2, 3 along the other).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

Numbers = range | Tensor  # of the entries of a run: (size,), int64; -1 for none
NONE = -1


@dataclass(frozen=True, eq=False)
class Run:
    """Consecutive entries along an axis, or a factor of one.

    Attributes:
        size: number of entries.
        sample: which samples of the batch they belong to; None if that does not depend on them.
        position: which positions of the model's input, likewise.
        unit: whether the entries are units.
        weak: whether it only may be that these are samples: the size alone says so.
    """

    size: int
    sample: Numbers | None = None
    position: Numbers | None = None
    unit: bool = False
    weak: bool = False

    @property
    def plain(self) -> bool:
        """Whether the entries say nothing of samples or positions."""
        return self.sample is None and self.position is None

    def select(self, index: slice | Tensor) -> Run:
        """The chosen entries alone."""
        sample, position = _select(self.sample, index), _select(self.position, index)
        chosen = len(range(self.size)[index]) if isinstance(index, slice) else len(index)
        return Run(chosen, sample, position, self.unit, self.weak)


Axis = tuple[Run, ...]


@dataclass(frozen=True, eq=False)
class Axes:
    """The axes of a tensor.

    Attributes:
        axes: one for each axis of the tensor.
        sample: added to the number of every sample, once an axis of samples was left for one entry
            of it.
        position: likewise, for positions.
        one_unit: whether an axis of units was left for one entry of it, or summed over, so that the
            entries are of one unit if no other axis has any.
    """

    axes: tuple[Axis, ...]
    sample: int | None = None
    position: int | None = None
    one_unit: bool = False

    @classmethod
    def of_input(
        cls, shape: Sequence[int], positions: int | None = None, weak: bool = False
    ) -> Axes:
        """Of an argument of the model: samples first, and positions along the first axis of their
        number.
        """
        runs = [Run(size) for size in shape]
        runs[0] = Run(shape[0], sample=range(shape[0]), weak=weak)
        if positions is not None and positions in shape[1:]:
            dim = list(shape).index(positions, 1)
            runs[dim] = Run(positions, position=range(positions))
        return cls(tuple((run,) for run in runs))

    def __len__(self) -> int:
        return len(self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes, as of the tensor."""
        return tuple(size(axis) for axis in self.axes)

    @property
    def has_samples(self) -> bool:
        """Whether it is known to which samples the entries belong."""
        runs = (run for axis in self.axes for run in axis)
        return self.sample is not None or any(run.sample is not None for run in runs)

    def with_axis(self, dim: int, axis: Axis) -> Axes:
        """The same with another axis at `dim`."""
        axes = list(self.axes)
        axes[dim] = axis
        return replace(self, axes=tuple(axes))

    def with_samples_once(self) -> Axes:
        """With samples along one axis alone: the surest, and of these the first.

        Arguments may be as large as the batch by chance; and of pairs of samples the one comes
        first.
        """
        dims = [dim for dim, axis in enumerate(self.axes) if any(_of_samples(run) for run in axis)]
        if len(dims) < 2:
            return self
        weak = [all(run.weak for run in self.axes[dim] if _of_samples(run)) for dim in dims]
        best = dims[weak.index(min(weak))]
        axes = list(self.axes)
        for dim in dims:
            if dim != best:
                axes[dim] = tuple(
                    Run(run.size, unit=run.unit) if _of_samples(run) else run for run in axes[dim]
                )
        return replace(self, axes=tuple(axes))

    def without_units(self) -> Axes:
        """The same where no entries are units."""
        axes = (tuple(replace(run, unit=False) for run in axis) for axis in self.axes)
        return replace(self, axes=tuple(axes))

    def permuted(self, order: Sequence[int]) -> Axes:
        """The axes in another order."""
        return replace(self, axes=tuple(self.axes[dim] for dim in order))

    def at(self, dim: int, index: int) -> Axes:
        """One entry of an axis, which is left out."""
        run = merged(self.axes[dim])
        return replace(
            self,
            axes=self.axes[:dim] + self.axes[dim + 1 :],
            sample=_plus(self.sample, run.sample, index),
            position=_plus(self.position, run.position, index),
            one_unit=self.one_unit or run.unit,
        )


def _of_samples(run: Run) -> bool:
    return run.sample is not None


def size(axis: Axis) -> int:
    """Number of entries along an axis."""
    return math.prod(run.size for run in axis)


def merged(axis: Axis) -> Run:
    """An axis as one run."""
    if len(axis) == 1:
        return axis[0]
    sizes = [run.size for run in axis]
    return Run(
        math.prod(sizes),
        sample=_mesh([run.sample for run in axis], sizes),
        position=_mesh([run.position for run in axis], sizes),
        unit=any(run.unit for run in axis),
        weak=any(run.weak for run in axis),
    )


def select(axis: Axis, index: slice | Tensor) -> Axis:
    """The chosen entries of an axis."""
    if isinstance(index, slice) and index.indices(size(axis)) == (0, size(axis), 1):
        return axis
    return (merged(axis).select(index),)


def joined(axes: Sequence[Axis]) -> Axis:
    """Axes one after the other, as `torch.cat` puts them."""
    runs = [merged(axis) for axis in axes]
    return (
        Run(
            sum(run.size for run in runs),
            sample=_joined([run.sample for run in runs], [run.size for run in runs]),
            position=_joined([run.position for run in runs], [run.size for run in runs]),
            unit=any(run.unit for run in runs),
        ),
    )


def as_tensor(numbers: Numbers) -> Tensor:
    """Numbers as a tensor, (size,), int64."""
    if isinstance(numbers, Tensor):
        return numbers
    count = torch.arange(len(numbers))
    return numbers.start + numbers.step * count


def mesh(numbers: Sequence[Numbers | None], sizes: Sequence[int]) -> Tensor:
    """Sums over all combinations, row-major, (product of sizes,); NONE where one of them is."""
    total = torch.zeros(list(sizes), dtype=torch.int64)
    missing = torch.zeros(list(sizes), dtype=torch.bool)
    for i, of_run in enumerate(numbers):
        if of_run is not None:
            shape = [1] * len(sizes)
            shape[i] = sizes[i]
            values = as_tensor(of_run).view(shape)
            total += values
            missing |= values == NONE
    return total.masked_fill(missing, NONE).flatten()


def _mesh(numbers: Sequence[Numbers | None], sizes: Sequence[int]) -> Numbers | None:
    """As `mesh`, and None where no run says anything."""
    return None if all(of_run is None for of_run in numbers) else mesh(numbers, sizes)


def _select(numbers: Numbers | None, index: slice | Tensor) -> Numbers | None:
    if numbers is None:
        return None
    if isinstance(index, slice):
        return numbers[index]
    return as_tensor(numbers)[index.cpu()]


def _plus(number: int | None, numbers: Numbers | None, index: int) -> int | None:
    """The number of a sample, or position, with that of one entry of a run added."""
    return number if numbers is None else (number or 0) + int(numbers[index])


def _joined(numbers: Sequence[Numbers | None], sizes: Sequence[int]) -> Numbers | None:
    if all(of_part is None for of_part in numbers):
        return None
    together = torch.cat(
        [
            torch.full((count,), NONE) if of_part is None else as_tensor(of_part)
            for of_part, count in zip(numbers, sizes, strict=True)
        ]
    )
    start, step = int(together[0]), int(together[1] - together[0]) if len(together) > 1 else 1
    if step > 0 and start >= 0:
        stop = start + step * len(together)
        if bool((together == torch.arange(start, stop, step)).all()):
            return range(start, stop, step)
    return together
