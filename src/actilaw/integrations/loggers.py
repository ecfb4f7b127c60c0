"""Where logged values go: a logger is any function of (values, step)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actilaw.errors import needs_extra

# By name: a number, or values (n,) of which a histogram is drawn; and the step of the training.
Logger = Callable[[Mapping[str, float | NDArray[np.float64]], int], None]


def to_tensorboard(writer: Any) -> Logger:
    """Log to TensorBoard.

    Args:
        writer: a `torch.utils.tensorboard.SummaryWriter`, or one of tensorboardX.
    """

    def log(values: Mapping[str, float | NDArray[np.float64]], step: int) -> None:
        for name, value in values.items():
            if not isinstance(value, np.ndarray):
                writer.add_scalar(name, value, step)
            elif value.size:
                writer.add_histogram(name, value, step)

    return log


def to_wandb(run: Any) -> Logger:
    """Log to Weights & Biases.

    Args:
        run: what `wandb.init` returned, online or offline. The step is logged as
            "trainer/global_step", since W&B's own may only rise.

    Raises:
        MissingExtraError: if wandb is not installed.
    """
    with needs_extra("wandb"):
        import wandb  # pyright: ignore[reportMissingImports]

    def log(values: Mapping[str, float | NDArray[np.float64]], step: int) -> None:
        drawn = {
            name: wandb.Histogram(value.tolist()) if isinstance(value, np.ndarray) else value
            for name, value in values.items()
            if not isinstance(value, np.ndarray) or value.size
        }
        run.log({**drawn, "trainer/global_step": step})

    return log
