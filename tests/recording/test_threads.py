"""Networks that run in several threads while they are recorded: counted exactly, or refused."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from actilaw import record
from actilaw.errors import ActilawError
from recording.situations.case import Layers, by_brute_force
from recording.situations.parts import channels_last, conv, images, linear, net, samples

WORKERS = 6
ROUNDS = 5


def _run_in_threads(model: nn.Module, batches: list[Tensor]) -> None:
    """All batches, each by one of a few threads that start together; the first error is raised."""
    together = threading.Barrier(WORKERS)

    def work(worker: int) -> None:
        together.wait()
        with torch.no_grad():
            for batch in batches[worker::WORKERS]:
                model(batch)

    with ThreadPoolExecutor(WORKERS) as pool:
        for done in [pool.submit(work, worker) for worker in range(WORKERS)]:
            done.result()


def _assert_exact_or_refused(model: Any, batches: list[Tensor], layers: Layers, per: str) -> None:
    for _ in range(ROUNDS):
        try:
            with record(model, per=per) as recording:
                _run_in_threads(model, batches)
            census = recording.census()
        except ActilawError:
            continue
        assert set(census) == set(layers)
        for name, layer in layers.items():
            expected = by_brute_force(layer, per)
            assert tuple(census[name].counts.tolist()) == expected.counts
            assert census[name].samples == expected.samples


def _mlp() -> tuple[Any, list[Tensor], Layers]:
    model = nn.Sequential(linear(6, 40), nn.ReLU(), linear(40, 30), nn.ReLU()).eval()
    batches = [samples(1 + index % 7, 6) for index in range(48)]
    first = [model[0](batch).relu() for batch in batches]
    return model, batches, {"1": first, "3": [model[2](hidden) for hidden in first]}


def _twice() -> tuple[Any, list[Tensor], Layers]:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.relu(net.second(net.relu(net.first(x))))

    model = net(forward, first=linear(9, 9), second=linear(9, 9), relu=nn.ReLU())
    batches = [samples(1 + index % 5, 9) for index in range(48)]
    first = [model.first(batch).relu() for batch in batches]
    return model, batches, {"relu#0": first, "relu#1": [model.second(x) for x in first]}


def _recurrent() -> tuple[Any, list[Tensor], Layers]:
    def forward(net: Any, x: Tensor) -> Tensor:
        for _ in range(3):
            x = net.relu(net.make(x)) + x / 2
        return x

    def steps(x: Tensor) -> Tensor:
        seen = []
        for _ in range(3):
            seen.append(model.make(x).relu())
            x = seen[-1] + x / 2
        return torch.stack(seen, 1)

    model = net(forward, make=linear(8, 8), relu=nn.ReLU())
    batches = [samples(1 + index % 5, 8) for index in range(48)]
    return model, batches, {"relu": [steps(batch) for batch in batches]}


def _functional() -> tuple[Any, list[Tensor], Layers]:
    def forward(net: Any, x: Tensor) -> Tensor:
        return functional.relu(net.make(x))

    model = net(forward, make=conv(3, 8))
    batches = [images(1 + index % 5, 3, 8, 8) for index in range(48)]
    return model, batches, {"relu": [channels_last(model.make(x)) for x in batches]}


@pytest.mark.slow
@pytest.mark.parametrize("per", ["sample", "position"])
@pytest.mark.parametrize("build", [_mlp, _twice, _recurrent, _functional])
def test_one_model_in_several_threads(
    build: Callable[[], tuple[Any, list[Tensor], Layers]], per: str
) -> None:
    torch.manual_seed(0)
    model, batches, layers = build()
    _assert_exact_or_refused(model, batches, layers, per)


def test_two_models_recorded_at_once_in_two_threads() -> None:
    torch.manual_seed(0)
    cases = [_mlp(), _mlp()]
    found: list[Any] = [None, None]

    def work(index: int) -> None:
        model, batches, _ = cases[index]
        with record(model) as recording, torch.no_grad():
            for batch in batches:
                model(batch)
        found[index] = recording.census()

    threads = [threading.Thread(target=work, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for census, (_, _, layers) in zip(found, cases, strict=True):
        for name, layer in layers.items():
            expected = by_brute_force(layer, "sample")
            assert tuple(census[name].counts.tolist()) == expected.counts
            assert census[name].samples == expected.samples


@pytest.mark.slow
def test_a_census_asked_for_in_another_thread() -> None:
    """What a watching thread sees is what some number of whole batches left, layer by layer."""
    torch.manual_seed(0)
    model, batches, layers = _mlp()
    seen: list[Any] = []
    done = threading.Event()

    with record(model) as recording, ThreadPoolExecutor(1) as pool:
        model(batches[0])

        def watch() -> None:
            while not done.wait(0.001):
                seen.append(recording.census())

        watched = pool.submit(watch)
        with torch.no_grad():
            for batch in batches[1:]:
                model(batch)
                time.sleep(0.001)
        done.set()
        watched.result()
    for census in [*seen, recording.census()]:
        for name, counts in census.items():
            _assert_after_whole_batches(counts, layers[name])
    assert recording.census()["3"].samples == sum(map(len, batches))


def _assert_after_whole_batches(counts: Any, layer: Any) -> None:
    ends = torch.tensor([len(batch) for batch in layer]).cumsum(0).tolist()
    assert counts.samples in ends
    expected = by_brute_force(layer[: 1 + ends.index(counts.samples)], "sample")
    assert tuple(counts.counts.tolist()) == expected.counts


@pytest.mark.slow
def test_one_tensor_that_all_threads_are_given_is_counted_for_each() -> None:
    model, x = nn.Sequential(linear(6, 40), nn.ReLU(), linear(40, 3)).eval(), samples(20, 6)
    _assert_exact_or_refused(model, [x] * 48, {"1": [model[0](x)] * 48}, "sample")
