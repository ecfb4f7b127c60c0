"""Progress of long work: a function that is told how many steps are done, after each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Progress = Callable[[int, int], None]  # takes the steps done, and the steps in all
T = TypeVar("T")


def told(steps: Sequence[T], progress: Progress | None) -> Iterator[T]:
    """The steps one by one; after each, `progress` is told how many of them are done."""
    for done, step in enumerate(steps, start=1):
        yield step
        if progress is not None:
            progress(done, len(steps))
