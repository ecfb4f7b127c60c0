"""Who called a module: layers by themselves, and layers computed again."""

from __future__ import annotations

import pytest
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from actilaw import record
from builders.recorded import INPUTS, mlp, recorded


@pytest.mark.slow
def test_relu_outside_any_forward_pass_of_the_whole_model() -> None:
    model = mlp()
    with record(model) as recording:
        model[1](functional.linear(INPUTS, model[0].weight))
        model[1](functional.linear(INPUTS, model[0].weight))
    with pytest.warns(UserWarning, match="no sample passed through 3"):
        assert recording.census()["1"].samples == 200


@pytest.mark.slow
@pytest.mark.parametrize("reentrant", [False, True])
def test_a_checkpointed_layer_is_not_counted_again(reentrant: bool) -> None:
    class Checkpointed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = mlp()

        def forward(self, x: Tensor) -> Tensor:
            return checkpoint(self.body, x, use_reentrant=reentrant)

    model = Checkpointed()
    with record(model) as recording:
        for batch in INPUTS.split(30):
            model(batch.clone().requires_grad_()).sum().backward()
    plain = recorded(model.body, [INPUTS])
    assert recording.census()["body.1"].counts.tolist() == plain["1"].counts.tolist()
    assert recording.census()["body.1"].samples == 100
