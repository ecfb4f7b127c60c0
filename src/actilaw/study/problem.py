"""A problem: a network of some width to train, and the data to train it on. A task of a study is a
function from a width and a seed to a problem.

    def my_task(width: int, seed: int) -> Problem: ...

The study trains it on the first D of its samples (`stacked_training`), counts its units, and
removes some (`measurement`); a task has none of that to write.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from actilaw.errors import InputError
from actilaw.recording.criteria import POSITIVE, Criterion
from actilaw.support.validation import at_least_zero, one_whole, positive

Task = Callable[[int, int], "Problem"]
Losses = Callable[[Any, Tensor, Tensor], Tensor]  # of outputs, inputs and targets
Silence = Callable[[Any, Tensor], Any]  # the output of a layer, and which of its units are kept


@dataclass(frozen=True)
class Stop:
    """When training ends.

    Attributes:
        steps: made at most.
        tolerance: training ends earlier once the training loss, the penalty included, was on
            average less than this share lower in the last `window` steps than in those before
            them. None makes all steps.
        window: number of steps compared.
    """

    steps: int
    tolerance: float | None = None
    window: int = 100

    def __post_init__(self) -> None:
        for name in ("steps", "window"):
            object.__setattr__(self, name, one_whole(name, getattr(self, name), least=1))
        if self.tolerance is not None:
            positive("tolerance", self.tolerance, "it is a share of the loss; None makes all steps")

    def __str__(self) -> str:
        if self.tolerance is None:
            return f"{self.steps} steps"
        return (
            f"when the training loss falls by less than {self.tolerance:.2%} in {self.window} "
            f"steps, after {self.steps} steps at the latest"
        )


@dataclass(frozen=True)
class Schedule:
    """How a network is trained: by Adam (Kingma & Ba 2015, arXiv 1412.6980).

    Attributes:
        stop: when training ends.
        batch: samples of a step, drawn with replacement.
        rate: learning rate; reached in a line over the first twentieth of the steps, and constant
            from there.
        l1: weight of the L1 penalty: the loss is that of the problem plus l1 times the sum of the
            magnitudes of the counted activations, averaged over samples and positions.
    """

    stop: Stop
    batch: int = 128
    rate: float = 2e-3
    l1: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "batch", one_whole("batch", self.batch, least=1))
        positive("rate", self.rate, "it is the learning rate")
        at_least_zero("l1", self.l1)


def multiplied(output: Tensor, kept: Tensor) -> Tensor:
    """The output of a layer with units that are not kept set to zero; units on the last axis."""
    return output * kept


@dataclass(frozen=True, eq=False)
class Problem:
    """A network to train, and data to train it on.

    Attributes:
        model: untrained; takes a batch of inputs.
        layers: names of the layers whose units are counted, as `record` names them.
        inputs: for training, in an order that the seed has shuffled: training on D samples takes
            the first D; (n_samples, ...).
        targets: what to learn of each; (n_samples, ...).
        test_inputs, test_targets: the same for testing.
        losses: losses of a batch, one for each sample or for each of its positions; takes the
            model's output, the inputs and the targets.
        schedule: how it is trained.
        errors: errors of a batch in the same shapes, 1 where the answer is wrong; or None.
        per: what a sample is for the counts, as in `record`.
        criterion: when a unit is active, as in `record`; above zero by default, as suits
            rectifiers. Units are on the last axis of a layer's output.
        indices: the layers name the units that are active, as routers do, instead of giving all
            activations: their output is a tuple of indices (n_samples, n_active) and weights of
            the same shape. Without penalty.
        silence: sets units to zero in the output of a layer; takes the output and a mask
            (n_units,).
    """

    model: nn.Module
    layers: tuple[str, ...]
    inputs: Tensor
    targets: Tensor
    test_inputs: Tensor
    test_targets: Tensor
    losses: Losses
    schedule: Schedule
    errors: Losses | None = None
    per: str = "sample"
    criterion: Criterion = POSITIVE
    indices: bool = False
    silence: Silence = multiplied

    def __post_init__(self) -> None:
        modules = dict(self.model.named_modules())
        for layer in self.layers:
            if layer not in modules:
                raise InputError(
                    f"expected layers among the modules of the model, but it has no {layer!r}; it "
                    f"has {', '.join(name for name in modules if name)}"
                )
        if not self.layers:
            raise InputError("expected at least one layer to count, but got none")
        for name, inputs, targets in (
            ("", self.inputs, self.targets),
            ("test_", self.test_inputs, self.test_targets),
        ):
            if not isinstance(inputs, Tensor) or not isinstance(targets, Tensor):
                raise InputError(f"expected {name}inputs and {name}targets as tensors")
            if len(inputs) != len(targets) or not len(inputs):
                raise InputError(
                    f"expected as many {name}targets as {name}inputs, and at least one, but got "
                    f"{len(targets)} and {len(inputs)}"
                )


def require_losses(problem: Problem) -> None:
    """Raise InputError unless losses come one for each sample, tried on a few of them."""
    inputs, targets = problem.inputs[:2], problem.targets[:2]
    was_training = problem.model.training
    problem.model.eval()
    try:
        with torch.no_grad():
            losses = problem.losses(problem.model(inputs), inputs, targets)
    finally:
        problem.model.train(was_training)
    shape = tuple(losses.shape) if isinstance(losses, Tensor) else type(losses).__name__
    if not isinstance(losses, Tensor) or losses.ndim == 0 or len(losses) != len(inputs):
        raise InputError(
            f"expected losses of a batch, one for each of its {len(inputs)} samples, but got "
            f"{shape}: return them before they are averaged, with reduction='none' say"
        )


def shuffled(seed: int, *tensors: Tensor) -> tuple[Tensor, ...]:
    """The same random order of all tensors' first axes."""
    order = torch.randperm(len(tensors[0]), generator=torch.Generator().manual_seed(seed))
    return tuple(tensor[order] for tensor in tensors)
