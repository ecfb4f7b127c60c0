"""The GPU's kernel against torch's own operations, bit for bit; without a GPU, in Triton's
interpreter on the CPU.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from actilaw.recording.criteria import Criterion, Positive, Relative, Threshold, TopK
from actilaw.recording.kernels.levels import rows_of
from actilaw.recording.kernels.rows import Rows
from actilaw.recording.kernels.torch_ops import count_by_torch

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
pytest.importorskip("triton")  # in its interpreter, see tests/conftest.py
from actilaw.recording.kernels.gpu import count_on_gpu  # noqa: E402

PRECISIONS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
SHAPES = [
    (1, 1, 1),
    pytest.param((70, 1, 300), marks=pytest.mark.slow),  # tiles with edges in rows and units
    (600, 1, 5),  # few units: most of a tile is rows
    (21, 3, 130),
    (3, 150, 33),  # more positions than a tile holds
    pytest.param((2, 70, 257), marks=pytest.mark.slow),
]
SPECIAL = [
    np.nan,
    -np.nan,
    np.inf,
    -np.inf,
    0.0,
    -0.0,
    1e-45,
    -1e-45,
    6e-8,
    65504.0,
    -65504.0,
    0.7,
    -0.7,
]


def draw(shape: tuple[int, int, int], precision: torch.dtype, seed: int = 0) -> Tensor:
    """Normal activations, half of them zero, with a few that are special; (n_rows, n_positions,
    n_units).
    """
    rng = np.random.default_rng(seed)
    x = np.maximum(rng.normal(size=shape), 0) * rng.choice([-1, 1], shape)
    x.flat[rng.integers(x.size, size=x.size // 200 + 1)] = rng.choice(SPECIAL, x.size // 200 + 1)
    return torch.from_numpy(x).to(DEVICE, precision)


def draw_keep(x: Tensor, seed: int = 1) -> Tensor:
    """(n_rows, n_positions), two of three positions kept."""
    return torch.from_numpy(np.random.default_rng(seed).random(x.shape[:2]) < 2 / 3).to(x.device)


def assert_same_counts(rows: Rows) -> None:
    ours, reference = count_on_gpu(rows), count_by_torch(rows)
    torch.testing.assert_close(ours.units, reference.units, rtol=0, atol=0)
    torch.testing.assert_close(ours.active, reference.active, rtol=0, atol=0)
    torch.testing.assert_close(ours.nonfinite, reference.nonfinite, rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("some", [False, True], ids=["all", "kept"])
@pytest.mark.parametrize(
    "rule", [Positive(), Threshold(0.7), Threshold(1e30), Relative(0.1), TopK(3)], ids=str
)
@pytest.mark.parametrize("precision", PRECISIONS, ids=str)
def test_counts_are_those_of_torch(
    precision: torch.dtype, rule: Criterion, some: bool, shape: tuple[int, int, int]
):
    x = draw(shape, precision)
    assert_same_counts(rows_of(x, rule, draw_keep(x) if some else None))


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS, ids=str)
def test_counts_are_those_of_the_rule_itself_in_numpy(precision: torch.dtype) -> None:
    x = draw((40, 5, 140), precision)
    keep = draw_keep(x)
    counted = count_on_gpu(rows_of(x, Threshold(0.7), keep))
    numbers, kept = x.cpu().double().numpy(), keep.cpu().numpy()[..., None]
    active = ((np.abs(numbers) > 0.7) & kept).any(1)
    np.testing.assert_array_equal(counted.units.cpu(), active.sum(0))
    np.testing.assert_array_equal(counted.active.cpu(), active.sum(1))
    np.testing.assert_array_equal(
        counted.nonfinite.cpu(), (~np.isfinite(numbers) & kept).any((1, 2))
    )


@pytest.mark.parametrize("integer", [torch.int16, torch.int32, torch.int64], ids=str)
@pytest.mark.parametrize("magnitude", [False, True])
def test_any_bits_and_any_level(integer: torch.dtype, magnitude: bool) -> None:
    """Levels below zero too, which let through everything but what is beyond the edges or not
    kept.
    """
    limits = np.iinfo(str(integer).removeprefix("torch."))
    rng = np.random.default_rng(2)
    bits = torch.from_numpy(
        rng.integers(limits.min, limits.max, (30, 4, 40), limits.dtype, endpoint=True)
    ).to(DEVICE)
    low = torch.from_numpy(rng.integers(limits.min, limits.max, (30, 4), limits.dtype)).to(DEVICE)
    assert_same_counts(Rows(bits, low, magnitude, limits.max - limits.max // 8, draw_keep(bits)))


def test_strided_inputs_are_read_by_their_strides() -> None:
    bits = rows_of(draw((33, 3, 140), torch.float32), Positive()).bits
    low = torch.zeros((), dtype=torch.int32, device=DEVICE)
    keep = draw_keep(bits.transpose(0, 1)).T
    assert_same_counts(Rows(bits, low.expand(33, 3), True, 0x7F800000, keep))
    assert_same_counts(Rows(bits[::2, :, 5:], low.expand(17, 3), True, 0x7F800000, keep[::2]))


def test_rows_without_a_kept_position_count_nothing() -> None:
    x = draw((9, 2, 20), torch.float32)
    counted = count_on_gpu(
        rows_of(x, Positive(), torch.zeros(9, 2, dtype=torch.bool, device=DEVICE))
    )
    assert not counted.units.any()
    assert not counted.active.any()
    assert not counted.nonfinite.any()


@pytest.mark.parametrize("shape", [(0, 1, 4), (3, 0, 4), (3, 1, 0), (0, 0, 0)], ids=str)
def test_nothing_to_count_is_counted_as_zero(shape: tuple[int, int, int]) -> None:
    bits = torch.zeros(shape, dtype=torch.int16, device=DEVICE)
    counted = count_on_gpu(
        Rows(bits, torch.zeros(shape[:2], dtype=torch.int16, device=DEVICE), False, 0x7C00, None)
    )
    assert counted.units.tolist() == [0] * shape[2]
    assert counted.active.tolist() == [0] * shape[0]
    assert counted.nonfinite.tolist() == [False] * shape[0]


@pytest.mark.skipif(DEVICE == "cpu", reason="needs a GPU")
@pytest.mark.parametrize("precision", PRECISIONS, ids=str)
def test_many_tiles_at_once_on_a_gpu(precision: torch.dtype) -> None:
    """Thousands of programs adding to the same counts."""
    x = draw((20_000, 1, 1100), precision)
    assert_same_counts(rows_of(x, Positive()))
    assert_same_counts(
        rows_of(x.view(500, 40, 1100), Relative(0.3), draw_keep(x.view(500, 40, 1100)))
    )
