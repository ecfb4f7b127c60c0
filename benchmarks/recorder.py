"""What counting costs: the kernel beside reading memory, a recorded forward pass beside a plain one
and a user's hook.

Each pair is timed in turns in one process, so that a machine that slows down slows both; ratios are
of medians. Counting holds to the speed of memory, so a machine whose memory others use shows more.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from actilaw import Positive, Relative, Threshold, counter, record
from actilaw.recording.kernels.dispatch import count
from actilaw.recording.kernels.levels import rows_of

ROUNDS = 15
RUNS = 10  # of three rounds each, of a whole forward pass


def rounds_of(*jobs: Callable[[], object], rounds: int = ROUNDS) -> np.ndarray:
    """Seconds of each job in each round (jobs, rounds), all taking turns."""
    times: list[list[float]] = [[] for _ in jobs]
    for _ in range(rounds + 2):
        for job, taken in zip(jobs, times, strict=True):
            start = time.perf_counter()
            job()
            taken.append(time.perf_counter() - start)
    # The first two rounds compile, and fill caches.
    return np.array(times)[:, 2:]


def in_turns(*jobs: Callable[[], object], rounds: int = ROUNDS) -> list[float]:
    """Median seconds of each job, all taking turns."""
    return np.median(rounds_of(*jobs, rounds=rounds), axis=1).tolist()


def kernels() -> None:
    print("Counting one batch of 4096 x 4096 activations (milliseconds, ratio to torch.amax)")
    head = f"{'precision':10} {'rule':16} {'kernel':>8} {'amax':>8} {'ratio':>6}"
    print(f"{head} {'(x>0).sum(0)':>13} {'count_nonzero':>14}")
    for precision in (torch.float32, torch.bfloat16):
        x = torch.randn(4096, 4096).to(precision)
        for rule in (Positive(), Threshold(0.5), Relative(0.1)):
            times = in_turns(
                lambda x=x, rule=rule: count(rows_of(x[:, None], rule)),
                lambda x=x: torch.amax(x),
                lambda x=x: (x > 0).sum(0),
                lambda x=x: torch.count_nonzero(x, 0),
            )
            kernel, amax, plain, nonzero = np.multiply(1e3, times)
            print(
                f"{str(precision)[6:]:10} {rule!s:16} {kernel:8.2f} {amax:8.2f} "
                f"{kernel / amax:6.2f} {plain:13.1f} {nonzero:14.1f}"
            )


def stack() -> nn.Sequential:
    """The feed-forward half of GPT-2: twelve layers, 768 to 3072 and back."""
    torch.manual_seed(0)
    layers = [
        module
        for _ in range(12)
        for module in (nn.Linear(768, 3072), nn.ReLU(), nn.Linear(3072, 768))
    ]
    return nn.Sequential(*layers)


def forward() -> None:
    print("\nForward pass of twelve 768-3072-768 layers on 4,096 tokens: longer than plain by")
    plain, again, recorded, hooked = stack(), stack(), stack(), stack()
    tokens = torch.randn(16, 256, 768)
    counts: dict[nn.Module, torch.Tensor] = {}

    def users_hook(module: nn.Module, _: object, output: torch.Tensor) -> None:
        counts[module] = counts.get(module, 0) + (output > 0).sum((0, 1))

    for module in hooked:
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(users_hook)
    with torch.no_grad(), record(recorded, per="token") as recording:
        models = (plain, again, recorded, hooked)
        times = rounds_of(*(lambda m=m: m(tokens) for m in models), rounds=3 * RUNS)
    bare, *others = np.median(times.reshape(4, RUNS, 3), axis=2)
    titles = ("plain once more (noise)", "recorded", "a hook with (output > 0).sum()")
    for title, longer in zip(titles, (other / bare - 1 for other in others), strict=True):
        print(
            f"{title:30} median of {RUNS} runs {np.median(longer):+.1%}, worst {longer.max():+.1%}"
        )
    for name, found in recording.census().items():
        assert (found.counts == counts[hooked[int(name)]].numpy()).all()  # both count the same


MEMORY = """
import resource, sys, torch
from actilaw import record
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(64, 16384), torch.nn.ReLU())
with record(model) as recording, torch.no_grad():
    for _ in range(int(sys.argv[1])):
        model(torch.randn(64, 64))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def memory() -> None:
    peaks = {}
    for batches in (20, 2000):
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, str(batches)], capture_output=True, text=True, check=True
        )
        peaks[64 * batches] = json.loads(done.stdout)
    print("\nPeak memory of a process that records 16,384 units:", end=" ")
    print(", ".join(f"{samples:,} samples {peak:.0f} MiB" for samples, peak in peaks.items()))


def sparse() -> None:
    units, active, samples = 1_000_000, 32, 64
    print(f"\nCounting {samples} samples of {units:,} latents with {active} active (milliseconds)")
    indices = torch.stack([torch.randperm(units)[:active] for _ in range(samples)])
    latents = torch.zeros(samples, units).scatter_(1, indices, 1.0)
    by_index, by_latent = counter(), counter()
    sparse_time, dense_time = in_turns(
        lambda: by_index.update_indices(indices, units), lambda: by_latent.update(latents), rounds=9
    )
    print(
        f"by index {1e3 * sparse_time:.3f}, dense {1e3 * dense_time:.1f}, ratio "
        f"{dense_time / sparse_time:.0f}"
    )
    assert (by_index.counts().counts == by_latent.counts().counts).all()


if __name__ == "__main__":
    kernels()
    forward()
    memory()
    sparse()
