"""Sparse features whose frequencies follow Zipf's law: a few are common, most are rare.

Feature i of 4,096 is present in a sample with probability 0.5 / i, at a strength between 0 and 1;
the samples are sums of the features' directions in a space of fewer dimensions (superposition,
Elhage et al. 2022, arXiv 2209.10652). A fixed teacher of one feature a unit gives the answers, so
that a network learns a rare feature only from data that show it.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from actilaw.study.problem import Problem, Schedule, Stop, shuffled

FEATURES, DIMENSIONS, ANSWERS = 4096, 64, 16
TRAINING, TESTING = 2**17, 2048  # samples


def teacher_task(width: int, seed: int) -> Problem:
    """Regression of 16 answers on 64 numbers by one hidden layer of rectifiers."""
    inputs, answers = _samples()
    training = shuffled(seed, inputs[:TRAINING], answers[:TRAINING])
    hidden, output = nn.Linear(DIMENSIONS, width), nn.Linear(width, ANSWERS)
    return Problem(
        model=nn.Sequential(OrderedDict(hidden=hidden, relu=nn.ReLU(), output=output)),
        layers=("relu",),
        inputs=training[0],
        targets=training[1],
        test_inputs=inputs[TRAINING:],
        test_targets=answers[TRAINING:],
        losses=squared_errors,
        schedule=Schedule(Stop(steps=1000, tolerance=0.01), batch=256, l1=3e-3),
    )


def squared_errors(output: Tensor, _: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error of each sample; (n,) of (n, answers)."""
    return (output - targets).square().mean(-1)


@cache
def _samples() -> tuple[Tensor, Tensor]:
    """Inputs (n, dimensions) and answers (n, answers), the latter with variance 1."""
    random = torch.Generator().manual_seed(0)
    frequencies = 0.5 / torch.arange(1, FEATURES + 1)
    directions = normalize(torch.randn(FEATURES, DIMENSIONS, generator=random), dim=1)
    meanings = torch.randn(FEATURES, ANSWERS, generator=random)
    inputs, answers = [], []
    for _ in range((TRAINING + TESTING) // 2048):
        present = torch.rand(2048, FEATURES, generator=random) < frequencies
        strengths = present * torch.rand(2048, FEATURES, generator=random)
        inputs.append(strengths @ directions)
        answers.append(strengths @ meanings)
    together = torch.cat(answers)
    return torch.cat(inputs), (together - together.mean(0)) / together.std()
