"""Kinds of numbers and tensors, empty batches, and rules given by hand."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from actilaw import Positive, Relative, Threshold, TopK
from actilaw.errors import ActilawError
from recording.situations.case import (
    Case,
    Units,
    nonzero,
    positive,
    refusal_allowed,
    situation,
    smooth,
    standing_out,
)
from recording.situations.parts import channels_last, conv, images, linear, net, samples


def _mlp() -> nn.Sequential:
    return nn.Sequential(linear(6, 18), nn.ReLU(), linear(18, 4)).eval()


def _in(dtype: torch.dtype) -> Case:
    model = _mlp().to(dtype)
    x = samples(15, 6).to(dtype)
    return Case(model, x, {"1": model[0](x)})


@situation()
def half_precision_of_brains() -> Case:
    return _in(torch.bfloat16)


@situation()
def half_precision() -> Case:
    return _in(torch.float16)


@situation()
def double_precision() -> Case:
    return _in(torch.float64)


@situation()
def smooth_units_in_half_precision() -> Case:
    model = nn.Sequential(linear(6, 18), nn.SiLU()).eval().bfloat16()
    x = samples(15, 6).bfloat16()
    made = model(x).double()
    # a tenth of the largest is itself rounded: where that decides, either is right
    share = made.abs() / made.abs().amax(-1, keepdim=True)
    assert ((share - 0.1).abs() > 1e-3).all()
    return Case(model, x, {"1": smooth(made)})


@situation()
def mixed_precision() -> Case:
    model = _mlp()
    x = samples(15, 6)
    with torch.autocast("cpu", torch.bfloat16):
        made = model[0](x)

    def run(_: Any) -> None:
        with torch.autocast("cpu", torch.bfloat16):
            model(x).sum().backward()

    return Case(model, run, {"1": made})


@situation()
def inference_mode_for_some_batches() -> Case:
    model = _mlp()
    x = samples(15, 6)

    def run(_: Any) -> None:
        with torch.inference_mode():
            model(x[:7])
        model(x[7:])

    return Case(model, run, {"1": model[0](x)})


@situation()
def batches_without_samples() -> Case:
    model = _mlp()
    x = samples(15, 6)
    return Case(model, [x[:0], x[:8], x[:0], x[8:]], {"1": [model[0](x[:8]), model[0](x[8:])]})


@situation()
def infinities_and_not_a_number() -> Case:
    model = net(lambda net, x: net.relu(x), relu=nn.ReLU())
    x = samples(9, 4, 6)
    x[1, 0, 0], x[2, 3, 1], x[3, 1, 0], x[4, 2, 5] = torch.nan, torch.inf, -torch.inf, torch.inf
    x[4, 1, 2] = torch.nan
    return Case(model, x, {"relu": x.relu()})


@situation()
def infinities_under_other_rules() -> Case:
    model = net(lambda net, x: net.act(x), act=nn.ReLU())
    x = samples(9, 6)
    x[2, 1], x[4, 5] = torch.inf, torch.nan
    rule = Units(x.relu(), lambda a: np.abs(a) > 0.5)
    return Case(model, x, {"act": rule}, {"criterion": Threshold(0.5)})


@situation()
def infinities_under_a_function() -> Case:
    model = net(lambda net, x: net.act(x), act=nn.ReLU())
    x = samples(9, 6)
    x[2, 1], x[4, 5] = torch.inf, torch.nan
    return Case(model, x, {"act": x.relu()}, {"criterion": lambda a: a > 0})


@situation()
def infinities_in_channels() -> Case:
    model = nn.Sequential(conv(2, 5), nn.ReLU()).eval()
    x = images(6, 2, 6, 6)
    x[1, 0, 2, 2] = torch.inf
    x[3, 1, 4, 4] = torch.nan
    return Case(model, x, {"1": channels_last(model(x))})


@situation()
def units_as_faint_as_numbers_can_be() -> Case:
    model = net(lambda net, x: net.relu(x), relu=nn.ReLU())
    x = samples(9, 6).sign() * 1e-45
    return Case(model, x, {"relu": x})


@situation()
def whole_numbers() -> Case:
    model = net(lambda net, x: net.relu(x), relu=nn.ReLU())
    x = (4 * samples(9, 6)).long()
    return Case(model, x, {"relu": x})


@situation()
def outputs_that_are_views_with_steps() -> Case:
    model = nn.Sequential(linear(6, 18), nn.ReLU()).eval()
    x = samples(15, 12)[:, ::2]
    return Case(model, x, {"1": model[0](x)})


@situation()
def outputs_that_are_expanded() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.relu(net.make(x)[:, None].expand(-1, 4, -1))

    model = net(forward, make=linear(6, 12), relu=nn.ReLU())
    x = samples(9, 6)
    return Case(model, x, {"relu": model.make(x)[:, None].expand(-1, 4, -1)})


@situation()
def sparse_inputs() -> Case:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.relu(torch.sparse.mm(x, net.w) - net.shift)

    model = net(forward, relu=nn.ReLU(), w=nn.Parameter(torch.randn(6, 12)))
    model.shift = nn.Parameter(torch.linspace(0, 2, 12))
    x = samples(9, 6).relu()
    return Case(model, [x.to_sparse()], {"relu": x @ model.w - model.shift})


def _then(special: Callable[[Any, Tensor], object]) -> Case:
    """A plain batch, and one of tensors that may be refused: then the first stays counted."""
    model = net(lambda net, x: net.relu(net.make(x)), make=linear(6, 12), relu=nn.ReLU())
    x, y = samples(9, 6), samples(5, 6)

    def run(_: Any) -> None:
        with torch.no_grad():
            model(x)
            with refusal_allowed():
                special(model, y)
            model(y)

    one, two = model.make(x), model.make(y)
    return Case(model, run, [{"relu": [one, two]}, {"relu": [one, two, two]}])


@situation()
def sparse_activations() -> Case:
    return _then(lambda model, y: model.relu(model.make(y).to_sparse()))


@situation()
def activations_in_the_layout_of_mkldnn() -> Case:
    return _then(lambda model, y: model.relu(model.make(y).to_mkldnn()))


@situation()
def quantised_activations() -> Case:
    return _then(
        lambda model, y: model.relu(
            torch.quantize_per_tensor(model.make(y), 2**-20, 0, torch.qint32)
        )
    )


@situation()
def nested_activations() -> Case:
    def special(model: Any, y: Tensor) -> None:
        made = model.make(y)
        model.relu(torch.nested.nested_tensor([made[:2], made[2:]]))

    return _then(special)


@situation()
def jagged_activations() -> Case:
    def special(model: Any, y: Tensor) -> None:
        made = model.make(y)
        model.relu(torch.nested.nested_tensor([made[:2], made[2:]], layout=torch.jagged))

    return _then(special)


@situation()
def nested_inputs() -> Case:
    return _then(lambda model, y: model(torch.nested.nested_tensor([y[:2], y[2:]])))


@situation()
def another_width_for_one_call() -> Case:
    """Refused, or a layer of its own."""
    strange = torch.randn(3, 7)
    case = _then(lambda model, _: model.relu(strange))
    first = case.layers[0]
    return replace(case, layers=[first, {"relu#0": first["relu"], "relu#1": strange}])


@situation()
def output_that_is_no_tensor() -> Case:
    class Strange(nn.ReLU):
        def forward(self, x: Tensor) -> Any:
            return super().forward(x) if len(x) != 5 else {"strange": super().forward(x)}

    model = nn.Sequential(linear(6, 12), Strange()).eval()
    x, y = samples(9, 6), samples(5, 6)

    def run(_: Any) -> None:
        model(x)
        with refusal_allowed():
            model(y)

    return Case(model, run, [{"1": model[0](x)}, {"1": [model[0](x), model[0](y)]}])


def _by(criterion: Any, rule: Any, activation: nn.Module | None = None, name: str = "1") -> Case:
    model = nn.Sequential(linear(6, 18), activation or nn.ReLU(), linear(18, 4)).eval()
    x = samples(15, 5, 6)
    return Case(model, x, {name: Units(model[:2](x), rule)}, {"criterion": criterion})


@situation()
def threshold_by_hand() -> Case:
    return _by(Threshold(0.5), lambda x: np.abs(x) > 0.5)


@situation()
def threshold_of_zero_on_smooth_units() -> Case:
    return _by(Threshold(0), nonzero, nn.GELU())


@situation()
def share_by_hand() -> Case:
    return _by(Relative(0.4), lambda x: standing_out(x, 0.4))


@situation()
def share_in_words() -> Case:
    return _by("relative(0.1)", standing_out)


@situation()
def threshold_in_words() -> Case:
    return _by("threshold(0.5)", lambda x: np.abs(x) > 0.5)


@situation()
def positive_in_words() -> Case:
    return _by("positive", positive, nn.GELU())


@situation()
def function_by_hand() -> Case:
    return _by(lambda x: x > x.mean(-1, keepdim=True), lambda x: x > x.mean(-1, keepdims=True))


@situation()
def largest_two_without_ties() -> Case:
    return _by(TopK(2), lambda x: x >= np.sort(x, -1)[..., -2:-1], nn.GELU())


@situation()
def largest_two_with_ties_as_the_rule_itself_says() -> Case:
    """Whatever the rule makes of equal activations, the recorder makes of them, too."""
    rule = TopK(2)

    def by_the_rule(x: Any) -> Any:
        return np.asarray(rule(torch.from_numpy(x)))

    model = net(lambda net, x: net.relu(x), relu=nn.ReLU())
    x = torch.randint(0, 4, (12, 9)).float()
    return Case(model, x, {"relu": Units(x, by_the_rule)}, {"criterion": rule})


@situation()
def two_rules_at_once() -> Case:
    model = _mlp()
    x = samples(15, 6)
    made = model[:2](x)
    layers = {
        "1 positive": made,
        "1 threshold(0.5)": Units(made, lambda a: np.abs(a) > 0.5),
    }
    return Case(model, x, layers, {"criterion": [Positive(), Threshold(0.5)]})


@situation()
def one_rule_for_channels() -> Case:
    """The largest of a row is the largest of all channels at one pixel."""
    model = nn.Sequential(conv(3, 9), nn.GELU()).eval()
    x = images(9, 3, 11, 11)
    made = channels_last(functional.gelu(model[0](x)))
    return Case(
        model, x, {"1": Units(made, lambda a: standing_out(a, 0.5))}, {"criterion": Relative(0.5)}
    )


@situation()
def rule_that_raises_once() -> Case:
    """The batch at which it raises counts nowhere."""
    fails: list[bool] = []

    def rule(x: Any) -> Any:
        if fails and fails.pop():
            raise ZeroDivisionError
        return x > 0.25

    model = _mlp()
    x, y, z = samples(9, 6), samples(5, 6), samples(7, 6)

    def run(_: Any) -> None:
        model(x)
        fails.append(True)
        with suppress(ZeroDivisionError, ActilawError):
            model(y)
        fails.clear()
        model(z)

    seen = [model[0](x), model[0](z)]
    return Case(model, run, {"1": Units(seen, lambda a: a > 0.25)}, {"criterion": rule})
