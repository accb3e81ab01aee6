"""What an update says: in sentences and in tables."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import pandas as pd

from odforecast.forecast.text import place_name
from odforecast.geography import NATION, called, code_of
from odforecast.say import between, day_name, month_name, rounded, step_of
from odforecast.updating.changes import Change
from odforecast.updating.record import (
    FORECAST,
    SETTLED,
    covered,
    model_in_question,
    one_each,
    outcomes,
    read,
)


def said_and_came(
    table: pd.DataFrame, place: str = NATION, rows: int = 12, model: str | None = None
) -> list[list[str]]:
    """The record of one place as rows of texts, the newest first.

    Columns: forecast on, 12 months to, months ahead, median and 90% interval, came, inside. Of
    each month known by now, the forecast from the first release that is in the record; the rows
    left over are those of what is not known yet, from the last release.

    Parameters
    ----------
    table : DataFrame
        From :func:`odforecast.updating.record.read`.
    place : str
        Any name of a place.
    rows : int
        As many as are wanted.
    model : str, optional
        Default: :func:`odforecast.updating.record.model_in_question`.
    """
    found = one_each(outcomes(table), model or model_in_question(table))
    found = found[(found["location"] == code_of(place)) & (found["horizon"] >= 1)]
    found = found.sort_values("release", kind="stable")
    known = found[found["came"].notna()].drop_duplicates("month")
    known = known.sort_values("month").tail(rows)
    ahead = found[found["came"].isna()]
    if not ahead.empty:
        ahead = ahead[ahead["release"] == ahead["release"].max()]
        ahead = ahead.sort_values("month").tail(max(rows - len(known), 1))
    shown = found.loc[[*known.index, *ahead.index]].sort_values(["month", "on"], ascending=False)
    out = []
    for row in shown.to_dict("records"):
        step = step_of(row["low_90"], row["high_90"])
        came, inside = "not yet", ""
        if np.isfinite(row["came"]):
            came = f"{row['came']:,.0f}"
            inside = "not judged yet: first published, too low"
            if row["came_status"] == SETTLED:
                inside = "inside" if row["inside_90"] else "outside"
        out.append(
            [
                f"{row['on']:%Y-%m-%d}", f"{row['month']:%Y-%m}", str(row["horizon"]),
                f"{rounded(row['median'], step)} ({between(row['low_90'], row['high_90'], step)})",
                came, inside,
            ]
        )  # fmt: skip
    return out


RECORD_HEAD = ("Forecast on", "12 months to", "Ahead", "Median (90%)", "Came", "90% interval")


def coverage_sentence(table: pd.DataFrame, model: str | None = None) -> str:
    """How many settled counts lay in their intervals, in a sentence.

    Of each release, place and month one forecast is counted, the newest of the model.

    Parameters
    ----------
    table : DataFrame
        From :func:`odforecast.updating.record.read`.
    model : str, optional
        Default: :func:`odforecast.updating.record.model_in_question`.
    """
    found = outcomes(table)
    ahead = found[found["horizon"] >= 1]
    model = model or model_in_question(table)
    made = one_each(ahead, model)
    (inside, n), (half, _) = covered(made).values()
    by = f" by {model}" if set(ahead["model"]) - {model} else ""
    left = _left_out(table, ahead, made, model)
    if not n:
        return (
            f"{len(made):,} forecasts{by} are in the record. No count that they are of is settled "
            f"yet (12 months old), so none is judged.{left}"
        )
    return (
        f"{len(made):,} forecasts{by} are in the record, {n:,} of them of counts that are settled "
        f"by now: {inside:,} ({inside / n:.0%}) lay in the 90% interval, {half:,} "
        f"({half / n:.0%}) in the 50% interval. Forecasts of neighbouring months and of one "
        f"release share their errors: these are far fewer trials than forecasts.{left}"
    )


def _left_out(table: pd.DataFrame, ahead: pd.DataFrame, made: pd.DataFrame, model: str) -> str:
    """What else the record holds, and is not counted."""
    repeats = int((ahead["model"] == model).sum()) - len(made)
    every = (table["kind"] == FORECAST) & (table["horizon"] >= 1).fillna(value=False)
    withdrawn = int(every.sum()) - len(ahead)
    parts = []
    if repeats:
        parts.append(f"{repeats:,} that were made again later, from the same release")
    if withdrawn:
        parts.append(f"{withdrawn:,} that were withdrawn, for their release was wrong")
    return f" Not counted are {' and '.join(parts)}." if parts else ""


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

    Raises
    ------
    DataError
        If a line of the record is not as it was written.
    UnknownNameError
        If the place is unknown.

    Examples
    --------
    >>> from odforecast.updating import record_markdown
    >>> record_markdown("no-such-folder/record.csv")
    'No forecast is in the record yet.'
    """
    table = read(path)
    if table.empty:
        return "No forecast is in the record yet."
    body = said_and_came(table, location, rows, model)
    if not body:
        return f"No forecast of {place_name(code_of(location))} is in the record yet."

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cells) + " |"

    ruler = ["---", "---", "---:", "---:", "---:", "---"]
    title = f"Drug overdose deaths in 12 months, {place_name(code_of(location))}:"
    parts = [line(RECORD_HEAD), line(ruler), *map(line, body)]
    return "\n".join([coverage_sentence(table, model), "", title, "", *parts])


#: Places in the table on the screen, besides the first.
SHOWN = 5


def month_of(change: Change) -> pd.Timestamp | None:
    """The month whose forecasts are compared in words: the last one that both have."""
    return None if change.table.empty else change.table["month"].max()


def sentences(change: Change, place: str = NATION) -> list[str]:
    """What changed, and why, in paragraphs.

    Parameters
    ----------
    change : Change
    place : str
        The place that numbers are given of; never those of another one.
    """
    if change.before is None:
        return [_start(change.why_not)]
    said = [_data(change, place)]
    month = month_of(change)
    if month is None:
        said.append("The two forecasts have no month in common.")
    else:
        table = change.table[change.table["month"] == month]
        mine = table[table["location"] == place]
        if mine.empty:
            said.append(f"No earlier forecast of {place_name(place)} is there to compare with.")
        else:
            said.append(_moved(mine.iloc[0]))
            if not change.why_not:
                said.append(_reasons(change, mine.iloc[0]))
    if change.why_not:
        said.append(_start(change.why_not))
    said += _others(change)
    return said


def _data(change: Change, place: str) -> str:
    assert change.before is not None
    since = f"The forecast before was made from the release of {day_name(change.before)}"
    if not change.recorded:
        since = (
            f"The release before is that of {day_name(change.before)}. No forecast from it is in "
            "the record, so one was made now"
        )
    if not change.counts:
        return f"{since}."
    n = change.new_months.size
    if n:
        names = [month_name(m) for m in change.new_months]
        months = names[0] if n == 1 else f"{names[0]} to {names[-1]}"
        new = f"{'One month is' if n == 1 else f'{n} months are'} new ({months}: "
        new += f"{change.counts['new']:,} counts)"
    else:
        new = "No month is new"
    data = (
        f"{since}. {new}; of the {change.counts['common']:,} counts that both releases have, "
        f"{change.counts['revised']:,} differ."
    )
    rows = change.revised[change.revised["location"] == place]
    for row in rows.to_dict("records"):
        if np.isfinite(row["revision"]):
            where, when = place_name(row["location"]), month_name(row["month"])
            went = f"went from {row['reported_before']:,.0f} to {row['reported_now']:,.0f}"
            if row["revision"] == 0:
                went = f"is still {row['reported_now']:,.0f}"
            data += (
                f" The reported count for the 12 months ending in {when}, the last then, {went} in "
                f"{where}."
            )
    if change.final is not None:
        data += f" Counts up to {month_name(change.final)} are final now."
    return data


def _moved(row: pd.Series) -> str:
    step = _step(row["change_error"])
    size = rounded(abs(row["change"]), step)
    way = "no other than it was" if size == "0" else (
        f"about {size} {'fewer' if row['change'] < 0 else 'more'}"
    )  # fmt: skip
    inside = row["before_low"] <= row["now"] <= row["before_high"]
    return (
        f"For the 12 months ending in {month_name(row['month'])} in {place_name(row['location'])}, "
        f"the median was about {rounded(row['before'], step)} and is about "
        f"{rounded(row['now'], step)}: {way}. It lies {'within' if inside else 'outside'} the 90% "
        f"interval of the forecast before, {between(row['before_low'], row['before_high'])}."
    )


def _reasons(change: Change, row: pd.Series) -> str:
    parts = [("revisions of earlier months", "revisions", "revisions_error")]
    if change.new_months.size:
        new = "the new month" if change.new_months.size == 1 else "the new months"
        parts.append((new, "new_months", "new_months_error"))
    words = []
    for name, key, error in parts:
        part = f"{signed(row[key], _step(row[error]))} from {name}"
        if row[error] > 0:
            part += f" (standard error from the number of draws {_small(row[error])}"
            part += "; no more than chance)" if abs(row[key]) < 2 * row[error] else ")"
        words.append(part)
    same = not change.settings
    model = row["model"]
    if np.isfinite(model) and model != 0:
        why = "; ".join(change.settings) or "the same settings give other numbers now: libraries?"
        words.append(f"{signed(model, _step(row['change_error']))} from the model ({why})")
    parted = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    text = f"The change is made up of {parted}."
    if change.recorded and same and model == 0:
        text += " Model and settings are the same."
    elif change.recorded and model == 0:
        text += f" Other than then, without effect here: {'; '.join(change.settings)}."
    return text


def _others(change: Change) -> list[str]:
    said = []
    if change.lost:
        names = ", ".join(called(s) for s in change.lost)
        said.append(f"Forecast before, and not now: {names}.")
    return said


def lines(change: Change, place: str = NATION) -> list[list[str]]:
    """Rows of a table of the change in the last month that both have, the largest first.

    The place comes first, then the others by the size of their change beside the interval that
    was given before. Columns: place, before, now, change, of it revisions, new months, model.
    """
    month = month_of(change)
    if month is None:
        return []
    table = change.table[change.table["month"] == month]
    size = (table["change"] / (table["before_high"] - table["before_low"])).abs()
    order = table.assign(first=table["location"] != place, size=-size.fillna(0.0))
    rows = []
    for row in order.sort_values(["first", "size"], kind="stable").to_dict("records"):
        step = _step(row["change_error"])
        rows.append(
            [
                row["name"],
                rounded(row["before"], step),
                rounded(row["now"], step),
                with_error(row["change"], row["change_error"]),
                with_error(row["revisions"], row["revisions_error"]),
                with_error(row["new_months"], row["new_months_error"]),
                "–" if np.isnan(row["model"]) else signed(row["model"], step),
            ]
        )
    return rows


HEAD = ("", "before", "now", "change", "revisions", "new months", "model")
#: Below the table.
NOTE = "±: twice the standard error that comes from the number of draws"


def signed(value: float, step: float = 1.0) -> str:
    """A change with its sign.

    Examples
    --------
    >>> signed(-154.0, 10), signed(3.2), signed(0.2)
    ('−150', '+3', '0')
    """
    size = rounded(abs(value), step)
    return size if size == "0" else f"{'−' if value < 0 else '+'}{size}"


def with_error(value: float, error: float) -> str:
    """A change, and twice its standard error.

    Examples
    --------
    >>> with_error(-154.0, 12.0), with_error(3.0, 0.0), with_error(float("nan"), 1.0)
    ('−154 ± 24', '+3', '–')
    """
    if np.isnan(value):
        return "–"
    step = _step(error)
    if not error > 0:
        return signed(value)
    return f"{signed(value, step)} ± {rounded(2 * error, step) if 2 * error >= 1 else '<1'}"


def _step(error: float) -> float:
    return 1.0 if not np.isfinite(error) else step_of(-2 * error, 2 * error)


def _small(error: float) -> str:
    return "below 1" if error < 1 else rounded(error, _step(error))


def _start(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
