"""A fingerprint of a network's weights, by multilinear hashing (Lemire & Kaser 2014, The Computer
Journal 57, 1624): are these the weights with which something was recorded?

Every parameter and buffer counts, batch-norm statistics too: its name, type, shape and every bit.
Each tensor is read once where it lies, at about the speed of its memory, on any device, and the
same weights have the same fingerprint on all of them, since whole numbers are added without
rounding. For the 32-bit words w_1, w_2, ... of a chunk and fixed random 64-bit keys k_1, k_2, ...

    (FP1)  h = sum over i of k_i w_i  modulo 2⁶⁴

and the fingerprint is a BLAKE2b hash of the h of all chunks. Changed weights keep their
fingerprint with a probability of about 2⁻³², whatever the change, unless it was made on purpose:
the keys are no secret, so the fingerprint tells networks apart but proves no origin.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from actilaw.errors import ModelError

CHUNK = 2**14  # 32-bit words whose products are added up to one number
CHUNKS_AT_ONCE = 256  # on accelerators; 48 MiB while they are multiplied
SPLITMIX = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


@torch.no_grad()
def weights_fingerprint(model: nn.Module) -> str:
    """32 hexadecimal digits that tell these weights and buffers from others.

    Wrapping by torch.compile or DistributedDataParallel makes no difference; another data type
    does.

    Raises:
        ModelError: if `model` is no torch module, or a weight holds no values (it is on the meta
            device, or not initialised yet).
    """
    if not isinstance(model, nn.Module):
        raise ModelError(
            f"expected a torch module with weights, but got {type(model).__name__}: load the model "
            "first"
        )
    hashed: dict[int, list[tuple[list[Any], Tensor]]] = {}  # a weight that modules share, once
    tensors = sorted(_named_tensors(model), key=lambda item: item[0])
    for name, tensor in tensors:
        if id(tensor) not in hashed:
            hashed[id(tensor)] = [
                ([part, str(plain.dtype), list(plain.shape)], _chunk_hashes(plain))
                for part, plain in _plain_parts(name, tensor)
            ]
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in tensors:  # after the work was queued for all, so that no device waits
        for description, hashes in hashed[id(tensor)]:
            digest.update(json.dumps([name, *description]).encode())
            digest.update(hashes.cpu().numpy().astype("<i8").tobytes())
    return digest.hexdigest()


def _named_tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Parameters, buffers, and the packed weights of quantised layers, by name."""
    if isinstance(model, nn.parallel.DistributedDataParallel):
        model = model.module
    for name, module in model.named_modules(remove_duplicate=False):
        prefix = (name + ".").removeprefix(".").replace("_orig_mod.", "")
        tensors = {**module._parameters, **module._buffers}
        packed: Any = getattr(module, "_weight_bias", None)  # of a layer of torch.ao.nn.quantized
        if packed is not None:
            weight, bias = packed()
            tensors |= {"packed_weight": weight, "packed_bias": bias}
        for own, tensor in tensors.items():
            if tensor is not None:
                yield prefix + own, tensor


def _plain_parts(name: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    """The ordinary dense tensors that hold a tensor's contents, each with its part in it.

    Raises:
        ModelError: if it has no contents.
    """
    if tensor.is_meta or is_lazy(tensor) or hasattr(tensor, "fake_mode"):
        raise ModelError(
            f"expected weights with values, but {name!r} has none: it is on the meta device or not "
            "initialised yet; load the weights, or run the model once"
        )
    parts = _inner_tensors(tensor)
    if parts is None:
        yield "", tensor.detach().resolve_conj().resolve_neg()
        return
    for part, inner in parts.items():
        for rest, plain in _plain_parts(name, inner):
            yield f"{part}.{rest}", plain


def _inner_tensors(tensor: Tensor) -> dict[str, Tensor] | None:
    """The tensors that a sparse, quantised, nested or wrapped one consists of; None if it is
    plain.
    """
    if hasattr(tensor, "__tensor_flatten__"):
        names, _ = tensor.__tensor_flatten__()  # type: ignore[attr-defined]
        return {name: getattr(tensor, name) for name in names}
    if tensor.is_nested:
        return {str(place): part for place, part in enumerate(tensor.unbind())}
    if tensor.is_quantized:
        return _quantized_parts(tensor)
    if tensor.layout is torch.sparse_coo:
        whole = tensor.coalesce()
        return {"indices": whole.indices(), "values": whole.values()}
    if tensor.layout is not torch.strided:
        return {"dense": tensor.to_dense()}
    return None


def _quantized_parts(tensor: Tensor) -> dict[str, Tensor]:
    if tensor.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
        scale = torch.tensor([tensor.q_scale(), tensor.q_zero_point()], dtype=torch.float64)
        return {"values": tensor.int_repr(), "scale": scale}
    return {
        "values": tensor.int_repr(),
        "scales": tensor.q_per_channel_scales(),
        "zero_points": tensor.q_per_channel_zero_points(),
    }


def _chunk_hashes(tensor: Tensor) -> Tensor:
    """(FP1) of each chunk of a dense tensor; (n_chunks,), int64, on its device."""
    words, keys = _words(tensor), _keys(tensor.device)
    whole = words[: words.numel() // CHUNK * CHUNK].view(-1, CHUNK)
    rest = words[whole.numel() :]
    if tensor.device.type == "cpu":  # a chunk at a time, which stays in the cache
        hashes = [torch.dot(chunk.long(), keys)[None] for chunk in whole]
    else:
        hashes = [(chunks.long() * keys).sum(1) for chunks in whole.split(CHUNKS_AT_ONCE)]
    return torch.cat([*hashes, (rest.long() * keys[: rest.numel()]).sum()[None]])


def _words(tensor: Tensor) -> Tensor:
    """A tensor's bytes as 32-bit words, the last filled up with zeros; no copy of what lies in
    one piece.
    """
    octets = tensor.contiguous().view(-1).view(torch.uint8)
    missing = -octets.numel() % 4
    if missing or octets.storage_offset() % 4:
        octets = torch.cat([octets, octets.new_zeros(missing)])
    return octets.view(torch.int32)


@functools.cache
def _keys(device: torch.device) -> Tensor:
    """Fixed keys by SplitMix64 (Steele, Lea & Flood 2014); (CHUNK,), int64."""
    step, first, second = (np.uint64(constant) for constant in SPLITMIX)
    z = np.arange(1, CHUNK + 1, dtype=np.uint64) * step
    z = (z ^ (z >> np.uint64(30))) * first
    z = (z ^ (z >> np.uint64(27))) * second
    return torch.from_numpy((z ^ (z >> np.uint64(31))).view(np.int64)).to(device)
