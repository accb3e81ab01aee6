"""What an update says: in sentences and in a table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from odforecast.forecast.text import place_name
from odforecast.geography import NATION, called
from odforecast.say import between, day_name, month_name, rounded, step_of
from odforecast.updating.changes import Change

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
        f"{rounded(row['now'], step)}: {way}. It lies {'within' if inside else 'outside'} the 90 % "
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
