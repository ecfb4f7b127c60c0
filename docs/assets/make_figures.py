"""Draw the figures of README and the tutorials, when one of these changes, or a forecast does:
`python docs/assets/make_figures.py`.

It trains what they train, in about a minute, and writes early_forecast.svg, dead_latents.svg and
loss_curve.svg beside itself.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes

from actilaw import fit, fit_loss, record
from actilaw.backtesting.backtest import early_parts
from actilaw.fitting.plot import draw_forecast
from actilaw.study.networks import TopK, digits, learning_curve, train, train_autoencoder
from actilaw.support.numerics import log_grid

HERE = Path(__file__).parent
SIZES = [5, 10, 20, 40, 80, 160, 320, 640, 1347]
STYLE = {
    "axes.prop_cycle": plt.cycler(color=["#00897b", "#c2410c"]),  # the first is that of the site
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 10,
    "legend.frameon": False,
    "lines.markersize": 4,
    "svg.fonttype": "none",  # text stays text, in the reader's font
    "svg.hashsalt": "actilaw",  # the same file from the same figure
}


def early_forecast(axes: Axes) -> None:
    """What the first tenth of the samples says of all of them, beside what they turned out to be;
    and what all of them say of ten times as many.
    """
    task = digits()
    model = train(task, units=4096)
    with record(model) as recording:
        model(task.inputs)
    counts = recording.census()["relu"]
    [early] = early_parts(counts, 0.1)
    for start, end in ((early, counts.samples), (counts, 10 * counts.samples)):
        forecast = fit(start).forecast(log_grid(start.samples, end, 40))
        name = f"forecast from the first {start.samples:,}"
        draw_forecast(axes, forecast, name, band=None)
    before = log_grid(1, early.samples, 25)
    after = log_grid(early.samples, counts.samples, 16)[1:]
    axes.semilogx(before, counts.rarefied(before), "o", color="#1b1f24", label="counted so far")
    axes.semilogx(
        after,
        counts.rarefied(after),
        "o",
        color="#1b1f24",
        markerfacecolor="white",
        label=f"counted then, up to {counts.samples:,}",
    )
    axes.axhline(counts.units, color="grey", linestyle=":", label=f"all {counts.units:,} units")
    axes.set(xlabel="images shown", ylabel="units that work", ylim=(0, None))


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
    for draw in (early_forecast, dead_latents, loss_curve):
        with plt.rc_context(STYLE):
            figure, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
            draw(axes)
            axes.legend(fontsize=9)
            figure.savefig(
                HERE / f"{draw.__name__}.svg", metadata={"Date": None}, facecolor="white"
            )


if __name__ == "__main__":
    main()
