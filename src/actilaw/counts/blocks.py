"""Counts in contiguous blocks of samples: prefixes for back-tests, replicates for a jackknife.

How many samples will come is not known in advance, so the blocks grow: there are never more than
32, all of the same size, a power of two that doubles when they are full. From 17 entries on there
are always 17 to 32 of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actilaw.errors import CountsError

MOST_BLOCKS = 32


def block_size(entries: int) -> int:
    """Entries per block once `entries` have been seen: the smallest power of two that leaves at
    most 32 blocks.
    """
    return 1 << max(0, -(-entries // MOST_BLOCKS) - 1).bit_length()


@dataclass(frozen=True, eq=False, repr=False)
class Blocks:
    """Counts by block.

    Attributes:
        counts: activations of each unit in each block; (n_blocks, n_units), integers.
        samples: samples in each block; (n_blocks,), integers. Blocks are of equal size in entries
            of the first axis; where an entry holds several samples (positions), or a mask leaves
            some out, their samples differ.
        size: entries of the first axis per block, a power of two; the last block may be part full.

    Raises:
        CountsError: if shapes disagree or a block has more activations of a unit than samples.
    """

    counts: NDArray[np.int64]
    samples: NDArray[np.int64]
    size: int

    def __post_init__(self) -> None:
        for name in ("counts", "samples"):
            try:
                object.__setattr__(self, name, np.asarray(getattr(self, name)))
            except (TypeError, ValueError):  # rows of several lengths
                raise CountsError(f"expected the {name} of blocks as an array") from None
        if self.counts.ndim != 2 or self.samples.shape != (len(self.counts),):
            raise CountsError(
                "expected block counts of shape (n_blocks, n_units) and samples of shape "
                f"(n_blocks,), but got {self.counts.shape} and {self.samples.shape}"
            )
        if (
            self.counts.dtype.kind != "i"
            or self.samples.dtype.kind != "i"
            or not 1 <= len(self.counts) <= MOST_BLOCKS
        ):
            raise CountsError(
                f"expected 1 to {MOST_BLOCKS} blocks of whole numbers, but got "
                f"{len(self.counts)} of {self.counts.dtype}"
            )
        if not _is_power_of_two(self.size):
            raise CountsError(
                f"expected a block size that is a power of two, but got {self.size!r}"
            )
        object.__setattr__(self, "size", int(self.size))
        if np.any((self.counts < 0) | (self.counts > self.samples[:, np.newaxis])):
            raise CountsError("expected block counts between 0 and the samples of their block")

    def __len__(self) -> int:
        return len(self.counts)

    def __repr__(self) -> str:
        return (
            f"<Blocks: {len(self)} of {self.size:,} entries, {self.counts.shape[1]:,} units, "
            f"{self.samples.sum():,} samples>"
        )

    def coarsened(self, size: int) -> Blocks:
        """The same counts in blocks of `size`, a power of two at least the present one.

        Raises:
            CountsError: if `size` is smaller, or no power of two.
        """
        if not _is_power_of_two(size) or size < self.size:
            raise CountsError(
                f"expected a power of two, at least {self.size}, as size of blocks, but got {size}"
            )
        starts = np.arange(0, len(self), size // self.size)
        return Blocks(
            np.add.reduceat(self.counts, starts, axis=0),
            np.add.reduceat(self.samples, starts),
            size,
        )

    def merge(self, other: Blocks) -> Blocks:
        """Counts of two recordings that ran side by side: block by block, in blocks of the larger
        size.

        Raises:
            CountsError: if the two have different units.
        """
        if not isinstance(other, Blocks) or other.counts.shape[1] != self.counts.shape[1]:
            raise CountsError(f"expected Blocks of the same units to merge, but got {other!r}")
        size = max(self.size, other.size)
        longer, shorter = sorted(
            (self.coarsened(size), other.coarsened(size)), key=len, reverse=True
        )
        counts, samples = longer.counts.copy(), longer.samples.copy()
        counts[: len(shorter)] += shorter.counts
        samples[: len(shorter)] += shorter.samples
        return Blocks(counts, samples, size)


def _is_power_of_two(size: object) -> bool:
    return isinstance(size, int | np.integer) and int(size).bit_count() == 1 and int(size) > 0
