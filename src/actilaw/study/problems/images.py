"""Images of handwritten digits, told apart by a network with one hidden layer of rectifiers."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from actilaw.study.networks.tasks import Task, digits, mnist
from actilaw.study.problem import Problem, Schedule, Stop, shuffled

STOP = Stop(steps=800, tolerance=0.01)


def digits_task(width: int, seed: int) -> Problem:
    """Images of 8 x 8 pixels; 1,347 for training, 450 for testing."""
    return _hidden_layer(digits(), width, seed, Schedule(STOP, l1=3e-3))


def mnist_task(width: int, seed: int) -> Problem:
    """Images of 28 x 28 pixels; 4,000 for training, 1,000 for testing."""
    return _hidden_layer(mnist(), width, seed, Schedule(STOP, l1=3e-3))


def _hidden_layer(task: Task, width: int, seed: int, schedule: Schedule) -> Problem:
    """One hidden layer of `width` rectifiers between the pixels and the classes."""
    inputs, labels = shuffled(seed, task.inputs, task.labels)
    hidden = nn.Linear(inputs.shape[1], width)
    output = nn.Linear(width, task.classes)
    return Problem(
        model=nn.Sequential(OrderedDict(hidden=hidden, relu=nn.ReLU(), output=output)),
        layers=("relu",),
        inputs=inputs,
        targets=labels,
        test_inputs=task.test_inputs,
        test_targets=task.test_labels,
        losses=cross_entropies,
        errors=wrong_answers,
        schedule=schedule,
    )


def cross_entropies(logits: Tensor, _: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of each sample, in nats; (n,) of (n, classes) and (n,)."""
    return cross_entropy(logits, labels, reduction="none")


def wrong_answers(logits: Tensor, _: Tensor, labels: Tensor) -> Tensor:
    """1 where the most probable class is not the right one; (n,)."""
    return (logits.argmax(-1) != labels).float()
