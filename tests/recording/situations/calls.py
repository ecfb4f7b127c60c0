"""How often, and from where, a layer is called in one forward pass: calls fed by different makers
are layers of their own, calls fed by the same maker are one layer, and every sample counts once.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from recording.situations.case import Case, situation, smooth
from recording.situations.parts import channels_last, conv, images, linear, net, samples


def _over_parts(split: Any, *, together: Any = torch.cat) -> Case:
    """A forward pass that works through its batch in parts."""

    def forward(net: Any, x: Tensor) -> Tensor:
        return together([net.relu(net.make(part)) for part in split(x)])

    model = net(forward, make=linear(6, 20), relu=nn.ReLU())
    x = samples(16, 6)
    return Case(model, x, {"relu": model.make(x)})


@situation()
def batch_in_four_equal_chunks() -> Case:
    return _over_parts(lambda x: x.chunk(4))


@situation()
def batch_in_chunks_of_one() -> Case:
    return _over_parts(lambda x: x.chunk(16))


@situation()
def batch_in_unequal_parts() -> Case:
    return _over_parts(lambda x: x.split([1, 7, 8]))


@situation()
def batch_in_two_halves_by_slices() -> Case:
    return _over_parts(lambda x: [x[:8], x[8:]])


@situation()
def batch_in_interleaved_parts() -> Case:
    return _over_parts(lambda x: [x[::2], x[1::2]])


@situation()
def batch_from_its_end() -> Case:
    return _over_parts(lambda x: [x[12:], x[4:12], x[:4]])


@situation()
def batch_sample_by_sample_without_their_axis() -> Case:
    return _over_parts(lambda x: list(x), together=torch.stack)


@situation()
def batch_in_parts_by_selected_indices() -> Case:
    return _over_parts(lambda x: [x[torch.tensor([3, 1, 2, 0])], x[torch.arange(4, 16)]])


@situation()
def batch_in_parts_by_conditions() -> Case:
    return _over_parts(lambda x: [x[x[:, 0] > 0], x[x[:, 0] <= 0]])


@situation()
def images_in_chunks_of_as_many_as_there_are_channels() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return torch.cat([net.relu(net.make(part)) for part in x.chunk(2)])

    model = net(forward, make=nn.Sequential(conv(3, 4)), relu=nn.ReLU())
    x = images(8, 3, 6, 6)
    return Case(model, x, {"relu": channels_last(model.make(x))})


@situation()
def positions_in_chunks() -> Case:
    """Equal chunks along positions: parts of the same samples."""

    def forward(net: Any, x: Tensor) -> Tensor:
        return torch.cat([net.relu(net.make(part)) for part in x.chunk(3, 1)], 1)

    model = net(forward, make=linear(5, 12), relu=nn.ReLU())
    x = samples(6, 6, 5)
    return Case(model, x, {"relu": model.make(x)})


@situation()
def chunks_through_two_layers_and_checkpoints() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        parts = [checkpoint(net.block, part, use_reentrant=False) for part in x.chunk(3)]
        return torch.cat(parts)

    block = nn.Sequential(linear(6, 15), nn.ReLU(), linear(15, 9), nn.GELU())
    model = net(forward, block=block)
    x = samples(12, 6)
    layers = {"block.1": block[0](x), "block.3": smooth(block[:4](x))}
    return Case(model, lambda _: model(x).sum().backward(), layers)


@situation()
def microbatches_that_leave_a_remainder() -> Case:
    return _over_parts(lambda x: x.split(5))


@situation()
def permuted_samples() -> Case:
    order = torch.randperm(16)

    def forward(net: Any, x: Tensor) -> Tensor:
        return net.second(net.outer(net.inner(net.first(x))[order]))

    parts = {
        "first": linear(6, 16),
        "inner": nn.ReLU(),
        "second": nn.ReLU(),
        "outer": linear(16, 9),
    }
    model = net(forward, **parts)
    x = samples(16, 6)
    first = model.first(x)
    return Case(model, x, {"inner": first, "second": model.outer(first.relu()[order])})


@situation()
def sorted_by_length_and_back() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        order = x.norm(dim=(1, 2)).argsort()
        y = net.relu(net.make(x.index_select(0, order)))
        return y[order.argsort()]

    model = net(forward, make=linear(5, 12), relu=nn.ReLU())
    x = samples(9, 9, 5).flip(0)
    return Case(model, x, {"relu": model.make(x)})


@situation()
def samples_taken_twice() -> Case:
    """Each of six samples is there twice, in no order: it counts once, whichever copy fires."""
    twice = torch.tensor([3, 0, 0, 5, 1, 4, 2, 2, 3, 1, 5, 4])

    def forward(net: Any, x: Tensor, noise: Tensor) -> Tensor:
        return net.relu(net.make(x[twice] + noise))

    model = net(forward, make=linear(6, 14), relu=nn.ReLU())
    x, noise = samples(6, 6), torch.randn(12, 6)
    made = model.make(x[twice] + noise)
    return Case(model, [(x, noise)], {"relu": made[twice.argsort(stable=True)].reshape(6, 2, 14)})


@situation()
def only_some_samples_reach_a_layer() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        easy = net.first(net.make(x))
        return net.second(net.more(easy[x.norm(dim=1) > 2]))

    parts = {"make": linear(6, 14), "first": nn.ReLU(), "more": linear(14, 8), "second": nn.ReLU()}
    model = net(forward, **parts)
    x = samples(16, 6)
    first = model.make(x).relu()
    return Case(model, x, {"first": first, "second": model.more(first[x.norm(dim=1) > 2])})


def _twice_in_a_block(width: int, wider: int) -> Case:
    """The basic block of a residual network, in miniature: one rectifier, two convolutions."""

    def forward(net: Any, x: Tensor) -> Tensor:
        y = net.relu(net.norm1(net.conv1(x)))
        y = net.norm2(net.conv2(y))
        return net.relu(y + net.shortcut(x))

    model = net(
        forward,
        conv1=conv(3, width, padding=1),
        norm1=nn.BatchNorm2d(width),
        relu=nn.ReLU(inplace=True),
        conv2=conv(width, wider, padding=1),
        norm2=nn.BatchNorm2d(wider),
        shortcut=conv(3, wider, 1),
    )
    with torch.no_grad():
        model.norm1.bias[: width // 2] = -30  # dead in the first call, not in the second
    x = images(8, 3, 8, 8)
    first = model.norm1(model.conv1(x))
    second = model.norm2(model.conv2(first.relu())) + model.shortcut(x)
    return Case(model, x, {"relu#0": channels_last(first), "relu#1": channels_last(second)})


@situation()
def rectifier_used_twice_in_a_residual_block() -> Case:
    return _twice_in_a_block(width=8, wider=8)


@situation()
def rectifier_used_at_two_widths_in_a_residual_block() -> Case:
    return _twice_in_a_block(width=6, wider=9)


@situation()
def rectifier_used_twice_in_each_of_three_residual_blocks() -> Case:
    def block(net: Any, x: Tensor) -> Tensor:
        return net.relu(x + net.conv2(net.relu(net.conv1(x))))

    blocks = [
        net(block, conv1=conv(5, 5, padding=1), conv2=conv(5, 5, padding=1), relu=nn.ReLU())
        for _ in range(3)
    ]
    model = nn.Sequential(*blocks).eval()
    x = images(5, 5, 5, 5)
    layers: dict[str, Tensor] = {}
    y = x
    for index, one in enumerate(blocks):
        first = one.conv1(y).relu()
        y = (y + one.conv2(first)).relu()
        layers |= {f"{index}.relu#0": channels_last(first), f"{index}.relu#1": channels_last(y)}
    return Case(model, x, layers)


@situation()
def rectifier_of_a_whole_network() -> Case:
    """One rectifier after each of four linear layers of one width."""

    def forward(net: Any, x: Tensor) -> Tensor:
        for layer in net.layers:
            x = net.relu(layer(x))
        return x

    model = net(forward, layers=nn.ModuleList(linear(9, 9) for _ in range(4)), relu=nn.ReLU())
    x = 3 * samples(9, 9)
    layers, y = {}, x
    for index, layer in enumerate(model.layers):
        y = layer(y).relu()
        layers[f"relu#{index}"] = y
    return Case(model, x, layers)


@situation()
def order_of_calls_rather_than_of_modules() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.act(net.last(net.act(net.first(x))))

    model = net(forward, act=nn.GELU(), last=linear(12, 7), first=linear(6, 12))
    x = samples(14, 6)
    first = nn.functional.gelu(model.first(x))
    second = nn.functional.gelu(model.last(first))
    return Case(model, x, {"act#0": smooth(first), "act#1": smooth(second)})


@situation()
def branches_that_alternate_from_batch_to_batch() -> Case:
    """Which of two makers is called first depends on the batch."""

    def forward(net: Any, x: Tensor, swapped: bool) -> Tensor:
        one, two = (net.b, net.a) if swapped else (net.a, net.b)
        return net.relu(one(x)) + net.relu(two(x))

    model = net(forward, a=linear(6, 10), b=linear(6, 10), relu=nn.ReLU())
    x, y = samples(7, 6), samples(5, 6)
    layers = {"relu#0": [model.a(x), model.a(y)], "relu#1": [model.b(x), model.b(y)]}
    return Case(model, [(x, False), (y, True)], layers)


@situation()
def recurrence() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        h = torch.zeros(len(x), 12)
        for step in range(x.shape[1]):
            h = net.relu(net.take(x[:, step]) + net.keep(h))
        return h

    model = net(forward, take=linear(5, 12), keep=nn.Linear(12, 12), relu=nn.ReLU())
    x = samples(6, 6, 5)
    states = [torch.zeros(6, 12)]
    for step in range(6):
        states.append((model.take(x[:, step]) + model.keep(states[-1])).relu())
    return Case(model, x, {"relu": torch.stack(states[1:], 1)})


@situation()
def one_block_applied_four_times() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        for _ in range(4):
            x = x + net.out(net.relu(net.make(x)))
        return x

    model = net(forward, make=linear(7, 7), relu=nn.ReLU(), out=nn.Linear(7, 7))
    x = samples(7, 7)
    seen, y = [], x
    for _ in range(4):
        seen.append(model.make(y).relu())
        y = y + model.out(seen[-1])
    return Case(model, x, {"relu": torch.stack(seen, 1)})


@situation()
def as_many_rounds_as_the_batch_asks_for() -> Case:
    def forward(net: Any, x: Tensor, rounds: int) -> Tensor:
        for _ in range(rounds):
            x = net.relu(net.make(x)) + x / 2
        return x

    model = net(forward, make=linear(8, 8), relu=nn.ReLU())
    calls = [(samples(5, 8), 1), (samples(6, 8), 3), (samples(4, 8), 2)]
    seen = []
    for x, rounds in calls:
        steps = []
        for _ in range(rounds):
            steps.append(model.make(x).relu())
            x = steps[-1] + x / 2
        seen.append(torch.stack(steps, 1))
    return Case(model, calls, {"relu": seen})


@situation()
def siamese_inputs() -> Case:
    def forward(net: Any, a: Tensor, b: Tensor) -> Tensor:
        return net.encoder(a) - net.encoder(b)

    encoder = nn.Sequential(linear(6, 18), nn.ReLU(), linear(18, 4))
    model = net(forward, encoder=encoder)
    a, b = samples(9, 6), samples(9, 6).flip(0)
    seen = torch.stack([encoder[0](a), encoder[0](b)], 1)
    return Case(model, [(a, b)], {"encoder.1": seen})


@situation()
def siamese_inputs_side_by_side_in_one_batch() -> Case:
    def forward(net: Any, a: Tensor, b: Tensor) -> Tensor:
        one, two = net.encoder(torch.cat([a, b])).chunk(2)
        return one - two

    encoder = nn.Sequential(linear(6, 18), nn.ReLU(), linear(18, 4))
    model = net(forward, encoder=encoder)
    a, b = samples(9, 6), samples(9, 6).flip(0)
    seen = torch.stack([encoder[0](a), encoder[0](b)], 1)
    return Case(model, [(a, b)], {"encoder.1": seen})


@situation()
def triplets() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return torch.stack([net.relu(net.make(one)) for one in x.unbind(1)])

    model = net(forward, make=linear(6, 10), relu=nn.ReLU())
    x = samples(10, 3, 6)
    return Case(model, x, {"relu": model.make(x)})


class Coder(nn.Module):
    """An autoencoder with methods of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.act, self.leave = linear(6, 20), nn.ReLU(), nn.Linear(20, 6)
        self.act2 = nn.ReLU()

    def encode(self, x: Tensor) -> Tensor:
        return self.act(self.enter(x))

    def decode(self, z: Tensor) -> Tensor:
        return self.act2(self.leave(z))

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))

    def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self(x), self(-x)


@situation()
def method_that_encodes() -> Case:
    model, x = Coder().eval(), samples(16, 6)
    return Case(model, lambda _: model.encode(x), {"act": model.enter(x)})


@situation()
def method_that_encodes_batch_after_batch() -> Case:
    model, x = Coder().eval(), samples(16, 6)

    def run(_: Any) -> None:
        for batch in x.split(4):
            model.encode(batch)

    return Case(model, run, {"act": model.enter(x)})


@situation()
def method_and_forward_pass_in_turn() -> Case:
    model = Coder().eval()
    x, y = samples(16, 6), samples(8, 6)

    def run(_: Any) -> None:
        model(x)
        model.encode(y)
        model(x[:3])

    batches = [x, y, x[:3]]
    hidden = [model.enter(batch).relu() for batch in batches]
    layers = {"act": hidden, "act2": [model.leave(hidden[0]), model.leave(hidden[2])]}
    return Case(model, run, layers)


@situation()
def method_that_decodes_what_was_encoded_before() -> Case:
    model, x = Coder().eval(), samples(16, 6)
    z = model.encode(x)
    return Case(model, lambda _: model.decode(z), {"act2": model.leave(z)})


@situation()
def methods_one_after_the_other() -> Case:
    model, x = Coder().eval(), samples(16, 6)
    z = model.enter(x).relu()
    run = lambda _: model.decode(model.encode(x))  # noqa: E731
    return Case(model, run, {"act": z, "act2": model.leave(z)})


@situation()
def method_that_makes_two_forward_passes() -> Case:
    model, x = Coder().eval(), samples(16, 6)
    batches = [x, -x]
    hidden = [model.enter(batch).relu() for batch in batches]
    layers = {"act": hidden, "act2": [model.leave(z) for z in hidden]}
    return Case(model, lambda _: model.both(x), layers)


@situation()
def part_of_a_model_called_by_itself() -> Case:
    block = nn.Sequential(linear(6, 20), nn.ReLU())
    model = nn.Sequential(block, linear(20, 3)).eval()
    x = samples(16, 6)
    return Case(model, lambda _: block(x), {"0.1": block[0](x)})


def _recursive(net: Any, x: Tensor, depth: int = 4) -> Tensor:
    x = net.relu(net.make(x))
    return x if depth == 0 else net(x + 0.5, depth - 1)


@situation()
def model_that_calls_itself() -> Case:
    model = net(_recursive, make=linear(8, 8), relu=nn.ReLU())
    x = samples(16, 8)
    seen, y = [], x
    for _ in range(5):
        seen.append(model.make(y).relu())
        y = seen[-1] + 0.5
    return Case(model, x, {"relu": torch.stack(seen, 1)})


@situation()
def model_that_calls_itself_on_its_own_result() -> Case:
    """Self-conditioning: a first estimate is fed back in."""

    def forward(net: Any, x: Tensor, estimate: Tensor | None = None) -> Tensor:
        if estimate is None:
            estimate = net(x, torch.zeros_like(x))
        return net.out(net.relu(net.make(torch.cat([x, estimate], 1))))

    model = net(forward, make=linear(12, 15), relu=nn.ReLU(), out=nn.Linear(15, 6))
    x = samples(15, 6)
    first = model.make(torch.cat([x, torch.zeros_like(x)], 1)).relu()
    second = model.make(torch.cat([x, model.out(first)], 1))
    return Case(model, x, {"relu": torch.stack([first, second], 1)})


@situation()
def model_that_halves_its_batch_and_calls_itself() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        if len(x) > 4:
            return torch.cat([net(half) for half in x.chunk(2)])
        return net.relu(net.make(x))

    model = net(forward, make=linear(6, 13), relu=nn.ReLU())
    x = samples(16, 6)
    return Case(model, x, {"relu": model.make(x)})


@situation()
def census_asked_for_during_a_forward_pass() -> Case:
    asked: list[Any] = []

    def forward(net: Any, x: Tensor) -> Tensor:
        x = net.first(net.make(x))
        for recording in asked:
            recording.census()
        return net.second(net.more(x)) + net.second(net.more(x + 1))

    parts = {"make": linear(6, 12), "first": nn.ReLU(), "more": linear(12, 9), "second": nn.ReLU()}
    model = net(forward, **parts)
    x = samples(16, 6)

    def run(recording: Any) -> None:
        model(x[:4])
        asked.append(recording)
        model(x[4:])

    first = model.make(x).relu()
    seen = torch.stack([model.more(first), model.more(first + 1)], 1)
    return Case(model, run, {"first": first, "second": seen})


@situation()
def census_asked_for_between_the_calls_of_one_layer() -> Case:
    asked: list[Any] = []

    def forward(net: Any, x: Tensor) -> Tensor:
        total = net.relu(net.make(x))
        for recording in asked:
            recording.census()
        return total + net.relu(net.make(-x))

    model = net(forward, make=linear(6, 12), relu=nn.ReLU())
    x = samples(12, 6)

    def run(recording: Any) -> None:
        model(x[:5])
        asked.append(recording)
        model(x[5:])

    return Case(model, run, {"relu": torch.stack([model.make(x), model.make(-x)], 1)})


@situation()
def module_under_two_names() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.block[1](net.block[0](x))

    relu = nn.ReLU()
    model = net(forward, relu=relu, block=nn.Sequential(linear(6, 17), relu))
    x = samples(11, 6)
    return Case(model, x, {"*": model.block[0](x)})


@situation()
def tied_block_under_two_names() -> Case:
    block = nn.Sequential(linear(8, 8), nn.ReLU())
    model = nn.Sequential(block, nn.LayerNorm(8), block).eval()
    x = samples(8, 8)
    first = block[0](x).relu()
    seen = torch.stack([first, block[0](model[1](first))], 1)
    return Case(model, x, {"0.1": seen})


@situation()
def keyword_arguments() -> Case:
    model = nn.Sequential(linear(6, 17), nn.ReLU()).eval()
    x = samples(11, 6)
    return Case(model, [{"input": x}], {"1": model[0](x)})


@situation()
def parts_called_by_keyword() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.relu(input=net.make(input=x))

    model = net(forward, make=linear(6, 17), relu=nn.ReLU(inplace=True))
    x = samples(11, 6)
    return Case(model, x, {"relu": model.make(x)})


class Gated(nn.Module):
    """A gated feed-forward layer whose last projection is called by keyword."""

    def __init__(self) -> None:
        super().__init__()
        self.gate_proj, self.up_proj = linear(6, 14), nn.Linear(6, 14)
        self.down_proj, self.act_fn = nn.Linear(14, 6), nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(input=self.act_fn(self.gate_proj(x)) * self.up_proj(x))


@situation()
def gated_layer_whose_last_projection_is_called_by_keyword() -> Case:
    model = nn.Sequential(Gated()).eval()
    x = samples(12, 5, 6)
    gated = nn.functional.silu(model[0].gate_proj(x)) * model[0].up_proj(x)
    return Case(model, x, {"0.down_proj": smooth(gated)})


@situation()
def gated_layer_in_chunks() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return torch.cat([net.mlp(part) for part in x.chunk(5)])

    model = net(forward, mlp=Gated())
    x = samples(10, 6)
    gated = nn.functional.silu(model.mlp.gate_proj(x)) * model.mlp.up_proj(x)
    return Case(model, x, {"mlp.down_proj": smooth(gated)})


def _backward(model: nn.Module, x: Tensor) -> None:
    model(x.clone().requires_grad_()).sum().backward()


def _checkpointed(reentrant: bool) -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.head(checkpoint(net.block, x, use_reentrant=reentrant))

    block = nn.Sequential(linear(6, 15), nn.ReLU(), linear(15, 10), nn.ReLU())
    model = net(forward, block=block, head=linear(10, 2))
    x = samples(13, 6)
    first = block[0](x).relu()
    layers = {"block.1": first, "block.3": block[2](first)}
    return Case(model, lambda _: _backward(model, x), layers)


@situation()
def recomputed_at_a_reentrant_checkpoint() -> Case:
    return _checkpointed(reentrant=True)


@situation()
def recomputed_at_a_checkpoint() -> Case:
    return _checkpointed(reentrant=False)


@situation()
def recomputed_at_checkpoints_inside_checkpoints() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        def inner(y: Tensor) -> Tensor:
            return net.second(net.more(y))

        def outer(y: Tensor) -> Tensor:
            return checkpoint(inner, net.first(net.make(y)), use_reentrant=False)

        return checkpoint(outer, x, use_reentrant=False)

    parts = {"make": linear(6, 12), "first": nn.ReLU(), "more": linear(12, 9), "second": nn.ReLU()}
    model = net(forward, **parts)
    x = samples(13, 6)
    first = model.make(x).relu()
    layers = {"first": first, "second": model.more(first)}
    return Case(model, lambda _: _backward(model, x), layers)


@situation()
def whole_model_at_a_checkpoint() -> Case:
    model = nn.Sequential(linear(6, 15), nn.ReLU(), linear(15, 2)).eval()
    x = samples(13, 6)

    def run(_: Any) -> None:
        checkpoint(model, x.clone().requires_grad_(), use_reentrant=False).sum().backward()

    return Case(model, run, {"1": model[0](x)})


@situation()
def recurrence_at_checkpoints() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        for _ in range(3):
            x = checkpoint(net.block, x, use_reentrant=False)
        return x

    model = net(forward, block=nn.Sequential(linear(8, 8), nn.ReLU()))
    x = samples(8, 8)
    seen, y = [], x
    for _ in range(3):
        y = model.block[0](y).relu()
        seen.append(y)
    return Case(model, lambda _: _backward(model, x), {"block.1": torch.stack(seen, 1)})


@situation()
def forward_pass_inside_a_backward_hook() -> Case:
    model = nn.Sequential(linear(6, 15), nn.ReLU(), linear(15, 2)).eval()
    x, y = samples(13, 6), samples(4, 6)

    def run(_: Any) -> None:
        out = model(x)
        out.register_hook(lambda grad: (model(y), None)[1])
        out.sum().backward()

    return Case(model, run, {"1": [model[0](x), model[0](y)]})


@situation()
def forward_pass_inside_a_full_backward_hook_of_a_part() -> Case:
    model = nn.Sequential(linear(6, 15), nn.ReLU(), linear(15, 2)).eval()
    x, y = samples(13, 6), samples(4, 6)

    def run(_: Any) -> None:
        with torch.no_grad():
            pass
        handle = model[2].register_full_backward_hook(lambda *_: (model(y), None)[1])
        _backward(model, x)
        handle.remove()

    return Case(model, run, {"1": [model[0](x), model[0](y)]})


@situation()
def forward_pass_that_an_error_cuts_short() -> Case:
    def forward(net: Any, x: Tensor, fails: bool) -> Tensor:
        x = net.first(net.make(x))
        if fails:
            raise ZeroDivisionError
        return net.second(net.more(x))

    parts = {"make": linear(6, 12), "first": nn.ReLU(), "more": linear(12, 9), "second": nn.ReLU()}
    model = net(forward, **parts)
    x, y = samples(9, 6), samples(5, 6)

    def run(_: Any) -> None:
        model(x, False)
        try:
            model(y, True)
        except ZeroDivisionError:
            model(y, False)

    first = [model.make(part).relu() for part in (x, y, y)]
    layers = {"first": first, "second": [model.more(first[0]), model.more(first[1])]}
    return Case(model, run, layers)


@situation()
def one_model_inside_another_that_is_not_recorded() -> Case:
    model = nn.Sequential(linear(6, 15), nn.ReLU(), linear(15, 6)).eval()
    around = nn.Sequential(nn.Linear(6, 6), model, nn.ReLU(), nn.Linear(6, 2)).eval()
    x = samples(13, 6)
    return Case(model, lambda _: around(x), {"1": model[0](around[0](x))})


@situation()
def another_model_that_shares_a_part() -> Case:
    """What the other model does with the part is counted, too: it is the same layer."""
    shared = nn.Sequential(linear(6, 15), nn.ReLU())
    model = nn.Sequential(shared, linear(15, 2)).eval()
    other = nn.Sequential(shared, nn.Linear(15, 3), nn.ReLU()).eval()
    x, y = samples(13, 6), samples(6, 6)

    def run(_: Any) -> None:
        model(x)
        other(y)

    return Case(model, run, {"0.1": [shared[0](x), shared[0](y)]})


@situation()
def branch_on_the_data_that_calls_shared_rectifiers_in_another_order() -> Case:
    """The second batch takes the branches of the first in the opposite order."""

    def forward(net: Any, x: Tensor) -> Tensor:
        makers = (net.a, net.b) if x[0, 0] > 0 else (net.b, net.a)
        return sum(net.up(net.relu(make(x))) for make in makers)

    model = net(forward, a=linear(6, 20), b=linear(6, 20), up=linear(20, 3), relu=nn.ReLU())
    x, y = samples(16, 6), samples(16, 6)
    x[0, 0], y[0, 0] = 1.0, -1.0
    layers = {"relu#0": [model.a(x), model.a(y)], "relu#1": [model.b(x), model.b(y)]}
    return Case(model, [x, y], layers)
