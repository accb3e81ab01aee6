"""A state's own counts: the layer of a panel, the file, the command, and that they stay local."""

from __future__ import annotations

import datetime as dt
import pickle
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
from commands import run, said
from panel_factory import made_panel

import odforecast as od
from odforecast.cli import source
from odforecast.errors import ForecastError, OdforecastError, PanelError
from odforecast.panel import Own, Panel
from odforecast.report.site import write_report, write_site

DAY = dt.date(2025, 9, 17)


@pytest.fixture(scope="module", autouse=True)
def the_day() -> Iterator[None]:
    """Today is the day of the release."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("odforecast.panel.own.today", lambda: DAY)
        yield


def counts(panel: Panel, state: str = "OH", more: int = 3, first: str = "2022-05") -> pd.DataFrame:
    """CDC's own months of a state from one on, and some more after its last."""
    row = panel.monthly[panel.index(state)][panel.month_grid >= np.datetime64(first)]
    grid = np.arange(np.datetime64(first), panel.last_month + np.timedelta64(more + 1, "M"))
    deaths = np.append(row, row[len(row) - more :])
    return pd.DataFrame({"location": state, "month": grid.astype(str), "deaths": deaths})


def test_the_layer_changes_nothing_of_cdcs_and_is_in_the_hash(panel: Panel) -> None:
    assert panel.own is None
    assert panel.data_hash == "cfc50359fc9ffc29"
    frame = pd.concat([counts(panel), counts(panel, "WV")])
    own = panel.with_counts(frame)
    assert own.own.places == ("OH", "WV")
    assert (own.last_month, own.as_of) == (panel.last_month, panel.as_of)
    assert np.array_equal(own.reported, panel.reported, equal_nan=True)
    assert own.data_hash == panel.with_counts(frame.sample(frac=1, random_state=1)).data_hash
    other = frame.assign(deaths=[*frame["deaths"][:-1], frame["deaths"].iloc[-1] + 1])
    made = [panel, own, panel.with_counts(frame, complete=True), panel.with_counts(other)]
    assert len({p.data_hash for p in made}) == 4
    assert "own counts of OH, WV to 2025-07" in repr(own)
    assert "own counts" not in repr(panel)
    again = pickle.loads(pickle.dumps(own))
    assert again.data_hash == own.data_hash
    assert again.own.of("OH")[1].tolist() == counts(panel)["deaths"].tolist()
    assert own.select(["WV", "PA"]).own.places == ("WV",)  # type: ignore[union-attr]
    assert own.select("PA").own is None
    assert own.select("PA").data_hash == panel.select("PA").data_hash


def test_what_was_not_known_at_an_earlier_day_falls_away(panel):
    frame = pd.concat([
        counts(panel, more=0).assign(as_of="2024-09-01").query("month < '2024-09'"),
        counts(panel).assign(as_of="2025-09-01").query("month >= '2024-06'"),
    ])  # fmt: skip
    own = panel.with_counts(frame)
    assert own.own.said() == "OH to 2025-07"
    assert own.cut("2024-05").own.said() == "OH to 2024-08"  # as of 2024-10-15
    assert own.cut("2023-05").own is None
    # Without a day a row was known on the panel's.
    assert panel.with_counts(counts(panel)).cut("2024-12").own is None
    # The newest count of a month is taken, and all are kept.
    first = counts(panel).assign(as_of="Sep 1, 2025")
    second = first.assign(as_of="2025-09-10", deaths=first["deaths"] + 1)
    own = panel.with_counts(pd.concat([second, first])).own
    assert (own.of("OH")[1] == second["deaths"]).all()
    assert len(own.rows("OH")[0]) == 2 * len(first)


def test_rows_without_a_day_were_known_today(panel, monkeypatch):
    monkeypatch.setattr("odforecast.panel.own.today", lambda: dt.date(2026, 2, 3))
    frame = counts(panel, more=9)
    own = panel.with_counts(frame)
    assert str(own.own.months[-1]) == "2026-01"
    assert own.own.undated == own.as_of == dt.date(2026, 2, 3)
    assert all(p.as_of == own.as_of for p in own.beside.values())
    assert (own.release, own.last_month) == (panel.release, panel.last_month)
    made = od.get_model("naive").fit(own).forecast(draws=60)
    assert made.as_of == own.as_of
    assert "counts without as_of are taken as known on 2026-02-03" in " ".join(made.warnings)
    # The same at any later time, where the day is given.
    monkeypatch.setattr("odforecast.panel.own.today", lambda: dt.date(2027, 1, 1))
    assert panel.with_counts(frame, day="Feb 3, 2026").data_hash == own.data_hash
    # What is cut or made up is seen from its own day.
    past = panel.cut("2024-06")
    assert past.with_counts(counts(past)).as_of == past.as_of


def cell(row: int, **values: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """A frame with other values in one row."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        for name, value in values.items():
            column = frame.get(name, pd.Series(None, frame.index)).astype(object)
            frame = frame.assign(**{name: column.where(frame.index != frame.index[row], value)})
        return frame

    return change


#: A change of a good frame, and what the refusal says.
REFUSED: dict[str, tuple[Callable[[pd.DataFrame], object], str]] = {
    "negative": (cell(3, deaths=-4), "OH 2022-08: deaths is -4, negative"),
    "not whole": (cell(3, deaths=181.5), "OH 2022-08: deaths is 181.5, not a whole number"),
    "blank": (cell(3, deaths=np.nan), "OH 2022-08: deaths is blank"),
    "text": (cell(3, deaths="many"), "OH 2022-08: deaths is many, not a number"),
    "true": (cell(3, deaths=True), "OH 2022-08: deaths is True, not a number"),
    "crash": (cell(3, deaths="38528e6533165796"), "deaths is 38528e6533165796, not a number"),
    "too many": (cell(3, deaths=1e300), "deaths is 1e+300, more than any state has in a month"),
    "twice": (
        lambda f: pd.concat([f, f.iloc[[4]].assign(deaths=7.0)]),
        "OH 2022-09 is given twice as of 2025-09-17: 406 and 7",
    ),
    "nation": (lambda f: f.assign(location="US"), "own counts of the US"),
    "nowhere": (lambda f: f.assign(location="Ohoi"), "did you mean Ohio"),
    "no place": (cell(3, location=None), "location is blank in row 3"),
    "gap": (lambda f: f.drop(index=7), "a gap: 2022-12 is missing between 2022-11 and 2023-01"),
    "ten times": (lambda f: f.assign(deaths=10 * f["deaths"]), "CDC has 2,830: 10 times CDC's"),
    "a tenth": (
        lambda f: f.assign(deaths=(f["deaths"] / 10).round()), "CDC has 2,830: 0.1 times CDC's"
    ),
    "slip": (cell(37, deaths=4000), "4,000 deaths in 2025-06"),
    "slip of few months": (
        lambda f: cell(27, deaths=2930)(f).iloc[24:],
        "2,930 deaths in 2024-08, and about 230 in a month of those about it",
    ),
    # A digit too many, or too few, is nine to eleven times the month.
    "digit after CDC's": (cell(36, deaths=1920), "in 2025-05, and about 230 a month in the 12"),
    "digit in the last": (cell(38, deaths=1900), "1,900 deaths in 2025-07, and about"),
    "digit in the first": (cell(0, deaths=4260), "4,260 deaths in 2022-05, and about 442 in a"),
    "digit too few": (cell(33, deaths=19), "19 deaths in 2025-02, and about"),
    "a third": (cell(33, deaths=70), "70 deaths in 2025-02, and about"),
    "half a year": (
        lambda f: f.assign(deaths=np.where(f.index < 7, 4 * f["deaths"], f["deaths"])),
        "deaths in 2022-05, and CDC's data imply about",
    ),
    "low before the end": (cell(-3, deaths=5), "5 deaths in 2025-05"),
    "columns twice": (lambda f: pd.concat([f, f[["deaths"]]], axis=1), "of one name: deaths"),
    "no overlap": (lambda f: f.tail(3), "to 2025-07) share 0 months with CDC's; 12 are needed"),
    "eleven months": (lambda f: f.tail(14), "share 11 months with CDC's (2024-06 to 2025-04); 12"),
    "ends too early": (
        lambda f: f.iloc[-8:-4],
        "begin the file in 2024-05 or earlier, with counts of the same definition, and let it go "
        "on after 2025-04, CDC's last month",
    ),
    "one month": (lambda f: f.iloc[[-4]], "share 1 month with CDC's (2025-04 to 2025-04)"),
    "not over": (cell(38, month="2025-09"), "OH 2025-09 had not ended on 2025-09-17"),
    "after its day": (lambda f: f.assign(as_of="2025-06-30"), "had not ended on 2025-06-30"),
    "all later": (
        lambda f: f.assign(as_of="2025-10-01"),
        "all 39 own counts were known only after 2025-09-17 (the first on 2025-10-01)",
    ),
    "two bases": (
        lambda f: f.assign(basis=["residence"] * 10 + ["occurrence"] * (len(f) - 10)),
        "several values of basis: occurrence, residence",
    ),
    "a class": (lambda f: f.assign(indicator="T40.4"), "own counts are of 'T40.4'"),
    "no month": (cell(2, month="July"), "row 2, month: 'July' is not a date"),
    "no day": (cell(2, as_of="September"), "OH 2022-07: as_of: 'September' is not a date"),
    "no deaths": (lambda f: f.drop(columns="deaths"), "no deaths; the columns are location"),
    "no frame": (lambda _: [1, 2], "not a DataFrame"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_trusted_is_refused_with_what_was_found(panel, name):
    change, said = REFUSED[name]
    with pytest.raises(OdforecastError, match=re.escape(said)):
        panel.with_counts(change(counts(panel)))


@pytest.mark.parametrize("mean", [2.0, 10.0, 40.0])
def test_chance_in_small_counts_is_no_slip(mean):
    rng, months = np.random.default_rng(int(mean)), np.arange("2022-01", "2026-01", dtype="M8[M]")
    cdc, share = made_panel({"WY": np.full(50, mean)}, "2025-04"), np.ones(48)
    share[-3:] = 0.7, 0.4, 0.1
    for _ in range(80):
        drawn = {"location": "WY", "month": months, "deaths": rng.poisson(mean * share)}
        assert cdc.with_counts(pd.DataFrame(drawn), day="2026-02-01").own is not None


@pytest.mark.parametrize("state", ["MA", "OK", "PR"])
def test_months_that_cdc_has_alike_are_no_slips(state):
    panel = od.bundled().as_of().panel()
    frame = counts(panel, state, 0, "2014-02").dropna().round().reset_index(drop=True)
    assert panel.with_counts(frame).own is not None
    month, deaths = frame["month"].iloc[-20], frame["deaths"].iloc[-20]
    for slip in (10 * deaths + 9, deaths // 10):
        with pytest.raises(PanelError, match=f"{slip:,.0f} deaths in {month}"):
            panel.with_counts(cell(-20, deaths=slip)(frame))


def test_own_counts_are_of_states_and_given_once(panel):
    with pytest.raises(PanelError, match="this panel holds counties"):
        replace(panel, dataset="counties").with_counts(counts(panel))
    with pytest.raises(PanelError, match="has own counts already"):
        panel.with_counts(counts(panel)).with_counts(counts(panel, "WV"))
    with pytest.raises(PanelError, match="in every row"):
        Own(("OH",), np.array([], "M8[M]"), np.array([1.0]), np.array(["2025-01-01"], "M8[D]"))
    rest, city = counts(panel, "NY"), counts(panel, "YC")
    assert panel.with_counts(pd.concat([rest, city])).own is not None
    with pytest.raises(PanelError, match=r"1,888 without the city and 3,814 with it.* as NYC"):
        panel.with_counts(rest.assign(deaths=rest["deaths"] + city["deaths"]))


def test_a_class_takes_only_counts_that_say_they_are_of_it(panel):
    opioids = od.bundled().as_of(DAY).panel("T40.4")
    named = counts(opioids).assign(indicator="t40.4")
    assert opioids.with_counts(named).own is not None
    for frame, words in (
        (counts(panel), "may be of all drugs.*add a column indicator with T40.4 in every row"),
        (counts(panel).assign(indicator="all-drugs"), "own counts are of 'all-drugs'"),
        (cell(3, indicator=None)(named), "in every row"),
    ):
        with pytest.raises(PanelError, match=words):
            opioids.with_counts(frame)


@pytest.mark.parametrize("model", ["dlm", "naive"])
def test_texts_and_figures_say_that_they_rest_on_own_counts(panel, model):
    own = panel.with_counts(pd.concat([counts(panel), counts(panel, "WV")]))
    made = od.get_model(model).fit(own).forecast(draws=60)
    both = "with own counts of Ohio, West Virginia to 2025-07"
    one, none = ("with own counts of Ohio to 2025-07", "") if model == "naive" else (both, both)
    cases = [(made, "OH", one), (made, "PA", none), (made, "US", none)]
    if model == "dlm":
        cases += [(made.region(name), name, both) for name in ("Midwest", "West")]
    for forecast, place, there in cases:
        below = " ".join(t.get_text() for t in od.plot.fan(forecast, place).texts)
        for words in (forecast.text(place), " ".join(below.split())):
            assert ("own counts" in words) is bool(there)
            assert there in words
            # The errors of past forecasts, which had none, are not this one's.
            assert "past tests" not in words
    grid = od.plot.small_multiples(made, ["OH", "PA"])
    assert one in grid[0].get_figure().get_suptitle()


@pytest.fixture
def ohio(tmp_path: Path, panel: Panel, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    counts(panel).to_csv("ohio.csv", index=False)
    return tmp_path / "ohio.csv"


def run_with(command: str, *words: str, answer: str = "", places: str = "OH,US") -> tuple[int, str]:
    common = ("--source", "bundled", "--as-of", str(DAY), "--model", "naive", "--draws", "60")
    done = run(command, *common, "--locations", places, *words, input=answer)
    return done.exit_code, said(done)


def test_a_page_says_so_shows_no_past_errors_and_the_month_of_the_sentences(panel, tmp_path):
    made = od.get_model().fit(panel.with_counts(counts(panel))).forecast(15, draws=60)
    assert "ending in July 2026 the forecast" in made.text("OH")
    kept = write_report(tmp_path / "a.html", forecast=made, locations=["OH", "US"], own=True)
    page = kept.read_text(encoding="utf-8")
    for words in (
        "forecast to July 2026",
        "Forecasts beyond April 2026",
        "12 months ending April 2026",  # the kinds of change, where CDC's count is known
        "with own counts of Ohio to 2025-07. Forecast: odforecast",
    ):
        assert words in page
    assert "How accurate past forecasts were" not in page
    assert "past tests" not in page
    shown = " ".join(t.get_text() for t in od.plot.nowcast(made, "US").texts)
    assert "With own counts of Ohio to 2025-07" in " ".join(shown.split())


@pytest.mark.parametrize("command", ["forecast", "nowcast"])
def test_the_commands_take_a_file(ohio, command):
    given = ("--counts", ohio.name, "--model", "naive+delay")
    code, shown = run_with(command, *given)
    assert code == 0, shown
    assert "Ohio is given its own counts up to 2025-07 (3 months after CDC's last" in shown
    assert "assumed to be as incomplete as CDC's, with doubled uncertainty" in shown
    assert ", with own counts of Ohio to 2025-07." in shown  # below the table
    code, shown = run_with(command, *given, "--complete", places="OH")
    assert code == 0, shown
    assert "taken as complete" in shown
    assert ", with own counts of Ohio to 2025-07, " in shown
    for flag in ("--complete", "--not-complete"):
        code, shown = run_with(command, flag)
        assert (code, f"{flag} is about --counts FILE" in shown) == (2, True)


@pytest.mark.parametrize(
    ("answer", "flags", "how"),
    [
        ("\n", (), "as incomplete as CDC's"),
        ("y\n", (), "as incomplete as CDC's"),
        ("n\n", (), "taken as complete"),
        ("", ("--complete",), "taken as complete"),
        ("", ("--not-complete",), "as incomplete as CDC's"),
    ],
)
def test_on_a_terminal_one_question_says_whether_counts_are_complete(
    ohio, monkeypatch, answer, flags, how
):
    monkeypatch.setattr(source, "on_terminal", lambda: True)
    code, shown = run_with("forecast", "--counts", ohio.name, *flags, answer=answer)
    assert code == 0, shown
    question = "Could more deaths still be added to the last months in ohio.csv? [Y/n]"
    assert shown.count(question) == (not flags)
    assert how in shown


def test_a_sheet_is_chosen_and_a_missing_file_is_refused_at_once(ohio, monkeypatch):
    read = Mock(return_value=pd.read_csv(ohio))
    monkeypatch.setattr("odforecast.sources.own.read_own_counts", read)
    Path("ohio.xlsx").touch()
    code, shown = run_with("forecast", "--counts", "ohio.xlsx:Monthly deaths")
    assert code == 0, shown
    assert [str(call.args[0]) for call in read.mock_calls] == ["ohio.xlsx:Monthly deaths"]
    code, _ = run_with("forecast", "--counts", "ohio.xlsx:Deaths", "--table", "ohio.xlsx")
    assert code == 2
    for missing in ("none.csv", "none.xlsx:Deaths", "ohio.csv:Deaths"):
        code, shown = run_with("forecast", "--counts", missing)
        assert (code, "does not exist" in shown) == (2, True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "option", "name"),
    [("forecast", "--out", "hub.csv"), ("forecast", "--html", "page.html"),
     ("report", "--out", "page.html")],
)  # fmt: skip
def test_the_command_keeps_them_from_files_for_others(ohio, command, option, name):
    words = ("--counts", ohio.name, option, name, "--until", "2025-12")
    code, shown = run_with(command, *words)
    assert (code, "would use your own counts" in shown) == (2, True)
    assert not Path(name).exists()
    code, shown = run_with(command, *words, "--with-own-counts")
    assert code == 0, shown
    assert Path(name).exists()
    code, shown = run_with(command, "--with-own-counts", option, name)
    assert (code, "--with-own-counts is about --counts FILE" in shown) in ((2, True), (0, False))


@pytest.mark.parametrize(
    "write",
    [
        lambda made, _: od.to_hub(made),
        lambda made, _: od.to_hub(made.part("T40.4")),
        lambda made, _: od.to_hub(made.select("PA")),
        lambda made, folder: od.hub.write(made, folder / "a.csv"),
        lambda made, _: od.hub.scenarios_to_hub({"null": made}),
        lambda made, folder: write_report(folder / "a.html", forecast=made),
        lambda made, folder: write_site(folder / "site", made),
    ],
)
def test_hub_files_and_pages_refuse_what_rests_on_own_counts(panel, tmp_path, write):
    made = od.get_model().fit(panel.with_counts(counts(panel))).forecast(3, draws=60)
    with pytest.raises(ForecastError, match="rests on own counts"):
        write(made.select(["OH", "US", "PA"]), tmp_path)
    assert len(od.to_hub(made, own=True))
    assert not list(tmp_path.iterdir())
