"""Adam (Kingma & Ba 2015, arXiv 1412.6980): the fused steps of torch, without its class.

An object of it loads the compiler of torch, which takes two to three seconds, and each of the many
processes of a study would wait for that before its first step. Numbers are those of
`torch.optim.Adam(fused=True)` to the last bit: its function computes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.optim.adam import adam

DECAY_OF_MEAN, DECAY_OF_SQUARE = 0.9, 0.999
SMALLEST_ROOT = 1e-8  # is added to the root of the mean square


class Adam:
    """Parameters, and for each the running means of its gradient and of the gradient's square."""

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        self.parameters = list(parameters)
        self.means = [torch.zeros_like(p) for p in self.parameters]
        self.squares = [torch.zeros_like(p) for p in self.parameters]
        self.steps = [torch.zeros(()) for _ in self.parameters]

    def descend(self, loss: Tensor, rate: float) -> None:
        """One step down the gradient of a loss, which not all parameters need to have a part in."""
        for parameter in self.parameters:
            parameter.grad = None
        loss.backward()
        moved = [place for place, p in enumerate(self.parameters) if p.grad is not None]
        with torch.no_grad():
            adam(
                [self.parameters[place] for place in moved],
                [grad for p in self.parameters if (grad := p.grad) is not None],
                [self.means[place] for place in moved],
                [self.squares[place] for place in moved],
                [],
                [self.steps[place] for place in moved],
                fused=True,
                amsgrad=False,
                beta1=DECAY_OF_MEAN,
                beta2=DECAY_OF_SQUARE,
                lr=rate,
                weight_decay=0.0,
                eps=SMALLEST_ROOT,
                maximize=False,
            )

    def of_some(self, chosen: Sequence[int]) -> Adam:
        """Adam in the midst of its steps, for some rows of every parameter, as new parameters."""
        some = Adam(p.detach()[chosen].requires_grad_() for p in self.parameters)
        some.means = [mean[chosen] for mean in self.means]
        some.squares = [square[chosen] for square in self.squares]
        some.steps = [step.clone() for step in self.steps]
        return some
