"""Tasks of a study that train in a blink, for tests; each call leaves a line in a file, if the
environment names one.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from actilaw.study.grid import Grid
from actilaw.study.problem import Problem, Schedule, Stop
from actilaw.study.tasks import register_task

CALLS = "STUDY_TASK_CALLS"  # a file that gets a line from each call of a task
SAMPLES, TEST_SAMPLES, FEATURES = 64, 32, 5


def tiny(width: int, seed: int, steps: int = 20) -> Problem:
    """One layer of rectifiers that learns the sum of its inputs."""
    _note(f"{width} {seed}")
    inputs = torch.randn(SAMPLES + TEST_SAMPLES, FEATURES)
    targets = inputs.sum(1, keepdim=True)
    model = nn.Sequential(nn.Linear(FEATURES, width), nn.ReLU(), nn.Linear(width, 1))
    return Problem(
        model=model,
        layers=("1",),
        inputs=inputs[:SAMPLES],
        targets=targets[:SAMPLES],
        test_inputs=inputs[SAMPLES:],
        test_targets=targets[SAMPLES:],
        losses=squared_errors,
        schedule=Schedule(Stop(steps=steps), batch=8),
    )


def squared_errors(outputs: Tensor, _: Tensor, targets: Tensor) -> Tensor:
    return (outputs - targets).square().mean(-1)


@register_task("stacked", stacked_up_to=100)
def stacked(width: int, seed: int) -> Problem:
    """The same, with seeds and sizes of one width in a stack."""
    return tiny(width, seed)


def slow(width: int, seed: int) -> Problem:
    """The same, after a while in which it can be killed."""
    time.sleep(0.3)
    return tiny(width, seed)


def failing(width: int, seed: int) -> Problem:
    """The same, but for one seed."""
    if seed == 1:
        raise RuntimeError("no data for this seed")
    return tiny(width, seed)


def deadly(width: int, seed: int) -> Problem:
    """The same, but for one seed it kills its own process, as the system does for memory."""
    if seed == 1:
        _note("killed")
        os.kill(os.getpid(), signal.SIGKILL)
    return tiny(width, seed)


@register_task("stacked-deadly", stacked_up_to=100)
def stacked_deadly(width: int, seed: int) -> Problem:
    """The same, with seeds and sizes of one width in a stack."""
    return deadly(width, seed)


def deadly_once(width: int, seed: int) -> Problem:
    """The same, but the first time of all it kills its own process."""
    first = Path(os.environ[CALLS]).with_suffix(".killed")
    if not first.exists():
        first.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return tiny(width, seed)


def grid_of(task: str, **changes: tuple[int, ...]) -> Grid:
    """A small grid of one of these tasks, named as a user names one of their own."""
    shape = {"widths": (4, 8), "samples": (16, 64), "seeds": (0, 1), **changes}
    return Grid(f"builders.study_tasks:{task}", **shape)


def _note(line: str) -> None:
    if CALLS in os.environ:
        with open(os.environ[CALLS], "a") as file:
            file.write(f"{line}\n")
