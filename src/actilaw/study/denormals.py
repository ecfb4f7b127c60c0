"""Denormal numbers, the smallest that floating point has, which slow networks down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def denormals_flushed() -> Iterator[None]:
    """Treat denormal numbers as zero: with them sparse networks can train twenty times slower on a
    CPU.
    """
    already = float(torch.tensor(1e-40) * 1) == 0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(already)
