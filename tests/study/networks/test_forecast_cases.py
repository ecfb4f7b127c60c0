"""Cases are stages of one stream, repeat themselves, and are kept in files."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from actilaw import load, record
from actilaw.errors import InputError
from actilaw.study.networks import (
    CASES,
    Task,
    Text,
    make_case,
    record_stages,
    routed,
    train,
    train_transformer,
)

pytestmark = pytest.mark.slow  # trains networks


@pytest.fixture(scope="module")
def mixture(text: Text) -> nn.Module:
    return train_transformer(text, routed(48, hidden=4), steps=20)


def test_every_token_is_counted_at_the_two_experts_that_its_router_chose(
    mixture: nn.Module, text: Text
) -> None:
    stream, chosen = text.test_inputs[:200], []
    router = mixture.get_submodule("blocks.1.feedforward.router")
    hook = router.register_forward_hook(lambda _, x, output: chosen.append(output[0]))
    counts = record_stages(mixture, stream, "blocks.1.feedforward.router", "position")[-1]
    hook.remove()
    assert counts.samples == stream.numel()
    assert counts.active == 2
    assert counts.counts.tolist() == torch.cat(chosen).flatten().bincount(minlength=48).tolist()


def test_stages_are_prefixes_of_one_stream(task: Task) -> None:
    model = train(task, 128, steps=50)
    stages = record_stages(model, task.inputs, "relu")
    assert [counts.samples for counts in stages] == [13, 44, 134, 1347]
    assert all(13 <= len(counts.blocks) <= 32 for counts in stages if counts.blocks)
    assert all(counts.regime == "frozen" for counts in stages)
    for counts in stages:
        with record(model, layers="relu") as recording:
            model(task.inputs[: counts.samples])
        assert np.array_equal(counts.counts, recording.census()["relu"].counts)


def test_a_case_repeats_itself_and_is_kept_in_a_file(tmp_path) -> None:
    case = make_case("digits-512")
    assert [counts.samples for counts in case.stages.values()] == [17, 59, 179, 1797]
    kept = load(case.census().save(tmp_path / "digits-512.census"))
    again = make_case("digits-512")
    for stage, counts in again.stages.items():
        assert np.array_equal(kept[stage].counts, counts.counts)
    early, full = case.early10, case.full
    assert np.all(full.counts >= early.counts)
    assert full.working > 1.1 * early.working


def test_there_are_enough_cases_and_no_others() -> None:
    assert len(CASES) >= 14
    with pytest.raises(
        InputError, match=r"expected one of the cases digits-512, .* but got 'digits'"
    ):
        make_case("digits")
