"""The situations in which counts must be exact, pruned at random: `prune` either returns a network
that it has compared with the whole one, or says in a sentence why units stay.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import Tensor

from actilaw import prune, record
from actilaw.errors import ModelError
from actilaw.pruning.forward import call, outputs
from actilaw.pruning.plan import RemovalPlan
from recording.situations import architectures, axes, calls, functional, libraries
from recording.situations.case import TABLE, Situation

SUBJECTS = (architectures, axes, calls, functional, libraries)
# Situations whose layer is the network's output, or has weights that nothing can make smaller.
REASONS = (
    "they are the model's output",
    "they leave a constant, and nothing takes it",
    "could not be followed",
    "has them in groups",
    "meets them with a tensor of fixed size",
    "in each call of a later weight",
    "by another way",
    "takes its statistics over them",
    "view makes several axes of theirs",
    "expected a model whose code takes sizes from its tensors",
)


def _tests() -> list:
    names = {subject.__name__.rpartition(".")[2] for subject in SUBJECTS}
    return [
        pytest.param(
            situation, id=situation.name, marks=[pytest.mark.slow] if situation.slow else []
        )
        for situation in TABLE
        if situation.name.partition("-")[0] in names
    ]


@pytest.mark.parametrize("situation", _tests())
def test_random_units_are_removed_or_stay_for_a_reason(situation: Situation) -> None:
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        case = situation.build()
        runs_itself = callable(case.calls) and not isinstance(case.calls, Tensor)
        if runs_itself or case.refusal != "never":
            pytest.skip("there are no inputs to follow it on")
        inputs = case.calls if isinstance(case.calls, Tensor) else case.calls[0]
        model = case.model.eval()
        options = {name: value for name, value in case.arguments.items() if name != "mask"}
        with torch.no_grad(), record(model, **options) as recording:
            call(model, inputs)
        census = recording.census()
        rng = np.random.default_rng(0)
        units = {
            name: rng.choice(counts.units, 2 * counts.units // 5, replace=False)
            for name, counts in census.items()
        }
        if any(counts.criterion.startswith("top") for counts in census.values()):
            units = {name: census[name].idle_units for name in census}
        plan = RemovalPlan(census, units, "count", 0.5)
        try:
            result = prune(model, census, inputs, plan=plan)
        except ModelError as error:
            if any(reason in str(error) for reason in REASONS):
                return
            raise
        for name, why in result.kept.items():
            shared = "other layers share them" in why
            assert shared or any(reason in why for reason in REASONS), (name, why)
        with torch.no_grad():
            before, after = outputs(call(model, inputs))[0], outputs(call(result.model, inputs))[0]
        assert after.shape == before.shape
        if plan.units_removed:
            assert result.units_removed
            assert result.parameters_after < result.parameters_before
