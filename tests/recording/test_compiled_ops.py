"""Compiled models: the same counts, in one graph."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from actilaw import Census, record
from builders.recorded import (
    INPUTS,
    PADDING,
    TOKENS,
    assert_same,
    mlp,
    recorded,
    tiny_language_model,
)


@pytest.mark.slow
@pytest.mark.parametrize("order", ["compiled first", "recorded first"])
@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("backend", ["eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_compiled_models_count_the_same_in_one_graph(order: str, grad: bool, backend: str) -> None:
    if backend == "inductor" and not (grad and order == "compiled first"):
        pytest.skip("one pass through the C++ compiler is enough")
    torch.compiler.reset()
    plain, model = recorded(mlp(), INPUTS.split(25)), mlp()
    compiled = torch.compile(model, fullgraph=True, backend=backend)
    with torch.set_grad_enabled(grad):
        if order == "compiled first":
            compiled(INPUTS[:25])
        with record(compiled if order == "compiled first" else model) as recording:
            for batch in INPUTS.split(25):
                out = compiled(batch)
                if grad:
                    out.sum().backward()
        census = recording.census()
        compiled(INPUTS[:25])
    assert_same(census, plain)
    assert_same(recording.census(), plain)  # what ran after the block was not counted


@pytest.mark.slow
def test_a_mask_reaches_compiled_code() -> None:
    torch.compiler.reset()
    model = tiny_language_model("llama")
    plain = recorded_without_padding(model, model)
    assert_same(recorded_without_padding(model, torch.compile(model, backend="eager")), plain)


def recorded_without_padding(model: nn.Module, called: nn.Module) -> Census:
    with record(model, mask="attention_mask", per="token") as recording, torch.no_grad():
        for rows in range(0, 6, 2):
            called(TOKENS[rows : rows + 2], attention_mask=PADDING[rows : rows + 2])
    return recording.census()
