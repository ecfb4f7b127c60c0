"""Streaming counts of one layer: by unit, in blocks, with each unit's first activation, in memory
that follows the units alone.

Blocks are contiguous and of equal size. Whenever there would be too many, neighbours are put
together, so that their number stays bounded however many samples come.

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
from actilaw.recording.kernels.rows import Counted, Rows
from actilaw.support.arrays import Ints


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


@dataclass(frozen=True)
class Found:
    """What was found in samples of a batch.

    Attributes:
        active: which units were active; (n_samples, n_units), bool.
        counted: which samples have a position that counts; (n_samples,), bool.
        nonfinite: which have a NaN or an infinity; (n_samples,), bool.
    """

    active: Tensor
    counted: Tensor
    nonfinite: Tensor

    def __getitem__(self, samples: Tensor) -> Found:
        return Found(self.active[samples], self.counted[samples], self.nonfinite[samples])

    def __or__(self, other: Found) -> Found:
        return Found(
            self.active | other.active,
            self.counted | other.counted,
            self.nonfinite | other.nonfinite,
        )


class Accumulator:
    """Running counts of one layer.

    Args:
        name: of the layer, for messages.
        per: "sample" (a unit counts once per entry) or "position" (every position is a sample).
        start: number of the first entry.
        stride: step from the number of one entry to the next.
    """

    def __init__(self, name: str, per: str = "sample", start: int = 0, stride: int = 1) -> None:
        self.name, self.per, self.start, self.stride = name, per, start, stride
        self.totals: Totals | None = None
        self.size = 1
        self.entries = 0
        self.reach = 0  # one more than the number of the last entry

    def add(
        self,
        x: Tensor,
        criterion: Criterion,
        mask: Tensor | None = None,
        base: int | None = None,
        keep: bool = False,
    ) -> Found | None:
        """Count activations.

        Args:
            x: (n_entries, n_positions, n_units).
            criterion: the rule.
            mask: (n_entries, n_positions), true where they count; None for all.
            base: number of the first entry; by default they are new ones. With per="position",
                entries that were counted before are counted once more.
            keep: whether to return which units were active; for per="sample".

        Raises:
            InputError: if the number of units is not that of the entries before.
        """
        entries, positions = x.shape[:2]
        rows = rows_of(x, criterion, mask)
        totals = self._totals(x.shape[-1], x.device)
        base = self.entries if base is None else base
        self._advance(max(self.entries, base + entries))
        if self.per == "position":
            rows, per_entry = rows.flattened(), positions
        else:
            per_entry = 1
        active = torch.empty(entries, x.shape[-1], dtype=torch.bool, device=x.device)
        nonfinite = torch.empty(entries, dtype=torch.bool, device=x.device)
        for block, first, last in self._parts(base, entries):
            part = rows[first * per_entry : last * per_entry]
            found = count(part, active[first:last] if keep else None)
            self._add_counts(totals, block, part, found, base + first, per_entry)
            if keep:
                nonfinite[first:last] = found.nonfinite
        if not keep:
            return None
        counted = torch.ones_like(nonfinite) if mask is None else mask.any(1)
        return Found(active, counted, nonfinite)

    def add_some(
        self,
        x: Tensor,
        criterion: Criterion,
        mask: Tensor | None,
        base: int,
        entries: Tensor,
        batch_size: int,
    ) -> None:
        """Count every position of some entries of a batch, in any order, as a sample.

        Args:
            x: (n_rows, n_positions, n_units).
            criterion: the rule.
            mask: (n_rows, n_positions), true where they count; None for all.
            base: number of the first entry of the batch.
            entries: of each row, from 0 in the batch; (n_rows,).
            batch_size: entries of the batch.
        """
        positions = x.shape[1]
        rows = rows_of(x, criterion, mask).flattened()
        totals = self._totals(x.shape[-1], x.device)
        self._advance(max(self.entries, base + batch_size))
        numbers = self._numbers(base, entries).repeat_interleave(positions)
        for block, chosen in self._by_block(numbers):
            part = rows.chosen(chosen.to(x.device))
            self._add_counts(totals, block, part, count(part), numbers[chosen])

    def add_newly_active(
        self, found: Found, before: Found, base: int, entries: Tensor, batch_size: int
    ) -> None:
        """Count what one more call found in some samples of a batch, on top of what was counted of
        them before.

        Args:
            found: in these samples by now, what was found before among it.
            before: in the same samples.
            base: number of the first entry of the batch.
            entries: of each row, from 0 in the batch, each once; (n_rows,).
            batch_size: entries of the batch.
        """
        totals = self._totals(found.active.shape[-1], found.active.device)
        self._advance(max(self.entries, base + batch_size))
        numbers, squares = self._numbers(base, entries), totals.sums[0].clone()
        device = found.active.device
        for block, chosen in self._by_block(numbers):
            index = chosen.to(device)
            more = found.active[index] & ~before.active[index]
            rows = rows_of_booleans(more[:, None], nonfinite=None, mask=None)
            self._add_counts(totals, block, rows, count(rows), numbers[chosen])
            totals.block_samples[block] -= len(index)  # they count below, if for the first time
            totals.block_samples[block] += (found.counted & ~before.counted)[index].sum()
        n_before, n_now = before.active.sum(1), found.active.sum(1)
        totals.sums[0] = squares + n_now.square().sum() - n_before.square().sum()
        totals.sums[1] += (found.nonfinite & ~before.nonfinite).sum()

    def add_indices(self, indices: Tensor, units: int) -> None:
        """Count entries given by their active units alone, in time O(n_active) for each.

        Args:
            indices: (n_entries, n_active), each once in its row, or -1 for none.
            units: N, number of units of the layer.

        Raises:
            InputError: if an index is outside -1..units-1, or the number of units is not that of
                the entries before.
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
        block_and_unit = (entry // self.size) * units + flat
        totals.blocks.view(-1).index_add_(0, block_and_unit, torch.ones_like(block_and_unit))
        totals.block_samples.index_add_(0, numbers // self.size, torch.ones_like(numbers))
        _note_first(totals.first, flat, entry)
        totals.sums[0] += (valid.sum(1) ** 2).sum()

    def result(self, criterion: str, regime: str) -> ActivationCounts | None:
        """The counts so far, or None before the first sample."""
        if self.totals is None:
            return None
        blocks, samples = _as_array(self.totals.blocks), _as_array(self.totals.block_samples)
        sums = _as_array(self.totals.sums)
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
            first=_as_array(self.totals.first),
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
                "now: a module that serves layers of different widths cannot be counted as one; "
                "give each layer its own module"
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
        """Put neighbouring blocks together until they hold `size` entries each, a power of two."""
        factor = size // self.size
        if factor > 1 and self.totals is not None:
            self.totals.blocks = _coarser(self.totals.blocks, factor)
            self.totals.block_samples = _coarser(self.totals.block_samples, factor)
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

    def _numbers(self, base: int, entries: Tensor) -> Tensor:
        """Numbers of the entries of a batch among all, on the CPU."""
        return self.start + self.stride * (base + entries.cpu())

    def _by_block(self, numbers: Tensor) -> Iterator[tuple[int, Tensor]]:
        """The rows of each block, those with the lowest numbers first."""
        blocks = numbers // self.size
        for block in blocks.unique().tolist():
            chosen = (blocks == block).nonzero().squeeze(1)
            yield block, chosen[numbers[chosen].argsort(stable=True)]

    def _add_counts(
        self,
        totals: Totals,
        block: int,
        rows: Rows,
        found: Counted,
        base: int | Tensor,
        per_entry: int = 1,
    ) -> None:
        """Add what was found in rows of one block.

        Args:
            totals: to add to.
            block: its number.
            rows: in the order of their entries.
            found: in them.
            base: the first entry of this process; or the numbers of all rows among all entries.
            per_entry: rows of one entry.
        """
        totals.blocks[block] += found.units
        totals.block_samples[block] += (
            len(rows.bits) if rows.mask is None else rows.mask.any(1).sum()
        )
        totals.sums[0] += found.active.square().sum()
        totals.sums[1] += found.nonfinite.sum()
        newly_working = ((totals.first < 0) & (found.units > 0)).nonzero().squeeze(1)
        if newly_working.numel():
            first = first_rows(rows, newly_working)
            if isinstance(base, Tensor):
                totals.first[newly_working] = base.to(first.device)[first]
            else:
                entry = base + first // per_entry
                totals.first[newly_working] = self.start + self.stride * entry


def _note_first(first: Tensor, units: Tensor, entries: Tensor) -> None:
    """Write the earliest entry of each unit that has none yet into `first` (n_units,).

    Args:
        first: entry of each unit's first activation, or -1.
        units: (n,), of every activation.
        entries: (n,), of every activation.
    """
    new = first[units] < 0
    if bool(new.any()):
        names, where = units[new].unique(return_inverse=True)
        latest = torch.full_like(names, torch.iinfo(torch.int64).max)
        first[names] = latest.scatter_reduce(0, where, entries[new], "amin")


def _coarser(fine: Tensor, factor: int) -> Tensor:
    """Sums of `factor` neighbours along the first axis; what is left of the axis is zero."""
    together = fine.unflatten(0, (-1, min(factor, len(fine)))).sum(1)
    coarse = torch.zeros_like(fine)
    coarse[: len(together)] = together
    return coarse


def _as_array(values: Tensor) -> Ints:
    """A copy in NumPy, which later counts do not change."""
    return values.cpu().numpy().copy()
