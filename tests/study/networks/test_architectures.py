"""What the layers of the networks do."""

from __future__ import annotations

import pytest
import torch

from actilaw.study.networks import (
    BatchTopK,
    SquaredReLU,
    Text,
    TopK,
    plain,
    train_transformer,
)
from actilaw.study.networks.architectures import Router


def test_a_transformer_sees_no_later_token(text: Text) -> None:
    model, windows = train_transformer(text, plain(16), steps=1), text.test_inputs[:2].clone()
    before = model(windows)
    windows[:, 16:] = 0
    assert torch.allclose(model(windows)[:, :16], before[:, :16], atol=1e-5)
    assert not torch.allclose(model(windows)[:, 16:], before[:, 16:], atol=1e-5)


@pytest.mark.slow
def test_a_routers_bias_balances_the_load_and_is_constant_after_training() -> None:
    torch.manual_seed(0)
    router, tokens = Router(16, 32, top_k=2).eval(), torch.randn(512, 16) + 3 * torch.randn(16)
    used = len(router(tokens)[0].unique())
    router.train()
    for _ in range(500):
        router(tokens)
    bias = router.eval().bias.clone()
    assert used < 24
    assert len(router(tokens)[0].unique()) == 32
    assert torch.equal(router.bias, bias)


def test_top_k_keeps_the_largest_that_are_above_zero() -> None:
    x = torch.tensor([[3.0, -1.0, 2.0, 1.0], [-1.0, -2.0, 0.5, -3.0]])
    assert TopK(2)(x).tolist() == [[3, 0, 2, 0], [0, 0, 0.5, 0]]


def test_batch_top_k_keeps_so_many_of_a_whole_batch() -> None:
    x = torch.randn(6, 5, 40, generator=torch.Generator().manual_seed(0))
    kept = BatchTopK(3)(x)
    assert int((kept > 0).sum()) == 3 * 30
    assert torch.equal(kept[kept > 0], x[kept > 0])
    assert float(x[kept == 0].max()) <= float(kept[kept > 0].min())
    assert len(set((kept > 0).sum(-1).flatten().tolist())) > 1  # not so many of each row


def test_a_squared_rectifier_is_zero_below_zero() -> None:
    x = torch.tensor([-2.0, 0.0, 3.0])
    assert SquaredReLU()(x).tolist() == [0.0, 0.0, 9.0]
