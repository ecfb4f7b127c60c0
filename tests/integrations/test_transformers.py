"""Transformers' own Trainer, with accumulated steps and padding, interrupted and resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from actilaw import Census
from actilaw.errors import InputError

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
LAYER = "model.decoder.layers.0.activation_fn"
STEPS, BATCH, ACCUMULATED = 6, 2, 2


class Texts(Dataset):
    """Random tokens, the longer the text the fewer of them padding."""

    def __len__(self) -> int:
        return 64

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        generator = torch.Generator().manual_seed(index)
        words = torch.randint(3, 40, (12,), generator=generator)
        mask = (torch.arange(12) < 3 + index % 9).long()
        return {
            "input_ids": words,
            "attention_mask": mask,
            "labels": words.masked_fill(mask == 0, -100),
        }


def model() -> Any:
    transformers = pytest.importorskip("transformers")
    config = transformers.OPTConfig(
        vocab_size=40, hidden_size=16, num_hidden_layers=1, ffn_dim=48, num_attention_heads=2,
        max_position_embeddings=16, word_embed_proj_dim=16, dropout=0.0, activation_function="relu",
    )  # fmt: skip
    torch.manual_seed(0)
    return transformers.OPTForCausalLM(config)


def trained(
    folder: Path, steps: int, *, resume: bool = False, watched: Any = None, **options: Any
) -> Any:
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    from actilaw.integrations.transformers import ActivationCallback

    callback = ActivationCallback(window=50, **options)
    arguments = transformers.TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=BATCH,
        per_device_eval_batch_size=BATCH,
        gradient_accumulation_steps=ACCUMULATED,
        eval_strategy="steps",
        eval_steps=2,
        logging_steps=2,
        save_steps=3,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        lr_scheduler_type="constant",
    )
    trainer = transformers.Trainer(
        watched or model(),
        arguments,
        train_dataset=Texts(),
        eval_dataset=Texts(),
        callbacks=[callback],
    )
    trainer.train(resume_from_checkpoint=resume or None)
    return trainer, callback.counted


def counts_of(census: Census) -> list[np.ndarray]:
    layer = census[LAYER]
    return [layer.counts, layer.first, np.array([layer.samples, layer.active_squares])]


def test_micro_batches_are_counted_and_evaluation_and_padding_are_not(tmp_path: Path) -> None:
    watched = model()
    masks: list[torch.Tensor] = []
    active: list[torch.Tensor] = []

    def note_mask(module: Any, _: object, inputs: dict[str, torch.Tensor]) -> None:
        masks.append(inputs["attention_mask"].bool())

    def note_units(_: object, __: object, out: torch.Tensor) -> None:
        if watched.training:
            active.append((out.detach() > 0).reshape(*masks[-1].shape, -1)[masks[-1]])

    watched.register_forward_pre_hook(note_mask, with_kwargs=True)
    watched.get_submodule(LAYER).register_forward_hook(note_units)
    trainer, counted = trained(tmp_path, STEPS, watched=watched)

    seen = torch.cat(active).numpy()
    found = counted.census()[LAYER]
    assert len(active) == STEPS * ACCUMULATED < len(masks)
    assert (found.samples, found.per) == (len(seen), "position")
    np.testing.assert_array_equal(found.counts, seen.sum(0))
    history = [entry for entry in trainer.state.log_history if f"working/{LAYER}" in entry]
    assert [entry["step"] for entry in history if "loss" in entry] == [2, 4, 6]
    assert history[-1][f"working/{LAYER}"] == seen.any(0).sum()
    assert history[-1][f"dead_frac/{LAYER}"] <= (seen[-50:].sum(0) == 0).mean()


def test_a_run_that_is_resumed_ends_with_the_same_counts(tmp_path: Path) -> None:
    _, whole = trained(tmp_path / "whole", STEPS)
    trained(tmp_path / "parts", 3)
    _, resumed = trained(tmp_path / "parts", STEPS, resume=True)
    for one, other in zip(counts_of(whole.census()), counts_of(resumed.census()), strict=True):
        np.testing.assert_array_equal(one, other)
    assert whole.metrics() == resumed.metrics()


def test_a_logger_gets_metrics_and_histograms(tmp_path: Path) -> None:
    logged: list[tuple[dict[str, Any], int]] = []
    trained(tmp_path, 4, logger=lambda values, step: logged.append((dict(values), step)))
    assert [step for values, step in logged][:2] == [2, 2]
    assert {f"working/{LAYER}", f"l0/{LAYER}", f"density_hist/{LAYER}"} <= set(logged[-1][0])


def test_a_checkpoint_without_counts_is_named(tmp_path: Path) -> None:
    trained(tmp_path, 3)
    [file] = tmp_path.rglob("actilaw.safetensors")
    file.unlink()
    with pytest.raises(InputError, match=r"there is no actilaw.safetensors: name the folder"):
        trained(tmp_path, STEPS, resume=True)
