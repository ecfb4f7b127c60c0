"""The public function `prune`; torch is imported only when a model is pruned."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from actilaw.counts.census import Census
from actilaw.errors import needs_extra
from actilaw.pruning.plan import RemovalPlan
from actilaw.pruning.result import PruneResult

if TYPE_CHECKING:
    from torch import nn

__all__ = ["prune"]


def prune(
    model: nn.Module,
    census: Census,
    example_inputs: Any,
    budget: float | None = None,
    *,
    plan: RemovalPlan | None = None,
    batches: Iterable[Any] | None = None,
    ranking: str | None = None,
    equal_widths: bool = False,
) -> PruneResult:
    """A smaller copy of `model` without the units that no recorded sample activated, or, within a
    budget, without the rarest ones.

    Units are followed through the operations of the model, whatever it is made of, to every
    parameter that holds them. Outputs on samples on which no removed unit is active stay the same
    where idle units are exactly zero: after rectifiers, in sparse autoencoders, and experts that
    are not chosen. Other units are held at their mean output, which goes into the next bias. Units
    that several layers share, as those of a residual stream, go where all of them agree; what has
    to stay, and why, stands below the result's `summary()`.

    Args:
        model: any torch module that runs on `example_inputs`; left as it is. Of one that is wrapped
            by torch.compile or DistributedDataParallel the module inside is taken.
        census: a census of this model with its present weights. One without a fingerprint of
            weights (of an older file, or made by hand) cannot be compared, and the result says so.
        example_inputs: a tensor, a tuple of the model's arguments, or a mapping of them, on which
            units are followed and the result is verified. Few samples are enough.
        budget: expected share of samples, in (0, 1), that may have been active in a removed unit;
            see `plan_removal`. None removes idle units alone.
        plan: what to remove, by `plan_removal`, in the place of the budget.
        batches: over which the mean output of units is taken that go without being zero, and by
            which they are ranked (`ranking="change"`, the expected squared change of what later
            weights give): a loader, as of `PruneResult.verify`. The example inputs if left out.
        ranking: as of `plan_removal`, which units go first; the importance is measured here.
        equal_widths: remove equally many units of layers of equal width, as `save_pretrained` of
            Transformers needs it.

    Returns:
        A `PruneResult` with the smaller `.model`.

    Raises:
        ModelError: if the model is scripted, traced or quantised, lacks the layers of the census,
            none of the planned units can be removed, or verification fails; with the names.
        InputError: if the census is of another model, of this one with other weights, or of one in
            training; the example inputs are no tensors with at least one sample; or the budget,
            ranking or plan do not fit.
        MissingExtraError: if torch is not installed.
    """
    with needs_extra("prune"):
        from actilaw.pruning.smaller_model import remove_units
    return remove_units(
        model,
        census,
        example_inputs,
        budget,
        plan=plan,
        batches=batches,
        ranking=ranking,
        equal_widths=equal_widths,
    )
