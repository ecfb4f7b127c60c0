"""Layers of one unit, whose axis may be left out: by a squeeze, an index, or a sum over units."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from recording.situations.case import Case, situation
from recording.situations.parts import channels_last, conv, images, linear, net, samples


@situation()
def head_of_one_unit_without_its_axis() -> Case:
    model = net(lambda net, x: net.relu(net.make(x).squeeze(-1)), make=_one(5), relu=nn.ReLU())
    x = samples(12, 5)
    return Case(model, x, {"relu": model.make(x)})


@situation()
def head_of_one_unit_over_positions_without_its_axis() -> Case:
    model = net(lambda net, x: net.relu(net.make(x)[..., 0]), make=_one(5), relu=nn.ReLU())
    x = samples(9, 7, 5)
    return Case(model, x, {"relu": model.make(x)})


@situation()
def map_of_one_channel_without_its_axis() -> Case:
    model = net(lambda net, x: net.relu(net.make(x).squeeze(1)), make=conv(3, 1), relu=nn.ReLU())
    x = images(8, 3, 6, 7)
    return Case(model, x, {"relu": channels_last(model.make(x))})


@situation()
def sum_over_units_is_one_unit() -> Case:
    model = net(lambda net, x: net.relu(net.make(x).sum(-1) + 2), make=linear(5, 3), relu=nn.ReLU())
    x = samples(9, 7, 5)
    return Case(model, x, {"relu": model.make(x).sum(-1, keepdim=True) + 2})


@situation()
def sum_of_single_units_of_two_layers() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.relu(net.make(x).squeeze(-1) + net.other(x)[..., 1])

    model = net(forward, make=_one(5), other=linear(5, 3), relu=nn.ReLU())
    x = samples(9, 7, 5)
    return Case(model, x, {"relu": model.make(x) + model.other(x)[..., 1:2]})


@situation()
def gate_of_one_unit_times_inputs() -> Case:
    """What a single unit scales are the inputs' features."""

    def forward(net: Any, x: Tensor) -> Tensor:
        return net.relu(x * net.make(x).squeeze(-1).unsqueeze(-1))

    model = net(forward, make=_one(5), relu=nn.ReLU())
    x = samples(9, 5)
    return Case(model, x, {"relu": x * model.make(x)})


@situation()
def one_sample_of_one_unit_in_the_order_of_images() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        y = net.make(x)  # (1, 6, 1)
        y = net.norm(y.flatten(0, -2)).view(y.shape)
        return net.relu(y.transpose(1, 2).reshape(1, 1, 6, 1))

    model = net(forward, make=_one(4), norm=nn.BatchNorm1d(1), relu=nn.ReLU())
    with torch.no_grad():
        model.norm.running_var.fill_(0.2)
    x = samples(1, 6, 4)
    return Case(model, x, {"relu": model.norm(model.make(x).transpose(1, 2)).transpose(1, 2)})


@situation()
def one_sample_whose_mean_is_taken_away() -> Case:
    """The mean over a batch of one sample is that sample."""

    def forward(net: Any, x: Tensor) -> Tensor:
        y = net.make(x)
        return net.relu(y - 0.5 * y.mean(0, keepdim=True))

    model = net(forward, make=linear(4, 6), relu=nn.ReLU())
    x = samples(1, 5, 4)
    return Case(model, x, {"relu": 0.5 * model.make(x)})


def _one(inputs: int) -> nn.Linear:
    return linear(inputs, 1)
