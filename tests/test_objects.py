"""The objects a person meets: what they show, their tables, their figures, their places."""

import itertools
import pickle
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import odforecast as od
from odforecast import errors
from odforecast.errors import UnknownNameError
from odforecast.models import Fitted, Model
from odforecast.scenario import Past
from odforecast.scoring.columns import SCORE_COLUMNS
from odforecast.vintage.revisions import Revisions

#: Every class of the public API that a person holds in hand.
CLASSES = (
    od.Archive, od.Vintage, Revisions, od.Panel, Model, Fitted, od.Forecast, od.Results, od.Truth,
    od.Scenario, od.Projection, Past,
)  # fmt: skip
NAMES = [c.__name__ for c in CLASSES]


@pytest.fixture(scope="module")
def objects():
    archive, model = od.bundled(), od.get_model("drift")
    vintage = archive.as_of("2025-09-17")
    panel = vintage.panel()
    fitted = model.fit(panel)
    forecast = fitted.forecast(horizon=24, draws=40)
    shock = od.scenario.named("supply-shock-2023-like", onset="2026-01")
    few = {"draws": 20, "locations": ["US", "Ohio"], "start": "2021-01", "end": "2021-03"}
    results = od.backtest(["naive", "hub-baseline"], archive=archive, progress=False, **few)
    of_ohio = {"location": "OH", "draws": 20, "timings": 16, "model": model}
    past = od.scenario.past("supply-shock-2023", archive, **of_ohio)
    made = (
        archive, vintage, archive.as_of().revisions("US,OH,WV"), panel, model, fitted,
        forecast, results, od.Truth(panel), shock, od.project(forecast, [shock]), past,
    )  # fmt: skip
    return dict(zip(NAMES, made, strict=True))


def test_a_repr_is_a_few_lines_that_say_what_it_is_and_what_can_be_done_next(objects, subtests):
    for name in NAMES:
        with subtests.test(name=name):
            shown = repr(objects[name])
            *lines, last = shown.splitlines()
            assert shown.startswith(f"<{name}")
            assert shown.endswith(">")
            assert len(lines) <= 8
            assert max(map(len, (*lines, last))) <= 100
            assert " at 0x" not in shown
            assert last.startswith("  next: ")
            methods = set(re.findall(r"(?<![\w')])\.(\w+)", last))
            assert methods or name == "Scenario"
            assert all(hasattr(objects[name], m) for m in methods), methods


def test_a_notebook_shows_one_table_that_is_whole_and_has_a_caption(objects, subtests):
    for name in NAMES:
        with subtests.test(name=name):
            page = objects[name]._repr_html_()
            tree = ET.fromstring(page.replace("&nbsp;", " "))
            captions = [c.text for c in tree.iter("caption")]
            assert len(captions) == len(list(tree.iter("table"))) == 1
            assert captions[0]
            assert len(page) < 20_000


def test_a_broken_object_is_shown_as_broken(subtests):
    for cls in [c for c in CLASSES if c is not od.Forecast]:
        with subtests.test(cls=cls):
            broken = object.__new__(cls)
            assert repr(broken).startswith(f"<{cls.__name__}")
            assert "cannot be shown" in repr(broken)
            assert "cannot be shown" in broken._repr_html_()


def test_a_copy_in_another_process_shows_the_same(objects, subtests):
    for name in ("Panel", "Truth", "Model", "Fitted", "Scenario", "Projection"):
        with subtests.test(name=name):
            again, one = pickle.loads(pickle.dumps(objects[name])), objects[name]
            assert (repr(again), again._repr_html_()) == (repr(one), one._repr_html_())


def test_what_comes_from_outside_is_escaped(objects):
    panel = replace(objects["Panel"], indicator="<script>x</script>", notes=("a < b & c",))
    page = panel._repr_html_()
    assert "<script>" not in page
    assert "a &lt; b &amp; c" in page
    scenario = od.Scenario("s", objects["Scenario"].interventions, title="<b>bold</b>")
    assert "<b>" not in scenario._repr_html_()
    results = od.Results({}, {"models": {"<i>": "1"}})
    assert "<i>" not in results._repr_html_()


def test_a_look_at_results_reads_no_table(objects, tmp_path, monkeypatch):
    objects["Results"].save(tmp_path)
    monkeypatch.setattr(pd, "read_parquet", lambda *_: pytest.fail("a table was read"))
    loaded = od.Results.load(tmp_path)
    rows = len(objects["Results"].scores)
    assert f"2 models, 9 origins, {rows} score rows" in repr(loaded)
    assert f"{rows} scores of 2 models" in loaded._repr_html_()


def test_an_archive_shows_what_it_holds_or_that_it_is_empty_or_damaged(tmp_path):
    archive = od.Archive(tmp_path / "none")
    assert "empty" in repr(archive)
    assert "0 releases" in archive._repr_html_()
    assert archive.to_frame().empty
    (lost := tmp_path / "bad" / "dataset=states").mkdir(parents=True)
    (lost / "release=2025-09-17.0f.parquet").write_bytes(b"")  # and no ledger
    assert "cannot be shown (ArchiveError" in repr(od.Archive(tmp_path / "bad"))


def test_every_column_of_a_table_is_documented(objects, subtests):
    for name in NAMES:
        with subtests.test(name=name):
            table = objects[name].to_frame()
            assert len(table)
            docstring = type(objects[name]).to_frame.__doc__
            if name == "Results":
                assert "SCORE_COLUMNS" in docstring
                assert set(SCORE_COLUMNS) <= set(table)
            else:
                assert [c for c in table if f"``{c}``" not in docstring] == []


def test_a_table_has_names_months_and_one_row_of_each(objects, subtests):
    for name in ("Panel", "Truth", "Revisions"):
        with subtests.test(name=name):
            table = objects[name].to_frame()
            assert table.loc[table["location"] == "OH", "name"].unique().tolist() == ["Ohio"]
            assert table["month"].dtype == "datetime64[s]"
            key = [c for c in ("location", "month", "release") if c in table]
            assert not table.duplicated(key).any()


def test_a_table_is_the_callers_own(objects, subtests):
    for name in ("Archive", "Vintage", "Panel", "Revisions", "Results", "Truth"):
        with subtests.test(name=name):
            table = objects[name].to_frame()
            before = table.copy()
            table.iloc[:, -1] = table.iloc[0, -1]
            assert objects[name].to_frame().equals(before)


def test_the_panels_table_goes_back_into_a_panel(objects):
    panel = objects["Panel"].select(["US", "WV"])
    again = od.Panel.from_frame(panel.to_frame(), as_of="2025-09-17")
    assert np.array_equal(again.reported, panel.reported, equal_nan=True)


OF = {"Panel": "Ohio", "Vintage": "39", "Truth": "OH", "Revisions": "West Virginia"}
OF |= {"Fitted": "ohio", "Results": "Ohio", "Projection": "Ohio"}
PLOTTED = [(name, {"location": place}) for name, place in OF.items()]
PLOTTED += [("Results", {"kind": kind}) for kind in ("errors", "coverage", "pit")]
PLOTTED += [("Results", {}), ("Projection", {"location": "US", "kind": "averted"})]


def test_axes_go_in_and_axes_come_out_or_are_made(objects, subtests):
    for name, asked in PLOTTED:
        with subtests.test(name=name, asked=asked):
            axes = Figure().subplots()
            assert objects[name].plot(axes=axes, **asked) is axes
            assert axes.has_data()
            assert od.plot.alt_text(axes)
            assert isinstance(objects["Panel"].plot(), Axes)
            assert plt.get_fignums() == []  # pyplot knows nothing of it


SELECTS = {"Panel": errors.PanelError, "Revisions": UnknownNameError, "Truth": errors.ScoringError,
           "Results": errors.BacktestError, "Projection": errors.ForecastError}  # fmt: skip


def test_a_place_is_found_by_any_of_its_names(objects, subtests):
    names = ["OH", "Ohio", "ohio", "39", ["Ohio"], ("39",)]
    for name, place in itertools.product([*SELECTS, "Forecast"], names):
        with subtests.test(name=name, place=place):
            selected = objects[name].select(place)
            inner = {"Projection": "baseline", "Truth": "panel", "Results": "scores"}.get(name)
            selected = getattr(selected, inner) if inner else selected
            codes = selected["location"] if name == "Results" else selected.locations
            assert set(codes) == {"OH"}


REFUSALS = [
    ("Ohoi", "unknown location 'Ohoi'; did you mean Ohio"),
    ("Xanadu", "unknown location 'Xanadu'; use a postal code"),
    ([], "locations is empty: no location is named"),
    (["OH", "Ohio"], r"locations names OH twice \('OH' and 'Ohio'\)"),
    ("Midwest", r"'Midwest': it is a census region.*\.region\('Midwest'\)"),
    (5.5, r"locations is 5\.5, allowed: a name or a list of names"),
]


def test_a_wrong_place_is_refused_in_the_same_words_everywhere(objects, subtests):
    for name, (place, message) in itertools.product(SELECTS, REFUSALS):
        refused = pytest.raises(UnknownNameError, match=message)
        with subtests.test(name=name, place=place), refused:
            objects[name].select(place)


def test_a_place_that_is_not_there_is_refused_with_those_that_are(objects, subtests):
    for name, error in SELECTS.items():
        with subtests.test(name=name):
            with pytest.raises(error, match=r"has no 39061; Hamilton County, Ohio .* ask for OH"):
                objects[name].select("Hamilton, Ohio")
            few = objects[name].select(["US", "OH"])
            with pytest.raises(error, match=r"has no WY; it has: .*US"):
                few.select("Wyoming")


def test_a_model_without_a_sample_says_which_have_one(objects):
    with pytest.raises(AttributeError, match=r"drift has no posterior sample .*hierarchical"):
        _ = objects["Fitted"].idata
    assert not hasattr(objects["Fitted"], "idata")
