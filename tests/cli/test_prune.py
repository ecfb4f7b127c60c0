"""`actilaw prune`: what it prints, writes and refuses."""

from __future__ import annotations

import json
import sys
import uuid
from pathlib import Path

import pytest
import torch

from actilaw import load_pruned
from builders.command import actilaw, assert_one_sentence

MAKERS = """
import torch
from torch import nn

def model():
    torch.manual_seed(0)
    made = nn.Sequential(nn.Linear(6, 40), nn.ReLU(), nn.Linear(40, 3))
    with torch.no_grad():
        made[0].bias[::4] = -100
    return made

def other():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(6, 40), nn.ReLU(), nn.Linear(40, 3))

def data():
    return torch.randn(5, 20, 6, generator=torch.Generator().manual_seed(1))

def none():
    return []
"""


@pytest.fixture
def makers(tmp_path: Path) -> str:
    name = f"makers_{uuid.uuid4().hex}"
    (tmp_path / f"{name}.py").write_text(MAKERS)
    made = actilaw(
        "record", "--model", f"{name}:model", "--data", f"{name}:data", "-o", "counts.safetensors",
        folder=tmp_path,
    )  # fmt: skip
    assert made.returncode == 0
    return name


def prune_with(makers: str, folder: Path, *more: object, model: str = "model"):
    return actilaw(
        "prune", "--model", f"{makers}:{model}", "--counts", "counts.safetensors",
        "-o", "smaller", *more, folder=folder,
    )  # fmt: skip


@pytest.mark.slow
def test_it_writes_a_smaller_model_that_returns_the_same(makers: str, tmp_path: Path) -> None:
    done = prune_with(makers, tmp_path, "--data", f"{makers}:data", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told["layers"]["1"]["after"] == 30
    assert told["exact"]
    assert told["verified"]["samples affected"] == 0
    factory = sys.modules[makers]
    loaded = load_pruned(factory.model, tmp_path / "smaller")
    assert loaded[0].out_features == 30
    for batch in factory.data():
        torch.testing.assert_close(loaded(batch), factory.model()(batch), rtol=0, atol=1e-6)


@pytest.mark.slow
def test_it_prints_tables_and_stays_within_a_budget(makers: str, tmp_path: Path) -> None:
    done = prune_with(makers, tmp_path, "--data", f"{makers}:data", "--budget", "0.2")
    assert (done.returncode, done.stderr) == (0, "")
    assert "expected share of samples affected" in done.stdout
    manifest = json.loads((tmp_path / "smaller" / "pruned.json").read_text())
    assert manifest["budget"] == 0.2
    assert len(manifest["removed"]["1"]) >= 10


@pytest.mark.slow
def test_mistakes_are_a_sentence(makers: str, tmp_path: Path) -> None:
    data = ("--data", f"{makers}:data")
    refused = {
        "recorded with other weights": prune_with(makers, tmp_path, *data, model="other"),
        "expected at least one batch": prune_with(makers, tmp_path, "--data", f"{makers}:none"),
        "--budget": prune_with(makers, tmp_path, *data, "--budget", "3"),
        "expected either --data": prune_with(makers, tmp_path),
        "expected a budget": prune_with(makers, tmp_path, *data, "--ranking", "count"),
    }
    for said, done in refused.items():
        assert_one_sentence(done, said)
    assert not (tmp_path / "smaller").exists()
