"""Ctrl-C and SIGTERM between two steps of a long run, never within one, so that what is saved
afterwards holds whole steps.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

DEFAULT = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}


class Interruption:
    """Inside its block the first SIGINT raises KeyboardInterrupt and the first SIGTERM SystemExit,
    but within a `step` only when that is over. A second signal acts at once, as without the block.

    Handlers that a program has set itself stay, and outside the main thread nothing is changed.
    """

    def __init__(self) -> None:
        self._in_step = False
        self._postponed: BaseException | None = None
        self._before: dict[int, Any] = {}
        self._process = os.getpid()

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for number, default in DEFAULT.items():
                if signal.getsignal(number) == default:
                    self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()

    @contextmanager
    def step(self) -> Iterator[None]:
        """What a first signal does not cut short."""
        self._in_step = True
        try:
            yield
        except Exception as error:
            # A signal to a whole group of processes ends workers too, of which the step dies.
            if self._postponed is not None:
                raise self._postponed from error
            raise
        finally:
            self._in_step = False
        if self._postponed is not None:
            raise self._postponed

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._restore()
        if os.getpid() != self._process:  # a worker that was forked off in the block
            os.kill(os.getpid(), number)
            return
        error = KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)
        if not self._in_step:
            raise error
        self._postponed = error

    def _restore(self) -> None:
        while self._before:
            signal.signal(*self._before.popitem())
