"""Data for the networks: whole, split without overlap, in known places."""

from __future__ import annotations

import sysconfig

import pytest
import torch

from actilaw.study.networks import (
    Task,
    Text,
    mnist,
    python_source,
)


def test_digits_are_split_three_to_one_without_overlap(task: Task) -> None:
    assert (len(task.labels), len(task.test_labels)) == (1347, 450)
    assert task.inputs.min() == 0
    assert task.inputs.max() == 1
    everything = torch.cat([task.inputs, task.test_inputs])
    assert len(everything.unique(dim=0)) == len(everything)


@pytest.mark.slow
def test_mnist_is_split_four_to_one_without_overlap() -> None:
    task = mnist()
    assert (task.inputs.shape, task.test_inputs.shape) == ((4000, 784), (1000, 784))
    assert (task.inputs.min(), task.inputs.max()) == (0, 1)
    everything = torch.cat([task.inputs, task.test_inputs])
    assert len({image.numpy().tobytes() for image in everything}) == len(everything)
    assert set(task.labels.tolist()) == set(range(10))


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Text:
    """The text as it would be of a standard library that consists of asyncio."""
    library = sysconfig.get_path("stdlib")
    monkeypatch.setattr(sysconfig, "get_path", lambda name: f"{library}/asyncio")
    return python_source.__wrapped__()


def test_text_is_halved_and_every_window_is_at_its_place(source: Text) -> None:
    assert abs(len(source.inputs) - len(source.test_inputs)) <= 1
    assert source.inputs.shape[1] == 128
    assert source.inputs.max() < source.vocabulary == 4096
    assert len(source.test_places.unique()) == len(source.test_places)
    assert (source.test_places.diff() < 0).any()
    first = int(source.test_places.argmin())
    assert torch.equal(source.test_inputs_in_order[0], source.test_inputs[first])
