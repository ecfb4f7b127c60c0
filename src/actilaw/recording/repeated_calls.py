"""What one place in a network sees of forward passes: once each, or several times."""

from __future__ import annotations

import torch
from torch import Tensor

from actilaw.errors import InputError
from actilaw.recording.accumulator import Accumulator
from actilaw.recording.kernels.dispatch import count
from actilaw.recording.kernels.levels import rows_of
from actilaw.recording.layers import HookPoint


class RepeatedCalls:
    """One site's tally, and how often its module is called in one forward pass.

    With per="sample" a unit counts once per sample, also if its module is called several times on
    it. How often that
    is, the first forward pass tells: until it ends, what was active is held; later only where calls
        were several.
    """

    def __init__(self, name: str, point: HookPoint, accumulator: Accumulator) -> None:
        self.name, self.point, self.accumulator = name, point, accumulator
        self.calls = 0
        self.usual_calls: int | None = None
        self._held: tuple[Tensor, Tensor, Tensor] | None = None

    def add(self, x: Tensor, keep: Tensor | None, in_forward: bool) -> None:
        """Count one output of the module."""
        if not in_forward:
            return self.accumulator.add(x, self.point.criterion, keep)
        self.calls += 1
        if self.accumulator.per == "position":
            return self.accumulator.add(x, self.point.criterion, keep, again=self.calls > 1)
        if self.usual_calls == 1 and self.calls == 1:
            return self.accumulator.add(x, self.point.criterion, keep)
        if self.usual_calls == 1:
            raise InputError(
                f"expected layer {self.name!r} to be called once per forward pass, as in the "
                "first, but it is called "
                "again: count with per='position', where every call counts"
            )
        return self._hold(x, keep)

    def end_forward(self, completed: bool) -> None:
        """Count what was held; a forward pass that an error cut short teaches nothing about the
        usual calls.
        """
        if self._held is not None:
            self.accumulator.add_mask(*self._held)
        if self.calls and completed:
            self.usual_calls = max(self.calls, self.usual_calls or 0)
        self.calls, self._held = 0, None

    def _hold(self, x: Tensor, keep: Tensor | None) -> None:
        rows = rows_of(x, self.point.criterion, keep)
        active, nonfinite = rows.active().any(1), count(rows).nonfinite
        counts = torch.ones_like(nonfinite) if keep is None else keep.any(1)
        if self._held is None:
            self._held = (active, counts, nonfinite)
        elif len(self._held[0]) != len(active):
            raise InputError(
                f"expected layer {self.name!r} to see the same samples whenever it is called in a "
                "forward pass, but it "
                f"saw {len(self._held[0])} and then {len(active)}: count with per='position'"
            )
        else:
            before, before_counts, before_nonfinite = self._held
            self._held = (before | active, before_counts | counts, before_nonfinite | nonfinite)
