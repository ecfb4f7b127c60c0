"""Real architectures and awkward situations, each against brute force: every activation kept, then
counted in NumPy.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from actilaw import ActivationCounts, Census, Positive, Relative, Threshold, load, record
from actilaw.errors import InputError
from builders.recorded import INPUTS, assert_same, mlp, recorded

transformers = pytest.importorskip("transformers")

TOKENS = torch.randint(0, 50, (6, 11), generator=torch.Generator().manual_seed(0))
PADDING = (torch.arange(11) < torch.tensor([11, 5, 8, 1, 11, 3])[:, None]).long()


def kept_activations(model: nn.Module, layer: str, at_input: bool, run) -> np.ndarray:
    """What the layer returned, or took in, as (entries, positions, units)."""
    kept: list[np.ndarray] = []
    module = dict(model.named_modules())[layer]

    def keep(value: Tensor) -> None:
        kept.append(value.detach().float().numpy().copy())

    if at_input:
        hook = module.register_forward_pre_hook(lambda _m, inputs: keep(inputs[0]))
    else:
        hook = module.register_forward_hook(
            lambda _m, _i, out: keep(out[0] if isinstance(out, tuple) else out)
        )
    run()
    hook.remove()
    return np.concatenate(kept)


def by_hand(active: np.ndarray, keep: np.ndarray, per: str) -> tuple[list[int], int]:
    """Counts and samples of booleans (entries, positions, units)."""
    active = active & keep[..., None]
    if per == "sample":
        return active.any(1).sum(0).tolist(), int(keep.any(1).sum())
    return active.sum((0, 1)).tolist(), int(keep.sum())


def above_a_tenth(x: np.ndarray) -> np.ndarray:
    magnitude = np.abs(x.astype(np.float64))
    return magnitude > 0.1 * magnitude.max(-1, keepdims=True)


def tiny(kind: str) -> nn.Module:
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 50}
    if kind == "llama":
        config = transformers.LlamaConfig(**shape, intermediate_size=40, num_key_value_heads=1)
        return transformers.LlamaForCausalLM(config).eval()
    if kind == "mixtral":
        experts = {"num_local_experts": 6, "num_experts_per_tok": 2}
        config = transformers.MixtralConfig(
            **shape, **experts, intermediate_size=24, num_key_value_heads=1
        )
        return transformers.MixtralForCausalLM(config).eval()
    config = transformers.GPT2Config(n_embd=16, n_layer=2, n_head=2, vocab_size=50, n_positions=16)
    return transformers.GPT2LMHeadModel(config).eval()


@pytest.mark.parametrize("per", ["sample", "token"])
@pytest.mark.parametrize(
    ("kind", "layer", "at_input"),
    [("llama", "model.layers.1.mlp.down_proj", True), ("gpt2", "transformer.h.1.mlp.act", False)],
)
def test_decoders_without_padding_counted(kind: str, layer: str, at_input: bool, per: str) -> None:
    model = tiny(kind)
    with record(model, per=per, mask="attention_mask") as recording, torch.no_grad():
        model(TOKENS, attention_mask=PADDING)
    counts = recording.census()[layer]
    x = kept_activations(model, layer, at_input, lambda: model(TOKENS, attention_mask=PADDING))
    expected, samples = by_hand(above_a_tenth(x), PADDING.bool().numpy(), per)
    assert counts.counts.tolist() == expected
    assert counts.samples == samples
    assert counts.criterion == "relative(0.1)"
    assert len(recording.census()) == 2
    assert any("attn" in name for name in recording.uncovered)
    assert not any(name.endswith(("gate_proj", "up_proj", "c_fc")) for name in recording.uncovered)


@pytest.mark.parametrize("per", ["sample", "position"])
def test_experts_are_counted_at_their_router(per: str) -> None:
    model = tiny("mixtral")
    with record(model, per=per, mask="attention_mask") as recording, torch.no_grad():
        model(TOKENS, attention_mask=PADDING)
    assert list(recording.census()) == ["model.layers.0.mlp.gate", "model.layers.1.mlp.gate"]
    counts = recording.census()["model.layers.1.mlp.gate"]
    run = lambda: model(TOKENS, attention_mask=PADDING)  # noqa: E731
    logits = kept_activations(model, "model.layers.1.mlp.gate", False, run).reshape(6, 11, 6)
    chosen = (-logits).argsort(-1).argsort(-1) < 2
    expected, samples = by_hand(chosen, PADDING.bool().numpy(), per)
    assert (counts.counts.tolist(), counts.samples, counts.criterion) == (
        expected,
        samples,
        "top(2)",
    )
    assert "model.layers.0.mlp.experts" in recording.uncovered


def test_grouped_and_biased_routers_are_counted_by_their_choice() -> None:
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 50}
    experts = {
        "n_routed_experts": 8,
        "num_experts_per_tok": 2,
        "n_group": 4,
        "topk_group": 1,
        "first_k_dense_replace": 0,
    }
    config = transformers.DeepseekV3Config(
        **shape, **experts, intermediate_size=24, moe_intermediate_size=8
    )
    model = transformers.DeepseekV3ForCausalLM(config).eval()
    chosen: list[Tensor] = []
    module = dict(model.named_modules())["model.layers.1.mlp.experts"]
    module.register_forward_pre_hook(lambda _m, inputs: chosen.append(inputs[1]))
    with record(model, layers="*.mlp.gate", per="token") as recording, torch.no_grad():
        model(TOKENS)
    counts = recording.census()["model.layers.1.mlp.gate"]
    assert counts.counts.tolist() == torch.bincount(chosen[0].flatten(), minlength=8).tolist()
    assert counts.samples == TOKENS.numel()


def test_a_cache_and_a_mask_of_all_tokens() -> None:
    model = tiny("gpt2")
    with record(model, per="token", mask="attention_mask") as recording, torch.no_grad():
        model.generate(
            TOKENS,
            attention_mask=PADDING.flip(1),
            max_new_tokens=3,
            min_new_tokens=3,
            do_sample=False,
        )
    assert recording.census()["transformer.h.0.mlp.act"].samples == PADDING.sum() + 6 * 2


def test_one_mask_for_encoder_and_decoder_is_refused() -> None:
    config = transformers.T5Config(
        d_model=16, d_kv=8, d_ff=20, num_layers=1, num_heads=2, vocab_size=50
    )
    with pytest.raises(
        InputError, match="the model has an encoder and a decoder: record them apart"
    ):
        record(transformers.T5ForConditionalGeneration(config), mask="attention_mask")


def test_a_mask_needs_the_model_whose_arguments_make_it() -> None:
    model = mlp()
    with (
        record(model, mask=lambda x: torch.ones(len(x))),
        pytest.raises(InputError, match="layer '1' ran by itself"),
    ):
        model[:2](INPUTS)


class Flat(nn.Module):
    """Convolutions and linear layers side by side in one module, as in a LeNet."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv1, self.relu1 = nn.Conv2d(1, 3, 3, padding=1), nn.ReLU()
        self.conv2, self.relu2 = nn.Conv2d(3, 4, 3, padding=1), nn.ReLU()
        self.fc1, self.relu3, self.fc2 = nn.Linear(4 * 36, 9), nn.ReLU(), nn.Linear(9, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu2(self.conv2(self.relu1(self.conv1(x))))
        return self.fc2(self.relu3(self.fc1(x.flatten(1))))


class Patches(nn.Module):
    """A convolution that makes tokens, then a linear layer whose units are the last axis."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.fc1, self.act = nn.Conv2d(1, 6, 2, 2), nn.Linear(6, 20), nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.fc1(self.patch(x).flatten(2).transpose(1, 2)))


def test_each_activation_belongs_to_the_layer_before_it() -> None:
    model, images = Flat(), torch.randn(5, 1, 6, 6)
    with record(model) as recording:
        model(images)
    assert [counts.units for counts in recording.census().values()] == [3, 4, 9]
    assert recording.uncovered == ["fc2"]
    assert recorded(Patches(), [images])["act"].units == 20


def test_a_census_outlives_inference_mode() -> None:
    model = mlp()
    with record(model) as recording:
        with torch.inference_mode():
            model(INPUTS[:50])
        model(INPUTS[50:])
    assert_same(recording.census(), recorded(model, [INPUTS]))


def test_an_empty_batch_counts_nothing() -> None:
    model = mlp()
    assert_same(recorded(model, [INPUTS[:40], INPUTS[:0], INPUTS[40:]]), recorded(model, [INPUTS]))


def test_a_copy_made_while_recording_is_not_counted() -> None:
    model = mlp()
    with record(model) as recording:
        copy.deepcopy(model)(INPUTS)
        model(INPUTS)
    assert recording.census()["1"].samples == 100


def test_weights_that_move_between_two_blocks_are_told() -> None:
    model = mlp()
    recording = record(model)
    for _ in range(2):
        with recording:
            model(INPUTS)
        with torch.no_grad():
            model[0].weight.mul_(2)
    assert recording.census()["1"].regime == "training"


def test_vmap_and_nested_tensors_are_refused_in_a_sentence() -> None:
    model = mlp()
    with record(model), pytest.raises(InputError, match=r"inside torch.func \(vmap, grad\)"):
        torch.func.vmap(model)(INPUTS)


def test_calls_with_more_entries_than_the_first() -> None:
    class Growing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.relu = nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            self.relu(x[:2])
            return self.relu(x)

    census = recorded(Growing(), [INPUTS[:50], INPUTS[50:]], per="position")
    assert (census["relu"].samples, census["relu"].entries) == (104, 100)
    model = Growing()
    with record(model), pytest.raises(InputError, match="saw 2 and then 50"):
        model(INPUTS[:50])


class TopK(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        values, indices = x.topk(4, -1)
        return torch.zeros_like(x).scatter(-1, indices, values)


def test_latents_of_a_sparse_autoencoder() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 60), TopK(), nn.Linear(60, 8))
    inputs = torch.randn(100, 8)
    with record(model) as recording:
        model(inputs)
    latents = kept_activations(model, "1", False, lambda: model(inputs))
    assert recording.census()["1"].counts.tolist() == (latents != 0).sum(0).tolist()
    assert recording.census()["1"].active == 4
    assert recording.uncovered == ["2"]


def test_batches_of_any_size_give_the_same_census() -> None:
    model = mlp()
    whole = recorded(model, [INPUTS])
    for size in (1, 7, 64):
        assert_same(recorded(model, INPUTS.split(size)), whole)
    first = (torch.relu(model[0](INPUTS)) > 0).detach().numpy()
    assert whole["1"].first.tolist() == np.where(first.any(0), first.argmax(0), -1).tolist()
    assert whole["1"].active_squares == (first.sum(1) ** 2).sum()
    assert whole["1"].blocks.counts[3].tolist() == first[12:16].sum(0).tolist()


@pytest.mark.parametrize("order", ["compiled first", "recorded first"])
@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("backend", ["eager", "inductor"])
def test_compiled_models_count_the_same_in_one_graph(order: str, grad: bool, backend: str) -> None:
    if backend == "inductor" and not (grad and order == "compiled first"):
        pytest.skip("one pass through the C++ compiler is enough")
    torch.compiler.reset()
    plain, model = recorded(mlp(), INPUTS.split(25)), mlp()
    compiled = torch.compile(model, fullgraph=True, backend=backend)
    with torch.set_grad_enabled(grad):
        if order == "compiled first":
            compiled(INPUTS[:25])
        with record(compiled if order == "compiled first" else model) as recording:
            for batch in INPUTS.split(25):
                out = compiled(batch)
                if grad:
                    out.sum().backward()
        census = recording.census()
        compiled(INPUTS[:25])
    assert_same(census, plain)
    assert_same(recording.census(), plain)  # what ran after the block was not counted


def test_a_mask_reaches_compiled_code() -> None:
    torch.compiler.reset()
    model = tiny("llama")
    plain = recorded_with_mask(model, model)
    assert_same(recorded_with_mask(model, torch.compile(model, backend="eager")), plain)


def recorded_with_mask(model: nn.Module, called: nn.Module) -> Census:
    with record(model, mask="attention_mask", per="token") as recording, torch.no_grad():
        for rows in range(0, 6, 2):
            called(TOKENS[rows : rows + 2], attention_mask=PADDING[rows : rows + 2])
    return recording.census()


class Block(nn.Module):
    """A residual block whose one rectifier was registered before its convolutions, with a norm
    between.
    """

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.relu = nn.ReLU()
        self.conv1, self.norm1, self.conv2 = (
            nn.Conv2d(1, 6, 3, padding=1),
            nn.GroupNorm(2, 6),
            nn.Conv2d(6, 6, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm1(self.conv1(x)))
        return self.relu(self.conv2(x) + x)


def test_channels_are_the_units_of_a_convolution_wherever_it_is_registered() -> None:
    images = torch.randn(7, 1, 8, 10)
    counts = recorded(Block(), [images])["relu"]
    assert (counts.units, counts.samples) == (6, 7)


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_checkpointed_layer_is_not_counted_again(reentrant: bool) -> None:
    class Checkpointed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = mlp()

        def forward(self, x: Tensor) -> Tensor:
            return checkpoint(self.body, x, use_reentrant=reentrant)

    model = Checkpointed()
    with record(model) as recording:
        for batch in INPUTS.split(30):
            model(batch.clone().requires_grad_()).sum().backward()
    plain = recorded(model.body, [INPUTS])
    assert recording.census()["body.1"].counts.tolist() == plain["1"].counts.tolist()
    assert recording.census()["body.1"].samples == 100


@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("rule", [Positive(), Threshold(0.3), Relative(0.4)])
def test_every_precision_and_rule(precision: torch.dtype, rule) -> None:
    model = mlp().to(precision)
    inputs = INPUTS.to(precision)
    census = recorded(model, [inputs], layers="1", criterion=rule)
    x = model[:2](inputs).detach().double().numpy()
    active = {
        "positive": x > 0,
        "threshold(0.3)": np.abs(x) > 0.3,
        "relative(0.4)": np.abs(x) > 0.4 * np.abs(x).max(-1, keepdims=True),
    }[str(rule)]
    assert census["1"].counts.tolist() == active.sum(0).tolist()


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


def test_several_rules_at_once() -> None:
    census = recorded(mlp(), [INPUTS], layers="1", criterion=[Positive(), Threshold(0.3)])
    assert list(census) == ["1 positive", "1 threshold(0.3)"]
    assert census["1 positive"].active > census["1 threshold(0.3)"].active


@pytest.mark.parametrize("per", ["sample", "position"])
def test_a_module_called_several_times_per_forward(per: str) -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.up, self.down, self.relu = nn.Linear(6, 50), nn.Linear(50, 6), nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            for _ in range(3):
                x = self.down(self.relu(self.up(x) - 0.5))
            return x

    model = Twice()
    census = recorded(model, INPUTS.split(30), per=per)
    calls: list[np.ndarray] = []
    hook = model.relu.register_forward_hook(lambda _m, _i, out: calls.append((out > 0).numpy()))
    with torch.no_grad():
        model(INPUTS)
    hook.remove()
    active = np.stack(calls, 1)  # (entries, calls, units)
    expected, samples = by_hand(active, np.ones((100, 3), bool), per)
    assert (census["relu"].counts.tolist(), census["relu"].samples) == (expected, samples)
    assert census["relu"].entries == 100


def test_a_first_forward_cut_short_teaches_nothing_about_the_calls() -> None:
    class Fragile(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.relu = nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            x = self.relu(x - 1)
            if len(x) == 3:
                raise RuntimeError("cut short")
            return self.relu(1 - x)

    model = Fragile()
    with record(model) as recording:
        with pytest.raises(RuntimeError, match="cut short"):
            model(INPUTS[:3])
        model(INPUTS)
    x = INPUTS.numpy()
    once = x[:3] > 1
    either = (x > 1) | (np.maximum(x - 1, 0) < 1)
    assert recording.census()["relu"].counts.tolist() == (once.sum(0) + either.sum(0)).tolist()


def test_weights_that_change_while_recording_are_told() -> None:
    model = mlp()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    with record(model) as recording:
        model(INPUTS).sum().backward()
        assert recording.census()["1"].regime == "frozen"
        optimiser.step()
        model(INPUTS)
    assert recording.census()["1"].regime == "training"


def test_functional_activations_inside_a_transformer_layer() -> None:
    torch.manual_seed(0)
    model = nn.TransformerEncoderLayer(8, 2, dim_feedforward=30, batch_first=True).eval()
    x = torch.randn(5, 7, 8)
    census = recorded(nn.Sequential(model), [x], per="position")
    hidden = kept_activations(model, "linear2", True, lambda: model(x))
    assert census["0.linear2"].counts.tolist() == (hidden > 0).sum((0, 1)).tolist()


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


RANK = """
import sys, torch, torch.distributed as dist
sys.path.insert(0, {tests!r})
from builders.recorded import INPUTS, mlp
from actilaw import record
dist.init_process_group("gloo")
rank, world = dist.get_rank(), dist.get_world_size()
model = torch.nn.parallel.DistributedDataParallel(mlp())
with record(model) as recording, torch.no_grad():
    for batch in INPUTS[rank::world].split(8):  # as a DistributedSampler deals them out
        model(batch)
census = recording.census(across_ranks=True)
if rank == 0:
    census.save({path!r})
dist.barrier()
del model, recording  # replicas outlive their process group badly
dist.destroy_process_group()
"""


def test_two_processes_count_to_the_last_bit_what_one_counts(tmp_path: Path) -> None:
    script, path = tmp_path / "rank.py", tmp_path / "census"
    script.write_text(RANK.format(tests=str(Path(__file__).parents[1]), path=str(path)))
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=2",
        str(script),
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert_same(load(path), recorded(mlp(), [INPUTS]))


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


def test_relu_outside_any_forward_pass_of_the_whole_model() -> None:
    model = mlp()
    with record(model) as recording:
        model[1](functional.linear(INPUTS, model[0].weight))
        model[1](functional.linear(INPUTS, model[0].weight))
    with pytest.warns(UserWarning, match="no sample passed through 3"):
        assert recording.census()["1"].samples == 200
