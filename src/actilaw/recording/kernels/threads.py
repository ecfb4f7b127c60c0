"""Sharing rows among threads: compiled loops let go of Python's lock, so several run at once.

Each thread takes the next few rows when it is done with the last. With equal halves the slower
thread decides, and one often is slower: PyTorch's own threads spin for some milliseconds after each
function, on the core that a thread of ours is to run on.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch

WORTH_A_THREAD = 1 << 17  # activations from which a second thread pays
TAKEN_AT_ONCE = 1 << 19  # activations that a thread takes at once

_pools: dict[int, ThreadPoolExecutor] = {}


def in_shares(n_rows: int, size: int, work: Callable[[int, slice], None]) -> None:
    """Call work(thread, part of the rows) for all parts, at once where there is enough to share.

    Args:
        n_rows: rows to share.
        size: activations in all of them.
        work: takes the number of the thread, and a slice of the rows; called several times by each
            thread.
    """
    threads = min(torch.get_num_threads(), n_rows) if size >= WORTH_A_THREAD else 1
    if threads <= 1:
        work(0, slice(0, n_rows))
        return
    most = min(TAKEN_AT_ONCE * n_rows // size, -(-n_rows // threads))
    rows = max(most // 2 * 2, 1)  # even, as the loops read two rows at a time
    starts = itertools.count(0, rows)

    def take(thread: int) -> None:
        while (start := next(starts)) < n_rows:
            work(thread, slice(start, min(start + rows, n_rows)))

    others = [_pool(threads - 1).submit(take, thread) for thread in range(1, threads)]
    take(0)
    for other in others:
        other.result()  # where an error of that thread comes out


def _pool(threads: int) -> ThreadPoolExecutor:
    if threads not in _pools:
        _pools[threads] = ThreadPoolExecutor(threads, thread_name_prefix="actilaw")
    return _pools[threads]


if hasattr(os, "register_at_fork"):  # a forked process inherits the pools but not their threads
    os.register_at_fork(after_in_child=_pools.clear)
