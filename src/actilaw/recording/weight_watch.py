"""Whether a network is frozen or in training, by the contents of its weights.

Counts of a network in training mix learning with exposure, so a census says which it was. Fused
optimisers, writes through NumPy and calls with other weights leave no trace in the version counters
that autograd keeps, and moving a network to another type and back leaves one though nothing
changed. So numbers are compared: all of a small tensor, one of every row of a large one. A large
tensor that was written to in place, by its counter, counts as changed.

A checksum is taken at the edges of the block and whenever a census is asked for; between them, each
forward pass only looks whether the weights are still the same tensors.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

COMPARED_WHOLE = 2**16  # elements up to which all of a tensor are compared


class WeightWatch:
    """Notices whether any parameter or buffer of a model changes.

    Attributes:
        changed: whether a change was seen so far.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self.changed = False
        self.restart()

    def check(self) -> None:
        """Compare the weights with those of the last look."""
        if self.changed:
            return
        states = _states(self._model)
        before, self._states = self._states, states
        self._remember()
        self.changed = (
            len(before) != len(states)
            or any(
                one.versions_tell and one.memory == other.memory and one.version != other.version
                for one, other in zip(before, states, strict=True)
            )
            or not all(one.same_numbers(other) for one, other in zip(before, states, strict=True))
        )

    def restart(self) -> None:
        """Take the present weights as those to compare with; what changed before does not
        matter.
        """
        self._states = _states(self._model)
        self._remember()

    def look(self) -> None:
        """Compare the weights if they are other tensors than at the last look."""
        if not self.changed and any(
            holder.get(name) is not tensor for holder, name, tensor in self._holders
        ):
            self.check()

    def _remember(self) -> None:
        self._holders = [
            (module._parameters, name, parameter)
            for module in self._model.modules()
            for name, parameter in module._parameters.items()
        ]


def regime(changed: bool) -> str:
    """The word for it in a census."""
    return "training" if changed else "frozen"


class _State:
    """One tensor at one time.

    Attributes:
        memory: where it lies.
        version: how often it was written to in place.
        versions_tell: whether the checksum leaves numbers out, so that the version decides.
    """

    def __init__(self, tensor: Tensor) -> None:
        tensor = tensor.detach()
        self.memory = tensor.data_ptr() if tensor.layout == torch.strided else 0
        self.version = 0 if tensor.is_inference() else tensor._version
        self.versions_tell = tensor.numel() > COMPARED_WHOLE
        self._sample = _sample(tensor)

    def same_numbers(self, other: _State) -> bool:
        """Whether the compared numbers are the same, whatever their type."""
        one, another = self._sample, other._sample
        if one.shape != another.shape:
            return False
        return bool(torch.equal(one.to(another.device, torch.float64), another.double()))


def _states(model: nn.Module) -> list[_State]:
    with torch._C.DisableTorchFunction(), torch.no_grad():
        return [_State(tensor) for tensor in _tensors(model)]


def _tensors(model: nn.Module) -> Iterator[Tensor]:
    for tensor in (*model.parameters(), *model.buffers()):
        if not is_lazy(tensor) and not tensor.is_meta:
            yield tensor


def _sample(tensor: Tensor) -> Tensor:
    """A copy of the numbers that are compared: all, or one of every row, each row at another
    place.
    """
    if tensor.layout != torch.strided or tensor.is_quantized:
        tensor = tensor.dequantize() if tensor.is_quantized else tensor.to_dense()
    flat = tensor.reshape(-1) if tensor.is_contiguous() else tensor.contiguous().view(-1)
    if tensor.numel() > COMPARED_WHOLE:
        row = max(tensor.shape[-1] - 1, 1)
        flat = flat[:: min(row, tensor.numel() // 1024)]
    flat = torch.view_as_real(flat).flatten() if flat.is_complex() else flat
    return flat.nan_to_num(nan=12345.678).clone() if flat.is_floating_point() else flat.clone()
