"""Modules that are put into a model after its recording began, as SAELens does."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from actilaw import InputError, record
from actilaw.integrations.training_log import TrainingLog
from builders.model_libraries import model_library


class Autoencoder(nn.Module):
    """Latents whose activation is a module of its own."""

    def __init__(self, latents: int) -> None:
        super().__init__()
        torch.manual_seed(latents)
        self.encode, self.act = nn.Linear(8, latents), nn.ReLU()
        self.decode = nn.Linear(latents, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decode(self.act(self.encode(x) - 0.5))


def host() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 8), nn.Identity(), nn.Linear(8, 20), nn.ReLU())


def test_what_is_put_in_while_recording_is_counted_like_what_was_there() -> None:
    model, inner, x = host(), Autoencoder(40), torch.randn(30, 8)
    with record(model) as recording:
        model(x)
        model[1] = inner
        model(x)
        model[1] = nn.Identity()
        model(x)
        model[1] = inner
        model(x)
    census = recording.census()
    assert list(census) == ["3", "1.act"]
    with torch.no_grad():
        hidden = model[0](x)
        active = torch.relu(inner.encode(hidden) - 0.5) > 0
    assert census["1.act"].counts.tolist() == (2 * active.sum(0)).tolist()
    assert (census["1.act"].samples, census["3"].samples) == (60, 120)
    assert recording.uncovered == ["0", "1.decode"]


def test_functions_in_newcomers_have_their_names() -> None:
    class Rectifying(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(8, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(self.inner(x)) + 1

    model = host()
    with record(model) as recording:
        model[1] = Rectifying()
        model(torch.randn(5, 8))
    assert list(recording.census()) == ["3", "1.relu"]


def test_another_module_in_the_place_of_one_that_was_counted_is_refused() -> None:
    model, x = host(), torch.randn(5, 8)
    with record(model) as recording:
        model[1] = Autoencoder(40)
        model(x)
        model[1] = Autoencoder(30)
        with pytest.raises(InputError, match=r"another module was put in the place of '1\.act'"):
            model(x)
    assert recording.census()["1.act"].units == 40


def test_modules_that_are_no_part_of_the_model_are_not_counted() -> None:
    class Using(nn.Module):
        """Calls modules that it does not own, new ones each time."""

        def __init__(self) -> None:
            super().__init__()
            self.inner, self.act = nn.Linear(8, 8), nn.ReLU()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.Softplus()(self.act(self.inner(x)))

    model = Using()
    with record(model, layers="act") as recording:
        for _ in range(3):
            model(torch.randn(5, 8))
    assert list(recording.census()) == ["act"]
    assert recording.census()["act"].samples == 15


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "options"), [("TopKSAE", {"k": 4}), ("JumpReLUSAE", {})])
def test_an_autoencoder_of_sae_lens_that_joins_for_one_call(
    kind: str, options: dict[str, Any]
) -> None:
    """`model.run_with_saes` puts it in and takes it out again."""
    lens, library = model_library("transformer_lens"), model_library("sae_lens")
    config = lens.HookedTransformerConfig(
        n_layers=1, d_model=16, n_ctx=12, d_head=8, n_heads=2, d_mlp=40, d_vocab=50, act_fn="relu"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on a name that changes in the next version
        model = library.HookedSAETransformer(config).eval()
    autoencoder = getattr(library, kind)(
        getattr(library, f"{kind}Config")(d_in=16, d_sae=64, **options)
    ).eval()
    with torch.no_grad():
        autoencoder.W_enc.normal_(0, 0.3)
        autoencoder.b_enc.copy_(torch.linspace(0.3, -2.0, 64))
    place = "blocks.0.hook_resid_pre"
    autoencoder.cfg.metadata.hook_name = place
    tokens = torch.randint(0, 50, (9, 9))
    with record(model, per="position") as recording:
        model.run_with_saes(tokens, saes=[autoencoder])
        model(tokens)
    census = recording.census()
    with torch.no_grad():
        _, cache = model.run_with_cache(tokens)
        latents = autoencoder.encode(cache[place])
    expected = (latents != 0).sum((0, 1)).numpy()
    counts = census[f"{place}.hook_sae_acts_post"]
    assert np.array_equal(counts.counts, expected)
    assert (counts.samples, census["blocks.0.mlp.hook_post"].samples) == (81, 162)
    assert len(census) == 2


@pytest.mark.slow
def test_the_training_of_an_autoencoder_of_sae_lens_is_logged() -> None:
    library = model_library("sae_lens")
    steps = model_library("sae_lens.saes.sae")
    config = library.TopKTrainingSAEConfig(d_in=16, d_sae=64, k=4)
    autoencoder = library.TopKTrainingSAE(config)
    optimiser = torch.optim.Adam(autoencoder.parameters(), lr=1e-2)
    log = TrainingLog(autoencoder, window=50)
    log.start()
    expected = torch.zeros(64, dtype=torch.long)
    for step in range(4):
        x = torch.randn(25, 16)
        with torch.no_grad():
            log.stop()
            expected += (autoencoder.encode(x) != 0).sum(0)
            log.start()
        given = steps.TrainStepInput(
            sae_in=x,
            coefficients={},
            dead_neuron_mask=None,
            n_training_steps=step,
            is_logging_step=False,
        )
        autoencoder.training_forward_pass(given).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    log.stop()
    counts = log.census()["hook_sae_acts_post"]
    assert counts.counts.tolist() == expected.tolist()
    assert counts.regime == "training"
    metrics = log.metrics()
    assert metrics["l0/hook_sae_acts_post"] == pytest.approx(4)
    assert metrics["working/hook_sae_acts_post"] == int((expected > 0).sum())
    assert "dead_frac/hook_sae_acts_post" in metrics
