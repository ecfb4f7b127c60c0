"""Masks: which samples, or which positions of them, are counted.

A mask comes from the arguments with which the model is called, so that padding and special tokens
of every batch are left out without another data set. Libraries write masks in opposite ways; what
is meant is taken from the name and the values, and refused where these leave it open.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from actilaw.errors import InputError

Mask = str | Callable[..., Tensor]

# Arguments in which PyTorch marks padding by true, or by minus infinity.
PADDING = ("key_padding_mask", "src_key_padding_mask", "tgt_key_padding_mask",
           "memory_key_padding_mask")  # fmt: skip
# Arguments that say which position may look at which, and nothing about padding.
BETWEEN_POSITIONS = ("attn_mask", "src_mask", "tgt_mask", "memory_mask", "head_mask",
                     "cross_attn_head_mask")  # fmt: skip
DROPS = -100.0  # a number at or below is added to a logit to drop its position


class MaskError(InputError):
    """The mask has another number of samples than the batch."""

    def __init__(self, samples: int, mask: Tensor) -> None:
        super().__init__(
            f"expected a mask of {samples} samples, as the batch has, but got one of shape "
            f"{tuple(mask.shape)}: give it as (samples,) or (samples, positions)"
        )


class MaskReader:
    """Finds the mask among the arguments of a model.

    Args:
        model: whose arguments these are.
        mask: the name of an argument, or a function of the arguments; None counts everything.

    Raises:
        InputError: if one argument would be the mask of an encoder and a decoder, or its name says
            that it is no mask of samples or positions, or leaves open what it marks.
    """

    def __init__(self, model: nn.Module, mask: Mask | None) -> None:
        config = getattr(model, "config", None)
        if isinstance(mask, str):
            _require_known_convention(model, mask)
            if getattr(config, "is_encoder_decoder", False) is True:
                raise InputError(
                    "expected one mask for all layers, but the model has an encoder and a decoder: "
                    "record them apart, with a function of the model's arguments for each, as "
                    "mask=lambda **given: given['attention_mask']"
                )
        elif mask is not None and not callable(mask):
            raise InputError(
                "expected mask= to be the name of an argument of the model, a function of its "
                f"arguments, or None, but got {type(mask).__name__}: name the argument"
            )
        self._model, self._mask = model, mask

    @property
    def expected(self) -> bool:
        """Whether every call of the model has to give a mask."""
        return self._mask is not None

    def read(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
        """The mask of one call of the model, (n_samples,) or (n_samples, n_positions), booleans."""
        if self._mask is None:
            return None
        if callable(self._mask):
            mask = self._mask(*args, **kwargs)
            if not isinstance(mask, Tensor):
                raise InputError(
                    "expected the mask's function to return a tensor, but got "
                    f"{type(mask).__name__}"
                )
            return as_mask(mask)
        given = dict(kwargs)
        given.update(zip(inspect.signature(self._model.forward).parameters, args, strict=False))
        if given.get(self._mask) is None:
            raise InputError(
                f"expected an argument {self._mask!r} of the model as the mask, but it was called "
                f"with {', '.join(given) or 'none'}: pass it, or leave mask=None to count "
                "everything"
            )
        mask = as_mask(given[self._mask], self._mask)
        return _of_new_tokens(mask, given)


def as_mask(values: Tensor, name: str = "mask") -> Tensor:
    """A mask as booleans, true where it counts, from any of the ways in which masks are written.

    Booleans and whole numbers are true where they count, except in the arguments of PyTorch that
    mark padding; numbers that are added to logits are zero where they count.

    Args:
        values: (n_samples,) or (n_samples, n_positions).
        name: of the argument.

    Raises:
        InputError: if the values leave open what they mark, or the shape is of no such mask.
    """
    if not isinstance(values, Tensor) or values.ndim not in (1, 2):
        came = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise InputError(
            f"expected {name!r} to be a mask of shape (samples,) or (samples, positions), but got "
            f"{came}: give a function of the model's arguments that returns one"
        )
    marks_padding = name in PADDING
    if not values.is_floating_point():
        if values.numel() and int(values.min()) < 0:
            raise _open(name, values)
        return values == 0 if marks_padding else values != 0
    low, high = float(values.min()) if values.numel() else 0.0, float(values.max())
    keeps = values == 0
    if high == 0 and low <= DROPS and bool((keeps | (values <= DROPS)).all()):
        return keeps
    if high <= DROPS:
        return keeps  # additive, and everything is dropped
    if low == high == 0 and marks_padding:
        return keeps  # additive, and everything is kept
    if high == 1 and bool((keeps | (values == 1)).all()) and not marks_padding:
        return values == 1
    raise _open(name, values)


def mask_by_position(name: str, mask: Tensor, x: Tensor) -> Tensor:
    """A mask as (n_samples, n_positions), where one of (n_samples,) holds for every position.

    Args:
        name: of the layer, for messages.
        mask: (n_samples,), (n_samples, 1) or (n_samples, n_positions).
        x: activations (n_samples, n_positions, n_units).

    Raises:
        InputError: if the shapes do not go together.
    """
    if mask.ndim == 1:
        mask = mask[:, None]
    if mask.ndim != 2 or mask.shape[0] != x.shape[0] or mask.shape[1] not in (1, x.shape[1]):
        raise InputError(
            "expected a mask of shape (samples,) or (samples, positions), here "
            f"{tuple(x.shape[:2])}, at layer {name!r}, but got {tuple(mask.shape)}"
        )
    return mask.to(x.device, torch.bool).expand(x.shape[:2])


def _require_known_convention(model: nn.Module, name: str) -> None:
    """Refuse a name that says another thing than which positions count, or leaves it open."""
    of_torch = type(model).__module__.startswith("torch.nn")
    if name in BETWEEN_POSITIONS or (name == "mask" and of_torch):
        raise InputError(
            f"expected a mask of samples or positions, but {name!r} says which position may look "
            "at which: name the padding mask, or give a function of the model's arguments"
        )
    if "pad" in name.lower() and name not in PADDING:
        raise InputError(
            f"expected a mask whose convention is known, but {name!r} may mark the padding or the "
            f"text: give a function that is true where it counts, as mask=lambda *args, **given: "
            f"~given[{name!r}]"
        )


def _open(name: str, values: Tensor) -> InputError:
    return InputError(
        f"expected a mask that is true, or 1, where it counts, or 0 there and very negative "
        f"elsewhere, but {name!r} has values from {float(values.min()):g} to "
        f"{float(values.max()):g}, which may mean either: give a function of the model's "
        "arguments that returns booleans"
    )


def _of_new_tokens(mask: Tensor, given: Mapping[str, Any]) -> Tensor:
    """The part of a mask that the layers see: with a cache of keys and values, the mask covers all
    tokens so far, and the model runs on the last ones.
    """
    tokens = given.get("input_ids", given.get("inputs_embeds"))
    if given.get("past_key_values") is not None and isinstance(tokens, Tensor):
        return mask[:, -tokens.shape[1] :]
    return mask
