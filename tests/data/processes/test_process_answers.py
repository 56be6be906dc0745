"""Known answers: inner functions with their parameters given."""

from __future__ import annotations

import numpy as np
import pytest

from tsprout.data.processes import common, counts, couple, dynamics, kernels, linear, marginals, seasonal, statespace


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_causal_filter_is_a_convolution_for_short_and_long_spans() -> None:
    for span, length in ((30, 12), (500, 400)):
        noise, response = rng().standard_normal((2, 3, span)), rng(1).standard_normal((2, span))
        out = common.causal_filter(noise, response, length)
        for f in range(2):
            for i in range(3):
                np.testing.assert_allclose(out[f, i], np.convolve(noise[f, i], response[f])[span - length : span])


def test_rms_sees_what_is_not_finite() -> None:
    x = rng().standard_normal((3, 4))
    assert common.rms(x + 5) == pytest.approx(x.std())
    for bad in (np.nan, np.inf):
        x[1, 1] = bad
        assert not np.isfinite(common.rms(x))


def test_impulse_response_follows_the_recursion() -> None:
    response = linear.impulse_response(np.array([[[0.9, -0.5], [0.4, 0.0]]]), np.array([[0.7]]), 80, (6, 0.5))[0]
    one = np.zeros(80)
    one[:2] = 1, 0.7
    for a in ([0.9, -0.5], [0.4], [0, 0, 0, 0, 0, 0.5]):
        for t in range(80):
            one[t] += sum(c * one[t - k] for k, c in enumerate(a, 1) if t >= k)
    np.testing.assert_allclose(response, one, atol=1e-5)


@pytest.mark.parametrize("length", [12, 300])
def test_first_order_autoregression_forgets_geometrically(length: int) -> None:
    x = linear.arma(rng(), 24_000 // length, np.array([[[0.7, 0.0]]]), np.zeros((1, 0)), length)[:, 0]
    for k in (1, 2, 5):
        found = (x[:, k:] * x[:, :-k]).mean() / (x * x).mean()
        assert found == pytest.approx(0.7**k, abs=0.05)


def test_garch_has_unit_variance_and_heavy_tails() -> None:
    alpha, beta = 0.2, 0.5
    x = linear.garch_returns(rng(), 2000, 1, 100, alpha, beta)
    both = (alpha + beta) ** 2
    assert x.var() == pytest.approx(1, abs=0.03)
    assert (x**4).mean() / x.var() ** 2 == pytest.approx(3 * (1 - both) / (1 - both - 2 * alpha**2), abs=0.2)
    assert abs((x[..., 1:] * x[..., :-1]).mean()) < 0.02
    squares = x**2 - 1
    assert (squares[..., 1:] * squares[..., :-1]).mean() > 0.3


def test_a_walks_variance_grows_with_time() -> None:
    x = linear.integrate(rng().standard_normal((20_000, 50)))
    np.testing.assert_allclose(x.var(0), np.arange(1, 51), rtol=0.06)


@pytest.mark.parametrize(
    "values",
    [
        lambda r: kernels.rbf(r, 6.0),
        lambda r: kernels.matern(r, 5.0),
        lambda r: kernels.exponential(r, 8.0),
        lambda r: kernels.rational_quadratic(r, 4.0, 0.8),
        lambda r: kernels.periodic(r, 10.0, 1.0),
        lambda r: kernels.periodic(r, 7.0, 1.0) * kernels.rbf(r, 9.0) + 0.2 * kernels.white(r),
    ],
    ids=["rbf", "matern", "exponential", "rational_quadratic", "periodic", "composed"],
)
@pytest.mark.parametrize("length", [24, 171])
def test_sample_covariance_is_the_kernel(values, length: int) -> None:
    lag = np.arange(length)
    x = kernels.sample(rng(), values(lag)[None], 6000, 1)[:, 0, :24]
    np.testing.assert_allclose(np.cov(x.T, bias=True), values(np.abs(lag[:24] - lag[:24, None])), atol=0.1)


def test_each_factor_has_its_kernel() -> None:
    lag = np.arange(8)
    x = kernels.sample(rng(), np.stack([kernels.rbf(lag, 3.0), 4 * kernels.white(lag)]), 6000, 2)
    assert (x[:, 0, 1:] * x[:, 0, :-1]).mean() == pytest.approx(np.exp(-1 / 18), abs=0.06)
    assert (x[:, 1] ** 2).mean() == pytest.approx(4, abs=0.15)
    assert abs((x[:, 1, 1:] * x[:, 1, :-1]).mean()) < 0.1
    assert abs((x[:, 0] * x[:, 1]).mean()) < 0.1


def test_a_periodic_kernel_repeats() -> None:
    x = kernels.sample(rng(), kernels.periodic(np.arange(36), 12.0, 0.8)[None], 20, 1)
    np.testing.assert_allclose(x[..., 12:], x[..., :-12], atol=0.05)
    assert np.abs(x[..., 6:] - x[..., :-6]).max() > 1


def test_drawn_kernels_are_positive() -> None:
    lag = np.abs(np.subtract.outer(np.arange(32), np.arange(32)))
    for seed in range(100):
        for kernel in kernels.draw_kernel(rng(seed), 2, 32):
            assert np.linalg.eigvalsh(kernel[lag]).min() > -1e-9 * kernel[0] * 32


def test_markov_chains_keep_to_their_transitions() -> None:
    transition = np.array([[0.75, 0.25, 0.0], [0.5, 0.0, 0.5], [0.125, 0.125, 0.75]])
    path = statespace.markov_chain(rng(), transition, 400, 200)
    assert path.shape == (400, 200)
    for state in range(3):
        after = path[:, 1:][path[:, :-1] == state]
        np.testing.assert_allclose(np.bincount(after, minlength=3) / len(after), transition[state], atol=0.02)


def test_templates_are_read_round_the_clock() -> None:
    table = np.arange(10.0)[None] * np.array([[1.0], [-1.0]])
    out = seasonal.read_template(table, np.array([[0.0, 0.25, 0.95, 1.0, 1.25, -0.05]]))
    np.testing.assert_array_equal(out, [[[0, 2, 9, 0, 2, 0], [0, -2, -9, 0, -2, 0]]])


def test_clocks_favour_no_series() -> None:
    """Aligned or not, no series is ahead of another on average; each runs one turn a period."""
    turns = [common.clocks(rng(s), 6, 9, 8.0) for s in range(600)]
    assert {t.shape for t in turns} == {(1, 9), (6, 9)}
    assert all(np.allclose(t[:, 8] - t[:, 0], 1) for t in turns)
    own = np.exp(2j * np.pi * np.stack([t[:, 0] for t in turns if len(t) == 6]))
    ahead = (own[:, 1:] / own[:, :-1]).mean(0)
    assert np.abs(ahead.imag).max() < 0.15
    starts = np.exp(2j * np.pi * np.array([t[0, 0] for t in turns]))
    assert abs(starts.mean()) < 0.12


@pytest.mark.parametrize(
    ("field", "state", "velocity"),
    [
        (dynamics.lorenz(10, 28, 2), [1, 2, 3], [10, 23, -4]),
        (dynamics.rossler(0.5, 0.25, 4), [1, 2, 3], [-5, 2, -8.75]),
        (dynamics.van_der_pol(0.5), [2, 3], [3, -6.5]),
        (dynamics.lotka_volterra(2, 3), [4, 5], [-32, 45]),
        (dynamics.fitzhugh_nagumo(0.5, 0.1), [3, 1], [-6.5, 0.29]),
    ],
    ids=["lorenz", "rossler", "van_der_pol", "lotka_volterra", "fitzhugh_nagumo"],
)
def test_fields_are_the_equations(field, state: list[float], velocity: list[float]) -> None:
    np.testing.assert_allclose(field(np.array(state, dtype=float)[:, None])[:, 0], velocity)


def test_runge_kutta_goes_round_the_circle() -> None:
    path = dynamics.integrate_field(lambda s: np.stack([s[1], -s[0]]), np.array([[1.0], [0.0]]), 0.1, 100, burn=5)
    time = 0.1 * np.arange(5, 105)
    np.testing.assert_allclose(path[:, :, 0].T, [np.cos(time), -np.sin(time)], atol=1e-4)


def test_runge_kutta_stays_in_its_box() -> None:
    assert np.abs(dynamics.integrate_field(lambda s: s**3, np.full((1, 2), 2.0), 0.5, 20)).max() == 100


@pytest.mark.parametrize("process", [dynamics.attractor, dynamics.limit_cycle, dynamics.delayed_feedback])
def test_flows_start_and_stay_where_they_do_not_run_away(process) -> None:
    for seed in range(60):
        for length in (24, 200) if seed < 12 else (24,):
            x = process(rng(seed), 10, 3, length)
            assert np.abs(x).max() < 85
            # Held by the box or not resolved, a flow would jump from step to step.
            if length == 200:
                assert np.abs(np.diff(x)).max() < 0.45 * np.ptp(x)


def test_lorenz_stays_on_its_attractor_and_visits_both_wings() -> None:
    path = dynamics.integrate_field(dynamics.lorenz(), rng().standard_normal((3, 20)) + 10, 0.02, 1500, burn=200)
    x, y, z = path.transpose(1, 0, 2)
    assert np.abs(x).max() < 22
    assert np.abs(y).max() < 30
    assert 0 < z.min() < z.max() < 50
    assert z.mean() == pytest.approx(23.55, abs=0.4)
    assert 0.3 < (x > 0).mean() < 0.7


def test_rossler_and_van_der_pol_keep_their_size() -> None:
    x = dynamics.integrate_field(dynamics.rossler(), np.ones((3, 5)), 0.1, 2000, burn=500)
    assert 8 < x[:, 0].max() < 14
    x = dynamics.integrate_field(dynamics.van_der_pol(1.0), np.full((2, 3), 0.3), 0.1, 500, burn=300)[:, 0]
    assert x.max() == pytest.approx(2.009, abs=0.02)


def test_prey_and_predators_keep_their_constant() -> None:
    x, y = dynamics.integrate_field(dynamics.lotka_volterra(1.2, 0.8), np.array([[0.5], [1.4]]), 0.05, 400).transpose(
        1, 0, 2
    )
    constant = 0.8 * (x - np.log(x)) + 1.2 * (y - np.log(y))
    np.testing.assert_allclose(constant, constant[0, 0], rtol=1e-5)


def test_membranes_spike_within_a_window_of_currents() -> None:
    swing = [
        np.ptp(dynamics.integrate_field(dynamics.fitzhugh_nagumo(i), np.zeros((2, 1)), 0.5, 400, burn=400)[:, 0])
        for i in (0.0, 0.6, 2.0)
    ]
    assert swing[0] < 0.1 < 3 < swing[1]
    assert swing[2] < 0.1


def test_the_logistic_map_at_four_has_the_arcsine_density() -> None:
    x = dynamics.logistic_map(rng().random(500), 4.0, 300)[20:]
    assert x.mean() == pytest.approx(0.5, abs=0.01)
    assert x.var() == pytest.approx(0.125, abs=0.005)
    assert (x < 0.25).mean() == pytest.approx(1 / 3, abs=0.01)


def test_the_henon_map_follows_its_rule() -> None:
    x = dynamics.henon_map(rng().uniform(-0.3, 0.3, (2, 6)), 1.4, 0.3, 200)
    np.testing.assert_allclose(x[2:], 1 - 1.4 * x[1:-1] ** 2 + 0.3 * x[:-2])
    assert 1.2 < np.abs(x).max() < 1.3


def test_poisson_mean_is_its_variance_and_dispersion_adds() -> None:
    for dispersion in (0.0, 0.5):
        x = counts.counts(rng(), np.full(200_000, 6.0), dispersion)
        assert x.mean() == pytest.approx(6, abs=0.06)
        assert x.var() == pytest.approx(6 + dispersion * 36, rel=0.03)
        assert np.array_equal(x, np.round(x))


def test_self_excitation_clusters() -> None:
    x = counts.hawkes_counts(rng(), 3000, 1, 60, base=0.5, branching=0.6, decay=0.5)
    plain = counts.hawkes_counts(rng(), 3000, 1, 60, base=1.25, branching=0.0, decay=0.5)
    assert x.mean() == pytest.approx(0.5 / 0.4, rel=0.05)
    totals, plain_totals = x.sum(-1), plain.sum(-1)
    assert plain_totals.var() / plain_totals.mean() == pytest.approx(1, abs=0.1)
    # 1 / (1 - branching)^2 = 6.25 for an endless window.
    assert 4.5 < totals.var() / totals.mean() < 6.5


def test_mixing_gives_the_covariance() -> None:
    mixing = np.array([[1.0, 0.0], [2.0, -1.0], [0.5, 0.5]])
    x = couple.mix(rng().standard_normal((4000, 2, 10)), mixing)
    np.testing.assert_allclose(np.cov(x.swapaxes(0, 1).reshape(3, -1)), mixing @ mixing.T, atol=0.08)


def test_every_channel_is_fed() -> None:
    fed = [np.abs(couple.draw_mixing(rng(s), 7, 1 + s % 6)).sum(1).min() > 0 for s in range(200)]
    assert sum(fed) >= 199


def test_lagged_channels_follow() -> None:
    x = rng().standard_normal((3, 2, 15))
    out = couple.lagged(x, np.array([0, 4]), 10)
    np.testing.assert_array_equal(out[:, 0], x[:, 0, 5:])
    np.testing.assert_array_equal(out[:, 1], x[:, 1, 1:11])


def test_derived_channels_leave_the_others_alone() -> None:
    x = rng().standard_normal((4, 12, 20))
    kinds = set()
    for seed in range(200):
        y = x.copy()
        couple.derive(rng(seed), y)
        assert np.isfinite(y).all()
        changed = np.flatnonzero((x != y).any((0, 2)))
        assert 1 <= len(changed) <= 4
        for c in changed:
            kinds |= {"constant"} if np.ptp(y[:, c]) == 0 else set()
            kinds |= {"copy"} if any(np.array_equal(y[:, c], x[:, k]) for k in range(12)) else set()
            kinds |= {"difference"} if any(np.array_equal(y[:, c, 1:], np.diff(x[:, k])) for k in range(12)) else set()
            kinds |= {"sum"} if any(np.allclose(20 * y[:, c], x[:, k].cumsum(-1)) for k in range(12)) else set()
            kinds |= {"size"} if any(np.array_equal(y[:, c], np.abs(x[:, k])) for k in range(12)) else set()
            kinds |= {"rising"} if (np.diff(y[:, c]) >= 0).all() else set()
    assert kinds == {"constant", "copy", "rising", "difference", "sum", "size"}


def test_brackets_stay_close_to_the_course() -> None:
    x = np.cumsum(rng().standard_normal((6, 3, 60)), axis=-1)
    out = couple.bracket(rng(1), x / x.std())
    assert min(np.corrcoef(out[:, 0].ravel(), out[:, c].ravel())[0, 1] for c in (1, 2)) > 0.9


@pytest.mark.parametrize("name", marginals.BENDS)
def test_bends_keep_shape_and_their_promise(name: str) -> None:
    bend, _ = marginals.BENDS[name]
    promise = {
        "log_normal": lambda y: y.min() > 0,
        "saturate": lambda y: np.abs(y).max() <= 1,
        "clip": lambda y: ((y == y.min()).sum() > 3) | ((y == y.max()).sum() > 3),
        "rectify": lambda y: y.min() == 0,
        "inflate_zeros": lambda y: y.min() == 0 and (y == 0).mean() < 0.75,
        "whole": lambda y: np.array_equal(y, np.round(y)),
        "binary": lambda y: set(np.unique(y)) == {0.0, 1.0},
        "levels": lambda y: 2 <= len(np.unique(y)) <= 7,
        "hold": lambda y: (np.diff(y) == 0).mean() > 0.4,
        "logistic": lambda y: 0 < y.min() < y.max() < 1,
        "heavy_tails": lambda y: (y**4).mean() / y.var() ** 2 > 3.5,
    }.get(name, lambda y: True)
    x = rng().standard_normal((5, 3, 200))
    before = x.copy()
    for seed in range(40):
        y = bend(rng(seed), x)
        assert y.shape == x.shape
        assert np.isfinite(y).all()
        assert y.std() > 0
        assert promise(y)
        assert np.isfinite(bend(rng(seed), 1e3 * x)).all()
    assert np.array_equal(x, before)


def test_the_share_of_zeros_is_the_one_asked_for() -> None:
    y = marginals.inflate_zeros(rng(), rng(1).standard_normal((40, 5, 100)), share=0.3)
    assert (y == 0).mean() == pytest.approx(0.3, abs=0.01)
