"""A module that is called several times in one forward pass, counted once per sample.

With per="sample" a unit counts once per sample, also if its module is called several times on it,
as in a recurrent network. How often that is, the first forward pass shows: until it ends, what was
active is held; afterwards only where there were several calls.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from actilaw.errors import InputError
from actilaw.recording.accumulator import Accumulator
from actilaw.recording.hook_points import HookPoint
from actilaw.recording.kernels.dispatch import count
from actilaw.recording.kernels.levels import rows_of


@dataclass(frozen=True)
class Held:
    """What the calls of one forward pass found so far.

    Attributes:
        active: (n_samples, n_units), which units were active in any call.
        counted: (n_samples,), which samples have a position that counts.
        nonfinite: (n_samples,), which have a NaN or an infinity.
    """

    active: Tensor
    counted: Tensor
    nonfinite: Tensor

    def __or__(self, other: Held) -> Held:
        return Held(
            active=self.active | other.active,
            counted=self.counted | other.counted,
            nonfinite=self.nonfinite | other.nonfinite,
        )


class RepeatedCalls:
    """One hook point's counts, and how often its module is called in one forward pass.

    Attributes:
        name: of the layer in the census.
        point: where the units are.
        accumulator: their counts.
        calls: of the module in the present forward pass.
        usual_calls: in the forward passes before, or None until one is completed.
    """

    def __init__(self, name: str, point: HookPoint, accumulator: Accumulator) -> None:
        self.name, self.point, self.accumulator = name, point, accumulator
        self.calls = 0
        self.usual_calls: int | None = None
        self._held: Held | None = None

    def add(self, x: Tensor, mask: Tensor | None, in_forward: bool) -> None:
        """Count one output of the module.

        Args:
            x: (n_samples, n_positions, n_units).
            mask: (n_samples, n_positions), or None.
            in_forward: whether the whole model runs, rather than this module by itself.

        Raises:
            InputError: if a module is called again that was called once before, or on other
                samples than a moment ago.
        """
        if in_forward:
            self.calls += 1
        again = in_forward and self.calls > 1
        if not in_forward or self.accumulator.per == "position":
            self.accumulator.add(x, self.point.criterion, mask, again=again)
        elif self.usual_calls != 1:
            self._hold(x, mask)
        elif not again:
            self.accumulator.add(x, self.point.criterion, mask)
        else:
            raise InputError(
                f"expected layer {self.name!r} to be called once per forward pass, as in the "
                "first, but it is called again: count with per='position', where every call counts"
            )

    def end_forward(self, completed: bool) -> None:
        """Count what was held; a forward pass that an error cut short says nothing about the usual
        calls.
        """
        if self._held is not None:
            held = self._held
            self.accumulator.add_active(held.active, held.counted, held.nonfinite)
        if self.calls and completed:
            self.usual_calls = max(self.calls, self.usual_calls or 0)
        self.calls, self._held = 0, None

    def _hold(self, x: Tensor, mask: Tensor | None) -> None:
        rows = rows_of(x, self.point.criterion, mask)
        nonfinite = count(rows).nonfinite
        counted = torch.ones_like(nonfinite) if mask is None else mask.any(1)
        held = Held(active=rows.active().any(1), counted=counted, nonfinite=nonfinite)
        if self._held is None:
            self._held = held
        elif len(self._held.active) != len(held.active):
            raise InputError(
                f"expected layer {self.name!r} to see the same samples whenever it is called in a "
                f"forward pass, but it saw {len(self._held.active)} and then {len(held.active)}: "
                "count with per='position'"
            )
        else:
            self._held |= held
