"""Training the networks that a study looks at, and measuring them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from actilaw.errors import InputError
from actilaw.study.tasks import Task


def train(
    task: Task,
    units: int = 4096,
    *,
    samples: int | None = None,
    l1: float = 3e-3,
    steps: int = 400,
    seed: int = 0,
) -> nn.Sequential:
    """A network with one hidden layer of rectifiers, named "relu", trained on the task.

    Args:
        task: what to learn.
        units: N, width of the hidden layer.
        samples: D, size of the training set, taken from the front of the task's; all of it by default.
        l1: price of activation: cross-entropy in nats plus l1 times the sum of a sample's activations.
        steps: of Adam, learning rate 2e-3, on 128 samples each.
        seed: of weights and order; the global random state stays as it is.

    Raises:
        InputError: if the task does not have so many samples.
    """
    if samples is not None and not 1 <= samples <= len(task.labels):
        raise InputError(f"expected training samples in 1..{len(task.labels)}, those the task has, but got {samples}")
    inputs, labels = task.inputs[:samples], task.labels[:samples]
    with torch.random.fork_rng(devices=[]), _denormals_flushed():
        torch.manual_seed(seed)
        hidden = nn.Sequential(OrderedDict(hidden=nn.Linear(inputs.shape[1], units), relu=nn.ReLU()))
        output = nn.Linear(units, task.classes)
        optimiser = torch.optim.Adam([*hidden.parameters(), *output.parameters()], lr=2e-3)
        for _ in range(steps):
            batch = torch.randint(len(labels), (128,))
            activations = hidden(inputs[batch])
            loss = cross_entropy(output(activations), labels[batch]) + l1 * activations.sum(1).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return nn.Sequential(OrderedDict([*hidden.named_children(), ("output", output)]))


@contextmanager
def _denormals_flushed() -> Iterator[None]:
    """Without it sparse networks can train twenty times slower on a CPU."""
    already = float(torch.tensor(1e-40) * 1) == 0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(already)


@torch.no_grad()
def evaluate(model: nn.Module, inputs: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean cross-entropy, in nats per sample, and accuracy, in 0..1."""
    logits = model(inputs)
    return float(cross_entropy(logits, labels)), float((logits.argmax(-1) == labels).float().mean())


def learning_curve(
    task: Task, sizes: Iterable[int], *, seeds: Iterable[int] = range(3), **training: Any
) -> pd.DataFrame:
    """Test loss against the size of the training set: columns samples, seed, loss, a row per training.

    Args:
        task: what to learn.
        sizes: of the training sets.
        seeds: how often each, and from which start.
        training: further arguments of `train`.
    """
    seeds = tuple(seeds)
    rows = []
    for samples in sizes:
        for seed in seeds:
            model = train(task, samples=samples, seed=seed, **training)
            loss, _ = evaluate(model, task.test_inputs, task.test_labels)
            rows.append({"samples": samples, "seed": seed, "loss": loss})
    return pd.DataFrame(rows)
