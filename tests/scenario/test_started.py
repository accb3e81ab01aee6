"""Onsets in the past: refused, or what is in the counts is said first."""

import html
import re

import numpy as np
import pytest

import odforecast as od
from odforecast import scenario as sc
from odforecast.errors import ScenarioError
from odforecast.report.brief import write_brief

#: The bundled release of 2026-01-14 counts until August 2025.
LAST = np.datetime64("2025-08", "M")


@pytest.fixture(scope="module")
def forecast():
    panel = od.bundled().as_of("2026-01-14").panel().select(["US", "OH"])
    return od.get_model("drift").fit(panel).forecast(until="2028-12", draws=300, seed=1)


def fading(onset, half_life=12.0, size=-0.3, **changes):
    """A step of a stated size that fades, the same in every draw."""
    x = sc.Intervention("x", sc.Fixed(size), onset, half_life=sc.Fixed(half_life), **changes)
    return sc.Scenario("cut", (x,), title="A cut")


def refusal(forecast, scenario, **options):
    with pytest.raises(ScenarioError) as refused:
        sc.project(forecast, scenario, **options)
    return str(refused.value)


def test_what_has_begun_is_refused_with_what_is_in_the_counts(forecast):
    for onset in ("2024-08", "2025-08"):
        message = refusal(forecast, fading(onset))
        assert f"begins {onset}, and its effect until August 2025, the last count, is" in message
        assert "choose an onset from 2025-09 on; or begun=True (--begun)" in message
    assert "begun" not in sc.project(forecast, fading("2025-09")).text("OH")


@pytest.mark.parametrize("begun", [True, False])
@pytest.mark.parametrize(("onset", "month"), [("2023-11", "July 2025"), ("2023-12", "August 2025")])
def test_what_has_faded_is_refused_with_its_last_month(forecast, onset, month, begun):
    # Of a half-life of 6 months less than a tenth is left after 20: 2 ** (-20 / 6) = 0.0992.
    message = refusal(forecast, fading(onset, 6.0), begun=begun)
    assert f"its effect ended in {month}, when less than 10% of its full strength was" in message
    assert "choose a later onset" in message
    assert sc.project(forecast, fading("2024-02", 6.0), begun=True).names == ("null", "cut")


def test_fading_adds_deaths_and_says_so_first(forecast):
    made = sc.project(forecast, fading("2024-08"), begun=True)
    ahead = forecast.months[forecast.months > LAST]
    since = (ahead - np.datetime64("2024-08", "M")).astype(float)
    change = -0.3 * 2 ** (-since / 12) + 0.3 / 2
    path = forecast.draws[:, forecast.index("OH"), forecast.months > LAST]
    added = (path * np.expm1(change)).sum(axis=1)
    mean, low, high = (f"{float(f'{x:.2g}'):,.0f}" for x in
                       (added.mean(), *np.quantile(added, [0.05, 0.95])))  # fmt: skip
    lead = (
        "A cut. Its effect until August 2025 is already in the counts. From then on it is assumed "
        f"to fade, which adds {mean} drug overdose deaths to a forecast in which it would have "
        f"lasted (if it worked; 90% interval {low} to {high} added). "
    )
    assert made.text("OH").startswith(lead)
    page = html.unescape(re.sub(r"<[^>]+>", " ", write_brief(made, location="OH")))
    seen = " ".join(page.split())
    assert lead.strip() in seen
    assert "It began in August 2024" in seen
    for text in (made.text("OH"), seen):
        assert re.search(r"[Ii]f it works[^.]* more", text) is None
    assert "Why −" not in seen  # no arithmetic from the full strength of what is in the counts


def test_what_grows_lasts_or_has_begun_in_part(forecast):
    keys = {"size": sc.Fixed(-0.2), "onset": "2025-06"}
    grows = sc.Scenario("grows", (sc.Intervention("x", ramp=sc.Fixed(24), **keys),))
    lasts = sc.Scenario("lasts", (sc.Intervention("x", **keys, p_null=0.3),))
    later = sc.Intervention("y", sc.Fixed(-0.1), "2026-01", p_null=0.5)
    both = sc.Scenario("both", (*lasts.interventions, later))
    made = sc.project(forecast, [grows, lasts, both], begun=True)
    first, second, third, _ = made.text("OH").splitlines()
    assert "it is assumed to grow, which prevents " in first
    assert "compared with a forecast in which it would have stayed as it was (if it w" in first
    assert "From then on it is assumed to last, so nothing more changes. About " in second
    assert "Over all outcomes" not in second
    assert "The effect of x until August 2025 is already in the counts. Only what changes" in third
    assert "both work 35%: " in third


#: Named scenarios of which less than a tenth is left in September 2025, by onset.
ENDED = {
    "2015-02": {
        *("analogue-scheduling", "precursor-scheduling", "class-scheduling"),
        *("cooperation-resumed", "substitution-rebound"),
    },
    "2019-06": {
        *("analogue-scheduling", "precursor-scheduling", "class-scheduling"),
        "substitution-rebound",
    },
}


@pytest.mark.parametrize("onset", ["2015-02", "2019-06", "2023-11", "2025-08"])
def test_all_named_scenarios_have_an_answer_or_an_end(forecast, onset):
    ended = ENDED.get(onset, set())
    for name in ended:
        message = refusal(forecast, sc.named(name, onset), begun=True)
        assert re.search(r"its effect ended in \w+ 20\d\d, when less than 10%", message)
    for name in set(sc.prior_names()) - ended:
        text = sc.project(forecast, sc.named(name, onset), begun=True).text("US")
        assert ". Its effect until August 2025 is already in the counts. From" in text, name
        assert " fewer" not in text, name
        assert " more drug" not in text, name
