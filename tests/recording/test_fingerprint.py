"""The fingerprint of weights: every bit counts, and nothing but the weights does."""

from __future__ import annotations

import copy
import hashlib
import json
import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from actilaw.errors import ModelError
from actilaw.recording.fingerprint import weights_fingerprint


class Holder(nn.Module):
    """A module with one buffer."""

    def __init__(self, tensor: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("kept", tensor)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.ReLU(), nn.Linear(7, 3))


def by_hand(octets: bytes, description: list) -> str:
    """(FP1) in Python's own whole numbers, for a tensor of less than a chunk."""
    octets += b"\0" * (-len(octets) % 4)
    state, total = 0, 0
    for start in range(0, len(octets), 4):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
        key = z ^ (z >> 31)
        total += key * int.from_bytes(octets[start : start + 4], "little", signed=True)
    digest = hashlib.blake2b(json.dumps(description).encode(), digest_size=16)
    digest.update((total % 2**64).to_bytes(8, "little"))
    return digest.hexdigest()


@given(st.binary(max_size=50))
def test_it_is_the_hash_computed_by_hand(octets: bytes) -> None:
    tensor = torch.tensor(list(octets), dtype=torch.uint8)
    expected = by_hand(octets, ["kept", "", "torch.uint8", [len(octets)]])
    assert weights_fingerprint(Holder(tensor)) == expected


@pytest.mark.slow
@given(st.data())
def test_every_bit_of_every_weight_and_buffer_counts(data: st.DataObject) -> None:
    model = network()
    before = weights_fingerprint(model)
    name, tensor = data.draw(st.sampled_from(sorted(model.state_dict().items())))
    octets = tensor.view(-1).view(torch.uint8)
    place = data.draw(st.integers(0, octets.numel() - 1))
    octets[place] ^= 1 << data.draw(st.integers(0, 7))
    assert weights_fingerprint(model) != before, name


def test_signs_exchanged_and_places_exchanged_are_noticed() -> None:
    """Changes that plain sums, or products of words of full width, would miss."""
    weights = torch.randn(3 * 2**14 + 5)
    known = {weights_fingerprint(Holder(weights))}
    negated, moved, chunks = weights.clone(), weights.clone(), weights.clone()
    negated[[1, 3]] *= -1
    moved[[2, 4]] = moved[[4, 2]]
    chunks[: 2**14], chunks[2**14 : 2**15] = weights[2**14 : 2**15], weights[: 2**14]
    known |= {weights_fingerprint(Holder(changed)) for changed in (negated, moved, chunks)}
    assert len(known) == 4


def test_batch_norm_statistics_names_types_and_shapes_count() -> None:
    model = network()
    trained, renamed = copy.deepcopy(model), nn.Sequential(nn.Identity(), *model)
    trained.train()(torch.randn(9, 5))
    flat = Holder(torch.zeros(6))
    known = [model, trained, renamed, network().double(), network().bfloat16()]
    known += [flat, Holder(torch.zeros(2, 3)), Holder(torch.zeros(6, dtype=torch.int32))]
    assert len({weights_fingerprint(one) for one in known}) == len(known)


@pytest.mark.slow
def test_what_is_not_the_weights_makes_no_difference() -> None:
    model = network()
    known = weights_fingerprint(model)
    model.train().requires_grad_(False)
    assert weights_fingerprint(copy.deepcopy(model)) == known
    assert weights_fingerprint(torch.compile(model)) == known  # type: ignore[arg-type]
    with torch.inference_mode():
        assert weights_fingerprint(model) == known
    partly = copy.deepcopy(model)
    partly[0] = torch.compile(partly[0])  # type: ignore[assignment]
    assert weights_fingerprint(partly) == known
    by_column = torch.arange(6.0).view(2, 3).t()
    unaligned = torch.arange(9, dtype=torch.uint8)[1:]
    for view in (by_column, unaligned):
        copied = view.clone(memory_format=torch.contiguous_format)
        assert weights_fingerprint(Holder(view)) == weights_fingerprint(Holder(copied))


def test_weights_that_modules_share_are_as_their_copies() -> None:
    tied = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])
    tied[1].weight = tied[0].weight
    untied = copy.deepcopy(tied)
    untied[1].weight = nn.Parameter(tied[0].weight.detach().clone())
    assert weights_fingerprint(tied) == weights_fingerprint(untied)


def test_weights_of_quantised_layers_count() -> None:
    """They are no parameters: the layers hold them packed."""
    model = nn.Sequential(nn.Linear(4, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one = torch.ao.quantization.quantize_dynamic(model, {nn.Linear})
        with torch.no_grad():
            model[0].weight[0, 0] += 1
        other = torch.ao.quantization.quantize_dynamic(model, {nn.Linear})
    assert weights_fingerprint(one) == weights_fingerprint(copy.deepcopy(one))
    assert weights_fingerprint(one) != weights_fingerprint(other)


def sparse(value: float) -> torch.Tensor:
    return torch.sparse_coo_tensor([[0, 2]], [1.0, value], (4,))


def quantized(scale: float) -> torch.Tensor:
    return torch.quantize_per_tensor(torch.tensor([0.0, 1.0]), scale, 0, torch.qint8)


def by_channel(scale: float) -> torch.Tensor:
    scales, zeros = torch.tensor([scale, 1.0]), torch.zeros(2)
    return torch.quantize_per_channel(torch.ones(2, 2), scales, zeros, 0, torch.qint8)


@pytest.mark.parametrize(
    "make",
    [
        *(sparse, quantized, by_channel),
        lambda value: torch.tensor([[1.0, value]]).to_sparse_csr(),
        lambda value: torch.tensor([1j, value]),
        lambda value: torch.tensor([1j, value]).conj(),
        lambda value: torch.nested.nested_tensor([torch.ones(2), torch.tensor([value])]),
        lambda value: torch.tensor([value, 1.0]).to(torch.float8_e5m2),
        lambda value: torch.tensor([value > 2.5, True]),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_tensors_of_other_kinds_are_told_apart(make) -> None:
    one, same, other = (weights_fingerprint(Holder(make(value))) for value in (2.0, 2.0, 3.0))
    assert one == same != other


def test_weights_without_values_are_refused() -> None:
    said = r"expected weights with values, but '.*' has none: .* meta device or not initialised"
    with pytest.raises(ModelError, match=said):
        weights_fingerprint(nn.Linear(3, 2, device="meta"))
    with pytest.raises(ModelError, match=said):
        weights_fingerprint(nn.LazyLinear(3))
    with pytest.raises(ModelError, match="expected a torch module with weights, but got str"):
        weights_fingerprint("model")  # type: ignore[arg-type]


def test_a_model_without_weights_has_one_too() -> None:
    assert weights_fingerprint(nn.ReLU()) == hashlib.blake2b(digest_size=16).hexdigest()
    assert weights_fingerprint(Holder(torch.empty(0, 3))) != weights_fingerprint(nn.ReLU())
