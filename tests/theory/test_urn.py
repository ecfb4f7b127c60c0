"""The process stepped sample by sample against the laws and the draws that claim to describe it."""

from collections import Counter

import numpy as np
import pytest
from scipy import stats

from actilaw.errors import InputError
from actilaw.theory.activation_law import ActivationLaw
from actilaw.theory.competitive_law import CompetitiveLaw
from actilaw.theory.urn import competitive_path, independent_path

SEED = 424
PATHS = 3000


def same_law(ours, theirs, what: str) -> None:
    """Two-sample χ² of two sets of small whole numbers, and the distance of their means in
    deviations.
    """
    values, inverse = np.unique(np.concatenate((ours, theirs)), return_inverse=True)
    cells = np.minimum(
        np.searchsorted(np.quantile(values[inverse], np.linspace(0, 1, 13)), values), 12
    )
    table = np.array(
        [
            np.bincount(cells[inverse[: ours.size]], minlength=13),
            np.bincount(cells[inverse[ours.size :]], minlength=13),
        ]
    )
    result = stats.chi2_contingency(table[:, table.sum(0) > 0])
    effect = (ours.mean() - theirs.mean()) / np.sqrt((ours.var() + theirs.var()) / 2 + 1e-12)
    print(
        f"seed {SEED}, {what}: p {result.pvalue:.3f}, effect {effect:.4f}, {ours.size} and "
        f"{theirs.size}"
    )
    assert result.pvalue > 1e-4
    assert abs(effect) < 5 * np.sqrt(1 / ours.size + 1 / theirs.size)


@pytest.mark.slow
@pytest.mark.parametrize(("units", "active", "b"), [(12, 3, 0.5), (8, 0.7, 2.0), (5, 4.5, 0.3)])
def test_independent_paths_and_draws_have_the_same_law(units, active, b):
    rng = np.random.default_rng(SEED)
    law, n = ActivationLaw(units, active, b), 25
    paths = np.array([independent_path(law, n, rng) for _ in range(PATHS)])
    counts = paths.sum(1)
    drawn = np.array([law.draw_counts(n, rng) for _ in range(PATHS)])
    same_law(counts.ravel(), drawn.ravel(), "counts")
    same_law((counts > 0).sum(1), (drawn > 0).sum(1), "working units")
    same_law(counts.max(1), drawn.max(1), "largest count")
    early = (paths[:, :5].any(1)).sum(1)
    discovered = np.array([law.draw_discovery([5, n], rng) for _ in range(PATHS)])
    same_law(early, discovered[:, 0], "working units after 5")
    same_law(
        (counts > 0).sum(1) - early, discovered[:, 1] - discovered[:, 0], "units woken after 5"
    )


@pytest.mark.slow
def test_competitive_paths_and_draws_have_the_same_law():
    rng = np.random.default_rng(SEED)
    law, n = CompetitiveLaw(15, 1, 0.5), 25
    paths = np.array([competitive_path(law, n, rng) for _ in range(PATHS)])
    counts = paths.sum(1)
    drawn = np.array([law.draw_counts(n, rng) for _ in range(PATHS)])
    same_law(counts.ravel(), drawn.ravel(), "counts")
    same_law((counts > 0).sum(1), (drawn > 0).sum(1), "working units")
    same_law(counts.max(1), drawn.max(1), "largest count")
    discovered = np.array([law.draw_discovery([5, n], rng) for _ in range(PATHS)])
    early = paths[:, :5].any(1).sum(1)
    same_law(early, discovered[:, 0], "working units after 5")
    same_law(
        (counts > 0).sum(1) - early, discovered[:, 1] - discovered[:, 0], "units woken after 5"
    )


@pytest.mark.slow
@pytest.mark.parametrize("active", [1, 3, 6])
def test_units_that_compete_have_the_counts_of_units_that_do_not(active):
    """(3): the law of a single unit does not know whether the others compete."""
    rng = np.random.default_rng(SEED)
    law, n = CompetitiveLaw(8, active, 0.5), 12
    paths = [competitive_path(law, n, rng) for _ in range(PATHS)]
    assert all(np.all(path.sum(1) == active) for path in paths)
    first = Counter(int(path[:, 0].sum()) for path in paths)  # one unit a path: independent trials
    observed = np.array([first[k] for k in range(n + 1)])
    expected = PATHS * law.single.count_pmf(np.arange(n + 1), n)
    few = expected < 5
    observed, expected = (
        np.append(observed[~few], observed[few].sum()),
        np.append(expected[~few], expected[few].sum()),
    )
    kept = expected > 0
    result = stats.chisquare(observed[kept], expected[kept])
    shift = np.abs(observed - expected).sum() / PATHS / 2
    print(
        f"seed {SEED}, active {active}: p {result.pvalue:.3f}, total variation {shift:.4f}, "
        f"{PATHS} paths"
    )
    assert result.pvalue > 1e-4


@pytest.mark.slow
def test_each_step_follows_equation_one():
    rng = np.random.default_rng(SEED)
    for law, path in (
        (ActivationLaw(6, 2, 0.5), independent_path),
        (CompetitiveLaw(6, 2, 0.5), competitive_path),
    ):
        fired = np.array([path(law, 9, rng) for _ in range(PATHS)])
        before = fired[:, :8].sum(1)
        for k in (0, 3, 8):
            seen = before == k
            rate, expected = fired[:, 8][seen].mean(), 2 * (k + 0.5) / (2 * 8 + 0.5 * 6)
            tolerance = 5 * np.sqrt(expected * (1 - expected) / seen.sum())
            print(
                f"{path.__name__}, count {k}: fires {rate:.4f}, (1) says {expected:.4f}, n "
                f"{seen.sum()}"
            )
            assert rate == pytest.approx(expected, abs=tolerance)


def test_a_path_needs_whole_numbers():
    with pytest.raises(InputError, match=r"expected whole units in 0..*, but got 5.5"):
        independent_path(ActivationLaw(5.5, 1, 1), 3, np.random.default_rng(0))
    with pytest.raises(InputError, match=r"expected whole samples in 0..*, but got -3"):
        competitive_path(CompetitiveLaw(5, 1, 1), -3, np.random.default_rng(0))
