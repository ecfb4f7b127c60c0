"""Draws at scale against NumPy's own draws of the hidden rates, against exact probabilities, and in
size.
"""

import numpy as np
import pytest
from scipy import stats

from actilaw.theory.activation_law import ActivationLaw
from actilaw.theory.sampling import draw_binomial

SEED = 8173


def chi_square(observed, expected) -> float:
    """z of the χ² statistic of `observed` against `expected`, (n,), over cells expected 5 times or
    more.
    """
    kept = expected >= 5
    o = np.append(observed[kept], observed[~kept].sum())
    e = np.append(expected[kept], expected[~kept].sum())
    o, e = (o[:-1], e[:-1]) if e[-1] < 5 else (o, e)
    statistic = ((o - e) ** 2 / e).sum()
    z = (statistic - (e.size - 1)) / np.sqrt(2 * (e.size - 1))
    shift = np.abs(o - e).sum() / e.sum() / 2
    print(
        f"seed {SEED}, {e.size} cells, {o.sum():.0f} draws, chi-square z {z:.2f}, distance "
        f"{shift:.5f}"
    )
    return z


@pytest.mark.parametrize(
    ("units", "active", "b", "samples"),
    [
        (40_000, 400, 0.5, 10**6),
        (40_000, 3, 0.05, 10**12),
        (40_000, 39_000, 0.4, 10**5),
        (40_000, 2000, 50.0, 10**7),
    ],
)
def test_drawn_counts_are_those_of_the_hidden_rates(units, active, b, samples):
    rng = np.random.default_rng(SEED)
    law = ActivationLaw(units, active, b)
    ours = law.draw_counts(samples, rng)
    theirs = rng.binomial(samples, rng.beta(b, law.beta, size=units))
    result = stats.ks_2samp(ours, theirs)
    print(
        f"seed {SEED}, KS distance {result.statistic:.4f} of {units} against {units}, p "
        f"{result.pvalue:.3f}"
    )
    assert ours.shape == (units,)
    assert ours.dtype == np.int64
    assert result.statistic < 1.95 / np.sqrt(units / 2)  # exceeded with probability 0.001
    assert abs((ours == 0).sum() - (theirs == 0).sum()) < 5 * np.sqrt(
        2 * law.working_variance(samples) + 1
    )


@pytest.mark.parametrize("b", [1e-6, 1e-3, 0.7, 40.0, 1e3])
@pytest.mark.parametrize("samples", [50, 10**6, 10**18])
def test_drawn_counts_have_the_exact_law(b, samples):
    rng = np.random.default_rng(SEED)
    law = ActivationLaw(200_000, 500, b)
    drawn = law.draw_counts(samples, rng)
    assert drawn.min() >= 0
    assert drawn.max() <= samples
    edges = np.unique(
        np.concatenate(
            ([0, 1, 2, 5], np.quantile(drawn, np.linspace(0.02, 1, 40)).astype(np.int64))
        )
    )
    observed = np.bincount(np.searchsorted(edges, drawn), minlength=edges.size + 1)[: edges.size]
    expected = law.units * np.diff(law.count_cdf(edges, samples), prepend=0)
    assert abs(chi_square(observed, expected)) < 5


@pytest.mark.slow
def test_counts_within_a_wide_bin_follow_the_law_too():
    """Of the units in each bin, the share in its first half; a uniform draw misses it by 20
    deviations.
    """
    rng = np.random.default_rng(SEED)
    law, n = ActivationLaw(1_000_000, 1000, 1000.0), 10**12
    drawn, bins = law.draw_counts(n, rng), law.count_bins(n)
    at = np.searchsorted(bins.first, drawn, side="right") - 1
    used = np.unique(at)
    first, middle, last = (
        bins.first[used],
        (bins.first[used] + bins.last[used]) // 2,
        bins.last[used],
    )
    below, half, above = (law.count_cdf(k, n) for k in (first - 1, middle, last))
    share = (half - below) / (above - below)
    share, middle = share[np.searchsorted(used, at)], middle[np.searchsorted(used, at)]
    lean = np.sign(share - 0.5)
    z = (lean * ((drawn <= middle) - share)).sum() / np.sqrt((share * (1 - share)).sum())
    uniform = (lean * (0.5 - share)).sum() / np.sqrt((share * (1 - share)).sum())
    print(f"seed {SEED}, {used.size} bins, z {z:.2f}; uniform within bins: {uniform:.1f}")
    assert abs(z) < 4.5
    assert uniform < -15


def test_units_come_in_no_order():
    drawn = ActivationLaw(100_000, 100, 0.5).draw_counts(10**9, np.random.default_rng(SEED))
    r = stats.spearmanr(np.arange(drawn.size), drawn).statistic
    print(f"seed {SEED}, rank correlation of place and count {r:.4f}")
    assert abs(r) < 5 / np.sqrt(drawn.size)


def test_the_histogram_has_the_exact_law():
    rng = np.random.default_rng(SEED)
    law, n = ActivationLaw(10**12, 10**9, 0.5), 10**15
    drawn = law.draw_histogram(n, rng)
    assert drawn.units.sum() == 10**12
    assert drawn.working + drawn.idle == 10**12
    assert np.all(drawn.first[1:] > drawn.last[:-1])
    expected = law.units * np.diff(law.count_cdf(drawn.last, n), prepend=0)
    z = (drawn.units - expected) / np.sqrt(expected)
    print(f"seed {SEED}, mean square z over {z.size} bins {np.mean(z**2):.4f}")
    assert np.mean(z**2) == pytest.approx(1, abs=5 * np.sqrt(2 / z.size))


def test_a_histogram_of_1e12_units_holds_no_more_than_its_bins():
    """Memory and work follow the bins, of which there are at most a few ten thousand."""
    drawn = ActivationLaw(10**12, 10**5, 0.4).draw_histogram(10**15, np.random.default_rng(SEED))
    assert drawn.units.sum() == 10**12
    assert drawn.first.size == drawn.units.size < 60_000


@pytest.mark.slow
def test_discovery_is_one_growing_path_with_the_exact_law():
    rng = np.random.default_rng(SEED)
    law = ActivationLaw(500, 7, 0.3)
    grid = [0, 1, 10, 100, 10**5, 10**18]
    paths = np.array([law.draw_discovery(grid, rng) for _ in range(4000)])
    assert np.all(np.diff(paths, axis=1) >= 0)
    assert np.all(paths[:, 0] == 0)
    z = (paths.mean(0) - law.working(grid))[1:] / np.sqrt(law.working_variance(grid)[1:] / 4000)
    ratio = paths.var(0, ddof=1)[1:] / law.working_variance(grid)[1:]
    print(f"seed {SEED}, z of means {z.round(2)}, ratios of variances {ratio.round(3)}")
    assert np.abs(z).max() < 4.5
    assert np.all(np.abs(ratio - 1) < 5 * np.sqrt((2 + 1 / law.working_variance(grid)[1:]) / 4000))
    # On one path Cov(idle(D), idle(D')) = N idle(D') (1 − idle(D)): who is idle at D' was idle at
    # D.
    covariance = np.cov(paths[:, 3], paths[:, 4])[0, 1]
    idle = law.idle_fraction([100, 10**5], exact=True)
    assert covariance == pytest.approx(500 * idle[1] * (1 - idle[0]), rel=0.1)


@pytest.mark.parametrize("mean", [3.0, 1e3, 5e7])
def test_binomials_of_1e18_trials_have_the_right_spread(mean):
    """NumPy's own have a variance 4 % short at mean 1000."""
    rng = np.random.default_rng(SEED)
    size = 200_000
    drawn = draw_binomial(np.full(size, 10**18), np.full(size, mean / 1e18), rng)
    z = (drawn.mean() - mean) / np.sqrt(mean / size)
    ratio = drawn.var() / mean
    print(f"seed {SEED}, z of mean {z:.2f}, ratio of variances {ratio:.4f}")
    assert abs(z) < 4.5
    assert ratio == pytest.approx(1, abs=5 * np.sqrt((2 + 1 / mean) / size))
    mirrored = draw_binomial(np.full(10, 10**18), np.full(10, 1.0), rng)
    assert mirrored.tolist() == [10**18] * 10


def test_the_same_seed_draws_the_same_layer():
    law = ActivationLaw(100, 3, 0.5)
    for draw in (law.draw_counts, lambda n, rng: law.draw_discovery([1, n], rng)):
        first, second = (draw(1000, np.random.default_rng(SEED)) for _ in range(2))
        assert first.tolist() == second.tolist()
