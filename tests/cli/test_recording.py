"""`actilaw record` and `actilaw merge`: what they print, write and refuse."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from actilaw import Census, load
from builders.command import actilaw, assert_one_sentence

MAKERS = """
import torch
from torch import nn

def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 40), nn.ReLU(), nn.Linear(40, 3))

def data():
    return torch.randn(5, 20, 6, generator=torch.Generator().manual_seed(1))
"""


def test_record_counts_what_the_makers_make(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cli_makers.py").write_text(MAKERS)
    monkeypatch.syspath_prepend(tmp_path)
    flags = ("--model", "cli_makers:model", "--data", "cli_makers:data", "-o", "census", "--json")
    done = actilaw("record", *flags, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    counts = load(tmp_path / "census")["1"]
    said = json.loads(done.stdout)
    assert said["census"] == str(tmp_path / "census")
    assert said["layers"]["1"]["samples"] == counts.samples == 100
    assert said["layers"]["1"]["working"] == counts.working
    again = actilaw("record", *flags, folder=tmp_path)
    assert json.loads(again.stdout) == said
    assert "was finished before, and not counted again" in again.stderr


@pytest.mark.parametrize("sources", [(), ("--data", "a:b", "--text", "c")])
def test_record_takes_either_data_or_text(sources: tuple[str, ...]) -> None:
    done = actilaw("record", "--model", "a:b", "-o", "census", *sources)
    assert_one_sentence(done, "expected either --data package.module:function or --text FILE")


def test_merge_adds_up_and_says_what_a_layer_holds(census: Path, tmp_path: Path) -> None:
    done = actilaw("merge", census, census, "-o", tmp_path / "sum", "--json")
    one, both = load(census), load(tmp_path / "sum")
    layers = json.loads(done.stdout)["layers"]
    for name, counts in both.items():
        assert np.array_equal(counts.counts, 2 * one[name].counts)
        assert layers[name] == Census(both).summary().loc[name].to_dict()
    shown = actilaw("merge", census, census, "-o", tmp_path / "sum").stdout
    assert f"first: {both['first'].working:,} of 800 units working" in shown
    assert f"Census: {tmp_path / 'sum'}" in shown
