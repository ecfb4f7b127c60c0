from __future__ import annotations

import os

import pytest
import torch
from hypothesis import settings

from actilaw import ActivationCounts
from builders.browser import browser  # noqa: F401 (a fixture, for every room)
from builders.drawn import draw_counts

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # before anything imports it: tests ask no host

if not torch.cuda.is_available():
    # Kernels run in Triton's interpreter, if it is told before anything imports Triton.
    os.environ["TRITON_INTERPRET"] = "1"

# How long an example takes says how busy the machine is.
settings.register_profile("without deadline", deadline=None)
settings.load_profile("without deadline")


@pytest.fixture(scope="session")
def counts() -> ActivationCounts:
    return draw_counts(units=2000, active=40, b=0.3, samples=500, seed=1)
