"""Files of pruned models, and what cannot be read from them."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from actilaw import load_pruned, prune
from actilaw.errors import FileError, InputError, ModelError
from builders.prunable import INPUTS, census_of, half_idle


def saved(folder) -> None:
    model = half_idle()
    prune(model, census_of(model, INPUTS), INPUTS[:4]).save(folder)


def test_the_manifest_says_what_was_removed(tmp_path) -> None:
    saved(tmp_path / "new" / "folder")
    manifest = json.loads((tmp_path / "new" / "folder" / "pruned.json").read_text())
    census = census_of(half_idle(), INPUTS)
    assert manifest["removed"]["relu_a"] == census["relu_a"].idle_units.tolist()
    assert manifest["units_before"] == {"relu_a": 12, "relu_b": 8}
    assert manifest["sizes"]["b"] == {
        "in_features": census["relu_a"].working,
        "out_features": census["relu_b"].working,
    }


def test_weights_that_modules_share_stay_shared(tmp_path) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.into, self.act = nn.Linear(5, 9), nn.ReLU()
            self.out, self.twin = nn.Linear(9, 3), nn.Linear(9, 3)
            self.twin.weight = self.out.weight

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            hidden = self.act(self.into(x))
            return self.out(hidden) + self.twin(hidden)

    torch.manual_seed(0)
    model = Tied()
    with torch.no_grad():
        model.into.bias[:4] = -100
    result = prune(model, census_of(model, INPUTS), INPUTS[:4])
    result.save(tmp_path)
    loaded = load_pruned(Tied, tmp_path)
    for smaller in (result.model, loaded):
        assert smaller.out.weight is smaller.twin.weight
        assert smaller.out.weight.shape[1] <= 5
    assert torch.equal(loaded(INPUTS), result.model(INPUTS))


def test_another_architecture_is_refused_by_name(tmp_path) -> None:
    saved(tmp_path)
    with pytest.raises(
        ModelError,
        match=r"expected a factory of the model that was pruned, but .* attribute `[abc]`",
    ):
        load_pruned(lambda: nn.Sequential(nn.Linear(5, 12)), tmp_path)

    def larger() -> nn.Module:
        model = half_idle()
        model.add_module("more", nn.Linear(3, 3))
        return model

    with pytest.raises(ModelError, match=r"it has more\.bias, more\.weight besides"):
        load_pruned(larger, tmp_path)
    with pytest.raises(InputError, match="expected a function that makes the model"):
        load_pruned("model", tmp_path)  # type: ignore[arg-type]


def test_files_that_are_none_are_refused(tmp_path) -> None:
    with pytest.raises(FileError, match="cannot read the pruned model"):
        load_pruned(half_idle, tmp_path / "nowhere")
    saved(tmp_path)
    (tmp_path / "pruned.json").write_text("{}")
    with pytest.raises(FileError, match="cannot be understood"):
        load_pruned(half_idle, tmp_path)
    saved(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(FileError, match="cannot be understood"):
        load_pruned(half_idle, tmp_path)
    (tmp_path / "file").write_text("")
    model = half_idle()
    with pytest.raises(FileError, match="cannot make the folder"):
        prune(model, census_of(model, INPUTS), INPUTS[:4]).save(tmp_path / "file")
