"""The public function `prune`; torch is imported only when a model is pruned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actilaw.counts.census import Census
from actilaw.errors import needs_extra
from actilaw.pruning.result import PruneResult

if TYPE_CHECKING:
    from torch import nn

__all__ = ["prune"]


def prune(model: nn.Module, census: Census, example_inputs: Any) -> PruneResult:
    """A smaller copy of `model` without the units that no recorded sample activated.

    Outputs on the recorded samples stay the same, since a rectifier's idle unit contributes zero.
    On other samples a removed unit might have been active, so compare losses on data of your own;
    `fit(counts).forecast` says how many would.

    Args:
        model: a network with Linear-ReLU-Linear parts; left as it is. Of one that is wrapped by
            torch.compile or DistributedDataParallel the module inside is taken.
        census: a census of this model with its present weights, counted with the rule "positive".
            One without a fingerprint of weights (of an older file, or made by hand) cannot be
            compared, and the result says so.
        example_inputs: a tensor, or a tuple of the model's arguments, on which the result is
            verified.

    Returns:
        A `PruneResult` with the smaller `.model`.

    Raises:
        ModelError: if the model is scripted, traced or quantised; if a layer of the census is not a
            rectifier between Linear layers; or if verification fails.
        InputError: if the census is of another model, of this one with other weights, or of one in
            training; or the example inputs are not tensors with at least one sample.
        MissingExtraError: if torch or torch-pruning is not installed.
    """
    with needs_extra("prune"):
        from actilaw.pruning.surgery import remove_idle
    return remove_idle(model, census, example_inputs)
