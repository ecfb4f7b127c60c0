"""The running counts of one layer: by unit, in blocks, first activations; memory follows the units
alone.

An entry is one item of the first axis (an image, a text); its number, counted from 0, tells its
block. With `stride` processes side by side, the entries of process `start` are start, start +
stride, ...: the order in which one process would have seen them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.counts.blocks import MOST_BLOCKS, Blocks, block_size
from actilaw.errors import InputError
from actilaw.recording.criteria import Criterion
from actilaw.recording.kernels.dispatch import count, first_rows
from actilaw.recording.kernels.levels import rows_of, rows_of_booleans
from actilaw.recording.kernels.rows import Rows


@dataclass
class Totals:
    """Sums on the device where the activations are.

    Attributes:
        blocks: activations by block and unit; (32, n_units), int64.
        block_samples: samples by block; (32,), int64.
        first: entry of each unit's first activation, or -1; (n_units,), int64.
        sums: squared numbers of active units per sample, and samples with a NaN or infinity; (2,),
            int64.
    """

    blocks: Tensor
    block_samples: Tensor
    first: Tensor
    sums: Tensor

    @classmethod
    def zeros(cls, units: int, device: torch.device) -> Totals:
        def zeros(*shape: int) -> Tensor:
            return torch.zeros(shape, dtype=torch.int64, device=device)

        return cls(zeros(MOST_BLOCKS, units), zeros(MOST_BLOCKS), zeros(units) - 1, zeros(2))


class Accumulator:
    """Running counts of one layer.

    Args:
        name: of the layer, for messages.
        per: "sample" (a unit counts once per entry) or "position" (every position is a sample).
        start, stride: number of the first entry, and the step from one to the next.
    """

    def __init__(self, name: str, per: str = "sample", start: int = 0, stride: int = 1) -> None:
        self.name, self.per, self.start, self.stride = name, per, start, stride
        self.totals: Totals | None = None
        self.size = 1
        self.entries = 0
        self.reach = 0  # one more than the number of the last entry
        self._base = 0  # entries seen before the present forward pass

    def add(
        self, x: Tensor, criterion: Criterion, keep: Tensor | None = None, again: bool = False
    ) -> None:
        """Count activations (n_entries, n_positions, n_units); `keep` (n_entries, n_positions) says
        what counts.

        `again`: these are the last entries once more, as of a module that is called twice in one
        forward pass.
        """
        totals = self._totals(x.shape[-1], x.device)
        entries, positions = x.shape[:2]
        base = self._base = self._base if again else self.entries
        self._advance(max(self.entries, base + entries))
        rows = rows_of(x, criterion, keep)
        if self.per == "position":
            rows, per_entry = rows.flattened(), positions
        else:
            per_entry = 1
        for block, first, last in self._parts(base, entries):
            part = rows[first * per_entry : last * per_entry]
            self._add_block(totals, block, part, base + first, per_entry)

    def add_mask(self, active: Tensor, kept: Tensor, nonfinite: Tensor) -> None:
        """Count entries of which it is known which units were active (n_entries, n_units), and
        which count at all.
        """
        totals = self._totals(active.shape[-1], active.device)
        base = self.entries
        self._advance(base + len(active))
        rows = rows_of_booleans(active[:, None], None, kept[:, None])
        for block, first, last in self._parts(base, len(active)):
            self._add_block(totals, block, rows[first:last], base + first, 1)
        totals.sums[1] += (nonfinite & kept).sum()

    def add_indices(self, indices: Tensor, units: int) -> None:
        """Count entries given by their active units alone: indices (n_entries, n_active), -1 for
        none; O(n_active).

        Each index must stand once in its row.
        """
        if indices.numel() and not (int(indices.max()) < units and int(indices.min()) >= -1):
            raise InputError(
                f"expected indices in 0..{units - 1}, or -1 for none, at layer {self.name!r}, "
                f"but got {int(indices.min())}..{int(indices.max())}"
            )
        totals = self._totals(units, indices.device)
        entries, base = len(indices), self.entries
        self._advance(base + entries)
        valid = indices >= 0
        numbers = self.start + self.stride * torch.arange(
            base, base + entries, device=indices.device
        )
        flat, entry = indices[valid], numbers[:, None].expand_as(indices)[valid]
        spread = (entry // self.size) * units + flat
        totals.blocks.view(-1).index_add_(0, spread, torch.ones_like(spread))
        totals.block_samples.index_add_(0, numbers // self.size, torch.ones_like(numbers))
        new = totals.first[flat] < 0
        if bool(new.any()):
            names, where = flat[new].unique(return_inverse=True)
            never = torch.full_like(names, torch.iinfo(torch.int64).max)
            totals.first[names] = never.scatter_reduce(0, where, entry[new], "amin")
        totals.sums[0] += (valid.sum(1) ** 2).sum()

    def result(self, criterion: str, regime: str) -> ActivationCounts | None:
        """The counts so far, or None before the first sample."""
        if self.totals is None:
            return None
        blocks, samples, first, sums = (
            t.cpu().numpy().copy()
            for t in (
                self.totals.blocks,
                self.totals.block_samples,
                self.totals.first,
                self.totals.sums,
            )
        )
        if not samples.sum():
            return None
        used = -(-self.reach // self.size)
        return ActivationCounts(
            blocks.sum(0),
            int(samples.sum()),
            per=self.per,
            criterion=criterion,
            nonfinite=int(sums[1]),
            regime=regime,
            entries=self.entries,
            active_squares=int(sums[0]),
            first=first,
            blocks=Blocks(blocks[:used], samples[:used], self.size),
        )

    def resume(self, counts: ActivationCounts) -> None:
        """Go on from counts that an earlier recording of the same layer left."""
        if (
            counts.blocks is None
            or counts.first is None
            or counts.active_squares is None
            or counts.entries is None
        ):
            raise InputError(
                f"expected recorded counts of layer {self.name!r}, with blocks, to go on from"
            )
        totals = self._totals(counts.units, torch.device("cpu"))
        used = len(counts.blocks)
        totals.blocks[:used] = torch.from_numpy(np.array(counts.blocks.counts))
        totals.block_samples[:used] = torch.from_numpy(np.array(counts.blocks.samples))
        totals.first[:] = torch.from_numpy(np.array(counts.first))
        totals.sums[:] = torch.tensor([counts.active_squares, counts.nonfinite])
        self.size = counts.blocks.size
        self._advance(counts.entries)

    def _totals(self, units: int, device: torch.device) -> Totals:
        if self.totals is None:
            self.totals = Totals.zeros(units, device)
        if self.totals.first.numel() != units:
            raise InputError(
                f"layer {self.name!r} had {self.totals.first.numel()} units so far but {units} "
                "now: a module that "
                "serves layers of different widths cannot be counted as one; give each layer its "
                "own module"
            )
        if self.totals.first.device != device:
            self.totals = Totals(*(t.to(device) for t in vars(self.totals).values()))
        return self.totals

    def _advance(self, entries: int) -> None:
        """Make room for so many entries in all."""
        self.entries = entries
        self.reach = self.start + self.stride * (entries - 1) + 1 if entries else 0
        self.coarsen(max(self.size, block_size(self.reach)))

    def coarsen(self, size: int) -> None:
        """Put neighbouring blocks together until they hold `size` entries each."""
        factor = size // self.size
        if factor > 1 and self.totals is not None:
            for name in ("blocks", "block_samples"):
                fine = getattr(self.totals, name)
                coarse = torch.zeros_like(fine)
                together = fine.unflatten(0, (-1, min(factor, MOST_BLOCKS))).sum(1)
                coarse[: len(together)] = together
                setattr(self.totals, name, coarse)
        self.size = size

    def _parts(self, base: int, entries: int) -> Iterator[tuple[int, int, int]]:
        """The block of each run of entries, and the run's first and (excluded) last, counted from
        `base`.
        """
        first = 0
        while first < entries:
            block = (self.start + self.stride * (base + first)) // self.size
            # Entries t of this block have start + stride t < (block + 1) size.
            last = min(entries, -(-((block + 1) * self.size - self.start) // self.stride) - base)
            yield block, first, last
            first = last

    def _add_block(self, totals: Totals, block: int, rows: Rows, base: int, per_entry: int) -> None:
        found = count(rows)
        totals.blocks[block] += found.units
        totals.block_samples[block] += (
            len(rows.bits) if rows.keep is None else rows.keep.any(1).sum()
        )
        totals.sums[0] += found.active.square().sum()
        totals.sums[1] += found.nonfinite.sum()
        woken = ((totals.first < 0) & (found.units > 0)).nonzero().squeeze(1)
        if woken.numel():
            entry = base + first_rows(rows, woken) // per_entry
            totals.first[woken] = self.start + self.stride * entry
