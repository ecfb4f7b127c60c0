"""Libraries of networks that only some tests need. `make test` installs them apart from all other
packages, into .venv/models, so that nothing else sees them; a test that finds none is skipped.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

OPERATORS_OF_TORCHVISION = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def model_library(name: str) -> Any:
    """The module `name` of torchvision, timm, transformers, transformer_lens or sae_lens; the test
    is skipped if it is not installed.
    """
    folder = str(Path(sys.prefix) / "models")
    if folder not in sys.path:
        sys.path.append(folder)
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # SAELens imports it
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    _import_torchvision()
    return pytest.importorskip(name)


@cache
def _import_torchvision() -> torch.library.Library | None:
    """Import torchvision. Its wheel is compiled for CUDA, so that beside a torch without CUDA its
    operators are missing, which it asks for by name: they are declared, and never called.
    """
    try:
        pytest.importorskip("torchvision")
    except RuntimeError:
        declared = torch.library.Library("torchvision", "DEF")
        for operator in OPERATORS_OF_TORCHVISION:
            declared.define(operator)
        pytest.importorskip("torchvision")
        return declared
    return None
