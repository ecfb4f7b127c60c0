"""One layer that is counted: a unit counts once per sample, however many calls of the layer in a
batch find it active, and whichever samples each call sees.

How often a layer is called in a batch, the first batch shows: until that ends, what was active is
held; afterwards only where there were several calls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from actilaw.errors import InputError
from actilaw.recording.accumulator import Accumulator
from actilaw.recording.arrangement import Arranged
from actilaw.recording.criteria import Criterion
from actilaw.recording.kernels.dispatch import count
from actilaw.recording.kernels.levels import rows_of
from actilaw.recording.origins import Feeder

Again = Callable[[], Arranged | None]


@dataclass
class Held:
    """What the calls of one batch found so far, for all of its samples.

    Attributes:
        active: (n_samples, n_units), which units were active in any call.
        counted: (n_samples,), which samples have a position that counts.
        nonfinite: (n_samples,), which have a NaN or an infinity.
    """

    active: Tensor
    counted: Tensor
    nonfinite: Tensor

    def note(self, other: Held, samples: Tensor | None) -> None:
        """Add what another call found, on these samples or on all."""
        if samples is None:
            self.active |= other.active
            self.counted |= other.counted
            self.nonfinite |= other.nonfinite
            return
        index = samples.to(self.active.device)
        for mine, more in zip(vars(self).values(), vars(other).values(), strict=True):
            found = torch.zeros_like(mine, dtype=torch.int32)
            mine |= found.index_add_(0, index, more.to(torch.int32)) > 0


@dataclass
class Visit:
    """What one layer did in one batch.

    Attributes:
        base: entries of the layer before this batch.
        calls: of the layer in this batch.
        feeders: numbers of the calls that fed it, by name.
        held: what was found and is not counted yet, or was counted already.
        counted: whether `held`, or the first call, was counted.
        first: gives the first call's activations again, or None once they are gone.
    """

    base: int
    calls: int = 0
    feeders: dict[str, set[int]] = field(default_factory=dict)
    held: Held | None = None
    counted: bool = False
    first: Again | None = None


class CountedLayer:
    """One layer's counts.

    Args:
        criterion: when a unit is activated.
        accumulator: its counts.
    """

    def __init__(self, criterion: Criterion, accumulator: Accumulator) -> None:
        self.criterion, self.accumulator = criterion, accumulator
        self.usual_calls: int | None = None  # in the batches before; None until one is complete

    @property
    def name(self) -> str:
        """Of the layer in the census."""
        return self.accumulator.name

    def enter(self) -> Visit:
        """The layer is reached by a batch for the first time."""
        return Visit(self.accumulator.entries)

    def add(self, visit: Visit, activations: Arranged, again: Again) -> None:
        """Count one call of the layer.

        Args:
            visit: of the present batch.
            activations: of the call, which are not kept.
            again: gives them again, or None once they are gone.

        Raises:
            InputError: if it is called again, was called once before, and what it returned first is
                gone.
        """
        if not activations.x.numel():
            return
        if self.accumulator.per == "position":
            self._add_positions(visit, activations)
        elif visit.calls == 0 and self.usual_calls == 1 and activations.samples is None:
            self._add_rows(visit, activations)
            visit.counted = True
            visit.first = again
        else:
            if visit.counted and visit.held is None:
                visit.held = self._again(visit)
            self._hold(visit, activations)
        visit.calls += 1

    def leave(self, visit: Visit, completed: bool) -> None:
        """Count what is held; a batch that an error cut short says nothing about the usual
        calls.
        """
        self.put_away(visit)
        if completed and visit.calls:
            self.usual_calls = max(visit.calls, self.usual_calls or 0)
        visit.held = visit.first = None

    def put_away(self, visit: Visit) -> None:
        """Count what is held."""
        held = visit.held
        if held is not None and not visit.counted:
            self.accumulator.add_active(held.active, held.counted, held.nonfinite, visit.base)
            visit.counted = True

    def _add_positions(self, visit: Visit, given: Arranged) -> None:
        if given.samples is None:
            self._add_rows(visit, given)
            return
        if given.samples.numel():
            self.accumulator.add_some(
                given.x, self.criterion, given.mask, visit.base, given.samples, given.batch_size
            )

    def _add_rows(self, visit: Visit, given: Arranged) -> None:
        self.accumulator.add(given.x, self.criterion, given.mask, visit.base)

    def _again(self, visit: Visit) -> Held:
        """What the first call of this batch found, which was counted at once."""
        activations = None if visit.first is None else visit.first()
        if activations is None:
            raise InputError(
                f"expected layer {self.name!r} to be called once for a batch, as in the first, but "
                "it is called again, and what it returned then is gone: count with "
                "per='position', where every call counts"
            )
        return self._found(activations)

    def _hold(self, visit: Visit, given: Arranged) -> None:
        found = self._found(given)
        held = visit.held
        if held is None:
            if given.samples is None:
                visit.held = found
                return
            units, device = given.x.shape[-1], given.x.device
            flags = torch.zeros(given.batch_size, dtype=torch.bool, device=device)
            held = visit.held = Held(
                torch.zeros(given.batch_size, units, dtype=torch.bool, device=device),
                flags,
                flags.clone(),
            )
        if len(held.active) != given.batch_size or held.active.shape[1] != given.x.shape[-1]:
            raise InputError(
                f"expected layer {self.name!r} to see the same samples and units whenever it is "
                f"called for a batch, but it saw {tuple(held.active.shape)} and then "
                f"{(given.batch_size, given.x.shape[-1])}: count with per='position'"
            )
        if visit.counted:
            before = Held(held.active.clone(), held.counted.clone(), held.nonfinite.clone())
            held.note(found, given.samples)
            self.accumulator.add_newly_active(
                before.active, held.active, before.counted, held.counted, visit.base
            )
        else:
            held.note(found, given.samples)

    def _found(self, given: Arranged) -> Held:
        rows = rows_of(given.x, self.criterion, given.mask)
        nonfinite = count(rows).nonfinite
        counted = torch.ones_like(nonfinite) if given.mask is None else given.mask.any(1)
        return Held(rows.active().any(1), counted, nonfinite)


class Feeding:
    """Which layer a call of one module, or function, belongs to, by what feeds it.

    Calls that are fed by the same modules are one layer, called again; calls that are fed by others
    are layers of their own, as the two of a ReLU that a residual block uses twice.
    """

    def __init__(self) -> None:
        self._fed: list[set[frozenset[str]]] = []  # by layer, the sets of names that fed it

    def layer_of(self, feeders: frozenset[Feeder], visits: list[Visit | None]) -> int:
        """The number of the layer; one more than there are for a new one.

        Args:
            feeders: of the call.
            visits: of the layers in the present batch; None for one that it has not reached.
        """
        names = frozenset(name for name, _ in feeders)
        found = self._seen(names)
        if found is None:
            found = self._called_again(feeders, visits)
        if (
            found is None
        ):  # a layer of an earlier recording, of which that is not known, or a new one
            found = next((i for i, known in enumerate(self._fed) if not known), len(self._fed))
        if found == len(self._fed):
            self._fed.append(set())
        self._fed[found].add(names)
        return found

    def expect(self, layers: int) -> None:
        """There were so many layers in an earlier recording, told apart in the same order."""
        self._fed = [set() for _ in range(layers)]

    def _seen(self, names: frozenset[str]) -> int | None:
        return next((i for i, known in enumerate(self._fed) if names in known), None)

    def _called_again(self, feeders: frozenset[Feeder], visits: list[Visit | None]) -> int | None:
        """A layer that another call of one of these feeders fed."""
        for i, visit in enumerate(visits):
            if visit is not None and any(
                name in visit.feeders and number not in visit.feeders[name]
                for name, number in feeders
            ):
                return i
        return None
