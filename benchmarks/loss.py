"""Loss curves: every form's forecast of losses it has not seen, and how often intervals hold what
they say.

Each form is fitted by the same robust objective, from its own grid of starts, to the same points.
Errors are distances in log loss. Curves of the recovery part are drawn with NumPy; noise is
Gaussian in log loss.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd

from actilaw import ActivationCounts, LossLaw, LossSurface, fit, fit_loss
from actilaw.loss.fit import fit_form
from actilaw.loss.form import Form
from actilaw.loss.forms import FORMS, LOSS_LAW_FORMULA, Activation, Shifted
from actilaw.loss.huber import CLIP, Problem, solve
from actilaw.loss.measurements import read_measurements
from actilaw.support.arrays import Floats

CURVES = Path(__file__).parent / "data" / "learning_curves_nmt.csv"
DRAWS, SEED = 300, 31415


class BelowOne(Activation):
    """The loss law under the article's claim 0 < alpha < 1, which is 0 < b < 1."""

    def shape_bounds(self, x: Floats) -> list[tuple[float, float]]:
        knee, (low, _) = super().shape_bounds(x)
        return [knee, (low, 0.0)]


VARIANTS: list[Form] = [
    BelowOne("activation, b < 1", LOSS_LAW_FORMULA, ("knee", "b")),
    Shifted("M3, floor = 0", "amplitude (1/D + g)^b", ("g", "b"), floor=False),
]


def held_out() -> None:
    """The last 1, 2 and 3 points of the five curves, each predicted from the points before them."""
    curves = [curve for _, curve in pd.read_csv(CURVES).groupby("model", sort=False)]
    forms = [form for form in FORMS.values() if not form.uses_size] + VARIANTS
    rows, each = {}, {}
    for form in forms:
        begun, row = time.perf_counter(), {}
        for cut in (1, 2, 3):
            errors, inside, widths = [], [], []
            for curve in curves:
                measured = read_measurements(curve.samples[:-cut], curve.loss[:-cut])
                ahead = fit_form(form, measured).forecast(curve.samples[-cut:])
                truth = curve.loss[-cut:].to_numpy()
                errors.append(np.abs(np.log(ahead.expected / truth)).mean())
                inside.extend((ahead.lower <= truth) & (truth <= ahead.upper))
                widths.extend(np.log(ahead.upper / ahead.lower))
            row |= {f"last {cut}": np.mean(errors), f"held {cut}": f"{sum(inside)}/{len(inside)}"}
            row[f"width {cut}"] = np.median(widths)
            each[form.name, cut] = np.array(errors)
        rows[form.name] = row | {
            "parameters": len(form.parameters),
            "s": time.perf_counter() - begun,
        }
    print("mean error in log loss on the last 1, 2, 3 points of 5 curves, fitted to the rest;")
    print(
        "held: points inside their 95 % intervals; width: median width of those, in log loss; s: "
        "seconds in all"
    )
    print(pd.DataFrame(rows).T.to_string(float_format=lambda v: f"{v:.4f}"))
    print("curves, of 5, on which the loss law is ahead of each peer")
    for form in forms[1:]:
        ahead = [int(np.sum(each["activation", cut] < each[form.name, cut])) for cut in (1, 2, 3)]
        print(f"  {form.name:18} last 1: {ahead[0]}, last 2: {ahead[1]}, last 3: {ahead[2]}")


def searched() -> None:
    """Whether 400 starts drawn at random lead to a lower cost than the grid of starts."""
    rng, curves = np.random.default_rng(SEED), pd.read_csv(CURVES).groupby("model", sort=False)
    print("fits, of 15, in which 400 random starts lead more than 0.1 % of the cost below ours")
    for form in (form for form in FORMS.values() if not form.uses_size):
        lower = []
        for _, curve in curves:
            for cut in (1, 2, 3):
                measured = read_measurements(curve.samples[:-cut], curve.loss[:-cut])
                ours = fit_form(form, measured).profile
                starts = random_starts(form, ours.problem, measured.log_sizes, rng)
                first = solve(ours.problem, starts, steps=30).best(12)
                found = solve(ours.problem, first.parameters)
                lower.append(found.cost.min() < ours.solution.cost[0] * (1 - 1e-3))
        print(f"  {form.name:18} {sum(lower)}")


def random_starts(form: Form, problem: Problem, x: Floats, rng: np.random.Generator) -> Floats:
    """400 starts within the bounds, each with an amplitude that meets the losses."""
    low, high = problem.low, problem.high
    starts = rng.uniform(low, high, (400, low.size))
    shapes = starts[:, low.size - len(form.shape) :]
    [term] = form.terms(x, [shapes[:, [i]] for i in range(shapes.shape[1])])
    starts[:, int(form.floor)] = problem.measured.mean() - term.h.mean(axis=1)
    return starts


def noisy(
    truth: LossLaw, sizes: Floats, scatter: float, off: int, rng: np.random.Generator
) -> Floats:
    """Losses with Gaussian noise, `off` of them another 10 times the scatter away."""
    noise = rng.normal(0, scatter, sizes.size)
    noise[rng.choice(sizes.size, off, replace=False)] += 10 * scatter * rng.choice([-1, 1], off)
    return truth.loss(sizes) * np.exp(noise)


def recovery() -> None:
    """How often 95 % intervals hold the truth, and how far estimates lie from it."""
    twelve, thrice = np.geomspace(10, 1e5, 12), np.repeat(np.geomspace(10, 1e5, 10), 3)
    whole, early, late = (
        LossLaw(0.2, 3, 300, 0.6),
        LossLaw(0.2, 3, 3000, 0.5),
        LossLaw(0.2, 3, 1, 0.5),
    )
    runs = [(whole, twelve, scatter, off) for scatter in (0.005, 0.02, 0.05) for off in (0, 1, 2)]
    runs += [(whole, thrice, 0.02, off) for off in (0, 3)]
    runs += [(early, np.repeat([5.0, 20, 80, 320, 1347], 3), 0.05, 0), (late, twelve, 0.02, 0)]
    print(
        f"recovery of floor 0.2, amplitude 3, b and knee from {DRAWS} noisy curves a row, seed "
        f"{SEED}: share of 95 %"
    )
    print(
        "intervals that hold the truth (standard error 1.3 %), of those that hold a new loss at 10 "
        "times the data,"
    )
    print("share without a bound on one side, and median of ln(estimate/truth)")
    rows = []
    for truth, sizes, scatter, off in runs:
        rng, found = np.random.default_rng(SEED), []
        begun = time.perf_counter()
        for _ in range(DRAWS):
            fitted = fit_loss(sizes, noisy(truth, sizes, scatter, off, rng))
            later = 10 * sizes.max()
            ahead = fitted.forecast(later).iloc[0]
            new = truth.loss(later) * np.exp(rng.normal(0, scatter))
            row = {"new loss": ahead.lower <= new <= ahead.upper}
            for name, one in fitted.summary().iterrows():
                known = getattr(truth, str(name))
                row[str(name)] = one.lower <= known <= one.upper
                row[f"{name} open"] = one.lower == 0 or one.upper == np.inf
                row[f"{name} off"] = np.log(one.estimate / known)
            found.append(row)
        table = pd.DataFrame(found).astype(float)
        shown = {
            "b": truth.b,
            "knee": truth.knee,
            "n": sizes.size,
            "noise": scatter,
            "far out": off,
        }
        shown |= {
            f"{n} held": f"{table[n].mean():.3f}"
            for n in ("floor", "amplitude", "knee", "b", "new loss")
        }
        shown |= {f"{n} open": f"{table[f'{n} open'].mean():.2f}" for n in ("floor", "knee", "b")}
        shown |= {f"{n} off": f"{table[f'{n} off'].median():+.3f}" for n in ("floor", "knee", "b")}
        rows.append(shown | {"ms": f"{(time.perf_counter() - begun) / DRAWS * 1e3:.0f}"})
    print(pd.DataFrame(rows).to_string(index=False))


def scales() -> None:
    """Three scales for Huber's loss: ours, least squares, and Hoffmann's 0.001."""
    truth, sizes = LossLaw(0.2, 3, 300, 0.6), np.geomspace(10, 1e5, 12)
    form, x = FORMS["activation"], np.log(sizes)
    print(
        f"root of the mean squared error of ln b over {DRAWS} curves, noise 0.02, by where Huber's "
        "loss turns linear"
    )
    for off in (0, 1, 2):
        rng, errors = np.random.default_rng(SEED), []
        for _ in range(DRAWS):
            log_loss = np.log(noisy(truth, sizes, 0.02, off, rng))
            low, high = form.bounds(x, log_loss)
            starts, row = form.starts(x, log_loss, np.ones(12)), []
            for scale in (None, 1e3, 1e-3 / CLIP):
                problem = Problem(
                    lambda p, _: form.log_loss(p, x), log_loss, np.ones(12), low, high, scale
                )
                first = solve(problem, starts, steps=30).best(8)
                found = solve(problem, first.parameters)
                row.append(found.best(1).parameters[0, 3] - np.log(truth.b))
            errors.append(row)
        ours, plain, fixed = np.sqrt(np.mean(np.square(errors), axis=0))
        print(
            f"  {off} far out: {ours:.4f} at 1.345 estimated scales, {plain:.4f} never, "
            f"{fixed:.4f} at 0.001"
        )


def joint() -> None:
    """L(N, D) over four widths."""
    truth = LossSurface(floor=1.7, amplitude=4.0, active=100.0, b=0.4)
    widths, data = (
        np.repeat([200.0, 1000.0, 5000.0, 25_000.0], 7),
        np.tile(np.geomspace(3, 1e5, 7), 4),
    )
    print(
        f"recovery of L(N, D) = 1.7 + 4 (1 + c D/(bN))^(-b), c = 100, b = 0.4, 28 losses, {DRAWS} "
        "draws a row"
    )
    for scatter, off in ((0.005, 0), (0.02, 0), (0.02, 2)):
        rng, held, away = np.random.default_rng(SEED), [], []
        for _ in range(DRAWS):
            noise = rng.normal(0, scatter, data.size)
            noise[rng.choice(data.size, off, replace=False)] += 10 * scatter
            summary = fit_loss(
                data, truth.loss(widths, data) * np.exp(noise), size=widths
            ).summary()
            known = np.array([getattr(truth, str(name)) for name in summary.index])
            held.append(((summary.lower <= known) & (known <= summary.upper)).to_numpy())
            away.append(np.log(summary.estimate / known).to_numpy())
        shares = ", ".join(
            f"{n} {s:.3f}" for n, s in zip(summary.index, np.mean(held, axis=0), strict=True)
        )
        bias = ", ".join(
            f"{n} {s:+.4f}" for n, s in zip(summary.index, np.median(away, axis=0), strict=True)
        )
        print(
            f"  noise {scatter}, {off} far out: intervals hold {shares}; median ln(estimate/truth) "
            f"{bias}"
        )


def consistency() -> None:
    """The test that counts and losses share b and the knee: false alarms and power."""
    sizes = np.geomspace(2, 1e5, 14)
    print(
        "F test at 5 % that losses share b and knee with counts of 2000 units over 2000 samples, "
        f"{DRAWS} draws a row"
    )
    for factor in (1.0, 1.2, 1.5, 2.0):
        rng, alarms, held = np.random.default_rng(SEED), 0, 0
        truth = LossLaw(0.5, 2, 15, 0.3 * factor)
        for _ in range(DRAWS):
            counts = ActivationCounts(rng.binomial(2000, rng.beta(0.3, 15 - 0.3, 2000)), 2000)
            loss = noisy(truth, sizes, 0.01, 0, rng)
            found = fit_loss(sizes, loss, counts=fit(counts)).consistency
            assert found is not None
            alarms += found.p_value < 0.05
            held += found.table.loc["b", "lower"] <= factor <= found.table.loc["b", "upper"]
        print(
            f"  b of the losses {factor:g} times that of the counts: rejected in "
            f"{alarms / DRAWS:.3f}; interval of the ratio holds it in {held / DRAWS:.3f}"
        )


if __name__ == "__main__":
    held_out()
    searched()
    scales()
    recovery()
    joint()
    consistency()
