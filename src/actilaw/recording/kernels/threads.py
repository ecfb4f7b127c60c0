"""Sharing rows among threads: compiled loops let go of Python's lock, so each thread takes an equal
part.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch

WORTH_A_THREAD = 1 << 17  # activations from which a second thread pays

_pools: dict[int, ThreadPoolExecutor] = {}


def in_shares(n_rows: int, size: int, work: Callable[[int, slice], None]) -> None:
    """Call work(thread, part of the rows) for equal parts, at once where there is enough to share.

    Args:
        n_rows: rows to share.
        size: activations in all of them.
        work: takes the number of the thread, and a slice of the rows.
    """
    threads = min(torch.get_num_threads(), n_rows) if size >= WORTH_A_THREAD else 1
    if threads <= 1:
        work(0, slice(0, n_rows))
        return
    parts = [slice(n_rows * t // threads, n_rows * (t + 1) // threads) for t in range(threads)]
    others = [
        _pool(threads - 1).submit(work, thread, part)
        for thread, part in enumerate(parts[1:], start=1)
    ]
    work(0, parts[0])
    for other in others:
        other.result()  # where an error of that thread comes out


def _pool(threads: int) -> ThreadPoolExecutor:
    if threads not in _pools:
        _pools[threads] = ThreadPoolExecutor(threads, thread_name_prefix="actilaw")
    return _pools[threads]


if hasattr(os, "register_at_fork"):  # a forked process inherits the pools but not their threads
    os.register_at_fork(after_in_child=_pools.clear)
