"""Recording to a file, by the library and by the commands `actilaw record` and `actilaw merge`.

A run that is killed at any moment, and taken up again, ends as if undisturbed.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from torch import nn

from actilaw import Census, load, record
from actilaw.errors import CountsError, FileError, InputError
from actilaw.recording.fingerprint import weights_fingerprint
from actilaw.recording.to_file import record_to_file
from actilaw.recording.whole_texts import samples_are_texts
from builders import command
from builders.command import Done, actilaw_started, forget_modules_in
from builders.recorded import INPUTS, TOKENS, assert_same, mlp, recorded

MAKERS = """
import time
import torch
from torch import nn

def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 50), nn.ReLU(), nn.Dropout(0.5), nn.Linear(50, 20), nn.ReLU())

def data():
    return torch.randn(600, 6, generator=torch.Generator().manual_seed(1)).split(10)

def slow_data():
    for batch in data():
        time.sleep(0.02)
        yield batch, "a label"

def unseeded():
    torch.seed()
    return nn.Sequential(nn.Linear(6, 50), nn.ReLU())

def other_batches():
    return torch.randn(600, 6, generator=torch.Generator().manual_seed(1)).split(20)

def number():
    return 3

def nothing():
    return []

def broken():
    return nn.Linear(2, 2)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "makers.py").write_text(MAKERS)
    return tmp_path


def actilaw(folder: Path, *arguments: object) -> Done:
    """Run the command, which finds the folder's makers as they are now."""
    forget_modules_in(folder)
    with mock.patch.object(sys, "path", [str(folder), *sys.path]):
        try:
            return command.actilaw(*arguments, folder=folder)
        finally:
            forget_modules_in(folder)


RECORD = ("record", "--model", "makers:model")


def cut_short(batches: Sequence[torch.Tensor], after: int) -> Iterator[torch.Tensor]:
    """Batches from a loader that fails after some of them."""
    yield from batches[:after]
    raise KeyboardInterrupt


def test_a_run_cut_short_goes_on_and_ends_as_if_undisturbed(tmp_path: Path) -> None:
    path, batches = tmp_path / "census", INPUTS.split(7)
    with pytest.raises(KeyboardInterrupt):
        record_to_file(mlp(), cut_short(batches, after=6), path, save_every=0)
    assert (load(path).about["batches"], load(path).about["finished"]) == (6, False)
    steps: list[int] = []
    census = record_to_file(mlp(), batches, path, progress=steps.append)
    assert steps == list(range(7, len(batches) + 1))
    assert_same(census, recorded(mlp(), [INPUTS]))
    assert_same(census, load(path))
    assert load(path).about["uncovered"] == ["4"]


def test_a_file_of_another_network_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "census"
    record_to_file(mlp(), [INPUTS], path)
    with pytest.raises(FileError, match=r"something else \(of other weights\): name"):
        record_to_file(mlp(width=41), [INPUTS], path)
    with pytest.raises(CountsError, match="expected at least one batch, but the loader is empty"):
        record_to_file(mlp(), [], tmp_path / "other")
    assert not (tmp_path / "other").exists()


class Failing(nn.Module):
    """A network that does something, once, in its forward pass number `at`, counted from 1: before
    its layers run, or between two of them.
    """

    def __init__(self, at: int, act: Callable[[], None], between: bool = False) -> None:
        super().__init__()
        self.layers, self.between = mlp(), between
        self.passes, self.at, self.act = 0, at, act

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.passes += 1
        middle = self.layers[:2](x) if self.between else x
        if self.passes == self.at:
            self.act()
        return self.layers[2:](middle) if self.between else self.layers(middle)


def send(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def fail() -> None:
    raise RuntimeError("out of memory")


def goes_on(path: Path, batches: Sequence[torch.Tensor]) -> None:
    """Taken up again, the run ends as if undisturbed."""
    undisturbed = record_to_file(Failing(0, fail), batches, path.with_name("undisturbed"))
    ended = record_to_file(Failing(0, fail), batches, path)
    assert_same(ended, undisturbed)
    assert ended.about == undisturbed.about


@pytest.mark.parametrize("between", [False, True])
@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_a_signal_stops_the_run_after_the_batch_and_what_was_counted_is_saved(
    tmp_path: Path, number: int, error: type[BaseException], between: bool
) -> None:
    path, batches = tmp_path / "census", INPUTS.split(7)
    handlers = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(error) as stop:
        record_to_file(Failing(4, send(number), between), batches, path)
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert stop.value.__notes__ == [
        f"the counts of 4 batches are saved in {path}; the same command goes on from there"
    ]
    if error is SystemExit:
        assert stop.value.code == 143
    assert (load(path).about["batches"], load(path).about["finished"]) == (4, False)
    goes_on(path, batches)


def test_a_second_signal_is_not_held_back(tmp_path: Path) -> None:
    """The batch that it cuts short is counted in one layer: the last whole batch is what stays."""
    path, batches, went_on = tmp_path / "census", INPUTS.split(7), []

    def twice() -> None:
        send(signal.SIGINT)()
        send(signal.SIGINT)()
        went_on.append("after the second")

    with pytest.raises(KeyboardInterrupt):
        record_to_file(Failing(4, twice, between=True), batches, path, save_every=0)
    assert not went_on
    assert load(path).about["batches"] == 3
    goes_on(path, batches)


def test_a_signal_that_ends_workers_too_is_told_as_the_signal(tmp_path: Path) -> None:
    """As of a shell that stops a whole group: the batch fails for want of its workers."""
    path, batches = tmp_path / "census", INPUTS.split(7)

    def stopped() -> None:
        send(signal.SIGTERM)()
        raise RuntimeError("worker is killed by signal: Terminated")

    with pytest.raises(SystemExit) as stop:
        record_to_file(Failing(4, stopped), batches, path)
    assert stop.value.code == 143
    assert "counts of 3 batches are saved" in stop.value.__notes__[0]
    goes_on(path, batches)


def test_an_error_of_the_model_or_the_data_saves_whole_batches_first(tmp_path: Path) -> None:
    path, batches = tmp_path / "census", INPUTS.split(7)
    with pytest.raises(RuntimeError, match="out of memory") as error:
        record_to_file(Failing(6, fail), batches, path)
    assert "counts of 5 batches are saved" in error.value.__notes__[0]
    assert load(path).about["batches"] == 5
    with pytest.raises(RuntimeError, match="out of memory") as error:
        record_to_file(Failing(3, fail, between=True), batches, path)
    # The second batch after those five was the last whole one, but no longer the state counted.
    assert "counts of 5 batches are saved" in error.value.__notes__[0]
    with pytest.raises(KeyboardInterrupt) as stop:
        record_to_file(Failing(0, fail), cut_short(batches, after=9), path)
    assert "counts of 9 batches are saved" in stop.value.__notes__[0]
    goes_on(path, batches)


def test_where_nothing_was_counted_nothing_is_saved(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError) as error:
        record_to_file(Failing(1, fail), [INPUTS], tmp_path / "census")
    assert error.value.__notes__ == ["nothing was counted that could be saved"]
    assert not list(tmp_path.iterdir())


def test_a_save_that_fails_does_not_hide_the_error(tmp_path: Path, monkeypatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RuntimeError, match="out of memory") as error:
        record_to_file(Failing(2, fail), [INPUTS, INPUTS], tmp_path / "census")
    assert "what was counted could not be saved: cannot write" in error.value.__notes__[0]


def test_handlers_of_the_program_and_other_threads_are_left_alone(tmp_path: Path) -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        record_to_file(Failing(1, send(signal.SIGTERM)), [INPUTS], tmp_path / "a")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]
    elsewhere = threading.Thread(target=record_to_file, args=(mlp(), [INPUTS], tmp_path / "b"))
    elsewhere.start()
    elsewhere.join()
    assert load(tmp_path / "b").about["finished"]


@pytest.mark.slow
def test_a_file_says_which_recording_network_and_versions_it_is_of(tmp_path: Path) -> None:
    path, batches = tmp_path / "census", INPUTS.split(7)
    with pytest.raises(KeyboardInterrupt):
        record_to_file(mlp(), cut_short(batches, after=6), path, about={"seed": 3})
    begun = load(path)
    ended = record_to_file(mlp(), batches, path, about={"seed": np.int64(3)})
    assert ended.weights == begun.weights == weights_fingerprint(mlp())
    assert ended.recordings == begun.recordings
    assert len(ended.recordings) == 1
    assert ended.about["versions"] == {"actilaw": "0.1.0", "torch": str(torch.__version__)}
    assert ended.about["seed"] == 3
    another = record_to_file(mlp(), batches, tmp_path / "another")
    assert set(another.recordings).isdisjoint(ended.recordings)
    with pytest.raises(InputError, match="counts of one and the same recording"):
        ended.merge(begun)
    assert ended.merge(another)["1"].samples == 200


def test_other_batch_norm_statistics_are_another_network(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 9), nn.BatchNorm1d(9), nn.ReLU())
    batches = INPUTS.split(50)
    with pytest.raises(KeyboardInterrupt):
        record_to_file(model, cut_short(batches, after=1), tmp_path / "census")
    assert model.training
    model(INPUTS)  # which moves the statistics, and no parameter
    with pytest.raises(FileError, match=r"something else \(of other weights\)"):
        record_to_file(model, batches, tmp_path / "census")


class Branches(nn.Module):
    """A layer for inputs above zero, and another for those below."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.above = nn.Sequential(nn.Linear(6, 5), nn.ReLU())
        self.below = nn.Sequential(nn.Linear(6, 5), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.above(x) if x.sum() > 0 else self.below(x)


@pytest.mark.filterwarnings("ignore:no sample passed through")
def test_a_run_goes_on_when_a_layer_had_seen_no_sample(tmp_path: Path) -> None:
    path, batches = tmp_path / "census", [INPUTS.abs(), INPUTS.abs(), -INPUTS.abs(), INPUTS.abs()]
    with pytest.raises(KeyboardInterrupt):
        record_to_file(Branches(), cut_short(batches, after=2), path)
    assert list(load(path)) == ["above.1"]
    ended = record_to_file(Branches(), batches, path)
    assert_same(ended, recorded(Branches(), batches))


def test_batches_that_reach_no_layer_are_no_reason_to_stop(tmp_path: Path) -> None:
    model = Branches()
    layers, batches = ["below.1"], [INPUTS.abs(), -INPUTS.abs()]
    census = record_to_file(model, batches, tmp_path / "census", layers=layers, save_every=0)
    assert census["below.1"].samples == 100


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"about": {"finished": True}}, r"other than batches, .*, but got finished: rename them"),
        ({"about": {"a": {1}}}, r"as about\['a'\], but got \{1\}"),
        ({"about": 3}, "expected `about` as a mapping"),
        ({"save_every": -1}, "expected finite save_every >= 0"),
        ({"save_every": float("nan")}, "expected finite save_every >= 0"),
        ({"batches": 3}, "expected an iterable of batches, but got int"),
        ({"batches": [()]}, "expected batches whose first item is the input, but got an empty"),
        ({"model": "model"}, "expected a torch module with weights, but got str"),
        ({"model": nn.Linear(2, 2, device="meta")}, "expected weights with values"),
    ],
)
def test_wrong_arguments_are_refused_in_a_sentence(tmp_path: Path, arguments, said: str) -> None:
    given = {"model": mlp(), "batches": [INPUTS], "path": tmp_path / "census"} | arguments
    with pytest.raises(InputError, match=said):
        record_to_file(**given)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_language_model_recorded_with_texts_as_samples_is_warned_of(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Embedding(50, 8), nn.Linear(8, 8), nn.ReLU())
    with pytest.warns(UserWarning, match=r"a sample is a whole text here, .* per='token'"):
        record_to_file(model, [TOKENS], tmp_path / "a")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        record_to_file(model, [TOKENS], tmp_path / "b", per="token")
        record_to_file(model, [TOKENS[:, :1]], tmp_path / "c")
        record_to_file(mlp(), [INPUTS], tmp_path / "d")
        record_to_file(mlp(), [(INPUTS, TOKENS)], tmp_path / "e")
    assert samples_are_texts(model, {"input_ids": TOKENS, "attention_mask": TOKENS}, "sample")
    assert not samples_are_texts(model, {"input_ids": TOKENS.float()}, "sample")
    assert not samples_are_texts(model, "text", "sample")


def test_a_file_of_an_earlier_version_is_not_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "census"
    path.write_bytes((Path(__file__).parents[1] / "data" / "format_2.census").read_bytes())
    with pytest.raises(FileError, match="of an earlier version, whose checksum of the weights"):
        record_to_file(mlp(), [INPUTS], path)


@pytest.mark.slow
def test_recording_to_a_file_counts_what_the_library_counts(folder: Path) -> None:
    done = actilaw(folder, *RECORD, "--data", "makers:data", "-o", "census", "--json")
    assert done.returncode == 0, done.stderr
    namespace: dict = {}
    exec(MAKERS, namespace)  # the same text that the command imports
    model = namespace["model"]().eval()
    with record(model) as recording, torch.no_grad():
        for batch in namespace["data"]():
            model(batch)
    assert_same(load(folder / "census"), recording.census())
    document = json.loads(done.stdout)
    assert document["layers"]["1"]["working"] == recording.census()["1"].working
    assert document["layers"]["1"]["regime"] == "frozen"
    assert document["uncovered"] == []
    assert load(folder / "census").about["model"] == "makers:model"


@pytest.mark.slow
def test_a_run_killed_at_any_moment_goes_on_and_ends_as_if_undisturbed(folder: Path) -> None:
    slow = (*RECORD, "--data", "makers:slow_data", "--save-every", "0", "-o")
    deaths = 0
    for wait in (0.1, 0.4, 0.2):
        running = actilaw_started(*slow, "killed", folder=folder)
        start = time.monotonic()
        batches = load(folder / "killed").about["batches"] if (folder / "killed").exists() else 0
        # Wait until it has got on a little, then a little more.
        while time.monotonic() - start < 30:
            time.sleep(0.05)
            if (folder / "killed").exists() and load(folder / "killed").about["batches"] > batches:
                break
        time.sleep(wait / 4)
        running.send_signal(signal.SIGKILL)
        running.communicate()
        deaths += not load(folder / "killed").about["finished"]
    assert deaths >= 2  # or the run was over before it could be killed
    assert actilaw(folder, *slow, "killed").returncode == 0
    assert actilaw(folder, *slow, "whole").returncode == 0
    assert_same(load(folder / "killed"), load(folder / "whole"))
    assert load(folder / "killed").about == load(folder / "whole").about


@pytest.mark.slow
def test_a_finished_file_is_not_counted_again(folder: Path) -> None:
    first = actilaw(folder, *RECORD, "--data", "makers:data", "-o", "census")
    before = (folder / "census").read_bytes()
    again = actilaw(folder, *RECORD, "--data", "makers:data", "-o", "census")
    assert (first.returncode, again.returncode) == (0, 0)
    assert "was finished before, and not counted again" in again.stderr
    assert (folder / "census").read_bytes() == before


@pytest.mark.slow
def test_merging_two_files(folder: Path) -> None:
    for name in ("a", "b"):
        actilaw(folder, *RECORD, "--data", "makers:data", "-o", name)
    done = actilaw(folder, "merge", "a", "b", "-o", "c")
    assert done.returncode == 0
    assert load(folder / "c")["1"].samples == 1200
    assert_same(load(folder / "c"), load(folder / "a").merge(load(folder / "b")))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((*RECORD, "-o", "c"), "expected either --data package.module:function or --text FILE"),
        ((*RECORD, "--data", "makers:nothing", "-o", "c"), "the loader is empty"),
        (
            (*RECORD, "--data", "makers:number", "-o", "c"),
            "expected an iterable of batches, but got int",
        ),
        (
            (*RECORD, "--data", "makers:nowhere", "-o", "c"),
            "expected 'makers:nowhere' to name a function",
        ),
        (
            (*RECORD, "--data", "makers", "-o", "c"),
            "expected package.module:function, but got 'makers'",
        ),
        (
            ("record", "--model", "makers:broken", "--data", "makers:data", "-o", "c"),
            "expected a model with a layer",
        ),
        (
            (*RECORD, "--data", "makers:data", "--criterion", "big", "-o", "c"),
            "expected positive, threshold(0.1)",
        ),
        ((*RECORD, "--data", "makers:data", "-o", "missing/c"), "does not exist"),
        (
            ("record", "--model", "nowhere", "--text", "makers.py", "-o", "c"),
            "expected a model of Transformers at",
        ),
        (
            ("record", "--model", "x", "--text", "nowhere.txt", "-o", "c"),
            "expected a UTF-8 text file",
        ),
    ],
)
def test_mistakes_are_one_sentence_and_leave_nothing(
    folder: Path, arguments: tuple, said: str
) -> None:
    if "--text" in arguments:
        pytest.importorskip("transformers")
    done = actilaw(folder, *arguments)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert done.stderr.strip().count("\n") == 0
    assert not (folder / "c").exists()


@pytest.mark.slow
def test_a_file_of_another_run_is_left_alone(folder: Path) -> None:
    actilaw(folder, *RECORD, "--data", "makers:data", "-o", "census")
    before = (folder / "census").read_bytes()
    done = actilaw(folder, *RECORD, "--data", "makers:slow_data", "-o", "census")
    assert done.returncode == 2
    assert "already holds a census of something else" in done.stderr
    assert (folder / "census").read_bytes() == before


@pytest.mark.slow
def test_a_run_goes_on_only_with_the_same_network_flags_and_batches(folder: Path) -> None:
    actilaw(folder, "record", "--model", "makers:unseeded", "--data", "makers:data", "-o", "a")
    again = actilaw(
        folder, "record", "--model", "makers:unseeded", "--data", "makers:data", "-o", "a"
    )
    assert "of other weights" in again.stderr
    masked = actilaw(
        folder,
        "record",
        "--model",
        "makers:unseeded",
        "--data",
        "makers:data",
        "--mask",
        "x",
        "-o",
        "a",
    )
    assert "mask" in masked.stderr
    actilaw(folder, *RECORD, "--data", "makers:data", "-o", "b")
    census = load(folder / "b")
    unfinished = {**census.about, "finished": False, "batches": 30, "entries": 300}
    dataclasses.replace(census, about=unfinished).save(folder / "b")
    (folder / "makers.py").write_text(
        MAKERS.replace("def data()", "def old()").replace("def other_batches()", "def data()")
    )
    other = actilaw(folder, *RECORD, "--data", "makers:data", "-o", "b")
    assert (
        "holds the counts of 30 batches with 300 entries, but the first 30 batches now have 600"
        in other.stderr
    )
    assert (again.returncode, masked.returncode, other.returncode) == (2, 2, 2)


@pytest.mark.slow
def test_censuses_that_differ_are_not_merged(folder: Path) -> None:
    actilaw(folder, *RECORD, "--data", "makers:data", "-o", "a")
    actilaw(folder, *RECORD, "--data", "makers:data", "--criterion", "threshold(0.1)", "-o", "b")
    actilaw(folder, *RECORD, "--data", "makers:data", "--layers", "1", "-o", "c")
    rules, layers = (
        actilaw(folder, "merge", "a", "b", "-o", "d"),
        actilaw(folder, "merge", "a", "c", "-o", "d"),
    )
    assert "layer '1': counts can be merged only if criterion agree" in rules.stderr
    assert "only one has 4" in layers.stderr
    assert (rules.returncode, layers.returncode) == (2, 2)
    assert not (folder / "d").exists()


@pytest.mark.slow
def test_a_language_model_over_a_text_file(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    text = "the quick brown fox jumps over the lazy dog and runs away from the dog again . " * 20
    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator([text], trainers.WordLevelTrainer(special_tokens=["[UNK]"]))
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]"
    ).save_pretrained(tmp_path / "lm")
    torch.manual_seed(0)
    config = transformers.GPT2Config(n_embd=16, n_layer=2, n_head=2, vocab_size=40, n_positions=64)
    transformers.GPT2LMHeadModel(config).save_pretrained(tmp_path / "lm")
    (tmp_path / "text.txt").write_text(text)
    flags = ("--text", "text.txt", "--length", "32", "--batch", "3")
    done = actilaw(tmp_path, "record", "--model", "lm", *flags, "-o", "census")
    assert done.returncode == 0, done.stderr
    census: Census = load(tmp_path / "census")
    tokens = tokenizer.encode(text).ids
    model = transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "lm").eval()
    kept: list[torch.Tensor] = []
    model.transformer.h[1].mlp.act.register_forward_hook(
        lambda _m, _i, out: kept.append(out.flatten(0, 1))
    )
    with torch.no_grad():
        for start in range(0, len(tokens), 32):
            model(torch.tensor([tokens[start : start + 32]]))
    x = torch.cat(kept).abs().double()
    counts = census["transformer.h.1.mlp.act"]
    assert counts.samples == len(tokens) == len(x)
    difference = counts.counts - (x > 0.1 * x.amax(-1, keepdim=True)).sum(0).numpy()
    # Batches of three and of one round differently in the last bit.
    assert abs(difference).sum() <= 3
