"""Recording: from a running network to a census of its activations. Torch is imported only when a
recording starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actilaw.counts.census import Census
from actilaw.errors import needs_extra
from actilaw.recording.criteria import Criterion, Positive, Relative, Threshold, TopK

if TYPE_CHECKING:
    from torch import nn

    from actilaw.recording.counter import Counter
    from actilaw.recording.layers import Criteria, Layers
    from actilaw.recording.recorder import Mask, Recorder

__all__ = ["Positive", "Relative", "Threshold", "TopK", "counter", "record"]


def record(
    model: nn.Module,
    layers: Layers = "auto",
    criterion: Criteria = "auto",
    per: str = "sample",
    mask: Mask | None = None,
    *,
    resume: Census | None = None,
) -> Recorder:
    """Count, while the block runs, on how many samples each unit of `model` is activated.

        with record(model) as recording:
            model(inputs)
        census = recording.census()

    Args:
        model: any torch module, compiled or not, in one process or one of several; its outputs,
            gradients and random state stay as they are.
        layers: "auto" for outputs of activation modules, inputs of the last projection of gated
            feed-forward layers, routers of mixtures of experts and latents of sparse autoencoders
            (`recording.uncovered` names what is left out); or a module name or glob, a list of
            them, or a function of (name, module). Units are the last axis, or axis 1 after
            convolutions.
        criterion: "auto" for "above zero" after rectifiers, "not zero" for latents, the chosen
            experts of a router, and more than a tenth of the largest magnitude at the same position
            for smooth and gated units; or a rule (`Positive()`, `Threshold(0.1)`, `Relative(0.05)`,
            `TopK(2)`, a function), or a list of rules.
        per: "sample": an entry of the first axis, in which a unit counts once if it is activated
            at any position; "position" (or "token"): every position is a sample.
        mask: which samples (n_samples,) or positions (n_samples, n_positions) to count: the name of
            an argument of the model, "attention_mask" say, or a function of its arguments. All of
            them by default.
        resume: a census to go on from, of the same model, layers and rules.

    Returns:
        A context manager; its `.census()` gives the counts, while it runs or after.

    Raises:
        ModelError: if the model has no such layer.
        MissingExtraError: if torch is not installed.
    """
    with needs_extra("torch"):
        from actilaw.recording.recorder import Recorder
    return Recorder(model, layers, criterion, per, mask, resume)


def counter(criterion: Criterion | None = None, per: str = "sample") -> Counter:
    """Count activations that come as arrays, from anywhere: `.update(array)`,
    `.update_indices(...)`, `.counts()`.

    Args:
        criterion: the rule, by default `Positive()`.
        per: "sample", or "position" for arrays (n_samples, n_positions, n_units) whose every
            position is a sample.

    Raises:
        MissingExtraError: if torch is not installed.
    """
    with needs_extra("torch"):
        from actilaw.recording.counter import Counter
    return Counter(criterion or Positive(), per)
