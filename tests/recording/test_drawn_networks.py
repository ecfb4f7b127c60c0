"""Networks drawn at random, against an interpreter that knows nothing of hooks or axes.

The network moves its axes about: positions before samples, both in one axis, channels second, the
batch in chunks or in another order. The interpreter holds the same numbers as (samples, positions,
units) from beginning to end, so that only the arithmetic is left; all in double precision, so that
rounding decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from recording.situations.case import Case, Units, compare, positive, standing_out
from recording.situations.parts import level

FUNCTIONS = {"relu": functional.relu, "gelu": functional.gelu, "silu": functional.silu}
MODULES = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU}
ROUNDING = 1e-12
WIDTHS = st.sampled_from([1, 2, 3, 4, 6])
# Orders of axes in which units are last, and all of them.
UNITS_LAST = ("samples, positions", "positions, samples", "one axis", "samples, height, width")
ORDERS = (*UNITS_LAST, "channels second")


@dataclass(frozen=True)
class Block:
    """What makes units, a norm, and an activation; as often as `times` with the same weights.

    Attributes:
        maker: "linear" or "convolution".
        norm: "none"; "layer" or "batch" after a linear layer, "batch" or "group" after a
            convolution.
        activation: "relu", "gelu" or "silu".
        called: as a "module" of its own, a "shared" module, or a "function".
        made: the order of axes in which the maker is called, if it is linear.
        activated: the order of axes in which the activation is called.
        residual: whether the result is added to the input, where widths allow.
        chunks: into how many parts the batch is cut for the block.
    """

    units: int
    maker: str
    norm: str
    activation: str
    called: str
    made: str
    activated: str
    residual: bool
    times: int
    chunks: int


@dataclass(frozen=True)
class Plan:
    """A network and its input: images (samples, channels, height, width), or texts (samples,
    height, channels) if their width is 0.

    Attributes:
        blocks: in order.
        pool: after how many blocks positions are averaged, if there are so many.
        reorder: after how many blocks samples change their order.
        masked: whether some positions of texts are left out.
    """

    samples: int
    channels: int
    height: int
    width: int
    blocks: tuple[Block, ...]
    pool: int
    reorder: int
    masked: bool
    inplace: bool
    seed: int


@st.composite
def blocks(draw: Any) -> Block:
    maker = draw(st.sampled_from(["linear", "convolution"]))
    norms = {"linear": ["none", "layer", "batch"], "convolution": ["none", "batch", "group"]}
    return Block(
        units=draw(WIDTHS),
        maker=maker,
        norm=draw(st.sampled_from(norms[maker])),
        activation=draw(st.sampled_from(["relu", "gelu", "silu"])),
        called=draw(st.sampled_from(["module", "shared", "function"])),
        made=draw(st.sampled_from(UNITS_LAST)),
        activated=draw(st.sampled_from(ORDERS)),
        residual=draw(st.booleans()),
        times=draw(st.sampled_from([1, 1, 1, 2, 3])),
        chunks=draw(st.sampled_from([1, 1, 2, 3])),
    )


PLANS = st.builds(
    Plan,
    samples=st.sampled_from([1, 2, 3, 4, 6, 9]),
    channels=WIDTHS,
    height=st.sampled_from([1, 2, 3, 4, 6]),
    width=st.sampled_from([0, 0, 1, 3, 4]),
    blocks=st.lists(blocks(), min_size=1, max_size=4).map(tuple),
    pool=st.integers(1, 6),
    reorder=st.integers(1, 6),
    masked=st.booleans(),
    inplace=st.booleans(),
    seed=st.integers(0, 2**16),
)


class Drawn(nn.Module):
    """The network of a plan."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan
        self.makers, self.norms = nn.ModuleList(), nn.ModuleList()
        width = plan.channels
        for index, block in enumerate(plan.blocks):
            self.makers.append(_maker(plan, block, width))
            self.norms.append(_norm(plan, block))
            options = {"inplace": plan.inplace} if block.activation != "gelu" else {}
            name = f"act{index}" if block.called == "module" else f"shared_{block.activation}"
            if block.called != "function" and not hasattr(self, name):
                setattr(self, name, MODULES[block.activation](**options))
            width = block.units
        self.double().eval()

    def forward(self, x: Tensor, words: Tensor | None = None) -> Tensor:
        height, width = self.plan.height, self.plan.width
        x = x.flatten(2).transpose(1, 2) if width else x  # (samples, positions, channels)
        for index, block in enumerate(self.plan.blocks):
            parts = [
                self._block(index, block, part, height, width) for part in x.chunk(block.chunks)
            ]
            x = torch.cat(parts)
            if index + 1 == self.plan.reorder:
                x = x[torch.arange(len(x)).flip(0)]
            if index + 1 == self.plan.pool:
                x = x.mean(1, keepdim=True)
                height, width = 1, min(width, 1)
        return x

    def _block(self, index: int, block: Block, x: Tensor, height: int, width: int) -> Tensor:
        times = block.times if x.shape[-1] == block.units else 1
        for _ in range(times):
            order = block.made if block.maker == "linear" else "channels second"
            y = self.makers[index](_arranged(x, order, height, width))
            y = self.norms[index](y)
            y = _plain(y, order, len(x))
            y = self._activated(index, block, _arranged(y, block.activated, height, width))
            y = _plain(y, block.activated, len(x))
            x = x + y if block.residual and x.shape == y.shape else y
        return x

    def _activated(self, index: int, block: Block, y: Tensor) -> Tensor:
        if block.called == "function":
            return FUNCTIONS[block.activation](y)
        name = f"act{index}" if block.called == "module" else f"shared_{block.activation}"
        return getattr(self, name)(y)


def _maker(plan: Plan, block: Block, width: int) -> nn.Module:
    if block.maker == "linear":
        made: Any = nn.Linear(width, block.units)
    else:
        kind = nn.Conv2d if plan.width else nn.Conv1d
        made = kind(width, block.units, 3, padding=1)
    with torch.no_grad():
        made.bias.copy_(torch.linspace(0.2, -0.8, block.units))
    return made


def _norm(plan: Plan, block: Block) -> nn.Module:
    if block.norm == "none":
        return nn.Dropout(0.5)
    if block.norm == "layer":
        return nn.LayerNorm(block.units)
    if block.norm == "group":
        return nn.GroupNorm(1, block.units)
    norm = Channels(block.units) if block.maker == "linear" else _batch_norm(plan, block.units)
    with torch.no_grad():
        norm.running_mean.uniform_(-0.2, 0.2)
        norm.running_var.uniform_(0.1, 0.4)
    return norm


def _batch_norm(plan: Plan, units: int) -> Any:
    return nn.BatchNorm2d(units) if plan.width else nn.BatchNorm1d(units)


class Channels(nn.BatchNorm1d):
    """Batch norm of the last axis, whatever the axes before it."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.flatten(0, -2)).view(x.shape)


def _arranged(x: Tensor, order: str, height: int, width: int) -> Tensor:
    """(samples, positions, units) in another order of axes."""
    n, _, units = x.shape
    if order == "positions, samples":
        return x.transpose(0, 1)
    if order == "one axis":
        return x.reshape(-1, units)
    if order == "samples, height, width" and width:
        return x.reshape(n, height, width, units)
    if order == "channels second":
        y = x.transpose(1, 2)
        return y.reshape(n, units, height, width) if width else y
    return x


def _plain(x: Tensor, order: str, n: int) -> Tensor:
    """Back to (samples, positions, units)."""
    if order == "positions, samples":
        return x.transpose(0, 1)
    if order == "channels second":
        return x.flatten(2).transpose(1, 2)
    return x.reshape(n, -1, x.shape[-1])


def interpreted(model: Drawn, x: Tensor, words: Tensor | None) -> dict[str, Units]:
    """What every layer should have seen, in the order of first calls."""
    plan = model.plan
    height, width = plan.height, plan.width
    v = x.movedim(1, -1).flatten(1, 2) if width else x
    seen: dict[str, list[Units]] = {}
    for index, block in enumerate(plan.blocks):
        calls = []
        for _ in range(block.times if v.shape[-1] == block.units else 1):
            made = _made(model.makers[index], block, v, height, width)
            normed = _normed(model.norms[index], block, made)
            # A norm over one value is zero but for rounding, which may fall to either side.
            assume(not bool((normed.abs() < ROUNDING).any()))
            y = FUNCTIONS[block.activation](normed)
            calls.append(y)
            v = v + y if block.residual and v.shape == y.shape else y
        name = {"module": f"act{index}", "shared": f"shared_{block.activation}"}
        rule = positive if block.activation == "relu" else standing_out
        kept = None if words is None else words[:, None].expand(-1, len(calls), -1)
        units = Units(torch.stack(calls, 1), rule, kept)
        seen.setdefault(name.get(block.called, block.activation), []).append(units)
        if index + 1 == plan.reorder:
            v = v.flip(0)
            words = None if words is None else words.flip(0)
        if index + 1 == plan.pool:
            v, height, width = v.mean(1, keepdim=True), 1, min(width, 1)
            words = None if words is None else words.any(1, keepdim=True)
    return {
        name if len(layers) == 1 else f"{name}#{k}": layer
        for name, layers in seen.items()
        for k, layer in enumerate(layers)
    }


def _made(maker: Any, block: Block, v: Tensor, height: int, width: int) -> Tensor:
    """A linear layer, or a convolution with a margin of zeros, as sums over shifts."""
    if block.maker == "linear":
        return v @ maker.weight.T + maker.bias
    n, _, inputs = v.shape
    weight = maker.weight if width else maker.weight[..., None]
    sides = (3, 3) if width else (3, 1)
    margin = (1, 1) if width else (1, 0)
    grid = torch.zeros(n, height + 2 * margin[0], max(width, 1) + 2 * margin[1], inputs).double()
    inner = v.reshape(n, height, max(width, 1), inputs)
    grid[:, margin[0] : margin[0] + height, margin[1] : margin[1] + max(width, 1)] = inner
    total: Any = maker.bias
    for row in range(sides[0]):
        for column in range(sides[1]):
            part = grid[:, row : row + height, column : column + max(width, 1)]
            total = total + part @ weight[:, :, row, column].T
    return total.reshape(n, -1, block.units)


def _normed(norm: Any, block: Block, v: Tensor) -> Tensor:
    """The norm in evaluation mode."""
    if block.norm == "none":
        return v
    if block.norm == "batch":
        mean, variance = norm.running_mean, norm.running_var
    else:
        axes = (-1,) if block.norm == "layer" else (1, 2)
        mean = v.mean(axes, keepdim=True)
        variance = v.var(axes, correction=0, keepdim=True)
    return (v - mean) / (variance + norm.eps).sqrt() * norm.weight + norm.bias


@pytest.mark.slow
@settings(
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(plan=PLANS, per=st.sampled_from(["sample", "position"]))
def test_counts_of_networks_drawn_at_random(plan: Plan, per: str) -> None:
    torch.manual_seed(plan.seed)
    model = Drawn(plan)
    shape = (plan.channels, plan.height, plan.width) if plan.width else (plan.height, plan.channels)
    x = 2 * torch.randn(plan.samples, *shape) * level(plan.samples, 1 + len(shape), axis=0)
    x = x.double()
    positions = plan.height * max(plan.width, 1)
    masked = plan.masked and not plan.width
    words = torch.rand(plan.samples, positions) < 0.6 if masked else None
    if words is not None:
        words[0, 0] = True  # something is counted
    with torch.no_grad():
        try:
            model(x, words)
        except ValueError:  # a norm over one value
            assume(False)
        layers = interpreted(model, x, words)
    arguments = {"mask": "words"} if masked else {}
    compare(Case(model, [(x, words)], layers, arguments), per)
