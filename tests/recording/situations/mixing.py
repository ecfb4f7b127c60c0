"""Samples, positions and units that could be taken for each other: fixed matrices that mix
positions, arguments as large as the batch, inputs inside containers, and weights that are computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from recording.situations.case import Case, situation
from recording.situations.parts import linear, net, samples, spread


def _graph(forward: Any, nodes: int = 7, number: int = 5) -> Case:
    """A layer on nodes, mixed by a matrix that is a buffer."""
    model = net(forward, make=linear(6, 9), relu=nn.ReLU())
    model.register_buffer("matrix", torch.rand(nodes, nodes))
    x = samples(number, nodes, 6)
    return Case(model, x, {"relu": model.matrix @ model.make(x)})


@situation()
def nodes_mixed_by_a_buffer() -> Case:
    return _graph(lambda net, x: net.relu(net.matrix @ net.make(x)))


@situation()
def nodes_mixed_by_a_buffer_as_many_as_samples() -> Case:
    return _graph(lambda net, x: net.relu(net.matrix @ net.make(x)), nodes=6, number=6)


@situation()
def nodes_mixed_by_einsum() -> Case:
    return _graph(lambda net, x: net.relu(torch.einsum("ij,bjd->bid", net.matrix, net.make(x))))


@situation()
def nodes_mixed_by_an_argument_as_large_as_the_batch() -> Case:
    model = net(lambda net, x, a: net.relu(a @ net.make(x)), make=linear(6, 9), relu=nn.ReLU())
    x, matrix = samples(7, 7, 6), torch.rand(7, 7)
    return Case(model, [(x, matrix)], {"relu": matrix @ model.make(x)})


@situation()
def positions_given_as_an_argument_as_long_as_the_batch() -> Case:
    def forward(net: Any, x: Tensor, places: Tensor) -> Tensor:
        return net.relu(net.make(x + net.places(places)))

    model = net(forward, make=linear(6, 9), relu=nn.ReLU(), places=nn.Embedding(8, 6))
    x, places = samples(6, 6, 6), torch.arange(6)
    return Case(model, [(x, places)], {"relu": model.make(x + model.places(places))})


@situation(per=["sample"])
def pairs_of_samples_count_for_the_first_of_them() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.relu(net.make(x[:, None] + x[None]))

    model = net(forward, make=linear(6, 9), relu=nn.ReLU())
    x = samples(5, 6)
    return Case(model, x, {"relu": model.make(x[:, None] + x[None])})


@situation()
def weights_that_are_computed() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        hidden = functional.relu(functional.linear(x, net.one.sign(), -net.levels))
        return functional.relu(functional.linear(hidden, net.two.double().float()))

    levels = torch.linspace(0, 4, 9)
    one, two = nn.Parameter(torch.randn(9, 6)), nn.Parameter(torch.randn(8, 9))
    model = net(forward, one=one, two=two)
    model.register_buffer("levels", levels)
    x = samples(20, 6)
    hidden = (x @ one.sign().T - levels).relu()
    return Case(model, x, {"relu#0": hidden, "relu#1": hidden @ two.T})


def _tail(net: Any, x: Tensor) -> Tensor:
    return net.relu(net.make(x.flatten(0, 1)))


def _contained(forward: Any, wrap: Any) -> Case:
    model = net(forward, make=linear(6, 9), relu=nn.ReLU())
    x = samples(4, 6, 6)
    return Case(model, [(wrap(x),)], {"relu": model.make(x)})


@situation()
def an_input_in_a_list() -> Case:
    return _contained(lambda net, given: _tail(net, given[0]), lambda x: [x])


@situation()
def an_input_in_mappings() -> Case:
    return _contained(lambda net, given: _tail(net, given["a"]["x"]), lambda x: {"a": {"x": x}})


@dataclass
class Batch:
    """What a model may be called on."""

    x: Tensor
    name: str = "batch"


@situation()
def an_input_in_a_data_class() -> Case:
    return _contained(lambda net, given: _tail(net, given.x), Batch)


@situation()
def positions_first_after_writing_into_some_units() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        hidden = net.make(x)
        hidden[..., :4] = hidden[..., :4] * 2
        return net.relu(hidden.transpose(0, 1))

    model = net(forward, make=linear(6, 9), relu=nn.ReLU())
    x = samples(6, 6, 6)
    values = model.make(x).detach()
    values[..., :4] *= 2
    return Case(model, x, {"relu": values})


@situation()
def einsum_with_dots_on_positions_first() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return functional.relu(torch.einsum("...d,dk->...k", x.transpose(0, 1), net.weight) - 1)

    model = net(forward, weight=nn.Parameter(torch.randn(6, 9)))
    x = samples(5, 5, 6)
    return Case(model, x, {"relu": x @ model.weight - 1})


@situation()
def a_learned_table_as_long_as_the_batch() -> Case:
    def forward(net: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        return net.relu(net.make(x)), net.beside(net.more(net.table))

    table, more = nn.Parameter(torch.randn(20, 6)), spread(nn.Linear(6, 9))
    parts = {"table": table, "make": linear(6, 9), "more": more}
    model = net(forward, **parts, relu=nn.ReLU(), beside=nn.ReLU())
    x = samples(20, 6)
    return Case(model, [x, x[:3]], {"relu": [model.make(x), model.make(x[:3])]})


@situation()
def whole_numbers_that_are_clamped_are_no_activations() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.relu(net.make(net.words(x.clamp(min=0))))

    model = net(forward, words=nn.Embedding(9, 6), make=linear(6, 9), relu=nn.ReLU())
    x = torch.randint(0, 9, (4, 5))
    return Case(model, x, {"relu": model.make(model.words(x))})


@situation()
def quantiles_over_positions() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.relu(net.make(x.quantile(0.5, 1)))

    model = net(forward, make=linear(6, 9), relu=nn.ReLU())
    x = samples(4, 5, 6)
    return Case(model, x, {"relu": model.make(x.quantile(0.5, 1))})


@situation()
def samples_in_an_order_of_every_feature_are_no_samples() -> Case:
    model = net(lambda net, x: net.relu(net.make(x.sort(0)[0])), make=linear(6, 9), relu=nn.ReLU())
    return Case(model, samples(4, 6), refusal="must")
