"""Where the axis of samples goes inside a forward pass: behind positions, into one axis with them,
with frames, heads or windows. A sample stays an entry of the first axis of the model's input.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from recording.situations.case import Case, Units, situation, smooth
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


def _positions_first(number: int, positions: int, width: int, units: int) -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.relu(net.make(x.transpose(0, 1))).transpose(0, 1)

    model = net(forward, make=linear(width, units), relu=nn.ReLU())
    x = samples(number, positions, width)
    return Case(model, x, {"relu": model.make(x)})


@situation()
def positions_before_samples_inside() -> Case:
    return _positions_first(number=6, positions=11, width=5, units=13)


@situation()
def as_many_positions_before_as_samples() -> Case:
    return _positions_first(number=8, positions=8, width=5, units=13)


@situation()
def positions_before_samples_with_all_sizes_equal() -> Case:
    return _positions_first(number=7, positions=7, width=7, units=7)


@situation()
def one_sample_behind_its_positions() -> Case:
    return _positions_first(number=1, positions=9, width=5, units=12)


@situation()
def one_position_before_the_samples() -> Case:
    return _positions_first(number=9, positions=1, width=5, units=12)


@situation()
def positions_before_samples_in_one_block_of_two() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        x = net.block1(x)
        return net.block2(x.permute(1, 0, 2)).permute(1, 0, 2)

    block1 = nn.Sequential(linear(6, 9), nn.ReLU())
    block2 = nn.Sequential(linear(9, 9), nn.ReLU())
    model = net(forward, block1=block1, block2=block2)
    x = samples(9, 9, 6)
    first = block1[0](x).relu()
    return Case(model, x, {"block1.1": first, "block2.1": block2[0](first)})


@situation()
def transformer_layer_with_positions_first() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.encoder(x.transpose(0, 1)).transpose(0, 1).mean(1)

    layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=20).eval()
    spread(layer.linear1)
    model = net(forward, encoder=nn.Sequential(layer))
    x = samples(7, 7, 8)
    y = layer.norm1(x + layer.self_attn(*[x.transpose(0, 1)] * 3)[0].transpose(0, 1))
    return Case(model, x, {"encoder.0.linear2": layer.linear1(y)})


@situation()
def transformer_of_two_layers_with_samples_first() -> Case:
    layers = [
        nn.TransformerEncoderLayer(8, 2, 18, activation="gelu", batch_first=True).eval()
        for _ in range(2)
    ]
    model = nn.Sequential(*layers).eval()
    x = samples(8, 8, 8)
    expected, y = {}, x
    for index, layer in enumerate(layers):
        y = layer.norm1(y + layer.self_attn(y, y, y)[0])
        hidden = functional.gelu(layer.linear1(y))
        expected[f"{index}.linear2"] = smooth(hidden)
        y = layer.norm2(y + layer.linear2(hidden))
    return Case(model, lambda _: model(x.clone().requires_grad_()), expected)


@situation(per=["position"])
def transformer_layer_whose_input_has_positions_first() -> Case:
    layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=20).eval()
    spread(layer.linear1)
    x = samples(7, 5, 8)  # five samples of seven positions
    y = layer.norm1(x + layer.self_attn(x, x, x)[0])
    return Case(layer, x, {"linear2": layer.linear1(y)})


@situation()
def decoder_layer_beside_a_memory() -> Case:
    def forward(net: Any, x: Tensor, memory: Tensor) -> Tensor:
        return net.layer(x, memory)

    layer = nn.TransformerDecoderLayer(8, 2, dim_feedforward=20, batch_first=True).eval()
    spread(layer.linear1)
    model = net(forward, layer=layer)
    x, memory = samples(6, 5, 8), samples(6, 9, 8)
    y = layer.norm1(x + layer.self_attn(x, x, x)[0])
    y = layer.norm2(y + layer.multihead_attn(y, memory, memory)[0])
    return Case(model, [(x, memory)], {"layer.linear2": layer.linear1(y)})


def _folded(number: int, positions: int, width: int, units: int) -> Case:
    """Samples and positions in one axis, and apart again."""

    def forward(net: Any, x: Tensor) -> Tensor:
        y = net.relu(net.make(x.reshape(-1, x.shape[-1])))
        return y.reshape(*x.shape[:2], -1)

    model = net(forward, make=linear(width, units), relu=nn.ReLU())
    x = samples(number, positions, width)
    return Case(model, x, {"relu": model.make(x)})


@situation()
def samples_and_positions_in_one_axis() -> Case:
    return _folded(number=5, positions=9, width=6, units=14)


@situation()
def as_many_samples_as_positions_in_one_axis() -> Case:
    return _folded(number=6, positions=6, width=6, units=36)


@situation()
def one_sample_with_its_positions_as_the_first_axis() -> Case:
    return _folded(number=1, positions=12, width=6, units=14)


@situation()
def positions_and_samples_in_one_axis_in_that_order() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        y = x.transpose(0, 1).flatten(0, 1)
        y = net.relu(net.make(y))
        return y.unflatten(0, (x.shape[1], x.shape[0])).transpose(0, 1)

    model = net(forward, make=linear(6, 14), relu=nn.ReLU())
    x = samples(5, 9, 6)
    return Case(model, x, {"relu": model.make(x)})


@situation()
def batch_norm_over_samples_and_positions_in_one_axis() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        y = net.norm(net.make(x.flatten(0, 1)))
        return net.relu(y).view(x.shape[0], x.shape[1], -1).max(1).values

    model = net(forward, make=nn.Linear(6, 9), norm=spread(nn.BatchNorm1d(9)), relu=nn.ReLU(True))
    x = samples(9, 4, 6)
    made = model.norm(model.make(x.flatten(0, 1))).reshape(9, 4, 9)
    return Case(model, x, {"relu": made})


@situation()
def frames_of_films_in_one_axis_with_samples() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        y = net.pool(net.relu(net.make(x.flatten(0, 1)))).flatten(1)
        y = y.view(x.shape[0], x.shape[1], -1).mean(1)
        return net.relu2(net.head(y))

    parts = {"make": conv(3, 7), "relu": nn.ReLU(), "pool": nn.AdaptiveMaxPool2d(1)}
    model = net(forward, **parts, head=linear(7, 9), relu2=nn.ReLU())
    x = images(20, 3, 7, 7).view(4, 5, 3, 7, 7)
    made = model.make(x.flatten(0, 1)).relu()
    pooled = made.amax((2, 3)).view(4, 5, 7).mean(1)
    frames = channels_last(made).view(4, 5, 5, 5, 7)
    return Case(model, x, {"relu": frames, "relu2": model.head(pooled)})


@situation()
def heads_in_one_axis_with_samples() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        n, positions, width = x.shape
        y = x.view(n, positions, 3, width // 3).transpose(1, 2).reshape(n * 3, positions, -1)
        y = net.relu(net.make(y))
        return y.view(n, 3, positions, -1).transpose(1, 2).flatten(2)

    model = net(forward, make=linear(4, 10), relu=nn.ReLU())
    x = samples(6, 6, 12)
    return Case(model, x, {"relu": model.make(x.view(6, 6, 3, 4))})


@situation()
def windows_in_one_axis_with_samples() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        n, height, width, channels = x.shape
        y = x.view(n, height // 2, 2, width // 2, 2, channels).permute(0, 1, 3, 2, 4, 5)
        y = net.act(net.make(y.reshape(-1, 4, channels)))
        y = y.view(n, height // 2, width // 2, 2, 2, -1).permute(0, 1, 3, 2, 4, 5)
        return y.reshape(n, height, width, -1)

    model = net(forward, make=linear(5, 11), act=nn.GELU())
    x = samples(4, 4, 4, 5)
    return Case(model, x, {"act": smooth(functional.gelu(model.make(x)))})


@situation()
def patches_cut_out_by_unfold() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        patches = functional.unfold(x, 3, stride=3).transpose(1, 2)
        return net.relu(net.make(patches))

    model = net(forward, make=linear(27, 9), relu=nn.ReLU())
    x = images(9, 3, 9, 9)
    made = model.make(functional.unfold(x, 3, stride=3).transpose(1, 2))
    return Case(model, x, {"relu": made})


@situation()
def beams_beside_each_other() -> Case:
    """Each sample three times in a row, each time with another start."""

    def forward(net: Any, x: Tensor, starts: Tensor) -> Tensor:
        y = x.repeat_interleave(3, 0) + starts.repeat(len(x), 1)
        return net.relu(net.make(y)).view(len(x), 3, -1).amax(1)

    model = net(forward, make=linear(6, 15), relu=nn.ReLU())
    x, starts = samples(5, 6), samples(3, 6)
    return Case(model, [(x, starts)], {"relu": model.make(x[:, None] + starts)})


@situation()
def augmented_copies_behind_each_other() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        y = torch.cat([x, x.flip(-1), -x])
        return net.relu(net.make(y)).view(3, len(x), -1).mean(0)

    model = net(forward, make=linear(6, 15), relu=nn.ReLU())
    x = samples(7, 6)
    views = torch.stack([x, x.flip(-1), -x], 1)
    return Case(model, x, {"relu": model.make(views)})


@situation()
def views_stacked_along_a_new_first_axis() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.relu(net.make(torch.stack([x, -x]))).sum(0)

    model = net(forward, make=linear(6, 15), relu=nn.ReLU())
    x = samples(7, 6)
    return Case(model, x, {"relu": model.make(torch.stack([x, -x], 1))})


@situation()
def last_state_of_a_recurrent_layer() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.relu(net.make(net.gru(x)[1][-1]))

    model = net(forward, gru=nn.GRU(5, 6, 2, batch_first=True), make=linear(6, 9), relu=nn.ReLU())
    x = samples(9, 9, 5)
    return Case(model, x, {"relu": model.make(model.gru(x)[1][-1])})


@situation()
def attention_across_samples_and_back() -> Case:
    """Samples attend to each other: the axis of samples stands where positions usually do."""

    def forward(net: Any, x: Tensor) -> Tensor:
        y = net.attention(x[None], x[None], x[None])[0][0]
        return net.relu(net.make(y))

    attention = nn.MultiheadAttention(6, 2, batch_first=True)
    model = net(forward, attention=attention, make=linear(6, 12), relu=nn.ReLU())
    x = 3 * samples(12, 6)
    made = model.make(attention(x[None], x[None], x[None])[0][0])
    return Case(model, x, {"relu": made})


@situation()
def height_and_width_exchanged() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.relu(net.make(x.transpose(2, 3)))

    model = net(forward, make=nn.Sequential(conv(3, 8)), relu=nn.ReLU())
    x = images(8, 3, 10, 8)
    return Case(model, x, {"relu": channels_last(model.make(x.transpose(2, 3)))})


@situation()
def convolution_over_words_with_channels_moved() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        y = net.make(x.transpose(1, 2)).transpose(1, 2)
        return net.relu(y)

    model = net(forward, make=conv1(7, 7, padding=1), relu=nn.ReLU())
    x = samples(7, 7, 7)
    return Case(model, x, {"relu": channels_last(model.make(x.transpose(1, 2)))})


@situation()
def convolution_over_one_row_per_sample() -> Case:
    """The batch becomes the height of a single image."""

    def forward(net: Any, x: Tensor) -> Tensor:
        y = net.relu(net.make(x[None, None]))  # (1, channels, samples, features)
        return y[0].permute(1, 0, 2).flatten(1)

    model = net(forward, make=conv(1, 6, (1, 3)), relu=nn.ReLU())
    x = samples(8, 8)
    made = model.make(x[None, None])[0]  # (channels, samples, features)
    return Case(model, x, {"relu": made.permute(1, 2, 0)})


@situation()
def batch_behind_features() -> Case:
    """Columns as samples inside: weights @ x."""

    def forward(net: Any, x: Tensor) -> Tensor:
        y = net.make(x.T.T)
        return net.relu(y.T).T

    model = net(forward, make=linear(6, 12), relu=nn.ReLU())
    x = samples(12, 6)
    return Case(model, x, {"relu": model.make(x)})


@situation()
def words_of_all_texts_packed_without_padding() -> Case:
    """Only the words, of all texts, one after the other in one axis."""

    def forward(net: Any, x: Tensor, words: Tensor) -> Tensor:
        y = torch.zeros(*x.shape[:2], 12)
        y[words] = net.relu(net.make(x[words]))
        return y

    model = net(forward, make=linear(5, 12), relu=nn.ReLU())
    x = samples(6, 8, 5)
    words = torch.arange(8) < torch.tensor([3, 8, 1, 5, 2, 8])[:, None]
    expected = {"relu": Units(model.make(x), kept=words)}
    return Case(model, [(x, words)], expected)


@situation()
def graph_of_nodes_without_samples() -> Case:
    """One graph: its nodes are the entries of the first axis."""

    def forward(net: Any, nodes: Tensor, edges: Tensor) -> Tensor:
        gathered = torch.zeros_like(nodes).index_add(0, edges[1], nodes[edges[0]])
        return net.relu(net.make(gathered))

    model = net(forward, make=linear(6, 10), relu=nn.ReLU())
    nodes, edges = samples(10, 6), torch.randint(0, 10, (2, 30))
    gathered = torch.zeros_like(nodes).index_add(0, edges[1], nodes[edges[0]])
    return Case(model, [(nodes, edges)], {"relu": model.make(gathered)})


@situation()
def two_inputs_of_which_the_first_is_the_batch() -> Case:
    """The second input is a table that all samples share."""

    def forward(net: Any, x: Tensor, table: Tensor) -> Tensor:
        return net.relu(net.make(torch.cat([x, table.mean(0).expand(len(x), -1)], 1)))

    model = net(forward, make=linear(10, 12), relu=nn.ReLU())
    x, table = samples(9, 6), samples(30, 4)
    made = model.make(torch.cat([x, table.mean(0).expand(9, -1)], 1))
    return Case(model, [(x, table)], {"relu": made})


@situation()
def queries_of_the_model_beside_each_sample() -> Case:
    """Learned queries, the same for all samples, attend to the positions of each."""

    def forward(net: Any, x: Tensor) -> Tensor:
        queries = net.queries.expand(len(x), -1, -1)
        return net.relu(net.make(net.attention(queries, x, x)[0]))

    attention = nn.MultiheadAttention(6, 2, batch_first=True)
    model = net(forward, attention=attention, make=linear(6, 9), relu=nn.ReLU())
    model.queries = nn.Parameter(torch.randn(1, 4, 6))
    x = 2 * samples(9, 5, 6)
    made = model.make(attention(model.queries.expand(9, -1, -1), x, x)[0])
    return Case(model, x, {"relu": made})


@situation()
def inputs_in_a_mapping() -> Case:
    def forward(net: Any, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"hidden": net.relu(net.make(batch["x"].flatten(0, 1)))}

    model = net(forward, make=linear(6, 9), relu=nn.ReLU())
    x = samples(5, 4, 6)
    return Case(model, [({"x": x, "step": 3},)], {"relu": model.make(x)})
