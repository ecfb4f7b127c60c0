"""The state of PyTorch in which a recording does its own work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def own_work() -> Iterator[None]:
    """Untraced, without gradients, and with tensors that outlive inference mode."""
    with torch._C.DisableTorchFunction(), torch.inference_mode(False), torch.no_grad():
        yield
