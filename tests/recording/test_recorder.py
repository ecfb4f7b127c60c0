"""The recorder as a whole against brute force: every activation kept, then counted in NumPy."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from actilaw import ActivationCounts, load, record
from actilaw.errors import CountsError, InputError, ModelError
from actilaw.recording.recorder import Recorder
from builders.recorded import (
    INPUTS,
    Branching,
    assert_same,
    first_one_way,
    first_other_way,
    kept_activations,
    mlp,
    recorded,
    rectified_mlp,
)


@pytest.mark.parametrize("inplace", [False, True])
def test_counts_of_a_multilayer_perceptron(inplace: bool) -> None:
    model = rectified_mlp(inplace).eval()
    batches = list(torch.randn(50, 6).split(16))
    with record(model) as recording:
        for batch in batches:
            model(batch)
    census = recording.census()
    assert list(census) == ["1", "4"]
    plain = rectified_mlp().eval()
    for name in census:
        activations = kept_activations(plain, name, False, lambda: [plain(b) for b in batches])
        np.testing.assert_array_equal(census[name].counts, (activations > 0).sum(0))
        assert census[name].samples == 50
        assert (census[name].criterion, census[name].per, census[name].nonfinite) == (
            "positive",
            "sample",
            0,
        )


@pytest.mark.parametrize("per", ["sample", "position"])
def test_channels_of_a_convolution(per: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Flatten(), nn.Linear(180, 7), nn.ReLU()
    )
    model.eval()
    images = torch.randn(20, 1, 8, 8) - 1
    with record(model, per=per) as recording:
        model(images)
    census = recording.census()
    # (samples, channels, height, width)
    active = kept_activations(model, "2", False, lambda: model(images)) > 0
    expected = active.any((2, 3)).sum(0) if per == "sample" else active.sum((0, 2, 3))
    np.testing.assert_array_equal(census["2"].counts, expected)
    assert census["2"].samples == (20 if per == "sample" else 20 * 36)
    assert census["5"].units == 7


def test_autocast_and_gradient_accumulation() -> None:
    model = mlp()
    with record(model) as recording:
        for batch in INPUTS.split(20):
            with torch.autocast("cpu", torch.bfloat16):
                model(batch).sum().backward()
    x = kept_activations(
        model, "1", False, lambda: [torch.autocast("cpu", torch.bfloat16)(model)(INPUTS)]
    )
    assert recording.census()["1"].counts.tolist() == (x > 0).sum(0).tolist()
    assert recording.census()["1"].regime == "frozen"


def test_nan_and_infinite_activations_are_counted_not_hidden() -> None:
    model = nn.Sequential(OrderedDict(relu=nn.ReLU()))
    x = torch.ones(4, 2)
    x[1, 0], x[2, 1], x[3, 0] = (
        torch.nan,
        torch.inf,
        -torch.inf,
    )  # a rectifier turns the last into zero
    with record(model) as recording:
        model(x)
    assert recording.census()["relu"].nonfinite == 2


def test_an_empty_batch_counts_nothing() -> None:
    model = mlp()
    assert_same(recorded(model, [INPUTS[:40], INPUTS[:0], INPUTS[40:]]), recorded(model, [INPUTS]))


def test_a_census_outlives_inference_mode() -> None:
    model = mlp()
    with record(model) as recording:
        with torch.inference_mode():
            model(INPUTS[:50])
        model(INPUTS[50:])
    assert_same(recording.census(), recorded(model, [INPUTS]))


def test_a_census_may_be_asked_for_while_recording() -> None:
    model, inputs = rectified_mlp().eval(), torch.randn(30, 6)
    with record(model) as recording:
        model(inputs[:10])
        early = recording.census()
        model(inputs[10:])
    assert (early["1"].samples, recording.census()["1"].samples) == (10, 30)
    with record(model) as first:
        model(inputs[:10])
    np.testing.assert_array_equal(early["1"].counts, first.census()["1"].counts)


def test_nothing_recorded_is_said() -> None:
    with record(rectified_mlp()) as recording:
        pass
    with pytest.raises(CountsError, match="nothing was recorded in 1, 4: run the model"):
        recording.census()


def test_a_layer_that_no_sample_reached_is_named() -> None:
    class Unused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.ReLU(), nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            return self.used(x)

    model = Unused()
    with record(model) as recording:
        model(INPUTS)
    with pytest.warns(UserWarning, match="no sample passed through unused"):
        assert list(recording.census()) == ["used"]


def test_going_on_from_a_saved_census_ends_as_if_never_stopped(tmp_path: Path) -> None:
    model = mlp()
    path = recorded(model, INPUTS[:37].split(10)).save(tmp_path / "half")
    assert_same(recorded(model, INPUTS[37:].split(9), resume=load(path)), recorded(model, [INPUTS]))


def branches() -> tuple[Branching, list[Tensor], list[Tensor]]:
    """A model, batches, and such that make it call its layers in the opposite order."""
    return Branching(), [first_one_way(INPUTS[:40])], [first_other_way(INPUTS[40:])]


@pytest.mark.parametrize("criterion", ["auto", ["positive", "relative(0.3)"]])
def test_layers_of_one_module_go_on_by_what_feeds_them_whatever_the_order(
    tmp_path: Path, criterion: str | list[str]
) -> None:
    model, one_way, other_way = branches()
    half = load(recorded(model, one_way, criterion=criterion).save(tmp_path / "half"))
    whole = recorded(model, one_way + other_way, criterion=criterion)
    resumed = recorded(model, other_way, criterion=criterion, resume=half)
    assert_same(resumed, whole)
    assert resumed.feeders == whole.feeders
    # It would show if they were swapped.
    first, second = (name for name in whole if "smooth" not in name and "relative" not in name)
    assert whole[first].counts.tolist() != whole[second].counts.tolist()


@pytest.mark.parametrize("criterion", ["auto", ["positive", "relative(0.3)"]])
def test_layers_of_one_module_are_merged_by_what_fed_them(criterion: str | list[str]) -> None:
    model, one_way, other_way = branches()
    parts = [recorded(model, batches, criterion=criterion) for batches in (one_way, other_way)]
    merged = parts[0].merge(parts[1])
    whole = recorded(model, one_way + other_way, criterion=criterion)
    assert list(merged) == list(whole)
    for name in whole:
        assert merged[name].counts.tolist() == whole[name].counts.tolist(), name
    assert merged.feeders == whole.feeders


def test_a_call_that_is_fed_otherwise_after_a_resume_is_a_layer_of_its_own() -> None:
    class OneOf(Branching):
        def forward(self, x: Tensor) -> Tensor:
            return self.relu((self.first if x[0, 0] > 0 else self.second)(x))

    model, (one, other) = OneOf(), (first_one_way(INPUTS), first_other_way(INPUTS))
    half = recorded(model, [one], layers="relu")
    resumed = recorded(model, [other], layers="relu", resume=half)
    assert_same(resumed, recorded(model, [one, other], layers="relu"))
    with pytest.raises(InputError, match=r"layers of 'relu' .* fed by first.* fed by second"):
        half.merge(recorded(model, [other], layers="relu"))


def test_layers_that_nothing_in_the_model_feeds_are_refused_by_name() -> None:
    model, one_way, other_way = branches()
    half = recorded(model, one_way)
    strange = {**half.feeders, "relu#1": (("third",),)}
    with pytest.raises(InputError, match=r"'relu#1' to be fed by modules of this .* by third"):
        recorded(model, other_way, resume=replace(half, feeders=strange))
    alike = {**half.feeders, "relu#1": half.feeders["relu#0"]}
    with pytest.raises(InputError, match="both relu#0 and relu#1 were fed by first"):
        recorded(model, other_way, resume=replace(half, feeders=alike))


def test_a_census_that_does_not_say_what_fed_its_layers_goes_on_in_order_with_a_warning() -> None:
    model, one_way, _ = branches()
    half = replace(recorded(model, one_way), feeders={})
    with pytest.warns(UserWarning, match="layers of relu, smooth are continued by their numbers"):
        resumed = recorded(model, one_way, resume=half)
    assert_same(resumed, recorded(model, one_way + one_way))


def test_merging_files_is_associative_and_commutative() -> None:
    model = mlp()
    a, b, c = (
        recorded(model, [INPUTS[part]]) for part in (slice(0, 33), slice(33, 40), slice(40, 100))
    )
    assert_same(a.merge(b).merge(c), a.merge(b.merge(c)))
    assert_same(a.merge(b), b.merge(a))
    merged, whole = a.merge(b).merge(c)["1"], recorded(model, [INPUTS])["1"]
    assert (merged.counts.tolist(), merged.samples) == (whole.counts.tolist(), whole.samples)
    assert isinstance(merged, ActivationCounts)


def test_vmap_and_nested_tensors_are_refused_in_a_sentence() -> None:
    model = mlp()
    with record(model), pytest.raises(InputError, match=r"inside torch.func \(vmap, grad\)"):
        torch.func.vmap(model)(INPUTS)


@pytest.mark.parametrize(
    ("model", "arguments", "error", "message"),
    [
        (
            nn.Sequential(nn.Linear(2, 2)),
            {},
            ModelError,
            "expected a model with a layer of units, but layers='auto'",
        ),
        (
            nn.Sequential(nn.ReLU()),
            {"layers": "relu"},
            ModelError,
            r"layers='relu' matches none of the 1 modules",
        ),
        (
            nn.Sequential(nn.ReLU()),
            {"layers": ["0", "rleu"]},
            ModelError,
            r"layers that the model has, but 'rleu' matches",
        ),
        (
            "gpt2",
            {},
            ModelError,
            "expected a torch module to record, but got str: load the model first",
        ),
        (
            nn.Sequential(nn.ReLU()),
            {"criterion": [3]},
            InputError,
            r"expected criterion='auto', a rule such as .* but got \[3\]",
        ),
        (
            nn.Sequential(nn.ReLU()),
            {"per": "pixel"},
            InputError,
            "per='sample', 'position' or 'token', but got 'pixel'",
        ),
        (nn.Sequential(nn.ReLU()), {"criterion": "big"}, InputError, "but got 'big'"),
    ],
)
def test_models_and_arguments_that_make_no_sense(
    model: nn.Module, arguments: dict, error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        record(model, **arguments)


@pytest.mark.slow
def test_memory_does_not_follow_the_samples() -> None:
    code = """
import json, resource, sys, torch
from actilaw import record
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(16, 4096), torch.nn.ReLU())
peaks = []
with record(model) as recording, torch.no_grad():
    for batches in (50, 1000):
        for _ in range(batches):
            model(torch.randn(64, 16))
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print(json.dumps(peaks))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    early, late = json.loads(done.stdout)
    assert late < 1.02 * early


def test_parts_that_know_where_they_begin_merge_into_the_whole() -> None:
    """The last part first; parts that end within a block, and one of a single entry."""
    whole = recorded(mlp(), [INPUTS])
    found = None
    for first, last in ((64, 100), (7, 64), (0, 6), (6, 7)):
        model = mlp()
        with Recorder(model, first_entry=first) as recording:
            model(INPUTS[first:last])
        part = recording.census()
        found = part if found is None else found.merge(part)
    assert found is not None
    assert_same(found, whole)
