"""Networks compiled by torch.compile: counted as they are uncompiled."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from recording.situations.case import Case, Layers, Units, situation, smooth
from recording.situations.parts import (
    channels_last,
    conv,
    first_words,
    images,
    linear,
    net,
    samples,
    spread,
)


def _compiled(
    model: nn.Module, calls: Any, layers: Layers, backend: str = "eager", **arguments: Any
) -> Case:
    torch.compiler.reset()
    compiled = torch.compile(model, backend=backend)

    def run(_: Any) -> None:
        with torch.no_grad():
            for call in calls:
                compiled(*call) if isinstance(call, tuple) else compiled(call)

    return Case(model, run, layers, arguments)


def _mlp(backend: str) -> Case:
    model = nn.Sequential(linear(6, 18), nn.ReLU(), linear(18, 9), nn.GELU()).eval()
    batches = [samples(8, 6), samples(8, 6).flip(0), samples(5, 6)]
    layers = {
        "1": [model[0](x) for x in batches],
        "3": smooth([model(x) for x in batches]),
    }
    return _compiled(model, batches, layers, backend)


@situation(slow=True)
def two_layers() -> Case:
    return _mlp("eager")


@situation(slow=True)
def two_layers_through_autograd() -> Case:
    return _mlp("aot_eager")


@situation(slow=True, per=["sample"])
def two_layers_to_machine_code() -> Case:
    return _mlp("inductor")


@situation(slow=True)
def model_that_is_compiled_itself() -> Case:
    """`record` is given what torch.compile returned."""
    model = nn.Sequential(linear(6, 18), nn.ReLU()).eval()
    x = samples(9, 6)
    layers = {"1": model[0](x)}
    torch.compiler.reset()
    return Case(torch.compile(model, backend="eager"), [x], layers)


@situation(slow=True)
def compiled_in_place_before() -> Case:
    model = nn.Sequential(linear(6, 18), nn.ReLU()).eval()
    x = samples(9, 6)
    layers = {"1": model[0](x)}
    torch.compiler.reset()
    model.compile(backend="eager")
    model(x)  # compiled without hooks
    return Case(model, [x], layers)


@situation(slow=True)
def convolution_apart_from_its_rectifier() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.fc(net.relu(net.backbone(x)).mean((2, 3)))

    model = net(forward, backbone=nn.Sequential(conv(3, 8)), relu=nn.ReLU(), fc=linear(8, 2))
    x = images(8, 3, 10, 10)
    return _compiled(model, [x], {"relu": channels_last(model.backbone(x))}, "aot_eager")


@situation(slow=True)
def rectifier_used_twice() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.relu(x + net.second(net.relu(net.first(x))))

    model = net(forward, first=linear(9, 9), second=linear(9, 9), relu=nn.ReLU())
    x = samples(9, 9)
    first = model.first(x).relu()
    return _compiled(model, [x], {"relu#0": first, "relu#1": x + model.second(first)})


@situation(slow=True)
def functions() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.last(functional.gelu(net.second(functional.relu(net.first(x)))))

    model = net(forward, first=linear(6, 9), second=linear(9, 12), last=linear(12, 2))
    x = samples(9, 6)
    first = model.first(x).relu()
    layers = {"relu": first, "gelu": smooth(functional.gelu(model.second(first)))}
    return _compiled(model, [x], layers)


@situation(slow=True)
def functions_through_autograd() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.last(torch.relu(net.first(x)))

    model = net(forward, first=linear(6, 9), last=linear(9, 2))
    x = samples(9, 6)
    return _compiled(model, [x], {"relu": model.first(x)}, "aot_eager")


@situation(slow=True)
def batch_in_chunks() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return torch.cat([net.relu(net.make(part)) for part in x.chunk(4)])

    model = net(forward, make=linear(6, 12), relu=nn.ReLU())
    x = samples(16, 6)
    return _compiled(model, [x], {"relu": model.make(x)})


@situation(slow=True)
def positions_first_under_a_mask() -> Case:
    def forward(net: Any, x: Tensor, words: Tensor) -> Tensor:
        return net.relu(net.make(x.transpose(0, 1))).transpose(0, 1)

    model = net(forward, make=linear(6, 12), relu=nn.ReLU())
    x, words = samples(8, 8, 6), first_words(8, 8)
    seen = Units(model.make(x), kept=words)
    return _compiled(model, [(x, words)], {"relu": seen}, mask="words")


@situation(slow=True)
def break_in_the_graph() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        x = net.relu(net.first(x))
        torch._dynamo.graph_break()
        return net.relu2(net.second(x))

    model = net(forward, first=linear(6, 12), relu=nn.ReLU(), second=linear(12, 9), relu2=nn.ReLU())
    x = samples(9, 6)
    first = model.first(x).relu()
    return _compiled(model, [x], {"relu": first, "relu2": model.second(first)})


@situation(slow=True)
def recurrence() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        h = torch.zeros(len(x), 8)
        for step in range(x.shape[1]):
            h = net.relu(net.take(x[:, step]) + net.keep(h))
        return h

    model = net(forward, take=linear(5, 8), keep=nn.Linear(8, 8), relu=nn.ReLU())
    x = samples(6, 4, 5)
    states = [torch.zeros(6, 8)]
    for step in range(4):
        states.append((model.take(x[:, step]) + model.keep(states[-1])).relu())
    return _compiled(model, [x], {"relu": torch.stack(states[1:], 1)})


@situation(slow=True)
def transformer_layer() -> Case:
    layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=20, batch_first=True).eval()
    spread(layer.linear1)
    x = samples(6, 5, 8)
    y = layer.norm1(x + layer.self_attn(x, x, x)[0])
    hidden = layer.linear1(y)
    model = nn.Sequential(layer).eval()
    torch.compiler.reset()
    compiled = torch.compile(model, backend="eager")
    return Case(model, lambda _: compiled(x.clone().requires_grad_()), {"0.linear2": hidden})


@situation(slow=True)
def steps_of_training() -> Case:
    model = nn.Sequential(linear(6, 18), nn.ReLU(), linear(18, 1)).train()
    x = samples(9, 6)
    made = model[0](x).detach().clone()
    torch.compiler.reset()
    compiled = torch.compile(model, backend="aot_eager")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def run(_: Any) -> None:
        compiled(x).sum().backward()
        optimizer.step()

    return Case(model, run, {"1": made}, regime="training")


@situation(slow=True)
def one_part_compiled() -> Case:
    block = nn.Sequential(linear(6, 18), nn.ReLU())
    model = nn.Sequential(block, linear(18, 9), nn.ReLU()).eval()
    x = samples(9, 6)
    first = block[0](x).relu()
    layers = {"0.1": first, "2": model[1](first)}
    torch.compiler.reset()
    block.compile(backend="eager")
    return Case(model, [x], layers)
