"""Whether a network is frozen or in training, by the version counters that autograd keeps.

Counts of a network in training mix learning with exposure, so a census says which it was.
PyTorch counts how often each tensor is written to in place; where each parameter lies and its
count change exactly when an optimiser, or any other operation, writes to it.
"""

from __future__ import annotations

from torch import nn


class WeightWatch:
    """Notices whether any parameter of a model changes.

    Attributes:
        changed: whether a change was seen so far.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._versions = _versions(model)
        self.changed = False

    def check(self) -> None:
        """Compare the weights with those of the last look."""
        versions = _versions(self._model)
        self.changed |= versions != self._versions
        self._versions = versions

    def restart(self) -> None:
        """Take the present weights as those to compare with; what changed before does not
        matter.
        """
        self._versions = _versions(self._model)


def regime(changed: bool) -> str:
    """The word for it in a census."""
    return "training" if changed else "frozen"


def _versions(model: nn.Module) -> list[tuple[int, int]]:
    """The place in memory of each parameter, and how often it was written to."""
    return [(p.data_ptr(), 0 if p.is_inference() else p._version) for p in model.parameters()]
