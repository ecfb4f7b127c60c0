"""What else is done with a network while it is recorded: copies, files, traces, and calls that
compute nothing. Copies are not counted, and carry no hooks.
"""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from recording.situations.case import Case, Units, refusal_allowed, situation, smooth
from recording.situations.parts import linear, net, samples


def _with(use: Callable[[nn.Sequential, Tensor], object]) -> Case:
    """A forward pass, then a use of the model that must not be counted, and a pass again."""
    model = nn.Sequential(linear(6, 18), nn.ReLU(), linear(18, 4), nn.GELU()).eval()
    x, y = samples(11, 6), samples(5, 6)

    def run(_: Any) -> None:
        model(x)
        use(model, x)
        model(y)

    batches = [x, y]
    layers = {
        "1": [model[0](b) for b in batches],
        "3": smooth([model(b) for b in batches]),
    }
    return Case(model, run, layers, regime="frozen")


def _assert_plain(model: nn.Module) -> None:
    """Nothing of the recording hangs on any module."""
    for module in model.modules():
        assert not module._forward_hooks, "the copy has hooks"
        assert not module._forward_pre_hooks, "the copy has hooks"


@situation(per=["sample"])
def deep_copy() -> Case:
    def use(model: nn.Sequential, x: Tensor) -> None:
        twin = copy.deepcopy(model)
        _assert_plain(twin)
        twin(x)

    return _with(use)


@situation(per=["sample"])
def deep_copy_of_a_part() -> Case:
    def use(model: nn.Sequential, x: Tensor) -> None:
        part = copy.deepcopy(model[:2])
        _assert_plain(part)
        part(x)

    return _with(use)


@situation(per=["sample"])
def deep_copy_that_is_trained() -> Case:
    def use(model: nn.Sequential, x: Tensor) -> None:
        twin = copy.deepcopy(model)
        twin(x).sum().backward()
        torch.optim.SGD(twin.parameters(), lr=0.1).step()

    return _with(use)


@situation(per=["sample"])
def deep_copy_of_a_masked_model_that_needs_no_mask() -> Case:
    def forward(net: Any, x: Tensor, words: Tensor | None = None) -> Tensor:
        return net.relu(net.make(x))

    model = net(forward, make=linear(5, 12), relu=nn.ReLU())
    x, words = samples(6, 4, 5), torch.arange(24).view(6, 4) % 3 > 0

    def run(_: Any) -> None:
        model(x, words)
        copy.deepcopy(model)(x)

    return Case(model, run, {"relu": Units(model.make(x), kept=words)}, {"mask": "words"})


@situation(per=["sample"])
def saved_and_loaded_whole() -> Case:
    def use(model: nn.Sequential, x: Tensor) -> None:
        file = io.BytesIO()
        torch.save(model, file)
        file.seek(0)
        twin = torch.load(file, weights_only=False)
        _assert_plain(twin)
        twin(x)

    return _with(use)


@situation(per=["sample"])
def pickled() -> Case:
    def use(model: nn.Sequential, x: Tensor) -> None:
        twin = pickle.loads(pickle.dumps(model))
        _assert_plain(twin)
        twin(x)

    return _with(use)


@situation(per=["sample"])
def weights_saved() -> Case:
    return _with(lambda model, _: torch.save(model.state_dict(), io.BytesIO()))


@situation(per=["sample"])
def averaged_model() -> Case:
    def use(model: nn.Sequential, x: Tensor) -> None:
        averaged = torch.optim.swa_utils.AveragedModel(model)
        averaged.update_parameters(model)
        averaged(x)

    return _with(use)


@situation(per=["sample"])
def traced() -> Case:
    def use(model: nn.Sequential, x: Tensor) -> None:
        traced = torch.jit.trace(model, x[:2])
        traced(x)

    return _with(use)


@situation(per=["sample"])
def traced_without_a_check() -> Case:
    return _with(lambda model, x: torch.jit.trace(model, x[:2], check_trace=False))


@situation(per=["sample"])
def traced_symbolically() -> Case:
    return _with(lambda model, x: fx.symbolic_trace(model))


@situation(per=["sample"])
def exported() -> Case:
    return _with(lambda model, x: torch.export.export(model, (x[:2],)))


@situation(per=["sample"])
def called_under_fake_tensors() -> Case:
    def use(model: nn.Sequential, x: Tensor) -> None:
        with FakeTensorMode(allow_non_fake_inputs=True) as mode:
            model(mode.from_tensor(x))

    return _with(use)


@situation(per=["sample"])
def activation_called_on_the_meta_device() -> Case:
    return _with(lambda model, _: model[1](torch.randn(7, 18, device="meta")))


@situation(per=["sample"])
def called_with_weights_on_the_meta_device() -> Case:
    def use(model: nn.Sequential, x: Tensor) -> None:
        weights = {name: value.to("meta") for name, value in model.named_parameters()}
        torch.func.functional_call(model, weights, (x.to("meta"),))

    case = _with(use)
    return Case(case.model, case.calls, case.layers)  # whatever the regime


@situation(per=["sample"])
def first_call_on_the_meta_device() -> Case:
    model = nn.Sequential(linear(6, 18), nn.ReLU()).eval()
    x = samples(9, 6)

    def run(_: Any) -> None:
        model[1](torch.randn(7, 18, device="meta"))
        model(x)

    return Case(model, run, {"1": model[0](x)})


@situation(per=["sample"])
def called_under_fake_tensors_of_another_width() -> Case:
    def use(model: nn.Sequential, x: Tensor) -> None:
        with FakeTensorMode() as mode:
            model[1](torch.randn(7, 99))
        del mode

    return _with(use)


@situation(per=["sample"])
def printed_and_walked_through() -> Case:
    def use(model: nn.Sequential, _: Tensor) -> None:
        repr(model)
        list(model.named_modules())
        model.apply(lambda module: None)

    return _with(use)


@situation(per=["sample"])
def passes_counted_for_their_operations() -> Case:
    """A real forward pass, which counts."""
    model = nn.Sequential(linear(6, 18), nn.ReLU()).eval()
    x = samples(9, 6)

    def run(_: Any) -> None:
        with FlopCounterMode(display=False):
            model(x)

    return Case(model, run, {"1": model[0](x)})


@situation(per=["sample"])
def wrapped_for_several_devices_of_which_there_is_one() -> Case:
    model = nn.Sequential(linear(6, 18), nn.ReLU()).eval()
    x = samples(9, 6)

    def run(_: Any) -> None:
        wrapped = nn.DataParallel(model)
        if not torch.cuda.is_available():
            wrapped(x)
        else:
            model(x)

    return Case(model, run, {"1": model[0](x)})


@situation(per=["sample"])
def forward_pass_with_tangents() -> Case:
    model = nn.Sequential(linear(6, 18), nn.ReLU()).eval()
    x = samples(9, 6)

    def run(_: Any) -> None:
        with torch.autograd.forward_ad.dual_level():
            model(torch.autograd.forward_ad.make_dual(x, torch.ones_like(x)))

    return Case(model, run, {"1": model[0](x)})


def _refused_or_counted(transform: Callable[[nn.Module, Tensor], object]) -> Case:
    """A pass, then one inside a transform, which may be refused: the first stays counted."""
    model = nn.Sequential(linear(6, 18), nn.ReLU(), linear(18, 1)).eval()
    x, y = samples(9, 6), samples(4, 6)

    def run(_: Any) -> None:
        model(x)
        with refusal_allowed():
            transform(model, y)

    first = model[0](x)
    return Case(model, run, [{"1": first}, {"1": [first, model[0](y)]}])


@situation(per=["sample"])
def mapped_over_samples() -> Case:
    return _refused_or_counted(lambda model, y: torch.func.vmap(model)(y))


@situation(per=["sample"])
def gradients_of_each_sample() -> Case:
    def transform(model: nn.Module, y: Tensor) -> object:
        def loss(one: Tensor) -> Tensor:
            return model(one[None]).sum()

        return torch.func.vmap(torch.func.grad(loss))(y)

    return _refused_or_counted(transform)
