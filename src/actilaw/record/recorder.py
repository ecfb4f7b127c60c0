"""Hooks that count, while a network runs, on how many samples each of its units is activated.

Memory follows the number of units, never the number of samples; the network's outputs, gradients and random state
are untouched.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import nn

from actilaw.counts import ActivationCounts, Census
from actilaw.errors import CountsError, InputError
from actilaw.record.criteria import Criterion
from actilaw.record.sites import Layers, Site, find_sites

Mask = Callable[..., torch.Tensor]


class Tally:
    """Running counts of one layer, on the device where its activations live."""

    def __init__(self, name: str, site: Site, unit: str) -> None:
        self.name, self.site, self.unit = name, site, unit
        self.counts: torch.Tensor | None = None
        self.samples = 0
        self.nonfinite = 0

    @torch.no_grad()
    def add(self, output: Any, keep: torch.Tensor | None) -> None:
        """Count one output of the layer; `keep` (samples,) or (samples, positions) says which entries count."""
        x = _by_position(self.name, output, self.site.axis)
        active, finite = self.site.criterion(x), torch.isfinite(x).all(-1)
        kept = _kept(self.name, keep, finite)
        active, broken = active & kept[..., None], ~finite & kept
        if self.unit == "sample":
            active, broken, kept = active.any(1), broken.any(1), kept.any(1)
        counts = active.reshape(-1, active.shape[-1]).sum(0)
        if self.counts is not None and self.counts.shape != counts.shape:
            raise InputError(
                f"layer {self.name!r} had {len(self.counts)} units so far but {len(counts)} now: a module that serves "
                "layers of different widths cannot be counted as one; give each layer its own module"
            )
        self.counts = counts if self.counts is None else self.counts.to(counts.device).add_(counts)
        self.samples += int(kept.sum())
        self.nonfinite += int(broken.sum())

    def result(self) -> ActivationCounts | None:
        """The counts so far, or None before the first sample."""
        if self.counts is None or not self.samples:
            return None
        return ActivationCounts(
            self.counts.cpu().numpy().astype(np.int64),
            self.samples,
            unit=self.unit,
            criterion=str(self.site.criterion),
            nonfinite=self.nonfinite,
        )


class Recorder:
    """Counts activations of a model's layers while a `with` block runs; see `actilaw.record`."""

    def __init__(
        self,
        model: nn.Module,
        layers: Layers = "auto",
        active: str | Criterion = "auto",
        unit: str = "sample",
        mask: Mask | None = None,
    ) -> None:
        if unit not in ("sample", "position"):
            raise InputError(f"expected unit='sample' or unit='position', but got {unit!r}")
        sites = find_sites(model, layers, active)
        self._model, self._mask = model, mask
        self._tallies = {name: Tally(name, site, unit) for name, site in sites.items()}
        self._keep: torch.Tensor | None = None
        self._hooks: list[torch.utils.hooks.RemovableHandle] = []

    def __enter__(self) -> Recorder:
        if self._mask is not None:
            self._hooks.append(self._model.register_forward_pre_hook(self._set_mask, with_kwargs=True))
        for tally in self._tallies.values():
            self._hooks.append(tally.site.module.register_forward_hook(self._counter(tally)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def census(self) -> Census:
        """The counts so far; may be asked for while recording and after it.

        Raises:
            CountsError: if no sample has passed through any of the layers yet.
        """
        results = {name: tally.result() for name, tally in self._tallies.items()}
        counted = {name: counts for name, counts in results.items() if counts is not None}
        if not counted:
            raise CountsError(
                f"nothing was recorded in {', '.join(self._tallies)}: run the model on data inside the `with` block"
            )
        return Census(counted)

    def _set_mask(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        assert self._mask is not None
        self._keep = self._mask(*args, **kwargs).bool()

    def _counter(self, tally: Tally) -> Callable[..., None]:
        def count(module: nn.Module, inputs: Any, output: Any) -> None:
            tally.add(output, self._keep)

        return count


def _by_position(name: str, output: Any, axis: int) -> torch.Tensor:
    """The output as (samples, positions, units), whatever axes it came with."""
    if not isinstance(output, torch.Tensor) or output.ndim < 2:
        came = f"shape {tuple(output.shape)}" if isinstance(output, torch.Tensor) else type(output).__name__
        raise InputError(f"expected layer {name!r} to return a tensor (samples, ..., units), but it returned {came}")
    x = output.detach().movedim(axis, -1)
    return x.reshape(x.shape[0], -1, x.shape[-1])


def _kept(name: str, keep: torch.Tensor | None, finite: torch.Tensor) -> torch.Tensor:
    """The mask as (samples, positions), where a mask of (samples,) holds for every position."""
    if keep is None:
        return torch.ones_like(finite)
    if keep.ndim == 1:
        keep = keep[:, None]
    if keep.ndim != 2 or keep.shape[0] != finite.shape[0] or keep.shape[1] not in (1, finite.shape[1]):
        raise InputError(
            f"expected a mask of shape (samples,) or (samples, positions), here {tuple(finite.shape)}, "
            f"at layer {name!r}, but got {tuple(keep.shape)}"
        )
    return keep.to(finite.device).expand_as(finite)
