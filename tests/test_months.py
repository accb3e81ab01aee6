"""Dates as people write them: one reader for every option, file and argument."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from commands import ok, run

import odforecast as od
from odforecast.errors import PanelError
from odforecast.months import month_end, readings, to_day, to_month

#: A text, and all that it may mean: years of 4 letters, months of 7, days of 10.
READ = {
    "2026": ["2026"],
    "2026-12": ["2026-12"],
    "12/2026": ["2026-12"],
    "Dec 2026": ["2026-12"],
    "december, 2026": ["2026-12"],
    "Jan-22": ["2022-01"],
    "Sept. 2025": ["2025-09"],
    "2025-09-17": ["2025-09-17"],
    "2025-09-17T00:00:00.000": ["2025-09-17"],
    "9/17/2025": ["2025-09-17"],
    "17/9/2025": ["2025-09-17"],
    "1/1/22": ["2022-01-01"],
    "1/1/2022 12:00 AM": ["2022-01-01"],
    "Sep 17, 2025": ["2025-09-17"],
    "September 17 2025": ["2025-09-17"],
    "17-Sep-25": ["2025-09-17"],
    "05/06/2022": ["2022-05-06", "2022-06-05"],
    "5.6.2022": ["2022-05-06", "2022-06-05"],
    "5/5/2022": ["2022-05-05"],
    " 2024-1 ": ["2024-01"],
}
NO_DATES = [
    "July", "Febtober", "today", "now", "Jul 2", "1/22", "22-Jan", "2024-13", "2024-02-31",
    "13/2024", "202401", "0000", "", "NaT", "2024-07-15 foo", "May 2022 " * 1000,
    "\u017fep 2024",  # a long s is an s to whoever ignores case
]  # fmt: skip


@pytest.mark.parametrize("text", READ)
def test_every_reading_of_a_text_is_found(text):
    assert [str(date) for date in readings(text)] == READ[text]


@pytest.mark.parametrize("text", NO_DATES)
@pytest.mark.parametrize("read", [to_month, to_day])
def test_what_is_not_a_date(text, read):
    assert readings(text) == ()
    with pytest.raises(PanelError, match="is not a date; write it as 2024-07"):
        read(text)


def test_months_and_days_of_other_objects() -> None:
    for value in ("2024-02-29", "Feb 2024", dt.date(2024, 2, 1), pd.Timestamp("2024-02-03 10:00"),
                  np.datetime64("2024-02-29T10", "s"), np.datetime64("2024-02")):  # fmt: skip
        assert to_month(value) == np.datetime64("2024-02")
    assert month_end(to_month("2/2024")) == dt.date(2024, 2, 29)
    assert to_day(pd.Timestamp("2024-02-03 10:00")) == dt.date(2024, 2, 3)
    for value in (None, float("nan"), pd.NaT, np.datetime64("NaT", "D")):
        with pytest.raises(PanelError, match="is not a date"):
            to_month(value)


BOTH = "'05/06/2022' can be May 6, 2022 or June 5, 2022; write 2022-05-06 or 2022-06-05"


def test_what_is_left_open_is_refused_unless_the_last_day_is_asked_for():
    for read, text, said in (
        (to_month, "05/06/2022", BOTH),
        (to_day, "05/06/2022", BOTH),
        (to_month, "2026", "'2026' is a year, not a month; write 2026-07"),
        (to_day, "12/2026", "'12/2026' has no day"),
    ):
        with pytest.raises(PanelError, match=said):
            read(text)
    assert to_month("5/5/2022") == np.datetime64("2022-05")
    assert to_day("2026", last=True) == dt.date(2026, 12, 31)
    assert to_day("2/2026", last=True) == dt.date(2026, 2, 28)


def test_of_a_year_alone_a_start_is_january_and_an_end_december(panel) -> None:
    cuts = od.origins(od.bundled(), "pseudo-clean", start="2023", end="2023", step=11)
    assert [str(o.panel.last_month) for o in cuts if o.panel] == ["2023-01", "2023-12"]
    made = od.get_model("naive").fit(panel).forecast(until="2026", draws=2)
    assert str(made.months[-1]) == "2026-12"


def test_options_take_dates_as_people_write_them():
    command = "forecast --model naive --locations US --draws 20 --json --as-of"
    found = ok(*command.split(), "9/17/2025", "--until", "12/2025")
    assert '"as_of": "2025-09-17"' in found
    found = ok(*command.split(), "Sep-2025", "--until", 2026)
    assert '"release": "2025-09-17"' in found
    assert '"end": "2026-12"' in found


@pytest.mark.parametrize(
    "command",
    [
        "forecast --as-of", "forecast --until", "backtest --start", "backtest --end",
        "score x.csv --truth-as-of", "data add x.csv --release", "hub check x --at",
        "hub init x --start", "hub submit x --round", "scenario run --scenario null --onset",
    ],
)  # fmt: skip
def test_every_date_option_refuses_what_is_not_one_date(command):
    for text, words in (("July", "'July' is not a date"), ("05/06/2022", "can be May 6, 2022 or")):
        done = run(*command.split(), text)
        assert done.exit_code == 2
        assert f"Invalid value for '{command.split()[-1]}': " in done.output
        assert words in done.output
