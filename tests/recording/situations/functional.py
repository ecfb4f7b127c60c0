"""Activations that are functions, not modules: layers by the module in whose forward pass they are
called; and the same functions where they make no units.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from recording.situations.case import Case, Units, positive, situation, smooth, standing_out
from recording.situations.parts import channels_last, conv, images, linear, net, samples

Function = Callable[[Tensor], Tensor]


def _block(function: Function) -> Any:
    """A linear layer, and a function of what it makes, fed to another."""

    def forward(net: Any, x: Tensor) -> Tensor:
        return net.out(function(net.make(x)))

    return net(forward, make=linear(6, 14), out=linear(14, 3))


def _called(function: Function, name: str, *, at_root: bool = True, rectifier: bool = True) -> Case:
    block = _block(function)
    model = block if at_root else nn.Sequential(nn.LayerNorm(6), block).eval()
    x = samples(9, 5, 6)
    made = block.make(x if at_root else model[0](x))
    rule = positive if rectifier else standing_out
    layer = name if at_root else f"1.{name}"
    return Case(model, x, {layer: Units(function(made.clone()).detach(), rule)})


@situation()
def relu_of_functional() -> Case:
    return _called(functional.relu, "relu")


@situation()
def relu_of_functional_in_a_block() -> Case:
    return _called(functional.relu, "relu", at_root=False)


@situation()
def relu_of_functional_in_place() -> Case:
    return _called(lambda x: functional.relu(x, inplace=True), "relu")


@situation()
def relu_of_torch() -> Case:
    return _called(torch.relu, "relu")


@situation()
def relu_of_torch_in_place() -> Case:
    return _called(torch.relu_, "relu*")


@situation()
def relu_of_the_tensor() -> Case:
    return _called(lambda x: x.relu(), "relu")


@situation()
def relu_of_the_tensor_in_place() -> Case:
    return _called(lambda x: x.relu_(), "relu*", at_root=False)


@situation()
def clamp_from_below() -> Case:
    return _called(lambda x: torch.clamp(x, min=0), "clamp*")


@situation()
def clamp_of_the_tensor() -> Case:
    return _called(lambda x: x.clamp(0), "clamp*", at_root=False)


@situation()
def clamp_min() -> Case:
    return _called(lambda x: x.clamp_min(0.0), "clamp*")


@situation()
def clamp_min_in_place() -> Case:
    return _called(lambda x: x.clamp_min_(0), "clamp*")


@situation()
def relu6() -> Case:
    return _called(functional.relu6, "relu6")


@situation()
def gelu() -> Case:
    return _called(functional.gelu, "gelu", rectifier=False)


@situation()
def gelu_by_its_approximation() -> Case:
    return _called(lambda x: functional.gelu(x, approximate="tanh"), "gelu", rectifier=False)


@situation()
def silu() -> Case:
    return _called(functional.silu, "silu", at_root=False, rectifier=False)


@situation()
def silu_in_place() -> Case:
    return _called(lambda x: functional.silu(x, inplace=True), "silu", rectifier=False)


@situation()
def elu() -> Case:
    return _called(functional.elu, "elu", rectifier=False)


@situation()
def celu() -> Case:
    return _called(functional.celu, "celu", rectifier=False)


@situation()
def selu() -> Case:
    return _called(torch.selu, "selu", rectifier=False)


@situation()
def leaky_relu() -> Case:
    return _called(lambda x: functional.leaky_relu(x, 0.2), "leaky_relu", rectifier=False)


@situation()
def softplus() -> Case:
    return _called(functional.softplus, "softplus", rectifier=False)


@situation()
def mish() -> Case:
    return _called(functional.mish, "mish", rectifier=False)


@situation()
def hardswish() -> Case:
    return _called(functional.hardswish, "hardswish", rectifier=False)


@situation()
def tanh_that_is_fed_to_a_weight() -> Case:
    return _called(torch.tanh, "tanh", rectifier=False)


@situation()
def sigmoid_of_the_tensor_that_is_fed_to_a_weight() -> Case:
    return _called(lambda x: x.sigmoid(), "sigmoid", rectifier=False)


@situation()
def channels_of_convolutions() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.relu(net.conv1(x)), 2)
        x = functional.relu(net.conv2(x))
        return net.fc2(torch.relu(net.fc1(x.flatten(1))))

    parts = {"conv1": conv(1, 6), "conv2": conv(6, 10), "fc1": linear(160, 12)}
    model = net(forward, **parts, fc2=linear(12, 3))
    x = 2 * images(8, 1, 14, 14)
    first = model.conv1(x).relu()
    second = model.conv2(functional.max_pool2d(first, 2)).relu()
    layers = {
        "relu#0": channels_last(first),
        "relu#1": channels_last(second),
        "relu#2": model.fc1(second.flatten(1)),
    }
    return Case(model, x, layers)


@situation()
def two_functions_in_one_forward_pass() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return functional.gelu(net.second(functional.relu(net.first(x))))

    model = net(forward, first=linear(6, 12), second=linear(12, 9))
    x = samples(9, 6)
    hidden = model.first(x).relu()
    return Case(model, x, {"relu": hidden, "gelu": smooth(functional.gelu(model.second(hidden)))})


@situation()
def functions_in_blocks_and_at_the_root() -> Case:
    def inner(net: Any, x: Tensor) -> Tensor:
        return x + net.out(functional.relu(net.make(x)))

    def forward(net: Any, x: Tensor) -> Tensor:
        for block in net.blocks:
            x = block(x)
        return net.head(functional.relu(net.last(x)))

    blocks = nn.ModuleList(net(inner, make=linear(8, 8), out=nn.Linear(8, 8)) for _ in range(2))
    model = net(forward, blocks=blocks, last=linear(8, 8), head=nn.Linear(8, 2))
    x = samples(8, 8, 8)
    layers, y = {}, x
    for index, block in enumerate(blocks):
        layers[f"blocks.{index}.relu"] = block.make(y)
        y = y + block.out(block.make(y).relu())
    layers["relu"] = model.last(y)
    return Case(model, x, layers)


@situation()
def basic_block_of_a_residual_network_by_functions() -> Case:
    def block(net: Any, x: Tensor) -> Tensor:
        y = functional.relu(net.norm1(net.conv1(x)))
        return functional.relu(net.norm2(net.conv2(y)) + x)

    one = net(
        block,
        conv1=conv(6, 6, padding=1),
        norm1=nn.BatchNorm2d(6),
        conv2=conv(6, 6, padding=1),
        norm2=nn.BatchNorm2d(6),
    )
    model = nn.Sequential(conv(3, 6), one).eval()
    x = images(6, 3, 8, 8)
    y = model[0](x)
    first = one.norm1(one.conv1(y)).relu()
    second = one.norm2(one.conv2(first)) + y
    return Case(model, x, {"1.relu#0": channels_last(first), "1.relu#1": channels_last(second)})


@situation()
def function_in_a_recurrence() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        h = torch.zeros(len(x), 10)
        for step in range(x.shape[1]):
            h = functional.relu(net.take(x[:, step]) + net.keep(h))
        return h

    model = net(forward, take=linear(5, 10), keep=nn.Linear(10, 10))
    x = samples(5, 5, 5)
    states = [torch.zeros(5, 10)]
    for step in range(5):
        states.append((model.take(x[:, step]) + model.keep(states[-1])).relu())
    return Case(model, x, {"relu": torch.stack(states[1:], 1)})


@situation()
def function_over_chunks_of_the_batch() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return torch.cat([functional.relu(net.make(part)) for part in x.chunk(4)])

    model = net(forward, make=linear(6, 12))
    x = samples(16, 6)
    return Case(model, x, {"relu": model.make(x)})


@situation()
def function_at_a_checkpoint() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return checkpoint(lambda y: functional.relu(net.make(y)), x, use_reentrant=False)

    model = net(forward, make=linear(6, 12))
    x = samples(16, 6)

    def run(_: Any) -> None:
        model(x.clone().requires_grad_()).sum().backward()

    return Case(model, run, {"relu": model.make(x)})


@situation()
def function_in_a_method() -> Case:
    model = net(lambda net, x: net.leave(net.encode(x)), enter=linear(6, 12), leave=linear(12, 6))
    type(model).encode = lambda self, x: functional.relu(self.enter(x))
    x = samples(16, 6)
    return Case(model, lambda _: model.encode(x), {"relu": model.enter(x)})


class FastGELU(nn.Module):
    """An activation module of one's own, without parameters."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.gelu(x, approximate="tanh")


class Squared(nn.Module):
    """A squared rectifier."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x).square()


@situation()
def activation_module_of_ones_own() -> Case:
    model = nn.Sequential(linear(6, 14), FastGELU(), linear(14, 3)).eval()
    x = samples(9, 6)
    made = functional.gelu(model[0](x), approximate="tanh")
    return Case(model, x, {"1": smooth(made)})


@situation()
def squared_rectifier_of_ones_own() -> Case:
    model = nn.Sequential(linear(6, 14), Squared(), linear(14, 3)).eval()
    x = samples(9, 6)
    made = model[0](x).relu()
    return Case(model, x, [{"1*": made}, {"1*": smooth(made.square())}])


@situation()
def activation_module_of_ones_own_after_a_convolution() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.act(net.stem(x)).mean((2, 3))

    model = net(forward, stem=nn.Sequential(conv(3, 9)), act=FastGELU())
    x = images(9, 3, 11, 9)
    made = functional.gelu(model.stem(x), approximate="tanh")
    return Case(model, x, {"act": smooth(channels_last(made))})


@situation()
def gates_are_no_layers() -> Case:
    """A gated recurrent unit by hand: its sigmoid and tanh multiply."""

    def forward(net: Any, x: Tensor) -> Tensor:
        h = torch.zeros(len(x), 8)
        for step in range(x.shape[1]):
            gate = torch.sigmoid(net.gate(x[:, step]) + h)
            h = gate * h + (1 - gate) * torch.tanh(net.new(x[:, step]))
        return net.act(net.head(h))

    model = net(forward, gate=linear(5, 8), new=linear(5, 8), head=linear(8, 9), act=nn.ReLU())
    x = samples(8, 4, 5)
    h = torch.zeros(8, 8)
    for step in range(4):
        gate = torch.sigmoid(model.gate(x[:, step]) + h)
        h = gate * h + (1 - gate) * torch.tanh(model.new(x[:, step]))
    return Case(model, x, {"act": model.head(h)})


@situation()
def probabilities_at_the_end_are_no_layer() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return torch.sigmoid(net.head(functional.relu(net.make(x))))

    model = net(forward, make=linear(6, 12), head=linear(12, 2))
    x = samples(9, 6)
    return Case(model, x, {"relu": model.make(x)})


@situation()
def losses_outside_of_the_model_are_no_layers() -> Case:
    model = nn.Sequential(linear(6, 12), nn.ReLU(), linear(12, 2)).eval()
    x = samples(9, 6)

    def run(_: Any) -> None:
        functional.relu(1 - model(x)).sum() + functional.softplus(x).sum()

    return Case(model, run, {"1": model[0](x)})


@situation()
def functions_of_another_model_are_no_layers() -> Case:
    model, other = _block(functional.relu), _block(functional.gelu)
    x, y = samples(9, 6), samples(5, 6)

    def run(_: Any) -> None:
        model(x)
        other(y)

    return Case(model, run, {"relu": model.make(x)})


@situation()
def a_floor_under_a_norm_is_no_layer() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        y = net.make(x)
        return net.act(y / y.norm(dim=-1, keepdim=True).clamp(min=1e-6) - 0.1)

    model = net(forward, make=linear(6, 12), act=nn.ReLU())
    x = samples(9, 6)
    made = model.make(x)
    return Case(model, x, {"act": made / made.norm(dim=-1, keepdim=True) - 0.1})


@situation()
def a_scale_kept_positive_is_no_layer() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.act(net.make(x) * functional.softplus(net.scale))

    model = net(forward, make=linear(6, 12), act=nn.ReLU())
    model.scale = nn.Parameter(torch.linspace(-1, 2, 12))
    x = samples(9, 6)
    return Case(model, x, {"act": model.make(x)})


@situation()
def dropout_after_a_function() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.out(functional.dropout(functional.relu(net.make(x)), 0.5, net.training))

    model = net(forward, make=linear(6, 12), out=linear(12, 2)).train()
    x = samples(9, 6)
    return Case(model, lambda _: model(x), {"relu": model.make(x)})


@situation()
def transformer_layer_has_one_layer_of_units_only() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return functional.relu(net.head(net.layer(x)))

    layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True)
    model = net(forward, layer=layer, head=linear(8, 9))
    x = samples(6, 5, 8)
    y = layer.norm1(x + layer.self_attn(x, x, x)[0])
    hidden = layer.linear1(y)
    out = layer.norm2(y + layer.linear2(hidden.relu()))
    layers = {"layer.linear2": hidden, "relu": model.head(out)}
    return Case(model, lambda _: model(x.clone().requires_grad_()), layers)


@situation()
def rectifier_as_a_function_and_as_a_module() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.act(net.second(functional.relu(net.first(x))))

    model = net(forward, first=linear(7, 7), second=linear(7, 7), act=nn.ReLU())
    x = 2 * samples(7, 7)
    first = model.first(x).relu()
    return Case(model, x, {"relu": first, "act": model.second(first)})
