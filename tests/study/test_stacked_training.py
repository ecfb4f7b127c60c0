from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from actilaw.errors import InputError
from actilaw.study.problem import Problem
from actilaw.study.stacked_training import DivergedError, Run, Trained, train_together
from builders.problems import blobs, diverges_for_seed_one, until_flat

SIZES = (20, 60, 200)


def runs(task: object, width: int = 12) -> list[Run]:
    found = []
    for seed, samples in enumerate(SIZES):
        torch.manual_seed(seed)
        found.append(Run(task(width, seed), samples, seed))  # type: ignore[operator]
    return found


def alone(run: Run) -> Trained | DivergedError:
    return train_together([run])[0]


def trained(result: Trained | DivergedError) -> Trained:
    assert isinstance(result, Trained)
    return result


@pytest.mark.slow
def test_a_stack_trains_each_network_as_it_would_train_alone() -> None:
    for together, by_itself in zip(
        train_together(runs(blobs)), map(alone, runs(blobs)), strict=True
    ):
        together, by_itself = trained(together), trained(by_itself)
        assert together.steps == by_itself.steps == 30
        assert together.loss == pytest.approx(by_itself.loss, rel=1e-4)
        for name, weight in by_itself.model.state_dict().items():
            torch.testing.assert_close(
                together.model.state_dict()[name], weight, rtol=1e-3, atol=1e-5
            )


@pytest.mark.slow
def test_networks_of_a_stack_stop_each_in_their_own_time() -> None:
    together = [trained(result) for result in train_together(runs(until_flat))]
    by_themselves = [trained(alone(run)) for run in runs(until_flat)]
    steps = [result.steps for result in together]
    assert steps == [result.steps for result in by_themselves]
    assert len(set(steps)) > 1  # else the stack was never made smaller
    for one, other in zip(together, by_themselves, strict=True):
        assert one.counts["relu"].samples == one.steps * 16
        assert one.loss == pytest.approx(other.loss, rel=1e-3)


def test_training_ends_once_the_loss_no_longer_falls_by_the_tolerance() -> None:
    losses: list[float] = []

    def watched(problem: Problem) -> Problem:
        def losses_of(*arguments: torch.Tensor) -> torch.Tensor:
            found = problem.losses(*arguments)
            losses.append(float(found.detach().mean()))
            return found

        return replace(problem, losses=losses_of, schedule=replace(problem.schedule, l1=0.0))

    run = runs(until_flat)[1]
    result = trained(alone(replace(run, problem=watched(run.problem))))
    windows = np.array(losses).reshape(-1, 10).mean(1)
    assert result.steps == len(losses) == 10 * len(windows)
    falls = windows[1:] / windows[:-1]
    assert falls[-1] > 0.7
    assert (falls[:-1] <= 0.7).all()
    assert result.loss == pytest.approx(windows[-1], rel=1e-5)


def test_counts_through_the_training_are_those_of_the_batches() -> None:
    run = runs(blobs)[2]
    seen: list[torch.Tensor] = []
    hook = run.problem.model.get_submodule("relu").register_forward_hook(
        lambda _, __, output: seen.append((output > 0).sum(0))
    )
    result = trained(alone(run))  # trains a copy, which has the hook too
    hook.remove()
    assert (result.counts["relu"].counts == torch.stack(seen).sum(0).numpy()).all()
    assert result.counts["relu"].samples == 30 * 16
    assert result.counts["relu"].regime == "training"


def test_counts_through_the_training_in_a_stack_are_those_of_each_network() -> None:
    for together, by_itself in zip(
        train_together(runs(blobs)), map(alone, runs(blobs)), strict=True
    ):
        one, other = trained(together).counts["relu"], trained(by_itself).counts["relu"]
        # Rounding may move an activation across zero, of some 5,760.
        assert np.abs(one.counts - other.counts).sum() <= 3


def test_one_that_diverges_leaves_the_others_alone() -> None:
    results = train_together(runs(diverges_for_seed_one))
    assert [isinstance(result, DivergedError) for result in results] == [False, True, False]
    assert "lower learning rate" in str(results[1])
    expected = trained(alone(runs(diverges_for_seed_one)[2]))
    assert trained(results[2]).loss == pytest.approx(expected.loss, rel=1e-4)


def test_more_samples_than_the_task_has_are_refused() -> None:
    with pytest.raises(InputError, match=r"in 1\.\.200, those the task has, but got 201"):
        Run(blobs(4, 0), 201, 0)


def test_the_untrained_model_stays_as_it_was() -> None:
    run = runs(blobs)[0]
    before = {name: value.clone() for name, value in run.problem.model.state_dict().items()}
    train_together([run])
    for name, value in run.problem.model.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_layer_called_twice_is_refused() -> None:
    run = runs(blobs)[0]
    relu = torch.nn.ReLU()
    model = torch.nn.Sequential(torch.nn.Linear(8, 8), relu, torch.nn.Linear(8, 4), relu)
    twice = replace(run, problem=replace(run.problem, model=model, layers=("1",)))
    with pytest.raises(InputError, match="called once in a forward pass"):
        train_together([twice])
