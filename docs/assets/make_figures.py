"""Draw the figures of the tutorials, when a tutorial changes: `python docs/assets/make_figures.py`.

It trains what the tutorials train, in about a minute, and writes dead_latents.svg and
loss_curve.svg beside itself.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes

from actilaw import fit, fit_loss, record
from actilaw.study.networks import TopK, digits, learning_curve, train_autoencoder

HERE = Path(__file__).parent
SIZES = [5, 10, 20, 40, 80, 160, 320, 640, 1347]
STYLE = {
    "axes.prop_cycle": plt.cycler(color=["#00897b"]),  # of the site: curve, band and dots
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 10,
    "legend.frameon": False,
    "lines.markersize": 4,
    "svg.fonttype": "none",  # text stays text, in the reader's font
    "svg.hashsalt": "actilaw",  # the same file from the same figure
}


def dead_latents(axes: Axes) -> None:
    task = digits()
    autoencoder = train_autoencoder(task.inputs, latents=2048, activation=TopK(16), steps=300)
    vectors = torch.cat([task.inputs, task.test_inputs])
    vectors = vectors[torch.randperm(len(vectors), generator=torch.Generator().manual_seed(0))]
    with torch.no_grad(), record(autoencoder) as recording:
        for batch in vectors.split(32):
            autoencoder(batch)
    counts = recording.census()["activation"]
    fit(counts).plot(axes)
    axes.set(xlabel="samples", ylabel=f"working latents, of {counts.units:,}")


def loss_curve(axes: Axes) -> None:
    curve = learning_curve(digits(), SIZES, units=256, steps=300)
    fit_loss(curve["samples"], curve["loss"]).plot(axes)
    axes.set(xlabel="training images", ylabel="test loss, nats per image")


def main() -> None:
    for draw in (dead_latents, loss_curve):
        with plt.rc_context(STYLE):
            figure, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
            draw(axes)
            axes.legend(fontsize=9)
            figure.savefig(
                HERE / f"{draw.__name__}.svg", metadata={"Date": None}, facecolor="white"
            )


if __name__ == "__main__":
    main()
