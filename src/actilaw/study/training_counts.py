"""Counts of layers through the training of several networks at once: how many of the samples in all
batches activated each unit.

All units of all networks are counted by one call of the kernel, side by side. Blocks and first
activations are not kept: weights change from batch to batch, so nothing is forecast from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.recording.criteria import POSITIVE, Criterion, describe
from actilaw.recording.kernels.dispatch import count
from actilaw.recording.kernels.levels import rows_of


class TrainingCounts:
    """Running counts of the layers of several networks.

    Args:
        units: number of units of each layer, where layers name the active ones; else empty.
        per: what a sample is, as in `record`.
        criterion: when a unit is active.
    """

    def __init__(self, units: dict[str, int], per: str, criterion: Criterion = POSITIVE) -> None:
        self.units, self.per, self.criterion = units, per, criterion
        self.totals: dict[str, Tensor] = {}  # (n_networks, n_units)
        self.samples: dict[str, int] = {}

    def add(self, outputs: dict[str, Any]) -> None:
        """Count one batch: outputs of the layers, (n_networks, n_samples, ..., n_units), or tuples
        of active units (n_networks, ..., n_active) and what goes with them.
        """
        for layer, output in outputs.items():
            if layer in self.units:
                found, samples = _count_indices(output[0].detach(), self.units[layer])
            else:
                found, samples = count_units_last(output.detach(), self.per, self.criterion)
            self.totals[layer] = self.totals.get(layer, 0) + found
            self.samples[layer] = self.samples.get(layer, 0) + samples

    def of(self, place: int) -> dict[str, ActivationCounts]:
        """Counts of the layers of one network, by name."""
        return {
            layer: ActivationCounts(
                total[place].numpy(),
                self.samples[layer],
                per=self.per,
                criterion=describe(self.criterion),
                regime="training",
            )
            for layer, total in self.totals.items()
        }

    def keep(self, places: Sequence[int]) -> None:
        """Go on with these networks alone."""
        self.totals = {layer: total[list(places)] for layer, total in self.totals.items()}


def count_units_last(x: Tensor, per: str, criterion: Criterion) -> tuple[Tensor, int]:
    """Counts of each network's units, (n_networks, n_units), and the number of samples, from
    activations (n_networks, n_samples, ..., n_units).
    """
    networks, units = x.shape[0], x.shape[-1]
    x = x.reshape(networks, x.shape[1], -1, units).permute(1, 2, 0, 3)  # networks beside units
    if per == "position":
        x = x.reshape(-1, 1, networks, units)
    rows = rows_of(x.flatten(2), criterion)
    return count(rows).units.view(networks, units), len(x)


def _count_indices(chosen: Tensor, units: int) -> tuple[Tensor, int]:
    """The same where samples are given by the units that they activate."""
    networks = len(chosen)
    of_network = chosen.reshape(networks, -1)
    ones = torch.ones_like(of_network)
    found = torch.zeros(networks, units, dtype=torch.int64).scatter_add_(1, of_network, ones)
    return found, of_network.shape[1] // chosen.shape[-1]
