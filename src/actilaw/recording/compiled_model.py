"""Models under torch.compile: the first forward pass runs uncompiled and shows where samples and
units are; if that is the same for every batch, later ones run compiled, with hooks in them.

Inside compiled code a hook becomes one custom operator (`compiled_ops`), so that no graph is
broken. Where activations are functions, or samples are rearranged on the way, everything runs
uncompiled, with a warning.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

import torch
from torch import nn

from actilaw.errors import ModelError
from actilaw.recording.compiled_hooks import CompiledHooks
from actilaw.recording.masks import MaskReader
from actilaw.recording.observer import Observer


def is_compiled(model: nn.Module) -> bool:
    """Whether torch.compile compiles the model, or a part of it."""
    return any(
        getattr(module, "_orig_mod", None) is not None
        or getattr(module, "_compiled_call_impl", None) is not None
        for module in model.modules()
    )


class CompiledModel:
    """Watches a model by an observer, and by hooks in compiled code once that is possible.

    Args:
        model: the network, unwrapped.
        observer: watches it uncompiled.
        masks: give the mask of each forward pass.
        compiled: whether the model, or a part of it, is compiled.
    """

    def __init__(
        self, model: nn.Module, observer: Observer, masks: MaskReader, compiled: bool
    ) -> None:
        self._model, self._observer, self._compiled = model, observer, compiled
        self._hooks = CompiledHooks(model, masks, observer.lock)
        self._stance: Any = None
        self._settled = False
        observer.before_compiled = self._settle
        observer.keeps_calls = compiled

    def start(self) -> None:
        """Watch from now on."""
        if self._compiled and not hasattr(torch.compiler, "set_stance"):
            raise ModelError(
                "expected PyTorch 2.6 or later to record a compiled model, but got "
                f"{torch.__version__}: record the model before it is compiled"
            )
        self._settled = False
        self._hold_compilation()
        self._observer.start()

    def stop(self) -> None:
        """Watch no longer."""
        if self._settled:
            self._hooks.detach()
            torch.compiler.reset()
        else:
            self._observer.stop()
        self._release_compilation()

    def _hold_compilation(self) -> None:
        """Run compiled code uncompiled from now on, if there is any."""
        held = self._stance is not None or self._settled
        if not held and "torch._dynamo" in sys.modules and hasattr(torch.compiler, "set_stance"):
            self._stance = torch.compiler.set_stance("force_eager")
            self._stance.__enter__()

    def _release_compilation(self) -> None:
        if self._stance is not None:
            self._stance.__exit__(None, None, None)
            self._stance = None

    def _settle(self) -> bool:
        """Before a module runs: let compiled code run if it is known by now what it does, which is
        then counted by hooks.

        Returns:
            Whether it is.
        """
        self._hold_compilation()
        if self._settled or not self._compiled or not self._observer.passes:
            return self._settled
        calls = self._observer.calls_of_pass()
        if calls is None:
            warnings.warn(
                "recording the model uncompiled: its activations are functions, or its samples are "
                "rearranged on the way, which compiled code does not show",
                stacklevel=2,
            )
            self._compiled = False
            return False
        self._observer.stop()
        self._release_compilation()
        self._settled = True
        torch.compiler.reset()
        self._hooks.attach(calls)
        return True
