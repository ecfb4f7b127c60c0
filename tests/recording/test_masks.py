"""Masks from the arguments of a model: padding, caches, encoders and decoders."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from actilaw import record
from actilaw.errors import InputError
from builders.recorded import (
    INPUTS,
    PADDING,
    TOKENS,
    by_hand,
    kept_activations,
    mlp,
    tiny_language_model,
)


@pytest.mark.slow
@pytest.mark.parametrize("per", ["sample", "position"])
@pytest.mark.parametrize("masked", [False, True])
def test_sequences_with_and_without_padding(per: str, masked: bool) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 25), nn.ReLU(), nn.Linear(25, 4))
    tokens = torch.randn(10, 7, 4)
    # (samples, positions), some samples all padding
    padding = torch.arange(7) < torch.randint(0, 8, (10, 1))
    mask = padding if masked else torch.ones_like(padding)
    with record(model, per=per, mask=(lambda inputs: padding) if masked else None) as recording:
        model(tokens)
    counts = recording.census()["1"]
    active = kept_activations(model, "1", False, lambda: model(tokens)) > 0
    expected, samples = by_hand(active, mask.numpy(), per)
    assert counts.counts.tolist() == expected
    assert counts.samples == samples


@pytest.mark.slow
def test_a_mask_sees_the_models_own_arguments() -> None:
    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.relu = nn.ReLU()

        def forward(self, x: Tensor, *, attention_mask: Tensor) -> Tensor:
            return self.relu(x)

    model, x = Masked(), torch.ones(3, 2)
    with record(model, mask=lambda x, attention_mask: attention_mask) as recording:
        model(x, attention_mask=torch.tensor([1, 0, 1]))
    assert recording.census()["relu"].counts.tolist() == [2, 2]
    assert recording.census()["relu"].samples == 2


def test_a_mask_of_the_wrong_shape_is_refused() -> None:
    model = nn.Sequential(nn.ReLU())
    with (
        record(model, mask=lambda x: torch.ones(5)),
        pytest.raises(InputError, match=r"mask of 2 samples, as the batch has, .* \(5,\)"),
    ):
        model(torch.randn(2, 3))


def test_a_mask_needs_the_model_whose_arguments_make_it() -> None:
    model = mlp()
    with (
        record(model, mask=lambda x: torch.ones(len(x))),
        pytest.raises(InputError, match="layer '1' ran by itself"),
    ):
        model[:2](INPUTS)


@pytest.mark.slow
def test_a_cache_and_a_mask_of_all_tokens() -> None:
    model = tiny_language_model("gpt2")
    with record(model, per="token", mask="attention_mask") as recording, torch.no_grad():
        model.generate(
            TOKENS,
            attention_mask=PADDING.flip(1),
            max_new_tokens=3,
            min_new_tokens=3,
            do_sample=False,
        )
    assert recording.census()["transformer.h.0.mlp.act"].samples == PADDING.sum() + 6 * 2


@pytest.mark.slow
def test_one_mask_for_encoder_and_decoder_is_refused() -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.T5Config(
        d_model=16, d_kv=8, d_ff=20, num_layers=1, num_heads=2, vocab_size=50
    )
    with pytest.raises(
        InputError, match="the model has an encoder and a decoder: record them apart"
    ):
        record(transformers.T5ForConditionalGeneration(config), mask="attention_mask")
