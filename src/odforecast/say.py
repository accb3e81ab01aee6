"""Numbers, months and days in words, no finer than their interval; what a message quotes; and how
objects show themselves.

A look at an object (:func:`card`, :func:`html_table`) must never fail and never work: what is
broken or empty is said to be so. Whatever a message repeats of a file, which can hold anything,
goes through :func:`plain`, :func:`quoted`, :func:`listed` or :func:`of_path`.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from odforecast.months import MEAN_DAYS, to_month
from odforecast.names import (
    ALL_DEATHS,
    ALL_DRUGS,
    COUNTIES,
    DUE_DAYS,
    INDICATOR_NAMES,
    STATES,
    indicator_name,
)

if TYPE_CHECKING:
    import pandas as pd

#: Characters of a cell, header or name that a message repeats.
LONGEST = 80

# What rich reads as markup; a backslash before it makes it text.
_MARKUP = re.compile(r"(\\*)(\[[a-zA-Z#/@][^\[]*?\])")
#: How a model says that it set draws to zero.
_BELOW_ZERO = re.compile(r"([\d,]+) of ([\d,]+) drawn [\w ]+ were below zero")
#: Counts of a county below this are shown as a range: CDC hides 1 to 9, and what stands for them
#: is not printed either.
SMALL: Final = 10
#: Drug classes as people say them.
_CLASSES: Final = {
    "T40.4": "synthetic opioids (mostly fentanyl)",
    "opioids": "opioids",
    "heroin": "heroin",
    "natural-opioids": "natural and semi-synthetic opioids",
    "methadone": "methadone",
    "cocaine": "cocaine",
    "psychostimulants": "psychostimulants (mostly methamphetamine)",
}
_STYLE = "text-align:left;caption-side:top;padding:4px 0"
_RIGHT = ' style="text-align:right"'
_LEFT = ' style="text-align:left"'
#: Characters of a line of a card.
_WIDTH = 96


def capital(text: str) -> str:
    """A text that begins a sentence."""
    return f"{text[:1].upper()}{text[1:]}"


def month_name(month: object) -> str:
    """A month in words.

    >>> month_name("2026-04")
    'April 2026'
    """
    return f"{to_month(month).astype(dt.date):%B %Y}"


def day_name(day: dt.date) -> str:
    """A day in words.

    >>> day_name(dt.date(2025, 9, 7))
    'September 7, 2025'
    """
    return f"{day:%B} {day.day}, {day.year}"


def due(release: dt.date, dataset: str = STATES) -> dt.date:
    """The last day on which the release after this one is not overdue.

    >>> due(dt.date(2026, 1, 14))
    datetime.date(2026, 2, 28)
    """
    return release + dt.timedelta(DUE_DAYS[dataset])


def old_data(release: dt.date, day: dt.date, dataset: str = STATES) -> str:
    """What to say about data on a day when the next release is overdue; empty before that.

    >>> old_data(dt.date(2026, 1, 14), dt.date(2026, 11, 29))
    'These data are 10 months old. The next release was due by February 28, 2026.'
    >>> old_data(dt.date(2026, 1, 14), dt.date(2026, 3, 1))
    'These data are 6 weeks old. The next release was due by February 28, 2026.'
    >>> old_data(dt.date(2026, 1, 14), dt.date(2026, 2, 28))
    ''
    """
    until = due(release, dataset)
    if day <= until:
        return ""
    days = (day - release).days
    months = int(days / MEAN_DAYS)
    age = f"{months} months" if months >= 2 else f"{days // 7} weeks"
    return f"These data are {age} old. The next release was due by {day_name(until)}."


def old_data_note(release: dt.date, day: dt.date, dataset: str = STATES) -> str:
    """The same for a terminal, with the command that gets newer data.

    >>> old_data_note(dt.date(2026, 1, 14), dt.date(2026, 3, 1)).partition(". ")[2]
    'The next release was due by February 28, 2026: odforecast data fetch.'
    """
    counties = " --dataset counties" if dataset == COUNTIES else ""
    message = old_data(release, day, dataset)
    if not message:
        return ""
    return f"{message.removesuffix('.')}: odforecast data fetch{counties}."


def shown_warnings(warnings: Iterable[str]) -> list[str]:
    """Warnings that people are shown; that a few draws were set to zero is in the files alone.

    >>> shown_warnings(["7 of 1,000 drawn months were below zero and set to 0", "it is old"])
    ['it is old']
    """
    texts = []
    for text in warnings:
        match = _BELOW_ZERO.match(text)
        if match is not None:
            n_below, n_draws = (
                int(number.replace(",", "")) for number in match.groups()
            )
            if n_below < 0.01 * n_draws:
                continue
        texts.append(text)
    return texts


def deaths_of(indicator: str | None) -> str:
    """The deaths that an indicator counts, in words; of what is not known, plain deaths.

    >>> deaths_of("all-drugs"), deaths_of("Cocaine (T40.5)"), deaths_of(None)
    ('drug overdose deaths', 'drug overdose deaths with cocaine', 'deaths')
    """
    if indicator is None:
        return "deaths"
    name = indicator_name(indicator)
    if name == ALL_DRUGS:
        return "drug overdose deaths"
    if name == ALL_DEATHS:
        return "deaths from all causes"
    classes = {INDICATOR_NAMES[key]: words for key, words in _CLASSES.items()}
    return f"drug overdose deaths with {classes.get(name, name)}"


def step_of(low: float, high: float) -> float:
    """The unit to which numbers are rounded beside an interval: a seventh of it or finer.

    Also no more than a tenth of the middle of the interval; around zero, where the middle may be
    small, a twentieth of the interval.

    >>> step_of(1_912, 3_051), step_of(68_000, 79_500), step_of(12, 31), step_of(384, 20_708)
    (100.0, 1000.0, 1.0, 100.0)
    >>> step_of(35_551, 115_088), step_of(-400, 1_100)
    (1000.0, 10.0)
    """
    width = abs(high - low)
    if not np.isfinite(width) or width < 70:
        return 1.0
    one_side = low * high > 0
    unit = min(width / 7, abs(low + high) / 20) if one_side else width / 20
    step = 10 ** int(np.floor(np.log10(unit)))
    near = min(abs(low), abs(high))
    if one_side and near < step:
        # An end that is no zero is not rounded to one.
        step = 10 ** int(np.floor(np.log10(max(near, 1.0))))
    return float(step)


def rounded(value: float, step: float = 1.0) -> str:
    """A number to the nearest step, with thousands separators; never a negative zero.

    >>> rounded(1_912.4, 100), rounded(-0.2), rounded(2_830)
    ('1,900', '0', '2,830')
    """
    return f"{round(value / step) * step:z,.0f}"


def about(value: float) -> str:
    """A number that has no interval beside it, to three per cent or finer.

    >>> about(70_312), about(2_413), about(105_300), about(17.2)
    ('70,000', '2,410', '105,000', '17')
    """
    size = abs(value) / 30
    step = 1.0
    if size >= 1:
        step = float(10 ** int(np.floor(np.log10(size))))
    return rounded(value, step)


def two_digits(count: float) -> str:
    """A number of deaths in two significant digits.

    >>> two_digits(8_912), two_digits(26_600), two_digits(-7.4), two_digits(0.2)
    ('8,900', '27,000', '7', '0')
    """
    size = abs(count)
    exponent = int(np.floor(np.log10(max(size, 1.0))))
    return rounded(size, 10.0 ** max(exponent - 1, 0))


def minus(text: str) -> str:
    """A text of numbers, with minus signs in place of hyphens.

    >>> minus("-3 to 1")
    '−3 to 1'
    """
    return text.replace("-", "−")


def percent(value: float) -> str:
    """A change in whole percent, with its sign.

    >>> percent(-14.2), percent(0.3), percent(3)
    ('−14%', '0%', '+3%')
    """
    whole = round(value)
    return minus(f"{whole:+d}%") if whole else "0%"


def chance(share: float, *, short: bool = False) -> str:
    """A probability to the nearest 5 percent, below 10 and above 90 to the nearest percent.

    A thousand draws tell no more. What is uncertain is never said to be 0 or 100 percent. ``short``
    is for tables and figures.

    >>> chance(0.914), chance(0.774), chance(0.005), chance(0.995), chance(0.06)
    ('91%', '75%', 'less than 1%', 'more than 99%', '6%')
    >>> chance(0.005, short=True), chance(0.995, short=True)
    ('<1%', '>99%')
    """
    if share <= 0.005:
        return "<1%" if short else "less than 1%"
    if share >= 0.995:
        return ">99%" if short else "more than 99%"
    # As `likely` rounds, also where a share lies halfway between two.
    if 0.1 <= share <= 0.9:
        return f"{5 * round(20 * share)}%"
    return f"{round(100 * share)}%"


def percents(shares: Sequence[float], *, short: bool = False) -> list[str]:
    """Shares of one whole in whole percents that add up to 100.

    Only what is 0 or 1 is said to be 0 or 100%. ``short`` is for tables.

    >>> percents([0.5925, 0.4, 0.0075]), percents([0.335, 0.335, 0.33])
    (['59%', '40%', '1%'], ['34%', '33%', '33%'])
    >>> percents([0.997, 0.003, 0.0]), percents([0.003, 0.997], short=True)
    (['more than 99%', 'less than 1%', '0%'], ['<1%', '>99%'])
    """
    exact = 100 * np.asarray(shares)
    whole = np.floor(exact + 1e-9)
    rest = round(100 - whole.sum())
    whole[np.argsort(whole - exact, kind="stable")[:rest]] += 1
    texts = []
    for share, number in zip(shares, whole):
        text = f"{number:.0f}%"
        if share > 0 and number == 0:
            text = "<1%" if short else "less than 1%"
        elif share < 1 and number == 100:
            text = ">99%" if short else "more than 99%"
        texts.append(text)
    return texts


def likely(share: float) -> str:
    """A probability to the nearest 5 percent, as pages say it; what is near 0 or 1 has a limit.

    >>> likely(0.914), likely(0.774), likely(0.98), likely(0.02)
    ('90%', '75%', 'over 95%', 'under 5%')
    """
    near = 5 * round(20 * share)
    if near < 5:
        return "under 5%"
    if near > 95:
        return "over 95%"
    return f"{near}%"


def between(low: float, high: float, step: float | None = None) -> str:
    """The ends of an interval, rounded together.

    >>> between(1_912, 3_051)
    '1,900 to 3,100'
    """
    unit = step_of(low, high) if step is None else step
    return f"{rounded(low, unit)} to {rounded(high, unit)}"


def ranged(value: float, step: float = 1.0) -> str:
    """A count of a county: one below 10 as a range.

    >>> ranged(9.5), ranged(0.0), ranged(10.0), ranged(1_912.4, 100)
    ('<10', '<10', '10', '1,900')
    """
    return f"<{SMALL}" if value < SMALL else rounded(value, step)


def ranged_between(low: float, high: float, step: float | None = None) -> str:
    """The ends of an interval of a county's count, in a sentence.

    >>> ranged_between(12, 31), ranged_between(4, 31), ranged_between(1, 8)
    ('12 to 31', 'fewer than 10 to 31', 'fewer than 10')
    """
    unit = step_of(low, high) if step is None else step
    if high < SMALL:
        return f"fewer than {SMALL}"
    first = f"fewer than {SMALL}" if low < SMALL else rounded(low, unit)
    return f"{first} to {rounded(high, unit)}"


def published_count(low: float, high: float) -> str:
    """A count as a release shows it, from what it lies between; empty where it is missing.

    >>> [published_count(*x) for x in [(594, 594), (0, 0), (1, 9), (1000, float("inf"))]]
    ['594', '0', '1–9', '≥1,000']
    >>> published_count(float("nan"), float("nan"))
    ''
    """
    if np.isnan(low):
        return ""
    if np.isinf(high):
        return f"≥{low:,.0f}"
    return f"{low:,.0f}" if low == high else f"{low:,.0f}–{high:,.0f}"


def plain(
    value: object, most: int = LONGEST, show: Callable[[str], str] | None = None
) -> str:
    r"""Text for a message: control characters and markup escaped, cut at ``most`` characters.

    >>> print(plain("2024-12-11.csv"), plain("a\x1b[2J"), plain("[red]"), plain("x" * 5000, 10))
    2024-12-11.csv a\x1b[2J \[red] xxxxxxxxxx… (5,000 characters)
    """
    text = str(value)
    show = show or printable
    start = _MARKUP.sub(r"\1\1\\\2", show(text[:most]))
    return start if len(text) <= most else f"{start}… ({len(text):,} characters)"


def quoted(value: object, most: int = LONGEST) -> str:
    r"""Text for a message as :func:`plain` gives it, between quotes.

    >>> print(quoted("[red]12"), quoted("1\n2"), quoted(7))
    '\[red]12' '1\n2' '7'
    """
    return plain(value, most, show=repr)


def listed(values: object, most: int = 8) -> str:
    """The first of several names, and how many more there are.

    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    texts = [plain(v, 40) for v in list(values)]  # type: ignore[call-overload]
    text = ", ".join(texts[:most])
    rest = len(texts) - most
    return f"{text} and {rest:,} more" if rest > 0 else text


def of_path(path: str | Path) -> str:
    """A path for a message: its end, which names the file."""
    text = str(path)
    if len(text) > LONGEST:
        text = f"…{text[-LONGEST + 1 :]}"
    return plain(text, LONGEST)


def printable(text: str) -> str:
    r"""A text whose control characters are escaped.

    >>> print(printable("a\tb'"))
    a\tb'
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def card(*lines: str) -> str:
    """A ``repr`` of a few lines: what it is, then what is in it, then what to do next.

    The first line names the class; empty ones are left out, long ones go on below.

    >>> print(card("Panel: deaths", "", "next: .plot()"))
    <Panel: deaths
      next: .plot()>
    """
    wrapped: list[str] = []
    for line in lines:
        wrapped += textwrap.wrap(
            line,
            _WIDTH,
            subsequent_indent="  ",
            max_lines=2,
            placeholder=" …",
        )
    return "<" + "\n  ".join(wrapped) + ">"


def number_of(count: int, one: str, many: str = "") -> str:
    """A count with its noun.

    >>> number_of(1, "release"), number_of(1200, "row"), number_of(0, "county", "counties")
    ('1 release', '1,200 rows', '0 counties')
    """
    plural = many or f"{one}s"
    noun = one if count == 1 else plural
    return f"{count:,} {noun}"


def steady[T](method: Callable[[T], str]) -> Callable[[T], str]:
    """A ``__repr__`` or ``_repr_html_`` that does not fail, whatever state the object is in.

    >>> class Broken:
    ...     @steady
    ...     def __repr__(self):
    ...         return f"<Broken {self.never_set}>"
    >>> Broken()
    <Broken: cannot be shown (AttributeError: 'Broken' object has no attribute 'never_set')>
    """

    @wraps(method)
    def show(self: T) -> str:
        try:
            return method(self)
        except Exception as error:
            message = f"{type(error).__name__}: {error}"
            reason = " ".join(message.split())[:200]
            text = f"{type(self).__name__}: cannot be shown ({reason})"
            return (
                f"<{text}>"
                if method.__name__ == "__repr__"
                else f"<p>{escape(text)}</p>"
            )

    return show


def html_facts(facts: Mapping[str, object], caption: str = "", note: str = "") -> str:
    """A table of two columns for a notebook: what, and which; empty facts are left out.

    >>> page = html_facts({"release": "2025-09-17", "donor": ""})
    >>> "2025-09-17" in page, "donor" in page
    (True, False)
    """
    rows = ""
    for name, fact in facts.items():
        text = "" if fact is None else shown_cell(fact)
        if not text:
            continue
        head = f'<th scope="row"{_LEFT}>{escape(name)}</th>'
        rows += f"<tr>{head}<td{_LEFT}>{escape(text)}</td></tr>"
    return _table(f"<tbody>{rows}</tbody>", caption, note=note)


def html_table(
    frame: pd.DataFrame, caption: str = "", note: str = "", rows: int = 12
) -> str:
    """An HTML fragment with a table for a notebook, between a caption and a note; all is escaped.

    The index is not shown; floats have three significant decimals at most; how many rows are left
    out is said.

    >>> import pandas as pd
    >>> page = html_table(pd.DataFrame({"place": ["A < B"], "deaths": [1200.0]}), "Counts")
    >>> "A &lt; B" in page, "1,200" in page, "<caption" in page
    (True, True, True)
    """
    start = frame.head(rows)
    # Column by column: a doubled name would hide one, and a row would make one type of all.
    columns = [list(start.iloc[:, i]) for i in range(frame.shape[1])]
    sides = [_RIGHT if _numbers(column) else _LEFT for column in columns]
    head = ""
    for name, side in zip(frame.columns, sides):
        head += f'<th scope="col"{side}>{escape(str(name))}</th>'
    body = ""
    for row in zip(*columns):
        cells = ""
        for cell, side in zip(row, sides):
            cells += f"<td{side}>{escape(shown_cell(cell))}</td>"
        body += f"<tr>{cells}</tr>"
    rest = len(frame) - rows
    if rest > 0:
        ending = f"… and {number_of(rest, 'more row')}."
        note = f"{ending} {note}" if note else ending
    return _table(
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>", caption, note=note
    )


def shown_cell(value: object) -> str:
    """A cell as people read it: thousands separated, months as months, a dash for nothing.

    >>> shown_cell(1234.5), shown_cell(0.12345), shown_cell(float("nan")), shown_cell(True)
    ('1,234', '0.123', '–', 'yes')
    >>> import numpy as np
    >>> shown_cell(np.int64(4200)), shown_cell(np.datetime64("2025-04", "M")), shown_cell(None)
    ('4,200', '2025-04', '–')
    """
    import pandas as pd

    if isinstance(value, np.datetime64):
        # Months and years have no time of day; finer ones are stamps like any other.
        coarse = np.datetime_data(value.dtype)[0] in ("Y", "M") and not np.isnat(value)
        value = str(value) if coarse else pd.Timestamp(value)
    elif isinstance(value, np.generic):
        value = value.item()
    if value is None or value is pd.NaT or value is pd.NA:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dt.datetime):
        bare = value.hour == value.minute == value.second == 0
        return f"{value:%Y-%m}" if bare and value.day == 1 else f"{value:%Y-%m-%d}"
    if isinstance(value, float):
        if not math.isfinite(value):
            return "–" if math.isnan(value) else "∞" if value > 0 else "−∞"
        whole = abs(value) >= 100 or value.is_integer()
        return f"{value:,.0f}" if whole else f"{value:,.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _numbers(column: list[Any]) -> bool:
    """Whether a column is one of numbers: those stand to the right."""
    known = [x for x in column if x is not None]
    kinds = (int, float, np.integer, np.floating)
    return bool(known) and all(
        isinstance(x, kinds) and not isinstance(x, bool) for x in known
    )


def _table(inside: str, caption: str, note: str) -> str:
    said = f'<caption style="{_STYLE}">{escape(caption)}</caption>' if caption else ""
    below = f"<p>{escape(note)}</p>" if note else ""
    return f"<div><table>{said}{inside}</table>{below}</div>"
