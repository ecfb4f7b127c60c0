from __future__ import annotations

import math

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
    TopK,
    digits,
    evaluate,
    gated,
    learning_curve,
    make_case,
    mnist,
    plain,
    python_source,
    record_stages,
    routed,
    train,
    train_autoencoder,
    train_transformer,
)
from actilaw.study.networks.architectures import Router, normalised
from actilaw.study.networks.training import next_token_loss


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
    with pytest.raises(
        InputError, match=r"training samples in 1\.\.1347, those the task has, but got"
    ):
        learning_curve(task, [samples])


@pytest.fixture(scope="module")
def source() -> Text:
    return python_source()


@pytest.fixture(scope="module")
def text() -> Text:
    """Every token is as frequent as any other, and follows from the one before: 5 times it, plus 3,
    modulo 64.
    """
    tokens = [np.random.default_rng(0).integers(64, size=200)]
    for _ in range(31):
        tokens.append((5 * tokens[-1] + 3) % 64)
    windows = torch.from_numpy(np.stack(tokens, 1))
    return Text(windows[:100], windows[100:], torch.arange(100), vocabulary=64)


@pytest.fixture(scope="module")
def mixture(text: Text) -> nn.Module:
    return train_transformer(text, routed(48, hidden=4), steps=20)


def test_mnist_is_split_four_to_one_without_overlap() -> None:
    task = mnist()
    assert (task.inputs.shape, task.test_inputs.shape) == ((4000, 784), (1000, 784))
    assert (task.inputs.min(), task.inputs.max()) == (0, 1)
    everything = torch.cat([task.inputs, task.test_inputs])
    assert len(everything.unique(dim=0)) == len(everything)
    assert set(task.labels.tolist()) == set(range(10))


def test_text_is_halved_and_every_window_stands_where_it_is_said_to(source: Text) -> None:
    assert abs(len(source.inputs) - len(source.test_inputs)) <= 1
    assert source.inputs.shape[1] == 128
    assert source.inputs.max() < source.vocabulary == 4096
    assert len(source.test_places.unique()) == len(source.test_places)
    assert (source.test_places.diff() < 0).any()
    first = int(source.test_places.argmin())
    assert torch.equal(source.test_inputs_in_order[0], source.test_inputs[first])


def test_every_hidden_layer_has_a_name_and_a_price(task: Task) -> None:
    model = train(task, 64, depth=2, steps=150)
    assert [name for name, _ in model.named_children()] == [
        "hidden",
        "relu",
        "hidden2",
        "relu2",
        "output",
    ]
    assert evaluate(model, task.test_inputs, task.test_labels)[1] > 0.9
    dear = train(task, 64, depth=2, l1=0.03, steps=150)
    for layer in (2, 4):
        assert dear[:layer](task.inputs).sum() < model[:layer](task.inputs).sum() / 2


def test_training_works_where_gradients_are_off(task: Task) -> None:
    with torch.no_grad():
        assert evaluate(train(task, 64, steps=100), task.inputs, task.labels)[1] > 0.8


@pytest.mark.parametrize(
    "feedforward", [plain(64), plain(64, nn.GELU), gated(64), routed(32, hidden=4)]
)
def test_a_transformer_learns_what_follows_a_token(text: Text, feedforward) -> None:
    model = train_transformer(text, feedforward, steps=80)
    assert next_token_loss(model, text.test_inputs) < 0.1 * math.log(text.vocabulary)


def test_a_transformer_sees_no_token_before_its_time(text: Text) -> None:
    model, windows = train_transformer(text, plain(16), steps=1), text.test_inputs[:2].clone()
    before = model(windows)
    windows[:, 16:] = 0
    assert torch.allclose(model(windows)[:, :16], before[:, :16], atol=1e-5)
    assert not torch.allclose(model(windows)[:, 16:], before[:, 16:], atol=1e-5)


@pytest.mark.parametrize("feedforward", [plain(64), gated(64)])
def test_a_price_on_a_transformers_activations_lowers_them_and_leaves_no_hook(
    text: Text, feedforward
) -> None:
    magnitudes = []
    for l1 in (0.0, 0.01):
        model = train_transformer(text, feedforward, l1=l1, steps=30)
        assert not any(module._forward_pre_hooks for module in model.modules())
        taken: list[torch.Tensor] = []
        model.blocks[0].feedforward.down_proj.register_forward_pre_hook(
            lambda _, x, taken=taken: taken.append(x[0])
        )
        model(text.test_inputs[:4])
        magnitudes.append(taken[0].abs().sum(-1).mean().item())
    assert magnitudes[1] < magnitudes[0] / 2


def test_every_token_is_counted_at_the_two_experts_that_its_router_chose(
    mixture: nn.Module, text: Text
) -> None:
    stream, chosen = text.test_inputs[:60], []
    router = mixture.get_submodule("blocks.1.feedforward.router")
    hook = router.register_forward_hook(lambda _, x, output: chosen.append(output[0]))
    counts = record_stages(mixture, stream, "blocks.1.feedforward.router", "position")[-1]
    hook.remove()
    assert counts.samples == stream.numel()
    assert counts.active == 2
    assert counts.counts.tolist() == torch.cat(chosen).flatten().bincount(minlength=48).tolist()


def test_a_routers_bias_feeds_starving_experts_and_rests_after_training() -> None:
    torch.manual_seed(0)
    router, tokens = Router(16, 32, top_k=2).eval(), torch.randn(512, 16) + 3 * torch.randn(16)
    fed = len(router(tokens)[0].unique())
    router.train()
    for _ in range(500):
        router(tokens)
    bias = router.eval().bias.clone()
    assert fed < 24
    assert len(router(tokens)[0].unique()) == 32
    assert torch.equal(router.bias, bias)


def test_top_k_keeps_the_largest_that_are_above_zero() -> None:
    x = torch.tensor([[3.0, -1.0, 2.0, 1.0], [-1.0, -2.0, 0.5, -3.0]])
    assert TopK(2)(x).tolist() == [[3, 0, 2, 0], [0, 0, 0.5, 0]]


def test_autoencoders_explain_most_of_the_variance_with_few_latents(task: Task) -> None:
    found = {}
    for name, activation, l1 in (
        ("top", TopK(4), 0.0),
        ("cheap", nn.ReLU(), 0.0),
        ("dear", nn.ReLU(), 0.03),
    ):
        model = train_autoencoder(task.inputs, 128, activation, l1=l1, steps=100)
        again, latents = model(task.test_inputs)
        assert (again - normalised(task.test_inputs)).square().mean() < 0.5
        found[name] = float((latents > 0).float().sum(1).mean())
    assert found["top"] <= 4
    assert found["dear"] < found["cheap"] / 2


def test_stages_are_prefixes_of_one_stream(task: Task) -> None:
    model = train(task, 128, steps=50)
    stages = record_stages(model, task.inputs, "relu")
    assert [counts.samples for counts in stages] == [44, 134, 1347]
    assert all(17 <= len(counts.blocks) <= 32 for counts in stages if counts.blocks)
    assert all(counts.regime == "frozen" for counts in stages)
    for counts in stages:
        with record(model, layers="relu") as recording:
            model(task.inputs[: counts.samples])
        assert np.array_equal(counts.counts, recording.census()["relu"].counts)


def test_a_case_repeats_itself_and_is_kept_in_a_file(tmp_path) -> None:
    case = make_case("digits-512")
    assert [counts.samples for counts in case.stages.values()] == [59, 179, 1797]
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
