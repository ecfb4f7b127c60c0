"""The two ways to count activations: `record` for a network that runs, `counter` for arrays.

PyTorch is imported only when one of them is called, so that `import actilaw` stays light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actilaw.counts.census import Census
from actilaw.errors import needs_extra
from actilaw.recording.criteria import POSITIVE, Criteria, Criterion

if TYPE_CHECKING:
    from torch import nn

    from actilaw.recording.counter import Counter
    from actilaw.recording.layers import Layers
    from actilaw.recording.masks import Mask
    from actilaw.recording.recorder import Recorder

__all__ = ["counter", "record"]


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
        layers: "auto" for outputs of activation modules and functions, inputs of the last
            projection of gated feed-forward layers, routers of mixtures of experts and latents of
            sparse autoencoders (`recording.uncovered` names what is left out); or a module name or
            glob, a list of them, or a function of (name, module). Units are what the weights make
            that feed a layer: channels of a convolution, the last axis of anything else. A layer
            fed by other modules in each of its calls is several, `name#0`, `name#1`, ...
        criterion: "auto" for "above zero" after rectifiers, "not zero" for latents, the chosen
            experts of a router, and more than a tenth of the largest magnitude at the same position
            for smooth and gated units, and for layers named by hand that are no rectifiers; or a
            rule (`Positive()`, `Threshold(0.1)`, `Relative(0.05)`, `TopK(2)`, their words such as
            "relative(0.05)", a function from activations to booleans of the same shape), or a list
            of rules. A threshold is in the unit of the activation.
        per: "sample": an entry of the first axis, in which a unit counts once if it is activated
            at any position; "position" (or "token"): every position is a sample. Use "token" for
            language models.
        mask: which samples (n_samples,) or positions (n_samples, n_positions) to count, true where
            they do: the name of an argument of the model, "attention_mask" say, or a function of
            its arguments. Additive masks, and PyTorch's padding masks, are understood; one that may
            mean either is refused. All of them by default.
        resume: a census to go on from, of the same model, layers and rules.

    Returns:
        A context manager; its `.census()` gives the counts of each layer, by the name of its
        module, while it runs or after.

    Raises:
        ModelError: if `model` is no torch module, or has no such layer.
        InputError: if `criterion` is no rule, `per` is none of the three, one named mask would have
            to serve an encoder and a decoder, or `resume` is of other layers or rules. While it
            runs: if activations or the mask have shapes that cannot be counted.
        MissingExtraError: if torch is not installed.
    """
    with needs_extra("torch"):
        from actilaw.recording.recorder import Recorder
    return Recorder(model, layers, criterion=criterion, per=per, mask=mask, resume=resume)


def counter(criterion: Criterion = POSITIVE, per: str = "sample") -> Counter:
    """Count activations that come as arrays, from anywhere.

        counting = counter()
        counting.update(array)  # (n_samples, n_units) or (n_samples, n_positions, n_units)
        counts = counting.counts()

    Args:
        criterion: the rule, as for `record`: `Positive()`, `Threshold(0.1)`, in the unit of the
            activation, `Relative(0.05)`, `TopK(2)`, or a function from activations to booleans of
            the same shape.
        per: "sample", in which a unit counts once if it is activated at any position; or
            "position" (or "token"), for arrays (n_samples, n_positions, n_units) whose every
            position is a sample.

    Returns:
        A counter with `.update(array, mask=None)`, `.update_indices(indices, units)` for samples
        known by their active units alone, and `.counts()`.

    Raises:
        InputError: if `per` is none of the three.
        MissingExtraError: if torch is not installed.
    """
    with needs_extra("torch"):
        from actilaw.recording.counter import Counter
    return Counter(criterion, per)
