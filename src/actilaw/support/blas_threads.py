"""One BLAS thread while a public function runs: its matrices are small, and threads that wait for
each other on a busy machine cost far more than they gain.

OpenBLAS shares a matrix of 100 x 100 out among all cores and waits for the slowest, which on a
machine that trains is a core that somebody else has. Most builds have one limit for the whole
process, so callers are counted: the first one sets it, and the last one gives back what was found.
Builds that run on OpenMP have a limit for each thread, and their callers are counted by thread.
Libraries other than BLAS, such as the OpenMP of torch, keep their threads.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, local
from typing import Any

from threadpoolctl import ThreadpoolController

BLAS_THREADS: int | None = 1  # None leaves them as they are, for benchmarks/busy.py


class _Limit:
    """A limit on some of the libraries, and how many callers need it now."""

    def __init__(self) -> None:
        self._callers = 0
        self._found: list[tuple[Any, int]] = []

    def enter(self, libraries: list[Any]) -> None:
        if self._callers == 0 and BLAS_THREADS is not None:
            self._found = [(library, library.get_num_threads()) for library in libraries]
            for library in libraries:
                _set_threads(library, BLAS_THREADS)
        self._callers += 1

    def leave(self) -> None:
        self._callers -= 1
        if self._callers == 0:
            for library, threads in self._found:
                _set_threads(library, threads)
            self._found = []


class _OfThread(local):
    """The limit of the thread that looks at it."""

    def __init__(self) -> None:
        self.limit = _Limit()


_lock = Lock()
_of_process, _of_thread = _Limit(), _OfThread()
# Libraries with a limit for the process, those with one for each thread, and how many modules were
# loaded when they were looked for.
_libraries: tuple[list[Any], list[Any], int] = [], [], 0


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Within the block, or the function that it decorates, BLAS uses one thread; callers may be
    nested, and run side by side.
    """
    with _lock:
        shared, own = _loaded_libraries()
        _of_process.enter(shared)
        _of_thread.limit.enter(own)
    try:
        yield
    finally:
        with _lock:
            _of_process.leave()
            _of_thread.limit.leave()


def _loaded_libraries() -> tuple[list[Any], list[Any]]:
    """The BLAS libraries loaded, looked for again once more modules have been imported."""
    global _libraries
    if len(sys.modules) != _libraries[2]:
        found = ThreadpoolController().select(user_api="blas").lib_controllers
        own = [library for library in found if _has_limit_by_thread(library)]
        shared = [library for library in found if library not in own]
        _libraries = shared, own, len(sys.modules)
    return _libraries[:2]


def _has_limit_by_thread(library: Any) -> bool:
    layer = getattr(library, "threading_layer", "")
    return layer == "openmp" or library.internal_api == "blis"


def _set_threads(library: Any, threads: int) -> None:
    """Set the number of threads, from whichever thread.

    For OpenBLAS, threadpoolctl 3.8 ignores all but the thread that set a limit first, and the last
    caller may be another one.
    """
    set_threads = getattr(library, "_real_set_num_threads", library.set_num_threads)
    set_threads(threads)
