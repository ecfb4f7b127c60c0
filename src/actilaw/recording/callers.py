"""Who called a module: the method of the model that runs, or autograd, which computes again what it
did not keep.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Container
from types import FrameType
from typing import Any

import torch
from torch import nn

# Code of PyTorch by which autograd calls Python: a function's own backward pass, and checkpoints.
OF_BACKWARD = ("torch/autograd/function.py", "torch/utils/checkpoint.py")
TRACING = os.path.join("torch", "jit", "_trace.py")
ENGINE = "torch/autograd/graph.py"


def recomputes() -> bool:
    """Whether autograd is computing something again, rather than a hook of the user runs the model.

    Between the engine and a module that is called again there is the backward pass of a function or
    a checkpoint; between the engine and a hook there is neither.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        path = frame.f_code.co_filename.replace("\\", "/")
        if path.endswith(OF_BACKWARD):
            return True
        if path.endswith(ENGINE):
            return False
        frame = frame.f_back
    return False


def is_no_forward_pass(outermost: bool = False) -> bool:
    """Whether modules are called to be traced, or to compute again what was counted before.

    Args:
        outermost: whether no other module called this one.
    """
    if torch._C._get_tracing_state() is not None:
        return True
    if outermost and _checks_a_trace():
        return True
    return torch._C._current_graph_task_id() != -1 and recomputes()


def _checks_a_trace() -> bool:
    """Whether `torch.jit.trace` runs the model to compare its outputs with those of the trace."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename.endswith(TRACING):
            return True
        frame = frame.f_back
    return False


def method_of(modules: Container[Any]) -> FrameType | None:
    """The outermost function on the stack that is a method of one of these modules."""
    found = None
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        names = frame.f_code.co_varnames
        if names and names[0] == "self" and frame.f_code.co_argcount:
            owner = frame.f_locals.get("self")
            if isinstance(owner, nn.Module) and owner in modules:
                found = frame
        frame = frame.f_back
    return found
