import pickle
import re
from dataclasses import replace
from functools import lru_cache
from unittest.mock import patch

import arviz_base as az
import numpy as np
import pytensor
import pytest
import scipy.stats as st
from hypothesis import given
from hypothesis import strategies as hs
from panel_factory import cut_panel, release_panel
from scipy.special import gammaln

import odforecast as od
from hierarchy_prior import prior_predictive, simulate
from odforecast.models import get_model
from odforecast.models.delay.constants import delays_for
from odforecast.models.delay.deficit import SPAN, deficit
from odforecast.models.hierarchy import graph as hg
from odforecast.models.hierarchy import inputs as hi
from odforecast.models.hierarchy import laplace
from odforecast.models.hierarchy import model as hm
from odforecast.models.hierarchy.model import FittedHierarchical, Hierarchical, Limits
from odforecast.seeds import Streams

FOUR = ("CT", "MA", "OH", "MI")  # two regions with two members each: all levels are there
#: Three states as released: the last half year is not final.
THREE = ("CT", "OH", "WV")


def test_inputs_are_sorted_padded_and_whole() -> None:
    panel = cut_panel("2018-06", FOUR)
    inputs, skipped = hi.from_panel(panel, "m")
    assert not skipped
    assert inputs.locations == ("CT", "MA", "MI", "OH")
    assert inputs.months.size % hi.PAD == 1
    assert inputs.months[-1] == panel.last_month
    n = panel.month_grid.size
    assert inputs.seen[:, -n:].all()
    assert not inputs.seen[:, :-n].any()
    np.testing.assert_array_equal(inputs.counts[3, -n:], panel.monthly[panel.index("OH")])
    assert inputs.regions == ("Midwest", "Northeast")
    assert inputs.region.tolist() == [[0, 1], [0, 1], [1, 0], [1, 0]]


def hidden_start(sums: int = 15) -> od.Panel:
    """Ohio, and Wyoming with its first counts suppressed but for one."""
    panel = cut_panel("2018-06", ("OH", "WY"))
    layers = {k: getattr(panel, k).copy() for k in ("reported", "low", "high")}
    for layer, value in zip(layers.values(), (np.nan, 1.0, 9.0)):
        layer[1, :sums] = value
    layers["reported"][1, 2] = 0.0
    return od.Panel(**{**panel.__getstate__(), **layers})


def test_suppressed_counts_before_the_first_month_are_kept_without_overlap():
    inputs, _ = hi.from_panel(hidden_start(), "m")
    first = inputs.months.size - hidden_start().month_grid.size + 15
    row = inputs.locations.index("WY")
    assert int(np.argmax(inputs.seen[row])) == first
    assert inputs.window_row.tolist() == [row]
    assert np.flatnonzero(inputs.windows[0]).tolist() == list(range(first - 12, first))
    assert inputs.window_counts[0].tolist() == list(range(1, 10))
    earlier, _ = hi.from_panel(hidden_start(14), "m")  # the twelve months end at a published 0
    assert earlier.window_counts[0].tolist()[0] == 0.0
    assert np.isnan(earlier.window_counts[0][1:]).all()


def test_the_rest_of_the_nation_makes_the_parts_add_up_and_what_they_miss():
    panel = cut_panel("2021-06", ("US", "OH", "WY"))
    inputs, _ = hi.from_panel(panel, "m")
    assert inputs.locations == ("OH", "WY", hi.REST)
    assert inputs.counts[:, -12:].sum() == panel.reported[panel.index("US"), -1]
    panel = release_panel("2021-06", ("US", "OH", "WY"))
    inputs, _ = Hierarchical().inputs(panel)
    whole = deficit(panel, delays_for(panel))
    np.testing.assert_allclose(inputs.missing.late.sum(axis=0), whole.late[panel.index("US")])
    assert inputs.missing.late[2].sum() > 0


def test_the_density_of_counts_shown_and_suppressed_agrees_with_scipy():
    def evaluate(expression: object) -> np.ndarray:
        return np.asarray(pytensor.function([], expression, mode="FAST_COMPILE")())

    y, alpha, mu = np.array([[0.0], [1], [8], [700]]), np.array([0.7, 30.0, 4000.0]), 12.0
    ours = evaluate(hg.negative_binomial(y, np.log(mu), alpha)) - gammaln(y + 1)
    theirs = st.nbinom.logpmf(y, alpha, alpha / (alpha + mu))
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)
    mu, alpha = np.array([0.4, 5.0, 30.0]), np.array([2.0, 50.0, 300.0])
    p = alpha / (alpha + mu)
    ours = evaluate(hg.window_chance(np.tile(hi.HIDDEN, (3, 1)), mu, alpha))
    theirs = np.log(st.nbinom.cdf(9, alpha, p) - st.nbinom.cdf(0, alpha, p))
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    known = np.array([[2.0, -1.0], [0.0, -1.0], [40.0, -1.0]])
    ours = evaluate(hg.window_chance(known, mu, alpha))
    np.testing.assert_allclose(ours, st.nbinom.logpmf(known[:, 0], alpha, p), rtol=1e-5)


@lru_cache(maxsize=4)
def terms_of(graph, free_only: bool):
    """Terms of a graph's log density, compiled once; added in numpy: quick to compile."""
    given = {"vars": graph.free_RVs} if free_only else {}
    return graph.compile_logp(jacobian=False, sum=False, mode="FAST_COMPILE", **given)


def logp_at(graph, point: dict[str, np.ndarray], free_only: bool = False) -> float:
    return float(sum(np.sum(t) for t in terms_of(graph, free_only)(point)))


def built(inputs: hi.Inputs):
    guide = laplace.approximate(inputs, 5.0)
    data = hg.graph_data(inputs, guide)
    return data, guide, hg.build(data, tail=5.0)


def graph_logp(graph, point: dict[str, np.ndarray] | None, seed: int = 3):
    """Log density of a graph at a point (drawn if None; coordinates in use only)."""
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
    return logp_at(graph, full), point


@pytest.mark.slow
def test_padding_changes_nothing():
    panel = cut_panel("2018-06", FOUR)
    with patch.object(hi, "PAD", 1):
        tight, _ = hi.from_panel(panel, "m")
    loose, _ = hi.from_panel(panel, "m")
    assert loose.months.size > tight.months.size
    short, point = graph_logp(built(tight)[-1], None)
    long, _ = graph_logp(built(loose)[-1], point)
    # A padded month has a shock, and a slope, of its own; here both at 0.
    assert long == pytest.approx(short, abs=1e-6)


@lru_cache(maxsize=1)
def named_values(graph, late: bool):
    """What a graph computes on the way, by name, as a function of a point."""
    names = ["scale", "damping", "extra", "season", "common", "path", "level", "scale_nation"]
    names += ["slope_ratio", "shock_scale", "scale_region", "damping_region", "scale_spread"]
    names = [n for n in names if n in graph.named_vars]
    names += ["late_error", "revision_error"] if late else []
    outputs = graph.replace_rvs_by_values([graph[n] for n in names])
    given = {"inputs": graph.value_vars, "point_fn": True, "on_unused_input": "ignore"}
    function = graph.compile_fn(outputs, mode="FAST_COMPILE", **given)
    return lambda point: dict(zip(names, function(point)))


def national_logp(point, v, data, guide, start):  # type: ignore[no-untyped-def]
    nation, scale, ratio = guide.nation, float(v["scale_nation"]), float(v["slope_ratio"])
    own = np.linalg.inv(nation.level.prior[0])
    joint = replace(nation.level, prior=np.linalg.inv(own + nation.slope)[None])
    forward, backward, strength, info = (a[0] for a in laplace.whiten(joint))
    # Prior variance of a direction at these scales, from those of the innovations and the slope.
    parts = [np.diag(backward @ cov @ backward.T) for cov in (own, nation.slope)]
    prior = parts[0] + parts[1] * (ratio / laplace.SLOPE_RATIO) ** 2
    precision = strength + 1.0 / (prior * (scale / guide.scales.nation) ** 2)
    z = point["z_nation"][0, -info.size :]
    steps = forward @ (info / precision + z / np.sqrt(precision))
    total = -0.5 * np.log(precision).sum()  # Jacobian
    # The slope, given the steps if their innovations were normal of these weights.
    filtered = scale * ratio * laplace.slope_filter(steps.size)
    before, noise = filtered @ filtered.T, own * (scale / guide.scales.nation) ** 2
    units = np.diag(1.0 / np.sqrt(np.diag(noise)))
    spread, turn = np.linalg.eigh(units @ before @ units)
    z = np.asarray(point["z_slope"])[-steps.size :]
    share = spread / (1.0 + spread)
    slope = share * (turn.T @ units @ steps) + np.sqrt(share) * z_in(turn, data, start) @ z
    slope = np.linalg.inv(units) @ turn @ slope
    total += st.t.logpdf(steps - slope, 5.0, 0, scale).sum()
    total += st.multivariate_normal(cov=before).logpdf(slope)
    total += 0.5 * np.log(share).sum() - np.log(np.diag(units)).sum()  # Jacobian
    return total, steps


def z_in(turn, data, start):  # type: ignore[no-untyped-def]
    """Directions are known up to their sign: the graph's, in those found here."""
    theirs = data["slope_back"][start:, start:]
    return np.diag(np.sign((turn * theirs).sum(axis=0)))


def reference_logp(inputs, point, data, guide, graph) -> float:  # type: ignore[no-untyped-def]
    """The model's density written out in numpy, at the point, without constants of priors."""
    v = named_values(graph, inputs.missing is not None)(point)
    n_time = inputs.counts.shape[1]
    start = inputs.first * inputs.every
    quarter, bridge = hi.between_knots(n_time, inputs.every)
    total, steps = national_logp(point, v, data, guide, start)
    between = bridge[:, start:] @ steps
    parent = (quarter[inputs.first :, start:] @ steps)[None]
    regions = np.full(len(inputs.regions), v.get("scale_region", 0.0))
    nodes = [("0", guide.levels[0], v["scale"], v["damping"])]
    if inputs.regions:
        nodes.insert(0, ("1", guide.levels[1], regions, v["damping_region"]))
    # Recover every level's vector from its whitened coordinates, top down.
    for name, level, scale, damping in nodes:
        forward, backward, strength, info = laplace.whiten(level)
        bent = laplace.at_damping(level.by_damping, damping)
        shrink = np.einsum("ski,skl,sli->si", forward, bent, forward)
        shrink *= ((data[f"reference_{name}"] / scale) ** 2)[:, None]
        mean = np.zeros_like(info)
        skip = 1 if name == "0" else 0
        if name == "0":
            mean[:, 0] = guide.center
            if inputs.regions:
                parent = inputs.region @ parent
        mean[:, skip:] = parent
        precision = strength + shrink
        white = (info + shrink * np.einsum("skl,sl->sk", backward, mean)) / precision
        z = point[f"z_{name}"][:, -info.shape[1] :]
        vector = np.einsum("skl,sl->sk", forward, white + z / np.sqrt(precision))
        total -= 0.5 * np.log(precision).sum()  # Jacobian
        d = vector[:, skip:] - mean[:, skip:]
        total += st.norm.logpdf(d[:, 0], 0, scale / np.sqrt(1 - damping**2)).sum()
        total += st.t.logpdf(d[:, 1:] - damping * d[:, :-1], 5.0, 0, scale[:, None]).sum()
        parent = vector[:, skip:]
    np.testing.assert_allclose(parent, np.diff(v["path"][:, inputs.first :], axis=1), atol=1e-8)
    shock = v["common"] - between
    total += st.norm.logpdf(shock, 0.0, v["shock_scale"]).sum()
    total -= 0.5 * np.log(guide.nation.strength + v["shock_scale"] ** -2).sum()  # Jacobian
    total += st.norm.logpdf(v["level"], guide.center, laplace.LEVEL_SD).sum()
    mu = np.exp(v["path"] @ inputs.weights.T + inputs.month_hot @ v["season"] + v["common"])
    omega, y = np.repeat(v["extra"][:, None], n_time, axis=1) ** 2, inputs.counts.copy()
    if inputs.missing is not None:
        more = np.zeros_like(y)
        more[:, -SPAN:] += inputs.missing.late * v["late_error"][:, None]
        more[:, -SPAN:] += inputs.missing.revised * v["revision_error"][:, None]
        assert (more != 0).sum() > 10
        y += more
        omega += (inputs.last(inputs.missing.noise) / np.maximum(inputs.counts, 1.0)) ** 2
        y = np.where(more != 0, (y + np.sqrt(y**2 + 0.01)) / 2, y)
    alpha = 1.0 / omega
    terms = gammaln(y + alpha) - gammaln(alpha) - gammaln(y + 1)
    terms += alpha * np.log(alpha / (alpha + mu)) + y * np.log(mu / (alpha + mu))
    total += (terms * inputs.seen).sum()
    for row, window, counts in zip(inputs.window_row, inputs.windows, inputs.window_counts):
        mean, square = window @ mu[row], window @ mu[row] ** 2
        a = mean**2 / (v["extra"][row] ** 2 * square)
        total += np.log(np.nansum(st.nbinom.pmf(counts, a, a / (a + mean))))
    return total


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["regions", "late", "suppressed"])
def test_whitening_changes_coordinates_not_the_model(kind: str) -> None:
    with patch.object(hi, "PAD", 1):
        if kind == "late":
            inputs, _ = Hierarchical().inputs(release_panel("2018-06", THREE))
        else:
            seen = cut_panel("2018-06", FOUR) if kind == "regions" else hidden_start()
            inputs, _ = hi.from_panel(seen, "m")
    gaps = []
    data, guide, graph = built(inputs)
    for seed in (1, 2):
        logp, point = graph_logp(graph, None, seed)
        # Hyperparameters only: the coordinates are flat.
        prior = logp_at(graph, point, free_only=True)
        gaps.append(logp - prior - reference_logp(inputs, point, data, guide, graph))
    # Only constants differ: log y! where y is known, and the map's determinant.
    assert gaps[0] == pytest.approx(gaps[1], abs=1e-4)
    # A spread is sampled with a sign, which means nothing, and kept without.
    if "scale_spread_raw" in point:
        named = named_values(graph, inputs.missing is not None)
        names = ("scale_spread_raw", "scale_raw", "noise_spread_raw", "noise_raw")
        flipped = point | {k: -point[k] for k in point if k.startswith(names)}
        assert logp_at(graph, flipped) == pytest.approx(logp, abs=1e-8)
        for at in (point, flipped):
            values, size = named(at), laplace.HALF_NORMAL["scale_spread"]
            assert values["scale_spread"] == pytest.approx(size * abs(at["scale_spread_raw"]))
            np.testing.assert_allclose(values["scale"], named(point)["scale"])


@given(damping=hs.floats(0.0, 0.95), seed=hs.integers(0, 9))
def test_the_prior_of_increments_is_that_of_its_innovations_at_any_damping(damping, seed) -> None:
    rng = np.random.default_rng(seed)
    weights, scale = rng.uniform(0.3, 3.0, (2, 4)), rng.uniform(0.01, 0.2, 2)
    found = laplace.at_damping(laplace.increment_precision(weights, scale), damping)
    operator = laplace.innovation_operator(5, damping)
    for i in range(2):
        own = np.r_[1.0 - damping**2, weights[i]] / scale[i] ** 2
        np.testing.assert_allclose(found[i], operator.T @ np.diag(own) @ operator, rtol=1e-9)


def test_the_approximation_says_so_and_has_a_sample_that_arviz_takes():
    import arviz_stats

    fitted = get_model("hierarchical-quick").fit(cut_panel("2018-06", FOUR))
    posterior, places = fitted.idata["posterior"], fitted.inner.inputs.locations
    assert posterior["path"].dims == ("chain", "draw", "location", "knot")
    assert tuple(posterior["location"].values) == places
    assert posterior["knot"].values[-1] == fitted.panel.last_month
    assert tuple(fitted.idata["observed_data"]["deaths"].coords["location"].values) == places
    table = arviz_stats.summary(fitted.idata, var_names=["level"])
    assert list(table.index) == [f"level[{place}]" for place in places]
    rows = fitted.to_frame().query("source == 'posterior'").set_index("name")
    mean = float(posterior["shock_scale"].mean())
    assert rows.loc["shock_scale", "value"].startswith(f"{mean:.4g} (sd ")
    made, again = (f.forecast(2, draws=5) for f in (fitted, pickle.loads(pickle.dumps(fitted))))
    np.testing.assert_array_equal(again.draws, made.draws)
    assert any("approximate" in w for w in made.warnings)
    assert not fitted.model.spec.corrects_delay
    assert not get_model("hierarchical", delay=False).spec.corrects_delay
    assert get_model("hierarchical+delay", delay=False).spec.corrects_delay


def test_the_posterior_finds_the_data_ordinary_and_the_prior_covers_real_changes():
    fitted = get_model("hierarchical-quick").fit(cut_panel("2021-06", FOUR)).inner
    table = fitted.posterior_predictive(draws=200)
    assert set(table["location"]) == set(FOUR)
    assert table[table["statistic"] == "mean"]["p"].between(0.05, 0.95).all()
    assert (table["q05"] <= table["q95"]).all()
    before = prior_predictive(fitted.inputs, 300)
    assert (before["q05"] < before["data_q05"]).all()
    assert (before["q95"] > before["data_q95"]).all()


def from_prior(panel: od.Panel, **errors: float) -> tuple[FittedHierarchical, od.Forecast]:
    """A fit whose posterior is the prior, with errors of the late arrivals as told; its draws."""
    inputs, skipped = Hierarchical().inputs(panel)
    drawn = simulate(inputs, 400, np.random.default_rng(2))
    drawn.pop("deaths")
    drawn["level"] = np.broadcast_to(np.log(inputs.counts[:, -12:].mean(axis=1)), (400, 3)).copy()
    for name, value in errors.items():
        drawn[name] = np.full_like(drawn[name], value)
    stats = {"diverging": np.zeros((1, 400), dtype=bool)}
    idata = hm.container(inputs, {k: v[None] for k, v in drawn.items()}, stats)
    assert {"posterior", "sample_stats", "observed_data"} <= set(idata.children)
    fitted = FittedHierarchical("hierarchical", panel, inputs, idata, None, skipped, (), 5.0)
    return fitted, fitted.draw(3, 400, Streams(1, "states", "all-drugs", "2018-06"))


def test_nowcast_and_forecast_are_one_draw():
    panel = release_panel("2018-06", THREE)
    fitted, made = from_prior(panel)
    assert made.horizons.tolist() == list(range(-11, 4))
    counts = made.samples()
    expected = panel.reported[:, -1] + fitted.inputs.missing.months[:, -12:].sum(axis=1)
    gap = np.abs(counts[:, :, 11].mean(axis=0) - expected)
    assert (gap < 0.2 * counts[:, :, 11].std(axis=0) + 1.0).all()
    # A year ahead of the last count the months of both add up.
    np.testing.assert_allclose(counts[:, :, -1], made.draws[:, :, -12:].sum(axis=2))


def test_the_nation_of_a_nowcast_is_the_sum_of_its_parts_and_the_rest():
    panel = release_panel("2021-06", ("US", "OH", "WY"))
    fitted, made = from_prior(panel, late_error=0.0, revision_error=0.0)
    assert made.locations == ("US", "OH", "WY")
    whole = panel.reported[0, -1] + fitted.inputs.missing.months[:, -12:].sum()
    assert made.samples()[:, 0, 11].mean() == pytest.approx(whole, rel=0.01)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_nuts_samples_warns_repeats_and_agrees_with_the_filter():
    model = get_model("hierarchical", draws=200, tune=200, chains=2, cores=1)
    panel = release_panel("2018-06", THREE)
    fitted = model.fit(panel)
    checks = fitted.inner.checks
    assert {"r_hat", "ess_bulk", "ess_tail"} <= set(checks.table.columns)
    assert checks.warnings  # 400 draws cannot reach an effective size of 400
    result, again = (f.forecast(horizon=12, draws=100) for f in (fitted, model.fit(panel)))
    assert any("not converged" in w for w in result.warnings)
    np.testing.assert_array_equal(result.draws, again.draws)
    longer, n = fitted.forecast(horizon=44, draws=100), result.months.size
    np.testing.assert_array_equal(longer.draws[..., :n], result.draws)
    np.testing.assert_array_equal(longer.known, result.known)
    # Exact and approximate agree on the level they start from.
    posterior, over = fitted.idata["posterior"], ("chain", "draw")
    counts = fitted.inner.inputs.counts[:, -12:].mean(axis=1)
    np.testing.assert_allclose(posterior["level"].mean(over), np.log(counts), atol=0.4)
    # The errors of the late arrivals, against the filter, which draws the shared one apart.
    (state,) = get_model("dlm").fit(panel).inner.states
    errors = slice(state.size + 1, state.size + 4)
    missing, found = fitted.inner.inputs.missing, posterior["late_error"]
    near = 0.35 * np.hypot(missing.own, missing.shared).max()
    np.testing.assert_allclose(found.mean(over), state.mean[errors], atol=near)
    spread = np.sqrt(np.diag(state.cov)[errors] + missing.shared**2)
    np.testing.assert_allclose(found.std(over), spread, rtol=0.3)


@pytest.mark.parametrize(("states", "spread"), [(("OH", "WV"), False), (("OH", "WV", "AZ"), True)])
def test_scales_differ_between_states_from_three_on(states, spread):
    inputs, _ = Hierarchical().inputs(cut_panel("2021-06", states))
    drawn = simulate(inputs, 50, np.random.default_rng(1))
    assert ("scale_size" in drawn) == spread
    assert (drawn["scale"].std(axis=1) > 0).all() == spread


X = np.random.default_rng(0).normal(size=(4, 1000))
FEW = X[:, :50]


def checked(x: np.ndarray, divergent: int = 0, limits: Limits | None = None):
    flags = np.zeros(x.shape[:2], bool)
    flags.flat[:divergent] = True
    sample = az.from_dict({"posterior": {"x": x}, "sample_stats": {"diverging": flags}})
    return hm.convergence(sample, limits) if limits else hm.convergence(sample)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("x", "divergent", "says"),
    [
        (X + np.array([[1.0], [0], [0], [0]]), 0, r"r_hat .* is above 1.01 \(x\)"),
        (FEW, 0, "ess_bulk .* is below 400"),
        (X, 3, "3 divergent transitions"),
        (np.ones((4, 1000)), 0, "not converged"),  # it never moved
    ],
)
def test_a_bad_sample_is_called_so(x, divergent, says):
    result = checked(x, divergent)
    assert result.divergences == divergent
    assert any(re.search(says, text) for text in result.warnings)


def test_a_good_sample_passes_and_limits_can_be_set():
    result = checked(X)
    assert not result.warnings
    assert result.table.loc["x", "ess_bulk"] > 3000
    assert not checked(FEW, limits=Limits(r_hat=1.2, ess_bulk=50, ess_tail=50)).warnings


def test_predictive_table_flags_data_unlike_the_model() -> None:
    rng = np.random.default_rng(0)
    fake = rng.poisson(20.0, size=(300, 1, 60)).astype(float)
    wild = rng.negative_binomial(1.0, 1 / 21, size=(1, 60)).astype(float)
    table = hm.predictive_table(wild, np.ones((1, 60), bool), fake, ("OH",)).set_index("statistic")
    assert table.at["sd of monthly log change", "p"] < 0.01
