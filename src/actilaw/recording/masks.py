"""Masks: which samples, or which positions of them, are counted.

A mask comes from the arguments with which the model is called, so that padding and special tokens
of every batch are left out without another data set.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from actilaw.errors import InputError

Mask = str | Callable[..., Tensor]


class MaskReader:
    """Finds the mask among the arguments of a model.

    Args:
        model: whose arguments these are.
        mask: the name of an argument, or a function of the arguments; None counts everything.

    Raises:
        InputError: if one argument would be the mask of an encoder and a decoder.
    """

    def __init__(self, model: nn.Module, mask: Mask | None) -> None:
        config = getattr(model, "config", None)
        if isinstance(mask, str) and getattr(config, "is_encoder_decoder", False) is True:
            raise InputError(
                "expected one mask for all layers, but the model has an encoder and a decoder: "
                "record them apart, with a function of the model's arguments for each, as "
                "mask=lambda **given: given['attention_mask']"
            )
        self._model, self._mask = model, mask

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
            return mask.bool()
        given = dict(kwargs)
        given.update(zip(inspect.signature(self._model.forward).parameters, args, strict=False))
        if given.get(self._mask) is None:
            raise InputError(
                f"expected an argument {self._mask!r} of the model as the mask, but it was called "
                f"with {', '.join(given) or 'none'}: pass it, or leave mask=None to count "
                "everything"
            )
        return _of_new_tokens(given[self._mask].bool(), given)


def _of_new_tokens(mask: Tensor, given: Mapping[str, Any]) -> Tensor:
    """The part of a mask that the layers see: with a cache of keys and values, the mask covers all
    tokens so far, and the model runs on the last ones.
    """
    tokens = given.get("input_ids", given.get("inputs_embeds"))
    if given.get("past_key_values") is not None and isinstance(tokens, Tensor):
        return mask[:, -tokens.shape[1] :]
    return mask


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
