"""Problems of a study that train in a moment."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from actilaw.study.problem import Problem, Schedule, Stop, shuffled


def blobs(width: int, seed: int) -> Problem:
    """Points around four centres of eight dimensions, told apart by one hidden layer."""
    random = torch.Generator().manual_seed(0)
    labels = torch.randint(4, (240,), generator=random)
    centres = 3 * torch.randn(4, 8, generator=random)
    points = centres[labels] + torch.randn(240, 8, generator=random)
    inputs, targets = shuffled(seed, points[:200], labels[:200])
    hidden, output = nn.Linear(8, width), nn.Linear(width, 4)
    return Problem(
        model=nn.Sequential(OrderedDict(hidden=hidden, relu=nn.ReLU(), output=output)),
        layers=("relu",),
        inputs=inputs,
        targets=targets,
        test_inputs=points[200:],
        test_targets=labels[200:],
        losses=_losses,
        errors=_errors,
        schedule=Schedule(Stop(steps=30), batch=16, rate=1e-2, l1=1e-3),
    )


def until_flat(width: int, seed: int) -> Problem:
    """The same, trained until the loss no longer falls by a third in ten steps."""
    problem = blobs(width, seed)
    stop = Stop(steps=200, tolerance=0.3, window=10)
    return replace(problem, schedule=replace(problem.schedule, stop=stop))


def refuses_width_five(width: int, seed: int) -> Problem:
    """The same, but not for five units."""
    if width == 5:
        raise ValueError("five is not a width")
    return blobs(width, seed)


def diverges_for_seed_one(width: int, seed: int) -> Problem:
    """The same, with inputs that are no numbers for seed 1."""
    problem = blobs(width, seed)
    return replace(problem, inputs=problem.inputs / 0) if seed == 1 else problem


def _losses(logits: Tensor, _: Tensor, labels: Tensor) -> Tensor:
    return cross_entropy(logits, labels, reduction="none")


def _errors(logits: Tensor, _: Tensor, labels: Tensor) -> Tensor:
    return (logits.argmax(-1) != labels).float()
