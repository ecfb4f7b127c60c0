from __future__ import annotations

import pytest
import torch

from actilaw.errors import InputError
from actilaw.study import Task, digits, evaluate, learning_curve, train


@pytest.fixture(scope="module")
def task() -> Task:
    return digits()


def test_digits_are_split_three_to_one_without_overlap(task: Task) -> None:
    assert (len(task.labels), len(task.test_labels)) == (1347, 450)
    assert task.inputs.min() == 0
    assert task.inputs.max() == 1
    everything = torch.cat([task.inputs, task.test_inputs])
    assert len(everything.unique(dim=0)) == len(everything)


def test_training_learns_and_repeats_itself(task: Task) -> None:
    one, other = (train(task, 128, steps=150, seed=3) for _ in range(2))
    loss, accuracy = evaluate(one, task.test_inputs, task.test_labels)
    assert accuracy > 0.9
    assert evaluate(other, task.test_inputs, task.test_labels)[0] == pytest.approx(loss, rel=1e-3)


def test_training_leaves_the_process_as_it_was(task: Task) -> None:
    state = torch.get_rng_state()
    train(task, 16, steps=2)
    assert torch.equal(torch.get_rng_state(), state)
    assert float(torch.tensor(1e-40) * 1) > 0  # denormal numbers are still there


def test_a_price_on_activation_makes_fewer_units_active(task: Task) -> None:
    cheap, dear = (train(task, 128, l1=l1, steps=150) for l1 in (0.0, 0.03))
    active = [float((model[:2](task.inputs) > 0).float().sum(1).mean()) for model in (cheap, dear)]
    assert active[1] < active[0] / 2


def test_a_learning_curve_falls(task: Task) -> None:
    curve = learning_curve(task, [20, 1347], seeds=[0], units=64, steps=150)
    assert list(curve["samples"]) == [20, 1347]
    assert curve["loss"].iloc[1] < curve["loss"].iloc[0] / 2


@pytest.mark.parametrize("samples", [0, -5, 5000])
def test_a_training_set_beyond_the_data_is_refused(task: Task, samples: int) -> None:
    with pytest.raises(InputError, match=r"training samples in 1\.\.1347, those the task has, but got"):
        learning_curve(task, [samples])
