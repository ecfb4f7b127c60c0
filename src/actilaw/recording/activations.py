"""Activations in one layout, (n_samples, n_positions, n_units), whatever library and axes they come
from.

Arrays are taken over without a copy where that is possible: from NumPy by its buffer, from others
by DLPack.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from actilaw.counts.activation_counts import PER
from actilaw.errors import InputError


def canonical_per(per: str) -> str:
    """What is counted as one sample, "sample" or "position"; "token" is a position.

    Raises:
        InputError: if `per` is none of these.
    """
    if per not in PER:
        raise InputError(f"expected per='sample', 'position' or 'token', but got {per!r}")
    return "position" if per == "token" else per


def as_tensor(array: Any) -> Tensor:
    """A tensor over the same memory where that is possible.

    Raises:
        InputError: if it is no array of numbers.
    """
    if isinstance(array, Tensor):
        return array
    if hasattr(array, "__dlpack__") and not isinstance(array, np.ndarray):
        return torch.from_dlpack(array)
    try:
        array = np.asarray(array)
        native = array.astype(array.dtype.newbyteorder("="), copy=False)
        # torch knows neither strides below zero nor memory that must not be written to.
        return torch.from_numpy(np.require(native, requirements=["C", "W"]))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"expected an array of numbers, but got {type(array).__name__} ({error})"
        ) from None


def require_countable(name: str, output: Any) -> bool:
    """Whether a layer's output holds numbers at all, which a meta or fake tensor does not.

    Raises:
        InputError: if it is no plain tensor of real numbers.
    """
    if not isinstance(output, Tensor):
        raise InputError(
            f"expected activations (samples, ..., units) at layer {name!r}, but got "
            f"{type(output).__name__}: name a layer that returns a tensor"
        )
    if torch._C._functorch.is_functorch_wrapped_tensor(output):  # pyright: ignore[reportAttributeAccessIssue]
        raise InputError(
            f"layer {name!r} runs inside torch.func (vmap, grad), whose tensors cannot be counted: "
            "record calls outside it"
        )
    if output.is_meta or is_fake(output):
        return False
    if output.is_nested or output.layout != torch.strided or output.is_quantized:
        kind = (
            "nested"
            if output.is_nested
            else str(output.dtype if output.is_quantized else output.layout)
        )
        raise InputError(
            f"expected a plain tensor at layer {name!r}, but got a {kind} one: name another layer, "
            "or let the model return plain tensors (enable_nested_tensor=False)"
        )
    if output.is_complex():
        raise InputError(
            f"expected real activations at layer {name!r}, but got {output.dtype}: name another "
            "layer"
        )
    return True


def is_fake(output: Tensor) -> bool:
    """Whether it is a tensor of FakeTensorMode, which has a shape and no numbers."""
    return type(output).__name__ in ("FakeTensor", "FunctionalTensor")


def by_position(name: str, output: Any, axis: int) -> Tensor:
    """Activations as (n_samples, n_positions, n_units), from any with the units along `axis`.

    Raises:
        InputError: if they are no plain tensor of real numbers with two axes or more.
    """
    if isinstance(output, Tensor) and output.ndim < 2:
        raise InputError(
            f"expected activations (samples, ..., units) at layer {name!r}, but got shape "
            f"{tuple(output.shape)}"
        )
    require_countable(name, output)
    x = output.detach().movedim(axis, -1)
    return x[:, None] if x.ndim == 2 else x.flatten(1, -2)
