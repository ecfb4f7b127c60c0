"""A metric of torchmetrics that counts activations given to it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.errors import InputError, needs_extra
from actilaw.recording.activations import canonical_per
from actilaw.recording.counter import Counter
from actilaw.recording.criteria import POSITIVE, Criterion
from actilaw.support.validation import one_whole

with needs_extra("torchmetrics"):
    from torchmetrics import Metric


class WorkingUnits(Metric):
    """Working units, idle share and active units per sample, of activations (n_samples, n_units) or
    (n_samples, n_positions, n_units).

        metric = WorkingUnits(units=512)
        metric.update(activations)
        metric.compute()  # {"working": ..., "dead_frac": ..., "l0": ...}

    Counts are summed over the processes of torch.distributed by torchmetrics.

    Args:
        units: N.
        criterion, per: as for `actilaw.counter`.
        options: as for any metric of torchmetrics.

    Raises:
        InputError: if `units` is no whole number above zero, or `per` none of the three.
    """

    full_state_update = False
    counts: Tensor
    samples: Tensor

    def __init__(
        self, units: int, criterion: Criterion = POSITIVE, per: str = "sample", **options: Any
    ) -> None:
        super().__init__(**options)
        units = one_whole("units", units, least=1)
        self._criterion, self._per = criterion, canonical_per(per)
        zeros = torch.zeros(units, dtype=torch.int64)
        self.add_state("counts", zeros, dist_reduce_fx="sum")
        self.add_state("samples", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, activations: Tensor, mask: Tensor | None = None) -> None:
        """Count one batch.

        Raises:
            InputError: if it has another number of units, or a shape that cannot be counted.
        """
        if activations.shape[-1] != self.counts.numel():
            raise InputError(
                f"expected activations of {self.counts.numel()} units along the last axis, but got "
                f"shape {tuple(activations.shape)}"
            )
        counting = Counter(self._criterion, self._per)
        counting.update(activations, mask)
        counted = counting.counts()
        self.counts += torch.from_numpy(counted.counts.copy()).to(self.counts)
        self.samples += counted.samples

    def compute(self) -> dict[str, Tensor]:
        """The metrics, as scalars: working, dead_frac and l0."""
        working = (self.counts > 0).sum()
        return {
            "working": working,
            "dead_frac": 1 - working / self.counts.numel(),
            "l0": self.counts.sum() / self.samples.clamp(min=1),
        }

    def activation_counts(self) -> ActivationCounts:
        """The counts of this process, to fit and to forecast from.

        Raises:
            CountsError: if nothing was counted.
        """
        return ActivationCounts(self.counts.cpu().numpy(), int(self.samples), per=self._per)
