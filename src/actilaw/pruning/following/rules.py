"""How labels go through operations.

Operations on single entries join the ids that meet; moves move labels; products join what they sum
over, and give their result the ids of what is left. Operations that compare units with each other
(softmax, top-k) leave the result as it is without a unit only where the unit loses every
comparison: before the units are counted, that is what removing means; after it, the units have to
stay. So they do where norms take their statistics over them, and in operations that have no rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from actilaw.pruning.following.labels import (
    NO_LABELS,
    Labels,
    combined,
    compressed,
    ids_in,
    moved,
    varying,
    with_axes,
)
from actilaw.pruning.following.operation import Operation, Taken

MOVING = {
    "view", "_unsafe_view", "reshape", "_reshape_alias", "permute", "transpose", "t", "select",
    "slice", "unsqueeze", "squeeze", "expand", "split", "split_with_sizes", "unbind", "chunk",
    "alias", "detach", "index", "index_select", "gather", "flip", "roll", "repeat", "as_strided",
    "narrow", "unfold", "diagonal", "masked_select", "movedim", "unsafe_split",
    "unsafe_chunk", "unsafe_split_with_sizes", "lift_fresh", "pixel_shuffle", "pixel_unshuffle",
}  # fmt: skip
VIEWS = {"view", "_unsafe_view", "reshape", "_reshape_alias"}
# Entry by entry, though PyTorch does not mark them so.
ENTRY_BY_ENTRY = {
    "_to_copy", "copy", "native_dropout", "_prelu_kernel", "hardswish", "zeros_like", "ones_like",
    "full_like", "empty_like", "rand_like", "randn_like", "contiguous", "bernoulli", "floor_divide",
    "hardsigmoid", "fill", "zero", "to", "celu", "selu", "rrelu_with_noise", "log_sigmoid_forward",
}  # fmt: skip
# A unit that is zero adds nothing.
SUMS = {"sum", "count_nonzero", "linalg_vector_norm", "norm", "nansum", "any"}
TAKING_STATISTICS = {
    "mean", "var", "std", "var_mean", "std_mean", "amax", "amin", "prod", "logsumexp", "nanmean",
    "all",
}  # fmt: skip
COMPARING = {"_softmax", "_log_softmax", "topk", "sort", "argsort", "argmax", "argmin", "max",
               "min", "kthvalue", "median"}  # fmt: skip
KEEPING_AXES = {"_softmax", "_log_softmax", "cumsum", "cumprod"}
POOLS = {
    "max_pool2d_with_indices", "max_pool3d_with_indices", "avg_pool1d", "avg_pool2d", "avg_pool3d",
    "_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "adaptive_max_pool2d", "adaptive_max_pool3d",
    "max_pool2d", "max_pool1d", "mean_pool", "upsample_nearest2d", "upsample_bilinear2d",
    "upsample_bicubic2d", "upsample_nearest1d", "upsample_linear1d", "_upsample_bilinear2d_aa",
    "reflection_pad1d", "reflection_pad2d", "replication_pad1d", "replication_pad2d",
    "adaptive_avg_pool1d", "mkldnn_max_pool2d",
}  # fmt: skip
NORMS_BY_UNIT = {
    "native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training",
    "cudnn_batch_norm", "miopen_batch_norm", "_batch_norm_with_update",
    "_batch_norm_no_update", "batch_norm",
}  # fmt: skip
NORMS_OVER_UNITS = {"native_layer_norm", "_fused_rms_norm", "rms_norm", "layer_norm"}
MULTIPLYING = {"mm", "bmm", "addmm", "baddbmm", "mv", "addmv", "dot", "matmul", "linear"}
WRITES = {"index_put", "_index_put_impl", "index_add", "index_copy", "scatter", "scatter_add",
          "masked_scatter", "slice_scatter", "select_scatter"}  # fmt: skip
TELLING_NUMBERS = {
    "_local_scalar_dense",
    "item",
    "is_nonzero",
    "equal",
    "_assert_async",
    "sym_size",
}


def labels_of_results(operation: Operation) -> list[Labels]:
    """The labels of each result of an operation."""
    name = operation.name
    if name in TELLING_NUMBERS:
        return []
    for names, rule in RULES_OF_OPERATIONS:
        if name in names:
            return rule(operation)
    if name in ENTRY_BY_ENTRY or torch.Tag.pointwise in getattr(operation.function, "tags", ()):
        return _entry_by_entry(operation)
    operation.pin_all("has no rule by which units can be followed")
    return []


def compared_axis(name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> int | None:
    """The axis along which an operation compares entries, or None if it does not."""
    if name not in COMPARING:
        return None
    place = 2 if name in ("topk", "kthvalue") else 1
    dim = args[place] if len(args) > place else kwargs.get("dim", -1)
    if isinstance(dim, bool) or not isinstance(dim, int):
        return None
    return dim % max(args[0].ndim, 1)


def _entry_by_entry(operation: Operation) -> list[Labels]:
    out = operation.out if isinstance(operation.out, Tensor) else operation.out[0]
    shape = tuple(out.shape)
    if operation.name in ("fill", "zero"):
        return [operation.labels_of(operation.args[0])]
    parts = [
        (tensor, operation.labels_of(tensor))
        for tensor in operation.tensors()
        if tensor.ndim <= len(shape)
    ]
    return [combined(shape, parts, operation.graph, operation.name)]


def _moved(operation: Operation) -> list[Labels]:
    x = operation.args[0]
    labels = operation.labels_of(x)
    rest, kwargs = operation.args[1:], operation.kwargs
    function = operation.function
    if operation.name in VIEWS:
        return [_reshaped(operation, labels)]
    if operation.name == "as_strided":  # labels lie otherwise in memory
        if operation.out.shape == x.shape:
            return [labels]
        operation.pin_all("arranges them by places in memory")
        return []
    for tensor in operation.tensors()[1:]:  # what was selected by depends on units
        for label in operation.labels_of(tensor):
            operation.pin(label, "selects by them")
    out = operation.out
    if isinstance(out, Tensor):
        return [moved(labels, x.shape, lambda label: function(label, *rest, **kwargs))]
    results: list[list[Tensor]] = [[] for _ in out]
    for label in labels:
        parts = function(label.expand(x.shape), *rest, **kwargs)
        for place, part in enumerate(parts):
            short = compressed(part)
            if short is not None:
                results[place].append(short)
    return [tuple(found) for found in results]


def _reshaped(operation: Operation, labels: Labels) -> Labels:
    """Labels of a reshape. Where it makes two axes of one with units, their number is fixed."""
    shape = tuple(operation.out.shape)
    found = []
    for label in labels:
        short = compressed(label.expand(operation.args[0].shape).reshape(shape))
        if short is None:
            continue
        if len(varying(short)) > len(varying(label)):
            operation.pin(label, "makes several axes of theirs")
        found.append(short)
    return tuple(found)


def _padded(operation: Operation) -> list[Labels]:
    """Zeros around a tensor, along axes that hold no units."""
    x, pad = operation.args[0], operation.args[1]
    value = operation.argument(2, "value", 0)
    around = {x.ndim - 1 - place // 2 for place, size in enumerate(pad) if size}
    kept = []
    for label in operation.labels_of(x):
        if varying(label) & around:
            operation.pin(label, "changes their number")
        else:
            if value:
                operation.pin(label, "puts other values around them")
            kept.append(label)
    return [tuple(kept)]


def _joined(operation: Operation) -> list[Labels]:
    """Tensors put one after the other, or beside each other."""
    tensors = [tensor for tensor in operation.args[0] if tensor.numel()]
    if not tensors:
        return [NO_LABELS]
    most = max(len(operation.labels_of(tensor)) for tensor in tensors)
    found = []
    for place in range(most):
        columns = []
        for tensor in tensors:
            labels = operation.labels_of(tensor)
            blank = torch.zeros((1,) * tensor.ndim, dtype=torch.int64, device=tensor.device)
            label = labels[place] if place < len(labels) else blank
            columns.append(label.expand(tensor.shape))
        dim = operation.argument(1, "dim", 0)
        if operation.name == "cat":
            _join_across(operation, columns, dim)
        whole = compressed(operation.function(columns, *operation.args[1:], **operation.kwargs))
        if whole is not None:
            found.append(whole)
    return [tuple(found)]


def _join_across(operation: Operation, columns: list[Tensor], dim: int) -> None:
    """Where tensors are put one after the other along samples, their units are the same ones."""
    first = columns[0]
    for other in columns[1:]:
        dims = varying_of_expanded(first, dim) | varying_of_expanded(other, dim)
        if dims and not _varies_along(first, dim) and not _varies_along(other, dim):
            operation.graph.join(ids_in(first.narrow(dim, 0, 1)), ids_in(other.narrow(dim, 0, 1)))


def varying_of_expanded(label: Tensor, but: int) -> set[int]:
    """The axes along which an expanded label differs, other than one."""
    short = compressed(label)
    return set() if short is None else varying(short) - {but % label.ndim}


def _varies_along(label: Tensor, dim: int) -> bool:
    short = compressed(label)
    return short is not None and dim % label.ndim in varying(short)


def _reduced(operation: Operation) -> list[Labels]:
    x = operation.args[0]
    dims = operation.argument(2 if operation.name in ("linalg_vector_norm", "norm") else 1, "dim")
    if operation.name in ("norm", "linalg_vector_norm") and dims is None:
        dims = operation.kwargs.get("dim")
    if dims is None or isinstance(dims, bool) or dims == []:
        reduced = set(range(x.ndim))
    else:
        reduced = {dim % x.ndim for dim in ([dims] if isinstance(dims, int) else dims)}
    statistic = operation.name in TAKING_STATISTICS
    out = operation.out if isinstance(operation.out, Tensor) else operation.out[0]
    found = []
    for label in operation.labels_of(x):
        if varying(label) & reduced:
            if statistic:
                operation.pin(label, "is taken over them")
            continue
        short = label
        if out.ndim < x.ndim:
            short = label.reshape([s for dim, s in enumerate(label.shape) if dim not in reduced])
        found.append(short)
    count = 1 if isinstance(operation.out, Tensor) else len(operation.out)
    return [tuple(found)] * count


def _compared(operation: Operation) -> list[Labels]:
    x = operation.args[0]
    dim = compared_axis(operation.name, operation.args, operation.kwargs)
    if operation.name in ("max", "min") and len(operation.tensors()) == 2:
        return _entry_by_entry(operation)
    kept = []
    for label in operation.labels_of(x):
        if dim is None or dim in varying(label):
            if dim is None or operation.is_counted(label):
                operation.pin(label, "compares them with each other")
            elif operation.name in KEEPING_AXES:
                kept.append(label)
        elif operation.name in KEEPING_AXES:
            kept.append(label)
        elif dim is not None:
            kept.append(label if _keeps_axes(operation) else label.squeeze(dim))
    count = 1 if isinstance(operation.out, Tensor) else len(operation.out)
    return [tuple(kept)] * count


def _keeps_axes(operation: Operation) -> bool:
    out = operation.out if isinstance(operation.out, Tensor) else operation.out[0]
    return out.ndim == operation.args[0].ndim


def _accumulated(operation: Operation) -> list[Labels]:
    """Running sums along an axis."""
    x, dim = operation.args[0], operation.args[1] % operation.args[0].ndim
    kept = []
    for label in operation.labels_of(x):
        if dim in varying(label):
            operation.pin(label, "adds them up one by one")
        else:
            kept.append(label)
    return [tuple(kept)]


def _pooled(operation: Operation) -> list[Labels]:
    """Places are put together, channels stay."""
    x = operation.args[0]
    out = operation.out if isinstance(operation.out, Tensor) else operation.out[0]
    changed = {dim for dim in range(x.ndim) if x.shape[dim] != out.shape[dim]} | {x.ndim - 1}
    kept = []
    for label in operation.labels_of(x):
        if varying(label) & changed:
            operation.pin(label, "is taken over them")
        else:
            kept.append(label)
    return [tuple(kept)] * (1 if isinstance(operation.out, Tensor) else len(operation.out))


def _batch_normed(operation: Operation) -> list[Labels]:
    x = operation.args[0]
    parts = [(x, operation.labels_of(x))]
    for tensor in operation.tensors()[1:]:
        if tensor.ndim == 1:
            shape = (1, -1) + (1,) * (x.ndim - 2)
            labels = tuple(label.reshape(shape) for label in operation.labels_of(tensor))
            parts.append((tensor.reshape(shape), labels))
    result = combined(tuple(x.shape), parts, operation.graph, operation.name)
    return [result] + [NO_LABELS] * (len(operation.out) - 1)


def _layer_normed(operation: Operation) -> list[Labels]:
    x, over = operation.args[0], len(operation.args[1])
    normed = set(range(x.ndim - over, x.ndim))
    for label in operation.labels_of(x):
        if varying(label) & normed:
            operation.pin(label, "takes its statistics over them")
    tensors = [tensor for tensor in operation.tensors()[1:] if tensor.ndim == over]
    parts = [(tensor, operation.labels_of(tensor)) for tensor in (x, *tensors)]
    result = combined(tuple(x.shape), parts, operation.graph, operation.name)
    return [result] + [NO_LABELS] * (len(operation.out) - 1)


def _multiplied(operation: Operation) -> list[Labels]:
    """A matrix product, with or without a bias."""
    args, name = list(operation.args), operation.name
    bias = None
    if name in ("addmm", "baddbmm", "addmv"):
        bias, args = args[0], args[1:]
    one, other = args[0], args[1]
    left, right = operation.labels_of(one), operation.labels_of(other)
    if name == "linear":
        bias = operation.argument(2, "bias")
        other = other.mT
        right = tuple(label.mT for label in right)
    if other.ndim == 1:
        other, right = other[:, None], tuple(label[:, None] for label in right)
    if one.ndim == 1:
        one, left = one[None], tuple(label[None] for label in left)
    labels = _contracted(operation, one, left, other, right)
    out = operation.out
    if out.ndim == max(one.ndim, other.ndim) - 1:  # a vector as the one factor, or both
        labels = tuple(label.reshape([s for s in label.shape if s > 1] or [1]) for label in labels)
        labels = tuple(label for label in labels if label.ndim <= out.ndim)
    if isinstance(bias, Tensor):
        parts = [(bias, operation.labels_of(bias)), (out, labels)]
        labels = combined(tuple(out.shape), parts, operation.graph, name)
    return [labels]


def _contracted(
    operation: Operation, one: Tensor, left: Labels, other: Tensor, right: Labels
) -> Labels:
    """Labels of (..., n, k) times (..., k, m)."""
    n_axes = max(one.ndim, other.ndim)
    left = tuple(with_axes(label, n_axes) for label in left)
    right = tuple(with_axes(label, n_axes) for label in right)
    rows, columns, inner = n_axes - 2, n_axes - 1, []
    found = []
    for labels, summed, kept in ((left, columns, rows), (right, rows, columns)):
        along = []
        for label in labels:
            if summed not in varying(label):
                found.append(label)
            elif kept in varying(label):
                operation.pin(label, "mixes them with others")
            else:
                along.append(label.movedim(summed, -1).squeeze(-2))
        inner.append(along)
    joined = (
        combined(
            (*torch.broadcast_shapes(one.shape[:-2], other.shape[:-2]), one.shape[-1]),
            [(one.select(-2, 0), tuple(inner[0])), (other.select(-1, 0), tuple(inner[1]))],
            operation.graph,
            operation.name,
        )
        if one.shape[-2] and other.shape[-1]
        else NO_LABELS
    )
    _tell_taken(operation, one, inner[0], other, inner[1], joined)
    return tuple(found)


def _tell_taken(
    operation: Operation,
    one: Tensor,
    left: Sequence[Tensor],
    other: Tensor,
    right: Sequence[Tensor],
    joined: Labels,
) -> None:
    """Say which units the product takes in: those of the factor that is no weight."""
    if not joined or any(len(varying(label)) > 1 for label in joined):
        return
    values, weight, labels = one, other, right
    if operation.is_weight(one) and not operation.is_weight(other):
        values, weight, labels = other.movedim(-2, -1), one, left
    flat = [label.reshape(-1) for label in labels if label.numel() == one.shape[-1]]
    if flat:
        operation.taken(Taken(values, weight, flat[0]))


def _convolved(operation: Operation) -> list[Labels]:
    """Channels are summed over; those of the result are the weight's first axis, or, where it is
    transposed, its second.
    """
    x, weight = operation.args[0], operation.args[1]
    bias = operation.argument(2, "bias")
    transposed = bool(operation.argument(6, "transposed", False))
    groups = int(operation.argument(8, "groups", 1))
    padding = operation.argument(4, "padding", [0])
    n_axes, n_out = x.ndim, operation.out.ndim
    channel = n_axes - (weight.ndim - 2) - 1
    into, out_of = (0, 1) if transposed else (1, 0)
    of_input = []
    found = []
    for label in operation.labels_of(x):
        if varying(label) - {channel} and channel in varying(label):
            operation.pin(label, "mixes them with others")
        elif channel in varying(label):
            of_input.append(label.reshape(-1))
        elif all(dim < channel for dim in varying(label)):
            found.append(label)
        else:
            operation.pin(label, "mixes them with others")
    of_weight = {into: [], out_of: []}
    for label in operation.labels_of(weight):
        dims = varying(label)
        if len(dims) == 1 and (dim := next(iter(dims))) in of_weight:
            of_weight[dim].append(label.reshape(-1))
        else:
            operation.pin(label, "has them as places of its kernel")
    if groups == 1:
        parts = [(x.movedim(channel, -1).reshape(-1, x.shape[channel])[0], tuple(of_input))]
        parts.append(
            (weight.movedim(into, -1).reshape(-1, weight.shape[into])[0], tuple(of_weight[into]))
        )
        joined = combined((x.shape[channel],), parts, operation.graph, operation.name)
        if joined and of_weight[into]:
            padded = any(padding)
            operation.taken(Taken(x.movedim(channel, -1), weight, of_weight[into][0], padded))
        result = of_weight[out_of]
    elif groups == x.shape[channel] and not transposed:  # each channel by itself
        each = weight.shape[0] // groups
        for label in of_input:
            for own in of_weight[0]:
                operation.graph.join(ids_in(label.repeat_interleave(each)), ids_in(own))
        if not of_input:
            for own in of_weight[0]:
                operation.pin(own, "takes in what has a fixed size")
        result = of_weight[0]
    else:
        for label in (*of_input, *of_weight[into], *of_weight[out_of]):
            operation.pin(label, "has them in groups")
        result = of_weight[out_of]
    shape = [1] * n_out
    shape[channel] = operation.out.shape[channel]
    labels = tuple(label.reshape(shape) for label in result if label.numel() == shape[channel])
    if isinstance(bias, Tensor):
        own = tuple(label.reshape(shape) for label in operation.labels_of(bias))
        parts = [(bias.reshape(shape), own), (operation.out, labels)]
        labels = combined(tuple(operation.out.shape), parts, operation.graph, operation.name)
    return [(*labels, *found)]


def _multiplied_in_groups(operation: Operation) -> list[Labels]:
    """Rows in groups, each group times a matrix of its own: (n, k) and (groups, k, m)."""
    x, weight = operation.args[0], operation.args[1]
    if x.ndim != 2 or weight.ndim != 3:
        operation.pin_all("has no rule by which units can be followed")
        return []
    inner = [label.reshape(-1) for label in operation.labels_of(weight) if varying(label) == {1}]
    outer = [label.reshape(1, -1) for label in operation.labels_of(weight) if varying(label) == {2}]
    of_x = [label.reshape(-1) for label in operation.labels_of(x) if varying(label) == {1}]
    parts = [(x.new_empty(x.shape[1]), tuple(of_x)), (x.new_empty(x.shape[1]), tuple(inner))]
    joined = combined((x.shape[1],), parts, operation.graph, operation.name)
    if joined and inner:
        operation.taken(Taken(x, weight, inner[0]))
    return [tuple(outer)]


def _embedded(operation: Operation) -> list[Labels]:
    columns = (label for label in operation.labels_of(operation.args[0]) if varying(label) == {1})
    return [tuple(with_axes(label.reshape(-1), operation.out.ndim) for label in columns)]


def _written(operation: Operation) -> list[Labels]:
    """Entries written into, or added to, chosen places of another tensor."""
    target = operation.args[0]
    own = operation.labels_of(target)
    dim = operation.args[1] if isinstance(operation.args[1], int) else None
    parts = [(target, own)]
    for tensor in operation.tensors()[1:]:
        for label in operation.labels_of(tensor):
            fits = tensor.ndim <= target.ndim and dim is not None
            along = {at + target.ndim - tensor.ndim for at in varying(label)}
            if fits and dim % target.ndim not in along:
                parts.append((tensor, (label,)))
            elif (
                not fits
                and tensor.shape
                and tensor.shape[-1] == target.shape[-1]
                and (along == {target.ndim - 1})
            ):
                last = label.reshape(-1)
                shape = (1,) * (target.ndim - 1) + (-1,)
                parts.append((target, (last.reshape(shape),)))
            else:
                operation.pin(label, "writes them to chosen places")
    return [combined(tuple(target.shape), parts, operation.graph, operation.name)]


def _without(operation: Operation) -> list[Labels]:
    return []


Rule = Callable[[Operation], list[Labels]]
RULES_OF_OPERATIONS: tuple[tuple[set[str], Rule], ...] = (
    (MOVING, _moved),
    ({"constant_pad_nd"}, _padded),
    ({"cat", "stack"}, _joined),
    (SUMS | TAKING_STATISTICS, _reduced),
    (COMPARING, _compared),
    ({"cumsum", "cumprod"}, _accumulated),
    (POOLS, _pooled),
    (NORMS_BY_UNIT, _batch_normed),
    (NORMS_OVER_UNITS, _layer_normed),
    (MULTIPLYING, _multiplied),
    ({"convolution", "_convolution", "mkldnn_convolution"}, _convolved),
    ({"_grouped_mm"}, _multiplied_in_groups),
    ({"embedding"}, _embedded),
    (WRITES, _written),
    ({"arange", "empty", "zeros", "ones", "full", "scalar_tensor", "new_zeros", "new_empty",
      "new_ones", "new_full", "rand", "randn"}, _without),
)  # fmt: skip
