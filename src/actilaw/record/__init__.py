"""Recording: from a running network to a census of its activations. Torch is imported only when a recording starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actilaw.errors import needs_extra
from actilaw.record.criteria import Criterion, Positive, Threshold

if TYPE_CHECKING:
    from torch import nn

    from actilaw.record.recorder import Mask, Recorder
    from actilaw.record.sites import Layers

__all__ = ["Positive", "Threshold", "record"]


def record(
    model: nn.Module,
    layers: Layers = "auto",
    active: str | Criterion = "auto",
    unit: str = "sample",
    mask: Mask | None = None,
) -> Recorder:
    """Count, while the block runs, on how many samples each unit of `model` is activated.

        with record(model) as recording:
            model(inputs)
        census = recording.census()

    Args:
        model: any torch module; its outputs, gradients and random state stay as they are.
        layers: "auto" for every rectifier (ReLU, ReLU6); or a module name or glob, a list of them, or a function
            of (name, module). Units are the last axis, or axis 1 after convolutions.
        active: "auto" for "above zero"; or a rule such as `Threshold(0.1)`, required for GELU and other smooth
            activations, whose outputs are never exactly zero.
        unit: "sample": an entry of the first axis, in which a unit counts once if it is activated at any position;
            "position": every position (token, pixel) is a sample.
        mask: function of the model's own arguments that returns which samples (n_samples,) or positions
            (n_samples, n_positions) to count; all of them by default.

    Returns:
        A context manager; its `.census()` gives the counts, while it runs or after.

    Raises:
        ModelError: if the model has no such layer.
        MissingExtraError: if torch is not installed.
    """
    with needs_extra("torch"):
        from actilaw.record.recorder import Recorder
    return Recorder(model, layers, active, unit, mask)
