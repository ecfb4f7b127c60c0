"""Adam beside torch's own, to the last bit."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from actilaw.study.adam import Adam

RATES = (1e-3, 5e-3, 2e-3, 1e-4)


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 40), nn.ReLU(), nn.Linear(40, 3), nn.Linear(3, 2))


def loss_of(network: nn.Module, step: int) -> Tensor:
    """Of all parameters, but every second time of those of the first layers alone."""
    generator = torch.Generator().manual_seed(step)
    hidden = network[:3](torch.randn(8, 6, generator=generator))  # type: ignore[index]
    return (network[3](hidden) if step % 2 else hidden).square().mean()  # type: ignore[index]


def test_steps_are_those_of_torch_to_the_last_bit() -> None:
    ours, theirs = model(), model()
    adam, optimiser = Adam(ours.parameters()), torch.optim.Adam(theirs.parameters(), fused=True)
    for step, rate in enumerate(RATES):
        adam.descend(loss_of(ours, step), rate)
        optimiser.param_groups[0]["lr"] = rate
        optimiser.zero_grad()
        loss_of(theirs, step).backward()
        optimiser.step()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(one, other)


def test_some_rows_of_every_parameter_go_on_as_they_would_have_among_the_others() -> None:
    torch.manual_seed(1)
    whole = Adam([torch.randn(5, 3, requires_grad=True), torch.randn(5, requires_grad=True)])

    def descend(adam: Adam) -> None:
        for rate in RATES:
            adam.descend(sum(p.pow(4).sum() for p in adam.parameters), rate)  # type: ignore

    descend(whole)
    some = whole.of_some([0, 3])
    descend(whole)
    descend(some)
    for one, other in zip(some.parameters, whole.parameters, strict=True):
        assert torch.equal(one, other[[0, 3]])
