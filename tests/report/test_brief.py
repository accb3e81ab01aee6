from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
import pytest

import odforecast as od
from odforecast.errors import ScenarioError
from odforecast.report import scenario_figures as figures
from odforecast.report.brief import write_brief
from odforecast.scenario import CAVEAT, NULL, Scenario, named_intervention, project

SHARES = {"fentanyl-share": {"US": 0.57}}
VOID = {"meta", "img", "br"}


class Balance(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.sources = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        self.sources += [v for k, v in attrs if k in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def panel():
    return od.bundled().as_of("2025-09-17").panel().select(["US"])


@pytest.fixture(scope="module")
def projection(panel):
    shock = named_intervention("supply-shock-2023-like", onset="2025-10", note="a < b & c")
    scenarios = [Scenario("shock", (shock,), question="What <if>?")]
    fitted = od.get_model("drift").fit(panel)
    return project(fitted, scenarios, 24, 100, exposures=SHARES)


def test_brief_is_one_closed_file(projection, panel):
    text = write_brief(projection, panel=panel, exposures=SHARES)
    parser = Balance()
    parser.feed(text)
    assert parser.open == []
    assert parser.sources
    assert all(s.startswith("data:image/svg+xml;base64,") for s in parser.sources)
    for part in (
        CAVEAT, "Assumptions", "grade", "medium", "What would change our mind", "Sensitivity",
        "Caveats", "prior-dominated", "Beta(1.5, 4)", "25 %", "Time to recover",
        "What &lt;if&gt;?", "a &lt; b &amp; c", "Buprenorphine",
    ):  # fmt: skip
        assert part in text
    assert text == write_brief(projection, panel=panel, exposures=SHARES)
    # Priors come before any result, apart from the answer in short.
    assert text.index("Priors of shock") < text.index("Fan per scenario")


def test_brief_reports_the_posterior_where_there_is_one(projection):
    text = write_brief(projection, exposures=SHARES, posterior_sds={"supply-shock-2023-like": 0.05})
    assert "posterior sd / prior sd = 0.21" in text


def test_brief_says_what_a_nowcast_completed(projection, panel):
    assert "completed for deaths still to be reported" not in write_brief(
        projection, exposures=SHARES
    )
    whole = od.bundled().as_of("2025-09-17").panel()
    fitted = od.get_model("drift+delay").fit(whole)
    nowcast = fitted.forecast(12, draws=50, seed=1).select("US")
    resumes = Scenario("resumes", (named_intervention("cooperation-resumed", onset="2025-10"),))
    text = write_brief(
        project(nowcast, resumes, seed=1, exposures=SHARES), panel=panel, exposures=SHARES
    )
    assert "Grey up to 2025-04" in text
    assert "The United States, 2025-05 to 2026-04" in text


def test_brief_needs_something_to_compare(panel):
    fitted = od.get_model("drift").fit(panel)
    with pytest.raises(ScenarioError, match="none is there"):
        write_brief(project(fitted, NULL, 12, 20))


def test_figures_draw(projection, panel, tmp_path):
    drawn = [
        figures.prior_figure(projection.scenario("shock")),
        figures.fan_figure(projection, "US", panel),
        figures.averted_figure(projection),
        figures.calendar_figure(panel),
    ]
    for i, figure in enumerate(drawn):
        figure.savefig(tmp_path / f"{i}.svg")
    with pytest.raises(ScenarioError, match="no priors"):
        figures.prior_figure(NULL)


def test_events_are_numbered_within_the_chart():
    from odforecast.plot.style import canvas

    _, axes = canvas()
    shown = figures.mark_events(axes, np.datetime64("2017-01"), np.datetime64("2019-12"))
    assert shown["id"].tolist() == [
        "carfentanil-scheduled",
        "npp-4anpp-controlled",
        "class-scheduled",
    ]
    assert shown["number"].tolist() == [1, 2, 3]
