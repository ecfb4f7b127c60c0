from __future__ import annotations

import numpy as np
import pytest
import torch

from actilaw import Census
from actilaw.study.cells import Outcome, run_group
from actilaw.study.grid import IN_TRAINING, Cell
from actilaw.study.measurement import evaluate, removal_of
from actilaw.study.stacked_training import Run, Trained, train_together
from builders.problems import blobs

BLOBS = "builders.problems:blobs"


def census(outcome: Outcome) -> Census:
    assert outcome.failure is None, outcome.failure
    assert outcome.census is not None
    return outcome.census


@pytest.fixture(scope="module")
def trained() -> tuple[Run, Trained]:
    torch.manual_seed(0)
    run = Run(blobs(24, 0), 100, 0)
    (result,) = train_together([run])
    assert isinstance(result, Trained)
    return run, result


def test_a_cell_is_a_census_with_counts_of_its_training_samples() -> None:
    (outcome,) = run_group([Cell(BLOBS, 16, 50, 0)])
    found = census(outcome)
    torch.manual_seed(0)
    run = Run(blobs(16, 0), 50, 0)
    (result,) = train_together([run])
    assert isinstance(result, Trained)
    hidden = result.model[:2](run.problem.inputs[:50])  # type: ignore[index]
    assert (found["relu"].counts == (hidden > 0).sum(0).numpy()).all()
    assert found["relu"].samples == 50
    assert found["relu"].regime == "frozen"
    assert found["relu" + IN_TRAINING].samples == 30 * 16
    assert found.about["task"] == BLOBS
    assert found.about["parameters"] == 8 * 16 + 16 + 16 * 4 + 4


def test_the_same_cell_gives_the_same_file(tmp_path: object) -> None:
    cell = Cell(BLOBS, 16, 50, 3)
    first, second = (census(run_group([cell])[0]) for _ in range(2))
    files = [
        found.save(f"{tmp_path}/{number}.safetensors").read_bytes()
        for number, found in enumerate((first, second))
    ]
    assert files[0] == files[1]


def test_a_cell_that_cannot_be_made_fails_alone() -> None:
    outcomes = run_group(
        [Cell("builders.problems:diverges_for_seed_one", 8, 50, seed) for seed in range(3)]
    )
    assert [outcome.failure is None for outcome in outcomes] == [True, False, True]
    (refused,) = run_group([Cell("builders.problems:refuses_width_five", 5, 50, 0)])
    assert refused.failure is not None
    assert "five is not a width" in refused.failure
    assert "problems.py, line" in refused.failure


def test_more_samples_than_there_are_fail_alone() -> None:
    outcomes = run_group([Cell(BLOBS, 8, samples, 0) for samples in (50, 500)])
    assert outcomes[0].failure is None
    assert outcomes[1].failure is not None
    assert "those the task has, but got 500" in outcomes[1].failure


def test_losses_are_those_of_the_test_samples(trained: tuple[Run, Trained]) -> None:
    run, result = trained
    problem = run.problem
    losses = evaluate(result.model, problem, problem.test_inputs, problem.test_targets)
    logits = result.model(problem.test_inputs).detach()
    expected = -logits.log_softmax(1).gather(1, problem.test_targets[:, None]).squeeze(1)
    np.testing.assert_allclose(losses, expected.numpy(), rtol=1e-5)


def test_units_are_removed_rarest_first(trained: tuple[Run, Trained]) -> None:
    run, result = trained
    problem, model = run.problem, result.model
    counts = (model[:2](problem.inputs[:100]) > 0).sum(0)  # type: ignore[index]
    from actilaw import ActivationCounts

    found = removal_of(run, result, "relu", ActivationCounts(counts.numpy(), 100))
    order = np.argsort(counts.numpy(), kind="stable")

    def loss_without(n: int) -> float:
        """By the model's own arithmetic: the weights of removed units set to zero."""
        output = model.get_submodule("output")
        weight = output.weight.detach().clone()
        weight[:, order[:n].copy()] = 0
        hidden = model[:2](problem.test_inputs)  # type: ignore[index]
        logits = hidden @ weight.T + output.bias
        return float(torch.nn.functional.cross_entropy(logits, problem.test_targets).detach())

    idle = int((counts == 0).sum())
    assert found["change_on_training"] == 0
    assert found["loss_without_idle"] == pytest.approx(loss_without(idle), rel=1e-5)
    assert found["loss_without_layer"] == pytest.approx(loss_without(24), rel=1e-5)
    for tolerance, column in ((0.001, "removable_0.1%"), (0.01, "removable_1%")):
        limit = (1 + tolerance) * loss_without(0)
        removable = round(24 * found[column])
        assert loss_without(removable) <= limit * (1 + 1e-6)
        if removable < 24:
            assert loss_without(removable + 1) > limit * (1 - 1e-6)


def test_training_uses_one_thread_and_gives_the_others_back() -> None:
    threads = torch.get_num_threads()
    seen: list[int] = []
    from builders import problems

    original = problems.blobs

    def watched(width: int, seed: int) -> object:
        seen.append(torch.get_num_threads())
        return original(width, seed)

    problems.blobs = watched  # type: ignore[assignment]
    try:
        run_group([Cell(BLOBS, 4, 20, 0)])
    finally:
        problems.blobs = original
    assert seen == [1]
    assert torch.get_num_threads() == threads
