"""One layer that is counted: a unit counts once per sample, however many calls of the layer in a
batch find it active, and whichever samples each call sees.

The first call is counted at once, and what it found is kept, a byte for each sample and unit, until
the batch is over; a later call adds what it finds beyond that. On accelerators, where keeping costs
memory traffic, only layers that were called several times before are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from actilaw.errors import InputError
from actilaw.recording.accumulator import Accumulator, Found
from actilaw.recording.arrangement import Arranged
from actilaw.recording.criteria import Criterion
from actilaw.recording.kernels.dispatch import count
from actilaw.recording.kernels.levels import rows_of
from actilaw.recording.tracing.origins import Feeder

MOST_KEPT = 1 << 27  # bytes of one layer and batch


@dataclass
class Visit:
    """What one layer did in one batch.

    Attributes:
        base: entries of the layer before this batch.
        calls: of the layer in this batch.
        feeders: numbers of the calls that fed it, by name.
        found: what the calls found in all samples of the batch, or None if that is not kept.
    """

    base: int
    calls: int = 0
    feeders: dict[str, set[int]] = field(default_factory=dict)
    found: Found | None = None


class CountedLayer:
    """One layer's counts.

    Args:
        criterion: when a unit is activated.
        accumulator: its counts.
    """

    def __init__(self, criterion: Criterion, accumulator: Accumulator) -> None:
        self.criterion, self.accumulator = criterion, accumulator
        self._usual_calls: int | None = None  # in the batches before; None until one is complete

    @property
    def name(self) -> str:
        """Of the layer in the census."""
        return self.accumulator.name

    def enter(self) -> Visit:
        """The layer is reached by a batch for the first time."""
        return Visit(self.accumulator.entries)

    def add(self, visit: Visit, activations: Arranged) -> None:
        """Count one call of the layer.

        Raises:
            InputError: if it is called again, and what it found before was not kept, or was found
                in other samples or units.
        """
        if not activations.x.numel():
            return
        if self.accumulator.per == "position":
            self._add_positions(visit, activations)
        elif visit.calls == 0 and activations.samples is None:
            keep = self._keeps(activations)
            visit.found = self._add_all(visit, activations, keep)
        else:
            self._add_more(visit, activations)
        visit.calls += 1

    def leave(self, visit: Visit, completed: bool) -> None:
        """The batch is over; one that an error cut short says nothing about the usual calls."""
        if completed and visit.calls:
            self._usual_calls = max(visit.calls, self._usual_calls or 0)
        visit.found = None

    def _keeps(self, given: Arranged) -> bool:
        cheap = given.x.device.type == "cpu" and len(given.x) * given.x.shape[-1] <= MOST_KEPT
        return cheap or self._usual_calls != 1

    def _add_positions(self, visit: Visit, given: Arranged) -> None:
        if given.samples is None:
            self._add_all(visit, given, keep=False)
        elif given.samples.numel():
            self.accumulator.add_some(
                given.x, self.criterion, given.mask, visit.base, given.samples, given.batch_size
            )

    def _add_all(self, visit: Visit, given: Arranged, keep: bool) -> Found | None:
        return self.accumulator.add(given.x, self.criterion, given.mask, visit.base, keep)

    def _add_more(self, visit: Visit, given: Arranged) -> None:
        """Count what a further call, or one on some of the samples, found."""
        size, units = given.batch_size, given.x.shape[-1]
        if visit.calls and visit.found is None:
            raise InputError(
                f"expected layer {self.name!r} to be called once for a batch, as before, but it is "
                "called again, and what it found first was not kept: count with per='position', "
                "where every call counts"
            )
        if visit.found is None:
            flags = torch.zeros(size, dtype=torch.bool, device=given.x.device)
            nothing = torch.zeros(size, units, dtype=torch.bool, device=given.x.device)
            visit.found = Found(nothing, flags, flags.clone())
        if visit.found.active.shape != (size, units):
            raise InputError(
                f"expected layer {self.name!r} to see the same samples and units whenever it is "
                f"called for a batch, but it saw {tuple(visit.found.active.shape)} and then "
                f"{(size, units)}: count with per='position'"
            )
        samples, found = _by_sample(self._found(given), given)
        index = samples.to(given.x.device)
        before = visit.found[index]
        now = before | found
        self.accumulator.add_newly_active(now, before, visit.base, samples, size)
        for mine, new in zip(vars(visit.found).values(), vars(now).values(), strict=True):
            mine[index] = new

    def _found(self, given: Arranged) -> Found:
        x = given.x
        active = torch.empty(len(x), x.shape[-1], dtype=torch.bool, device=x.device)
        nonfinite = count(rows_of(x, self.criterion, given.mask), active).nonfinite
        counted = torch.ones_like(nonfinite) if given.mask is None else given.mask.any(1)
        return Found(active, counted, nonfinite)


def _by_sample(found: Found, given: Arranged) -> tuple[Tensor, Found]:
    """The samples of a call, each once, and what was found in each."""
    if given.samples is None:
        return torch.arange(len(found.active)), found
    samples, place = given.samples.unique(return_inverse=True)
    if len(samples) == len(given.samples):
        order = place.argsort()
        return samples, found[order.to(given.x.device)]
    index = place.to(given.x.device)

    def any_of(flags: Tensor) -> Tensor:
        none = torch.zeros(len(samples), *flags.shape[1:], dtype=torch.int32, device=flags.device)
        return none.index_add_(0, index, flags.to(torch.int32)) > 0

    return samples, Found(any_of(found.active), any_of(found.counted), any_of(found.nonfinite))


class Feeding:
    """Which layer a call of one module, or function, belongs to, by what feeds it.

    Calls that are fed by the same modules are one layer, called again; calls that are fed by others
    are layers of their own, as the two of a ReLU that a residual block uses twice.
    """

    def __init__(self) -> None:
        self._fed: list[set[frozenset[str]]] = []  # by layer, the sets of names that fed it

    def layer_of(self, feeders: frozenset[Feeder], visits: Sequence[Visit | None]) -> int:
        """The number of the layer; one more than there are for a new one.

        Args:
            feeders: of the call.
            visits: of the layers in the present batch; None for one that it has not reached.
        """
        names = frozenset(name for name, _ in feeders)
        found = self._seen(names)
        if found is None:
            found = self._called_again(feeders, visits)
        if found is None:
            # A layer of an earlier recording, of which that is not known, or a new one.
            found = next((i for i, known in enumerate(self._fed) if not known), len(self._fed))
        if found == len(self._fed):
            self._fed.append(set())
        self._fed[found].add(names)
        return found

    def expect(self, layer: int, fed: Iterable[frozenset[str]]) -> None:
        """There was such a layer in an earlier recording, fed by these sets of names; none where
        that is not known.
        """
        self._fed += [set() for _ in range(layer + 1 - len(self._fed))]
        self._fed[layer].update(fed)

    def fed(self, layer: int) -> frozenset[frozenset[str]]:
        """The sets of names that fed a layer."""
        return frozenset(self._fed[layer]) if layer < len(self._fed) else frozenset()

    def _seen(self, names: frozenset[str]) -> int | None:
        return next((i for i, known in enumerate(self._fed) if names in known), None)

    def _called_again(
        self, feeders: frozenset[Feeder], visits: Sequence[Visit | None]
    ) -> int | None:
        """A layer that another call of one of these feeders fed."""
        for i, visit in enumerate(visits):
            if visit is not None and any(
                name in visit.feeders and number not in visit.feeders[name]
                for name, number in feeders
            ):
                return i
        return None
