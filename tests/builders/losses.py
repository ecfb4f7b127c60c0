"""Noisy loss curves, drawn with NumPy."""

from __future__ import annotations

import numpy as np

from actilaw import LossLaw, LossSurface
from actilaw.loss.form import Form
from actilaw.loss.forms import FORMS
from actilaw.loss.surfaces import SURFACES

# One network: a plateau, a knee and a power law are all in sight.
SIZES = np.geomspace(10, 1e5, 12)
TRUTH = LossLaw(floor=0.2, amplitude=3.0, knee=300.0, b=0.6)
EVEN = np.array([1, -1, 1, 1, -1, -1, 1, -1, 1, -1, -1, 1])  # noise in which no loss is far out

# Three sizes of network.
SURFACE = LossSurface(floor=1.7, amplitude=4.0, active=100.0, b=0.4)
WIDTHS = np.repeat([400.0, 2000.0, 10_000.0], 8)
DATA = np.tile(np.geomspace(3, 1e5, 8), 3)

# Losses to set beside counts whose knee is 15.
LONG = np.geomspace(2, 1e5, 14)

# Where each form is evaluated, and parameters of each as in its paper.
D = np.geomspace(10, 1e6, 14)
N = np.resize([1e3, 1e4, 1e5], D.size)
PARAMETERS = {
    "activation": {"floor": 0.2, "amplitude": 3.0, "knee": 300.0, "b": 0.6},
    "power": {"amplitude": 5.0, "b": 0.3},
    "power_floor": {"floor": 0.2, "amplitude": 5.0, "b": 0.3},
    "M3": {"floor": 0.2, "amplitude": 5.0, "g": 1e-4, "b": 0.4},
    "M4": {"floor": 0.2, "amplitude": 3.0, "knee": 300.0, "a": 0.7, "b": 0.5},
    "bnsl": {"floor": 0.05, "amplitude": 5.0, "c0": 0.1, "c1": 0.4, "d": 2000.0, "f": 0.5},
}
SURFACE_PARAMETERS = {
    "activation": {
        "floor": 1.7,
        "A": 0.9,
        "B": 6.0,
        "alpha": 0.3,
        "b": 0.4,
        "knee": 300.0,
        "g": 0.4,
    },
    "chinchilla": {"floor": 1.7, "A": 40.0, "B": 20.0, "alpha": 0.3, "beta": 0.4},
    "kaplan": {"floor": 1.7, "B": 20.0, "limit": 4000.0, "alpha": 0.3, "beta": 0.4},
    "interpolated": {
        "floor": 1.7,
        "B": 20.0,
        "limit": 4000.0,
        "alpha": 0.3,
        "beta": 0.4,
        "p": 1.6,
    },
    "knee_alone": {"floor": 1.7, "amplitude": 4.0, "active": 100.0, "b": 0.4},
}
GRID_N, GRID_D = (
    grid.ravel() for grid in np.meshgrid(np.geomspace(1e3, 1e6, 6), np.geomspace(1e2, 1e6, 7))
)


def noisy(loss: np.ndarray, seed: int, scatter: float = 0.01) -> np.ndarray:
    """Losses with Gaussian noise in their logarithms."""
    return loss * np.exp(np.random.default_rng(seed).normal(0, scatter, loss.size))


def noisy_law(
    seed: int, scatter: float = 0.02, *, far_out: int = 0, by: float = 10.0
) -> np.ndarray:
    """Losses of `TRUTH` at `SIZES`, some of them moved up by so many times the scatter."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, scatter, SIZES.size)
    noise[rng.choice(SIZES.size, far_out, replace=False)] += by * scatter
    return TRUTH.loss(SIZES) * np.exp(noise)


def even_law(scatter: float = 0.02) -> np.ndarray:
    """Losses of `TRUTH` at `SIZES`, all as far from it."""
    return TRUTH.loss(SIZES) * np.exp(scatter * EVEN)


def log_sizes(form: Form) -> np.ndarray:
    return np.log([D, N]) if form.uses_size else np.log(D)


def coordinates(form: Form, parameters: dict[str, float]) -> np.ndarray:
    return np.array([[v if k in form.signed else np.log(v) for k, v in parameters.items()]])


def curve(name: str, parameters: dict[str, float]) -> np.ndarray:
    form = FORMS[name]
    return np.exp(form.log_loss(coordinates(form, parameters), log_sizes(form))[0][0])


def surface(name: str, samples: np.ndarray = GRID_D, size: np.ndarray = GRID_N) -> np.ndarray:
    """Losses of a form over sizes with `SURFACE_PARAMETERS`, at the geometric mean of `GRID_N`."""
    form = SURFACES[name].centred(np.log([GRID_D, GRID_N]))
    at = coordinates(form, SURFACE_PARAMETERS[name])
    return np.exp(form.log_loss(at, np.log([samples, size]))[0][0])
