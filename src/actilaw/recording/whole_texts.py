"""Whether a language model is recorded with whole texts as samples, where tokens are meant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

ADVICE = (
    "a sample is a whole text here, in which a unit counts once however many tokens activate it: "
    "for language models count tokens, per='token'"
)
WHOLE = (torch.int64, torch.int32)


def samples_are_texts(model: nn.Module, batch: Any, per: str) -> bool:
    """Whether `per` is "sample" and the batch holds sequences of tokens, (n_texts, n_tokens) whole
    numbers of which an embedding takes the first two or more in a row.
    """
    if per != "sample" or not any(isinstance(part, nn.Embedding) for part in model.modules()):
        return False
    if isinstance(batch, Mapping):
        inputs = batch.get("input_ids")
    else:
        inputs = batch[0] if isinstance(batch, tuple | list) and len(batch) else batch
    return (
        isinstance(inputs, Tensor)
        and inputs.dtype in WHOLE
        and inputs.ndim == 2
        and inputs.shape[1] > 1
    )
