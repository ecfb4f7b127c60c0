"""Mixtures of experts: what the router chose."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from actilaw import record
from builders.recorded import PADDING, TOKENS, by_hand, kept_activations, tiny_language_model


@pytest.mark.slow
@pytest.mark.parametrize("per", ["sample", "position"])
def test_experts_are_counted_at_their_router(per: str) -> None:
    model = tiny_language_model("mixtral")
    with record(model, per=per, mask="attention_mask") as recording, torch.no_grad():
        model(TOKENS, attention_mask=PADDING)
    assert list(recording.census()) == ["model.layers.0.mlp.gate", "model.layers.1.mlp.gate"]
    counts = recording.census()["model.layers.1.mlp.gate"]
    run = lambda: model(TOKENS, attention_mask=PADDING)  # noqa: E731
    logits = kept_activations(model, "model.layers.1.mlp.gate", False, run).reshape(6, 11, 6)
    chosen = (-logits).argsort(-1).argsort(-1) < 2
    expected, samples = by_hand(chosen, PADDING.bool().numpy(), per)
    assert (counts.counts.tolist(), counts.samples, counts.criterion) == (
        expected,
        samples,
        "top(2)",
    )
    assert "model.layers.0.mlp.experts" in recording.uncovered


@pytest.mark.slow
def test_grouped_and_biased_routers_are_counted_by_their_choice() -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 50}
    experts = {
        "n_routed_experts": 8,
        "num_experts_per_tok": 2,
        "n_group": 4,
        "topk_group": 1,
        "first_k_dense_replace": 0,
    }
    config = transformers.DeepseekV3Config(
        **shape, **experts, intermediate_size=24, moe_intermediate_size=8
    )
    model = transformers.DeepseekV3ForCausalLM(config).eval()
    chosen: list[Tensor] = []
    module = dict(model.named_modules())["model.layers.1.mlp.experts"]
    module.register_forward_pre_hook(lambda _m, inputs: chosen.append(inputs[1]))
    with record(model, layers="*.mlp.gate", per="token") as recording, torch.no_grad():
        model(TOKENS)
    counts = recording.census()["model.layers.1.mlp.gate"]
    assert counts.counts.tolist() == torch.bincount(chosen[0].flatten(), minlength=8).tolist()
    assert counts.samples == TOKENS.numel()
