"""Following tensors through the functions of PyTorch while a network runs, by a mode that PyTorch
calls for every function (`torch.overrides.TorchFunctionMode`).

Of each result it notes where it comes from (`origins`), by the rules of `rules`. Results are never
changed, and a mistake there never stops the network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor, nn
from torch.overrides import (
    TorchFunctionMode,
    _get_current_function_mode_stack,
    _pop_mode,
    _push_mode,
)

from actilaw.recording.tracing.function_calls import (
    FunctionCall,
    function_name,
)
from actilaw.recording.tracing.origins import Feeder, Origin, Origins
from actilaw.recording.tracing.rules import NORMS, found_origins
from actilaw.recording.tracing.weights import CONVOLUTIONS


class Tracer(TorchFunctionMode):
    """Notes the origin of every tensor that depends on the samples of an open batch.

    Args:
        origins: of all tensors.
        feeder: the name of the call of a weight or norm that runs now, and the module that it is
            of; from the function's name and the weight.
        seen: called with every followed call, and the origin of its first result, before that is
            noted; returns the origin to note.
        taken: called with what a weight takes in.
        name_of: the name of a parameter, if it is known.
    """

    def __init__(
        self,
        origins: Origins,
        feeder: Callable[[str, object], tuple[Feeder, str]],
        seen: Callable[[FunctionCall, Origin], Origin],
        taken: Callable[[Tensor, Origin], None],
        name_of: Callable[[Tensor], str | None],
    ) -> None:
        super().__init__()
        self.origins = origins
        self._feeder, self._seen, self._taken = feeder, seen, taken
        self._name_of = name_of

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if isinstance(out, Tensor):
            results: Sequence[Any] = (out,)
        elif isinstance(out, tuple | list) and any(isinstance(item, Tensor) for item in out):
            results = out
        elif getattr(func, "__name__", "") == "__setitem__":
            results = (args[0],)
        else:
            return out
        call = FunctionCall(func, function_name(func), args, kwargs, out, self.origins)
        parts = call.tracked()
        if parts:
            self._follow(call, parts, results)
        else:
            self._follow_weights(call, results)
        return out

    def _follow_weights(self, call: FunctionCall, results: Sequence[Any]) -> None:
        """What is made of weights alone is a weight, too, by the name of the first."""
        for tensor in call.tensors():
            name = self.origins.weight_name(tensor)
            if name is None and isinstance(tensor, nn.Parameter):
                name = self._name_of(tensor)
            if name is not None:
                for result in results:
                    if isinstance(result, Tensor):
                        self.origins.note_weight(result, name)
                return

    def _follow(
        self, call: FunctionCall, parts: list[tuple[Tensor, Origin]], results: Sequence[Any]
    ) -> None:
        found = found_origins(call, parts, self._made)
        first = self._seen(call, found[0])
        for result, origin in zip(results, [first, *found[1:]], strict=False):
            if isinstance(result, Tensor):
                self.origins.note(result, origin)

    def _made(self, call: FunctionCall, origin: Origin, weight: object) -> Origin:
        """The origin of what a weight, or a norm, makes of `origin`."""
        feeder, module = self._feeder(call.name, weight)
        made = replace(origin, feeders=frozenset([feeder]), rectified=False, gate=None)
        if call.name in NORMS:
            return made
        taken = call.origin(call.input)
        if taken is not None:
            self._taken(call.input, taken)
        convolution = call.name in CONVOLUTIONS
        return replace(made, makers=frozenset([module]), by_convolution=convolution)


def is_traced(origins: Origins) -> bool:
    """Whether functions are followed now, in this thread, to note their origins here.

    While PyTorch runs a function that a mode was called for, `Tensor.backward` say, the mode is
    off, though modules may run in it.
    """
    modes = _get_current_function_mode_stack()
    return any(isinstance(mode, Tracer) and mode.origins is origins for mode in modes)


def leave(tracer: Tracer) -> None:
    """Follow functions no longer, also from under other modes that were put on after it."""
    above = []
    while _get_current_function_mode_stack():
        top = _pop_mode()
        if top is tracer:
            break
        above.append(top)
    for other in reversed(above):
        _push_mode(other)
