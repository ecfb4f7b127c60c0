"""Forms over size and data: each against its paper's formula, parameters given back, and what the
runs cannot tell.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actilaw import ActivationSurface, fit_loss
from actilaw.errors import InputError
from actilaw.loss.surfaces import SURFACES
from builders.losses import (
    GRID_D,
    GRID_N,
    SURFACE_PARAMETERS,
    coordinates,
    noisy,
    surface,
)

AT = GRID_N / np.exp(np.log(GRID_N).mean())  # sizes over their geometric mean


def by_the_paper(name: str, p: dict[str, float]) -> np.ndarray:
    if name == "activation":
        knee = p["knee"] * AT ** p["g"]
        return p["floor"] + p["A"] * AT ** -p["alpha"] + p["B"] * (1 + GRID_D / knee) ** -p["b"]
    if name == "chinchilla":
        return p["floor"] + p["A"] * GRID_N ** -p["alpha"] + p["B"] * GRID_D ** -p["beta"]
    if name == "knee_alone":
        ratio = p["active"] * GRID_D / (p["b"] * GRID_N)
        return p["floor"] + p["amplitude"] * (1 + ratio) ** -p["b"]
    limit = p["limit"] * AT ** (p["alpha"] / p["beta"])
    if name == "kaplan":
        return p["floor"] + p["B"] * (1 / GRID_D + 1 / limit) ** p["beta"]
    power = p["beta"] * p["p"]
    return p["floor"] + p["B"] * (GRID_D**-power + limit**-power) ** (1 / p["p"])


@pytest.mark.parametrize("name", SURFACES)
def test_a_form_is_its_papers_formula(name: str) -> None:
    expected = by_the_paper(name, SURFACE_PARAMETERS[name])
    np.testing.assert_allclose(surface(name), expected, rtol=1e-12)


@pytest.mark.parametrize("name", SURFACES)
def test_a_surface_without_noise_gives_its_parameters_back(name: str) -> None:
    fitted = fit_loss(GRID_D, surface(name), name, size=GRID_N)
    assert fitted.params == pytest.approx(SURFACE_PARAMETERS[name], rel=1e-3)
    assert fitted.predict(GRID_D, GRID_N) == pytest.approx(surface(name))


@given(st.floats(0.1, 1), st.floats(0.1, 1), st.floats(10, 1e6))
@settings(max_examples=30)
def test_the_norm_of_the_limits_is_chinchillas_form_kaplans_and_their_maximum(
    alpha: float, beta: float, limit: float
) -> None:
    x = np.log([GRID_D, GRID_N])
    norm, kaplan = (SURFACES[name].centred(x) for name in ("interpolated", "kaplan"))
    shape = np.log([limit, alpha, beta])

    def losses(p: float) -> np.ndarray:
        return np.exp(norm.log_loss(np.array([[np.log(0.5), 1.0, *shape, np.log(p)]]), x)[0][0])

    scale = np.exp(1.0)
    by_data = scale * GRID_D**-beta
    by_size = scale * (limit * AT ** (alpha / beta)) ** -beta
    np.testing.assert_allclose(losses(1.0), 0.5 + by_data + by_size, rtol=1e-9)
    np.testing.assert_allclose(losses(1e4), 0.5 + np.maximum(by_data, by_size), rtol=1e-3)
    of_kaplan = kaplan.log_loss(np.array([[np.log(0.5), 1.0, *shape]]), x)[0][0]
    np.testing.assert_allclose(losses(1 / beta), np.exp(of_kaplan), rtol=1e-9)


def test_the_law_of_a_fit_is_its_surface_at_every_size() -> None:
    fitted = fit_loss(GRID_D, noisy(surface("activation"), 0), "activation", size=GRID_N)
    law = fitted.law
    assert isinstance(law, ActivationSurface)
    np.testing.assert_allclose(law.loss(GRID_N, GRID_D), fitted.predict(GRID_D, GRID_N), rtol=1e-9)
    np.testing.assert_allclose(law.at(5e4).loss(1e5), law.loss(5e4, 1e5), rtol=1e-12)
    assert law.at(4 * law.reference).knee == pytest.approx(law.knee * 4**law.g)
    with pytest.raises(InputError, match="positive finite A, B, alpha, b, knee"):
        ActivationSurface(1.0, 1.0, 1.0, 0.3, 0.3, -1.0, 0.0)


def test_units_of_size_and_of_data_do_not_matter() -> None:
    loss = noisy(surface("activation"), 1)
    one = fit_loss(GRID_D, loss, "activation", size=GRID_N)
    other = fit_loss(1e6 * GRID_D, 5 * loss, "activation", size=GRID_N / 1e3)
    for name, factor in {"alpha": 1, "b": 1, "g": 1, "A": 5, "B": 5, "knee": 1e6}.items():
        assert other.params[name] == pytest.approx(factor * one.params[name], rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["activation", "chinchilla", "kaplan"])
def test_intervals_hold_the_parameters_of_drawn_surfaces(name: str) -> None:
    truth, held = SURFACE_PARAMETERS[name], []
    for seed in range(40):
        loss = noisy(surface(name), seed, scatter=0.005)
        summary = fit_loss(GRID_D, loss, name, size=GRID_N).summary()
        held.append([row.lower <= truth[str(key)] <= row.upper for key, row in summary.iterrows()])
    shares = np.mean(held, axis=0)
    print(f"95 % intervals of {list(truth)} held {shares} of 40")
    assert np.all(shares > 0.95 - 4 * np.sqrt(0.95 * 0.05 / 40))


@pytest.mark.parametrize("name", SURFACES)
def test_a_form_moves_with_its_reference(name: str) -> None:
    """Parameters stand at the mean size; the surface does not depend on where that is."""
    form = SURFACES[name]
    moved = form.centred(np.log([GRID_D, GRID_N * 100]))
    at = coordinates(form, SURFACE_PARAMETERS[name])
    x = np.log([GRID_D, GRID_N])
    here = form.centred(x).log_loss(at, x)[0]
    there = moved.log_loss(at, np.log([GRID_D, GRID_N * 100]))[0]
    if name in ("chinchilla", "knee_alone"):  # these state theirs at a size of 1
        assert moved.formula == form.formula
    else:
        np.testing.assert_allclose(here, there, rtol=1e-9)
        assert "N0" not in moved.formula
