"""Row-major reshapes: which runs, or factors of them, make up each axis of the new shape.

Sizes alone say how runs of several entries are shared out. Runs of one entry have to be placed
between them: a unit that stands alone must not end up in an axis of positions, nor in the axis
beside its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from torch import Tensor

from actilaw.recording.tracing.axes import Axes, Axis, Run


def reshaped(axes: Axes, shape: Sequence[int]) -> Axes | None:
    """The axes after a row-major reshape, or None where it cannot be followed."""
    if 0 in shape or math.prod(shape) != math.prod(axes.shape):
        return None
    runs = [run for axis in axes.axes for run in axis]
    found: list[Axis] = []
    while len(found) < len(shape):
        wanted = shape[len(found)]
        if wanted > 1:
            taken = _take(runs, wanted)
            if taken is None:
                return None
            found.append(taken)
        else:
            ones = len(list(takewhile(lambda size: size == 1, shape[len(found) :])))
            single = list(takewhile(lambda run: run.size == 1, runs))
            del runs[: len(single)]
            found += _placed(single, ones, last=not runs)
    left = [run for run in runs if _tells(run)]
    if found:
        found[-1] = (*found[-1], *left)
        return replace(axes, axes=tuple(found))
    axes = Axes(tuple((run,) for run in left), axes.sample, axes.position, axes.one_unit)
    while len(axes):
        axes = axes.at(0, 0)
    return axes


def _tells(run: Run) -> bool:
    """Whether a run says anything of its entries."""
    return run.unit or not run.plain


def _take(runs: list[Run], wanted: int) -> Axis | None:
    """Take so many entries off the front of a list of runs, with the telling runs of one entry
    among them; None if no whole runs, or factors of them, are so many.
    """
    taken: list[Run] = []
    missing = wanted
    while missing > 1:
        run = runs.pop(0)
        if run.size > missing:
            parts = _split(run, missing) if run.size % missing == 0 else None
            if parts is None:
                return None
            run = parts[0]
            runs.insert(0, parts[1])
        if missing % run.size:
            return None
        if run.size > 1 or _tells(run):
            taken.append(run)
        missing //= run.size
    return tuple(taken)


def _placed(single: list[Run], ones: int, last: bool) -> list[Axis]:
    """Runs of one entry, in order, on consecutive axes of one entry, whose number may differ.

    Args:
        single: the runs.
        ones: the number of axes.
        last: whether no longer axis follows.
    """
    single = list(single)
    while len(single) > ones and not all(map(_tells, single)):
        single.pop(max(i for i, run in enumerate(single) if not _tells(run)))
    if len(single) > ones:  # the first ones share an axis, as samples and positions usually do
        shared = len(single) - ones + 1
        return [tuple(single[:shared]), *((run,) for run in single[shared:])]
    silent = [i for i, run in enumerate(single) if not _tells(run)]
    at = silent[0] if silent else len(single)
    if not silent and last and single and single[-1].unit:
        at -= 1  # units that were last remain so
    new = [Run(1)] * (ones - len(single))
    return [(run,) for run in (*single[:at], *new, *single[at:])]


def _split(run: Run, outer: int) -> tuple[Run, Run] | None:
    """A run as a product, `outer` × the rest; None where its numbers are no such sum."""
    inner = run.size // outer
    parts = (replace(run, size=outer), replace(run, size=inner))
    for kind in ("sample", "position"):
        numbers = getattr(run, kind)
        parts = (replace(parts[0], **{kind: None}), replace(parts[1], **{kind: None}))
        if isinstance(numbers, Tensor):
            return None
        if numbers is not None:
            first = range(numbers.start, numbers.stop, numbers.step * inner)
            rest = range(0, numbers.step * inner, numbers.step)
            parts = (replace(parts[0], **{kind: first}), replace(parts[1], **{kind: rest}))
    return parts
