"""Activations brought into one layout, (n_entries, n_positions, n_units), by what their axes mean.

Where the origin of a tensor is known, so are its samples, positions and units, wherever they are.
Where it is not, the first axis has to be that of the batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from actilaw.errors import InputError
from actilaw.recording.batches import Batch
from actilaw.recording.tracing.axes import NONE, Axes, Run, mesh
from actilaw.recording.tracing.axes import size as size_of
from actilaw.recording.tracing.origins import Origin


@dataclass(frozen=True)
class Arranged:
    """Activations of one call of a layer.

    Attributes:
        x: (n_entries, n_positions, n_units).
        samples: of the batch, one for each entry, (n_entries,); None if they are all of them, in
            order.
        batch_size: number of samples of the batch, as this layer sees it.
        mask: (n_entries, n_positions), which count; None for all.
    """

    x: Tensor
    samples: Tensor | None
    batch_size: int
    mask: Tensor | None


@dataclass(frozen=True)
class Layout:
    """Where samples and units are along the axes of a tensor, for batches of any size.

    Attributes:
        samples: the axis of the samples.
        units: the axes of the units.
        folded: whether other positions are folded into the axis of the samples, inside them.
    """

    samples: int
    units: tuple[int, ...]
    folded: bool = False


class NotOfSamplesError(InputError):
    """It cannot be said to which samples the activations of a layer belong."""


def arranged(name: str, x: Tensor, origin: Origin | None, batch: Batch, fallback: int) -> Arranged:
    """Activations as entries, positions and units.

    Args:
        name: of the layer, for messages.
        x: what the layer returned, or took in.
        origin: where that comes from, or None.
        batch: that runs now.
        fallback: the axis of the units where the origin does not tell.

    Raises:
        NotOfSamplesError: if no axis can be that of the samples.
    """
    axes = None if origin is None else origin.axes
    if axes is None or not x.numel():
        return _by_first_axis(name, x, batch, fallback)
    return _by_axes(name, x, axes, batch, fallback)


def layout(x: Tensor, origin: Origin | None, batch: Batch, fallback: int) -> Layout | None:
    """The layout that a tensor of this origin has in every batch, or None if there is none."""
    axes = None if origin is None else origin.axes
    if axes is None:
        return Layout(0, (fallback,)) if batch.size == x.shape[0] else None
    if axes.sample is not None or batch.size is None:
        return None
    units = tuple(dim - len(axes) for dim in _unit_axes(axes, fallback))
    if not units:
        return None
    for dim, axis in enumerate(axes.axes):
        if axis[0].sample == range(batch.size):
            whole = all(run.sample is None and not run.unit for run in axis[1:])
            others = (run for at, rest in enumerate(axes.axes) if at != dim for run in rest)
            if whole and all(run.sample is None for run in others):
                return Layout(dim, units, folded=len(axis) > 1)
    return None


def by_layout(name: str, x: Tensor, where: Layout, batch: Batch) -> Arranged:
    """Activations as entries, positions and units, of a layout that is known from before."""
    size, dim = batch.size, where.samples
    if size is None or x.shape[dim] % max(size, 1) or (x.shape[dim] != size and not where.folded):
        raise NotOfSamplesError(
            f"expected layer {name!r} to have its {size} samples along axis {dim}, as in the first "
            f"forward pass, but got shape {tuple(x.shape)}: record the model uncompiled"
        )
    units = [unit % x.ndim for unit in where.units]
    x = x.movedim(units, list(range(-len(units), 0))).flatten(-len(units))
    x = x.unflatten(0, (size, -1)) if where.folded else x.movedim(dim, 0)
    x = x.reshape(size, -1, x.shape[-1])
    return Arranged(x, None, size, _mask_by_shape(name, batch.mask, x))


def _by_first_axis(name: str, x: Tensor, batch: Batch, fallback: int) -> Arranged:
    if x.ndim < 2:
        raise NotOfSamplesError(
            f"expected activations (samples, ..., units) at layer {name!r}, but got shape "
            f"{tuple(x.shape)}"
        )
    x = x.movedim(fallback, -1)
    rows, size = x.shape[0], batch.size
    if size is None:
        size = rows
    elif rows != size:
        raise NotOfSamplesError(
            f"expected the {size} samples of the batch along an axis of layer {name!r}, but its "
            f"activations have shape {tuple(x.shape)} and do not come from the model's inputs by "
            "functions that can be followed: leave the layer out, or count it by a counter"
        )
    x = x.reshape(rows, math.prod(x.shape[1:-1]), x.shape[-1])
    return Arranged(x, None, size, _mask_by_shape(name, batch.mask, x))


def _by_axes(name: str, x: Tensor, axes: Axes, batch: Batch, fallback: int) -> Arranged:
    """Samples first, units last, positions between, each as the runs of its axes."""
    unit_axes = _unit_axes(axes, fallback)
    runs: list[Run] = []
    kinds: list[int] = []
    for dim, axis in enumerate(axes.axes):
        for run in axis if dim not in unit_axes else (Run(size_of(axis), unit=True),):
            runs.append(run)
            is_unit = run.unit and (dim in unit_axes or not unit_axes)
            kinds.append(2 if is_unit else 0 if run.sample is not None else 1)
    order = sorted(range(len(runs)), key=lambda i: kinds[i])
    sizes = [runs[i].size for i in order]
    split = [kinds.count(kind) for kind in (0, 1, 2)]
    n_samples = math.prod(sizes[: split[0]])
    n_units = math.prod(sizes[split[0] + split[1] :])
    values = x.reshape([run.size for run in runs]).permute(order)
    values = values.reshape(n_samples, math.prod(sizes[split[0] : split[0] + split[1]]), n_units)
    samples, size = _samples(name, axes, [runs[i] for i in order[: split[0]]], batch)
    positions = [runs[i] for i in order]
    mask = None
    if batch.mask is not None:
        mask = _mask_by_axes(name, batch.mask, axes, positions, split, samples, values)
    if samples is not None and bool((samples == NONE).any()):
        kept = samples != NONE
        values, samples = values[kept.to(values.device)], samples[kept]
        mask = None if mask is None else mask[kept.to(mask.device)]
    return Arranged(values, samples, size, mask)


def _unit_axes(axes: Axes, fallback: int) -> list[int]:
    """The axes with units, or the one that has to have them."""
    found = [
        dim
        for dim, axis in enumerate(axes.axes)
        if any(run.unit for run in axis) and all(run.sample is None for run in axis)
    ]
    if found or axes.one_unit or any(run.unit for axis in axes.axes for run in axis):
        return found  # units that share an axis with samples are told from them run by run
    return [fallback % len(axes)]


def _samples(name: str, axes: Axes, runs: list[Run], batch: Batch) -> tuple[Tensor | None, int]:
    """The samples of each entry, or None for all in order, and how many the batch has."""
    offset = axes.sample
    if not runs:
        if offset is None:
            raise NotOfSamplesError(
                f"expected the samples of the batch along an axis of layer {name!r}, but none of "
                "its axes holds them: leave the layer out, or count it by a counter"
            )
        size = batch.size or 1
        return (None, 1) if size == 1 else (torch.tensor([offset]), size)
    size = batch.size if batch.size is not None else math.prod(run.size for run in runs)
    if len(runs) == 1 and not offset and runs[0].sample == range(size):
        return None, size
    samples = mesh([run.sample for run in runs], [run.size for run in runs])
    if offset:
        samples = torch.where(samples == NONE, NONE, samples + offset)
    if len(samples) == size and bool((samples == torch.arange(size)).all()):
        return None, size
    return samples, size


def _mask_by_axes(
    name: str,
    mask: Tensor,
    axes: Axes,
    runs: list[Run],
    split: list[int],
    samples: Tensor | None,
    values: Tensor,
) -> Tensor:
    """Which entries and positions count, (n_entries, n_positions)."""
    if mask.shape[0] == 1 and values.shape[0] > 1:
        mask = mask.expand(values.shape[0], *mask.shape[1:])
    rows = mask if samples is None else mask[samples.clamp(min=0).to(mask.device)]
    if mask.ndim == 1 or mask.shape[1] == 1:
        rows = rows[:, None] if mask.ndim == 1 else rows
        return rows.to(values.device).expand(values.shape[:2])
    between, inside = runs[: split[0]], runs[split[0] : split[0] + split[1]]
    told = [run.position is not None for run in (*between, *inside)]
    if any(told) or axes.position is not None:
        numbers = mesh(
            [run.position for run in (*between, *inside)], [run.size for run in (*between, *inside)]
        ).view(values.shape[:2])
        positions = numbers + (axes.position or 0)
        wrong = int(positions.max()) >= mask.shape[1]
        if wrong:
            raise InputError(
                f"expected a mask for {int(positions.max()) + 1} positions at layer {name!r}, but "
                f"got shape {tuple(mask.shape)}"
            )
        found = rows.cpu().gather(1, positions.clamp(min=0))
        none = numbers == NONE  # positions of the model's own, a class token say
        found = torch.where(none, rows.cpu().any(1, keepdim=True), found)
        return found.to(values.device)
    if values.shape[1] == mask.shape[1]:
        return rows.to(values.device)
    if values.shape[1] == 1:  # pooled over positions: a sample counts if any of it does
        return rows.any(1, keepdim=True).to(values.device)
    raise InputError(
        f"expected {mask.shape[1]} positions at layer {name!r}, as the mask has, but got "
        f"{values.shape[1]}: record this layer with mask=None, or the others without it"
    )


def _mask_by_shape(name: str, mask: Tensor | None, x: Tensor) -> Tensor | None:
    if mask is None:
        return None
    if mask.ndim == 2 and x.shape[1] == 1 != mask.shape[1]:
        mask = mask.any(1)
    if mask.ndim == 2 and mask.shape[1] not in (1, x.shape[1]):
        raise InputError(
            "expected a mask of shape (samples,) or (samples, positions), here "
            f"{tuple(x.shape[:2])}, at layer {name!r}, but got {tuple(mask.shape)}"
        )
    mask = mask[:, None] if mask.ndim == 1 else mask
    return mask.to(x.device, torch.bool).expand(x.shape[:2])
