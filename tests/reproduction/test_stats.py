"""The statistics against scipy, against sums done by hand, and against simulation."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats
from statsmodels.stats.power import TTestPower

from reproduction import stats
from reproduction.stats import (
    holm,
    mean_interval,
    sign_flip_test,
    smallest_effect,
    spearman_exact,
    welch,
)
from reproduction.stats_groups import explained, rank_correlation

RANDOM = np.random.default_rng(7)
ONE_ROW = pd.DataFrame({"y": [1.0], "x": [1.0], "net": [0]})


def test_the_interval_is_scipys():
    values = RANDOM.normal(size=8)
    ours, theirs = (
        mean_interval(values, 0.9),
        scipy_stats.ttest_1samp(values, 0).confidence_interval(0.9),
    )
    assert (
        ours[1:3] == pytest.approx(theirs)
        and ours.mean == pytest.approx(values.mean())
        and ours.n == 8
    )


@pytest.mark.parametrize("n", [2, 5, 30])
def test_the_interval_is_the_textbooks(n):
    values = RANDOM.normal(size=n)
    half = scipy_stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / math.sqrt(n)
    assert mean_interval(values) == pytest.approx(
        (values.mean(), values.mean() - half, values.mean() + half, n), abs=1e-12
    )
    assert mean_interval([0.3] * n) == (0.3, 0.3, 0.3, n)


def test_one_value_has_a_mean_and_no_interval():
    single = mean_interval([3.5])
    assert (
        single.mean == 3.5 and math.isnan(single.low) and math.isnan(single.high) and single.n == 1
    )


def flipped_by_hand(numbers):
    """p from all patterns, and without rounding."""
    own, sizes = abs(sum(numbers)), [abs(number) for number in numbers]
    sums = {0: 1}
    for size in sizes:
        after = dict.fromkeys([s + sign * size for s in sums for sign in (1, -1)], 0)
        for s, count in sums.items():
            after[s + size] += count
            after[s - size] += count
        sums = after
    return Fraction(sum(n for s, n in sums.items() if abs(s) >= own), 2 ** len(sizes))


@pytest.mark.parametrize("images", [2000, 3925, 10_000])
def test_signs_of_accuracies_flipped_by_hand(images):
    """Differences of two percentages are full of ties and of rounding: both are counted right."""
    rng = np.random.default_rng(images)
    for n in range(1, 13):
        for spread in (3, 40):
            one, other = rng.integers(images // 2, images // 2 + spread, size=(2, n))
            p = sign_flip_test(100 * one / images - 100 * other / images).p
            assert p == flipped_by_hand((one - other).tolist())


def test_a_tie_that_rounding_hid():
    """Their sum is 0, so that no pattern is nearer to it; with sums of floats p was 0.8125."""
    assert sign_flip_test([whole * 0.05 for whole in (-2, -2, -2, 4, 2)]).p == 1
    noise = [0.1 * 3 - 0.3, 0.1, 0.05, 0.05 - 1e-16]
    assert sign_flip_test(noise).p == flipped_by_hand([0, 2, 1, 1])


def test_signs_of_any_numbers_flipped_by_scipy():
    for n in (2, 7, 13):
        x = RANDOM.normal(0.4, 1, size=n)
        done = scipy_stats.permutation_test(
            (x,), np.mean, permutation_type="samples", n_resamples=np.inf
        )
        assert sign_flip_test(x).p == done.pvalue


@pytest.mark.parametrize("n", [34, 53, 68, 400])
def test_signs_of_many_pairs_count_all_patterns(n):
    whole = np.random.default_rng(n).integers(-300, 300, size=n) + round(900 / math.sqrt(n))
    p = sign_flip_test(whole / 100).p
    assert p == pytest.approx(float(flipped_by_hand(whole.tolist())), rel=1e-12)
    assert n > 53 or p == flipped_by_hand(whole.tolist())


def test_on_a_grid_p_is_hardly_too_large_and_never_too_small(monkeypatch):
    samples = [RANDOM.normal(shift, 1, size=24) for shift in (0.0, 0.3, 0.5, 1.0)]
    samples.append(np.append(samples[0], 1e-7))  # less than a step of the grid
    exact = [sign_flip_test(x).p for x in samples]
    monkeypatch.setattr(stats, "HALVED", 0)
    on_grid = np.array([sign_flip_test(x).p for x in samples])
    assert (on_grid >= exact).all() and (on_grid <= np.multiply(exact, 1.01)).all()


def test_a_sign_flip_cannot_be_surer_than_its_patterns():
    assert sign_flip_test([1, 1, 1, 1, 1]).p == 2 / 2**5
    assert sign_flip_test([1.0]).p == 1 and sign_flip_test([0, 0, 0]).p == 1


def test_the_smallest_effect_is_found_as_often_as_asked():
    effect = smallest_effect(2.0, 6, power=0.8)
    samples = RANDOM.normal(effect, 2.0, size=(20_000, 6))
    assert (scipy_stats.ttest_1samp(samples, 0, axis=1).pvalue < 0.05).mean() == pytest.approx(
        0.8, abs=0.01
    )


@pytest.mark.parametrize(("n", "alpha", "power"), [(2, 0.05, 0.8), (5, 0.01, 0.9), (20, 0.1, 0.5)])
def test_the_smallest_effect_has_the_power_that_statsmodels_says(n, alpha, power):
    effect = smallest_effect(1.0, n, alpha=alpha, power=power)
    assert TTestPower().power(effect, n, alpha) == pytest.approx(power, abs=1e-3)


def test_the_smallest_effect_scales_with_the_spread_and_shrinks_with_n():
    assert smallest_effect(3.0, 5) == pytest.approx(3 * smallest_effect(1.0, 5))
    assert smallest_effect(1.0, 2) > smallest_effect(1.0, 3) > smallest_effect(1.0, 30)
    assert smallest_effect(0.0, 5) == 0


def test_holm_by_hand():
    # 4 x 0.005, 3 x 0.01, 2 x 0.03, then 0.04 may not fall below the one before it
    assert holm([0.04, 0.005, 0.03, 0.01]) == pytest.approx([0.06, 0.02, 0.06, 0.03])
    assert holm([0.6, 0.7]) == [1, 1] and holm([]) == []


def test_holm_step_by_step():
    for n in range(1, 9):
        p = RANDOM.random(n).round(1)  # with ties
        order, largest, corrected = np.argsort(p, kind="stable"), 0.0, {}
        for step, place in enumerate(order):
            largest = max(largest, min(1, p[place] * (n - step)))
            corrected[place] = largest
        assert holm(p) == pytest.approx([corrected[k] for k in range(n)], abs=1e-12)


def test_welch_is_scipys():
    a, b = RANDOM.normal(1, 1, size=7), RANDOM.normal(0, 3, size=10)
    ours = welch(a.mean(), a.std(ddof=1), 7, b.mean(), b.std(ddof=1), 10)
    theirs = scipy_stats.ttest_ind(a, b, equal_var=False)
    interval = theirs.confidence_interval()
    assert (ours.t, ours.p, ours.df) == pytest.approx((theirs.statistic, theirs.pvalue, theirs.df))
    assert (ours.low, ours.high) == pytest.approx((interval.low, interval.high))
    assert ours.difference == pytest.approx(a.mean() - b.mean())


def test_welch_where_rounding_left_no_spread():
    assert welch(0.36, 0, 10, 0.29, 0, 10).p == 0
    assert math.isnan(welch(0.24, 0, 10, 0.24, 0, 10).p)


def test_spearman_is_scipys_and_its_p_that_of_all_pairings():
    x, y = RANDOM.normal(size=7), RANDOM.normal(size=7)
    ours = spearman_exact(x, y)
    assert ours.estimate == pytest.approx(scipy_stats.spearmanr(x, y).statistic)
    theirs = scipy_stats.permutation_test(
        (x,),
        lambda s: scipy_stats.spearmanr(s, y).statistic,
        permutation_type="pairings",
        n_resamples=6000,
    )
    assert ours.p == pytest.approx(theirs.pvalue)


def test_spearman_with_ties_and_at_its_ends():
    assert spearman_exact([1, 1, 2, 3], [5, 5, 6, 9]).estimate == pytest.approx(1)
    assert spearman_exact(range(7), range(7, 0, -1)) == pytest.approx((-1, 2 / math.factorial(7)))


def test_rho_needed_at_seven_pairs():
    """The 0.786 of the docstring: the weakest rho with p < 0.05."""
    found = (
        spearman_exact(range(7), pairing)
        for pairing in itertools.islice(itertools.permutations(range(7)), 0, 5040, 7)
    )
    assert min(abs(test.estimate) for test in found if test.p < 0.05) == pytest.approx(
        0.786, abs=5e-4
    )


def random_table(rows=60, networks=5):
    table = pd.DataFrame(RANDOM.normal(size=(rows, 3)), columns=["x", "z", "y"])
    table["net"] = RANDOM.integers(networks, size=rows)
    table.loc[3, "x"] = math.nan
    return table


def draws_of_networks(rows, resamples, seed):
    """The rows of whole networks, drawn with replacement, as positions."""
    rng, names = np.random.default_rng(seed), list(dict.fromkeys(rows["net"]))
    where = [np.flatnonzero(rows["net"] == name) for name in names]
    for _ in range(resamples):
        yield np.concatenate([where[k] for k in rng.integers(0, len(names), len(names))])


def test_explained_is_the_least_squares_of_the_textbook():
    table = random_table()
    found, rows = explained(table, "y", ["x", "z"], "net", resamples=50, seed=4), table.dropna()
    y = rows["y"].to_numpy()
    X = np.column_stack([np.ones(len(y)), rows[["x", "z"]].apply(scipy_stats.zscore)])
    hat = X @ np.linalg.inv(X.T @ X) @ X.T
    spread = np.sum((y - y.mean()) ** 2)
    assert found.r2 == pytest.approx(1 - np.sum((y - hat @ y) ** 2) / spread, abs=1e-12)
    assert found.residual == pytest.approx(math.sqrt(np.sum((y - hat @ y) ** 2) / (len(y) - 3)))
    by_hand = np.linalg.solve(X.T @ X, X.T @ y)
    assert [found.coefficients[key] for key in "xz"] == pytest.approx(by_hand[1:], abs=1e-12)
    left = np.empty(len(y))
    for name in set(rows["net"]):
        out = (rows["net"] == name).to_numpy()
        left[out] = y[out] - X[out] @ np.linalg.lstsq(X[~out], y[~out], rcond=None)[0]
    assert found.r2_left_out == pytest.approx(1 - left @ left / spread, abs=1e-12)
    drawn = []
    for some in draws_of_networks(rows, 50, 4):
        inside = y[some] - X[some] @ np.linalg.lstsq(X[some], y[some], rcond=None)[0]
        drawn.append(1 - inside.var() / y[some].var())
    assert found.interval == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=1e-12)
    assert found.n == 59 and found.groups == 5


def test_explained_variance_on_a_relation_that_is_known():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"x": rng.standard_normal(400), "z": rng.standard_normal(400), "net": np.arange(400) % 8}
    )
    table["y"] = 2 * table["x"] + rng.standard_normal(400)
    found = explained(table, "y", ["x", "z"], "net")
    assert found.r2 == pytest.approx(0.8, abs=0.05) and found.residual == pytest.approx(1, abs=0.1)
    assert found.interval[0] < found.r2 < found.interval[1]
    assert found.r2_left_out == pytest.approx(found.r2, abs=0.02)
    assert found.coefficients["x"] == pytest.approx(2, abs=0.15)
    assert abs(found.coefficients["z"]) < 0.15
    nothing = explained(table, "y", ["z"], "net")
    assert nothing.r2 < 0.03
    # a difference between groups alone does not carry over to a group that was not seen
    table["g"] = table["net"] // 4 + 0.0
    table["y"] = table["net"].map(dict(enumerate(rng.standard_normal(8))))
    assert explained(table, "y", ["g"], "net").r2_left_out < explained(table, "y", ["g"], "net").r2


def test_a_rank_correlation_is_pandas_and_its_interval_that_of_drawn_networks():
    table = random_table()
    found, rows = rank_correlation(table, "x", "y", "net", resamples=50, seed=4), table.dropna()
    assert found.rho == pytest.approx(rows["x"].corr(rows["y"], method="spearman"), abs=1e-12)
    drawn = [
        rows["x"].iloc[some].rank().corr(rows["y"].iloc[some].rank())
        for some in draws_of_networks(rows, 50, 4)
    ]
    assert found.interval == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=1e-12)
    assert found.n == 59


def test_a_rank_correlation_inside_groups_is_not_that_over_all_rows():
    """Between the groups y rises with x, inside each it falls; two groups have no order inside."""
    rows = [(10 * k + i, 10 * k - i, net) for k, net in enumerate("abc") for i in range(4)]
    rows += [(40, 40, "d"), (50, 50, "d"), (60, 60, "e"), (60, 61, "e"), (60, 62, "e")]
    table = pd.DataFrame(rows, columns=["x", "y", "net"])
    found = rank_correlation(table, "x", "y", "net")
    assert found.rho > 0.8 and (found.within, found.alike, found.groups) == (-1, 0, 3)
    without = [table[table["net"] != net] for net in "abcde"]
    rhos = [rows["x"].corr(rows["y"], method="spearman") for rows in without]
    assert found.left_out == pytest.approx((min(rhos), max(rhos)))


def test_draws_without_an_order_are_left_out_of_a_rank_correlation():
    table = pd.DataFrame(
        {"x": [1.0, 1, 2, 2, 3, 3], "y": [0.0, 1, 2, 3, 4, 5], "net": list("aabbcc")}
    )
    found = rank_correlation(table, "x", "y", "net")
    assert 0.8 < found.interval[0] <= found.rho <= found.interval[1] <= 1
    assert math.isnan(rank_correlation(table.assign(x=1.0), "x", "y", "net", resamples=0).rho)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mean_interval([]), "values"),
        (lambda: mean_interval([1, math.nan]), "values"),
        (lambda: mean_interval([[1, 2]]), "values"),
        (lambda: mean_interval([1, 2], 95), "confidence"),
        (lambda: sign_flip_test([]), "differences"),
        (lambda: smallest_effect(-1, 5), "differences_sd"),
        (lambda: smallest_effect(1, 1), "n must be"),
        (lambda: smallest_effect(1, 5, power=0.01), "power"),
        (lambda: holm([0.1, 1.2]), "p_values"),
        (lambda: holm([0.1, math.nan]), "p_values"),
        (lambda: welch(1, -1, 10, 1, 1, 10), "std1"),
        (lambda: welch(1, 1, 10, 1, 1, 1), "n2"),
        (lambda: spearman_exact([1, 2, 3], [1, 2]), "lengths 3 and 2"),
        (lambda: spearman_exact(range(10), range(10)), "from 3 to 9"),
        (lambda: spearman_exact([1, 1, 1], [1, 2, 3]), "no ranks"),
        (lambda: explained(ONE_ROW[["y"]], "y", ["x"], "net"), "'x', 'net'"),
        (lambda: explained(ONE_ROW, "y", ["x"], "net"), "1 rows of 1 groups"),
        (lambda: rank_correlation(ONE_ROW[["y"]], "y", "x", "net"), "'x', 'net'"),
        (lambda: rank_correlation(ONE_ROW, "y", "x", "net"), "1 rows of 1 groups"),
    ],
)
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
