"""Seeing every call of a module, with its arguments and what it returned.

A forward hook would be copied and pickled with the module it is registered on, and a global hook
sees neither keyword arguments nor what the module's own hooks change. So `nn.Module.__call__`
itself is replaced while somebody watches, as `torch.fx` does while it traces.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import torch
from torch import nn


class Watcher(Protocol):
    """Something that is told of calls of modules."""

    def watches(self, module: nn.Module) -> bool:
        """Whether calls of this module concern it."""
        ...

    def call(
        self,
        module: nn.Module,
        run: Callable[[], Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Return what `run()` does, which is the call of the module with these arguments."""
        ...


_lock = threading.Lock()
_watchers: tuple[Watcher, ...] = ()
_original: Any = None


def watch(watcher: Watcher) -> None:
    """Tell a watcher of every call of a module from now on."""
    global _watchers, _original
    with _lock:
        if not _watchers:
            _original = nn.Module.__call__
            nn.Module.__call__ = _watched_call
        _watchers = (*_watchers, watcher)


def unwatch(watcher: Watcher) -> None:
    """Tell the watcher no longer."""
    global _watchers
    with _lock:
        _watchers = tuple(other for other in _watchers if other is not watcher)
        if not _watchers and nn.Module.__call__ is _watched_call:
            nn.Module.__call__ = _original


def _watched_call(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
    if torch.compiler.is_compiling():
        return _original(self, *args, **kwargs)
    return _through(_watchers, self, args, kwargs)


def _through(
    watchers: tuple[Watcher, ...], module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """The call, inside the calls of all watchers that it concerns."""
    for place, watcher in enumerate(watchers):
        if watcher.watches(module):
            run = partial(_through, watchers[place + 1 :], module, args, kwargs)
            return watcher.call(module, run, args, kwargs)
    return _original(module, *args, **kwargs)
