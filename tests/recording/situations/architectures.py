"""Which axis holds the units: they are what the layer that makes them makes, wherever that layer
stands in the tree of modules, and however the sizes of the other axes coincide.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from recording.situations.case import Case, situation, smooth
from recording.situations.parts import (
    channels_last,
    conv,
    conv1,
    images,
    linear,
    net,
    samples,
    spread,
)


def _then_relu(net: Any, x: Tensor) -> Tensor:
    return net.relu(net.make(x))


def _backbone(channels: int, side: int) -> Case:
    """A convolution inside, the rectifier and a linear head outside."""

    def forward(net: Any, x: Tensor) -> Tensor:
        return net.fc(net.relu(net.backbone(x)).mean((2, 3)))

    made = nn.Sequential(nn.Sequential(conv(3, channels)))
    model = net(forward, backbone=made, relu=nn.ReLU(), fc=linear(channels, 4))
    x = images(9, 3, side, side)
    return Case(model, x, {"relu": channels_last(made(x))})


@situation()
def convolution_that_is_no_sibling_of_its_rectifier() -> Case:
    return _backbone(channels=16, side=12)


@situation()
def convolution_as_wide_as_its_image() -> Case:
    return _backbone(channels=8, side=10)


@situation()
def convolution_as_wide_as_the_linear_layer_after_it() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.fc(net.relu(net.backbone(x)))

    made = nn.Sequential(conv(3, 7))
    model = net(forward, backbone=made, relu=nn.ReLU(), fc=linear(7, 5))
    x = images(6, 3, 9, 9)  # 7 x 7 after the convolution
    return Case(model, x, {"relu": channels_last(made(x))})


@situation()
def everything_of_one_size() -> Case:
    model = net(_then_relu, make=nn.Sequential(conv(6, 6, padding=1)), relu=nn.ReLU())
    x = images(6, 6, 6, 6)
    return Case(model, x, {"relu": channels_last(model.make(x))})


@situation()
def one_image() -> Case:
    model = net(_then_relu, make=nn.ModuleDict({"a": conv(3, 11)})["a"], relu=nn.ReLU())
    x = 2 * images(1, 3, 8, 9)
    return Case(model, x, {"relu": channels_last(model.make(x))})


@situation()
def several_batches_of_images_of_several_sizes() -> Case:
    model = net(_then_relu, make=nn.Sequential(conv(3, 10)), relu=nn.ReLU())
    batches = [images(4, 3, 12, 6), images(7, 3, 12, 12), images(1, 3, 6, 12)]
    return Case(model, batches, {"relu": [channels_last(model.make(x)) for x in batches]})


@situation()
def squeeze_and_excitation() -> Case:
    """Pooled to one position, narrowed by a linear layer and widened; the gate is no layer."""

    def forward(net: Any, x: Tensor) -> Tensor:
        x = net.conv(x)
        gate = torch.sigmoid(net.expand(net.relu(net.reduce(x.mean((2, 3))))))
        return x * gate[:, :, None, None]

    parts = {"conv": conv(3, 12), "reduce": linear(12, 5), "expand": linear(5, 12)}
    model = net(forward, **parts, relu=nn.ReLU())
    x = 20 * images(8, 3, 10, 10)
    return Case(model, x, {"relu": model.reduce(model.conv(x).mean((2, 3)))})


@situation()
def squeeze_and_excitation_by_convolutions() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        x = net.conv(x)
        gate = net.expand(net.relu(net.block[1](net.block[0](x))))
        return x * torch.sigmoid(gate)

    reduce = spread(nn.Conv2d(12, 5, 1))
    block = nn.Sequential(nn.AdaptiveAvgPool2d(1), reduce)
    model = net(forward, conv=conv(3, 12), block=block, expand=conv(5, 12, 1), relu=nn.ReLU())
    x = 20 * images(8, 3, 10, 10)
    return Case(model, x, {"relu": channels_last(block(model.conv(x)))})


class Filters(nn.Module):
    """A convolution that is no module of PyTorch's."""

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.filters = nn.Parameter(torch.randn(channels, inputs, 3, 3) / 5)
        self.shift = nn.Parameter(torch.linspace(0.2, -3.0, channels))

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.filters, self.shift, padding=1)


@situation()
def own_module_around_a_function_that_convolves() -> Case:
    model = net(_then_relu, make=Filters(3, 9), relu=nn.ReLU())
    x = images(7, 3, 9, 6)
    return Case(model, x, {"relu": channels_last(model.make(x))})


class Weights(nn.Module):
    """A linear layer that is no module of PyTorch's."""

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(inputs, units) / 3)
        self.b = nn.Parameter(torch.linspace(0.3, -2.0, units))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.w + self.b


@situation()
def own_module_around_a_matrix() -> Case:
    model = net(_then_relu, make=Weights(6, 9), relu=nn.ReLU())
    x = samples(9, 9, 6)
    return Case(model, x, {"relu": model.make(x)})


@situation()
def convolution_of_the_model_itself_by_a_function() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.relu(functional.conv2d(x, net.filters) - net.shift)

    model = net(forward, relu=nn.ReLU(), filters=nn.Parameter(torch.randn(8, 3, 3, 3) / 5))
    model.shift = nn.Parameter(torch.linspace(0, 3, 8)[:, None, None])
    x = images(5, 3, 10, 10)
    made = functional.conv2d(x, model.filters) - model.shift
    return Case(model, x, {"relu": channels_last(made)})


@situation()
def convolution_along_one_axis_with_batch_norm() -> Case:
    block = nn.Sequential(conv1(4, 9), spread(nn.BatchNorm1d(9), rarer=1.0))
    model = net(_then_relu, make=block, relu=nn.ReLU())
    x = samples(6, 4, 11)
    return Case(model, x, {"relu": channels_last(block.eval()(x))})


@situation()
def convolution_in_space_and_time() -> Case:
    make = spread(nn.Conv3d(2, 7, 3), rarer=1.0)
    model = net(_then_relu, make=nn.Sequential(make), relu=nn.ReLU())
    x = samples(5, 2, 6, 7, 7)
    return Case(model, x, {"relu": channels_last(make(x))})


@situation()
def transposed_convolution() -> Case:
    make = spread(nn.ConvTranspose2d(4, 8, 3, stride=2), rarer=0.5)
    model = net(_then_relu, make=nn.Sequential(make), relu=nn.ReLU())
    x = images(6, 4, 4, 4)
    return Case(model, x, {"relu": channels_last(make(x))})


@situation()
def depthwise_convolution_with_group_norm() -> Case:
    block = nn.Sequential(
        conv(8, 8, groups=8, padding=1), spread(nn.GroupNorm(2, 8), rarer=1.0), nn.Dropout2d(0.3)
    )
    model = net(_then_relu, make=block, relu=nn.ReLU())
    x = images(8, 8, 8, 8)
    return Case(model, x, {"relu": channels_last(block.eval()(x))})


@situation()
def grouped_convolution_with_shuffled_channels() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        y = net.conv(x)
        y = y.reshape(len(y), 2, 5, *y.shape[2:]).transpose(1, 2).reshape(y.shape)
        return net.relu(y)

    model = net(forward, conv=conv(4, 10, groups=2), relu=nn.ReLU())
    x = images(6, 4, 8, 8)
    shuffled = torch.arange(10).reshape(2, 5).T.reshape(-1)
    return Case(model, x, {"relu": channels_last(model.conv(x)[:, shuffled])})


@situation()
def memory_in_the_order_of_channels_last() -> Case:
    model = net(_then_relu, make=nn.Sequential(conv(3, 10)), relu=nn.ReLU())
    model = model.to(memory_format=torch.channels_last)
    x = images(5, 3, 10, 12).contiguous(memory_format=torch.channels_last)
    return Case(model, x, {"relu": channels_last(model.make(x))})


@situation()
def inception_of_two_convolutions() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.relu(torch.cat([net.wide(x), net.narrow(x)], 1))

    model = net(forward, wide=conv(3, 6, 3, padding=1), narrow=conv(3, 4, 1), relu=nn.ReLU())
    x = images(6, 3, 10, 10)
    return Case(model, x, {"relu": channels_last(torch.cat([model.wide(x), model.narrow(x)], 1))})


@situation()
def densely_connected_block() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        y = torch.cat([x, net.conv(x)], 1)
        return net.head(net.relu(net.norm(y)))

    parts = {"conv": conv(4, 4, padding=1), "norm": spread(nn.BatchNorm2d(8), rarer=1.5)}
    model = net(forward, **parts, relu=nn.ReLU(), head=conv(8, 3, 1))
    x = images(8, 4, 8, 8)
    made = model.norm(torch.cat([x, model.conv(x)], 1))
    return Case(model, x, {"relu": channels_last(made)})


@situation()
def residual_block_with_a_shortcut_of_its_own() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.relu(net.norm(net.conv(x)) + net.shortcut(x))

    parts = {"conv": conv(3, 7, padding=1), "norm": nn.BatchNorm2d(7), "shortcut": conv(3, 7, 1)}
    model = net(forward, **parts, relu=nn.ReLU(inplace=True))
    x = images(6, 3, 7, 7)
    made = model.norm(model.conv(x)) + model.shortcut(x)
    return Case(model, x, {"relu": channels_last(made)})


@situation()
def units_last_after_a_convolution_in_a_block_of_convnext() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        y = net.norm(net.depthwise(x).permute(0, 2, 3, 1))
        y = net.narrow(net.act(net.widen(y)))
        return x + y.permute(0, 3, 1, 2)

    parts = {"depthwise": conv(6, 6, padding=1, groups=6), "norm": nn.LayerNorm(6)}
    model = net(forward, **parts, widen=linear(6, 24), act=nn.GELU(), narrow=linear(24, 6))
    x = images(6, 6, 6, 6)
    made = model.widen(model.norm(model.depthwise(x).permute(0, 2, 3, 1)))
    return Case(model, x, {"act": smooth(functional.gelu(made))})


@situation()
def patches_by_a_convolution_with_channels_moved_last() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.relu(net.embed(x).flatten(2).transpose(1, 2))

    model = net(forward, embed=conv(3, 9, 4, stride=4), relu=nn.ReLU())
    x = images(9, 3, 12, 12)  # nine patches, nine channels, nine images
    return Case(model, x, {"relu": channels_last(model.embed(x))})


@situation()
def pooled_channels() -> Case:
    model = net(
        _then_relu,
        make=nn.Sequential(conv(3, 10), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        relu=nn.ReLU(),
    )
    x = 10 * images(12, 3, 9, 9)
    return Case(model, x, {"relu": model.make(x)})


@situation()
def linear_layer_on_images_with_channels_last() -> Case:
    model = net(_then_relu, make=linear(5, 6), relu=nn.ReLU())
    x = samples(6, 6, 6, 5)
    return Case(model, x, {"relu": model.make(x)})


@situation()
def units_of_a_linear_layer_moved_to_the_second_axis() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.relu(net.make(x).transpose(1, 2)).mean(2)

    model = net(forward, make=linear(5, 8), relu=nn.ReLU())
    x = samples(6, 11, 5)
    return Case(model, x, {"relu": model.make(x)})


def _mixer(positions: int, channels: int, hidden: int) -> Case:
    """Linear layers across positions, then across channels."""

    def forward(net: Any, x: Tensor) -> Tensor:
        x = x + net.token_out(net.token_act(net.token_in(x.transpose(1, 2)))).transpose(1, 2)
        return x + net.channel_out(net.channel_act(net.channel_in(x)))

    model = net(
        forward,
        token_in=linear(positions, hidden),
        token_act=nn.ReLU(),
        token_out=linear(hidden, positions),
        channel_in=linear(channels, hidden),
        channel_act=nn.GELU(),
        channel_out=linear(hidden, channels),
    )
    x = samples(6, positions, channels)
    tokens = model.token_in(x.transpose(1, 2)).relu()
    mixed = x + model.token_out(tokens).transpose(1, 2)
    channel = functional.gelu(model.channel_in(mixed))
    return Case(model, x, {"token_act": tokens, "channel_act": smooth(channel)})


@situation()
def mixer() -> Case:
    return _mixer(positions=7, channels=5, hidden=9)


@situation()
def mixer_of_equal_widths() -> Case:
    return _mixer(positions=6, channels=6, hidden=6)


def _one_by_one(make: nn.Module, inputs: list[Tensor]) -> Case:
    """Inputs without an axis of samples, one after the other."""
    model = net(_then_relu, make=nn.Sequential(make), relu=nn.ReLU())
    made = [channels_last(make(x[None])) for x in inputs]
    return Case(model, inputs, {"relu": made}, refusal="may")


@situation()
def images_without_an_axis_of_samples() -> Case:
    return _one_by_one(conv(3, 16), [images(1, 3, 12, 12)[0] * 2 for _ in range(5)])


@situation()
def images_without_an_axis_of_samples_as_large_as_their_channels() -> Case:
    return _one_by_one(conv(8, 8, padding=1), [images(1, 8, 8, 8)[0] * 2 for _ in range(3)])


@situation()
def signals_without_an_axis_of_samples() -> Case:
    return _one_by_one(conv1(3, 8), [3 * samples(1, 3, 12)[0] for _ in range(4)])


@situation()
def vectors_without_an_axis_of_samples() -> Case:
    return _one_by_one(linear(6, 16), [3 * samples(1, 6)[0] for _ in range(5)])


@situation()
def weights_computed_anew_by_a_parametrization() -> Case:
    make = parametrizations.weight_norm(linear(6, 20))
    model = net(_then_relu, make=make, relu=nn.ReLU())
    x = samples(20, 6)
    return Case(model, x, {"relu": make(x)})


@situation()
def embedded_words() -> Case:
    def forward(net: Any, words: Tensor) -> Tensor:
        return net.relu(net.embed(words) - net.shift)

    model = net(forward, embed=nn.Embedding(30, 9), relu=nn.ReLU())
    model.shift = nn.Parameter(torch.linspace(0, 2, 9))
    words = torch.randint(0, 30, (9, 9))
    return Case(model, words, {"relu": model.embed(words) - model.shift})


@situation()
def bilinear_layer_of_two_inputs() -> Case:
    def forward(net: Any, a: Tensor, b: Tensor) -> Tensor:
        return net.relu(net.make(a, b))

    model = net(forward, make=spread(nn.Bilinear(5, 4, 12)), relu=nn.ReLU())
    a, b = samples(10, 5), samples(10, 4)
    return Case(model, [(a, b)], {"relu": model.make(a, b)})


@situation()
def rectifier_before_any_weight() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.make(net.relu(x - 1))

    model = net(forward, make=linear(12, 3), relu=nn.ReLU())
    x = samples(15, 12)
    return Case(model, x, {"relu": x - 1})


@situation()
def long_short_term_memory_named_by_hand() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.head(net.lstm(x)[0][:, -1])

    model = net(forward, lstm=nn.LSTM(5, 9, batch_first=True), head=linear(9, 2))
    x = samples(9, 7, 5)
    return Case(model, x, {"lstm": smooth(model.lstm(x)[0])}, {"layers": "lstm"})


@situation()
def gated_recurrent_layer_with_positions_first_named_by_hand() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.head(net.gru(x.transpose(0, 1))[0][-1])

    model = net(forward, gru=nn.GRU(5, 8), head=linear(8, 2))
    x = samples(6, 7, 5)
    seen = model.gru(x.transpose(0, 1))[0].transpose(0, 1)
    return Case(model, x, {"gru": smooth(seen)}, {"layers": ["gru"]})


@situation()
def linear_layer_named_by_hand() -> Case:
    model = nn.Sequential(linear(6, 14), nn.ReLU(), linear(14, 9)).eval()
    x = samples(12, 6)
    return Case(model, x, {"2": smooth(model(x))}, {"layers": ["2"]})


@situation()
def convolution_named_by_hand() -> Case:
    model = nn.Sequential(conv(3, 9), nn.ReLU(), conv(9, 4)).eval()
    x = images(7, 3, 11, 11)
    made = channels_last(model[0](x))
    return Case(model, x, {"0": smooth(made)}, {"layers": lambda name, _: name == "0"})


@situation()
def rectifier_and_linear_layer_named_together() -> Case:
    model = nn.Sequential(linear(6, 14), nn.ReLU(), linear(14, 9)).eval()
    x = samples(12, 6)
    hidden = model[0](x)
    return Case(
        model, x, {"1": hidden, "2": smooth(model[2](hidden.relu()))}, {"layers": ["1", "2"]}
    )


@situation()
def attention_into_a_rectifier() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.relu(net.attention(x, x, x, need_weights=False)[0] - 0.1)

    model = net(forward, attention=nn.MultiheadAttention(8, 2, batch_first=True), relu=nn.ReLU())
    x = samples(8, 8, 8)
    return Case(model, x, {"relu": model.attention(x, x, x, need_weights=False)[0] - 0.1})
