from __future__ import annotations

import numpy as np
import pytest
import torch

from actilaw.study.networks import Task, Text, digits


@pytest.fixture(scope="session")
def task() -> Task:
    return digits()


@pytest.fixture(scope="session")
def text() -> Text:
    """Every token is as frequent as any other, and follows from the one before: 5 times it, plus 3,
    modulo 64.
    """
    tokens = [np.random.default_rng(0).integers(64, size=200)]
    for _ in range(31):
        tokens.append((5 * tokens[-1] + 3) % 64)
    windows = torch.from_numpy(np.stack(tokens, 1))
    return Text(windows[:100], windows[100:], torch.arange(100), vocabulary=64)
