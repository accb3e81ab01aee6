"""A state's own counts as a layer of the panel: what is kept, what is refused, what stays local."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import odforecast as od
from odforecast.cli import main
from odforecast.errors import DataError, ForecastError, OdforecastError, PanelError
from odforecast.panel import Own, Panel
from odforecast.panel.own_compared import common
from odforecast.sources.own_counts import read_own_counts


@pytest.fixture(scope="module")
def panel() -> Panel:
    return od.bundled().as_of("2025-09-17").panel()


def months(first: str, last: str) -> list[str]:
    return [str(m) for m in np.arange(np.datetime64(first), np.datetime64(last) + 1)]


def counts(panel: Panel, state: str = "OH", more: int = 3, first: str = "2022-05") -> pd.DataFrame:
    """CDC's own months of a state from one on, and some more after its last."""
    row = panel.monthly[panel.index(state)][panel.month_grid >= np.datetime64(first)]
    grid = np.arange(np.datetime64(first), panel.last_month + np.timedelta64(more + 1, "M"))
    deaths = [*row, *[float(x) for x in row[-more:]]] if more else list(row)
    return pd.DataFrame({"location": state, "month": grid.astype(str), "deaths": deaths})


# ---------------------------------------------------------------------------------- the layer


def test_a_panel_without_own_counts_keeps_its_hash(panel: Panel) -> None:
    assert panel.own is None
    assert panel.data_hash == "cfc50359fc9ffc29"


def test_the_layer_changes_nothing_of_cdcs_and_is_in_the_hash(panel: Panel) -> None:
    own = panel.with_counts(counts(panel))
    assert own.own is not None
    assert own.last_month == panel.last_month
    assert np.array_equal(own.reported, panel.reported, equal_nan=True)
    assert own.data_hash != panel.data_hash
    frame = counts(panel)
    frame.loc[frame.index[-1], "deaths"] += 1
    hashes = {own.data_hash, panel.with_counts(frame).data_hash}
    hashes.add(panel.with_counts(counts(panel), complete=True).data_hash)
    assert len(hashes) == 3
    assert "own counts of OH to 2025-07" in repr(own)
    assert "own counts" not in repr(panel)


def test_rows_may_come_in_any_order(panel: Panel) -> None:
    frame = pd.concat([counts(panel), counts(panel, "WV")])
    mixed = frame.sample(frac=1, random_state=1)
    one, other = panel.with_counts(frame), panel.with_counts(mixed)
    assert one.data_hash == other.data_hash
    assert other.own is not None
    assert other.own.places == ("OH", "WV")


def test_pickled_it_is_the_same_panel(panel: Panel) -> None:
    own = panel.with_counts(counts(panel))
    again = pickle.loads(pickle.dumps(own))
    assert again.data_hash == own.data_hash
    assert again.own.of("OH")[1].tolist() == counts(panel)["deaths"].tolist()


def test_selected_places_keep_their_own_counts(panel: Panel) -> None:
    own = panel.with_counts(pd.concat([counts(panel), counts(panel, "WV")]))
    assert own.select(["WV", "PA"]).own.places == ("WV",)  # type: ignore[union-attr]
    assert own.select("PA").own is None
    assert own.select("PA").data_hash == panel.select("PA").data_hash


def test_what_was_not_known_at_an_earlier_day_falls_away(panel: Panel) -> None:
    frame = pd.concat([
        counts(panel, more=0).assign(as_of="2024-09-01").query("month < '2024-09'"),
        counts(panel).assign(as_of="2025-09-01").query("month >= '2024-06'"),
    ])  # fmt: skip
    own = panel.with_counts(frame)
    assert own.own.said() == "OH to 2025-07"  # type: ignore[union-attr]
    # As of 2024-10-15.
    earlier = own.cut("2024-05")
    assert earlier.own.said() == "OH to 2024-08"  # type: ignore[union-attr]
    assert own.cut("2023-05").own is None
    # Without a day a row was known on the panel's.
    assert panel.with_counts(counts(panel)).cut("2024-12").own is None


def test_the_newest_count_of_a_month_is_taken_and_all_are_kept(panel: Panel) -> None:
    first = counts(panel).assign(as_of="2025-09-01")
    second = first.assign(as_of="2025-09-10", deaths=first["deaths"] + 1)
    own = panel.with_counts(pd.concat([second, first])).own
    assert own is not None
    assert (own.of("OH")[1] == second["deaths"]).all()
    assert len(own.rows("OH")[0]) == 2 * len(first)


def test_rows_known_later_are_left_out_and_counted(panel: Panel) -> None:
    now = counts(panel).assign(as_of="2025-09-01")
    later = counts(panel, more=4).iloc[-3:].assign(as_of="2025-10-01")
    own = panel.with_counts(pd.concat([now, later]))
    assert own.notes[-1] == "3 own counts known only after 2025-09-17 left out"
    assert own.own.said() == "OH to 2025-07"  # type: ignore[union-attr]


# ---------------------------------------------------------------------------------- refusals


def broken(change: Callable[[pd.DataFrame], pd.DataFrame | None]) -> object:
    return pytest.param(change, id=change.__name__)


def negative(frame: pd.DataFrame) -> None:
    frame.loc[3, "deaths"] = -4


def not_whole(frame: pd.DataFrame) -> None:
    frame.loc[3, "deaths"] = 181.5


def blank(frame: pd.DataFrame) -> None:
    frame.loc[3, "deaths"] = np.nan


def twice(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame, frame.iloc[[4]].assign(deaths=7.0)])


def unknown_place(frame: pd.DataFrame) -> None:
    frame["location"] = "Ohoi"


def the_nation(frame: pd.DataFrame) -> None:
    frame["location"] = "US"


def gap(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(index=7)


def ten_times(frame: pd.DataFrame) -> None:
    frame["deaths"] *= 10


def a_tenth(frame: pd.DataFrame) -> None:
    frame["deaths"] = (frame["deaths"] / 10).round()


def a_slip(frame: pd.DataFrame) -> None:
    frame.loc[37, "deaths"] = 4000


def a_slip_of_few_months(frame: pd.DataFrame) -> pd.DataFrame:
    frame.loc[27, "deaths"] *= 10
    return frame.iloc[24:]


def a_zero_of_few_months(frame: pd.DataFrame) -> pd.DataFrame:
    frame.loc[27, "deaths"] = 0
    return frame.iloc[24:]


def too_many(frame: pd.DataFrame) -> None:
    frame.loc[3, "deaths"] = 1e300


def no_place(frame: pd.DataFrame) -> None:
    frame.loc[3, "location"] = None


def columns_twice(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame, frame[["deaths"]]], axis=1)


def no_overlap(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.tail(3)


def eleven_months(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.tail(14)


def not_over(frame: pd.DataFrame) -> pd.DataFrame:
    more = pd.DataFrame(
        {"location": "OH", "month": ["2025-08", "2025-09"], "deaths": [150.0, 20.0]}
    )
    return pd.concat([frame, more])


def after_its_day(frame: pd.DataFrame) -> None:
    frame["as_of"] = "2025-06-30"


def all_later(frame: pd.DataFrame) -> None:
    frame["as_of"] = "2025-10-01"


def two_bases(frame: pd.DataFrame) -> None:
    frame["basis"] = ["residence"] * 10 + ["occurrence"] * (len(frame) - 10)


def a_class(frame: pd.DataFrame) -> None:
    frame["indicator"] = "T40.4"


def no_month(frame: pd.DataFrame) -> None:
    frame.loc[2, "month"] = "July"


def no_day(frame: pd.DataFrame) -> None:
    frame["as_of"] = "September"


def no_deaths(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.rename(columns={"deaths": "count"})


REFUSED = {
    negative: "OH 2022-08: deaths is -4.0, negative",
    not_whole: "OH 2022-08: deaths is 181.5, no whole number",
    blank: "OH 2022-08: deaths is blank",
    twice: "OH 2022-09 is given twice as of 2025-09-17: 406 and 7",
    unknown_place: "Ohoi",
    the_nation: "own counts of the US",
    gap: "Ohio have a gap: 2022-12 is missing between 2022-11 and 2023-01",
    ten_times: "where CDC has 2,830: 10 times CDC's",
    a_tenth: "where CDC has 2,830: 0.1 times CDC's",
    a_slip: "4,000 deaths in 2025-06",
    a_slip_of_few_months: "deaths in 2024-08, and about 230 in a month of those about it",
    a_zero_of_few_months: "own counts of Ohio: 0 deaths in 2024-08, and about 224 in a month",
    too_many: "OH 2022-08: deaths is 1e+300, more than any state has in a month",
    no_place: "location is blank in row 3",
    columns_twice: "own counts have two columns of one name: deaths",
    no_overlap: "(2025-05 to 2025-07) share 0 months with CDC's; 12 are needed",
    eleven_months: "share 11 months with CDC's (2024-06 to 2025-04); 12 are needed",
    not_over: "OH 2025-09 had not ended on 2025-09-17",
    after_its_day: "OH 2025-06 had not ended on 2025-06-30",
    all_later: "all 39 own counts were known only after 2025-09-17 (the first on 2025-10-01)",
    two_bases: "several values of basis: occurrence, residence",
    a_class: "own counts are of 'T40.4'",
    no_month: "'July' is no month",
    no_day: "as_of is September, no day",
    no_deaths: "own counts have no deaths; the columns are location, month, count",
}


@pytest.mark.parametrize("change", [broken(f) for f in REFUSED])
def test_what_cannot_be_trusted_is_refused_with_what_was_found(
    panel: Panel, change: Callable[[pd.DataFrame], pd.DataFrame | None]
) -> None:
    frame = counts(panel)
    changed = change(frame)
    with pytest.raises(OdforecastError) as refused:
        panel.with_counts(frame if changed is None else changed)
    assert REFUSED[change] in str(refused.value)  # type: ignore[index]


def test_a_name_close_to_a_place_is_offered(panel: Panel) -> None:
    with pytest.raises(OdforecastError, match="Ohio"):
        panel.with_counts(counts(panel).assign(location="Ohoi"))


def test_new_york_with_the_city_in_it_is_refused(panel: Panel) -> None:
    rest, city = counts(panel, "NY"), counts(panel, "YC")
    assert panel.with_counts(pd.concat([rest, city])).own is not None
    with pytest.raises(PanelError, match="1,888 without the city and 3,814 with it") as refused:
        panel.with_counts(rest.assign(deaths=rest["deaths"] + city["deaths"]))
    assert "as NYC" in str(refused.value)


def test_months_that_cdc_lacks_are_no_common_ones(panel: Panel) -> None:
    """Sums over 12 months hold 12 months that follow each other."""
    held = panel.monthly.copy()
    held[panel.index("OH"), -20] = np.nan
    own = panel.with_counts(counts(panel)).own
    assert own is not None
    bent = cast(
        Panel, SimpleNamespace(monthly=held, month_grid=panel.month_grid, locations=panel.locations)
    )
    months, mine, cdc = common(bent, own, "OH")
    assert months[0] == panel.month_grid[-19]
    assert months.size == mine.size == cdc.size == 19


def test_own_counts_are_of_states_and_given_once(panel: Panel) -> None:
    from dataclasses import replace

    with pytest.raises(PanelError, match="this panel holds counties"):
        replace(panel, dataset="counties").with_counts(counts(panel))
    with pytest.raises(PanelError, match="has own counts already"):
        panel.with_counts(counts(panel)).with_counts(counts(panel, "WV"))
    with pytest.raises(PanelError, match="not a DataFrame"):
        panel.with_counts([1, 2])  # type: ignore[arg-type]


def test_a_last_month_of_which_little_is_there_is_no_slip(panel: Panel) -> None:
    frame = counts(panel)
    frame.loc[frame.index[-1], "deaths"] = 5
    assert panel.with_counts(frame).own is not None
    frame.loc[frame.index[-3], "deaths"] = 5
    with pytest.raises(PanelError, match="5 deaths in 2025-05"):
        panel.with_counts(frame)


def test_own_counts_need_as_many_of_each() -> None:
    with pytest.raises(PanelError, match="in every row"):
        Own(("OH",), np.array([], "M8[M]"), np.array([1.0]), np.array(["2025-01-01"], "M8[D]"))


# ---------------------------------------------------------------------------------- the file


def test_a_file_is_read_whatever_its_form(tmp_path: Path, panel: Panel) -> None:
    frame = counts(panel).assign(as_of="2025-09-01", county="all")
    names = {"location": "Location", "month": "Month", "deaths": "Deaths", "as_of": "As of"}
    frame = frame.rename(columns=names)
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.assign(Month=pd.to_datetime(frame["Month"])).to_excel(tmp_path / "a.xlsx", index=False)
    hashes = set()
    for name in ("a.csv", "a.xlsx"):
        read = read_own_counts(tmp_path / name)
        assert list(read) == ["location", "month", "deaths", "as_of"]
        hashes.add(panel.with_counts(read).own.data_hash)  # type: ignore[union-attr]
    assert len(hashes) == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Ohio,2025-05,-3,", "row 3: deaths '-3' is negative"),
        ("Ohio,2025-05,3.5,", "row 3: deaths '3.5' is no whole number"),
        ("Ohio,2025-05,Suppressed,", "row 3: deaths 'Suppressed' is no number"),
        ("Ohio,May,3,", "row 3: month 'May' is no month"),
        (",2025-05,3,", "row 3: location '' is blank"),
        ("Ohio,2025-05,3,soon", "row 3: as_of 'soon' is no day"),
    ],
)
def test_a_bad_cell_is_refused_with_its_row(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "ohio.csv"
    path.write_text(f"location,month,deaths,as_of\nOhio,2025-04,180,2025-09-01\n{line}\n")
    with pytest.raises(DataError) as refused:
        read_own_counts(path)
    assert said in str(refused.value).replace('"', "'")


def test_a_file_without_our_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ohio.csv"
    path.write_text("place,deaths,County\nOhio,180,all\n")
    with pytest.raises(DataError, match="no column location, month; it has place, deaths, County"):
        read_own_counts(path)
    path.write_text("location,month,Deaths,deaths\nOhio,2025-04,180,181\n")
    with pytest.raises(DataError, match="twice"):
        read_own_counts(path)


def test_the_state_may_be_called_so(tmp_path: Path, panel: Panel) -> None:
    """Tables of ``odforecast data export --monthly`` have it under that name."""
    frame = counts(panel)
    frame.rename(columns={"location": "state"}).assign(sd=1.0).to_csv(tmp_path / "a.csv")
    read = panel.with_counts(read_own_counts(tmp_path / "a.csv"))
    as_frame = panel.with_counts(frame.rename(columns={"location": "state"}))
    assert read.data_hash == as_frame.data_hash == panel.with_counts(frame).data_hash
    # Where both are there, the place is the place.
    both = frame.assign(state="Nowhere")
    both.to_csv(tmp_path / "b.csv", index=False)
    assert panel.with_counts(read_own_counts(tmp_path / "b.csv")).data_hash == read.data_hash


@pytest.mark.parametrize(
    "cells",
    [
        ("2025-04", "2025-05"),
        ("2025-04-01", "2025-05-01"),
        ("2025-04-30", "2025-05-31"),
        ("April 2025", "May 2025"),
        ("Apr. 2025", "may 2025"),
        ("04/2025", "5/2025"),
        ("04/01/2025", "5/1/2025"),
    ],
    ids=lambda cells: cells[0],
)
def test_months_are_read_as_people_write_them(tmp_path: Path, cells: tuple[str, str]) -> None:
    path = tmp_path / "ohio.csv"
    path.write_text("location,month,deaths\n" + "".join(f"Ohio,{c},180\n" for c in cells))
    found = read_own_counts(path)["month"].dt.strftime("%Y-%m-%d").tolist()
    assert found == ["2025-04-01", "2025-05-01"]


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (("01/05/2025", "01/06/2025"), "row 2: month '01/05/2025' may be month first or day first"),
        (("05/01/2025", "05/31/2025"), "row 2: month '05/01/2025' may be month first or day first"),
        (("2025-05", "2025-05-15"), "row 3: month '2025-05-15' is a day within a month"),
        (("2025-05", "2025-02-29"), "row 3: month '2025-02-29' is a day within a month"),
        (("2025-13", "2025-05"), "row 2: month '2025-13' is no month"),
        (("13/2025", "05/2025"), "row 2: month '13/2025' is no month"),
        (("May-25", "May 2025"), "row 2: month 'May-25' is no month"),
    ],
    ids=lambda x: x[0] if isinstance(x, tuple) else "",
)
def test_months_that_may_be_others_are_refused(
    tmp_path: Path, cells: tuple[str, str], said: str
) -> None:
    path = tmp_path / "ohio.csv"
    path.write_text("location,month,deaths\n" + "".join(f"Ohio,{c},180\n" for c in cells))
    with pytest.raises(DataError) as refused:
        read_own_counts(path)
    assert said in str(refused.value)
    assert "write it as 2025-06" in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "location\n",
        "location,month,deaths\n",
        "location,month,deaths\nOhio,2025-04,180\nOhio,2025-05,1",
        "location,month,deaths\nOhio,2025-04,-180\n",
        "location,month,deaths\nOhio,2025-04,Suppressed\n",
        "location,month,deaths\nOhio,2025-04\n",
        "<html><title>no</title></html>",
        '{"error": true, "message": "no"}',
    ],
)
def test_nobody_is_told_to_download_a_file_of_their_own(tmp_path: Path, text: str) -> None:
    path = tmp_path / "ohio.csv"
    path.write_text(text)
    with pytest.raises(DataError) as refused:
        read_own_counts(path)
    hint = refused.value.hint or ""
    assert not {"download", "xkb8", "CDC", "publisher"} & set(hint.replace("'", " ").split())
    assert any(word in hint for word in ("write ", "save it as", "end the last line"))


# ---------------------------------------------------------------------------------- which deaths


def test_a_class_takes_only_counts_that_say_they_are_of_it(panel: Panel) -> None:
    """A file of all drugs, taken as fentanyl's, would lift it by a half."""
    opioids = od.bundled().as_of("2025-09-17").panel("T40.4")
    with pytest.raises(PanelError, match="may be of all drugs") as refused:
        opioids.with_counts(counts(panel))
    assert "add a column indicator with T40.4 in every row" in str(refused.value)
    with pytest.raises(PanelError, match="own counts are of 'all-drugs'"):
        opioids.with_counts(counts(panel).assign(indicator="all-drugs"))
    named = counts(opioids).assign(indicator="t40.4")
    assert opioids.with_counts(named).own is not None
    named.loc[3, "indicator"] = None
    with pytest.raises(PanelError, match="in every row"):
        opioids.with_counts(named)
    assert panel.with_counts(counts(panel).assign(indicator="all-drugs")).own is not None


def test_a_definition_that_is_far_from_cdcs_is_asked_about(panel: Panel) -> None:
    for factor, asked in ((1.6, True), (0.6, True), (1.1, False), (0.9, False)):
        frame = counts(panel)
        frame["deaths"] = (factor * frame["deaths"]).round()
        own = panel.with_counts(frame, complete=True)
        made = od.get_model("naive").fit(own).forecast(3, draws=60)
        said = f"own counts of Ohio are {factor:.2f} times CDC's (Number of Drug Overdose Deaths)"
        assert (said in " ".join(made.warnings)) is asked


def test_counts_without_a_day_are_said_to_be_taken_as_known(panel: Panel) -> None:
    said = "counts without as_of are taken as known on 2025-09-17"
    for frame, there in (
        (counts(panel), True),
        (counts(panel).assign(as_of="2025-09-01"), False),
    ):
        made = od.get_model("naive").fit(panel.with_counts(frame)).forecast(3, draws=60)
        assert (said in " ".join(made.warnings)) is there


@pytest.mark.parametrize("model", ["dlm", "naive"])
def test_texts_and_figures_say_that_they_rest_on_own_counts(panel: Panel, model: str) -> None:
    """Of ``naive`` only what has own counts and what is added up from it; of ``dlm`` all places."""
    frame = pd.concat([counts(panel), counts(panel, "WV")])
    made = od.get_model(model).fit(panel.with_counts(frame)).forecast(draws=60)
    both = "with own counts of Ohio, West Virginia to 2025-07"
    one, none = ("with own counts of Ohio to 2025-07", "") if model == "naive" else (both, both)
    cases = [(made, "OH", one), (made, "PA", none)]
    if model == "dlm":
        cases += [(made, "US", both), (made.region("Midwest"), "Midwest", both)]
        cases += [(made.region("West"), "West", both)]
    for forecast, place, there in cases:
        text = forecast.text(place)
        below = " ".join(" ".join(t.get_text() for t in od.plot.fan(forecast, place).texts).split())
        for words in (text, below):
            assert ("own counts" in words) is bool(there)
            assert there in words
    # The errors of past forecasts, which had none, are not this one's.
    assert "have been off" not in made.text("OH")
    assert "have been off" not in made.text("PA")
    grid = od.plot.small_multiples(made, ["OH", "PA"])
    assert one in grid[0].get_figure().get_suptitle()
    # Where nothing is added up, the nation is what it was.
    alone = od.get_model("naive").fit(panel.with_counts(frame)).forecast(12, draws=60)
    assert "own counts" not in alone.text("US")


# ---------------------------------------------------------------------------------- the command


@pytest.fixture
def ohio(tmp_path: Path, panel: Panel, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    counts(panel).to_csv(tmp_path / "ohio.csv", index=False)
    return tmp_path / "ohio.csv"


def run(*words: str) -> tuple[int, str]:
    args = "--source bundled --as-of 2025-09-17 --locations OH,US --model naive --draws 60 --quiet"
    done = CliRunner().invoke(main, [words[0], *args.split(), *words[1:]])
    return done.exit_code, " ".join(done.output.split())


def test_the_command_takes_a_file(ohio: Path) -> None:
    code, said = run("forecast", "--counts", ohio.name, "--table", "table.csv")
    assert code == 0, said
    assert "Ohio is given its own counts up to 2025-07 (3 months after CDC's last, 3 used)" in said
    assert "other places are forecast as without own counts and the nation is added up" not in said
    assert Path("table.csv").exists()


def test_the_command_takes_complete_counts(ohio: Path) -> None:
    for command in ("forecast", "nowcast"):
        model = ("--model", "naive+delay")
        code, said = run(command, "--counts", ohio.name, "--complete", *model)
        assert code == 0, said
        assert "said to be complete" in said
        code, said = run(command, "--complete", *model)
        assert code == 2
        assert "--complete is about --counts FILE" in said
        code, said = run(command, "--counts", ohio.name, *model)
        assert code == 0, said
        assert "said to be complete" not in said


def test_the_command_refuses_all_drugs_for_a_class(ohio: Path) -> None:
    code, said = run("forecast", "--counts", ohio.name, "--indicator", "T40.4")
    assert code == 1
    assert "own counts do not say that they are of" in said


def test_the_command_keeps_them_from_files_for_others(ohio: Path) -> None:
    for option, name in (("--out", "hub.csv"), ("--html", "page.html")):
        code, said = run("forecast", "--counts", ohio.name, option, name)
        assert code == 2
        assert "would rest on your own counts" in said
        assert not Path(name).exists()
        code, said = run("forecast", "--counts", ohio.name, option, name, "--with-own-counts")
        assert code == 0, said
        assert Path(name).exists()
    code, said = run("forecast", "--with-own-counts")
    assert code == 2
    assert "--with-own-counts is about --counts FILE" in said


def test_a_saved_forecast_makes_no_page_unasked(ohio: Path) -> None:
    code, said = run("forecast", "--counts", ohio.name, "--save", "mine")
    assert code == 0, said
    report = ["report", "mine", "--out", "page.html"]
    done = CliRunner().invoke(main, report)
    assert done.exit_code == 1
    assert "rests on own counts (OH to 2025-07, 39 rows)" in " ".join(done.output.split())
    done = CliRunner().invoke(main, [*report, "--with-own-counts"])
    assert done.exit_code == 0, done.output
    page = Path("page.html").read_text(encoding="utf-8")
    assert "and from own counts of states" in page


def test_a_report_takes_a_file(ohio: Path) -> None:
    code, said = run("report", "--counts", ohio.name, "--out", "page.html")
    assert code == 2
    assert "would rest on your own counts" in said
    code, said = run(
        "report", "--counts", ohio.name, "--out", "page.html", "--with-own-counts", "--until",
        "2025-12",
    )  # fmt: skip
    assert code == 0, said


def test_the_nowcast_takes_a_file(ohio: Path) -> None:
    code, said = run("nowcast", "--counts", ohio.name, "--model", "naive+delay")
    assert code == 0, said
    assert "own counts up to 2025-07" in said


def test_a_bad_file_is_refused_by_the_command(ohio: Path) -> None:
    ohio.write_text("location,month,deaths\nOhio,2025-05,180\n")
    code, said = run("forecast", "--counts", ohio.name)
    assert code == 1
    assert "share 0 months with CDC's" in said


# ---------------------------------------------------------------------------------- kept local


def test_hub_files_and_pages_refuse_what_rests_on_own_counts(panel: Panel, tmp_path: Path) -> None:
    from odforecast.report.site import write_report, write_site

    made = od.get_model("naive").fit(panel.with_counts(counts(panel))).forecast(3, draws=60)
    made = made.select(["OH", "US"])
    refused = pytest.raises(ForecastError, match="rests on own counts")
    with refused:
        od.to_hub(made)
    drawn = od.get_model().fit(panel.with_counts(counts(panel))).forecast(3, draws=60)
    for part in (drawn.part("T40.4"), drawn.beside["T40.4"], drawn.select("PA")):
        with refused:
            od.to_hub(part)
    with refused:
        od.hub.write(made, tmp_path / "a.csv")
    with refused:
        od.hub.scenarios_to_hub({"null": made})
    with refused:
        write_report(tmp_path / "a.html", forecast=made)
    with refused:
        write_site(tmp_path / "site", made)
    assert len(od.to_hub(made, own=True))
    assert not list(tmp_path.iterdir())


def test_a_brief_refuses_what_rests_on_own_counts(panel: Panel, tmp_path: Path) -> None:
    from odforecast.report.brief import write_brief, write_briefs

    made = od.get_model("naive").fit(panel.with_counts(counts(panel))).forecast(12, draws=60)
    shock = od.scenario.named("tariff-only", onset="2025-11")
    projection = od.project(made.select("OH"), [shock])
    with pytest.raises(ForecastError, match="rests on own counts"):
        write_brief(projection, location="OH")
    with pytest.raises(ForecastError, match="rests on own counts"):
        write_briefs(projection, tmp_path)
    assert "own counts of states" in write_brief(projection, location="OH", own=True)
