"""Small networks, their inputs, and recordings of them to compare bit for bit, or with brute force:
every activation kept, then counted in NumPy.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from actilaw import Census, record


def mlp(width: int = 40) -> nn.Sequential:
    """A rectifier after the first layer, a smooth activation after the second."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(6, width), nn.ReLU(), nn.Linear(width, 30), nn.GELU(), nn.Linear(30, 3)
    )


def rectified_mlp(inplace: bool = False) -> nn.Sequential:
    """Two rectifiers, and dropout between them."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(6, 40),
        nn.ReLU(inplace),
        nn.Dropout(0.5),
        nn.Linear(40, 30),
        nn.ReLU6(inplace),
        nn.Linear(30, 3),
    )


class Branching(nn.Module):
    """A rectifier after either of two layers, in an order that the first number of a batch decides,
    and a smooth activation after the rectifier each time.
    """

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(6, 20), nn.Linear(6, 20)
        self.relu, self.smooth = nn.ReLU(), nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        makers = [self.first, self.second]
        if x[0, 0] <= 0:
            makers.reverse()
        return sum((self.smooth(self.relu(make(x))) for make in makers), torch.zeros(()))


def first_one_way(inputs: Tensor) -> Tensor:
    """The batch from which `Branching` takes its first layer first."""
    return torch.cat((torch.ones(1, 6), inputs))


def first_other_way(inputs: Tensor) -> Tensor:
    """The batch from which `Branching` takes its second layer first."""
    return torch.cat((-torch.ones(1, 6), inputs))


INPUTS = torch.randn(100, 6, generator=torch.Generator().manual_seed(1))
# Six texts of eleven tokens, and which of these are not padding.
TOKENS = torch.randint(0, 50, (6, 11), generator=torch.Generator().manual_seed(0))
PADDING = (torch.arange(11) < torch.tensor([11, 5, 8, 1, 11, 3])[:, None]).long()


def tiny_language_model(kind: str) -> nn.Module:
    """Two layers of 16 dimensions, over 50 tokens: "llama", "mixtral" or "gpt2"."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 50}
    if kind == "llama":
        config = transformers.LlamaConfig(**shape, intermediate_size=40, num_key_value_heads=1)
        return transformers.LlamaForCausalLM(config).eval()
    if kind == "mixtral":
        experts = {"num_local_experts": 6, "num_experts_per_tok": 2}
        config = transformers.MixtralConfig(
            **shape, **experts, intermediate_size=24, num_key_value_heads=1
        )
        return transformers.MixtralForCausalLM(config).eval()
    config = transformers.GPT2Config(n_embd=16, n_layer=2, n_head=2, vocab_size=50, n_positions=16)
    return transformers.GPT2LMHeadModel(config).eval()


def recorded(model: nn.Module, batches, **arguments) -> Census:
    with record(model, **arguments) as recording:
        for batch in batches:
            model(batch)
    return recording.census()


def assert_same(one: Census, other: Census) -> None:
    """Bit for bit: counts, samples, first activations, blocks, squares."""
    assert list(one) == list(other)
    for name in one:
        a, b = one[name], other[name]
        assert (a.samples, a.entries, a.active_squares, a.nonfinite) == (
            b.samples,
            b.entries,
            b.active_squares,
            b.nonfinite,
        )
        np.testing.assert_array_equal(a.counts, b.counts)
        np.testing.assert_array_equal(a.first, b.first)
        assert a.blocks is not None
        assert b.blocks is not None
        np.testing.assert_array_equal(a.blocks.counts, b.blocks.counts)
        np.testing.assert_array_equal(a.blocks.samples, b.blocks.samples)
        assert a.blocks.size == b.blocks.size


def kept_activations(
    model: nn.Module, layer: str, at_input: bool, run: Callable[[], object]
) -> np.ndarray:
    """What the layer returned, or took in, while the model ran; the batches joined."""
    kept: list[np.ndarray] = []
    module = dict(model.named_modules())[layer]

    def keep(value: Tensor) -> None:
        kept.append(value.detach().float().numpy().copy())

    def keep_output(_module: nn.Module, _inputs: object, out: Tensor | tuple[Tensor, ...]) -> None:
        keep(out[0] if isinstance(out, tuple) else out)

    if at_input:
        hook = module.register_forward_pre_hook(lambda _m, inputs: keep(inputs[0]))
    else:
        hook = module.register_forward_hook(keep_output)
    run()
    hook.remove()
    return np.concatenate(kept)


def by_hand(active: np.ndarray, mask: np.ndarray, per: str) -> tuple[list[int], int]:
    """Counts and samples of booleans (entries, positions, units), masked (entries, positions)."""
    active = active & mask[..., None]
    if per == "sample":
        return active.any(1).sum(0).tolist(), int(mask.any(1).sum())
    return active.sum((0, 1)).tolist(), int(mask.sum())


def above_a_tenth(x: np.ndarray) -> np.ndarray:
    """The rule for smooth and gated units."""
    magnitude = np.abs(x.astype(np.float64))
    return magnitude > 0.1 * magnitude.max(-1, keepdims=True)
