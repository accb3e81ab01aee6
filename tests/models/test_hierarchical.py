from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import scipy.stats as st
from hypothesis import given
from hypothesis import strategies as hs
from panel_factory import bundled_panel, cut_panel, small_counts

from odforecast.errors import PanelError
from odforecast.geography.places import JURISDICTIONS
from odforecast.models import Fitted, get_model
from odforecast.models.hierarchy import inputs as hi
from odforecast.models.hierarchy.draws import fitted_log_mean, future
from odforecast.models.hierarchy.laplace import LEVEL_SD, approximate, path_basis, whiten
from odforecast.models.hierarchy.model import Hierarchical
from odforecast.models.hierarchy.prior import prior_predictive, simulate
from odforecast.names import TARGET_MONTH
from odforecast.panel import Panel
from odforecast.seeds import Streams

FOUR = ("CT", "MA", "OH", "MI")  # two regions with two members each: all levels are there
STREAMS = Streams(1, "states", "all-drugs", "2018-06")
QUICK = Hierarchical("hierarchical-quick")


def four_states(last: str = "2018-06") -> Panel:
    return cut_panel(last, FOUR)


# --- inputs -----------------------------------------------------------------------------


@given(n=hs.integers(3, 80), every=hs.integers(1, 7))
def test_interpolation_is_exact_for_lines_and_ends_at_the_last_month(n: int, every: int) -> None:
    weights, position = hi.interpolation(n, every)
    assert position[-1] == n - 1
    assert position[0] <= 0 < position[1]
    np.testing.assert_allclose(weights @ (2.0 * position + 1.0), 2.0 * np.arange(n) + 1.0)


def test_inputs_are_sorted_padded_and_whole() -> None:
    panel = four_states()
    inputs, skipped = hi.from_panel(panel, "m")
    assert not skipped
    assert inputs.locations == ("CT", "MA", "MI", "OH")
    assert inputs.months.size % hi.PAD == 0
    assert inputs.months[-1] == panel.last_month
    n = panel.month_grid.size
    assert inputs.seen[:, -n:].all()
    assert not inputs.seen[:, :-n].any()
    np.testing.assert_array_equal(inputs.counts[3, -n:], panel.monthly[panel.index("OH")])
    assert inputs.group_names == (("Midwest", "Northeast"), ("nation",))


def test_rest_of_the_nation_makes_the_parts_add_up() -> None:
    panel = cut_panel("2021-06", ("US", "OH", "WY"))
    inputs, _ = hi.from_panel(panel, "m")
    assert inputs.locations == ("OH", "WY", hi.REST)
    total = inputs.counts[:, -12:].sum()
    assert total == panel.reported[panel.index("US"), -1]


def test_whole_nation_has_no_rest() -> None:
    inputs, _ = hi.from_panel(cut_panel("2021-06", ("US", *JURISDICTIONS)), "m")
    assert set(inputs.locations) == set(JURISDICTIONS)


def test_nation_alone_is_a_series_of_its_own() -> None:
    inputs, _ = hi.from_panel(cut_panel("2021-06", ("US",)), "m")
    assert inputs.locations == ("US",)
    assert inputs.members == ()


# --- the density ------------------------------------------------------------------------


def evaluate(expression: object) -> np.ndarray:
    import pytensor

    return np.asarray(pytensor.function([], expression, mode="FAST_COMPILE")())


def test_negative_binomial_agrees_with_scipy() -> None:
    from scipy.special import gammaln

    from odforecast.models.hierarchy.graph import negative_binomial

    y = np.array([0.0, 1.0, 8.0, 700.0])[:, None]
    alpha, mu = np.array([0.7, 30.0, 4000.0]), 12.0
    ours = evaluate(negative_binomial(y, np.log(mu), alpha)) - gammaln(y + 1)
    theirs = st.nbinom.logpmf(y, alpha, alpha / (alpha + mu))
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)


def test_interval_censored_agrees_with_scipy() -> None:
    from odforecast.models.hierarchy.graph import interval_censored

    mu, alpha = np.array([0.4, 5.0, 30.0]), np.array([2.0, 50.0, 300.0])
    ours = evaluate(interval_censored(np.log(mu), alpha))
    p = alpha / (alpha + mu)
    theirs = np.log(st.nbinom.cdf(9, alpha, p) - st.nbinom.cdf(0, alpha, p))
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_a_graph_with_censored_counts_uses_them() -> None:
    import pymc as pm

    from odforecast.models.hierarchy import graph as hg

    panel = cut_panel("2018-06", ("OH", "WY"))
    sums = panel.reported.copy()
    sums[panel.index("WY"), :12] = np.nan
    hidden = Panel(**{**panel.__getstate__(), "reported": sums})
    model = Hierarchical(censored=lambda p: np.isnan(p.monthly))
    inputs, _ = model.inputs(hidden)
    assert inputs.censored[1].sum() == 12
    assert not (inputs.censored & inputs.seen).any()
    shape = hg.shape_of(inputs, tail=5.0, season_state=False)
    graph = hg.build(shape, hg.graph_data(inputs, approximate(inputs, 5.0)))
    assert isinstance(graph, pm.Model)
    assert shape.censored
    value = graph.compile_logp(jacobian=False)(graph.initial_point())
    assert np.isfinite(value)


@contextmanager
def padded_to(months: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hi, "PAD", months)
        yield


def graph_logp(inputs: hi.Inputs, point: dict[str, np.ndarray] | None, seed: int = 3):
    """Log density of a graph at a point (drawn if None; coordinates in use only)."""
    from odforecast.models.hierarchy import graph as hg

    guide = approximate(inputs, 5.0)
    data = hg.graph_data(inputs, guide)
    graph = hg.build(hg.shape_of(inputs, tail=5.0, season_state=False), data)
    start = graph.initial_point()
    rng = np.random.default_rng(seed)
    if point is None:
        point = {k: 0.3 * rng.standard_normal(np.shape(v)) for k, v in start.items()}
    full = {}
    for name, value in start.items():
        full[name] = np.zeros(np.shape(value))
        size = point[name].shape
        if name == "z_0":  # the level stands first, then the padding
            full[name][:, 0] = point[name][:, 0]
            full[name][:, full[name].shape[1] - size[1] + 1 :] = point[name][:, 1:]
        elif size:
            full[name][..., full[name].shape[-1] - size[-1] :] = point[name]
        else:
            full[name] = point[name]
    logp = float(graph.compile_logp(jacobian=False)(full))
    return logp, point, data, guide, graph


def test_padding_changes_nothing() -> None:
    panel = four_states()
    with padded_to(1):
        tight, _ = hi.from_panel(panel, "m")
    loose, _ = hi.from_panel(panel, "m")
    extra = loose.months.size - tight.months.size
    assert extra > 0
    short, point, *_ = graph_logp(tight, None)
    long, *_ = graph_logp(loose, point)
    # A padded month has a shock of its own, standard normal, here at 0.
    assert long == pytest.approx(short + extra * st.norm.logpdf(0.0), abs=1e-6)


def reference_logp(inputs, point, data, guide, graph) -> float:  # type: ignore[no-untyped-def]
    """The model's density written out in numpy, at the point, without constants of priors."""
    names = ["scale_group", "damping_group", "damping", "scale", "extra", "season", "shock"]
    names += ["path", "level"]
    outputs = graph.replace_rvs_by_values([graph[n] for n in names])
    function = graph.compile_fn(
        outputs,
        inputs=graph.value_vars,
        point_fn=True,
        mode="FAST_COMPILE",
        on_unused_input="ignore",
    )
    values = function(point)
    v = dict(zip(names, values))
    increments = np.diff(v["path"], axis=1)
    total = 0.0
    # Recover every level's vector from its whitened coordinates, top down.
    parent = None
    scales = [
        v["scale"],
        *(np.full(m.shape[1], s) for m, s in zip(inputs.members, v["scale_group"])),
    ]
    dampings = [v["damping"], *v["damping_group"]]
    for g in (2, 1, 0):
        level, scale, damping = guide.levels[g], scales[g], dampings[g]
        forward, backward, strength, info = whiten(level)
        shrink = ((data[f"reference_{g}"] / scale) ** 2)[:, None]
        mean = np.zeros_like(info)
        skip = 1 if g == 0 else 0
        if g == 0:
            mean[:, 0] = guide.center
        if parent is not None:
            mean[:, skip:] = inputs.members[g] @ parent
        precision = strength + shrink
        white = (info + shrink * np.einsum("skl,sl->sk", backward, mean)) / precision
        vector = np.einsum("skl,sl->sk", forward, white + point[f"z_{g}"] / np.sqrt(precision))
        if g == 0:
            np.testing.assert_allclose(vector[:, 1:], increments, atol=1e-8)
        total -= 0.5 * np.log(precision).sum()  # Jacobian
        d = vector[:, skip:] - mean[:, skip:]
        total += st.norm.logpdf(d[:, 0], 0, scale / np.sqrt(1 - damping**2)).sum()
        total += st.t.logpdf(d[:, 1:] - damping * d[:, :-1], 5.0, 0, scale[:, None]).sum()
        parent = vector[:, skip:]
    total += st.norm.logpdf(v["level"], guide.center, LEVEL_SD).sum()
    common = inputs.month_hot @ v["season"] + v["shock"]
    mu = np.exp(v["path"] @ inputs.weights.T + common)
    alpha = v["extra"][:, None] ** -2.0
    total += (st.nbinom.logpmf(inputs.counts, alpha, alpha / (alpha + mu)) * inputs.seen).sum()
    return total


def test_whitening_changes_coordinates_not_the_model() -> None:
    with padded_to(1):
        inputs, _ = hi.from_panel(four_states(), "m")
    gaps = []
    for seed in (1, 2):
        logp, point, data, guide, graph = graph_logp(inputs, None, seed)
        prior = float(
            graph.compile_logp(vars=graph.free_RVs, jacobian=False)(point)
        )  # hyperparameters only: the coordinates are flat
        gaps.append(logp - prior - reference_logp(inputs, point, data, guide, graph))
    # Only constants differ: log y!, and the map's determinant at the reference.
    assert gaps[0] == pytest.approx(gaps[1], abs=1e-4)


# --- draws ------------------------------------------------------------------------------


def quick(states: tuple[str, ...] = FOUR, last: str = "2018-06") -> Fitted:
    return get_model("hierarchical-quick").fit(cut_panel(last, states))


def test_approximation_says_so() -> None:
    result = quick().forecast(horizon=3, draws=10, seed=0)
    assert any("approximate" in w for w in result.warnings)


def test_approximation_refuses_what_it_cannot_do() -> None:
    with pytest.raises(PanelError, match="hierarchical-quick"):
        Hierarchical("hierarchical-quick", season_state=True).fit(four_states())


def test_draws_are_joint_over_locations() -> None:
    result = quick().forecast(horizon=6, draws=2000, seed=0)
    draws = result.samples(TARGET_MONTH)[:, :, -1]
    shuffled = np.random.default_rng(0).permuted(draws, axis=0)
    assert draws.sum(axis=1).std() > 1.15 * shuffled.sum(axis=1).std()


def test_the_nation_is_the_sum_of_its_parts() -> None:
    result = quick(("US", *JURISDICTIONS), "2021-06").forecast(horizon=14, draws=20, seed=0)
    samples = result.samples()
    parts = [result.locations.index(s) for s in JURISDICTIONS]
    np.testing.assert_allclose(samples[:, 0], samples[:, parts].sum(axis=1))
    np.testing.assert_allclose(result.draws[:, 0], result.draws[:, parts].sum(axis=1))
    np.testing.assert_allclose(samples[:, 0], result.nation().samples()[:, 0])


def test_new_innovations_are_drawn_for_the_future() -> None:
    fitted = quick()
    posterior = fitted.idata["posterior"]
    one = {k: np.repeat(v.values[0, :1], 400, axis=0) for k, v in posterior.data_vars.items()}
    draws, stopped = future(one, fitted.inner.inputs, (), 5.0, 12, STREAMS)
    assert stopped == 0.0
    spread = np.log(draws + 1).std(axis=0).mean(axis=0)
    assert spread[-1] > 1.5 * spread[0]


def test_an_effect_is_centred_on_none_unless_told():
    assert hi.Effect("step", lambda s, m: np.ones((len(s), m.size)), 0.1).mean == 0.0


def test_effects_enter_past_and_future() -> None:
    step = hi.Effect("step", lambda s, m: np.ones((len(s), m.size)), 0.1)
    inputs, _ = hi.from_panel(four_states(), "m", effects=[step])
    assert inputs.exposure.shape == (1, *inputs.counts.shape)
    draws = simulate(inputs, 5, np.random.default_rng(0))
    bare = {k: v for k, v in draws.items() if k != "effect"}
    gap = fitted_log_mean(draws, inputs) - fitted_log_mean(bare, inputs)
    np.testing.assert_allclose(gap[:, 2, 7], draws["effect"][:, 0])
    one = {k: v[:1] for k, v in draws.items()} | {"effect": np.array([[0.5]])}
    none = one | {"effect": np.array([[0.0]])}
    means = [
        future(
            {k: np.repeat(v, 400, axis=0) for k, v in p.items()},
            inputs,
            (step,),
            5.0,
            1,
            STREAMS,
        )[0].mean()
        for p in (one, none)
    ]
    assert means[0] / means[1] == pytest.approx(np.exp(0.5), rel=0.05)


def test_idata_is_labelled_and_survives_a_pickle() -> None:
    fitted = quick()
    posterior = fitted.idata["posterior"]
    assert posterior["path"].dims == ("chain", "draw", "location", "knot")
    assert list(posterior["location"].values) == list(fitted.inner.inputs.locations)
    assert posterior["knot"].values[-1] == fitted.panel.last_month
    again = pickle.loads(pickle.dumps(fitted)).forecast(horizon=2, draws=5, seed=1)
    np.testing.assert_array_equal(again.draws, fitted.forecast(2, draws=5, seed=1).draws)


def test_posterior_predictive_finds_the_data_ordinary() -> None:
    table = quick(last="2021-06").inner.posterior_predictive(draws=200)
    assert set(table["location"]) == set(FOUR)
    means = table[table["statistic"] == "mean"]
    assert means["p"].between(0.05, 0.95).all()
    assert (table["q05"] <= table["q95"]).all()


def test_prior_predictive_covers_real_changes() -> None:
    inputs, _ = QUICK.inputs(cut_panel("2021-06", FOUR))
    table = prior_predictive(inputs, 300).set_index("statistic")
    assert (table["q05"] < table["data_q05"]).all()
    assert (table["q95"] > table["data_q95"]).all()
    same = QUICK.prior_predictive(cut_panel("2021-06", FOUR), 300)
    np.testing.assert_array_equal(same["q50"], table["q50"])


def test_approximation_recovers_what_made_the_data() -> None:
    inputs, _ = QUICK.inputs(cut_panel("2024-04", ("US", *JURISDICTIONS)))
    truth = simulate(inputs, 1, np.random.default_rng(4), center=np.full(52, 4.5))
    counts = inputs.counts.copy()
    n = truth["deaths"].shape[2]
    counts[:, -n:] = truth["deaths"][0]
    found = approximate(type(inputs)(**{**vars(inputs), "counts": counts}), 5.0)
    np.testing.assert_array_equal(found.basis, path_basis(found.basis.shape[0]))
    assert np.median(found.scales.state) == pytest.approx(np.median(truth["scale"][0]), rel=0.4)
    assert found.scales.shock == pytest.approx(truth["shock_scale"][0], rel=0.5)


def test_small_counts() -> None:
    fitted = get_model("hierarchical-quick").fit(small_counts())
    result = fitted.forecast(horizon=12, draws=200, seed=0)
    assert result.samples(TARGET_MONTH).max() < 30


# --- NUTS -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_nuts_samples_warns_and_repeats() -> None:
    model = get_model("hierarchical", draws=120, tune=150, chains=2, cores=1)
    panel = bundled_panel(("CT", "OH", "WY")).cut("2018-02")
    fitted = model.fit(panel)
    checks = fitted.inner.checks
    assert checks is not None
    assert {"r_hat", "ess_bulk", "ess_tail"} <= set(checks.table.columns)
    assert not checks.passed  # 240 draws cannot reach an effective size of 400
    result = fitted.forecast(horizon=12, draws=100, seed=0)
    assert any("not converged" in w for w in result.warnings)
    again = model.fit(panel).forecast(horizon=12, draws=100, seed=0)
    np.testing.assert_array_equal(result.draws, again.draws)
    # Exact and approximate agree on the level they start from.
    level = fitted.idata["posterior"]["level"].mean(("chain", "draw")).values
    other = Hierarchical("hierarchical-quick").fit(panel).idata["posterior"]["level"]
    np.testing.assert_allclose(level, other.mean(("chain", "draw")).values, atol=0.12)


def test_the_innovations_are_student_t_of_any_tail():
    from odforecast.models.hierarchy.graph import _student_t

    x = np.array([-2.0, 0.1, 3.0])
    for tail, scale in ((2.5, 0.7), (5.0, 1.0), (30.0, 2.0)):
        got = _student_t(x**2, np.float64(scale), np.float64(tail)).eval()
        np.testing.assert_allclose(got, st.t(tail, scale=scale).logpdf(x), rtol=1e-6)


@pytest.mark.parametrize(("states", "spread"), [(("OH", "WV"), False), (("OH", "WV", "AZ"), True)])
def test_scales_differ_between_states_from_three_on(states, spread):
    inputs, _ = Hierarchical().inputs(cut_panel("2021-06", states))
    drawn = simulate(inputs, 50, np.random.default_rng(1))
    assert ("scale_size" in drawn) == spread
    assert (drawn["scale"].std(axis=1) > 0).all() == spread
