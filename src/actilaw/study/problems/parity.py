"""Multitask sparse parity (Michaud et al. 2023, arXiv 2303.13506): many small tasks, whose
frequencies follow a power law, each the parity of a few bits of its own.

A sample names one of 64 tasks and shows 24 random bits; the answer is the parity of the two bits
that belong to that task. What is learnt is learnt in quanta, one task after another.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from actilaw.study.problem import Problem, Schedule, Stop, shuffled
from actilaw.study.problems.images import cross_entropies, wrong_answers

TASKS, BITS, OF_A_TASK = 64, 24, 2
EXPONENT = 1.4  # of the tasks' frequencies, 1 + 0.4 as in the paper
TRAINING, TESTING = 2**17, 4096  # samples


def parity_task(width: int, seed: int) -> Problem:
    """Parity of two of 24 bits, told by one hidden layer of rectifiers from the bits and the name
    of the task.
    """
    inputs, answers = _samples()
    training = shuffled(seed, inputs[:TRAINING], answers[:TRAINING])
    hidden, output = nn.Linear(TASKS + BITS, width), nn.Linear(width, 2)
    return Problem(
        model=nn.Sequential(OrderedDict(hidden=hidden, relu=nn.ReLU(), output=output)),
        layers=("relu",),
        inputs=training[0],
        targets=training[1],
        test_inputs=inputs[TRAINING:],
        test_targets=answers[TRAINING:],
        losses=cross_entropies,
        errors=wrong_answers,
        # Losses stand still before a task is learnt, so that only a number of steps can be set.
        schedule=Schedule(Stop(steps=2000), batch=256, l1=1e-3),
    )


@cache
def _samples() -> tuple[Tensor, Tensor]:
    """Inputs (n, tasks + bits) and answers (n,)."""
    random = torch.Generator().manual_seed(0)
    n = TRAINING + TESTING
    weights = torch.arange(1.0, TASKS + 1) ** -EXPONENT
    task = torch.multinomial(weights, n, replacement=True, generator=random)
    bits = torch.randint(2, (n, BITS), generator=random)
    own = torch.stack([torch.randperm(BITS, generator=random)[:OF_A_TASK] for _ in range(TASKS)])
    answers = bits.gather(1, own[task]).sum(1) % 2
    return torch.cat([one_hot(task, TASKS), bits], dim=1).float(), answers
