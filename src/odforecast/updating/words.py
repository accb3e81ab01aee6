"""What an update says: in sentences, in tables, and in the sections of its page."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from odforecast.forecast.text import place_name
from odforecast.geography import NATION, called, code_of
from odforecast.report.page import Table
from odforecast.say import between, day_name, listed, month_name, number_of, rounded, step_of
from odforecast.updating.changes import Change
from odforecast.updating.record import (
    FORECAST,
    SETTLED,
    model_in_question,
    one_each,
    outcomes,
    read,
)
from odforecast.updating.scenarios import sections as clocks
from odforecast.vintage.quality import SEVERITIES, Flag

if TYPE_CHECKING:
    from odforecast.report.site import Section
    from odforecast.updating.run import Update

RECORD_HEAD = (
    "Forecast on", "12 months ending", "Months ahead", "Median (90% interval)", "Final count",
    "Inside the 90% interval",
)  # fmt: skip
HEAD = (
    "Place", "Before", "Now", "Change", "From revisions", "From new months", "From the model",
)  # fmt: skip
#: Places besides the first in the table on the screen, and on the page; the file has them all.
SHOWN, ON_PAGE = 5, 15
#: Flags of a release that the page lists.
FLAGS = 30
CHANGES = "changes.csv"
#: Below the table.
NOTE = "±: two standard errors, from the number of draws"
_DEFINITION = (
    "Revisions: what the new release says differently about months known before (counts, how "
    "complete they are, what CDC predicts, which are final). New months: months that the previous "
    "release did not have. Model: other settings or another version of the model. The parts add up "
    "to the change."
)


# ------------------------------------------------------------------------------------ the record


def past_forecasts(
    table: pd.DataFrame, place: str = NATION, rows: int = 12, model: str | None = None
) -> list[list[str]]:
    """The record of one place as rows of texts under :data:`RECORD_HEAD`, the newest first.

    For each month with a count, the forecast from the first release in the record; the rows left
    over are forecasts of months without a count yet, from the last release.
    """
    found = one_each(outcomes(table), model or model_in_question(table))
    found = found[(found["location"] == code_of(place)) & (found["horizon"] >= 1)]
    found = found.sort_values("release", kind="stable")
    known = found[found["came"].notna()].drop_duplicates("month")
    known = known.sort_values("month").tail(rows)
    ahead = found[found["came"].isna()]
    ahead = ahead[ahead["release"] == ahead["release"].max()]
    ahead = ahead.sort_values("month").tail(max(rows - len(known), 1))
    shown = found.loc[[*known.index, *ahead.index]].sort_values(["month", "on"], ascending=False)
    out = []
    for row in shown.to_dict("records"):
        step = step_of(row["low_90"], row["high_90"])
        count, inside = "not yet", ""
        if row["came_status"] == SETTLED:
            count, inside = f"{row['came']:,.0f}", "yes" if row["inside_90"] else "no"
        elif np.isfinite(row["came"]):
            count, inside = f"{row['came']:,.0f} (first count, too low)", "not scored yet"
        middle = f"{rounded(row['median'], step)} ({between(row['low_90'], row['high_90'], step)})"
        dates = [f"{row['on']:%Y-%m-%d}", f"{row['month']:%Y-%m}", str(row["horizon"])]
        out.append([*dates, middle, count, inside])
    return out


def coverage_sentence(table: pd.DataFrame, model: str | None = None) -> str:
    """How many final counts the intervals contained, of one forecast per release and month."""
    found = outcomes(table)
    ahead = found[found["horizon"] >= 1]
    model = model or model_in_question(table)
    made = one_each(ahead, model)
    by = f" by {model}" if set(ahead["model"]) - {model} else ""
    said = f"The record holds {len(made):,} forecasts{by}. "
    judged = made[made["came_status"] == SETTLED]
    if judged.empty:
        said += "None can be scored yet: counts are not final until they are 12 months old."
    else:
        n, (inside, half) = len(judged), (int(judged[f"inside_{i}"].sum()) for i in ("90", "50"))
        said += (
            f"For {n:,} of them the count is final. The 90% interval contained {inside:,} of these "
            f"counts ({inside / n:.0%}), the 50% interval {half:,} ({half / n:.0%}). Forecasts of "
            "neighboring months and from one release share their errors, so they are far fewer "
            "independent tests."
        )
    repeats = int((ahead["model"] == model).sum()) - len(made)
    every = (table["kind"] == FORECAST) & (table["horizon"] >= 1).fillna(value=False)
    withdrawn = int(every.sum()) - len(ahead)
    left = [f"{repeats:,} made again later from the same release"] * bool(repeats)
    left += [f"{withdrawn:,} withdrawn because their release was wrong"] * bool(withdrawn)
    return f"{said} Not counted: {' and '.join(left)}." if left else said


def record_markdown(
    path: str | os.PathLike[str],
    location: str = NATION,
    rows: int = 12,
    model: str | None = None,
) -> str:
    """A record as Markdown, for a page of documentation: a sentence and a table of one place.

    Parameters
    ----------
    path : path
        ``record.csv``.
    location : str
        Any name of a place.
    rows : int
        Rows of the table.
    model : str, optional
        As the record has it. Default: the default model where the record has forecasts by it, else
        the one that it has the newest of.

    Returns
    -------
    str

    Examples
    --------
    >>> from odforecast.updating import record_markdown
    >>> record_markdown("no-such-folder/record.csv")
    'The record has no forecasts yet.'
    """
    table = read(path)
    if table.empty:
        return "The record has no forecasts yet."
    body = past_forecasts(table, location, rows, model)
    name = place_name(code_of(location))
    if not body:
        return f"The record has no forecasts of {name} yet."
    ruler = ["---", "---", "---:", "---:", "---:", "---"]
    lines = [f"| {' | '.join(cells)} |" for cells in (RECORD_HEAD, ruler, *body)]
    title = f"Drug overdose deaths in 12 months, {name}:"
    return "\n".join([coverage_sentence(table, model), "", title, "", *lines])


# -------------------------------------------------------------------------------------- a change


def month_of(change: Change) -> pd.Timestamp | None:
    """The month whose forecasts are compared in words: the last one that both have."""
    return None if change.table.empty else change.table["month"].max()


def _of_month(change: Change) -> pd.DataFrame:
    return change.table[change.table["month"] == month_of(change)]


def sentences(change: Change, place: str = NATION) -> list[str]:
    """What changed, and why, in paragraphs; numbers are of one place alone."""
    why_not = f"{change.why_not[:1].upper()}{change.why_not[1:]}."
    if change.before is None:
        return [why_not]
    said, table = [_data(change, place)], _of_month(change)
    mine = table[table["location"] == place]
    if table.empty:
        said.append("The two forecasts have no month in common.")
    elif mine.empty:
        said.append(f"There is no earlier forecast of {place_name(place)} to compare with.")
    else:
        said.append(_moved(mine.iloc[0]))
        said += [] if change.why_not else [_reasons(change, mine.iloc[0])]
    if change.why_not:
        said.append(why_not)
    if change.lost:
        said.append(f"Forecast before but not now: {', '.join(map(called, change.lost))}.")
    return said


def _data(change: Change, place: str) -> str:
    """The release before, the new months, and what was revised."""
    assert change.before is not None
    day = day_name(change.before)
    said = [f"The previous forecast was made from the release of {day}."]
    if not change.recorded:
        said = [
            f"The previous release is that of {day}.",
            "The record has no forecast from it, so one was made now.",
        ]
    if not change.counts:
        return said[0]
    n = change.new_months.size
    months = listed([month_name(m) for m in change.new_months], 1)
    if n > 1:
        months = " to ".join(month_name(change.new_months[i]) for i in (0, -1))
    added = f"{number_of(n, 'new month')} ({months}: {change.counts['new']:,} counts)"
    said.append(
        f"The new release adds {added if n else 'no new month'}. Of the "
        f"{change.counts['common']:,} counts in both releases, {change.counts['revised']:,} "
        "differ."
    )
    for row in change.revised[change.revised["location"] == place].to_dict("records"):
        if np.isfinite(row["revision"]):
            went = f"went from {row['reported_before']:,.0f} to {row['reported_now']:,.0f}"
            if row["revision"] == 0:
                went = f"is still {row['reported_now']:,.0f}"
            said.append(
                f"In {place_name(row['location'])} the reported count for the 12 months ending in "
                f"{month_name(row['month'])}, the newest one then, {went}."
            )
    if change.final is not None:
        said.append(f"Counts through {month_name(change.final)} are now final.")
    return " ".join(said)


def _moved(row: pd.Series) -> str:
    """The medians before and now."""
    step = _step(row["change_error"])
    size = rounded(abs(row["change"]), step)
    way = f"about {size} {'fewer' if row['change'] < 0 else 'more'}"
    inside = "inside" if row["before_low"] <= row["now"] <= row["before_high"] else "outside"
    return (
        f"For the 12 months ending in {month_name(row['month'])} in {place_name(row['location'])}, "
        f"the median was about {rounded(row['before'], step)} and is now about "
        f"{rounded(row['now'], step)}, {'no change' if size == '0' else way}. The new median is "
        f"{inside} the previous 90% interval, {between(row['before_low'], row['before_high'])}."
    )


def _reasons(change: Change, row: pd.Series) -> str:
    """The parts of a change."""
    parts = [("revisions of earlier months", "revisions")]
    if change.new_months.size:
        parts.append(("the new month" + "s" * (change.new_months.size > 1), "new_months"))
    words = []
    for name, key in parts:
        error = row[f"{key}_error"]
        text = f"{signed(row[key], _step(error))} from {name}"
        if error > 0:
            small = "less than 1" if error < 1 else rounded(error, _step(error))
            chance = ", so it may be chance" if abs(row[key]) < 2 * error else ""
            text += f" (standard error {small}{chance})"
        words.append(text)
    other, settings = row["model"], "; ".join(change.settings)
    if np.isfinite(other) and other != 0:
        why = settings or "the same settings give other numbers now: libraries?"
        words.append(f"{signed(other, _step(row['change_error']))} from the model ({why})")
    text = f"The change is the sum of {', '.join(words[:-1])} and {words[-1]}."
    if len(words) == 1:
        text = f"The change is {words[0]}."
    if change.recorded and other == 0:
        text += f" Different now, without effect here: {settings}." if settings else (
            " The model and its settings are the same.")  # fmt: skip
    return text


def table_of(change: Change, place: str = NATION, most: int | None = None) -> list[list[str]]:
    """The change in the last month that both have: the heads, and a row for each place.

    The place comes first, then ``most`` others by the size of their change beside the interval that
    was given before. Columns that say nothing are left out: a change that is not split has four.
    """
    table = _of_month(change)
    size = (table["change"] / (table["before_high"] - table["before_low"])).abs()
    order = table.assign(first=table["location"] != place, size=-size.fillna(0.0))
    order = order.sort_values(["first", "size"], kind="stable")
    rows = []
    for row in order.to_dict("records"):
        step = _step(row["change_error"])
        names = ("change", "revisions", "new_months")
        parts = [with_error(row[key], row[f"{key}_error"]) for key in names]
        model = "–" if np.isnan(row["model"]) else signed(row["model"], step)
        before, now = (rounded(row[key], step) for key in ("before", "now"))
        rows.append([row["name"], before, now, *parts, model])
    width = len(HEAD) - all(row[-1] in ("–", "0") for row in rows)
    rows = rows if most is None else rows[: 1 + most]
    return [row[: 4 if change.why_not else width] for row in ([*HEAD], *rows)]


def signed(value: float, step: float = 1.0) -> str:
    """A change with its sign.

    >>> signed(-154.0, 10), signed(3.2), signed(0.2)
    ('−150', '+3', '0')
    """
    size = rounded(abs(value), step)
    return size if size == "0" else f"{'−' if value < 0 else '+'}{size}"


def with_error(value: float, error: float) -> str:
    """A change, and twice its standard error.

    >>> with_error(-154.0, 12.0), with_error(3.0, 0.0), with_error(float("nan"), 1.0)
    ('−154 ± 24', '+3', '–')
    """
    if np.isnan(value):
        return "–"
    if not error > 0:
        return signed(value)
    step = _step(error)
    return f"{signed(value, step)} ± {rounded(2 * error, step) if 2 * error >= 1 else '<1'}"


def _step(error: float) -> float:
    return 1.0 if not np.isfinite(error) else step_of(-2 * error, 2 * error)


# ------------------------------------------------------------------------- sections of the page


def sections(update: Update, record: pd.DataFrame) -> list[Section]:
    """What the page has beside the forecast, the newest first; what is empty is left out."""
    from odforecast.report.site import Section

    change, place, made = update.change, update.place, []
    if change.before is not None:
        said, tables = sentences(change, place), []
        if places := len(_of_month(change)):
            heads, *rows = table_of(change, place, ON_PAGE)
            caption = f"Medians for the 12 months ending in {month_of(change):%B %Y}. {NOTE}."
            if places > 1 + ON_PAGE:
                caption += (
                    f" Shown are the {ON_PAGE} places whose change is largest relative to the "
                    f"previous interval; {CHANGES} has all places and months."
                )
            said.append(_DEFINITION)
            tables = [Table(heads, rows, len(heads) - 1, caption)]
        made.append(Section("What changed since the previous forecast", said, tables))
    made += clocks(update.tracks)
    shown = [f for f in update.flags if f.severity != "note"]
    if shown:
        left = f" The first {FLAGS} of {len(shown)} are shown." if len(shown) > FLAGS else ""
        cells = [[called(f.location), f.month or "", f.code, f.message] for f in shown[:FLAGS]]
        paragraph = f"{checked(update.flags)} The command odforecast data check lists them all."
        table = Table(("Place", "From", "Flag", "Finding"), cells, 0,
                      f"Errors and warnings.{left}")  # fmt: skip
        made.append(Section("Problems found in the release", [paragraph], [table]))
    model = str(update.forecast.provenance["label"])
    if past := past_forecasts(record, place, model=model):
        title = f"12-month counts, {place_name(place)}"
        table = Table(RECORD_HEAD, past, 0, title)
        sentence = coverage_sentence(record, model)
        made.append(Section("Past forecasts and final counts", [sentence], [table]))
    return made


def checked(flags: Sequence[Flag]) -> str:
    """What was found in a release, in a sentence.

    >>> checked([])
    'Checks of the release found nothing to flag.'
    """
    counts = Counter(flag.severity for flag in flags)
    said = [f"{counts[s]} {s}{'s' * (counts[s] > 1)}" for s in SEVERITIES if counts[s]]
    return f"Checks of the release found {', '.join(said) or 'nothing to flag'}."
